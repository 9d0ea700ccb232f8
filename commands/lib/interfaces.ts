/** Interfaces as programs of the C library see them: if_nametoindex(3), if_indextoname(3), getifaddrs(3). */
import { isSysError } from '../../src/uapi/errno.ts'
import { NETLINK_ROUTE, type NetlinkSocket, NLM_F_DUMP, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import type { Process } from '../../src/uapi/process.ts'
import { type AddrMessage, type LinkMessage, RTM_NEWADDR, RTM_NEWLINK } from '../../src/uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../src/uapi/socket.ts'
import { addrMessage, linkMessage } from './rtnl.ts'

/** What is known of an interface. */
export interface Interface {
  readonly index: number
  readonly name: string
  /** IFF_… */
  readonly flags: number
  /** ARPHRD_… */
  readonly type: number
  /** hardware address, empty where it has none */
  readonly address: Uint8Array
  readonly broadcast: Uint8Array
}

/** An address of an interface. */
export interface InterfaceAddress {
  /** the address's label where it has one, else the interface's name */
  readonly name: string
  readonly family: number
  readonly addr: Uint8Array
}

function withNetlink<T>(proc: Process, use: (nl: NetlinkSocket) => T): T {
  const nl = proc.netlink(NETLINK_ROUTE)
  try {
    return use(nl)
  } finally {
    nl.close()
  }
}

function toInterface(link: LinkMessage): Interface {
  const { ifname, address, broadcast } = link.attrs
  return {
    index: link.index,
    name: ifname ?? '',
    flags: link.ifFlags,
    type: link.hatype,
    address: address ?? new Uint8Array(0),
    broadcast: broadcast ?? new Uint8Array(0),
  }
}

/** @returns all interfaces, by index */
export function interfaces(proc: Process): Interface[] {
  return withNetlink(proc, nl =>
    nl
      .request(linkMessage({ flags: NLM_F_REQUEST | NLM_F_DUMP }))
      .filter((message): message is LinkMessage => message.type === RTM_NEWLINK)
      .map(toInterface),
  )
}

function find(proc: Process, request: LinkMessage): Interface | undefined {
  return withNetlink(proc, nl => {
    try {
      for (const message of nl.request(request))
        if (message.type === RTM_NEWLINK) return toInterface(message as LinkMessage)
      return undefined
    } catch (error) {
      if (isSysError(error)) return undefined
      throw error
    }
  })
}

/** @returns the interface of a name, or undefined */
export function interfaceByName(proc: Process, name: string): Interface | undefined {
  if (name === '') return undefined
  return find(proc, linkMessage({ attrs: name.length < 16 ? { ifname: name } : { altIfname: name } }))
}

/** @returns the interface of an index, or undefined */
export function interfaceByIndex(proc: Process, index: number): Interface | undefined {
  return index === 0 ? undefined : find(proc, linkMessage({ index }))
}

/** @returns all addresses of all interfaces, in the kernel's order */
export function interfaceAddresses(proc: Process): InterfaceAddress[] {
  const names = new Map(interfaces(proc).map(entry => [entry.index, entry.name]))
  return withNetlink(proc, nl => {
    const found: InterfaceAddress[] = []
    for (const message of nl.request(addrMessage({ flags: NLM_F_REQUEST | NLM_F_DUMP, family: AF_UNSPEC }))) {
      if (message.type !== RTM_NEWADDR) continue
      const { index, family, attrs } = message as AddrMessage
      const addr = attrs.local ?? attrs.address
      if (addr !== undefined) found.push({ name: attrs.label ?? names.get(index) ?? '', family, addr })
    }
    return found
  })
}
