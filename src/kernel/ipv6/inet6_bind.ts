/** Binding sockets of IPv6 to addresses and ports. */
import { Errno } from '../../uapi/errno.ts'
import { AF_INET6, SOCK_STREAM, type Sockaddr } from '../../uapi/socket.ts'
import type { NetDevice } from '../core/net_device.ts'
import { TCP_CLOSE } from '../core/sock.ts'
import { inetAddrValidOrNonlocal, inetPortRequiresBindService, inetSkAddrType } from '../ipv4/inet_bind.ts'
import { addrType, IPV6_ADDR_ANY, IPV6_ADDR_MAPPED, IPV6_ADDR_MULTICAST, mappedV4, needsScopeId } from './addr.ts'
import { ipv6ChkAddr } from './inet6_addr.ts'
import { ipv6Key } from './netns_ipv6.ts'
import { type Inet6Sock, LOOPBACK4_IPV6 } from './pinfo.ts'

/** @returns whether a socket may bind to addresses that are not the host's (ipv6_can_nonlocal_bind) */
export function ipv6CanNonlocalBind(sk: Inet6Sock): boolean {
  return sk.net.at(ipv6Key).ipNonlocalBind !== 0 || sk.freebind || sk.transparent
}

/**
 * Checks that an address other than `::` may be bound to and binds the socket to the device it belongs to.
 * @param type its type @param scopeId index of the device, for addresses that mean something on one link only
 * @returns 0, -EINVAL, -ENODEV, -EADDRNOTAVAIL
 */
export function checkBindAddr(sk: Inet6Sock, addr: Uint8Array, type: number, scopeId: number): number {
  let dev: NetDevice | undefined
  if (needsScopeId(type)) {
    if (scopeId !== 0) sk.boundDevIf = scopeId
    if (sk.boundDevIf === 0) return -Errno.EINVAL
  }
  if (sk.boundDevIf !== 0) {
    dev = sk.net.devByIndex(sk.boundDevIf)
    if (dev === undefined) return -Errno.ENODEV
  }
  if ((type & IPV6_ADDR_MULTICAST) !== 0 || ipv6CanNonlocalBind(sk)) return 0
  return ipv6ChkAddr(sk.net, addr, dev, false) ? 0 : -Errno.EADDRNOTAVAIL
}

/**
 * Binds a socket (__inet6_bind).
 * @param getPort takes the port for the socket (0: any) and sets `num`; false where it is in use
 * @returns 0, -EAFNOSUPPORT, -EINVAL, -EACCES, -EADDRNOTAVAIL, -ENODEV, -EADDRINUSE
 */
export function inet6Bind(sk: Inet6Sock, address: Sockaddr, getPort: (port: number) => boolean): number {
  if (address.family !== AF_INET6) return -Errno.EAFNOSUPPORT
  const np = sk.pinet6
  const { addr, port } = address
  const type = addrType(addr)
  if ((type & IPV6_ADDR_MULTICAST) !== 0 && sk.type === SOCK_STREAM) return -Errno.EINVAL
  if (port !== 0 && inetPortRequiresBindService(sk.net, port) && !sk.nsCapable) return -Errno.EACCES
  if (sk.state !== TCP_CLOSE || sk.num !== 0) return -Errno.EINVAL
  let v4addr = 0
  if (type === IPV6_ADDR_MAPPED) {
    if (sk.v6only) return -Errno.EINVAL
    v4addr = mappedV4(addr)
    if (!inetAddrValidOrNonlocal(sk, v4addr, inetSkAddrType(sk, v4addr))) return -Errno.EADDRNOTAVAIL
  } else if (type !== IPV6_ADDR_ANY) {
    const err = checkBindAddr(sk, addr, type, address.scopeId ?? 0)
    if (err < 0) return err
    v4addr = LOOPBACK4_IPV6
  }
  sk.rcvSaddr = sk.saddr = v4addr
  sk.v6RcvSaddr = addr.slice()
  if ((type & IPV6_ADDR_MULTICAST) === 0) np.saddr.set(addr)
  const { v6only } = sk
  if (type !== IPV6_ADDR_ANY && type !== IPV6_ADDR_MAPPED) sk.v6only = true
  if ((port !== 0 || !sk.bindAddressNoPort) && !getPort(port)) {
    sk.v6only = v6only
    inet6ResetSaddr(sk)
    return -Errno.EADDRINUSE
  }
  if (type !== IPV6_ADDR_ANY) sk.bindAddrLocked = true
  if (port !== 0) sk.bindPortLocked = true
  sk.sport = sk.num
  sk.dport = sk.daddr = 0
  return 0
}

/** Takes the address from a socket again (inet_reset_saddr). */
export function inet6ResetSaddr(sk: Inet6Sock): void {
  sk.rcvSaddr = sk.saddr = 0
  sk.v6RcvSaddr = new Uint8Array(16)
  sk.pinet6.saddr.fill(0)
}
