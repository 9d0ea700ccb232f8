/** Redirects (RFC 4861 §8): routers send them to hosts that could reach a destination directly; hosts follow them. */
import { IFA_F_TENTATIVE, NUD_STALE, RTNH_F_DEAD } from '../../uapi/rtnetlink.ts'
import { NSEC_PER_SEC } from '../core/clock.ts'
import type { DropReason } from '../core/dropreason.ts'
import {
  NEIGH_UPDATE_F_ISROUTER,
  NEIGH_UPDATE_F_OVERRIDE,
  NEIGH_UPDATE_F_OVERRIDE_ISROUTER,
  NEIGH_UPDATE_F_WEAK_OVERRIDE,
  NUD_VALID,
  neighConfirm,
  neighUpdate,
} from '../core/neighbour.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import {
  addrEqual,
  addrLinkLocal,
  addrLinkLocalAt,
  addrMulticast,
  addrType,
  type In6Addr,
  IPV6_ADDR_LINKLOCAL,
  IPV6_ADDR_UNICAST,
} from './addr.ts'
import { IPV6_DEVCONF_ACCEPT_REDIRECTS, IPV6_DEVCONF_FORWARDING } from './devconf.ts'
import { fib6RuleLookup } from './fib6_rules.ts'
import { fib6Backtrack, fib6NodeLookup } from './fib6_trie.ts'
import { Flowi6, RT6_LOOKUP_F_HAS_SADDR } from './flowi6.ts'
import { icmpv6Notify } from './icmp.ts'
import { in6Dev } from './if_inet6.ts'
import { ipv6GetLladdr } from './inet6_addr.ts'
import { peerOf } from './inetpeer6.ts'
import { flowinfoAt, IPV6_HLEN, IPV6_MIN_MTU, OFF_DADDR, OFF_SADDR } from './ip6.ts'
import { type Fib6Info, type Fib6Nh, type Fib6Table, hasExpired, RTF_GATEWAY, RTF_REJECT } from './ip6_fib.ts'
import { ndTblLookup, ndTblResolve } from './ndisc.ts'
import {
  ND_OPT_REDIRECT_HDR,
  ND_OPT_TARGET_LL_ADDR,
  NDISC_REDIRECT,
  ndiscParseOptions,
  optAddrData,
  optAddrSpace,
  putAddrOption,
} from './ndisc_msg.ts'
import { ndiscAlloc, ndiscSendSkb } from './ndisc_send.ts'
import { nexthopLegs } from './nexthop6.ts'
import { dstOf, ip6RouteOutput, rt6Redirected, rt6SpecialKey } from './route.ts'
import type { Rt6Info } from './rt6_info.ts'

/** Bytes of a redirect before its options. */
const REDIRECT_LEN = 40

/** A redirect has come in (ndisc_redirect_rcv). */
export function ndiscRedirectRcv(skb: SkBuff): DropReason | undefined {
  const { buf, networkHeader: nh, transportHeader: at, tail } = skb
  if (!addrLinkLocalAt(buf, nh + OFF_SADDR)) return 'NOT_SPECIFIED'
  if (tail - at < REDIRECT_LEN) return 'PKT_TOO_SMALL'
  const options = ndiscParseOptions(buf, at + REDIRECT_LEN, tail)
  if (options === undefined) return 'NOT_SPECIFIED'
  const dev = skb.dev!
  if (options.redirectHdr === 0) {
    // without the packet that caused it, only the destination is known
    redirectTo(skb, dev, buf.slice(at + 24, at + 40), buf.slice(nh + OFF_DADDR, nh + OFF_DADDR + 16), 0)
    return undefined
  }
  skb.data = options.redirectHdr + 8
  return icmpv6Notify(skb, NDISC_REDIRECT, 0, 0)
}

/** The packet a redirect tells of was ours: `skb.data` stands at its header (ip6_redirect). */
export function ip6Redirect(skb: SkBuff): void {
  const { buf, data } = skb
  if (skb.len < IPV6_HLEN) return
  const daddr = buf.slice(data + OFF_DADDR, data + OFF_DADDR + 16)
  const saddr = buf.slice(data + OFF_SADDR, data + OFF_SADDR + 16)
  redirectTo(skb, skb.dev!, daddr, saddr, flowinfoAt(buf, data))
}

const redirectFl6 = new Flowi6()

function redirectTo(skb: SkBuff, dev: NetDevice, daddr: In6Addr, saddr: In6Addr, flowlabel: number): void {
  const { net } = dev
  const fl6 = redirectFl6.clear()
  fl6.iif = net.loopback.ifindex
  fl6.oif = dev.ifindex
  fl6.daddr.set(daddr)
  fl6.saddr.set(saddr)
  fl6.flowlabel = flowlabel
  const at = skb.networkHeader + OFF_SADDR
  const router = skb.buf.slice(at, at + 16)
  const rt = fib6RuleLookup(net, fl6, undefined, RT6_LOOKUP_F_HAS_SADDR, (_, table) => routeBy(net, table, fl6, router))
  accept(skb, dev, rt)
}

/** Finds the route of a flow whose gateway is the router that redirects (__ip6_route_redirect). */
function routeBy(net: Net, table: Fib6Table, fl6: Flowi6, router: In6Addr): Rt6Info {
  const { nullEntry } = net.at(rt6SpecialKey)
  const { now } = net.kernel.clock
  let node = fib6NodeLookup(table.root, fl6.daddr, fl6.saddr)
  for (; node !== undefined; node = fib6Backtrack(node, fl6.saddr))
    for (let rt = node.leaf; rt !== undefined; rt = rt.next) {
      if (hasExpired(rt, now)) continue
      if ((rt.flags & RTF_REJECT) !== 0) return nullEntry
      const legs = rt.nhObject === undefined ? [rt.nh!] : nexthopLegs(rt.nhObject)
      for (const nh of legs) {
        const found = viaRouter(net, rt, nh, fl6, router)
        if (found !== undefined) return found
      }
    }
  return nullEntry
}

function viaRouter(net: Net, rt: Fib6Info, nh: Fib6Nh, fl6: Flowi6, router: In6Addr): Rt6Info | undefined {
  if ((nh.flags & RTNH_F_DEAD) !== 0 || nh.gw === undefined || nh.dev.ifindex !== fl6.oif) return undefined
  if (addrEqual(nh.gw, router)) return dstOf(net, rt, nh)
  // it may have been redirected before
  const cached = nh.exceptions?.find(fl6.daddr, rt.srcLen > 0 ? fl6.saddr : undefined)
  return cached?.gateway !== undefined && addrEqual(cached.gateway, router) ? cached : undefined
}

/** Checks a redirect and follows it (rt6_do_redirect). */
function accept(skb: SkBuff, dev: NetDevice, rt: Rt6Info): void {
  const { buf, transportHeader: at, tail } = skb
  const target = buf.slice(at + 8, at + 24)
  const dest = buf.slice(at + 24, at + 40)
  if (addrMulticast(dest)) return
  const onLink = addrEqual(dest, target)
  if (!onLink && (addrType(target) & 0xffff) !== (IPV6_ADDR_UNICAST | IPV6_ADDR_LINKLOCAL)) return
  const idev = in6Dev(dev)
  if (idev === undefined) return
  const { data } = idev.cnf
  if (data[IPV6_DEVCONF_FORWARDING] !== 0 || data[IPV6_DEVCONF_ACCEPT_REDIRECTS] === 0) return
  const options = ndiscParseOptions(buf, at + REDIRECT_LEN, tail)
  if (options === undefined) return
  let lladdr: Uint8Array | undefined
  if (options.tgtLladdr !== 0) {
    lladdr = optAddrData(buf, options.tgtLladdr, dev)
    if (lladdr === undefined) return
  }
  if (rt.error !== 0 || (rt.rtFlags & RTF_REJECT) !== 0) return
  // the router has just had a packet from us: it is reachable
  const router = rt.gateway === undefined ? undefined : ndTblLookup(rt.dev, rt.gateway)
  if (router !== undefined) neighConfirm(router)
  const neigh = ndTblResolve(dev, target)
  if (neigh === undefined) return
  neighUpdate(
    neigh,
    lladdr,
    NUD_STALE,
    NEIGH_UPDATE_F_WEAK_OVERRIDE |
      NEIGH_UPDATE_F_OVERRIDE |
      (onLink ? 0 : NEIGH_UPDATE_F_OVERRIDE_ISROUTER | NEIGH_UPDATE_F_ISROUTER),
  )
  rt6Redirected(rt, dest, target, onLink)
}

const sendFl6 = new Flowi6()

/** Tells the sender of a packet of a better way (ndisc_send_redirect). @param target where it should go instead */
export function ndiscSendRedirect(skb: SkBuff, target: In6Addr): void {
  const dev = skb.dev!
  const { net } = dev
  const { buf, networkHeader: nh } = skb
  const from = ipv6GetLladdr(dev, IFA_F_TENTATIVE)
  if (from === undefined) return
  const daddr = buf.slice(nh + OFF_DADDR, nh + OFF_DADDR + 16)
  const sender = buf.slice(nh + OFF_SADDR, nh + OFF_SADDR + 16)
  if (!addrEqual(daddr, target) && !addrLinkLocal(target)) return
  const fl6 = sendFl6.clear()
  fl6.proto = 58
  fl6.daddr.set(sender)
  fl6.saddr.set(from)
  fl6.oif = dev.ifindex
  const back = ip6RouteOutput(net, 0, fl6)
  if (back.error !== 0 || (back.rtFlags & RTF_GATEWAY) !== 0) return
  if (!peerOf(net, sender).allow(NSEC_PER_SEC)) return
  let lladdr: Uint8Array | undefined
  if (dev.addrLen > 0) {
    const neigh = ndTblResolve(dev, target)
    if (neigh === undefined) return
    if ((neigh.nudState & NUD_VALID) !== 0) lladdr = neigh.ha
  }
  const space = lladdr === undefined ? 0 : optAddrSpace(dev)
  const quoted = Math.min(IPV6_MIN_MTU - IPV6_HLEN - REDIRECT_LEN - space, skb.len + 8) & ~7
  const out = ndiscAlloc(dev, REDIRECT_LEN + space + quoted)
  const at = out.transportHeader
  out.buf[at] = NDISC_REDIRECT
  out.buf.set(target, at + 8)
  out.buf.set(daddr, at + 24)
  if (lladdr !== undefined) putAddrOption(out.buf, at + REDIRECT_LEN, ND_OPT_TARGET_LL_ADDR, lladdr, dev)
  if (quoted > 0) {
    const opt = at + REDIRECT_LEN + space
    out.buf[opt] = ND_OPT_REDIRECT_HDR
    out.buf[opt + 1] = quoted >> 3
    out.buf.set(buf.subarray(skb.data, skb.data + quoted - 8), opt + 8)
  }
  ndiscSendSkb(out, sender, from)
}
