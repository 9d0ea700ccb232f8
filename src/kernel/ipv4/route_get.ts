/** `ip route get`: what a packet would be routed like (RTM_GETROUTE), and listing what was learned about destinations. */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IP } from '../../uapi/if.ts'
import {
  type RouteMessage,
  RT_SCOPE_UNIVERSE,
  RTM_F_CLONED,
  RTM_F_FIB_MATCH,
  RTM_F_LOOKUP_TABLE,
  RTM_F_NOTIFY,
  RTM_NEWROUTE,
  RTNH_F_DEAD,
  RTPROT_UNSPEC,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_INET, AF_INET6, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/socket.ts'
import { NSEC_PER_SEC, USER_HZ } from '../core/clock.ts'
import type { RtnlContext } from '../core/rtnetlink.ts'
import type { SkBuff } from '../core/skbuff.ts'
import type { Kernel } from '../kernel.ts'
import { FibAlias } from './fib_alias.ts'
import { fibDumpInfo, RT_TABLE_COMPAT } from './fib_dump.ts'
import { FIB_PROPS, type FibInfo, FibResult } from './fib_info.ts'
import { RTAX_MTU } from './fib_metrics.ts'
import { fibInfoNhc, fibInfoNumPath } from './fib_semantics.ts'
import { Flowi4 } from './flow.ts'
import { addrFromBytes, addrToBytes } from './inet_addr.ts'
import { IP_HLEN, IPSKB_DOREDIRECT, IPTOS_RT_MASK, OFF_DADDR, OFF_PROTOCOL, OFF_SADDR, put16, put32 } from './ip.ts'
import { ipRouteInputRes } from './route_input.ts'
import { ipRouteOutputKeyRes } from './route_output.ts'
import { RTCF_DOREDIRECT, RTCF_NOTIFY, type Rtable, rtStateKey } from './rtable.ts'

/** No user: packets that come in belong to nobody. */
const INVALID_UID = 0xffffffff
const INT_MAX = 0x7fffffff

/**
 * @param src the source asked for, 0 for none @param fl4 the flow; undefined when listing
 * @returns a route as netlink shows it (rt_fill_info)
 */
function fillInfo(
  rt: Rtable,
  dst: number,
  src: number,
  tableId: number,
  tos: number,
  fl4: Flowi4 | undefined,
  skb: SkBuff | undefined,
  flags: number,
): RouteMessage {
  const { net } = rt
  let rtmFlags = (rt.rtFlags & ~0xffff) | RTM_F_CLONED
  if ((rt.rtFlags & RTCF_NOTIFY) !== 0) rtmFlags |= RTM_F_NOTIFY
  if (skb !== undefined && (skb.cbFlags & IPSKB_DOREDIRECT) !== 0) rtmFlags |= RTCF_DOREDIRECT
  const msg: RouteMessage = {
    type: RTM_NEWROUTE,
    flags,
    family: AF_INET,
    dstLen: 32,
    srcLen: src !== 0 ? 32 : 0,
    tos,
    table: tableId < 256 ? tableId : RT_TABLE_COMPAT,
    protocol: RTPROT_UNSPEC,
    scope: RT_SCOPE_UNIVERSE,
    rtType: rt.type,
    rtmFlags: rtmFlags >>> 0,
    attrs: { table: tableId, dst: addrToBytes(dst) },
  }
  const { attrs } = msg
  if (src !== 0) attrs.src = addrToBytes(src)
  attrs.oif = rt.dev.ifindex
  if (rt.tclassid !== 0) attrs.flow = rt.tclassid >>> 0
  if (fl4 !== undefined && !rt.isInput && fl4.saddr !== src) attrs.prefsrc = addrToBytes(fl4.saddr)
  if (rt.usesGateway) {
    if (rt.gateway6 !== undefined) attrs.via = { family: AF_INET6, addr: rt.gateway6.slice() }
    else attrs.gateway = addrToBytes(rt.gateway)
  }
  const left = rt.expires === 0 ? 0 : Math.max(0, rt.expires - net.kernel.clock.now)
  const metrics = rt.metrics.toNetlink() ?? {}
  if (left > 0) {
    if (rt.pmtu !== 0) metrics.mtu = rt.pmtu
    if (rt.mtuLocked) metrics.lock = (metrics.lock ?? 0) | (1 << RTAX_MTU)
  }
  if (Object.keys(metrics).length > 0) attrs.metrics = metrics
  if (fl4 !== undefined) {
    if (fl4.mark !== 0) attrs.mark = fl4.mark
    if (fl4.uid !== INVALID_UID) attrs.uid = fl4.uid
    if (rt.isInput) attrs.iif = fl4.iif
  }
  attrs.cacheinfo = {
    clntref: 0,
    lastuse: 0,
    expires: Math.min(Math.floor((left * USER_HZ) / NSEC_PER_SEC), INT_MAX),
    error: -rt.error,
    used: 0,
    id: 0,
    ts: 0,
    tsage: 0,
  }
  return msg
}

/** Lists what was learned of destinations behind a route (fib_dump_info_fnhe). */
export function dumpExceptions(tableId: number, fi: FibInfo, flags: number, out: RtMessage[]): void {
  const { kernel } = fi.net
  const genid = fi.net.at(rtStateKey).fnheGenid
  for (let i = 0, n = fibInfoNumPath(fi); i < n; i++) {
    const nhc = fibInfoNhc(fi, i)
    if ((nhc.flags & RTNH_F_DEAD) !== 0 || nhc.exceptions === undefined) continue
    for (const fnhe of nhc.exceptions.values()) {
      if (fnhe.genid !== genid || (fnhe.expires !== 0 && kernel.clock.now > fnhe.expires)) continue
      const rt = fnhe.rthInput ?? fnhe.rthOutput
      if (rt !== undefined) out.push(fillInfo(rt, fnhe.daddr, 0, tableId, 0, undefined, undefined, flags))
    }
  }
}

/** @returns a packet as the flow's would be, for what looks at packets (inet_rtm_getroute_build_skb) */
function buildSkb(kernel: Kernel, fl4: Flowi4): SkBuff {
  const skb = kernel.skbs.alloc(IP_HLEN + 20)
  skb.resetMacHeader()
  skb.resetNetworkHeader()
  skb.protocol = ETH_P_IP
  skb.mark = fl4.mark
  const { buf } = skb
  const at = skb.put(IP_HLEN + 20)
  buf.fill(0, at, skb.tail)
  buf[at] = 0x45
  buf[at + OFF_PROTOCOL] = fl4.proto
  put32(buf, at + OFF_SADDR, fl4.saddr)
  put32(buf, at + OFF_DADDR, fl4.daddr)
  skb.transportHeader = at + IP_HLEN
  if (fl4.proto === IPPROTO_ICMP) buf[at + IP_HLEN] = 8
  else {
    put16(buf, at + IP_HLEN, fl4.sport)
    put16(buf, at + IP_HLEN + 2, fl4.dport)
  }
  return skb
}

/** Checks a request's header as strictly as the kernel does where user space asks for it (inet_rtm_valid_getroute_req). */
function checkRequest(ctx: RtnlContext, msg: RouteMessage): number {
  const { extack } = ctx
  const { attrs } = msg
  const badLen = (len: number): boolean => len !== 0 && len !== 32
  if (
    badLen(msg.srcLen) ||
    badLen(msg.dstLen) ||
    msg.table !== 0 ||
    msg.protocol !== 0 ||
    msg.scope !== 0 ||
    msg.rtType !== 0
  )
    return extack.fail(-Errno.EINVAL, 'ipv4: Invalid values in header for route get request')
  if ((msg.rtmFlags & ~(RTM_F_NOTIFY | RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH)) !== 0)
    return extack.fail(-Errno.EINVAL, 'ipv4: Unsupported rtm_flags for route get request')
  if ((attrs.src !== undefined && msg.srcLen === 0) || (attrs.dst !== undefined && msg.dstLen === 0))
    return extack.fail(-Errno.EINVAL, 'ipv4: rtm_src_len and rtm_dst_len must be 32 for IPv4')
  const proto = attrs.ipProto
  if (proto !== undefined && proto !== IPPROTO_TCP && proto !== IPPROTO_UDP && proto !== IPPROTO_ICMP)
    return extack.fail(-Errno.EOPNOTSUPP, 'Unsupported ip proto')
  return 0
}

/** RTM_GETROUTE of one destination (inet_rtm_getroute). */
export function inetRtmGetroute(ctx: RtnlContext, message: RtMessage): RtMessage[] | number {
  const msg = message as RouteMessage
  const rc = checkRequest(ctx, msg)
  if (rc < 0) return rc
  const { net } = ctx
  const { attrs } = msg
  const iif = attrs.iif ?? 0
  const src = addrFromBytes(attrs.src)
  const dst = addrFromBytes(attrs.dst)
  const fl4 = new Flowi4()
  fl4.daddr = dst
  fl4.saddr = src
  fl4.tos = msg.tos & IPTOS_RT_MASK
  fl4.oif = attrs.oif ?? 0
  fl4.mark = attrs.mark ?? 0
  fl4.uid = attrs.uid ?? (iif !== 0 ? INVALID_UID : ctx.cred.uid)
  fl4.proto = attrs.ipProto ?? IPPROTO_UDP
  fl4.sport = attrs.sport ?? 0
  fl4.dport = attrs.dport ?? 0
  const dev = iif === 0 ? net.loopback : net.devByIndex(iif)
  if (dev === undefined) return -Errno.ENODEV
  const res = new FibResult()
  const skb = buildSkb(net.kernel, fl4)
  skb.dev = dev
  const answer = route(ctx, msg, fl4, res, skb, iif, dst, src)
  skb.consume()
  return answer
}

function route(
  ctx: RtnlContext,
  msg: RouteMessage,
  fl4: Flowi4,
  res: FibResult,
  skb: SkBuff,
  iif: number,
  dst: number,
  src: number,
): RtMessage[] | number {
  let rt: Rtable
  if (iif !== 0) {
    fl4.iif = iif
    const err = ipRouteInputRes(skb, dst, src, fl4.tos, skb.dev!, res)
    if (err < 0) return err
    rt = skb.dst as Rtable
    if (rt.error !== 0) return rt.error
  } else {
    fl4.iif = 1
    const found = ipRouteOutputKeyRes(ctx.net, fl4, res, skb)
    if (typeof found === 'number') return found
    rt = found
  }
  if ((msg.rtmFlags & RTM_F_NOTIFY) !== 0) rt.rtFlags |= RTCF_NOTIFY
  const lookedUp = (msg.rtmFlags & RTM_F_LOOKUP_TABLE) !== 0
  const tableId = lookedUp ? (res.table?.id ?? 0) : 0
  if ((msg.rtmFlags & RTM_F_FIB_MATCH) === 0) return [fillInfo(rt, dst, src, tableId, res.tos, fl4, skb, 0)]
  if (res.fi === undefined) return FIB_PROPS[res.type]!.error || -Errno.EHOSTUNREACH
  const alias = new FibAlias(res.fi, 32 - res.prefixlen, res.tos, rt.type, tableId)
  return [fibDumpInfo(RTM_NEWROUTE, res.prefix, alias, tableId, 0)]
}
