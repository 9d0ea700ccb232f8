/** System calls on namespaces and mounts. */
import { Errno, SysError } from '../../uapi/errno.ts'
import { CLONE_NEWNET } from '../../uapi/process.ts'
import { COST } from '../costs.ts'
import { NsFile } from '../fs/nsfs.ts'
import type { Task } from '../task.ts'

/** unshare(2): a UTS namespace of one's own, with the host name. */
const CLONE_NEWUTS = 0x04000000

/** Only root may change namespaces and mounts (CAP_SYS_ADMIN). */
function privileged(task: Task): void {
  if (task.uid !== 0) throw new SysError(Errno.EPERM)
}

/** unshare(2) */
export function unshare(task: Task, flags: number): void {
  task.enter(COST.unshare)
  privileged(task)
  if ((flags & ~(CLONE_NEWNET | CLONE_NEWUTS)) !== 0) throw new SysError(Errno.EINVAL)
  if ((flags & CLONE_NEWUTS) !== 0) task.uts = { ...task.uts }
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
  const old = task.net
  task.net = file.net.get()
  old.put()
}

/** mount(2) with MS_BIND */
export function mountBind(task: Task, source: string, target: string): void {
  task.enter(COST.path * 4)
  privileged(task)
  task.machine.vfs.bind(task, source, target)
}

/** umount2(2), lazily: what is open stays open */
export function umount(task: Task, target: string): void {
  task.enter(COST.path * 4)
  privileged(task)
  task.machine.vfs.umount(task, target)
}
