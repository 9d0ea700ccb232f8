/** Where netfilter sees IPv6 packets (NF_HOOK). */
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { NFPROTO_IPV6, type NfOkfn, nfHook } from '../netfilter/core.ts'

export {
  NF_INET_FORWARD,
  NF_INET_LOCAL_IN,
  NF_INET_LOCAL_OUT,
  NF_INET_POST_ROUTING,
  NF_INET_PRE_ROUTING,
} from '../netfilter/core.ts'

/** Shows a packet to netfilter at a hook and, if it may pass, goes on. */
export function nfHook6(
  hook: number,
  net: Net,
  skb: SkBuff,
  indev: NetDevice | null,
  outdev: NetDevice | null,
  okfn: NfOkfn,
): number {
  return nfHook(NFPROTO_IPV6, hook, net, skb, indev, outdev, okfn)
}
