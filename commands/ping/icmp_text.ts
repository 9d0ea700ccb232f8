/** ICMP messages (RFC 792, RFC 1812) in ping's words. */

export const ICMP_ECHOREPLY = 0
export const ICMP_DEST_UNREACH = 3
export const ICMP_SOURCE_QUENCH = 4
export const ICMP_REDIRECT = 5
export const ICMP_ECHO = 8
export const ICMP_TIME_EXCEEDED = 11
export const ICMP_PARAMETERPROB = 12

const FRAG_NEEDED = 4

const UNREACHABLE: readonly string[] = [
  'Destination Net Unreachable',
  'Destination Host Unreachable',
  'Destination Protocol Unreachable',
  'Destination Port Unreachable',
  '',
  'Source Route Failed',
  'Destination Net Unknown',
  'Destination Host Unknown',
  'Source Host Isolated',
  'Destination Net Prohibited',
  'Destination Host Prohibited',
  'Destination Net Unreachable for Type of Service',
  'Destination Host Unreachable for Type of Service',
  'Packet filtered',
  'Precedence Violation',
  'Precedence Cutoff',
]

const REDIRECTS: readonly string[] = [
  'Redirect Network',
  'Redirect Host',
  'Redirect Type of Service and Network',
  'Redirect Type of Service and Host',
]

const EXCEEDED: readonly string[] = ['Time to live exceeded', 'Frag reassembly time exceeded']

const OTHERS: Readonly<Record<number, string>> = {
  [ICMP_ECHOREPLY]: 'Echo Reply',
  [ICMP_SOURCE_QUENCH]: 'Source Quench',
  [ICMP_ECHO]: 'Echo Request',
  13: 'Timestamp',
  14: 'Timestamp Reply',
  15: 'Information Request',
  16: 'Information Reply',
}

/**
 * @param info the second word of the ICMP header, host order: MTU, pointer
 * @param gateway text of the next hop of a redirect
 * @returns one line, without its newline
 */
export function icmpText(type: number, code: number, info: number, gateway: () => string): string {
  switch (type) {
    case ICMP_DEST_UNREACH:
      if (code === FRAG_NEEDED) return `Frag needed and DF set (mtu = ${info})`
      return UNREACHABLE[code] ?? `Dest Unreachable, Bad Code: ${code}`
    case ICMP_REDIRECT:
      return `${REDIRECTS[code] ?? `Redirect, Bad Code: ${code}`}(New nexthop: ${gateway()})`
    case ICMP_TIME_EXCEEDED:
      return EXCEEDED[code] ?? `Time exceeded, Bad Code: ${code}`
    case ICMP_PARAMETERPROB:
      return `Parameter problem: pointer = ${info}`
    default:
      return OTHERS[type] ?? `Bad ICMP type: ${type}`
  }
}

const ICMPV6_UNREACHABLE: readonly string[] = [
  'No route',
  'Administratively prohibited',
  'Beyond scope of source address',
  'Address unreachable',
  'Port unreachable',
]

const ICMPV6_PARAMETER: readonly string[] = ['Wrong header field ', 'Unknown header ', 'Unknown option ']

const ICMPV6_OTHERS: Readonly<Record<number, string>> = {
  128: 'Echo request',
  129: 'Echo reply',
  130: 'MLD Query',
  131: 'MLD Report',
  132: 'MLD Reduction',
}

/** @param info MTU or pointer  @returns one line about an ICMPv6 message (RFC 4443), without its newline */
export function icmp6Text(type: number, code: number, info: number): string {
  switch (type) {
    case 1:
      return `Destination unreachable: ${ICMPV6_UNREACHABLE[code] ?? `Unknown code ${code}`}`
    case 2:
      return `Packet too big: mtu=${info}${code === 0 ? '' : `, code=${code}`}`
    case 3:
      return `Time exceeded: ${code === 0 ? 'Hop limit' : code === 1 ? 'Defragmentation failure' : `code ${code}`}`
    case 4:
      return `Parameter problem: ${ICMPV6_PARAMETER[code] ?? `code ${code} `}at ${info}`
    default:
      return ICMPV6_OTHERS[type] ?? `unknown icmp type: ${type}`
  }
}
