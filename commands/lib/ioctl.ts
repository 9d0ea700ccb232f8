/** ioctl(2) from tools. */
import { Errno, SysError } from '../../src/uapi/errno.ts'
import type { IoctlProcess, IoctlRequest } from '../../src/uapi/ioctl.ts'
import type { Process } from '../../src/uapi/process.ts'

/** Performs a request on a descriptor; throws SysError, ENOTTY where the machine offers no ioctl. */
export function ioctl(proc: Process, fd: number, request: IoctlRequest): void {
  const { ioctl: call } = proc as Process & Partial<IoctlProcess>
  if (call === undefined) throw new SysError(Errno.ENOTTY)
  call.call(proc, fd, request)
}
