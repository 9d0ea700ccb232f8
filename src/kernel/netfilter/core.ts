/**
 * Netfilter's hooks: where packets of a protocol family can be looked at, changed, dropped or taken (`NF_HOOK`,
 * `nf_hook_ops`). A hook nobody has registered for costs one test of an array's length.
 */
import { Errno } from '../../uapi/errno.ts'
import type { NetDevice } from '../core/net_device.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import type { Kernel } from '../kernel.ts'

/** Protocol families (NFPROTO_…). */
export const NFPROTO_INET = 1
export const NFPROTO_IPV4 = 2
export const NFPROTO_ARP = 3
export const NFPROTO_NETDEV = 5
export const NFPROTO_BRIDGE = 7
export const NFPROTO_IPV6 = 10
const NFPROTO_NUMPROTO = 11

/** Hooks of IPv4, IPv6 and bridges. */
export const NF_INET_PRE_ROUTING = 0
export const NF_INET_LOCAL_IN = 1
export const NF_INET_FORWARD = 2
export const NF_INET_LOCAL_OUT = 3
export const NF_INET_POST_ROUTING = 4
/** Hooks of ARP. */
export const NF_ARP_IN = 0
export const NF_ARP_OUT = 1
export const NF_ARP_FORWARD = 2
const NF_MAX_HOOKS = 6

/** What a hook function decides. */
export const NF_DROP = 0
export const NF_ACCEPT = 1
/** it has taken the packet over */
export const NF_STOLEN = 2
export const NF_QUEUE = 3
export const NF_REPEAT = 4

/** What comes after the hooks. */
export type NfOkfn = (skb: SkBuff) => number

/** Where a packet is (`nf_hook_state`); one object per hook, filled in for each packet. */
export class NfHookState {
  pf = 0
  hook = 0
  net!: Net
  in: NetDevice | null = null
  out: NetDevice | null = null
  okfn!: NfOkfn
  /** where a hook that drops leaves the error that the sender is to get, negative; 0: the usual one */
  error = 0
}

/** A registration (`nf_hook_ops`). */
export interface NfHookOps {
  readonly pf: number
  readonly hook: number
  /** lower ones first */
  readonly priority: number
  /** @returns NF_… */
  fn(skb: SkBuff, state: NfHookState): number
}

/** The hooks of a namespace, by family and hook. */
export class NetnsNf {
  readonly hooks: NfHookOps[][][] = Array.from({ length: NFPROTO_NUMPROTO }, () =>
    Array.from({ length: NF_MAX_HOOKS }, () => []),
  )
  /** IPv4's, at hand */
  readonly ipv4: NfHookOps[][] = this.hooks[NFPROTO_IPV4]!
}

/** Names a namespace's hooks. */
export const nfKey = pernetKey<NetnsNf>('nf')

/** Gives every namespace its hooks; before any protocol's init. */
export function netfilterInit(kernel: Kernel): void {
  kernel.registerPernet({ init: net => net.set(nfKey, new NetnsNf()) })
}

/** Registers a hook function (nf_register_net_hook); among equal priorities the newest goes first. */
export function nfRegisterNetHook(net: Net, ops: NfHookOps): void {
  const list = net.at(nfKey).hooks[ops.pf]![ops.hook]!
  const at = list.findIndex(other => other.priority >= ops.priority)
  list.splice(at < 0 ? list.length : at, 0, ops)
}

/** Takes it out. */
export function nfUnregisterNetHook(net: Net, ops: NfHookOps): void {
  const list = net.at(nfKey).hooks[ops.pf]![ops.hook]!
  const at = list.indexOf(ops)
  if (at >= 0) list.splice(at, 1)
}

/**
 * Shows a packet to the hook functions and, if all accept it, goes on (NF_HOOK).
 * @returns what `okfn` returns, 0 where the packet was taken, -EPERM (or the hook's error) where it was dropped
 */
export function nfHook(
  pf: number,
  hook: number,
  net: Net,
  skb: SkBuff,
  indev: NetDevice | null,
  outdev: NetDevice | null,
  okfn: NfOkfn,
): number {
  const list = net.at(nfKey).hooks[pf]![hook]!
  return list.length === 0 ? okfn(skb) : nfHookSlow(list, pf, hook, net, skb, indev, outdev, okfn, 0)
}

/**
 * IPv4's functions at a hook. The packet path tests their number itself and calls what comes next directly, which costs
 * less than going through `nfHook`: `list.length === 0 ? next(skb) : nfHook4(list, …, next)`.
 */
export function nfHooks4(net: Net, hook: number): readonly NfHookOps[] {
  return net.at(nfKey).ipv4[hook]!
}

/** Runs IPv4's functions at a hook, as `nfHooks4` gave them. */
export function nfHook4(
  list: readonly NfHookOps[],
  hook: number,
  net: Net,
  skb: SkBuff,
  indev: NetDevice | null,
  outdev: NetDevice | null,
  okfn: NfOkfn,
): number {
  return nfHookSlow(list, NFPROTO_IPV4, hook, net, skb, indev, outdev, okfn, 0)
}

/** Runs the functions from `from` on (nf_hook_slow); a queue handler goes on here. */
export function nfHookSlow(
  list: readonly NfHookOps[],
  pf: number,
  hook: number,
  net: Net,
  skb: SkBuff,
  indev: NetDevice | null,
  outdev: NetDevice | null,
  okfn: NfOkfn,
  from: number,
): number {
  const state = new NfHookState()
  state.pf = pf
  state.hook = hook
  state.net = net
  state.in = indev
  state.out = outdev
  state.okfn = okfn
  for (let i = from; i < list.length; i++) {
    const verdict = list[i]!.fn(skb, state)
    if (verdict === NF_ACCEPT) continue
    if (verdict === NF_REPEAT) {
      i--
      continue
    }
    if (verdict === NF_DROP) {
      skb.free('nf_hook_slow', 'NETFILTER_DROP')
      return state.error !== 0 ? state.error : -Errno.EPERM
    }
    return 0
  }
  return okfn(skb)
}
