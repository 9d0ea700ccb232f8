/** `bridge mdb`: multicast databases of bridges. */
import type { MdbEntry, MdbMessage } from '../../src/uapi/if_bridge.ts'
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import { RTM_DELMDB, RTM_GETMDB, RTM_NEWMDB, type RtMessage } from '../../src/uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../src/uapi/socket.ts'
import { Args } from '../lib/args.ts'
import { duparg } from '../lib/errors.ts'
import { parseDottedQuad, parseIpv6 } from '../lib/inet.ts'
import { invalidLlAddr, parseLlAddr } from '../lib/lladdr.ts'
import { atoi } from '../lib/number.ts'
import { type BridgeContext, type BridgeObject, deviceIndex, failure, request, unknownCommand } from './context.ts'
import { MDB_USAGE } from './help.ts'
import { printMdbEntry, printRouterPorts } from './mdb_print.ts'

function mdbMessage(type: MdbMessage['type'], flags: number): MdbMessage {
  return { type, flags: NLM_F_REQUEST | flags, family: AF_BRIDGE, ifindex: 0, attrs: {} }
}

const isMdb = (message: RtMessage): message is MdbMessage => message.type === RTM_GETMDB || message.type === RTM_NEWMDB

function show(ctx: BridgeContext, words: readonly string[]): number {
  const a = new Args(words)
  let dev: string | undefined
  let vlan = 0
  for (; a.more; a.skip()) {
    if (a.is('dev')) dev = a.next()
    else if (a.is('vid')) {
      const word = a.next()
      if (vlan !== 0) duparg('vid', word)
      vlan = atoi(word)
    }
  }
  const index = dev === undefined ? 0 : deviceIndex(ctx, dev)
  ctx.links.init()
  const all = ctx.dump(mdbMessage(RTM_GETMDB, 0), 'Dump terminated\n', 255).filter(isMdb)
  const messages = all.filter(message => index === 0 || message.ifindex === index)
  ctx.listing(out => {
    out.openObject()
    out.openArray('mdb')
    for (const { ifindex, attrs } of messages) {
      for (const entry of attrs.entries ?? []) {
        if (vlan === 0 || vlan === entry.vid) printMdbEntry(ctx, out, ifindex, entry)
      }
    }
    out.closeArray()
    out.openObject('router')
    if (ctx.opts.details > 0) {
      for (const { ifindex, attrs } of messages) {
        if (attrs.routerPorts !== undefined) printRouterPorts(ctx, out, ifindex, attrs.routerPorts)
      }
    }
    out.closeObject()
    out.closeObject()
  })
  return 0
}

/** A group: an address of IPv4, IPv6 or the link layer. */
function readGroup(word: string): Uint8Array {
  const address = parseDottedQuad(word) ?? parseIpv6(word)
  if (address !== undefined) return address
  const lladdr = parseLlAddr(word)
  if (lladdr?.length === 6) return lladdr
  throw failure(`${lladdr === undefined ? invalidLlAddr(word) : ''}Invalid address "${word}"`)
}

function modify(
  ctx: BridgeContext,
  type: typeof RTM_NEWMDB | typeof RTM_DELMDB,
  flags: number,
  words: readonly string[],
): number {
  const a = new Args(words)
  let dev: string | undefined
  let port: string | undefined
  let group: string | undefined
  let source: string | undefined
  let state: MdbEntry['state'] = 'temp'
  let vid = 0
  for (; a.more; a.skip()) {
    if (a.is('dev')) dev = a.next()
    else if (a.is('grp')) group = a.next()
    else if (a.is('port')) port = a.next()
    else if (a.is('permanent')) state = 'permanent'
    else if (a.is('vid')) vid = atoi(a.next()) & 0xffff
    else if (a.is('src')) source = a.next()
    else if (!a.is('temp') && a.matches('help')) ctx.usage(MDB_USAGE)
  }
  if (dev === undefined || group === undefined || port === undefined) {
    throw failure('Device, group address and port name are required arguments.')
  }
  const message = mdbMessage(type, flags)
  message.ifindex = deviceIndex(ctx, dev)
  const entry: MdbEntry = { port: deviceIndex(ctx, port), state, group: readGroup(group), vid, flags: 0 }
  if (source !== undefined) {
    const address = parseDottedQuad(source) ?? parseIpv6(source)
    if (address === undefined) throw failure(`Invalid source address "${source}"`)
    entry.source = address
  }
  message.attrs.setEntry = entry
  request(ctx, message)
  return 0
}

export const run: BridgeObject = (ctx, args) => {
  const a = new Args(args)
  if (!a.more) return show(ctx, [])
  const rest = args.slice(1)
  if (a.matches('add')) return modify(ctx, RTM_NEWMDB, NLM_F_CREATE | NLM_F_EXCL, rest)
  if (a.matches('delete')) return modify(ctx, RTM_DELMDB, 0, rest)
  if (a.matches('show') || a.matches('lst') || a.matches('list')) return show(ctx, rest)
  if (a.matches('help')) ctx.usage(MDB_USAGE)
  return unknownCommand('mdb', a.word)
}
