/** Character devices by number: null, zero, full, random, kmsg, terminals. */
import { Errno, SysError } from '../../uapi/errno.ts'
import { O_RDWR, POLLIN, POLLOUT, type Stat } from '../../uapi/fs.ts'
import type { Inode } from '../fs/inode.ts'
import type { Path } from '../fs/path.ts'
import type { Task } from '../task.ts'
import { OpenFile } from './open_file.ts'
import { TtyFile } from './tty.ts'

const EMPTY = new Uint8Array(0)
/** Most bytes that one read of an endless device gives. */
const READ_MAX = 1 << 20

/** Device number as `stat` has it. */
export function makedev(major: number, minor: number): number {
  return major * 256 + minor
}

/** What reading and writing a device does; each answers like `OpenFile.read` and `OpenFile.write`. */
interface DeviceOps {
  read(task: Task, max: number): Uint8Array | number
  write(task: Task, data: Uint8Array): number
}

const take = (_task: Task, data: Uint8Array): number => data.length
const random = (task: Task, max: number): Uint8Array =>
  task.machine.random.fill(new Uint8Array(Math.min(max, READ_MAX)))
const zeros = (_task: Task, max: number): Uint8Array => new Uint8Array(Math.min(max, READ_MAX))

const MEMORY_DEVICES = new Map<number, DeviceOps>([
  [3, { read: () => EMPTY, write: take }],
  [5, { read: zeros, write: take }],
  [7, { read: zeros, write: () => -Errno.ENOSPC }],
  [8, { read: random, write: take }],
  [9, { read: random, write: take }],
])

/** An open device. */
class DeviceFile extends OpenFile {
  private readonly inode: Inode
  private readonly path: Path
  private readonly ops: DeviceOps

  constructor(flags: number, inode: Inode, path: Path, ops: DeviceOps) {
    super(flags)
    this.inode = inode
    this.path = path
    this.ops = ops
  }

  override get link(): string {
    return this.path.text
  }

  override stat(): Stat {
    return this.inode.stat()
  }

  override read(task: Task, max: number): Uint8Array | number {
    return this.ops.read(task, max)
  }

  override write(task: Task, data: Uint8Array): number {
    return this.ops.write(task, data)
  }

  override seek(): number {
    return 0
  }

  override reopen(flags: number, task: Task): OpenFile {
    return this.inode.open(flags, task, this.path)
  }
}

/** /dev/kmsg: the kernel log, one record a read; writing adds a record. See the kernel's Documentation/ABI/testing/dev-kmsg. */
class KmsgFile extends DeviceFile {
  constructor(flags: number, task: Task, inode: Inode, path: Path) {
    const { log } = task.machine.kernel
    let next = 0
    super(flags, inode, path, {
      read(_task, max) {
        const record = log.read()[next]
        if (record === undefined) return -Errno.EAGAIN
        const text = record.text.replaceAll('\n', '\n ')
        const line = new TextEncoder().encode(`${record.level},${next},${Math.floor(record.time / 1000)},-;${text}\n`)
        if (line.length > max) return -Errno.EINVAL
        next++
        return line
      },
      write(_task, data) {
        const text = new TextDecoder().decode(data).replace(/\n$/, '')
        const priority = /^<(\d+)>/.exec(text)
        log.print(priority === null ? 4 : Number(priority[1]) & 7, text.slice(priority?.[0].length ?? 0))
        return data.length
      },
    })
    this.nextRecord = () => log.read()[next] !== undefined
  }

  private readonly nextRecord: () => boolean

  override get nonblocking(): boolean {
    return true
  }

  override poll(): number {
    return POLLOUT | (this.nextRecord() ? POLLIN : 0)
  }
}

/** Opens a device node (chrdev_open). ENXIO where the machine has no such device. */
export function openDevice(inode: Inode & { readonly rdev: number }, flags: number, task: Task, path: Path): OpenFile {
  const major = inode.rdev >> 8
  const minor = inode.rdev & 0xff
  if (major === 1) {
    if (minor === 11) return new KmsgFile(flags, task, inode, path)
    const ops = MEMORY_DEVICES.get(minor)
    if (ops !== undefined) return new DeviceFile(flags, inode, path, ops)
  }
  if (major === 5 && minor === 0 && task.tty !== undefined) return new TtyFile(flags, task.tty)
  const tty = task.machine.ttys.find(candidate => candidate.rdev === inode.rdev)
  if (tty !== undefined) return new TtyFile(flags | O_RDWR, tty)
  throw new SysError(Errno.ENXIO)
}
