/** Host names to addresses, as getaddrinfo(3) of the GNU C library finds them on a machine without a name server. */
import { isSysError } from '../../src/uapi/errno.ts'
import type { Process } from '../../src/uapi/process.ts'
import { AF_INET, AF_INET6, AF_UNSPEC, SOCK_DGRAM, type Sockaddr } from '../../src/uapi/socket.ts'
import { formatIpv4, formatIpv6, parseDottedQuad, parseIpv6 } from './inet.ts'
import { interfaceByName } from './interfaces.ts'
import { scanInteger } from './number.ts'

/** One address of a name. */
export interface HostAddress {
  readonly family: typeof AF_INET | typeof AF_INET6
  /** 4 or 16 bytes */
  readonly addr: Uint8Array
  /** interface index that was given after `%`, else 0 */
  readonly scopeId: number
  /** the name's official form; the name itself where it was an address */
  readonly canonname: string
}

/** Why there is no address, in gai_strerror(3)'s words. */
export const EAI_AGAIN = 'Temporary failure in name resolution'
export const EAI_NONAME = 'Name or service not known'
export const EAI_ADDRFAMILY = 'Address family for hostname not supported'
export type ResolveError = typeof EAI_AGAIN | typeof EAI_NONAME | typeof EAI_ADDRFAMILY

/** @returns the bytes of an IPv4 address in any form of inet_aton(3) (`10.1`, `0x0a000001`), or undefined */
export function inetAton(word: string): Uint8Array | undefined {
  const parts = word.split('.')
  if (parts.length > 4) return undefined
  let address = 0n
  for (const [i, part] of parts.entries()) {
    if (!/^[0-9]/.test(part)) return undefined
    const { value, length } = scanInteger(part, 0)
    if (length !== part.length) return undefined
    const last = i === parts.length - 1
    const bits = last ? BigInt(8 * (4 - i)) : 8n
    if (value >= 1n << bits) return undefined
    address |= last ? value : value << BigInt(8 * (3 - i))
  }
  const number = Number(address)
  return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number)
}

/** @returns whether an IPv6 address is link-local, unicast or multicast */
export function isLinkLocal(addr: Uint8Array): boolean {
  return (addr[0] === 0xfe && (addr[1]! & 0xc0) === 0x80) || (addr[0] === 0xff && (addr[1]! & 0x0f) === 2)
}

/** @returns an IPv4 address as a number in host order */
export function ipv4Number(bytes: Uint8Array): number {
  return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0
}

/** @returns the text of an IPv4 address given as a number in host order */
export function ipv4Text(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}

/** @returns the address of a socket address with a port */
export function socketAddress(host: HostAddress, port: number): Sockaddr {
  if (host.family === AF_INET) return { family: AF_INET, addr: ipv4Number(host.addr), port }
  return { family: AF_INET6, addr: host.addr, port, scopeId: host.scopeId }
}

/** Reads the index after `%`: an interface's name where the address is link-local, else a number. */
function scopeOf(proc: Process, addr: Uint8Array, text: string): number | undefined {
  const index = isLinkLocal(addr) ? interfaceByName(proc, text)?.index : undefined
  if (index !== undefined) return index
  const { value, length } = scanInteger(text, 10)
  return length === text.length && length > 0 && value >= 0n && value <= 0xffffffffn ? Number(value) : undefined
}

/** An address in text. @returns undefined where the word is none */
function literal(proc: Process, word: string): HostAddress | ResolveError | undefined {
  const four = inetAton(word)
  if (four !== undefined) return { family: AF_INET, addr: four, scopeId: 0, canonname: word }
  const percent = word.indexOf('%')
  const six = parseIpv6(percent < 0 ? word : word.slice(0, percent))
  if (six === undefined) return undefined
  const scopeId = percent < 0 ? 0 : scopeOf(proc, six, word.slice(percent + 1))
  return scopeId === undefined ? EAI_NONAME : { family: AF_INET6, addr: six, scopeId, canonname: word }
}

/** The addresses that /etc/hosts has for a name. */
function fromHosts(proc: Process, name: string): HostAddress[] {
  let text: string
  try {
    text = new TextDecoder().decode(proc.readFile('/etc/hosts'))
  } catch (error) {
    if (isSysError(error)) return []
    throw error
  }
  const wanted = name.toLowerCase()
  const found: HostAddress[] = []
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (address === undefined || !names.some(candidate => candidate.toLowerCase() === wanted)) continue
    const canonname = names[0]!
    const four = parseDottedQuad(address)
    if (four !== undefined) found.push({ family: AF_INET, addr: four, scopeId: 0, canonname })
    const six = four === undefined ? parseIpv6(address) : undefined
    if (six !== undefined) found.push({ family: AF_INET6, addr: six, scopeId: 0, canonname })
  }
  return found
}

/** How RFC 6724's table ranks a destination. */
function precedence(host: HostAddress): number {
  if (host.family === AF_INET) return 35
  if (host.addr.every((byte, i) => byte === (i === 15 ? 1 : 0))) return 50
  if ((host.addr[0]! & 0xfe) === 0xfc) return 3
  return 40
}

/** Whether there is a route to an address, asked of the kernel by connecting a datagram socket. */
async function reachable(proc: Process, host: HostAddress): Promise<boolean> {
  let fd = -1
  try {
    fd = proc.socket(host.family, SOCK_DGRAM, 0)
    await proc.connect(fd, socketAddress(host, 53))
    return true
  } catch (error) {
    if (isSysError(error)) return false
    throw error
  } finally {
    if (fd >= 0) proc.close(fd)
  }
}

/** Sorts the addresses of a name: those that can be reached first, then by precedence, else in the file's order. */
async function sorted(proc: Process, hosts: readonly HostAddress[]): Promise<HostAddress[]> {
  if (hosts.length < 2) return [...hosts]
  const ranked: { host: HostAddress; usable: number; rank: number }[] = []
  for (const host of hosts) ranked.push({ host, usable: (await reachable(proc, host)) ? 1 : 0, rank: precedence(host) })
  ranked.sort((a, b) => b.usable - a.usable || b.rank - a.rank)
  return ranked.map(entry => entry.host)
}

/**
 * Looks a name or an address in text up.
 * @param family AF_INET, AF_INET6, or AF_UNSPEC for both
 * @returns at least one address, the preferred one first, or why there is none
 */
export async function getaddrinfo(
  proc: Process,
  name: string,
  family: number = AF_UNSPEC,
): Promise<HostAddress[] | ResolveError> {
  if (name === '' || name === '-') return EAI_NONAME
  const address = literal(proc, name)
  if (typeof address === 'string') return address
  if (address !== undefined) return family === AF_UNSPEC || family === address.family ? [address] : EAI_ADDRFAMILY
  const all = fromHosts(proc, name)
  const wanted = all.filter(host => family === AF_UNSPEC || family === host.family)
  if (wanted.length > 0) return sorted(proc, wanted)
  return EAI_AGAIN
}

/** @returns an address in text, without a scope */
export function hostText(host: Pick<HostAddress, 'family' | 'addr'>): string {
  return host.family === AF_INET ? formatIpv4(host.addr) : formatIpv6(host.addr)
}
