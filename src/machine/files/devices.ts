/** Character devices by number: null, zero, full, random, kmsg, terminals. */
import type { KernelLog, LogRecord } from '../../kernel/core/log.ts'
import { Errno, SysError } from '../../uapi/errno.ts'
import { O_RDWR, POLLIN, POLLOUT, type Stat } from '../../uapi/fs.ts'
import type { Inode } from '../fs/inode.ts'
import type { Path } from '../fs/path.ts'
import type { Task } from '../task.ts'
import { OpenFile } from './open_file.ts'
import { TtyFile } from './tty.ts'
import { TunDeviceFile } from './tun_file.ts'

const EMPTY = new Uint8Array(0)
const encoder = new TextEncoder()
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

/** Records that user space wrote: their facility is not the kernel's. */
const userRecords = new WeakSet<LogRecord>()
/** Facility of user space's messages, see syslog(3). */
const LOG_USER = 1

/**
 * /dev/kmsg: the kernel log, one record a read; writing adds a record. See the kernel's Documentation/ABI/testing/dev-kmsg.
 * Cutting it to nothing stands for what syslog(2) calls SYSLOG_ACTION_CLEAR.
 */
class KmsgFile extends DeviceFile {
  private readonly log: KernelLog
  private readonly reader: KmsgReader

  constructor(flags: number, task: Task, inode: Inode, path: Path) {
    const { log } = task.machine.kernel
    const reader = new KmsgReader(log)
    super(flags, inode, path, {
      read: (_task, max) => reader.read(max),
      write: (_task, data) => writeKmsg(log, data),
    })
    this.log = log
    this.reader = reader
  }

  override get nonblocking(): boolean {
    return true
  }

  override poll(): number {
    return POLLOUT | (this.reader.peek() === undefined ? 0 : POLLIN)
  }

  override truncate(length: number): void {
    if (length !== 0) throw new SysError(Errno.EINVAL)
    this.log.clear()
  }
}

/** Where one reader of the log stands. */
class KmsgReader {
  private readonly log: KernelLog
  private last: LogRecord | undefined
  private seq = 0

  constructor(log: KernelLog) {
    this.log = log
  }

  /** @returns the next record, if there is one */
  peek(): LogRecord | undefined {
    const records = this.log.read()
    if (this.last === undefined) return records[0]
    // records are numbered from the first of this reader; old ones may have given way to new ones meanwhile
    const guess = records[this.seq - 1] === this.last ? this.seq - 1 : records.lastIndexOf(this.last)
    return records[guess + 1]
  }

  read(max: number): Uint8Array | number {
    const record = this.peek()
    if (record === undefined) return -Errno.EAGAIN
    const priority = (userRecords.has(record) ? LOG_USER << 3 : 0) | record.level
    const text = record.text.replaceAll('\n', '\n ')
    const line = encoder.encode(`${priority},${this.seq},${Math.floor(record.time / 1000)},-;${text}\n`)
    if (line.length > max) return -Errno.EINVAL
    this.last = record
    this.seq++
    return line
  }
}

/** Adds a record: `<N>` in front gives its level, 4 (warning) without. */
function writeKmsg(log: KernelLog, data: Uint8Array): number {
  const text = new TextDecoder().decode(data).replace(/\n$/, '')
  const priority = /^<(\d+)>/.exec(text)
  log.print(priority === null ? 4 : Number(priority[1]) & 7, text.slice(priority?.[0].length ?? 0))
  const record = log.read().at(-1)
  if (record !== undefined) userRecords.add(record)
  return data.length
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
  if (major === 10 && minor === 200) return new TunDeviceFile(flags, task, inode, path)
  if (major === 5 && minor === 0 && task.tty !== undefined) return new TtyFile(flags, task.tty)
  const tty = task.machine.ttys.find(candidate => candidate.rdev === inode.rdev)
  if (tty !== undefined) return new TtyFile(flags | O_RDWR, tty)
  throw new SysError(Errno.ENXIO)
}
