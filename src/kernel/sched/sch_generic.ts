/**
 * What all queueing disciplines share: which one a device gets when it first comes up, and that packets only enter it
 * while there is a carrier (kernel's sch_generic).
 */

import { IFF_NO_QUEUE, type NetDevice } from '../core/net_device.ts'
import { noopQdisc, noqueueQdisc, type Qdisc } from '../core/qdisc.ts'
import { coreGlobals } from '../core/sysctl_net_core.ts'
import type { Kernel } from '../kernel.ts'
import { PfifoFast } from './pfifo_fast.ts'

/** Makes the root qdisc of a kind for a device. */
export type QdiscFactory = (dev: NetDevice) => Qdisc

const FACTORIES = new WeakMap<Kernel, Map<string, QdiscFactory>>()

/** Registers a kind that net.core.default_qdisc may name (register_qdisc). */
export function registerDefaultQdisc(kernel: Kernel, kind: string, factory: QdiscFactory): void {
  let kinds = FACTORIES.get(kernel)
  if (kinds === undefined) {
    kinds = new Map()
    FACTORIES.set(kernel, kinds)
  }
  kinds.set(kind, factory)
}

function attachDefaultQdisc(dev: NetDevice): void {
  if ((dev.privFlags & IFF_NO_QUEUE) !== 0) {
    dev.qdisc = noqueueQdisc
    return
  }
  const { kernel } = dev.net
  const kind = coreGlobals(kernel).defaultQdisc
  const factory = FACTORIES.get(kernel)?.get(kind)
  dev.qdisc = factory === undefined ? new PfifoFast(dev, kind) : factory(dev)
}

/** Lets packets into the root qdisc, made first where there is none; without a carrier only that (dev_activate). */
export function devActivate(dev: NetDevice): void {
  if (dev.qdisc === noopQdisc) attachDefaultQdisc(dev)
  if (!dev.carrier) return
  dev.txq = dev.qdisc === noqueueQdisc ? null : dev.qdisc
}

/** From now on packets are dropped before the qdisc, and those in it are gone (dev_deactivate). */
export function devDeactivate(dev: NetDevice): void {
  if (dev.txq !== noopQdisc) dev.qdisc.reset()
  dev.txq = noopQdisc
}

/** Takes the qdiscs away for good: the device goes (dev_shutdown). */
export function devShutdown(dev: NetDevice): void {
  dev.qdisc.destroy?.()
  dev.ingressQdisc?.destroy?.()
  dev.qdisc = noopQdisc
  dev.txq = noopQdisc
  dev.ingressQdisc = undefined
}
