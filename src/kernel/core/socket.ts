/**
 * Sockets below the system calls: `struct socket` with its `proto_ops`.
 * Every operation is synchronous and never sleeps: where Linux would, it returns -EAGAIN (or -EINPROGRESS from
 * connect) and the caller waits on `wq`. Results below zero are negative error numbers.
 */

import type { SocketOptionValue } from '../../uapi/process.ts'
import type { ReceivedMessage, SendControl, Sockaddr } from '../../uapi/socket.ts'
import type { Net } from './net_namespace.ts'
import type { WaitQueue } from './wait.ts'

/** Who opens a socket: decides about raw sockets and privileged ports. */
export interface Cred {
  readonly uid: number
  readonly gid: number
  readonly pid: number
  readonly comm: string
}

/** What setsockopt takes. */
export type OptionValue = number | Uint8Array | string | SocketOptionValue

/** An open socket of any family. */
export interface Socket {
  readonly net: Net
  readonly domain: number
  readonly type: number
  readonly protocol: number
  /** inode number of the socket, unique in the machine; ss and /proc/PID/fd show it */
  readonly ino: number
  readonly wq: WaitQueue
  /** SO_RCVTIMEO and SO_SNDTIMEO, ns; 0 waits for ever */
  readonly rcvtimeo: number
  readonly sndtimeo: number
  bind(address: Sockaddr): number
  /** @returns 0, -EINPROGRESS where the caller must wait for POLLOUT and then read SO_ERROR, or an error */
  connect(address: Sockaddr): number
  listen(backlog: number): number
  accept(): Socket | number
  /** @param to undefined for a connected socket @returns bytes taken, -EAGAIN where it must wait, or an error */
  sendmsg(data: Uint8Array, flags: number, to: Sockaddr | undefined, control: SendControl | undefined): number
  recvmsg(max: number, flags: number): ReceivedMessage | number
  setsockopt(level: number, option: number, value: OptionValue): number
  getsockopt(level: number, option: number): number | Uint8Array | string | { readonly errno: number }
  getsockname(): Sockaddr | number
  getpeername(): Sockaddr | number
  shutdown(how: number): number
  /** POLLIN, POLLOUT, POLLERR, POLLHUP that hold now */
  poll(): number
  /** the last descriptor was closed */
  release(): void
}
