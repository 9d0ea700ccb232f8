/** Sending neighbour discovery messages: solicitations and advertisements of neighbours and routers (RFC 4861). */

import { IFA_F_OPTIMISTIC, IFA_F_TENTATIVE } from '../../uapi/rtnetlink.ts'
import { IPPROTO_ICMPV6 } from '../../uapi/socket.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { addrAny, IN6ADDR_LINKLOCAL_ALLNODES, type In6Addr } from './addr.ts'
import { csumFold, csumPartial, csumPseudo } from './checksum.ts'
import { IPV6_DEVCONF_FORCE_TLLAO, IPV6_DEVCONF_FORWARDING, IPV6_DEVCONF_NDISC_TCLASS } from './devconf.ts'
import { in6Dev } from './if_inet6.ts'
import { ipv6GetIfaddr, ipv6GetLladdr } from './inet6_addr.ts'
import { IPV6_HLEN, OFF_SADDR, put16, putHeader } from './ip6.ts'
import { ip6SendControl } from './ip6_control.ts'
import {
  ND_OPT_NONCE,
  ND_OPT_SOURCE_LL_ADDR,
  ND_OPT_TARGET_LL_ADDR,
  NDISC_NEIGHBOUR_ADVERTISEMENT,
  NDISC_NEIGHBOUR_SOLICITATION,
  NDISC_ROUTER_SOLICITATION,
  optAddrSpace,
  putAddrOption,
} from './ndisc_msg.ts'
import { ipv6DevGetSaddr } from './saddr.ts'

/** Bits of an advertisement. */
const NA_ROUTER = 0x80
const NA_SOLICITED = 0x40
const NA_OVERRIDE = 0x20

/** Bytes of a solicitation or advertisement with its target. */
const TARGET_MSG_LEN = 24

/** @returns a packet with room for the header and `len` zero bytes of message, `transportHeader` at these */
export function ndiscAlloc(dev: NetDevice, len: number): SkBuff {
  const skb = dev.net.kernel.skbs.alloc(dev.llReserved + IPV6_HLEN + len)
  skb.reserve(dev.llReserved)
  skb.dev = dev
  skb.resetNetworkHeader()
  const at = skb.put(IPV6_HLEN + len)
  skb.buf.fill(0, at, skb.tail)
  skb.transportHeader = at + IPV6_HLEN
  return skb
}

/** Fills in header and checksum, and sends (ndisc_send_skb). */
export function ndiscSendSkb(skb: SkBuff, daddr: In6Addr, saddr: In6Addr): void {
  const idev = in6Dev(skb.dev!)
  const { buf, transportHeader: at } = skb
  if (idev === undefined) {
    skb.free('ndisc_send_skb')
    return
  }
  const len = skb.tail - at
  const flowinfo = (idev.cnf.data[IPV6_DEVCONF_NDISC_TCLASS]! & 0xff) << 20
  putHeader(buf, skb.networkHeader, flowinfo, len, IPPROTO_ICMPV6, 255, saddr, daddr)
  const sum = csumPseudo(buf, skb.networkHeader + OFF_SADDR, IPPROTO_ICMPV6, len)
  put16(buf, at + 2, csumFold(csumPartial(buf, at, len, sum)))
  ip6SendControl(skb, idev, daddr, buf[at]!)
}

/**
 * Sends a neighbour solicitation.
 * @param saddr :: for duplicate address detection; undefined for the device's link-local address
 * @param nonce 6 bytes that tell own solicitations apart (RFC 7527)
 */
export function ndiscSendNs(
  dev: NetDevice,
  target: In6Addr,
  daddr: In6Addr,
  saddr: In6Addr | undefined,
  nonce?: Uint8Array,
): void {
  const from = saddr ?? ipv6GetLladdr(dev, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)
  if (from === undefined) return
  const withLladdr = dev.addrLen > 0 && !addrAny(from)
  const optlen = (withLladdr ? optAddrSpace(dev) : 0) + (nonce === undefined ? 0 : 8)
  const skb = ndiscAlloc(dev, TARGET_MSG_LEN + optlen)
  const { buf, transportHeader: at } = skb
  buf[at] = NDISC_NEIGHBOUR_SOLICITATION
  buf.set(target, at + 8)
  let opt = at + TARGET_MSG_LEN
  if (withLladdr) {
    putAddrOption(buf, opt, ND_OPT_SOURCE_LL_ADDR, dev.devAddr, dev)
    opt += optAddrSpace(dev)
  }
  if (nonce !== undefined) {
    buf[opt] = ND_OPT_NONCE
    buf[opt + 1] = 1
    buf.set(nonce, opt + 2)
  }
  ndiscSendSkb(skb, daddr, from)
}

/** Sends a neighbour advertisement. @param incOpt with the link address */
export function ndiscSendNa(
  dev: NetDevice,
  daddr: In6Addr,
  target: In6Addr,
  router: boolean,
  solicited: boolean,
  override: boolean,
  incOpt: boolean,
): void {
  const ifp = ipv6GetIfaddr(dev.net, target, dev, true)
  let from = target
  let withLladdr = incOpt
  let over = override
  if (ifp !== undefined) {
    if ((ifp.flags & IFA_F_OPTIMISTIC) !== 0) over = false
    if (ifp.idev.cnf.data[IPV6_DEVCONF_FORCE_TLLAO] !== 0) withLladdr = true
  } else {
    // for a proxied or anycast address another must be the source
    from = new Uint8Array(16)
    if (ipv6DevGetSaddr(dev.net, dev, daddr, 0, from) < 0) return
  }
  if (dev.addrLen === 0) withLladdr = false
  const skb = ndiscAlloc(dev, TARGET_MSG_LEN + (withLladdr ? optAddrSpace(dev) : 0))
  const { buf, transportHeader: at } = skb
  buf[at] = NDISC_NEIGHBOUR_ADVERTISEMENT
  buf[at + 4] = (router ? NA_ROUTER : 0) | (solicited ? NA_SOLICITED : 0) | (over ? NA_OVERRIDE : 0)
  buf.set(target, at + 8)
  if (withLladdr) putAddrOption(buf, at + TARGET_MSG_LEN, ND_OPT_TARGET_LL_ADDR, dev.devAddr, dev)
  ndiscSendSkb(skb, daddr, from)
}

/** Tells all nodes of the device's addresses unasked (ndisc_send_unsol_na). */
export function ndiscSendUnsolNa(dev: NetDevice): void {
  const idev = in6Dev(dev)
  if (idev === undefined) return
  const router = idev.cnf.data[IPV6_DEVCONF_FORWARDING] !== 0
  for (const ifp of [...idev.addrs]) {
    if ((ifp.flags & IFA_F_TENTATIVE) !== 0 && (ifp.flags & IFA_F_OPTIMISTIC) === 0) continue
    ndiscSendNa(dev, IN6ADDR_LINKLOCAL_ALLNODES, ifp.addr, router, false, true, true)
  }
}

/** Sends a router solicitation. */
export function ndiscSendRs(dev: NetDevice, saddr: In6Addr, daddr: In6Addr): void {
  let withLladdr = dev.addrLen > 0
  // RFC 4429 §3.3: an optimistic address does not tell its link address
  const ifp = ipv6GetIfaddr(dev.net, saddr, dev, true)
  if (ifp !== undefined && (ifp.flags & IFA_F_OPTIMISTIC) !== 0) withLladdr = false
  const skb = ndiscAlloc(dev, 8 + (withLladdr ? optAddrSpace(dev) : 0))
  const { buf, transportHeader: at } = skb
  buf[at] = NDISC_ROUTER_SOLICITATION
  if (withLladdr) putAddrOption(buf, at + 8, ND_OPT_SOURCE_LL_ADDR, dev.devAddr, dev)
  ndiscSendSkb(skb, daddr, saddr)
}
