/** procfs: processes, the kernel's figures, and /proc/net and /proc/sys of the reader's namespace, see proc(5). */

import { type KernfsDir, kernfsText } from '../../kernel/core/kernfs.ts'
import { Errno } from '../../uapi/errno.ts'
import { S_IFDIR } from '../../uapi/fs.ts'
import type { Machine } from '../machine.ts'
import type { Task } from '../task.ts'
import type { FileSystem, Inode } from './inode.ts'
import { type ViewDir, ViewInode, type ViewNode, type ViewPolicy } from './kernfs_inode.ts'
import { SYSTEM_FILES } from './proc_files.ts'
import { pidDirectory } from './proc_pid.ts'
import { sysctlTree } from './proc_sys.ts'

const PROC_POLICY: ViewPolicy = {
  fileSize: 0,
  strictModes: false,
  changeErrno: Errno.EPERM,
  createErrno: Errno.ENOENT,
  createFileErrno: Errno.ENOENT,
}
/** /proc/PID/net: who may not write by the mode bits may not open, root neither. */
const NET_POLICY: ViewPolicy = { ...PROC_POLICY, strictModes: true }
/** /proc/sys: the mode bits bind everybody in everything. */
const SYSCTL_POLICY: ViewPolicy = {
  ...NET_POLICY,
  changeErrno: Errno.EACCES,
  createErrno: Errno.EACCES,
  createFileErrno: Errno.EACCES,
}

/** The inode of a directory in /proc. */
class ProcInode extends ViewInode {
  protected override child(node: ViewNode, name: string): Inode {
    const ino = this.childIno(name)
    if (name === 'sys') return new ViewInode(this.fs, node, ino, SYSCTL_POLICY)
    if (name === 'net') return new ViewInode(this.fs, node, ino, NET_POLICY)
    return node.kind === 'dir' ? new ProcInode(this.fs, node, ino, this.policy) : super.child(node, name)
  }
}

/** @returns the root inode of a machine's procfs */
export function procfsRoot(machine: Machine, dev: number): Inode {
  const fs: FileSystem = { type: 'proc', dev, now: () => machine.kernel.realtime }
  const root = new ProcInode(fs, rootDirectory(machine), 1, PROC_POLICY)
  root.mode = S_IFDIR | 0o555
  return root
}

function rootDirectory(machine: Machine): ViewDir {
  const links = new Map<string, (task: Task) => string>([
    ['mounts', () => 'self/mounts'],
    ['net', () => 'self/net'],
    ['self', task => String(task.pid)],
    ['thread-self', task => `${task.pid}/task/${task.pid}`],
  ])
  const sys = sysctlTree(machine)
  return {
    kind: 'dir',
    mode: 0o555,
    *list() {
      yield* SYSTEM_FILES.keys()
      yield* links.keys()
      yield 'sys'
      for (const task of machine.processes.all()) yield String(task.pid)
    },
    lookup(name, task) {
      if (/^[1-9]\d*$/.test(name)) {
        const target = machine.processes.get(Number(name))
        return target === undefined ? undefined : pidDirectory(target)
      }
      const link = links.get(name)
      if (link !== undefined) return { kind: 'link', target: link(task) }
      if (name === 'sys') return sys
      const file = SYSTEM_FILES.get(name)
      return file === undefined ? undefined : kernfsText(() => file(machine))
    },
  }
}

/** @returns a directory of both trees; where both have a name, directories are joined and else the first counts */
export function overlayDirs(first: ViewDir | KernfsDir, second: ViewDir | KernfsDir): ViewDir {
  return {
    kind: 'dir',
    mode: first.mode,
    list: task => [...new Set([...first.list(task), ...second.list(task)])].sort(),
    lookup(name, task) {
      const a = first.lookup(name, task)
      const b = second.lookup(name, task)
      if (a === undefined) return b
      return a.kind === 'dir' && b?.kind === 'dir' ? overlayDirs(a, b) : a
    },
  }
}
