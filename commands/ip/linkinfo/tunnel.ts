/** What the IP tunnels share: keys, endpoints, encapsulation in UDP. */
import type { TunnelEncapData } from '../../../src/uapi/if_link.ts'
import { AF_INET } from '../../../src/uapi/socket.ts'
import type { Args } from '../../lib/args.ts'
import { EXIT_USAGE, invarg, nodev, ToolExit } from '../../lib/errors.ts'
import { formatIpv4, getAddr, parseIpv4 } from '../../lib/inet.ts'
import { getU32, getUnsigned } from '../../lib/number.ts'
import type { Printer } from '../../lib/printer.ts'
import { u16 } from '../../lib/values.ts'
import type { IpContext } from '../context.ts'

/** Flags of GRE headers, host order. */
export const GRE_CSUM = 0x8000
export const GRE_KEY = 0x2000
export const GRE_SEQ = 0x1000

/** Keys, sequence numbers and checksums of a GRE tunnel. */
export interface KeyData {
  iflags?: number
  oflags?: number
  ikey?: number
  okey?: number
}

/** Reads a tunnel key: a dotted quad or a number; leaves otherwise. */
export function parseTunnelKey(name: string, word: string): number {
  if (word.includes('.')) {
    const { data } = getAddr(word, AF_INET)
    return new DataView(data.buffer, data.byteOffset, 4).getUint32(0)
  }
  const key = getUnsigned(word)
  if (key !== undefined) return key
  throw new ToolExit(`invalid value for "${name}": "${word}"; it should be an unsigned integer\n`, EXIT_USAGE)
}

/** @returns a key as the dotted quad listings have it */
export function formatKey(key: number): string {
  return formatIpv4(Uint8Array.of(key >>> 24, (key >>> 16) & 255, (key >>> 8) & 255, key & 255))
}

/** Words for keys, sequence numbers and checksums: the word, the flag, the directions, on or off. */
const FLAG_WORDS: readonly (readonly [string, number, 'i' | 'o' | 'io', boolean])[] = [
  ['seq', GRE_SEQ, 'io', true],
  ['iseq', GRE_SEQ, 'i', true],
  ['oseq', GRE_SEQ, 'o', true],
  ['noseq', GRE_SEQ, 'io', false],
  ['noiseq', GRE_SEQ, 'i', false],
  ['nooseq', GRE_SEQ, 'o', false],
  ['csum', GRE_CSUM, 'io', true],
  ['icsum', GRE_CSUM, 'i', true],
  ['ocsum', GRE_CSUM, 'o', true],
  ['nocsum', GRE_CSUM, 'io', false],
  ['noicsum', GRE_CSUM, 'i', false],
  ['noocsum', GRE_CSUM, 'o', false],
  ['nokey', GRE_KEY, 'io', false],
  ['noikey', GRE_KEY, 'i', false],
  ['nookey', GRE_KEY, 'o', false],
]

/** Reads one of the words for keys, sequence numbers and checksums. @returns whether the current word was one */
export function parseKeyWord(args: Args, data: KeyData): boolean {
  const set = (direction: 'i' | 'o', flag: number, on: boolean): void => {
    const field = direction === 'i' ? 'iflags' : 'oflags'
    const flags = data[field] ?? 0
    data[field] = on ? flags | flag : flags & ~flag
  }
  if (args.matches('key')) {
    const key = parseTunnelKey('key', args.next())
    set('i', GRE_KEY, true)
    set('o', GRE_KEY, true)
    data.ikey = key
    data.okey = key
    return true
  }
  if (args.matches('ikey')) {
    data.ikey = parseTunnelKey('ikey', args.next())
    set('i', GRE_KEY, true)
    return true
  }
  if (args.matches('okey')) {
    data.okey = parseTunnelKey('okey', args.next())
    set('o', GRE_KEY, true)
    return true
  }
  const word = FLAG_WORDS.find(([name]) => args.matches(name))
  if (word === undefined) return false
  const [, flag, directions, on] = word
  if (directions.includes('i')) set('i', flag, on)
  if (directions.includes('o')) set('o', flag, on)
  return true
}

const ENCAP_NONE = 0
const ENCAP_FOU = 1
const ENCAP_GUE = 2
const ENCAP_FLAG_CSUM = 1
const ENCAP_FLAG_CSUM6 = 2
const ENCAP_FLAG_REMCSUM = 4

/** Words that set or clear encapsulation flags. */
const ENCAP_FLAGS: readonly (readonly [string, number])[] = [
  ['encap-csum', ENCAP_FLAG_CSUM],
  ['encap-udp6-csum', ENCAP_FLAG_CSUM6],
  ['encap-csum6', ENCAP_FLAG_CSUM6],
  ['encap-remcsum', ENCAP_FLAG_REMCSUM],
]

/** Reads one of the words of UDP encapsulation. @returns whether the current word was one */
export function parseEncapWord(args: Args, data: TunnelEncapData): boolean {
  if (args.is('noencap')) {
    data.encapType = ENCAP_NONE
    return true
  }
  if (args.is('encap')) {
    const word = args.next()
    if (word === 'fou') data.encapType = ENCAP_FOU
    else if (word === 'gue') data.encapType = ENCAP_GUE
    else if (word === 'none') data.encapType = ENCAP_NONE
    else invarg('Invalid encap type.', word)
    return true
  }
  if (args.is('encap-sport')) {
    const word = args.next()
    data.encapSport = word === 'auto' ? 0 : u16(word, 'Invalid source port.')
    return true
  }
  if (args.is('encap-dport')) {
    data.encapDport = u16(args.next(), 'Invalid destination port.')
    return true
  }
  for (const [name, flag] of ENCAP_FLAGS) {
    const flags = data.encapFlags ?? 0
    if (args.is(name)) data.encapFlags = flags | flag
    else if (args.is(`no${name}`)) data.encapFlags = flags & ~flag
    else continue
    return true
  }
  return false
}

/** Prints the UDP encapsulation, if there is one. */
export function printEncap(out: Printer, data: TunnelEncapData): void {
  const { encapType, encapFlags = 0, encapSport = 0, encapDport = 0 } = data
  if (encapType === undefined || encapType === ENCAP_NONE) return
  out.openObject('encap')
  out.text('encap ')
  const name = encapType === ENCAP_FOU ? 'fou' : encapType === ENCAP_GUE ? 'gue' : 'unknown'
  out.put('type', name, `${name} `)
  if (encapSport === 0) out.text('encap-sport auto ')
  else out.put('sport', encapSport, `encap-sport ${encapSport} `)
  out.put('dport', encapDport, `encap-dport ${encapDport} `)
  const flag = (key: string, bit: number, word: string): void => {
    const on = (encapFlags & bit) !== 0
    out.put(key, on, `${on ? '' : 'no'}encap-${word} `)
  }
  flag('csum', ENCAP_FLAG_CSUM, 'csum')
  flag('csum6', ENCAP_FLAG_CSUM6, 'csum6')
  flag('remcsum', ENCAP_FLAG_REMCSUM, 'remcsum')
  out.closeObject()
}

/** Prints an endpoint; an address of zeroes is `any`. */
export function printEndpoint(
  ctx: IpContext,
  out: Printer,
  name: string,
  family: number,
  address: Uint8Array | undefined,
): void {
  if (address === undefined) return
  const text = address.every(byte => byte === 0) ? 'any' : ctx.formatHost(family, address)
  out.put(name, text, `${name} ${text} `)
}

/** Prints keys, sequence numbers and checksums. */
export function printKeys(out: Printer, data: KeyData): void {
  const { iflags = 0, oflags = 0 } = data
  if ((iflags & GRE_KEY) !== 0 && data.ikey !== undefined) {
    const key = formatKey(data.ikey)
    out.put('ikey', key, `ikey ${key} `)
  }
  if ((oflags & GRE_KEY) !== 0 && data.okey !== undefined) {
    const key = formatKey(data.okey)
    out.put('okey', key, `okey ${key} `)
  }
  const flag = (key: string, flags: number, bit: number): void => {
    if ((flags & bit) !== 0) out.put(key, true, `${key} `)
  }
  flag('iseq', iflags, GRE_SEQ)
  flag('oseq', oflags, GRE_SEQ)
  flag('icsum', iflags, GRE_CSUM)
  flag('ocsum', oflags, GRE_CSUM)
}

/** Prints the lower device. */
export function printLower(ctx: IpContext, out: Printer, link: number | undefined): void {
  if (link === undefined || link === 0) return
  const dev = ctx.links.indexToName(link)
  out.put('link', dev, `dev ${dev} `)
}

/** Prints the mark, if there is one. */
export function printFwmark(out: Printer, fwmark: number | undefined): void {
  if (fwmark === undefined || fwmark === 0) return
  const hex = `0x${fwmark.toString(16)}`
  out.put('fwmark', hex, `fwmark ${hex} `)
}

/** Reads a mark. */
export function parseFwmark(word: string): number {
  return getU32(word) ?? invarg('invalid fwmark\n', word)
}

/** Reads an IPv4 endpoint as 4 bytes; `any` is all zeroes. */
export function parseEndpoint4(word: string): Uint8Array {
  const { data } = getAddr(word, AF_INET)
  return data.length === 4 ? data : (parseIpv4('0') ?? new Uint8Array(4))
}

/** Index of a lower device, or leaves with `Cannot find device`, status 255. */
export function lowerDevice(ctx: IpContext, word: string): number {
  const index = ctx.links.nameToIndex(word)
  if (index === 0) throw new ToolExit(nodev(word).text, EXIT_USAGE)
  return index
}

/** Reads a TTL: `inherit` is 0. */
export function parseTtl(word: string, message = 'invalid TTL\n'): number {
  if (word === 'inherit') return 0
  const ttl = getUnsigned(word)
  if (ttl === undefined || ttl > 255) invarg(message, word)
  return ttl
}

/** Reads a TOS: `inherit`, a name of rt_dsfield, or `inherit/TOS`. */
export function parseTos(ctx: IpContext, word: string): number {
  if (word === 'inherit') return 1
  const inherited = word.startsWith('inherit/')
  const name = inherited ? word.slice('inherit/'.length) : word
  const tos = ctx.names.rtDsfield.a2n(name) ?? invarg('bad TOS value', word)
  return inherited ? tos | 1 : tos
}
