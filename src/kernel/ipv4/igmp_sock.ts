/** Sockets as members of multicast groups (IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP; ip(7)). */
import { Errno } from '../../uapi/errno.ts'
import { ipDevFind } from './devinet_select.ts'
import { Flowi4 } from './flow.ts'
import { ipMcDecGroup, ipMcIncGroup } from './igmp.ts'
import { type InDevice, inDevGet, inetdevByIndex, ipv4IsMulticast } from './in_device.ts'
import type { InetSock, IpMcMembership } from './inet_sock.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { ipRouteOutputKey } from './route.ts'

const flow = new Flowi4()

/** Finds the device that a request means: by index, by address, or by the route to the group (ip_mc_find_dev). */
function findDev(sk: InetSock, imr: IpMcMembership): InDevice | undefined {
  if (imr.ifindex !== 0) return inetdevByIndex(sk.net, imr.ifindex)
  if (imr.address !== 0) {
    const dev = ipDevFind(sk.net, imr.address)
    return dev === undefined ? undefined : inDevGet(dev)
  }
  const fl4 = flow.clear()
  fl4.daddr = imr.multiaddr
  const rt = ipRouteOutputKey(sk.net, fl4)
  return typeof rt === 'number' ? undefined : inDevGet(rt.dev)
}

/** Joins a group (ip_mc_join_group). @returns 0, -EINVAL, -ENODEV, -EADDRINUSE, -ENOBUFS at igmp_max_memberships */
export function ipMcJoinGroup(sk: InetSock, imr: IpMcMembership): number {
  if (!ipv4IsMulticast(imr.multiaddr)) return -Errno.EINVAL
  const inDev = findDev(sk, imr)
  if (inDev === undefined) return -Errno.ENODEV
  const { ifindex } = inDev.dev
  if (sk.mcList.some(each => each.multiaddr === imr.multiaddr && each.ifindex === ifindex)) return -Errno.EADDRINUSE
  if (sk.mcList.length >= sk.net.at(ipv4Key).igmpMaxMemberships) return -Errno.ENOBUFS
  sk.mcList.unshift({ multiaddr: imr.multiaddr, address: imr.address, ifindex })
  ipMcIncGroup(inDev, imr.multiaddr)
  return 0
}

/** Leaves a group (ip_mc_leave_group). @returns 0, -ENODEV, -EADDRNOTAVAIL where it is no member */
export function ipMcLeaveGroup(sk: InetSock, imr: IpMcMembership): number {
  const inDev = findDev(sk, imr)
  if (inDev === undefined && imr.ifindex === 0 && imr.address === 0) return -Errno.ENODEV
  const ifindex = inDev?.dev.ifindex ?? imr.ifindex
  const i = sk.mcList.findIndex(
    each =>
      each.multiaddr === imr.multiaddr &&
      (ifindex !== 0 ? each.ifindex === ifindex : imr.address === 0 || each.address === imr.address),
  )
  if (i < 0) return -Errno.EADDRNOTAVAIL
  sk.mcList.splice(i, 1)
  if (inDev !== undefined) ipMcDecGroup(inDev, imr.multiaddr)
  return 0
}

/** Leaves all groups: the socket is closed (ip_mc_drop_socket). */
export function ipMcDropSocket(sk: InetSock): void {
  for (const each of sk.mcList) {
    const inDev = inetdevByIndex(sk.net, each.ifindex)
    if (inDev !== undefined) ipMcDecGroup(inDev, each.multiaddr)
  }
  sk.mcList = []
}

/** @returns whether a socket takes packets to an address: members of the group do, and all others with IP_MULTICAST_ALL (ip_mc_sf_allow) */
export function ipMcSfAllow(sk: InetSock, daddr: number, dif: number, sdif: number): boolean {
  if (!ipv4IsMulticast(daddr)) return true
  for (const each of sk.mcList)
    if (each.multiaddr === daddr && (each.ifindex === dif || (sdif !== 0 && each.ifindex === sdif))) return true
  return sk.mcAll
}
