/** The label table of source address selection (RFC 6724 §2.1), as `ip addrlabel` shows and changes it. */
import { Errno } from '../../uapi/errno.ts'
import { NLM_F_REPLACE } from '../../uapi/netlink.ts'
import {
  type AddrlabelMessage,
  RTM_DELADDRLABEL,
  RTM_GETADDRLABEL,
  RTM_NEWADDRLABEL,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_INET6 } from '../../uapi/socket.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { RtnlContext } from '../core/rtnetlink.ts'
import type { Kernel } from '../kernel.ts'
import {
  addrEqual,
  addrPrefix,
  addrType,
  IN6ADDR_ANY,
  IN6ADDR_LOOPBACK,
  type In6Addr,
  IPV6_ADDR_COMPATV4,
  IPV6_ADDR_LOOPBACK,
  IPV6_ADDR_MAPPED,
  in6,
  prefixEqual,
} from './addr.ts'

/** What an address without an entry is labelled. */
export const IPV6_ADDR_LABEL_DEFAULT = 0xffffffff

const SPECIAL = IPV6_ADDR_MAPPED | IPV6_ADDR_COMPATV4 | IPV6_ADDR_LOOPBACK

interface Entry {
  readonly prefix: In6Addr
  readonly prefixlen: number
  /** only for addresses of this device; 0 any */
  readonly ifindex: number
  /** only for addresses of this kind; 0 any */
  readonly addrtype: number
  readonly label: number
}

/** The kernel's own entries, in the order in which it makes them. */
const INITIAL: readonly (readonly [prefix: In6Addr, prefixlen: number, label: number])[] = [
  [IN6ADDR_ANY, 0, 1],
  [in6(0xfc00), 7, 5],
  [in6(0xfec0), 10, 11],
  [in6(0x2002), 16, 2],
  [in6(0x3ffe), 16, 12],
  [in6(0x2001), 32, 6],
  [in6(0x2001, 0x10), 28, 7],
  [in6(0, 0, 0, 0, 0, 0xffff), 96, 4],
  [IN6ADDR_ANY, 96, 3],
  [IN6ADDR_LOOPBACK, 128, 0],
]

/** The table of a namespace: longest prefixes first. */
class AddrLabels {
  readonly entries: Entry[] = []

  constructor() {
    for (const [prefix, prefixlen, label] of INITIAL) this.add(prefix, prefixlen, 0, label, false)
  }

  add(prefix: In6Addr, prefixlen: number, ifindex: number, label: number, replace: boolean): number {
    let addrtype = addrType(prefix) & SPECIAL
    if (addrtype === IPV6_ADDR_MAPPED && prefixlen > 96) return -Errno.EINVAL
    const whole = addrtype === IPV6_ADDR_LOOPBACK ? 128 : 96
    if (prefixlen !== whole) addrtype = 0
    const entry = { prefix: addrPrefix(prefix, prefixlen), prefixlen, ifindex, addrtype, label }
    const { entries } = this
    for (let i = 0; i < entries.length; i++) {
      const at = entries[i]!
      if (at.prefixlen === prefixlen && at.ifindex === ifindex && addrEqual(at.prefix, entry.prefix)) {
        if (!replace) return -Errno.EEXIST
        entries[i] = entry
        return 0
      }
      if (at.prefixlen < prefixlen || (at.prefixlen === prefixlen && at.ifindex === 0)) {
        entries.splice(i, 0, entry)
        return 0
      }
    }
    entries.push(entry)
    return 0
  }

  del(prefix: In6Addr, prefixlen: number, ifindex: number): number {
    const masked = addrPrefix(prefix, prefixlen)
    const i = this.entries.findIndex(
      at => at.prefixlen === prefixlen && at.ifindex === ifindex && addrEqual(at.prefix, masked),
    )
    if (i < 0) return -Errno.ESRCH
    this.entries.splice(i, 1)
    return 0
  }

  find(addr: In6Addr, type: number, ifindex: number): Entry | undefined {
    const special = type & SPECIAL
    return this.entries.find(
      at =>
        (at.ifindex === 0 || at.ifindex === ifindex) &&
        (at.addrtype === 0 || at.addrtype === special) &&
        prefixEqual(at.prefix, addr, at.prefixlen),
    )
  }
}

const key = pernetKey<AddrLabels>('addrlabel')

/** @returns the label of an address on a device. @param type what `addrType` says of it */
export function ipv6AddrLabel(net: Net, addr: In6Addr, type: number, ifindex: number): number {
  return net.at(key).find(addr, type, ifindex)?.label ?? IPV6_ADDR_LABEL_DEFAULT
}

function fill(entry: Entry, flags: number): AddrlabelMessage {
  return {
    type: RTM_NEWADDRLABEL,
    flags,
    family: AF_INET6,
    prefixlen: entry.prefixlen,
    index: entry.ifindex,
    attrs: { address: entry.prefix, label: entry.label },
  }
}

function newdel(ctx: RtnlContext, message: RtMessage): number {
  const msg = message as AddrlabelMessage
  const { address, label } = msg.attrs
  if (msg.family !== AF_INET6 || msg.prefixlen > 128 || address?.length !== 16) return -Errno.EINVAL
  if (label === undefined || label === IPV6_ADDR_LABEL_DEFAULT) return -Errno.EINVAL
  const table = ctx.net.at(key)
  if (msg.type === RTM_DELADDRLABEL) return table.del(address, msg.prefixlen, msg.index)
  if (msg.index !== 0 && ctx.net.devByIndex(msg.index) === undefined) return -Errno.EINVAL
  return table.add(address, msg.prefixlen, msg.index, label, (msg.flags & NLM_F_REPLACE) !== 0)
}

function get(ctx: RtnlContext, message: RtMessage): number | RtMessage[] {
  const msg = message as AddrlabelMessage
  const { address } = msg.attrs
  if (msg.family !== AF_INET6 || msg.prefixlen !== 128 || address?.length !== 16) return -Errno.EINVAL
  if (msg.index !== 0 && ctx.net.devByIndex(msg.index) === undefined) return -Errno.EINVAL
  const entry = ctx.net.at(key).find(address, addrType(address), msg.index)
  return entry === undefined ? -Errno.ESRCH : [fill(entry, 0)]
}

/** Registers the table's messages and its part of namespaces. */
export function ipv6AddrLabelInit(kernel: Kernel): void {
  kernel.registerPernet({ init: net => net.set(key, new AddrLabels()) })
  kernel.rtnl.register(AF_INET6, RTM_NEWADDRLABEL, { doit: newdel })
  kernel.rtnl.register(AF_INET6, RTM_DELADDRLABEL, { doit: newdel })
  kernel.rtnl.register(AF_INET6, RTM_GETADDRLABEL, {
    doit: get,
    dumpit: ctx => ctx.net.at(key).entries.map(entry => fill(entry, 0)),
  })
}
