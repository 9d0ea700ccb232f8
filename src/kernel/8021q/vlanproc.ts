/** /proc/net/vlan: the list of VLAN devices, and a file of counters and priority maps for each. */

import { devGetStats } from '../core/dev_config.ts'
import { type KernfsDir, type KernfsNode, kernfsText } from '../core/kernfs.ts'
import { registerPernetLate } from '../core/module.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { procSetNet } from '../core/procfs.ts'
import type { Kernel } from '../kernel.ts'
import { isVlanDev, VLAN_FLAG_REORDER_HDR, vlanPriv } from './vlan.ts'

function vlanDevices(net: Net): NetDevice[] {
  return [...net.devices.values()].filter(isVlanDev)
}

function config(net: Net): string {
  let text = 'VLAN Dev name\t | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n'
  for (const dev of vlanDevices(net)) {
    const vlan = vlanPriv(dev)
    text += `${dev.name.padEnd(15)}| ${vlan.id}  | ${vlan.realDev.name}\n`
  }
  return text
}

function counter(name: string, value: number): string {
  return `${name.padStart(30)} ${String(value).padStart(12)}\n`
}

function deviceFile(dev: NetDevice): string {
  const vlan = vlanPriv(dev)
  const stats = devGetStats(dev)
  const reorder = (vlan.flags & VLAN_FLAG_REORDER_HDR) !== 0 ? 1 : 0
  const p = vlan.ingress
  let text = `${dev.name}  VID: ${vlan.id}\t REORDER_HDR: ${reorder}  dev->priv_flags: ${(dev.privFlags >>> 0).toString(16)}\n`
  text += counter('total frames received', stats.rxPackets)
  text += counter('total bytes received', stats.rxBytes)
  text += counter('Broadcast/Multicast Rcvd', stats.multicast)
  text += '\n'
  text += counter('total frames transmitted', stats.txPackets)
  text += counter('total bytes transmitted', stats.txBytes)
  text += `Device: ${vlan.realDev.name}\n`
  text += `INGRESS priority mappings: 0:${p[0]}  1:${p[1]}  2:${p[2]}  3:${p[3]}  4:${p[4]}  5:${p[5]}  6:${p[6]} 7:${p[7]}\n`
  text += ' EGRESS priority mappings: '
  for (const row of vlan.egress) for (const { priority, qos } of row) text += `${priority}:${qos} `
  return `${text}\n`
}

function vlanDir(net: Net): KernfsDir {
  return {
    kind: 'dir',
    mode: 0o555,
    list: () => [...vlanDevices(net).map(dev => dev.name), 'config'],
    lookup(name): KernfsNode | undefined {
      if (name === 'config') return kernfsText(() => config(net), 0o600)
      const dev = net.devByName(name)
      return dev !== undefined && isVlanDev(dev) ? kernfsText(() => deviceFile(dev), 0o600) : undefined
    },
  }
}

/** Registers the directory in every namespace. */
export function vlanProcInit(kernel: Kernel): void {
  registerPernetLate(kernel, { init: net => procSetNet(net, 'vlan', vlanDir(net)) })
}
