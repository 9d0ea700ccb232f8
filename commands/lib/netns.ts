/**
 * Named network namespaces: files in /run/netns, each an nsfs file bind-mounted there by `ip netns add`. The ids other
 * namespaces have in the present one come from rtnetlink (RTM_GETNSID).
 */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import { O_CLOEXEC, O_RDONLY } from '../../src/uapi/fs.ts'
import { MNT_DETACH, MS_BIND, MS_REC, MS_SLAVE } from '../../src/uapi/mount.ts'
import { type NetlinkSocket, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import { CLONE_NEWNS, type Process } from '../../src/uapi/process.ts'
import { type NsidMessage, RTM_GETNSID, RTM_NEWNSID } from '../../src/uapi/rtnetlink.ts'
import { CommandFailure } from './errors.ts'

/** The folder of named namespaces. */
export const NETNS_RUN_DIR = '/run/netns'

/** @returns a descriptor of a named namespace (a name with a slash is a path); throws SysError */
export function openNetns(proc: Process, name: string): number {
  const path = name.includes('/') ? name : `${NETNS_RUN_DIR}/${name}`
  return proc.open(path, O_RDONLY | O_CLOEXEC)
}

/** Configuration files of a namespace, which lie over those in /etc for its processes. */
const NETNS_ETC_DIR = '/etc/netns'
const NAME_MAX = 255

/**
 * Moves the process into a named namespace, with mounts of its own: /sys shows the namespace's devices, and what is in
 * /etc/netns/NAME lies over /etc. CommandFailure, status 1, where there is no such namespace.
 */
export function switchNetns(proc: Process, name: string): void {
  let fd: number
  try {
    fd = openNetns(proc, name)
  } catch (error) {
    if (!isSysError(error)) throw error
    throw new CommandFailure(`Cannot open network namespace "${name}": ${strerror(error.errno)}\n`, 1)
  }
  try {
    proc.setns(fd)
  } catch (error) {
    if (!isSysError(error)) throw error
    throw new CommandFailure(`setting the network namespace "${name}" failed: ${strerror(error.errno)}\n`, 1)
  } finally {
    proc.close(fd)
  }
  attempt(
    () => proc.unshare(CLONE_NEWNS),
    reason => `unshare failed: ${reason}`,
  )
  attempt(
    () => proc.mount('', '/', 'none', MS_SLAVE | MS_REC),
    reason => `"mount --make-rslave /" failed: ${reason}`,
  )
  try {
    proc.umount('/sys', MNT_DETACH)
  } catch (error) {
    // perhaps there is no sysfs: then the new one comes over whatever is there
    if (!isSysError(error)) throw error
  }
  attempt(
    () => proc.mount(name, '/sys', 'sysfs', 0),
    reason => `mount of /sys failed: ${reason}`,
  )
  bindEtc(proc, name)
}

/** Runs a system call; a failure becomes a CommandFailure, status 1. */
function attempt(call: () => void, text: (reason: string) => string): void {
  try {
    call()
  } catch (error) {
    if (!isSysError(error)) throw error
    throw new CommandFailure(`${text(strerror(error.errno))}\n`, 1)
  }
}

/** Lays a namespace's configuration files over those in /etc; what is missing there is only complained about. */
function bindEtc(proc: Process, name: string): void {
  if (name.length >= NAME_MAX) return
  const folder = `${NETNS_ETC_DIR}/${name}`
  if (!proc.access(folder, 0)) return
  for (const entry of proc.readdir(folder)) {
    const from = `${folder}/${entry.name}`
    const to = `/etc/${entry.name}`
    try {
      proc.mount(from, to, 'none', MS_BIND)
    } catch (error) {
      if (!isSysError(error)) throw error
      proc.stderr.write(`Bind ${from} -> ${to} failed: ${strerror(error.errno)}\n`)
    }
  }
}

/** @returns the names of all named namespaces, in the folder's order; none where the folder is missing */
export function listNetns(proc: Process): string[] {
  try {
    return proc.readdir(NETNS_RUN_DIR).map(entry => entry.name)
  } catch (error) {
    if (isSysError(error, Errno.ENOENT)) return []
    throw error
  }
}

/** @returns the id a namespace has in the socket's namespace; -1 where it has none */
export function nsidOfFd(nl: NetlinkSocket, fd: number): number {
  const request: NsidMessage = { type: RTM_GETNSID, flags: NLM_F_REQUEST, attrs: { fd } }
  try {
    for (const answer of nl.request(request)) if (answer.type === RTM_NEWNSID) return answer.attrs.nsid ?? -1
  } catch (error) {
    if (!isSysError(error)) throw error
  }
  return -1
}

/** @returns the id of a named namespace; -1 where it has none or does not exist */
export function nsidOfName(proc: Process, nl: NetlinkSocket, name: string): number {
  let fd: number
  try {
    fd = openNetns(proc, name)
  } catch (error) {
    if (isSysError(error)) return -1
    throw error
  }
  const id = nsidOfFd(nl, fd)
  proc.close(fd)
  return id
}

/** Gives a namespace an id, -1 for the next free one; throws what the socket throws. */
export function setNsid(nl: NetlinkSocket, fd: number, nsid: number): void {
  nl.request({ type: RTM_NEWNSID, flags: NLM_F_REQUEST, attrs: { fd, nsid } })
}

/** Names of namespace ids, looked up once. */
export class NsidNames {
  private readonly proc: Process
  private readonly nl: NetlinkSocket
  private byId: Map<number, string> | undefined

  constructor(proc: Process, nl: NetlinkSocket) {
    this.proc = proc
    this.nl = nl
  }

  /** @returns the name of the namespace that has an id here, or undefined */
  name(nsid: number): string | undefined {
    if (this.byId === undefined) {
      this.byId = new Map()
      for (const name of listNetns(this.proc)) {
        const id = nsidOfName(this.proc, this.nl, name)
        if (id >= 0) this.byId.set(id, name)
      }
    }
    return this.byId.get(nsid)
  }
}
