/** Where netfilter sees IPv6 packets (NF_HOOK). */
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'

export const NF_INET_PRE_ROUTING = 0
export const NF_INET_LOCAL_IN = 1
export const NF_INET_FORWARD = 2
export const NF_INET_LOCAL_OUT = 3
export const NF_INET_POST_ROUTING = 4

/** Shows a packet to netfilter at a hook and, if it may pass, goes on. */
export function nfHook6(
  _hook: number,
  _net: Net,
  skb: SkBuff,
  _indev: NetDevice | null,
  _outdev: NetDevice | null,
  okfn: (skb: SkBuff) => number,
): number {
  return okfn(skb)
}
