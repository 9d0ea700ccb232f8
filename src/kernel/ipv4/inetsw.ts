/**
 * The protocol switch of AF_INET (`inetsw`): which socket type and protocol make which socket. TCP and other transports
 * register here.
 */
import { Errno } from '../../uapi/errno.ts'
import { IPPROTO_IP, SOCK_RAW } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import type { Cred, Socket } from '../core/socket.ts'
import type { Kernel, SocketFamily } from '../kernel.ts'

/** A registration (`inet_protosw`). */
export interface InetProtosw {
  /** SOCK_… */
  readonly type: number
  /** IPPROTO_…; IPPROTO_IP takes every protocol (raw sockets) */
  readonly protocol: number
  create(net: Net, protocol: number, cred: Cred): Socket | number
}

/** Protocols there can be numbers for. */
const IPPROTO_MAX = 263

const TABLES = new WeakMap<Kernel, InetProtosw[]>()

function tableOf(kernel: Kernel): InetProtosw[] {
  let table = TABLES.get(kernel)
  if (table === undefined) {
    table = []
    TABLES.set(kernel, table)
  }
  return table
}

/** Registers a transport with a kernel (inet_register_protosw); the first of a type is its default. */
export function inetRegisterProtosw(kernel: Kernel, entry: InetProtosw): void {
  tableOf(kernel).push(entry)
}

/** @returns what makes sockets of AF_INET (inet_create) */
export function inetFamily(kernel: Kernel): SocketFamily {
  const table = tableOf(kernel)
  return (net, type, protocol, cred) => {
    if (protocol < 0 || protocol >= IPPROTO_MAX) return -Errno.EINVAL
    let rc: number = -Errno.ESOCKTNOSUPPORT
    for (const entry of table) {
      if (entry.type !== type) continue
      rc = -Errno.EPROTONOSUPPORT
      if (protocol !== entry.protocol && protocol !== IPPROTO_IP && entry.protocol !== IPPROTO_IP) continue
      // a raw socket must name its protocol
      if (protocol === IPPROTO_IP && entry.protocol === IPPROTO_IP) continue
      if (type === SOCK_RAW && cred.uid !== 0) return -Errno.EPERM
      return entry.create(net, protocol === IPPROTO_IP ? entry.protocol : protocol, cred)
    }
    return rc
  }
}
