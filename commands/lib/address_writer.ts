/** How ping and its kin write addresses: as names with the address in brackets, or numerically. */
import type { Process } from '../../src/uapi/process.ts'
import { AF_INET, type SockaddrIn, type SockaddrIn6 } from '../../src/uapi/socket.ts'
import { ipv4Text, isLinkLocal } from './getaddrinfo.ts'
import { formatIpv6 } from './inet.ts'
import { interfaceByIndex } from './interfaces.ts'
import { HostNames } from './resolve.ts'

/** Writes addresses; names come from /etc/hosts, interface names from the kernel, each asked for once. */
export class AddressWriter {
  private readonly proc: Process
  private readonly names: HostNames
  private readonly scopes = new Map<number, string>()

  constructor(proc: Process) {
    this.proc = proc
    this.names = new HostNames(proc)
  }

  /** @returns an address without a name; a link-local one with its interface */
  numeric(address: SockaddrIn | SockaddrIn6): string {
    if (address.family === AF_INET) return ipv4Text(address.addr)
    const { addr, scopeId = 0 } = address
    const text = formatIpv6(addr)
    if (scopeId === 0) return text
    return `${text}%${isLinkLocal(addr) ? this.scopeName(scopeId) : scopeId}`
  }

  /** @returns `name (address)`, or the address alone where it has no name or `numeric` is set */
  text(address: SockaddrIn | SockaddrIn6, numeric: boolean): string {
    const plain = this.numeric(address)
    const name = numeric ? undefined : this.names.lookup(plain)
    return name === undefined ? plain : `${name} (${plain})`
  }

  private scopeName(index: number): string {
    let name = this.scopes.get(index)
    if (name === undefined) {
      name = interfaceByIndex(this.proc, index)?.name ?? String(index)
      this.scopes.set(index, name)
    }
    return name
  }
}
