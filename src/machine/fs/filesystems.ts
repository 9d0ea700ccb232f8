/** The kinds of file systems that mount(2) knows, and the options each takes. */
import type { Net } from '../../kernel/core/net_namespace.ts'
import { NumberPool } from '../../kernel/core/number_pool.ts'
import { Errno, SysError } from '../../uapi/errno.ts'
import type { Machine } from '../machine.ts'
import type { Task } from '../task.ts'
import { SuperBlock } from './superblock.ts'
import { cgroupRoot, sysfsRoot } from './sysfs.ts'
import { Tmpfs } from './tmpfs.ts'

/** Memory of the reference machine, kB: what a size in per cent is of. */
const TOTAL_RAM = 1_423_712
const PAGE = 4096
/** The first device number of file systems that are mounted after boot. */
const FIRST_DEV = 34
const DEVTMPFS_OPTIONS = ['size=711856k', 'nr_inodes=177964', 'mode=755', 'inode64']
const UNITS: Readonly<Record<string, number>> = { k: 1 << 10, m: 1 << 20, g: 1 << 30 }

/** Makes a file system, or finds the one that there is. @param options words of mount(8)'s -o that are the kind's own */
type MakeFs = (machine: Machine, task: Task, options: readonly string[]) => SuperBlock

function invalid(): never {
  throw new SysError(Errno.EINVAL)
}

/** Kinds that take no option that matters here. */
function plain(make: (machine: Machine, task: Task) => SuperBlock, known: RegExp = /^$/): MakeFs {
  return (machine, task, options) => {
    if (options.some(option => !known.test(option))) invalid()
    return make(machine, task)
  }
}

/** Kinds whose contents nobody has modelled: empty, and only some can be written to. */
function memory(type: string, mode: number): MakeFs {
  return (machine, _task, options) => {
    if (options.some(option => !/^(?:mode|uid|gid)=[0-7]+$/.test(option))) invalid()
    const { filesystems } = machine
    const dev = filesystems.allocateDev()
    return new SuperBlock(new Tmpfs(dev, () => machine.kernel.realtime, mode, type).root, {
      release: () => filesystems.freeDev(dev),
    })
  }
}

/** @returns options of a tmpfs as it shows them, and what they mean. EINVAL */
function tmpfsOptions(options: readonly string[]): { shown: string[]; mode: number; uid: number; gid: number } {
  let size: number | undefined
  let inodes: number | undefined
  let mode: number | undefined
  let uid = 0
  let gid = 0
  let bits = 'inode64'
  for (const option of options) {
    const [key, value] = option.split('=', 2) as [string, string | undefined]
    const amount = /^(\d+)([kmg%])?$/i.exec(value ?? '')
    switch (key) {
      case 'size':
      case 'nr_blocks': {
        if (amount === null) invalid()
        const unit = amount[2]?.toLowerCase()
        const number = Number(amount[1])
        const bytes = unit === '%' ? Math.floor((TOTAL_RAM * 1024 * number) / 100) : number * (UNITS[unit ?? ''] ?? 1)
        size = Math.ceil((key === 'size' ? bytes : bytes * PAGE) / PAGE) * PAGE
        break
      }
      case 'nr_inodes':
        if (amount === null || amount[2] === '%') invalid()
        inodes = Number(amount[1]) * (UNITS[amount[2]?.toLowerCase() ?? ''] ?? 1)
        break
      case 'mode':
        if (!/^[0-7]+$/.test(value ?? '')) invalid()
        mode = Number.parseInt(value!, 8) & 0o7777
        break
      case 'uid':
      case 'gid':
        if (!/^\d+$/.test(value ?? '')) invalid()
        if (key === 'uid') uid = Number(value)
        else gid = Number(value)
        break
      case 'inode32':
      case 'inode64':
        bits = key
        break
      case 'huge':
        if (!/^(?:never|always|within_size|advise)$/.test(value ?? '')) invalid()
        break
      case 'mpol':
        break
      default:
        invalid()
    }
  }
  const shown = [
    ...(size === undefined || size === 0 ? [] : [`size=${size / 1024}k`]),
    ...(inodes === undefined ? [] : [`nr_inodes=${inodes}`]),
    ...(mode === undefined || mode === 0o1777 ? [] : [`mode=${mode.toString(8).padStart(3, '0')}`]),
    ...(uid === 0 ? [] : [`uid=${uid}`]),
    ...(gid === 0 ? [] : [`gid=${gid}`]),
    bits,
  ]
  return { shown, mode: mode ?? 0o1777, uid, gid }
}

const KINDS: ReadonlyMap<string, MakeFs> = new Map<string, MakeFs>([
  [
    'tmpfs',
    (machine, _task, options) => {
      const { shown, mode, uid, gid } = tmpfsOptions(options)
      const { filesystems } = machine
      const dev = filesystems.allocateDev()
      const { root } = new Tmpfs(dev, () => machine.kernel.realtime, mode)
      root.uid = uid
      root.gid = gid
      return new SuperBlock(root, { options: shown, release: () => filesystems.freeDev(dev) })
    },
  ],
  ['sysfs', plain((machine, task) => machine.filesystems.sysfs(task.net))],
  ['proc', plain(machine => machine.filesystems.proc, /^(?:hidepid|gid|subset)=\w+$/)],
  ['devtmpfs', plain(machine => machine.filesystems.dev, /^(?:size|nr_inodes|mode)=\w+$/)],
  ['cgroup2', plain(machine => machine.filesystems.cgroup, /^(?:nsdelegate|memory_\w+)$/)],
  ['debugfs', memory('debugfs', 0o700)],
  ['tracefs', memory('tracefs', 0o700)],
  ['securityfs', memory('securityfs', 0o755)],
  ['bpf', memory('bpf', 0o1777)],
  ['ramfs', memory('ramfs', 0o755)],
  ['hugetlbfs', memory('hugetlbfs', 0o755)],
  ['devpts', memory('devpts', 0o755)],
  ['mqueue', memory('mqueue', 0o1777)],
  ['pstore', memory('pstore', 0o750)],
])

/** Kinds that the kernel has and nobody can mount here, or anywhere. */
const UNMOUNTABLE = ['cgroup', 'cpuset', 'sockfs', 'pipefs', '9p', 'overlay']

/** The file systems of one machine. */
export class FileSystems {
  private readonly machine: Machine
  private readonly devs = new NumberPool(FIRST_DEV)
  private readonly sysfsByNet = new Map<Net, SuperBlock>()
  readonly proc: SuperBlock
  readonly dev: SuperBlock
  readonly cgroup: SuperBlock

  /** @param proc root of procfs @param dev root of devtmpfs @param cgroupDev device number of the cgroup hierarchy */
  constructor(machine: Machine, proc: SuperBlock['root'], dev: SuperBlock['root'], cgroupDev: number) {
    this.machine = machine
    // mounted at boot and never released
    this.proc = new SuperBlock(proc).get()
    this.dev = new SuperBlock(dev, { options: DEVTMPFS_OPTIONS }).get()
    this.cgroup = new SuperBlock(cgroupRoot(machine, cgroupDev)).get()
  }

  /** @returns the sysfs of a namespace */
  sysfs(net: Net, dev?: number): SuperBlock {
    let sb = this.sysfsByNet.get(net)
    if (sb === undefined) {
      const number = dev ?? this.allocateDev()
      sb = new SuperBlock(sysfsRoot(this.machine, number, net), {
        release: () => {
          this.sysfsByNet.delete(net)
          this.freeDev(number)
        },
      })
      this.sysfsByNet.set(net, sb)
    }
    return sb
  }

  /** Makes a file system of a kind by its name. ENODEV for a kind that the kernel has not, EINVAL for wrong options. */
  make(task: Task, type: string, options: readonly string[]): SuperBlock {
    const kind = KINDS.get(type)
    if (kind === undefined) throw new SysError(UNMOUNTABLE.includes(type) ? Errno.EINVAL : Errno.ENODEV)
    return kind(this.machine, task, options)
  }

  /** Changes a file system's own options. EINVAL */
  reconfigure(sb: SuperBlock, options: readonly string[]): void {
    if (sb.fs.type !== 'tmpfs') return
    const keys = new Set(options.map(option => option.split('=', 1)[0]))
    const kept = sb.options.filter(option => !keys.has(option.split('=', 1)[0]))
    sb.options = tmpfsOptions([...kept, ...options]).shown
  }

  /** @returns the device number of a file system without a device */
  allocateDev(): number {
    return this.devs.allocate()
  }

  freeDev(dev: number): void {
    this.devs.free(dev)
  }
}
