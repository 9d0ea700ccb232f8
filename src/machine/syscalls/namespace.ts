/** System calls on namespaces. */
import { Errno, SysError } from '../../uapi/errno.ts'
import { CLONE_NEWNET, CLONE_NEWNS } from '../../uapi/process.ts'
import { COST } from '../costs.ts'
import { NsFile } from '../fs/nsfs.ts'
import type { Task } from '../task.ts'

/** unshare(2): a UTS namespace of one's own, with the host name. */
const CLONE_NEWUTS = 0x04000000

/** Only root may change namespaces (CAP_SYS_ADMIN). */
function privileged(task: Task): void {
  if (task.uid !== 0) throw new SysError(Errno.EPERM)
}

/** unshare(2) */
export function unshare(task: Task, flags: number): void {
  task.enter(COST.unshare)
  privileged(task)
  if ((flags & ~(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS)) !== 0) throw new SysError(Errno.EINVAL)
  if ((flags & CLONE_NEWUTS) !== 0) task.uts = { ...task.uts }
  if ((flags & CLONE_NEWNS) !== 0) unshareMounts(task)
  if ((flags & CLONE_NEWNET) === 0) return
  const old = task.net
  task.net = task.machine.kernel.createNet()
  old.put()
}

/** setns(2) */
export function setns(task: Task, fd: number): void {
  task.enter(COST.io)
  const file = task.files.get(fd)
  if (!(file instanceof NsFile)) throw new SysError(Errno.EINVAL)
  privileged(task)
  const { ns } = file
  if (ns.kind === 'mnt') {
    const old = task.mnt
    task.mnt = ns.of.get()
    task.cwd = ns.of.root
    old.put()
    return
  }
  const old = task.net
  task.net = ns.of.get()
  old.put()
}

/** A copy of all mounts, which the process goes on in. */
function unshareMounts(task: Task): void {
  const { ns, moved } = task.machine.copyMounts(task.mnt)
  task.mnt.put()
  task.mnt = ns
  task.cwd = moved(task.cwd)
}
