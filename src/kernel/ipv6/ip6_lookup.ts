/** Route and source address of an own packet, chosen together (ip6_dst_lookup). */
import { Errno } from '../../uapi/errno.ts'
import { IFF_LOOPBACK, IFF_NOARP } from '../../uapi/if.ts'
import { IFA_F_OPTIMISTIC } from '../../uapi/rtnetlink.ts'
import { NUD_VALID, neighConfirm } from '../core/neighbour.ts'
import type { Net } from '../core/net_namespace.ts'
import { addrAny, addrMulticast, addrV4Mapped, type In6Addr } from './addr.ts'
import { Flowi6, RT6_LOOKUP_F_IFACE } from './flowi6.ts'
import { ipv6GetIfaddr } from './inet6_addr.ts'
import { ndTblLookup } from './ndisc.ts'
import { ip6RouteOutput } from './route.ts'
import type { Rt6Info } from './rt6_info.ts'
import { ip6RouteGetSaddr } from './saddr.ts'
import { IPSTATS_MIB_OUTNOROUTES, ip6Inc } from './snmp.ts'

/** What a socket wishes of a lookup. */
export interface LookupWishes {
  /** index of the device it is bound to, 0 for none */
  readonly boundIf: number
  /** IPV6_PREFER_SRC_… */
  readonly srcprefs: number
}

/**
 * Finds a route for a flow and, where it has none, a source address, which is put into `fl6`.
 * @returns a dst without error, or a negative error
 */
export function ip6DstLookup(net: Net, sk: LookupWishes | undefined, fl6: Flowi6): Rt6Info | number {
  const boundIf = sk?.boundIf ?? 0
  let flags = 0
  let dst: Rt6Info | undefined
  if (addrAny(fl6.saddr)) {
    dst = ip6RouteOutput(net, boundIf, fl6)
    const from = dst.error === 0 ? dst.from : undefined
    const err = ip6RouteGetSaddr(net, from, fl6.daddr, sk?.srcprefs ?? 0, fl6.saddr)
    if (err < 0) return failed(net, err)
    // a route that needs the source may exist where none was found without it
    if (dst.error !== 0) dst = undefined
    if (fl6.oif !== 0) flags |= RT6_LOOKUP_F_IFACE
  }
  dst ??= ip6RouteOutput(net, boundIf, fl6, flags)
  if (dst.error !== 0) return failed(net, dst.error)
  const redirected = optimisticRedirect(net, boundIf, dst, fl6)
  if (redirected !== undefined) {
    if (redirected.error !== 0) return failed(net, redirected.error)
    dst = redirected
  }
  if (addrV4Mapped(fl6.saddr) && !addrV4Mapped(fl6.daddr) && !addrAny(fl6.daddr))
    return failed(net, -Errno.EAFNOSUPPORT)
  return dst
}

function failed(net: Net, err: number): number {
  if (err === -Errno.ENETUNREACH) ip6Inc(net, undefined, IPSTATS_MIB_OUTNOROUTES)
  return err
}

const gwFl6 = new Flowi6()

/** An optimistic source must not solicit neighbours: packets to unknown ones go by the router (RFC 4429 §3.2). */
function optimisticRedirect(net: Net, boundIf: number, dst: Rt6Info, fl6: Flowi6): Rt6Info | undefined {
  const neigh = ndTblLookup(dst.dev, dst.nexthop(fl6.daddr))
  if (neigh === undefined || (neigh.nudState & NUD_VALID) !== 0) return undefined
  const ifp = ipv6GetIfaddr(net, fl6.saddr, dst.dev, true)
  if (ifp === undefined || (ifp.flags & IFA_F_OPTIMISTIC) === 0) return undefined
  const gw = gwFl6.clear()
  gw.oif = fl6.oif
  gw.mark = fl6.mark
  gw.saddr.set(fl6.saddr)
  return ip6RouteOutput(net, boundIf, gw)
}

/** A transport or program knows that a route's next hop answers (ip6_confirm_neigh). */
export function ip6ConfirmNeigh(dst: Rt6Info, daddr: In6Addr): void {
  const { dev } = dst
  const addr = dst.nexthop(daddr)
  if ((dev.flags & (IFF_NOARP | IFF_LOOPBACK)) !== 0 || addrMulticast(addr)) return
  const neigh = ndTblLookup(dev, addr)
  if (neigh !== undefined) neighConfirm(neigh)
}
