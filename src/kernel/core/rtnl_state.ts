/** What rtnetlink's link code keeps per kernel: the link kinds and the address families that have a say in links. */
import type { LinkInfo, SlaveKinds } from '../../uapi/if_link.ts'
import type { LinkAttrs } from '../../uapi/rtnetlink.ts'
import type { Kernel } from '../kernel.ts'
import type { NetDevice, RtnlLinkOps } from './net_device.ts'
import type { NetlinkExtAck } from './rtnetlink.ts'

/** IFLA_AF_SPEC: one part per family. */
export type AfSpec = NonNullable<LinkAttrs['afSpec']>

/** What an address family adds to links (`rtnl_af_ops`): each looks only at its own part of IFLA_AF_SPEC. */
export interface RtnlAfOps {
  readonly family: number
  /** Adds the family's part to an answer; nothing where the device has no such protocol. */
  fillLinkAf(dev: NetDevice, spec: AfSpec, extMask: number): void
  /** Checks a request before anything is changed. */
  validateLinkAf?(dev: NetDevice, spec: AfSpec, extack: NetlinkExtAck): number
  /** Applies it. */
  setLinkAf?(dev: NetDevice, spec: AfSpec, extack: NetlinkExtAck): number
}

/** The registries of one kernel. */
export class RtnlLinkState {
  readonly kinds = new Map<string, RtnlLinkOps>()
  readonly afOps: RtnlAfOps[] = []
}

const STATES = new WeakMap<Kernel, RtnlLinkState>()

/** @returns a kernel's registries */
export function rtnlState(kernel: Kernel): RtnlLinkState {
  let state = STATES.get(kernel)
  if (state === undefined) {
    state = new RtnlLinkState()
    STATES.set(kernel, state)
  }
  return state
}

/** Registers a link type (rtnl_link_register). */
export function registerLinkOps(kernel: Kernel, ops: RtnlLinkOps): void {
  rtnlState(kernel).kinds.set(ops.kind, ops)
}

/** Registers an address family's part of links (rtnl_af_register). */
export function registerRtnlAf(kernel: Kernel, ops: RtnlAfOps): void {
  rtnlState(kernel).afOps.push(ops)
}

/**
 * @returns what a message wants changed of a port of a master of `kind`: tools name the kind `KIND_slave` as the link's
 * own, notifications name it as the port's
 */
export function slaveChangeData<K extends keyof SlaveKinds>(
  info: LinkInfo | undefined,
  kind: K,
): SlaveKinds[K] | undefined {
  if (info?.slaveKind !== kind && info?.kind !== `${kind}_slave`) return undefined
  return info.slaveData as SlaveKinds[K] | undefined
}
