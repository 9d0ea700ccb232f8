/**
 * `ip tcp_metrics`: what TCP remembers of destinations, see ip-tcp_metrics(8). This kernel keeps nothing between
 * connections (as with net.ipv4.tcp_no_metrics_save), so that there is never an entry to show.
 */
import { Errno, strerror } from '../../src/uapi/errno.ts'
import { AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, duparg2, EXIT_USAGE, missarg, ToolExit } from '../lib/errors.ts'
import { afBitLen, getPrefix, type InetPrefix } from '../lib/inet.ts'
import type { IpContext, IpObject } from './context.ts'
import { TCPMETRICS_USAGE } from './help/tcpmetrics.ts'

/** Reads `[[address] PREFIX]`. */
function parseAddress(ctx: IpContext, words: readonly string[]): InetPrefix | undefined {
  let prefix: InetPrefix | undefined
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.is('src', 'source')) {
      getPrefix(a.next(), ctx.opts.family)
      continue
    }
    if (a.is('address', 'addr')) a.next()
    if (a.matches('help')) ctx.usage(TCPMETRICS_USAGE)
    if (prefix !== undefined) duparg2('address', a.word)
    prefix = getPrefix(a.word, ctx.opts.family)
  }
  return prefix
}

const noEntry = (): CommandFailure => new CommandFailure(`RTNETLINK answers: ${strerror(Errno.ESRCH)}\n`, 2)

function show(ctx: IpContext, words: readonly string[]): number {
  const prefix = parseAddress(ctx, words)
  const whole = prefix !== undefined && prefix.family !== AF_UNSPEC && prefix.bitlen === afBitLen(prefix.family)
  if (whole) throw noEntry()
  ctx.listing(() => undefined)
  return 0
}

export const run: IpObject = (ctx, args) => {
  const [word, ...words] = args
  if (word === undefined) return show(ctx, [])
  if (['show', 'list', 'lst'].some(name => matches(word, name))) return show(ctx, words)
  if (matches(word, 'delete')) {
    if (parseAddress(ctx, words) === undefined) missarg('address')
    throw noEntry()
  }
  if (matches(word, 'flush')) {
    parseAddress(ctx, words)
    return 0
  }
  if (matches(word, 'help')) ctx.usage(TCPMETRICS_USAGE)
  throw new ToolExit(`Command "${word}" is unknown, try "ip tcp_metrics help".\n`, EXIT_USAGE)
}
