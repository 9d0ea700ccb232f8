/** Groups joined for addresses that are multicast (`ip addr add … autojoin`): the kernel's own socket holds them. */
import { Errno } from '../../uapi/errno.ts'
import type { NetDevice } from '../core/net_device.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { addrEqual, addrMulticast, type In6Addr } from './addr.ts'
import { ipv6DevMcDec, ipv6DevMcInc } from './mcast.ts'

const key = pernetKey<{ addr: In6Addr; ifindex: number }[]>('mc_autojoin')

/** Makes a namespace's list. */
export function mcAutojoinInit(net: Net): void {
  net.set(key, [])
}

/** Joins or leaves (ipv6_mc_config). @returns 0 or a negative error */
export function mcAutojoin(net: Net, join: boolean, addr: In6Addr, dev: NetDevice): number {
  const list = net.at(key)
  const at = list.findIndex(entry => entry.ifindex === dev.ifindex && addrEqual(entry.addr, addr))
  if (join) {
    if (!addrMulticast(addr)) return -Errno.EINVAL
    if (at >= 0) return -Errno.EADDRINUSE
    const rc = ipv6DevMcInc(dev, addr)
    if (rc === 0) list.push({ addr: addr.slice(), ifindex: dev.ifindex })
    return rc
  }
  if (at < 0) return -Errno.EADDRNOTAVAIL
  list.splice(at, 1)
  ipv6DevMcDec(dev, addr)
  return 0
}
