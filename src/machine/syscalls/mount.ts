/** mount(2) and umount2(2). */
import { Errno, SysError } from '../../uapi/errno.ts'
import {
  MNT_DETACH,
  MS_BIND,
  MS_DIRSYNC,
  MS_LAZYTIME,
  MS_MOVE,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
  MS_SHARED,
  MS_SILENT,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_SYNCHRONOUS,
  MS_UNBINDABLE,
} from '../../uapi/mount.ts'
import { COST } from '../costs.ts'
import type { Mount } from '../fs/mount.ts'
import type { Path } from '../fs/path.ts'
import type { Task } from '../task.ts'

const PROPAGATION = MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE

/** Only root may change mounts (CAP_SYS_ADMIN). */
function privileged(task: Task): void {
  if (task.uid !== 0) throw new SysError(Errno.EPERM)
}

/** @returns the words that /proc/mounts has for the flags of one place */
function placeOptions(flags: number): string[] {
  const words: string[] = []
  if ((flags & MS_NOSUID) !== 0) words.push('nosuid')
  if ((flags & MS_NODEV) !== 0) words.push('nodev')
  if ((flags & MS_NOEXEC) !== 0) words.push('noexec')
  if ((flags & MS_NOATIME) !== 0) words.push('noatime')
  if ((flags & MS_NODIRATIME) !== 0) words.push('nodiratime')
  if ((flags & (MS_NOATIME | MS_STRICTATIME)) === 0) words.push('relatime')
  return words
}

/** @returns the words for the flags of a whole file system */
function superOptions(flags: number): string[] {
  const words: string[] = []
  if ((flags & MS_SYNCHRONOUS) !== 0) words.push('sync')
  if ((flags & MS_DIRSYNC) !== 0) words.push('dirsync')
  if ((flags & MS_LAZYTIME) !== 0) words.push('lazytime')
  return words
}

/**
 * mount(2). @param type the kind of a new file system, '' where the flags ask for something else
 * @param data the kind's own options, separated by commas
 */
export function mount(task: Task, source: string, target: string, type: string, flags: number, data: string): void {
  task.enter(COST.path * 4)
  const at = task.machine.vfs.resolve(task, target)
  privileged(task)
  const options = data.split(',').filter(word => word !== '')
  if ((flags & MS_REMOUNT) !== 0) remount(task, at, flags, options)
  else if ((flags & MS_BIND) !== 0) bind(task, source, at, flags)
  else if ((flags & PROPAGATION) !== 0) changePropagation(task, at, flags)
  else if ((flags & MS_MOVE) !== 0) task.machine.vfs.mounts.move(task.machine.vfs.resolve(task, source), at)
  else create(task, source, at, type, flags, options)
}

function remount(task: Task, at: Path, flags: number, options: readonly string[]): void {
  const { vfs, filesystems } = task.machine
  const mounted = vfs.mountAt(at)
  if (mounted === undefined) throw new SysError(Errno.EINVAL)
  if ((flags & MS_BIND) === 0) {
    filesystems.reconfigure(mounted.sb, options)
    mounted.sb.readOnly = (flags & MS_RDONLY) !== 0
  }
  mounted.readOnly = (flags & MS_RDONLY) !== 0
  mounted.options = placeOptions(flags)
}

function bind(task: Task, source: string, at: Path, flags: number): void {
  const { vfs } = task.machine
  if (source === '') throw new SysError(Errno.EINVAL)
  const from = vfs.resolve(task, source)
  if (from.inode.isDirectory !== at.inode.isDirectory) throw new SysError(Errno.ENOTDIR)
  vfs.mounts.bind(from, at, (flags & MS_REC) !== 0)
}

function changePropagation(task: Task, at: Path, flags: number): void {
  const kind = flags & PROPAGATION
  if ((flags & ~(PROPAGATION | MS_REC | MS_SILENT)) !== 0 || (kind & (kind - 1)) !== 0) throw new SysError(Errno.EINVAL)
  const { vfs } = task.machine
  const top = vfs.mountAt(at)
  if (top === undefined) throw new SysError(Errno.EINVAL)
  const { mounts } = vfs
  const change = (mounted: Mount): void => {
    if (kind === MS_SHARED) mounts.makeShared(mounted)
    else if (kind === MS_SLAVE) mounts.makeSlave(mounted)
    else mounts.makePrivate(mounted)
  }
  const within = new Set([top])
  if ((flags & MS_REC) !== 0)
    for (const found of within) for (const each of top.ns.mounts) if (each.parent === found) within.add(each)
  for (const each of within) change(each)
}

function create(task: Task, source: string, at: Path, type: string, flags: number, options: readonly string[]): void {
  if (type === '') throw new SysError(Errno.EINVAL)
  const { vfs, filesystems } = task.machine
  const sb = filesystems.make(task, type, options)
  sb.get()
  try {
    if (vfs.mountAt(at) !== undefined && at.mount.sb === sb) throw new SysError(Errno.EBUSY)
    if (!at.inode.isDirectory) throw new SysError(Errno.ENOTDIR)
    const readOnly = (flags & MS_RDONLY) !== 0
    if (readOnly) sb.readOnly = true
    sb.options = [...superOptions(flags), ...sb.options.filter((word: string) => !superOptions(flags).includes(word))]
    vfs.mounts.add(at, { sb, source: source === '' ? 'none' : source, readOnly, options: placeOptions(flags) })
  } finally {
    sb.put()
  }
}

/** umount2(2). EINVAL where nothing is mounted, EBUSY where something uses it and MNT_DETACH is not given */
export function umount(task: Task, target: string, flags: number): void {
  task.enter(COST.path * 4)
  privileged(task)
  const { vfs } = task.machine
  const mounted = vfs.mountAt(vfs.resolve(task, target))
  if (mounted === undefined) throw new SysError(Errno.EINVAL)
  if (mounted.covered === null) {
    // the root of the tree stays, and cannot be written to any more
    if ((flags & MNT_DETACH) !== 0) throw new SysError(Errno.EINVAL)
    mounted.sb.readOnly = true
    return
  }
  if ((flags & MNT_DETACH) === 0 && inUse(task, mounted)) throw new SysError(Errno.EBUSY)
  vfs.mounts.remove(mounted)
}

/** @returns whether other mounts lie on it, or a process is in it or has a file of it open */
function inUse(task: Task, mounted: Mount): boolean {
  const { vfs, processes } = task.machine
  if (vfs.mounts.hasChildren(mounted)) return true
  return processes
    .all()
    .some(
      each =>
        each.ended === undefined &&
        (each.cwd.mount === mounted || each.files.list().some(fd => each.files.peek(fd)!.mount === mounted)),
    )
}
