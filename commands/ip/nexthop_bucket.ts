/** `ip nexthop bucket`: which next hop each bucket of a resilient group leads to. */
import { NLM_F_DUMP, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import {
  type NexthopBucketMessage,
  RTM_DELNEXTHOPBUCKET,
  RTM_GETNEXTHOPBUCKET,
  RTM_NEWNEXTHOPBUCKET,
} from '../../src/uapi/nexthop_bucket.ts'
import type { RtMessage } from '../../src/uapi/rtnetlink.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { getU16 } from '../lib/number.ts'
import type { Printer } from '../lib/printer.ts'
import { asNetlinkError, netlinkErrorText } from '../lib/rtnl.ts'
import type { IpContext } from './context.ts'
import { NEXTHOP_USAGE } from './help/nexthop.ts'
import { parseNexthopId, requireDevice, requireVrf } from './nexthop.ts'
import { printHundredths } from './nexthop_print.ts'
import { printRouteFlags } from './rtnames.ts'

/** Sends a request about buckets, which the union of rtnetlink messages does not list yet. */
function request(ctx: IpContext, message: NexthopBucketMessage): NexthopBucketMessage[] {
  const answers = ctx.nl.request(message as unknown as RtMessage) as unknown as NexthopBucketMessage[]
  return answers.filter(answer => answer.type === RTM_NEWNEXTHOPBUCKET)
}

function bucketMessage(ctx: IpContext, flags: number, attrs: NexthopBucketMessage['attrs']): NexthopBucketMessage {
  const { family } = ctx.opts
  return { type: RTM_GETNEXTHOPBUCKET, flags: NLM_F_REQUEST | flags, family, scope: 0, protocol: 0, nhFlags: 0, attrs }
}

/** Prints one bucket and ends its line. */
export function printBucket(out: Printer, message: NexthopBucketMessage): void {
  const { attrs } = message
  out.openObject()
  if (message.type === RTM_DELNEXTHOPBUCKET) out.put('deleted', true, 'Deleted ')
  if (attrs.id !== undefined) out.put('id', attrs.id, `id ${attrs.id} `)
  const { bucket } = attrs
  if (bucket !== undefined) {
    out.openObject('bucket')
    if (bucket.index !== undefined) out.put('index', bucket.index, `index ${bucket.index} `)
    if (bucket.idleTime !== undefined) printHundredths(out, 'idle_time', bucket.idleTime)
    if (bucket.nhId !== undefined) out.put('nhid', bucket.nhId, `nhid ${bucket.nhId} `)
    out.closeObject()
  }
  printRouteFlags(out, message.nhFlags)
  out.text('\n')
  out.closeObject()
}

function list(ctx: IpContext, words: readonly string[]): number {
  const attrs: NexthopBucketMessage['attrs'] = {}
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.matches('dev')) attrs.oif = requireDevice(ctx, a.next())
    else if (a.matches('master')) attrs.master = requireDevice(ctx, a.next())
    else if (a.matches('vrf')) attrs.master = requireVrf(ctx, a.next())
    else if (a.is('id')) attrs.id = parseNexthopId(a.next())
    else if (a.is('nhid')) attrs.bucket = { nhId: parseNexthopId(a.next()) }
    else if (a.matches('help')) ctx.usage(NEXTHOP_USAGE)
    else invarg('', a.word)
  }
  let buckets: NexthopBucketMessage[]
  try {
    buckets = request(ctx, bucketMessage(ctx, NLM_F_DUMP, attrs))
  } catch (thrown) {
    throw new CommandFailure(`${netlinkErrorText(asNetlinkError(thrown))}Dump terminated\n`, 2)
  }
  ctx.listing(out => {
    for (const bucket of buckets) printBucket(out, bucket)
  })
  return 0
}

function get(ctx: IpContext, words: readonly string[]): number {
  let id = 0
  let index: number | undefined
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.is('id')) id = parseNexthopId(a.next())
    else if (a.is('index')) {
      const word = a.next()
      index = getU16(word) ?? invarg('invalid bucket index value', word)
    } else ctx.usage(NEXTHOP_USAGE)
  }
  if (id === 0 || index === undefined) ctx.usage(NEXTHOP_USAGE)
  let buckets: NexthopBucketMessage[]
  try {
    buckets = request(ctx, bucketMessage(ctx, 0, { id, bucket: { index } }))
  } catch (thrown) {
    throw new CommandFailure(netlinkErrorText(asNetlinkError(thrown)), 2)
  }
  ctx.listing(out => {
    for (const bucket of buckets) printBucket(out, bucket)
  })
  return 0
}

/** Runs `ip nexthop bucket …`. @returns the exit status */
export function runBuckets(ctx: IpContext, args: readonly string[]): number {
  const [word, ...words] = args
  if (word === undefined) return list(ctx, [])
  if (['list', 'show', 'lst'].some(name => matches(word, name))) return list(ctx, words)
  if (matches(word, 'get')) return get(ctx, words)
  if (matches(word, 'help')) ctx.usage(NEXTHOP_USAGE)
  throw new ToolExit(`Command "${word}" is unknown, try "ip nexthop help".\n`, EXIT_USAGE)
}
