/**
 * Network addresses and prefixes as iproute2 reads and writes them.
 *
 * IPv4 octets may be decimal, octal (`010`) or hexadecimal (`0x0a`), and missing ones are 0: `10.9/16` is 10.9.0.0/16.
 * `default` is the prefix of length 0, `any` and `all` are no address at all. IPv6 addresses follow RFC 4291, and
 * are written as RFC 5952 says (as inet_ntop(3) does).
 */
import { AF_BRIDGE, AF_INET, AF_INET6, AF_MPLS, AF_PACKET, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { ToolExit } from './errors.ts'
import { llAddrN2a, parseLlAddr } from './lladdr.ts'
import { getUnsigned, scanInteger } from './number.ts'

/** An address with a prefix length. */
export interface InetPrefix {
  /** AF_…; AF_UNSPEC for `default` and `any` read without a family */
  readonly family: number
  /** network order; empty for `any`/`all`; zeroes (none for AF_UNSPEC) for `default` */
  readonly data: Uint8Array
  /** prefix length in bits: that given, else all bits, 0 for `default`, `any` and `all` */
  readonly bitlen: number
  /** whether the length was written (`default` counts as written) */
  readonly specified: boolean
}

/** @returns the bytes of an address of a family, 0 where it has none */
export function afByteLen(family: number): number {
  return family === AF_INET ? 4 : family === AF_INET6 ? 16 : family === AF_MPLS ? 4 : 0
}

/** @returns the bits of an address of a family */
export function afBitLen(family: number): number {
  return family === AF_MPLS ? 20 : afByteLen(family) * 8
}

/** @returns an address family by its name on the command line, or undefined */
export function readFamily(name: string): number | undefined {
  switch (name) {
    case 'inet':
      return AF_INET
    case 'inet6':
      return AF_INET6
    case 'link':
      return AF_PACKET
    case 'mpls':
      return AF_MPLS
    case 'bridge':
      return AF_BRIDGE
    default:
      return undefined
  }
}

/** @returns an address family's name, `???` for one without */
export function familyName(family: number): string {
  switch (family) {
    case AF_INET:
      return 'inet'
    case AF_INET6:
      return 'inet6'
    case AF_PACKET:
      return 'link'
    case AF_MPLS:
      return 'mpls'
    case AF_BRIDGE:
      return 'bridge'
    default:
      return '???'
  }
}

/** @returns a family's name for error texts, `any valid` where none was asked for */
export function familyNameVerbose(family: number): string {
  return family === AF_UNSPEC ? 'any valid' : familyName(family)
}

/** @returns the 4 bytes of an IPv4 address with 1 to 4 octets of any base, or undefined */
export function parseIpv4(word: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4)
  let rest = word
  for (let i = 0; ; i++) {
    const { value, length } = scanInteger(rest, 0)
    if (length === 0 || value < 0n || value > 255n) return undefined
    bytes[i] = Number(value)
    if (length === rest.length) return bytes
    if (i === 3 || rest[length] !== '.') return undefined
    rest = rest.slice(length + 1)
  }
}

/** @returns the 4 bytes of a strict dotted quad (inet_pton(3)), or undefined */
export function parseDottedQuad(word: string): Uint8Array | undefined {
  const parts = word.split('.')
  if (parts.length !== 4) return undefined
  const bytes = new Uint8Array(4)
  for (const [i, part] of parts.entries()) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    bytes[i] = Number(part)
  }
  return bytes
}

/** @returns the 16 bytes of an IPv6 address (inet_pton(3)), or undefined */
export function parseIpv6(word: string): Uint8Array | undefined {
  let text = word
  const tail: number[] = []
  const lastColon = text.lastIndexOf(':')
  if (text.includes('.')) {
    const quad = parseDottedQuad(text.slice(lastColon + 1))
    if (lastColon < 0 || quad === undefined) return undefined
    tail.push((quad[0]! << 8) | quad[1]!, (quad[2]! << 8) | quad[3]!)
    text = text.slice(0, lastColon + 1)
    text = text.endsWith('::') ? text : text.slice(0, -1)
  }
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const groups = (half: string): number[] | undefined => {
    if (half === '') return []
    const list: number[] = []
    for (const group of half.split(':')) {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined
      list.push(Number.parseInt(group, 16))
    }
    return list
  }
  const head = groups(halves[0]!)
  const rest = halves.length === 2 ? groups(halves[1]!) : []
  if (head === undefined || rest === undefined) return undefined
  const given = head.length + rest.length + tail.length
  if (halves.length === 2 ? given > 7 : given !== 8) return undefined
  const words = [...head, ...new Array<number>(8 - given).fill(0), ...rest, ...tail]
  const bytes = new Uint8Array(16)
  for (const [i, value] of words.entries()) {
    bytes[2 * i] = value >> 8
    bytes[2 * i + 1] = value & 0xff
  }
  return bytes
}

/** @returns the text of 4 address bytes */
export function formatIpv4(bytes: Uint8Array): string {
  return `${bytes[0] ?? 0}.${bytes[1] ?? 0}.${bytes[2] ?? 0}.${bytes[3] ?? 0}`
}

/** @returns the text of 16 address bytes, as inet_ntop(3) writes it */
export function formatIpv6(bytes: Uint8Array): string {
  const words: number[] = []
  for (let i = 0; i < 16; i += 2) words.push((bytes[i]! << 8) | bytes[i + 1]!)
  let best = -1
  let bestLength = 1
  for (let i = 0; i < 8; ) {
    let end = i
    while (end < 8 && words[end] === 0) end++
    if (end - i > bestLength) {
      best = i
      bestLength = end - i
    }
    i = end === i ? i + 1 : end
  }
  const mapped = best === 0 && bestLength === 5 && words[5] === 0xffff
  const compatible = best === 0 && bestLength === 6
  if (mapped || compatible) return `::${mapped ? 'ffff:' : ''}${formatIpv4(bytes.subarray(12))}`
  const hex = (list: number[]): string => list.map(word => word.toString(16)).join(':')
  return best < 0 ? hex(words) : `${hex(words.slice(0, best))}::${hex(words.slice(best + bestLength))}`
}

/** The text of MPLS label stack bytes: `100/200`. */
function formatMpls(bytes: Uint8Array): string {
  const labels: number[] = []
  for (let i = 0; i + 3 < bytes.length; i += 4) {
    labels.push((bytes[i]! << 12) | (bytes[i + 1]! << 4) | (bytes[i + 2]! >> 4))
    if ((bytes[i + 2]! & 1) !== 0) break
  }
  return labels.join('/')
}

function parseMpls(word: string): Uint8Array | undefined {
  const labels = word.split('/')
  const bytes = new Uint8Array(labels.length * 4)
  for (const [i, text] of labels.entries()) {
    const { value, length } = scanInteger(text, 0)
    if (length === 0 || length !== text.length || value < 0n || value >= 1n << 20n) return undefined
    const entry = (Number(value) << 12) | (i === labels.length - 1 ? 0x100 : 0)
    new DataView(bytes.buffer).setUint32(4 * i, entry >>> 0)
  }
  return bytes
}

/** @returns the text of an address of a family (rt_addr_n2a); `???` for a family that has no text */
export function formatAddress(family: number, bytes: Uint8Array): string {
  switch (family) {
    case AF_INET:
      return formatIpv4(bytes)
    case AF_INET6:
      return bytes.length < 16 ? '???' : formatIpv6(bytes)
    case AF_MPLS:
      return formatMpls(bytes)
    case AF_PACKET:
      return llAddrN2a(bytes, 0)
    case AF_BRIDGE:
      return bytes.length === 16 ? formatIpv6(bytes) : formatIpv4(bytes)
    default:
      return '???'
  }
}

interface ReadAddress {
  family: number
  data: Uint8Array
  special: 'default' | 'any' | undefined
}

function readAddress(word: string, family: number): ReadAddress | undefined {
  if (word === 'default' || word === 'any' || word === 'all') {
    if (family === AF_MPLS) return undefined
    const special = word === 'default' ? 'default' : 'any'
    return { family, data: new Uint8Array(special === 'default' ? afByteLen(family) : 0), special }
  }
  if (family === AF_PACKET) {
    const data = parseLlAddr(word)
    return data === undefined ? undefined : { family, data, special: undefined }
  }
  if (word.includes(':')) {
    if (family !== AF_UNSPEC && family !== AF_INET6) return undefined
    const data = parseIpv6(word)
    return data === undefined ? undefined : { family: AF_INET6, data, special: undefined }
  }
  if (family === AF_MPLS) {
    const data = parseMpls(word)
    return data === undefined ? undefined : { family, data, special: undefined }
  }
  if (family !== AF_UNSPEC && family !== AF_INET) return undefined
  const data = parseIpv4(word)
  return data === undefined ? undefined : { family: AF_INET, data, special: undefined }
}

/** Reads an address without a length. @param family AF_UNSPEC takes any. @returns undefined where it is none */
export function parseAddress(word: string, family: number = AF_UNSPEC): InetPrefix | undefined {
  const read = readAddress(word, family)
  if (read === undefined) return undefined
  const bitlen = read.special === undefined ? read.data.length * 8 : 0
  return { family: read.family, data: read.data, bitlen, specified: read.special === 'default' }
}

/** @returns the length of a netmask written as a number or as a dotted quad of ones followed by zeroes, or undefined */
export function parseNetmask(word: string, base = 0): number | undefined {
  const number = getUnsigned(word, base)
  if (number !== undefined) return number
  const quad = word.includes(':') ? undefined : parseIpv4(word)
  if (quad === undefined) return undefined
  const mask = new DataView(quad.buffer).getUint32(0)
  const host = ~mask >>> 0
  return (host & (host + 1)) !== 0 ? undefined : Math.clz32(host)
}

/** Reads an address with an optional `/length`. @returns undefined where it is none */
export function parsePrefix(word: string, family: number = AF_UNSPEC): InetPrefix | undefined {
  const slash = word.indexOf('/')
  const read = readAddress(slash < 0 ? word : word.slice(0, slash), family)
  if (read === undefined) return undefined
  if (slash < 0) {
    const bitlen = read.special === undefined ? afBitLen(read.family) : 0
    return { family: read.family, data: read.data, bitlen, specified: read.special === 'default' }
  }
  if (read.special !== undefined) return undefined
  const bitlen = parseNetmask(word.slice(slash + 1))
  if (bitlen === undefined || bitlen > afBitLen(read.family)) return undefined
  return { family: read.family, data: read.data, bitlen, specified: true }
}

/** Reads an address or leaves with `Error: … address is expected rather than "x".`, status 1 (get_addr). */
export function getAddr(word: string, family: number = AF_UNSPEC): InetPrefix {
  const address = parseAddress(word, family)
  if (address !== undefined) return address
  throw new ToolExit(`Error: ${familyNameVerbose(family)} address is expected rather than "${word}".\n`, 1)
}

/** Reads a prefix or leaves with `Error: … prefix is expected rather than "x".`, status 1 (get_prefix). */
export function getPrefix(word: string, family: number = AF_UNSPEC): InetPrefix {
  if (family === AF_PACKET) {
    const text = `Error: "${word}" may be inet prefix, but it is not allowed in this context.\n`
    throw new ToolExit(text, 1)
  }
  const prefix = parsePrefix(word, family)
  if (prefix !== undefined) return prefix
  throw new ToolExit(`Error: ${familyNameVerbose(family)} prefix is expected rather than "${word}".\n`, 1)
}

/** Reads an IPv4 address as bytes or leaves with status 1 (get_addr32). */
export function getAddr32(word: string): Uint8Array {
  const address = parseAddress(word, AF_INET)
  if (address !== undefined) return address.data.length === 4 ? address.data : new Uint8Array(4)
  throw new ToolExit(`Error: an IP address is expected rather than "${word}"\n`, 1)
}

/** @returns whether the first `bits` bits of two addresses are equal; missing bytes count as 0 */
export function prefixEqual(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  const whole = bits >> 3
  for (let i = 0; i < whole; i++) if ((a[i] ?? 0) !== (b[i] ?? 0)) return false
  const rest = bits & 7
  if (rest === 0) return true
  const mask = (0xff << (8 - rest)) & 0xff
  return ((a[whole] ?? 0) & mask) === ((b[whole] ?? 0) & mask)
}

/** @returns whether an address attribute is inside a prefix; an absent one, or a prefix without family, is (inet_addr_match_rta) */
export function prefixContains(prefix: InetPrefix, address: Uint8Array | undefined): boolean {
  if (address === undefined || prefix.family === AF_UNSPEC || prefix.bitlen <= 0) return true
  return prefixEqual(prefix.data, address, prefix.bitlen)
}

/** @returns whether an IPv4 or IPv6 address is a multicast one */
export function isMulticast(prefix: InetPrefix): boolean {
  const first = prefix.data[0] ?? 0
  return prefix.family === AF_INET ? first >> 4 === 0xe : prefix.family === AF_INET6 && first === 0xff
}

/** @returns whether an IPv4 or IPv6 address is all zeroes */
export function isUnspecified(prefix: InetPrefix): boolean {
  return (prefix.family === AF_INET || prefix.family === AF_INET6) && prefix.data.every(byte => byte === 0)
}
