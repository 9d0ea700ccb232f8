/** Flow labels (RFC 6437): chosen by the kernel from a hash of the flow. */
import type { Net } from '../core/net_namespace.ts'
import { addrHash } from './addr.ts'
import type { Flowi6 } from './flowi6.ts'
import { fib6Key } from './ip6_fib.ts'
import { ipv6Key } from './netns_ipv6.ts'

/** Marks labels that no state was negotiated for, see net.ipv6.flowlabel_state_ranges. */
const STATELESS = 0x80000

/** Values of net.ipv6.auto_flowlabels. */
export const AUTO_FLOW_LABEL_OFF = 0
export const AUTO_FLOW_LABEL_OPTOUT = 1
export const AUTO_FLOW_LABEL_OPTIN = 2
export const AUTO_FLOW_LABEL_FORCED = 3

/** @returns whether a socket that has not said otherwise labels its packets (ip6_default_np_autolabel) */
export function defaultAutolabel(net: Net): boolean {
  const mode = net.at(ipv6Key).autoFlowlabels
  return mode === AUTO_FLOW_LABEL_OPTOUT || mode === AUTO_FLOW_LABEL_FORCED
}

/**
 * @param wanted whether the socket wants labels @returns a label for a flow, 0 for none (ip6_make_flowlabel)
 */
export function ip6AutoFlowlabel(net: Net, fl6: Flowi6, wanted: boolean = defaultAutolabel(net)): number {
  const ns = net.at(ipv6Key)
  if (ns.autoFlowlabels === AUTO_FLOW_LABEL_OFF) return 0
  if (!wanted && ns.autoFlowlabels !== AUTO_FLOW_LABEL_FORCED) return 0
  let hash = net.at(fib6Key).hashSeed ^ addrHash(fl6.saddr) ^ Math.imul(addrHash(fl6.daddr), 0x85ebca6b)
  hash = Math.imul(hash ^ fl6.proto, 0x9e3779b1) ^ Math.imul((fl6.sport << 16) ^ fl6.dport, 0xc2b2ae35)
  hash = (hash ^ (hash >>> 15)) >>> 0
  const label = ((hash << 16) | (hash >>> 16)) & 0xfffff
  return (label === 0 ? 1 : label) | (ns.flowlabelStateRanges !== 0 ? STATELESS : 0)
}
