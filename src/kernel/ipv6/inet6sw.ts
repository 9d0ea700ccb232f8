/**
 * The protocol switch of AF_INET6 (`inetsw6`): which socket type and protocol make which socket. TCP and other transports
 * register here.
 */
import { Errno } from '../../uapi/errno.ts'
import { IPPROTO_IP, SOCK_RAW } from '../../uapi/socket.ts'
import type { InetProtosw } from '../ipv4/inetsw.ts'
import type { Kernel, SocketFamily } from '../kernel.ts'

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

/** Registers a transport with a kernel (inet6_register_protosw); the first of a type is its default. */
export function inet6RegisterProtosw(kernel: Kernel, entry: InetProtosw): void {
  tableOf(kernel).push(entry)
}

/** @returns what makes sockets of AF_INET6 (inet6_create) */
export function inet6Family(kernel: Kernel): SocketFamily {
  const table = tableOf(kernel)
  return (net, type, protocol, cred) => {
    if (protocol < 0 || protocol >= IPPROTO_MAX) return -Errno.EINVAL
    let rc: number = -Errno.ESOCKTNOSUPPORT
    for (const entry of table) {
      if (entry.type !== type) continue
      rc = -Errno.EPROTONOSUPPORT
      // a raw socket must name its protocol
      if (protocol === IPPROTO_IP && entry.protocol === IPPROTO_IP) continue
      if (protocol !== entry.protocol && protocol !== IPPROTO_IP && entry.protocol !== IPPROTO_IP) continue
      if (type === SOCK_RAW && cred.uid !== 0) return -Errno.EPERM
      return entry.create(net, protocol === IPPROTO_IP ? entry.protocol : protocol, cred)
    }
    return rc
  }
}
