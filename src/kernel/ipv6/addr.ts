/**
 * IPv6 addresses as 16 bytes in network order: kinds and scopes (RFC 4291), comparison, prefixes, well-known groups.
 * Functions ending in `At` read an address inside a packet buffer, so that the packet path copies nothing.
 */

/** An address: 16 bytes, network order. */
export type In6Addr = Uint8Array

/** Kinds, as bits of `addrType`. */
export const IPV6_ADDR_ANY = 0x0000
export const IPV6_ADDR_UNICAST = 0x0001
export const IPV6_ADDR_MULTICAST = 0x0002
export const IPV6_ADDR_LOOPBACK = 0x0010
export const IPV6_ADDR_LINKLOCAL = 0x0020
export const IPV6_ADDR_SITELOCAL = 0x0040
export const IPV6_ADDR_COMPATV4 = 0x0080
export const IPV6_ADDR_MAPPED = 0x1000

/** Scopes of multicast addresses (RFC 4291 §2.7), used for unicast addresses as well. */
export const IPV6_ADDR_SCOPE_INTFACELOCAL = 0x01
export const IPV6_ADDR_SCOPE_LINKLOCAL = 0x02
export const IPV6_ADDR_SCOPE_SITELOCAL = 0x05
export const IPV6_ADDR_SCOPE_ORGLOCAL = 0x08
export const IPV6_ADDR_SCOPE_GLOBAL = 0x0e

/** `addrType` carries the scope above its kind bits. */
const SCOPE_SHIFT = 16

/** Makes an address of eight 16-bit groups. */
export function in6(...groups: number[]): In6Addr {
  const addr = new Uint8Array(16)
  groups.forEach((group, i) => {
    addr[2 * i] = group >> 8
    addr[2 * i + 1] = group & 0xff
  })
  return addr
}

export const IN6ADDR_ANY: In6Addr = in6()
export const IN6ADDR_LOOPBACK: In6Addr = in6(0, 0, 0, 0, 0, 0, 0, 1)
export const IN6ADDR_INTERFACELOCAL_ALLNODES: In6Addr = in6(0xff01, 0, 0, 0, 0, 0, 0, 1)
export const IN6ADDR_LINKLOCAL_ALLNODES: In6Addr = in6(0xff02, 0, 0, 0, 0, 0, 0, 1)
export const IN6ADDR_INTERFACELOCAL_ALLROUTERS: In6Addr = in6(0xff01, 0, 0, 0, 0, 0, 0, 2)
export const IN6ADDR_LINKLOCAL_ALLROUTERS: In6Addr = in6(0xff02, 0, 0, 0, 0, 0, 0, 2)
export const IN6ADDR_SITELOCAL_ALLROUTERS: In6Addr = in6(0xff05, 0, 0, 0, 0, 0, 0, 2)
/** where MLDv2 reports go (RFC 3810 §5.2.14) */
export const IN6ADDR_MLDV2_ROUTERS: In6Addr = in6(0xff02, 0, 0, 0, 0, 0, 0, 0x16)

/** @returns the kind of the address at `at`, with its scope above bit 16; 0 for :: */
export function addrTypeAt(buf: Uint8Array, at: number): number {
  const first = buf[at]!
  if (first === 0xff) {
    const scope = buf[at + 1]! & 0x0f
    const kind =
      scope === IPV6_ADDR_SCOPE_INTFACELOCAL
        ? IPV6_ADDR_LOOPBACK
        : scope === IPV6_ADDR_SCOPE_LINKLOCAL
          ? IPV6_ADDR_LINKLOCAL
          : scope === IPV6_ADDR_SCOPE_SITELOCAL
            ? IPV6_ADDR_SITELOCAL
            : 0
    return IPV6_ADDR_MULTICAST | kind | (scope << SCOPE_SHIFT)
  }
  if (first === 0xfe) {
    const bits = buf[at + 1]! & 0xc0
    if (bits === 0x80) return IPV6_ADDR_LINKLOCAL | IPV6_ADDR_UNICAST | (IPV6_ADDR_SCOPE_LINKLOCAL << SCOPE_SHIFT)
    if (bits === 0xc0) return IPV6_ADDR_SITELOCAL | IPV6_ADDR_UNICAST | (IPV6_ADDR_SCOPE_SITELOCAL << SCOPE_SHIFT)
  }
  const global = IPV6_ADDR_UNICAST | (IPV6_ADDR_SCOPE_GLOBAL << SCOPE_SHIFT)
  if (first !== 0) return global
  for (let i = 1; i < 8; i++) if (buf[at + i] !== 0) return global
  const third = word(buf, at + 8)
  if (third === 0xffff) return IPV6_ADDR_MAPPED | (IPV6_ADDR_SCOPE_GLOBAL << SCOPE_SHIFT)
  if (third !== 0) return global
  const last = word(buf, at + 12)
  if (last === 0) return IPV6_ADDR_ANY
  if (last === 1) return IPV6_ADDR_LOOPBACK | IPV6_ADDR_UNICAST | (IPV6_ADDR_SCOPE_LINKLOCAL << SCOPE_SHIFT)
  return IPV6_ADDR_COMPATV4 | global
}

/** @returns the kind of an address, with its scope above bit 16 */
export function addrType(addr: In6Addr): number {
  return addrTypeAt(addr, 0)
}

/** @returns the scope of what `addrType` returned */
export function scopeOfType(type: number): number {
  return type >>> SCOPE_SHIFT
}

/** @returns whether an address needs the interface to be known (RFC 4007): link-local unicast or narrow multicast */
export function needsScopeId(type: number): boolean {
  return (
    (type & IPV6_ADDR_LINKLOCAL) !== 0 ||
    ((type & IPV6_ADDR_MULTICAST) !== 0 && (type & (IPV6_ADDR_LOOPBACK | IPV6_ADDR_LINKLOCAL)) !== 0)
  )
}

/** @returns the 32-bit word at `at`, unsigned */
export function word(buf: Uint8Array, at: number): number {
  return ((buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!) >>> 0
}

/** @returns whether two addresses are the same */
export function addrEqual(a: In6Addr, b: In6Addr): boolean {
  return addrEqualAt(a, 0, b)
}

/** @returns whether the address at `at` is `b` */
export function addrEqualAt(buf: Uint8Array, at: number, b: In6Addr): boolean {
  for (let i = 15; i >= 0; i--) if (buf[at + i] !== b[i]) return false
  return true
}

/** @returns whether the address is :: */
export function addrAny(a: In6Addr): boolean {
  return addrAnyAt(a, 0)
}

/** @returns whether the address at `at` is :: */
export function addrAnyAt(buf: Uint8Array, at: number): boolean {
  for (let i = 0; i < 16; i++) if (buf[at + i] !== 0) return false
  return true
}

/** @returns whether the address is ::1 */
export function addrLoopback(a: In6Addr): boolean {
  return addrEqual(a, IN6ADDR_LOOPBACK)
}

/** @returns whether the address is multicast */
export function addrMulticast(a: In6Addr): boolean {
  return a[0] === 0xff
}

/** @returns whether the address is in fe80::/10 */
export function addrLinkLocal(a: In6Addr): boolean {
  return addrLinkLocalAt(a, 0)
}

/** @returns whether the address at `at` is in fe80::/10 */
export function addrLinkLocalAt(buf: Uint8Array, at: number): boolean {
  return buf[at] === 0xfe && (buf[at + 1]! & 0xc0) === 0x80
}

/** @returns whether the address is in ::ffff:0:0/96 */
export function addrV4Mapped(a: In6Addr): boolean {
  for (let i = 0; i < 10; i++) if (a[i] !== 0) return false
  return a[10] === 0xff && a[11] === 0xff
}

/** @returns the IPv4 address of a mapped one, host order */
export function mappedV4(a: In6Addr): number {
  return word(a, 12)
}

/** @returns ::ffff:a.b.c.d for an IPv4 address in host order */
export function v4Mapped(addr: number): In6Addr {
  return in6(0, 0, 0, 0, 0, 0xffff, addr >>> 16, addr & 0xffff)
}

/** @returns whether the first `plen` bits of two addresses are the same */
export function prefixEqual(a: In6Addr, b: In6Addr, plen: number): boolean {
  return prefixEqualAt(a, 0, b, plen)
}

/** @returns whether the first `plen` bits of the address at `at` are those of `b` */
export function prefixEqualAt(buf: Uint8Array, at: number, b: In6Addr, plen: number): boolean {
  const whole = plen >> 3
  for (let i = 0; i < whole; i++) if (buf[at + i] !== b[i]) return false
  const rest = plen & 7
  return rest === 0 || ((buf[at + whole]! ^ b[whole]!) & (0xff00 >> rest) & 0xff) === 0
}

/** @returns the address with all but its first `plen` bits zero, in a new array */
export function addrPrefix(a: In6Addr, plen: number): In6Addr {
  const prefix = new Uint8Array(16)
  const whole = plen >> 3
  for (let i = 0; i < whole; i++) prefix[i] = a[i]!
  const rest = plen & 7
  if (rest !== 0) prefix[whole] = a[whole]! & (0xff00 >> rest)
  return prefix
}

/** @returns how many leading bits two addresses share, 0 to 128 */
export function addrDiff(a: In6Addr, b: In6Addr): number {
  for (let i = 0; i < 16; i++) {
    const x = a[i]! ^ b[i]!
    if (x !== 0) return 8 * i + Math.clz32(x) - 24
  }
  return 128
}

/** @returns bit `bit` of an address, counted from the most significant */
export function addrBit(a: In6Addr, bit: number): number {
  return (a[bit >> 3]! >> (7 - (bit & 7))) & 1
}

/** @returns the solicited-node group of a unicast address (RFC 4291 §2.7.1) */
export function solicitedNode(a: In6Addr): In6Addr {
  return solicitedNodeInto(a, 0, new Uint8Array(16))
}

/** Writes the solicited-node group of the address at `at` into `to`. @returns `to` */
export function solicitedNodeInto(buf: Uint8Array, at: number, to: In6Addr): In6Addr {
  to.fill(0)
  to[0] = 0xff
  to[1] = 0x02
  to[11] = 0x01
  to[12] = 0xff
  to[13] = buf[at + 13]!
  to[14] = buf[at + 14]!
  to[15] = buf[at + 15]!
  return to
}

/** @returns a 32-bit hash of the address at `at` */
export function addrHashAt(buf: Uint8Array, at: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < 16; i += 4) {
    hash = Math.imul(hash ^ word(buf, at + i), 0x9e3779b1)
    hash ^= hash >>> 15
  }
  return hash >>> 0
}

/** @returns a 32-bit hash of an address */
export function addrHash(a: In6Addr): number {
  return addrHashAt(a, 0)
}

/** @returns the address as 32 hexadecimal digits, as /proc/net shows it */
export function addrHex(a: In6Addr): string {
  let text = ''
  for (let i = 0; i < 16; i++) text += (a[i]! >> 4).toString(16) + (a[i]! & 15).toString(16)
  return text
}

/** @returns the Ethernet group address of a multicast address (RFC 2464 §7) */
export function mcastEtherAddress(a: In6Addr): Uint8Array {
  return Uint8Array.of(0x33, 0x33, a[12]!, a[13]!, a[14]!, a[15]!)
}

/** An address as text (RFC 5952), for kernel log lines and /proc files that print it so. */
export function addrText(a: In6Addr): string {
  let best = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && a[2 * (i + length)] === 0 && a[2 * (i + length) + 1] === 0) length++
    if (length > bestLength) {
      best = i
      bestLength = length
    }
    if (length > 0) i += length - 1
  }
  const groups: string[] = []
  for (let i = 0; i < 8; i++) groups.push(((a[2 * i]! << 8) | a[2 * i + 1]!).toString(16))
  if (best < 0) return groups.join(':')
  return groups.slice(0, best).join(':') + '::' + groups.slice(best + bestLength).join(':')
}
