/**
 * The registry of congestion controls: which are built in, which are modules that load when first asked for, and which
 * may be chosen without privilege (tcp_cong.c of the reference kernel). Their algorithms come with TCP.
 */

import type { Net } from '../core/net_namespace.ts'
import type { Kernel } from '../kernel.ts'

/** Modules of the reference machine, and whether they carry TCP_CONG_NON_RESTRICTED. */
const MODULES: ReadonlyMap<string, boolean> = new Map([
  ['bbr', true],
  ['bic', false],
  ['cdg', false],
  ['dctcp', true],
  ['highspeed', false],
  ['htcp', false],
  ['hybla', false],
  ['illinois', false],
  ['lp', false],
  ['nv', false],
  ['scalable', false],
  ['vegas', false],
  ['veno', false],
  ['westwood', false],
  ['yeah', false],
])

/** The congestion controls of one kernel. */
export class CongestionControls {
  private readonly loaded: string[] = ['reno', 'cubic']
  /** those that need no privilege (tcp_allowed_congestion_control), in the order they were allowed */
  allowed: string[] = ['reno', 'cubic']

  /** @returns all that can be used now, as tcp_available_congestion_control lists them */
  available(): readonly string[] {
    return this.loaded
  }

  /** Loads a module of this name. @returns whether the control exists now */
  request(name: string): boolean {
    if (this.loaded.includes(name)) return true
    const unrestricted = MODULES.get(name)
    if (unrestricted === undefined) return false
    this.loaded.push(name)
    if (unrestricted) this.allowed.push(name)
    return true
  }
}

const CONTROLS = new WeakMap<Kernel, CongestionControls>()

/** @returns a kernel's registry */
export function congestionControls(kernel: Kernel): CongestionControls {
  let controls = CONTROLS.get(kernel)
  if (controls === undefined) {
    controls = new CongestionControls()
    CONTROLS.set(kernel, controls)
  }
  return controls
}

/** @returns whether a route may name this congestion control; a module is loaded for it (tcp_ca_get_key_by_name) */
export function tcpCongestionKnown(net: Net, name: string): boolean {
  return congestionControls(net.kernel).request(name)
}
