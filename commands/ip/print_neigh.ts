/** Listing of neighbours: `ip neighbour show`, flushes, and `ip monitor neigh`. */
import {
  type NeighMessage,
  NTF_EXT_LEARNED,
  NTF_OFFLOADED,
  NTF_PROXY,
  NTF_ROUTER,
  NUD_DELAY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
} from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6 } from '../../src/uapi/socket.ts'
import { type InetPrefix, prefixContains } from '../lib/inet.ts'
import { llAddrN2a } from '../lib/lladdr.ts'
import type { Printer } from '../lib/printer.ts'
import type { IpContext } from './context.ts'

/** Bit of NDA_FLAGS_EXT: the kernel keeps the entry fresh by itself. */
export const NTF_EXT_MANAGED = 1

/** In a filter: entries without any state. */
export const NUD_FILTER_NONE = 0x100

/** What `ip neighbour show` and `flush` select. */
export interface NeighFilter {
  family: number
  /** 0 any */
  ifindex: number
  /** NUD_… wanted; 0 any */
  state: number
  unusedOnly: boolean
  prefix: InetPrefix | undefined
  /** 0 any, -1 none */
  master: number
  protocol: number
}

/** @returns a filter that selects everything */
export function neighFilter(family = 0): NeighFilter {
  return { family, ifindex: 0, state: 0, unusedOnly: false, prefix: undefined, master: 0, protocol: 0 }
}

const STATES: readonly (readonly [number, string])[] = [
  [NUD_INCOMPLETE, 'INCOMPLETE'],
  [NUD_REACHABLE, 'REACHABLE'],
  [NUD_STALE, 'STALE'],
  [NUD_DELAY, 'DELAY'],
  [NUD_PROBE, 'PROBE'],
  [NUD_FAILED, 'FAILED'],
  [NUD_NOARP, 'NOARP'],
  [NUD_PERMANENT, 'PERMANENT'],
]

/** @returns whether a filter selects a neighbour */
export function selectsNeighbour(filter: NeighFilter, message: NeighMessage): boolean {
  const { attrs, ndmFlags, state } = message
  if (filter.family !== 0 && filter.family !== message.family) return false
  if (filter.ifindex !== 0 && filter.ifindex !== message.ifindex) return false
  if (
    filter.state !== 0 &&
    (filter.state & state) === 0 &&
    (ndmFlags & (NTF_PROXY | NTF_EXT_LEARNED)) === 0 &&
    (state !== 0 || (filter.state & NUD_FILTER_NONE) === 0)
  ) {
    return false
  }
  if (filter.prefix !== undefined && !prefixContains(filter.prefix, attrs.dst)) return false
  if (filter.protocol !== 0 && filter.protocol !== (attrs.protocol ?? 0)) return false
  return !filter.unusedOnly || (attrs.cacheinfo?.refcnt ?? 0) === 0
}

function printAges(out: Printer, message: NeighMessage): void {
  const { cacheinfo, probes } = message.attrs
  if (cacheinfo !== undefined) {
    const seconds = (hundredths: number): number => Math.trunc(hundredths / 100)
    if (cacheinfo.refcnt !== 0) out.put('refcnt', cacheinfo.refcnt, ` ref ${cacheinfo.refcnt}`)
    out.put('used', seconds(cacheinfo.used), ` used ${seconds(cacheinfo.used)}`)
    out.put('confirmed', seconds(cacheinfo.confirmed), `/${seconds(cacheinfo.confirmed)}`)
    out.put('updated', seconds(cacheinfo.updated), `/${seconds(cacheinfo.updated)}`)
  }
  if (probes !== undefined) out.put('probes', probes, `probes ${probes} `)
}

function printState(out: Printer, state: number): void {
  if (state === 0) return
  let rest = state
  out.openArray('state')
  for (const [bit, name] of STATES) {
    if ((rest & bit) === 0) continue
    rest &= ~bit
    out.put(undefined, name, rest === 0 ? `${name} ` : `${name},`)
  }
  if (rest !== 0) out.put(undefined, rest.toString(16), `${rest.toString(16)} `)
  out.closeArray()
}

/** Prints one neighbour (RTM_NEWNEIGH, RTM_DELNEIGH, or RTM_GETNEIGH: a miss). */
export function printNeighbour(ctx: IpContext, out: Printer, message: NeighMessage, filter: NeighFilter): void {
  const { attrs, family, ndmFlags } = message
  const { brief } = ctx.opts
  out.openObject()
  if (message.type === RTM_DELNEIGH) out.put('deleted', true, 'Deleted ')
  else if (message.type === RTM_GETNEIGH) out.put('miss', null, 'miss ')
  if (attrs.dst !== undefined) {
    const dst = ctx.formatHost(family, attrs.dst)
    const color = family === AF_INET ? 'inet' : family === AF_INET6 ? 'inet6' : 'none'
    out.put('dst', dst, `${brief ? dst.padEnd(39) : dst} `, color)
  }
  if (filter.ifindex === 0 && message.ifindex !== 0) {
    const dev = ctx.links.indexToName(message.ifindex)
    if (!brief) out.text('dev ')
    out.put('dev', dev, `${brief ? dev.padEnd(16) : dev} `, 'ifname')
  }
  if (attrs.lladdr !== undefined) {
    const address = llAddrN2a(attrs.lladdr, ctx.links.indexToType(message.ifindex))
    if (!brief) out.text('lladdr ')
    out.put('lladdr', address, brief ? address : `${address} `, 'mac')
  }
  if (!brief) {
    if ((ndmFlags & NTF_ROUTER) !== 0) out.put('router', null, 'router ')
    if ((ndmFlags & NTF_PROXY) !== 0) out.put('proxy', null, 'proxy ')
    if (((attrs.extFlags ?? 0) & NTF_EXT_MANAGED) !== 0) out.put('managed', null, 'managed ')
    if ((ndmFlags & NTF_EXT_LEARNED) !== 0) out.put('extern_learn', null, 'extern_learn ')
    if ((ndmFlags & NTF_OFFLOADED) !== 0) out.put('offload', null, 'offload ')
    if (ctx.opts.stats > 0) printAges(out, message)
    printState(out, message.state)
    if (attrs.protocol !== undefined && attrs.protocol !== 0) {
      const protocol = ctx.names.rtProto.n2a(attrs.protocol)
      out.put('protocol', protocol, `proto ${protocol} `)
    }
  }
  out.text('\n')
  out.closeObject()
}
