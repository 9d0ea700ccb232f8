/** `ip stats`: the counters of links by groups. Only those of the group `link` have a source here; the others are named. */
import { NLM_F_DUMP, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import { type LinkMessage, RTM_NEWLINK } from '../../src/uapi/rtnetlink.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, invarg, nodev, ToolExit } from '../lib/errors.ts'
import type { Printer } from '../lib/printer.ts'
import { linkMessage } from '../lib/rtnl.ts'
import type { IpContext, IpObject } from './context.ts'
import { STATS_USAGE } from './help/stats.ts'
import { printLinkStats } from './print_stats.ts'

const EINVAL = 22

/** One thing that can be shown: its place in the tree of groups. */
interface Leaf {
  readonly group: string
  readonly subgroup?: string
  readonly suite?: string
  readonly print?: (ctx: IpContext, out: Printer, link: LinkMessage) => void
}

const LEAVES: readonly Leaf[] = [
  { group: 'afstats', subgroup: 'mpls' },
  {
    group: 'link',
    print: (ctx, out, link) => {
      if (link.attrs.stats64 === undefined) return
      out.nl()
      printLinkStats(out, link, { ...ctx.opts, stats: 1 })
    },
  },
  {
    group: 'offload',
    subgroup: 'l3_stats',
    print: (_ctx, out) => {
      out.openObject('info')
      out.put('request', false, ' off')
      out.put('used', false, ' used off')
      out.closeObject()
    },
  },
  {
    group: 'offload',
    subgroup: 'hw_stats_info',
    print: (_ctx, out) => {
      out.openObject('info')
      out.nl()
      out.text('    l3_stats')
      out.openObject('l3_stats')
      out.put('request', false, ' off')
      out.put('used', false, ' used off')
      out.closeObject()
      out.closeObject()
    },
  },
  { group: 'offload', subgroup: 'cpu_hit', print: (_ctx, out) => out.nl() },
  { group: 'xstats_slave', subgroup: 'bond', suite: '802.3ad' },
  { group: 'xstats', subgroup: 'bond', suite: '802.3ad' },
  { group: 'xstats_slave', subgroup: 'bridge', suite: 'mcast' },
  { group: 'xstats_slave', subgroup: 'bridge', suite: 'stp' },
  { group: 'xstats', subgroup: 'bridge', suite: 'mcast' },
  { group: 'xstats', subgroup: 'bridge', suite: 'stp' },
]

/** Which levels of the tree a word names. */
const LEVELS = ['group', 'subgroup', 'suite'] as const

/** What is to be shown. */
interface Selection {
  dev: string | undefined
  leaves: readonly Leaf[]
}

function parse(words: readonly string[]): Selection {
  const selection: Selection = { dev: undefined, leaves: [] }
  let current: Leaf[] | undefined
  let path = 'top-level'
  const flush = (): void => {
    if (current !== undefined) selection.leaves = [...selection.leaves, ...current]
  }
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.is('dev')) {
      if (selection.dev !== undefined) invarg('duplicate "dev"', a.word)
      selection.dev = a.next()
      continue
    }
    const level = LEVELS.find(name => a.is(name))
    if (a.is('help')) throw new ToolExit(STATS_USAGE, 0)
    if (level === undefined) throw new ToolExit(`What is "${a.word}"?\n${STATS_USAGE}`, EINVAL)
    const name = a.next()
    if (level === 'group') {
      flush()
      current = [...LEAVES]
      path = 'top-level'
    } else if (current === undefined) throw new CommandFailure(`Error: ${level} specified without group\n`, EINVAL)
    current = current.filter(leaf => leaf[level] === name)
    if (current.length === 0) {
      throw new CommandFailure(`Error: no ${level} named ${name} found inside ${path}\n`, EINVAL)
    }
    path = name
  }
  flush()
  if (selection.leaves.length === 0) selection.leaves = LEAVES
  return selection
}

function printLeaf(ctx: IpContext, out: Printer, link: LinkMessage, leaf: Leaf): void {
  out.openObject()
  out.put('ifindex', link.index, `${link.index}:`)
  out.put('ifname', link.attrs.ifname ?? '', ` ${link.attrs.ifname ?? ''}:`)
  for (const level of LEVELS) {
    const name = leaf[level]
    if (name !== undefined) out.put(level, name, ` ${level} ${name}`)
  }
  leaf.print?.(ctx, out, link)
  out.nl()
  out.closeObject()
}

function show(ctx: IpContext, words: readonly string[]): number {
  const { dev, leaves } = parse(words)
  const index = dev === undefined ? 0 : ctx.links.nameToIndex(dev)
  if (dev !== undefined && index === 0) throw nodev(dev)
  const request = linkMessage(index === 0 ? { flags: NLM_F_REQUEST | NLM_F_DUMP } : { index })
  const links = ctx.nl.request(request).filter((message): message is LinkMessage => message.type === RTM_NEWLINK)
  ctx.listing(out => {
    for (const link of links) {
      for (const leaf of leaves) printLeaf(ctx, out, link, leaf)
      if (index === 0) out.text('\n')
    }
  })
  return 0
}

export const run: IpObject = (ctx, words) => {
  const verb = words[0]
  if (verb === undefined) return show(ctx, [])
  if (matches(verb, 'help')) throw new ToolExit(STATS_USAGE, 0)
  if (matches(verb, 'show')) return show(ctx, words.slice(1))
  if (matches(verb, 'set'))
    throw new CommandFailure('RTNETLINK answers: Operation not supported\nError talking to the kernel\n', 1)
  throw new CommandFailure(`Command "${verb}" is unknown, try "ip stats help".\n`, 1)
}
