/** Checking where packets say they come from: reverse path filtering (RFC 3704), local and invalid sources. */
import { Errno } from '../../uapi/errno.ts'
import { RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, RTN_LOCAL, RTN_UNICAST } from '../../uapi/rtnetlink.ts'
import { l3mdevMasterIfindex } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { inetLookupIfaddr, inetSelectAddr } from './devinet_select.ts'
import { FIB_LOOKUP_IGNORE_LINKSTATE, type FibInfo, FibResult } from './fib_info.ts'
import { fibLookup } from './fib_lookup.ts'
import { fibResultPrefsrc } from './fib_nh.ts'
import { fibInfoNhc, fibInfoNumPath } from './fib_semantics.ts'
import { type Fib, fibKey } from './fib_table.ts'
import { Flowi4 } from './flow.ts'
import { FlowKeys, flowDissect } from './flow_keys.ts'
import {
  type InDevice,
  inDevAcceptLocal,
  inDevGet,
  inDevRpFilter,
  inDevSrcVmark,
  inDevTxRedirects,
  ipv4IsZeronet,
} from './in_device.ts'
import { get32, IPTOS_RT_MASK, OFF_DADDR, OFF_SADDR, OFF_TOS } from './ip.ts'
import { RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST, type Rtable } from './rtable.ts'

/** Index of the loopback device in every namespace. */
const LOOPBACK_IFINDEX = 1

const ruleKeys = new FlowKeys()

/**
 * Puts protocol and ports of a packet into a flow where some rule looks at them (fib4_rules_early_flow_dissect).
 * @returns whether it did
 */
export function fibRulesEarlyFlowDissect(fib: Fib, skb: SkBuff, fl4: Flowi4): boolean {
  if (fib.rulesRequireFldissect === 0) return false
  flowDissect(skb, ruleKeys, false)
  fl4.proto = ruleKeys.proto
  fl4.sport = ruleKeys.sport
  fl4.dport = ruleKeys.dport
  return true
}

/** @returns whether a route has a next hop by a device, or by a port of it (fib_info_nh_uses_dev) */
function usesDev(fi: FibInfo, dev: NetDevice): boolean {
  for (let i = 0, n = fibInfoNumPath(fi); i < n; i++) {
    const nhDev = fibInfoNhc(fi, i).dev
    if (nhDev === dev || (nhDev !== undefined && l3mdevMasterIfindex(nhDev) === dev.ifindex)) return true
  }
  return false
}

const srcFlow = new Flowi4()
const srcRes = new FibResult()

/** Realms of the source, after a successful check: they go with the destination's */
export const validated = { itag: 0 }

function combineItag(fib: Fib, res: FibResult): void {
  if (fib.numTclassidUsers === 0) return
  const rtag = res.tclassid
  let itag = (res.nhc === undefined ? 0 : res.nhc.tclassid) << 16
  // the realm of a route to the source is the packet's source realm
  if (itag === 0) itag = rtag << 16
  itag |= rtag >>> 16
  validated.itag = itag >>> 0
}

/** @returns 1 where a lookup of a source ends at this host's own link */
function isNear(res: FibResult): number {
  return res.nhc!.scope >= RT_SCOPE_HOST ? 1 : 0
}

function fullCheck(
  net: Net,
  fib: Fib,
  skb: SkBuff,
  src: number,
  dst: number,
  tos: number,
  oif: number,
  dev: NetDevice,
  rpf: number,
  inDev: InDevice,
): number {
  const fl4 = srcFlow.clear()
  fl4.iif = l3mdevMasterIfindex(dev) || oif || LOOPBACK_IFINDEX
  fl4.daddr = src
  fl4.saddr = dst
  fl4.tos = tos
  fl4.scope = RT_SCOPE_UNIVERSE
  fl4.mark = inDevSrcVmark(inDev) ? skb.mark : 0
  if (fibRulesEarlyFlowDissect(fib, skb, fl4)) {
    const { sport } = fl4
    fl4.sport = fl4.dport
    fl4.dport = sport
  }
  const noAddr = inDev.ifaList.length === 0
  const res = srcRes
  res.clear()
  if (fibLookup(net, fl4, res, 0) !== 0) return rpf !== 0 ? -Errno.EXDEV : 0
  if (res.type !== RTN_UNICAST && (res.type !== RTN_LOCAL || !inDevAcceptLocal(inDev))) return -Errno.EINVAL
  combineItag(fib, res)
  if (usesDev(res.fi!, dev)) return isNear(res)
  if (noAddr) {
    validated.itag = 0
    return rpf !== 0 ? -Errno.EXDEV : 0
  }
  if (rpf === 1) return -Errno.EXDEV
  fl4.oif = dev.ifindex
  res.clear()
  if (fibLookup(net, fl4, res, FIB_LOOKUP_IGNORE_LINKSTATE) === 0 && res.type === RTN_UNICAST) return isNear(res)
  return 0
}

/**
 * Checks a packet's source (fib_validate_source).
 * @param dst 0 for broadcasts @param oif the device it will leave by, 0 for local delivery @param dev the one it came by
 * @returns 1 where the source is a neighbour on that device, 0 where it is fine, -EINVAL for an address of ours or a
 *   wrong kind, -EXDEV where the reverse path differs. `validated.itag` has the source's realms.
 */
export function fibValidateSource(
  skb: SkBuff,
  src: number,
  dst: number,
  tos: number,
  oif: number,
  dev: NetDevice,
  inDev: InDevice,
): number {
  const rpf = inDevRpFilter(inDev)
  const { net } = dev
  const fib = net.at(fibKey)
  validated.itag = 0
  if (rpf === 0 && fib.numTclassidUsers === 0 && (dev.ifindex !== oif || !inDevTxRedirects(inDev))) {
    if (inDevAcceptLocal(inDev)) return 0
    // local routes and rules made by hand can say otherwise than the list of addresses
    if (!fib.hasCustomLocalRoutes && !fib.hasCustomRules)
      return inetLookupIfaddr(net, src) !== undefined ? -Errno.EINVAL : 0
  }
  return fullCheck(net, fib, skb, src, dst, tos, oif, dev, rpf, inDev)
}

/** @returns the address of ours that an answer to a received packet should come from (fib_compute_spec_dst) */
export function fibComputeSpecDst(skb: SkBuff): number {
  const dev = skb.dev!
  const { net } = dev
  const { buf, networkHeader: at } = skb
  const rt = skb.dst as Rtable
  const daddr = get32(buf, at + OFF_DADDR)
  if ((rt.rtFlags & (RTCF_BROADCAST | RTCF_MULTICAST | RTCF_LOCAL)) === (RTCF_LOCAL | 0)) return daddr
  const saddr = get32(buf, at + OFF_SADDR)
  let scope: number = RT_SCOPE_UNIVERSE
  if (ipv4IsZeronet(saddr)) scope = RT_SCOPE_LINK
  else {
    const inDev = inDevGet(dev)
    const fl4 = srcFlow.clear()
    fl4.iif = LOOPBACK_IFINDEX
    fl4.oif = l3mdevMasterIfindex(dev)
    fl4.daddr = saddr
    fl4.tos = buf[at + OFF_TOS]! & IPTOS_RT_MASK
    fl4.scope = scope
    fl4.mark = inDev !== undefined && inDevSrcVmark(inDev) ? skb.mark : 0
    srcRes.clear()
    if (fibLookup(net, fl4, srcRes, 0) === 0) return fibResultPrefsrc(net, srcRes)
  }
  return inetSelectAddr(dev, saddr, scope)
}
