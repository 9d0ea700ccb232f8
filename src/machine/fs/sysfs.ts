/** sysfs: devices and the kernel's objects. The network's part comes from the kernel, for the namespace that it was mounted in. */
import { type KernfsDir, KernfsTable, kernfsText } from '../../kernel/core/kernfs.ts'
import type { Net } from '../../kernel/core/net_namespace.ts'
import { Errno } from '../../uapi/errno.ts'
import { S_IFDIR } from '../../uapi/fs.ts'
import type { Machine } from '../machine.ts'
import type { Task } from '../task.ts'
import type { FileSystem, Inode } from './inode.ts'
import { type ViewDir, ViewInode, type ViewNode, type ViewPolicy } from './kernfs_inode.ts'
import { MODULES } from './proc_files.ts'

const SYSFS_POLICY: ViewPolicy = {
  fileSize: 4096,
  strictModes: true,
  changeErrno: Errno.EPERM,
  createErrno: Errno.EPERM,
  createFileErrno: Errno.EACCES,
}

/** Classes of devices that the reference machine has beside `net`; none of their devices matter to a network lab. */
const CLASSES = [
  ...['backlight', 'bdi', 'block', 'bsg', 'devcoredump', 'devfreq', 'devlink', 'dma', 'dmi', 'firmware', 'gpio'],
  ...['graphics', 'hwmon', 'i2c-adapter', 'input', 'intel_scu_ipc', 'iommu', 'leds', 'mem', 'misc', 'pci_bus', 'phy'],
  ...['power_supply', 'powercap', 'pps', 'ptp', 'pwm', 'regulator', 'rtc', 'spi_master', 'spidev', 'thermal', 'tpm'],
  ...['tpmrm', 'tty', 'vc', 'vtconsole', 'wakeup'],
]

/** Files of the cgroup2 root directory. */
const CGROUP_FILES: readonly (readonly [string, number])[] = [
  ['cgroup.controllers', 0o444],
  ['cgroup.max.depth', 0o644],
  ['cgroup.max.descendants', 0o644],
  ['cgroup.pressure', 0o644],
  ['cgroup.stat', 0o444],
  ['cgroup.subtree_control', 0o644],
  ['cgroup.threads', 0o644],
  ['cpu.pressure', 0o644],
  ['cpu.stat', 0o444],
  ['cpuset.cpus.effective', 0o444],
  ['cpuset.mems.effective', 0o444],
  ['io.cost.model', 0o644],
  ['io.cost.qos', 0o644],
  ['io.pressure', 0o644],
  ['io.stat', 0o444],
  ['memory.numa_stat', 0o444],
  ['memory.pressure', 0o644],
  ['memory.reclaim', 0o200],
  ['memory.stat', 0o444],
  ['misc.capacity', 0o444],
]

/** Where a network device's directory is, without the name: its bus, or `virtual`. */
function deviceHome(net: Net, name: string): string {
  const dev = net.devByName(name)
  return dev?.parentDevBusName === 'pci' ? `pci0000:00/${dev.parentDevName}/net` : 'virtual/net'
}

/** A directory that is made anew for each reader. */
function viewDir(
  list: (task: Task) => Iterable<string>,
  lookup: (name: string, task: Task) => ViewNode | undefined,
): ViewDir {
  return { kind: 'dir', mode: 0o755, list, lookup }
}

function netNames(net: Net, machine: Machine, home?: string): string[] {
  const names = [...machine.kernel.sysClassNet(net).list()]
  return home === undefined ? names : names.filter(name => deviceHome(net, name) === home)
}

/** /sys/class/net: links to the devices, and whatever else the kernel puts there (bonding_masters). */
function classNet(machine: Machine, net: Net): ViewDir {
  return viewDir(
    () => netNames(net, machine),
    name => {
      const node = machine.kernel.sysClassNet(net).lookup(name)
      if (node?.kind !== 'dir') return node
      return { kind: 'link', target: `../../devices/${deviceHome(net, name)}/${name}` }
    },
  )
}

/** The directory `net` of a bus device, or of all devices without one. */
function deviceNet(machine: Machine, net: Net, home: string): ViewDir {
  return viewDir(
    () => netNames(net, machine, home).filter(name => isDir(machine.kernel.sysClassNet(net), name)),
    name => (deviceHome(net, name) === home ? machine.kernel.sysClassNet(net).lookup(name) : undefined),
  )
}

function isDir(dir: KernfsDir, name: string): boolean {
  return dir.lookup(name)?.kind === 'dir'
}

/** A tree of directories given as a map; a function makes a node on each look. */
type Tree = ReadonlyMap<string, ViewNode | (() => ViewNode)>

function treeDir(tree: Tree): ViewDir {
  return viewDir(
    () => tree.keys(),
    name => {
      const node = tree.get(name)
      return typeof node === 'function' ? node() : node
    },
  )
}

const empty = (): ViewDir => treeDir(new Map())

/** /sys/devices/pci0000:00: bus devices that carry network devices, with their `net` directories. */
function pciRoot(machine: Machine, net: Net): ViewDir {
  const addresses = (): string[] =>
    [...net.devices.values()]
      .filter(dev => dev.parentDevBusName === 'pci' && dev.parentDevName !== undefined)
      .map(dev => dev.parentDevName!)
  return viewDir(addresses, name => {
    const dev = [...net.devices.values()].find(
      candidate => candidate.parentDevBusName === 'pci' && candidate.parentDevName === name,
    )
    if (dev === undefined) return undefined
    return treeDir(
      new Map<string, ViewNode>([
        ['class', kernfsText(() => '0x020000\n')],
        ['device', kernfsText(() => '0x10d3\n')],
        ['net', deviceNet(machine, net, `pci0000:00/${name}/net`)],
        ['numa_node', kernfsText(() => '-1\n')],
        ['vendor', kernfsText(() => '0x8086\n')],
      ]),
    )
  })
}

function rootTree(machine: Machine, net: Net): ViewDir {
  const online = machine.cpus === 1 ? '0' : `0-${machine.cpus - 1}`
  const cpu = new Map<string, ViewNode>([
    ['online', kernfsText(() => `${online}\n`)],
    ['possible', kernfsText(() => `${online}\n`)],
    ['present', kernfsText(() => `${online}\n`)],
  ])
  for (let n = 0; n < machine.cpus; n++) cpu.set(`cpu${n}`, empty())
  return treeDir(
    new Map<string, ViewNode>([
      ['block', empty()],
      ['bus', treeDir(new Map([['pci', empty()]]))],
      [
        'class',
        treeDir(
          new Map<string, ViewNode>([
            ...CLASSES.map((name): [string, ViewNode] => [name, empty()]),
            ['net', classNet(machine, net)],
          ]),
        ),
      ],
      [
        'dev',
        treeDir(
          new Map([
            ['block', empty()],
            ['char', empty()],
          ]),
        ),
      ],
      [
        'devices',
        treeDir(
          new Map<string, ViewNode>([
            ['pci0000:00', pciRoot(machine, net)],
            ['system', treeDir(new Map([['cpu', treeDir(cpu)]]))],
            ['virtual', treeDir(new Map([['net', deviceNet(machine, net, 'virtual/net')]]))],
          ]),
        ),
      ],
      ['firmware', empty()],
      [
        'fs',
        treeDir(
          new Map([
            ['bpf', empty()],
            ['cgroup', emptyDir()],
            ['pstore', empty()],
          ]),
        ),
      ],
      ['hypervisor', empty()],
      [
        'kernel',
        treeDir(
          new Map([
            ['debug', empty()],
            ['mm', empty()],
            ['security', empty()],
            ['tracing', empty()],
          ]),
        ),
      ],
      ['module', moduleDir()],
      ['power', empty()],
    ]),
  )
}

function emptyDir(): ViewDir {
  return { kind: 'dir', mode: 0o555, list: () => [], lookup: () => undefined }
}

/** /sys/module: a directory for each loaded module. */
function moduleDir(): ViewDir {
  return treeDir(new Map(MODULES.map((line): [string, ViewNode] => [line.split(' ', 1)[0]!, empty()])))
}

/** The two upper levels never change; their inodes are kept, since mounts are found by the inode they cover. */
class SysInode extends ViewInode {
  private readonly kept = new Map<string, Inode>()
  private readonly level: number

  constructor(fs: FileSystem, node: ViewNode, ino: number, policy: ViewPolicy, level: number) {
    super(fs, node, ino, policy)
    this.level = level
  }

  protected override child(node: ViewNode, name: string): Inode {
    let inode = this.kept.get(name)
    if (inode === undefined) {
      const ino = this.childIno(name)
      inode =
        this.level < 2
          ? new SysInode(this.fs, node, ino, this.policy, this.level + 1)
          : new ViewInode(this.fs, node, ino, this.policy)
      if (this.level < 2) this.kept.set(name, inode)
    }
    return inode
  }
}

/** @returns the root inode of the sysfs that shows a namespace */
export function sysfsRoot(machine: Machine, dev: number, net: Net): Inode {
  const fs: FileSystem = { type: 'sysfs', dev, now: () => machine.kernel.realtime }
  const root = new SysInode(fs, rootTree(machine, net), 1, SYSFS_POLICY, 0)
  root.mode = S_IFDIR | 0o555
  return root
}

/** @returns the root inode of the cgroup2 hierarchy: one group that holds every process */
export function cgroupRoot(machine: Machine, dev: number): Inode {
  const fs: FileSystem = { type: 'cgroup2', dev, now: () => machine.kernel.realtime }
  const table = new KernfsTable(true, 0o555)
  for (const [name, mode] of CGROUP_FILES)
    table.set(name, { kind: 'file', mode, ...(mode === 0o200 ? {} : { read: () => '' }) })
  table.set('cgroup.procs', {
    kind: 'file',
    mode: 0o644,
    read: () =>
      machine.processes
        .all()
        .map(task => `${task.pid}\n`)
        .join(''),
    write: text => (machine.processes.get(Number(text)) === undefined ? -Errno.ESRCH : text.length),
  })
  table.set(
    'cpuset.cpus.effective',
    kernfsText(() => (machine.cpus === 1 ? '0\n' : `0-${machine.cpus - 1}\n`)),
  )
  table.set(
    'cpuset.mems.effective',
    kernfsText(() => '0\n'),
  )
  return new ViewInode(fs, table, 1, { ...SYSFS_POLICY, fileSize: 0 })
}
