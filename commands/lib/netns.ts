/**
 * Named network namespaces: files in /run/netns, each an nsfs file bind-mounted there by `ip netns add`. The ids other
 * namespaces have in the present one come from rtnetlink (RTM_GETNSID).
 */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import { O_CLOEXEC, O_RDONLY } from '../../src/uapi/fs.ts'
import { type NetlinkSocket, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import type { Process } from '../../src/uapi/process.ts'
import { type NsidMessage, RTM_GETNSID, RTM_NEWNSID } from '../../src/uapi/rtnetlink.ts'
import { CommandFailure } from './errors.ts'

/** The folder of named namespaces. */
export const NETNS_RUN_DIR = '/run/netns'

/** @returns a descriptor of a named namespace (a name with a slash is a path); throws SysError */
export function openNetns(proc: Process, name: string): number {
  const path = name.includes('/') ? name : `${NETNS_RUN_DIR}/${name}`
  return proc.open(path, O_RDONLY | O_CLOEXEC)
}

/** Moves the process into a named namespace; CommandFailure, status 1, where there is none. */
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
