/** Link-layer addresses on the command line and in listings. */
import { ARPHRD_IP6GRE, ARPHRD_IPGRE, ARPHRD_SIT, ARPHRD_TUNNEL, ARPHRD_TUNNEL6 } from '../../src/uapi/if.ts'
import { CommandFailure } from './errors.ts'
import { formatIpv4, formatIpv6, parseIpv4 } from './inet.ts'

/** The number a part of an address begins with, or undefined where there is none of 8 bits. */
function parsePart(part: string): number | undefined {
  const match = /^[ \t\n\v\f\r]*([+-]?)(?:0[xX])?([0-9a-fA-F]+)/.exec(part)
  if (match === null) return undefined
  const value = Number.parseInt(match[2]!, 16)
  return value > 255 || (match[1] === '-' && value !== 0) ? undefined : value
}

/** Longest address in bytes. */
const MAX_ADDR_LEN = 32

/** The bytes of an address, or the part of it that is none. */
function readLlAddr(word: string): Uint8Array | string {
  if (word.includes('.')) return parseIpv4(word) ?? word
  const bytes: number[] = []
  for (const part of word.split(':').slice(0, MAX_ADDR_LEN)) {
    const value = parsePart(part)
    if (value === undefined) return part
    bytes.push(value)
  }
  return Uint8Array.from(bytes)
}

/** @returns the bytes of `aa:bb:…` (up to 32, each 1 or more hexadecimal digits) or of an IPv4 address, or undefined */
export function parseLlAddr(word: string): Uint8Array | undefined {
  const bytes = readLlAddr(word)
  return typeof bytes === 'string' ? undefined : bytes
}

/** @returns `"x" is invalid lladdr.` about the part of a word that is none */
export function invalidLlAddr(word: string): string {
  const part = readLlAddr(word)
  return `"${typeof part === 'string' ? part : word}" is invalid lladdr.\n`
}

/** Reads a link-layer address, or throws `"x" is invalid lladdr.`, status 1 (ll_addr_a2n). */
export function llAddrA2n(word: string): Uint8Array {
  const bytes = parseLlAddr(word)
  if (bytes === undefined) throw new CommandFailure(invalidLlAddr(word), 1)
  return bytes
}

/** @param type ARPHRD_…: tunnels have network addresses, the rest hexadecimal bytes (ll_addr_n2a) */
export function llAddrN2a(bytes: Uint8Array, type: number): string {
  if (bytes.length === 4 && (type === ARPHRD_TUNNEL || type === ARPHRD_SIT || type === ARPHRD_IPGRE)) {
    return formatIpv4(bytes)
  }
  if (bytes.length === 16 && (type === ARPHRD_TUNNEL6 || type === ARPHRD_IP6GRE)) return formatIpv6(bytes)
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(':')
}

/** @returns the name of a hardware type in `link/NAME`, `[N]` for one without a name or with -N (ll_type_n2a) */
export function llTypeName(type: number, numeric = false): string {
  return (numeric ? undefined : TYPE_NAMES.get(type)) ?? `[${type}]`
}

const TYPE_NAMES = new Map<number, string>([
  [0, 'netrom'],
  [1, 'ether'],
  [2, 'eether'],
  [3, 'ax25'],
  [4, 'pronet'],
  [5, 'chaos'],
  [6, 'ieee802'],
  [7, 'arcnet'],
  [8, 'atalk'],
  [15, 'dlci'],
  [19, 'atm'],
  [23, 'metricom'],
  [24, 'ieee1394'],
  [32, 'infiniband'],
  [256, 'slip'],
  [257, 'cslip'],
  [258, 'slip6'],
  [259, 'cslip6'],
  [260, 'rsrvd'],
  [264, 'adapt'],
  [270, 'rose'],
  [271, 'x25'],
  [280, 'can'],
  [290, 'mctp'],
  [512, 'ppp'],
  [513, 'hdlc'],
  [516, 'lapb'],
  [517, 'ddcmp'],
  [518, 'rawhdlc'],
  [519, 'rawip'],
  [768, 'ipip'],
  [769, 'tunnel6'],
  [770, 'frad'],
  [771, 'skip'],
  [772, 'loopback'],
  [773, 'ltalk'],
  [774, 'fddi'],
  [775, 'bif'],
  [776, 'sit'],
  [777, 'ip/ddp'],
  [778, 'gre'],
  [779, 'pimreg'],
  [780, 'hippi'],
  [781, 'ash'],
  [782, 'econet'],
  [783, 'irda'],
  [784, 'fcpp'],
  [785, 'fcal'],
  [786, 'fcpl'],
  [787, 'fcfb0'],
  [788, 'fcfb1'],
  [789, 'fcfb2'],
  [790, 'fcfb3'],
  [791, 'fcfb4'],
  [792, 'fcfb5'],
  [793, 'fcfb6'],
  [794, 'fcfb7'],
  [795, 'fcfb8'],
  [796, 'fcfb9'],
  [797, 'fcfb10'],
  [798, 'fcfb11'],
  [799, 'fcfb12'],
  [800, 'tr'],
  [801, 'ieee802.11'],
  [802, 'ieee802.11/prism'],
  [803, 'ieee802.11/radiotap'],
  [804, 'ieee802.15.4'],
  [805, 'ieee802.15.4/monitor'],
  [820, 'phonet'],
  [821, 'phonet_pipe'],
  [822, 'caif'],
  [823, 'gre6'],
  [824, 'netlink'],
  [825, '6lowpan'],
  [0xffff, 'void'],
  [0xfffe, 'none'],
])
