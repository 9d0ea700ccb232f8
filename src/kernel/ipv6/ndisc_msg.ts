/** Neighbour discovery messages (RFC 4861 §4): types, and the options behind them. */
import type { NetDevice } from '../core/net_device.ts'

export const NDISC_ROUTER_SOLICITATION = 133
export const NDISC_ROUTER_ADVERTISEMENT = 134
export const NDISC_NEIGHBOUR_SOLICITATION = 135
export const NDISC_NEIGHBOUR_ADVERTISEMENT = 136
export const NDISC_REDIRECT = 137

/** Option types. */
export const ND_OPT_SOURCE_LL_ADDR = 1
export const ND_OPT_TARGET_LL_ADDR = 2
export const ND_OPT_PREFIX_INFO = 3
export const ND_OPT_REDIRECT_HDR = 4
export const ND_OPT_MTU = 5
/** RFC 3971 §5.3.2, used by enhanced duplicate address detection */
export const ND_OPT_NONCE = 14
/** RFC 4191 §2.3 */
export const ND_OPT_ROUTE_INFO = 24

/** Where a message's options begin, as offsets in the packet's buffer; 0 where there is none. */
export interface NdOptions {
  srcLladdr: number
  tgtLladdr: number
  redirectHdr: number
  mtu: number
  nonce: number
  prefixes: number[]
  routes: number[]
}

/** @returns a message's options, undefined where they do not add up. @param end where the packet ends */
export function ndiscParseOptions(buf: Uint8Array, start: number, end: number): NdOptions | undefined {
  const options: NdOptions = { srcLladdr: 0, tgtLladdr: 0, redirectHdr: 0, mtu: 0, nonce: 0, prefixes: [], routes: [] }
  let at = start
  while (at < end) {
    if (at + 2 > end) return undefined
    const len = buf[at + 1]! << 3
    if (len === 0 || at + len > end) return undefined
    switch (buf[at]) {
      case ND_OPT_SOURCE_LL_ADDR:
        if (options.srcLladdr === 0) options.srcLladdr = at
        break
      case ND_OPT_TARGET_LL_ADDR:
        if (options.tgtLladdr === 0) options.tgtLladdr = at
        break
      case ND_OPT_REDIRECT_HDR:
        if (options.redirectHdr === 0) options.redirectHdr = at
        break
      case ND_OPT_MTU:
        if (options.mtu === 0) options.mtu = at
        break
      case ND_OPT_NONCE:
        if (options.nonce === 0) options.nonce = at
        break
      case ND_OPT_PREFIX_INFO:
        options.prefixes.push(at)
        break
      case ND_OPT_ROUTE_INFO:
        options.routes.push(at)
        break
    }
    at += len
  }
  return options
}

/** @returns bytes that a link address option takes, in whole eights */
export function optAddrSpace(dev: NetDevice): number {
  return (dev.addrLen + 2 + 7) & ~7
}

/** @returns the link address of an option, undefined where its length is not the device's */
export function optAddrData(buf: Uint8Array, at: number, dev: NetDevice): Uint8Array | undefined {
  if (buf[at + 1]! << 3 !== optAddrSpace(dev)) return undefined
  return buf.slice(at + 2, at + 2 + dev.addrLen)
}

/** Writes a link address option. */
export function putAddrOption(buf: Uint8Array, at: number, type: number, address: Uint8Array, dev: NetDevice): void {
  const space = optAddrSpace(dev)
  buf.fill(0, at, at + space)
  buf[at] = type
  buf[at + 1] = space >> 3
  buf.set(address.subarray(0, dev.addrLen), at + 2)
}
