/** `bridge vni`: ids of VXLAN devices that filter by id; there are none. */
import { Args } from '../lib/args.ts'
import { invarg } from '../lib/errors.ts'
import { getAddr } from '../lib/inet.ts'
import { getU32 } from '../lib/number.ts'
import { type BridgeContext, type BridgeObject, deviceIndex, failure, unknownCommand } from './context.ts'
import { VNI_USAGE } from './help.ts'

function show(ctx: BridgeContext, words: readonly string[]): number {
  const a = new Args(words)
  let dev: string | undefined
  for (; a.more; a.skip()) if (a.is('dev')) dev = a.next()
  if (dev !== undefined) deviceIndex(ctx, dev)
  ctx.listing(out => out.text('dev               vni              group/remote   \n'))
  return 0
}

function readVni(word: string): number {
  const value = getU32(word)
  return value === undefined || value >= 1 << 24 ? invarg('invalid vni', word) : value
}

function modify(ctx: BridgeContext, words: readonly string[]): number {
  const a = new Args(words)
  let dev: string | undefined
  let vni: number | undefined
  for (; a.more; a.skip()) {
    if (a.is('dev')) dev = a.next()
    else if (a.is('vni')) vni = Math.min(...a.next().split('-').map(readVni))
    else if (a.is('group', 'remote')) getAddr(a.next(), ctx.opts.family)
    else if (a.matches('help')) ctx.usage(VNI_USAGE)
    else invarg('unknown command', a.word)
  }
  if (dev === undefined || vni === undefined) throw failure('Device and VNI ID are required arguments.')
  deviceIndex(ctx, dev, 'bridge device')
  throw failure('RTNETLINK answers: Operation not supported')
}

export const run: BridgeObject = (ctx, args) => {
  const a = new Args(args)
  if (!a.more) return show(ctx, [])
  if (a.matches('add') || a.matches('delete')) return modify(ctx, args.slice(1))
  if (a.matches('show') || a.matches('lst') || a.matches('list')) return show(ctx, args.slice(1))
  if (a.matches('help')) ctx.usage(VNI_USAGE)
  return unknownCommand('vni', a.word)
}
