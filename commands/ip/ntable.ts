/** `ip ntable`: parameters of the neighbour tables, see ip-ntable(8). */
import { NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import { type NeightblMessage, RTM_GETNEIGHTBL, RTM_NEWNEIGHTBL, RTM_SETNEIGHTBL } from '../../src/uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, duparg, EXIT_USAGE, invarg, missarg, ToolExit } from '../lib/errors.ts'
import { familyName } from '../lib/inet.ts'
import { getU32, getU64 } from '../lib/number.ts'
import type { Printer } from '../lib/printer.ts'
import { asNetlinkError, netlinkErrorText } from '../lib/rtnl.ts'
import type { IpContext, IpObject } from './context.ts'
import { NTABLE_USAGE } from './help/ntable.ts'

type Attrs = NeightblMessage['attrs']
/** A field: attribute, JSON name and word. */
type Field = readonly [attribute: string, key: string, word: string]

/** Parameters of a device or of the table, line by line. */
const PARMS: readonly (readonly Field[])[] = [
  [
    ['refcnt', 'refcnt', 'refcnt'],
    ['reachableTime', 'reachable', 'reachable'],
    ['baseReachableTime', 'base_reachable', 'base_reachable'],
    ['retransTime', 'retrans', 'retrans'],
  ],
  [
    ['gcStaletime', 'gc_stale', 'gc_stale'],
    ['delayProbeTime', 'delay_probe', 'delay_probe'],
    ['queueLen', 'queue', 'queue'],
  ],
  [
    ['appProbes', 'app_probes', 'app_probes'],
    ['ucastProbes', 'ucast_probes', 'ucast_probes'],
    ['mcastProbes', 'mcast_probes', 'mcast_probes'],
  ],
  [
    ['anycastDelay', 'anycast_delay', 'anycast_delay'],
    ['proxyDelay', 'proxy_delay', 'proxy_delay'],
    ['proxyQlen', 'proxy_queue', 'proxy_queue'],
    ['locktime', 'locktime', 'locktime'],
  ],
]

const STATS: readonly (readonly Field[])[] = [
  [
    ['allocs', 'allocs', 'allocs'],
    ['destroys', 'destroys', 'destroys'],
    ['hashGrows', 'hash_grows', 'hash_grows'],
  ],
  [
    ['resFailed', 'res_failed', 'res_failed'],
    ['lookups', 'lookups', 'lookups'],
    ['hits', 'hits', 'hits'],
  ],
  [
    ['rcvProbesMcast', 'rcv_probes_mcast', 'rcv_probes_mcast'],
    ['rcvProbesUcast', 'rcv_probes_ucast', 'rcv_probes_ucast'],
  ],
  [
    ['periodicGcRuns', 'periodic_gc_runs', 'periodic_gc_runs'],
    ['forcedGcRuns', 'forced_gc_runs', 'forced_gc_runs'],
  ],
  [['tableFulls', 'table_fulls', 'table_fulls']],
]

/** Prints lines of fields; a line without any is left out. @param first text at the beginning of the first line */
function printLines(
  out: Printer,
  lines: readonly (readonly Field[])[],
  values: Readonly<Record<string, number>>,
  first = '',
): void {
  for (const [i, line] of lines.entries()) {
    const given = line.filter(([attribute]) => values[attribute] !== undefined)
    if (given.length === 0) continue
    out.nl()
    out.text(`    ${i === 0 ? first : ''}`)
    for (const [attribute, key, word] of given) out.put(key, values[attribute]!, `${word} ${values[attribute]} `)
  }
}

/** @returns a time of day as strftime's `%F %T` has it, UTC. @param seconds since the epoch */
function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')
}

/** Prints the table's own state; `lastFlush` and `lastRand` are milliseconds ago. */
function printConfig(ctx: IpContext, out: Printer, config: Readonly<Record<string, number>>): void {
  const value = (name: string): number => config[name] ?? 0
  const now = Math.floor(ctx.proc.realtime() / 1e9)
  out.nl()
  out.put('key_length', value('keyLen'), `    config key_len ${value('keyLen')} `)
  out.put('entry_size', value('entrySize'), `entry_size ${value('entrySize')} `)
  out.put('entries', value('entries'), `entries ${value('entries')} `)
  const flush = formatTime(now - Math.floor(value('lastFlush') / 1000))
  const rand = formatTime(now - Math.floor(value('lastRand') / 1000))
  out.nl()
  out.put('last_flush', flush, `        last_flush ${flush} `)
  out.put('last_rand', rand, `last_rand ${rand} `)
  out.nl()
  out.put('hash_rnd', value('hashRnd'), `        hash_rnd ${value('hashRnd')} `)
  const mask = value('hashMask').toString(16)
  out.put('hash_mask', `0x${mask}`, `hash_mask ${mask.padStart(8, '0')} `)
  out.put('hash_chain_gc', value('hashChainGc'), `hash_chain_gc ${value('hashChainGc')} `)
  out.put('proxy_qlen', value('proxyQlen'), `proxy_qlen ${value('proxyQlen')} `)
}

/** Prints a table, or a device's parameters in it, and an empty line. */
function printTable(ctx: IpContext, out: Printer, message: NeightblMessage): void {
  const { attrs } = message
  const details = ctx.opts.stats > 0
  out.openObject()
  const family = familyName(message.family)
  out.put('family', family, `${family} `)
  if (attrs.name !== undefined) out.put('name', attrs.name, `${attrs.name} `)
  const index = attrs.parms?.ifindex
  if (index !== undefined && index !== 0) {
    const dev = ctx.links.indexToName(index)
    out.nl()
    out.text('    dev ')
    out.put('dev', dev, `${dev} `, 'ifname')
  }
  if (attrs.thresh1 !== undefined) {
    out.nl()
    out.put('thresh1', attrs.thresh1, `    thresh1 ${attrs.thresh1} `)
    if (attrs.thresh2 !== undefined) out.put('thresh2', attrs.thresh2, `thresh2 ${attrs.thresh2} `)
    if (attrs.thresh3 !== undefined) out.put('thresh3', attrs.thresh3, `thresh3 ${attrs.thresh3} `)
    if (attrs.gcInterval !== undefined) out.put('gc_interval', attrs.gcInterval, `gc_int ${attrs.gcInterval} `)
  }
  if (attrs.config !== undefined && details) printConfig(ctx, out, attrs.config)
  if (attrs.parms !== undefined) printLines(out, PARMS, attrs.parms)
  if (attrs.stats !== undefined && details) printLines(out, STATS, attrs.stats, 'stats ')
  out.nl()
  out.text('\n')
  out.closeObject()
}

function show(ctx: IpContext, words: readonly string[]): number {
  let index: number | undefined
  let name: string | undefined
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.is('dev')) {
      const dev = a.next()
      if (dev === 'none') {
        index = 0
        continue
      }
      index = ctx.links.nameToIndex(dev)
      if (index === 0) invarg('"DEV" is invalid', dev)
    } else if (a.is('name')) name = a.next()
    else invarg('unknown', a.word)
  }
  const request: NeightblMessage = {
    type: RTM_GETNEIGHTBL,
    flags: NLM_F_REQUEST | NLM_F_DUMP,
    family: ctx.opts.family,
    attrs: {},
  }
  let answers: NeightblMessage[]
  try {
    answers = ctx.nl.request(request).filter(answer => answer.type === RTM_NEWNEIGHTBL) as NeightblMessage[]
  } catch (thrown) {
    throw new CommandFailure(`${netlinkErrorText(asNetlinkError(thrown))}Dump terminated\n`, 1)
  }
  ctx.listing(out => {
    for (const answer of answers) {
      if (ctx.opts.family !== AF_UNSPEC && answer.family !== ctx.opts.family) continue
      if (name !== undefined && answer.attrs.name !== name) continue
      if (index !== undefined && (answer.attrs.parms?.ifindex ?? 0) !== index) continue
      printTable(ctx, out, answer)
    }
  })
  return 0
}

/** Settings of a table: word, attribute, word in complaints. */
const TABLE_WORDS: readonly (readonly [string, 'thresh1' | 'thresh2' | 'thresh3' | 'gcInterval', string])[] = [
  ['thresh1', 'thresh1', 'threshold1'],
  ['thresh2', 'thresh2', 'threshold2'],
  ['thresh3', 'thresh3', 'threshold3'],
  ['gc_int', 'gcInterval', 'gc_int'],
]

/** Settings of a device or of the defaults: word, attribute, whether milliseconds of 64 bits. */
const PARM_WORDS: readonly (readonly [string, string, boolean])[] = [
  ['base_reachable', 'baseReachableTime', true],
  ['retrans', 'retransTime', true],
  ['gc_stale', 'gcStaletime', true],
  ['delay_probe', 'delayProbeTime', true],
  ['queue', 'queueLen', false],
  ['app_probes', 'appProbes', false],
  ['ucast_probes', 'ucastProbes', false],
  ['mcast_probes', 'mcastProbes', false],
  ['anycast_delay', 'anycastDelay', true],
  ['proxy_delay', 'proxyDelay', true],
  ['proxy_queue', 'proxyQlen', false],
  ['locktime', 'locktime', true],
]

function change(ctx: IpContext, words: readonly string[]): number {
  const attrs: Attrs = {}
  const parms: Record<string, number> = {}
  let settings = 0
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.is('name')) {
      const word = a.next()
      if (attrs.name !== undefined) duparg('NAME', word)
      attrs.name = word
      continue
    }
    if (a.is('dev')) {
      const dev = a.next()
      const index = ctx.links.nameToIndex(dev)
      if (index === 0) invarg('"DEV" is invalid', dev)
      parms['ifindex'] = index
      continue
    }
    const table = TABLE_WORDS.find(([word]) => a.is(word))
    const parm = PARM_WORDS.find(([word]) => a.is(word))
    if (table !== undefined) {
      const word = a.next()
      attrs[table[1]] = getU32(word) ?? invarg(`"${table[2]}" value is invalid`, word)
    } else if (parm !== undefined) {
      const word = a.next()
      const value = parm[2] ? getU64(word) : getU32(word)
      parms[parm[1]] = Number(value ?? invarg(`"${parm[0]}" value is invalid`, word))
    } else invarg('unknown', a.word)
    settings++
  }
  if (attrs.name === undefined) missarg('NAME')
  if (settings === 0) throw new ToolExit('Not enough information: changeable attributes required.\n', EXIT_USAGE)
  if (Object.keys(parms).length > 0) attrs.parms = parms
  const message: NeightblMessage = {
    type: RTM_SETNEIGHTBL,
    flags: NLM_F_REQUEST | NLM_F_REPLACE,
    family: ctx.opts.family,
    attrs,
  }
  ctx.talk(message)
  return 0
}

export const run: IpObject = (ctx, args) => {
  const [word, ...words] = args
  if (word === undefined) return show(ctx, [])
  if (matches(word, 'change') || matches(word, 'chg')) return change(ctx, words)
  if (['show', 'lst', 'list'].some(name => matches(word, name))) return show(ctx, words)
  if (matches(word, 'help')) ctx.usage(NTABLE_USAGE)
  throw new ToolExit(`Command "${word}" is unknown, try "ip ntable help".\n`, EXIT_USAGE)
}
