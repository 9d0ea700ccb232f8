/**
 * /sys/class/net: a directory for each device with its attributes, see Documentation/ABI/testing/sysfs-class-net.
 * Link types add their own files and directories through `registerNetSysfs`.
 */
import type { Kernel } from '../kernel.ts'
import { type KernfsDir, type KernfsLink, type KernfsNode, kernfsText } from './kernfs.ts'
import type { NetDevice } from './net_device.ts'
import type { Net } from './net_namespace.ts'
import { netProcfsInit } from './net_procfs.ts'
import { netDeviceAttributes } from './net_sysfs_attrs.ts'
import { queuesDir } from './net_sysfs_queues.ts'
import { statisticsDir } from './net_sysfs_stats.ts'

/** What a link type adds to a device's directory; an empty list where the device is not its own. */
export type SysfsProvider = (dev: NetDevice) => readonly (readonly [string, KernfsNode])[]

/** Files of the class itself beside the devices, such as bonding_masters. */
export type ClassFile = (net: Net) => KernfsNode

class SysfsState {
  readonly providers: SysfsProvider[] = []
  readonly classFiles = new Map<string, ClassFile>()
  readonly dirs = new WeakMap<NetDevice, KernfsDir>()
}

const STATES = new WeakMap<Kernel, SysfsState>()

function stateOf(kernel: Kernel): SysfsState {
  let state = STATES.get(kernel)
  if (state === undefined) {
    state = new SysfsState()
    STATES.set(kernel, state)
  }
  return state
}

/** Adds a link type's files to the directories of devices. */
export function registerNetSysfs(kernel: Kernel, provider: SysfsProvider): void {
  stateOf(kernel).providers.push(provider)
}

/** Adds a file to the class directory of every namespace. */
export function registerNetClassFile(kernel: Kernel, name: string, file: ClassFile): void {
  stateOf(kernel).classFiles.set(name, file)
}

/** A sysfs directory whose entries a function gives each time it is looked at. */
export function sysfsDir(entries: () => Iterable<readonly [string, KernfsNode]>): KernfsDir {
  return {
    kind: 'dir',
    mode: 0o755,
    list: () => [...entries()].map(([name]) => name),
    lookup(name) {
      for (const [key, node] of entries()) if (key === name) return node
      return undefined
    },
  }
}

function link(target: string): KernfsLink {
  return { kind: 'link', target }
}

/** Power management of a device that has none. */
function powerDir(): KernfsDir {
  let control = 'auto'
  const file = (text: string): KernfsNode => kernfsText(() => `${text}\n`)
  const nodes: [string, KernfsNode][] = [
    ['async', { kind: 'file', mode: 0o644, read: () => 'disabled\n', write: text => text.length }],
    ['autosuspend_delay_ms', { kind: 'file', mode: 0o644, read: () => -5, write: () => -5 }],
    [
      'control',
      {
        kind: 'file',
        mode: 0o644,
        read: () => `${control}\n`,
        write(text) {
          const word = text.trim()
          if (word !== 'auto' && word !== 'on') return -22
          control = word
          return text.length
        },
      },
    ],
    ['runtime_active_kids', file('0')],
    ['runtime_active_time', file('0')],
    ['runtime_enabled', file('disabled')],
    ['runtime_status', file('unsupported')],
    ['runtime_suspended_time', file('0')],
    ['runtime_usage', file('0')],
  ]
  return sysfsDir(() => nodes)
}

function deviceDir(kernel: Kernel, dev: NetDevice): KernfsDir {
  const fixed: (readonly [string, KernfsNode])[] = [
    ...netDeviceAttributes(dev),
    ['power', powerDir()],
    ['queues', queuesDir(dev)],
    ['statistics', statisticsDir(dev)],
  ]
  const pci = dev.parentDevBusName !== undefined
  fixed.push(['subsystem', link(pci ? '../../../../../class/net' : '../../../../class/net')])
  if (pci) fixed.push(['device', link(`../../../${dev.parentDevName}`)])
  const { providers } = stateOf(kernel)
  return sysfsDir(() => {
    const entries = [...fixed]
    for (const provider of providers) entries.push(...provider(dev))
    if (dev.master !== undefined) entries.push(['master', link(`../${dev.master.name}`)])
    for (const upper of dev.upper) entries.push([`upper_${upper.name}`, link(`../${upper.name}`)])
    for (const lower of dev.lower) entries.push([`lower_${lower.name}`, link(`../${lower.name}`)])
    return entries
  })
}

/** Registers this subsystem with a kernel. */
export function netSysfsInit(kernel: Kernel): void {
  netProcfsInit(kernel)
  const state = stateOf(kernel)
  const dirOf = (dev: NetDevice): KernfsDir => {
    let dir = state.dirs.get(dev)
    if (dir === undefined) {
      dir = deviceDir(kernel, dev)
      state.dirs.set(dev, dir)
    }
    return dir
  }
  kernel.sysClassNet = net => ({
    kind: 'dir',
    mode: 0o755,
    list: () => [...[...net.devices.values()].map(dev => dev.name), ...state.classFiles.keys()],
    lookup(name) {
      const dev = net.devicesByName.get(name)
      if (dev !== undefined && dev.name === name) return dirOf(dev)
      return state.classFiles.get(name)?.(net)
    },
  })
}
