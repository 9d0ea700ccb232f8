/** IP in IPv4 tunnels: `type ipip` (RFC 2003) and `type sit` (RFC 4213). */
import type { IptunData } from '../../../src/uapi/if_link.ts'
import { AF_INET, AF_INET6, IPPROTO_IPIP, IPPROTO_IPV6 } from '../../../src/uapi/socket.ts'
import { invarg } from '../../lib/errors.ts'
import { formatIpv4, formatIpv6, getPrefix } from '../../lib/inet.ts'
import { currentKindData } from './current.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'
import {
  lowerDevice,
  parseEncapWord,
  parseEndpoint4,
  parseFwmark,
  parseTos,
  parseTtl,
  printEncap,
  printEndpoint,
  printFwmark,
  printLower,
} from './tunnel.ts'

const IPPROTO_MPLS = 137
const SIT_ISATAP = 1

const IPIP_HELP = `Usage: ... ipip  	[ remote ADDR ]
			[ local ADDR ]
			[ ttl TTL ]
			[ tos TOS ]
			[ [no]pmtudisc ]
			[ 6rd-prefix ADDR ]
			[ 6rd-relay_prefix ADDR ]
			[ 6rd-reset ]
			[ dev PHYS_DEV ]
			[ fwmark MARK ]
			[ external ]
			[ noencap ]
			[ encap { fou | gue | none } ]
			[ encap-sport PORT ]
			[ encap-dport PORT ]
			[ [no]encap-csum ]
			[ [no]encap-csum6 ]
			[ [no]encap-remcsum ]
			[ mode { ipip | mplsip | any } ]

Where:	ADDR := { IP_ADDRESS | any }
	TOS  := { NUMBER | inherit }
	TTL  := { 1..255 | inherit }
	MARK := { 0x0..0xffffffff }
`
const SIT_HELP = `Usage: ... sit   	[ remote ADDR ]
			[ local ADDR ]
			[ ttl TTL ]
			[ tos TOS ]
			[ [no]pmtudisc ]
			[ 6rd-prefix ADDR ]
			[ 6rd-relay_prefix ADDR ]
			[ 6rd-reset ]
			[ dev PHYS_DEV ]
			[ fwmark MARK ]
			[ external ]
			[ noencap ]
			[ encap { fou | gue | none } ]
			[ encap-sport PORT ]
			[ encap-dport PORT ]
			[ [no]encap-csum ]
			[ [no]encap-csum6 ]
			[ [no]encap-remcsum ]
			[ mode { ip6ip | ipip | mplsip | any } ]
			[ isatap ]

Where:	ADDR := { IP_ADDRESS | any }
	TOS  := { NUMBER | inherit }
	TTL  := { 1..255 | inherit }
	MARK := { 0x0..0xffffffff }
`
/** Words for what a tunnel carries; the first of a number is how it is listed. */
const MODES: readonly (readonly [string, number])[] = [
  ['ip6ip', IPPROTO_IPV6],
  ['ipv6/ipv4', IPPROTO_IPV6],
  ['ipip', IPPROTO_IPIP],
  ['ip4ip4', IPPROTO_IPIP],
  ['ipv4/ipv4', IPPROTO_IPIP],
  ['mplsip', IPPROTO_MPLS],
  ['mpls/ipv4', IPPROTO_MPLS],
  ['any', 0],
  ['any/ipv4', 0],
]

function iptnlKind(kind: 'ipip' | 'sit', help: string): LinkKindOf<IptunData> {
  const sit = kind === 'sit'
  return {
    kind,
    help,

    parse(ctx, args, message, create) {
      const data: IptunData = create
        ? { pmtudisc: 1, ttl: 0, tos: 0, proto: 0 }
        : currentKindData<IptunData>(ctx, message, [kind])
      for (; args.more; args.skip()) {
        if (args.is('mode')) {
          const word = args.next()
          const mode = MODES.find(([name]) => name === word)
          if (mode === undefined || (!sit && mode[1] === IPPROTO_IPV6)) invarg('Cannot guess tunnel mode.', word)
          data.proto = mode[1]
        } else if (args.is('remote')) data.remote = parseEndpoint4(args.next())
        else if (args.is('local')) data.local = parseEndpoint4(args.next())
        else if (args.matches('dev')) data.link = lowerDevice(ctx, args.next())
        else if (args.is('ttl', 'hoplimit', 'hlim')) data.ttl = parseTtl(args.next())
        else if (args.is('tos', 'tclass') || args.matches('dsfield')) data.tos = parseTos(ctx, args.next())
        else if (args.is('nopmtudisc')) data.pmtudisc = 0
        else if (args.is('pmtudisc')) data.pmtudisc = 1
        else if (sit && args.is('isatap')) data.flags = (data.flags ?? 0) | SIT_ISATAP
        else if (parseEncapWord(args, data)) continue
        else if (args.is('external')) data.collectMetadata = true
        else if (sit && args.is('6rd-prefix')) {
          const prefix = getPrefix(args.next(), AF_INET6)
          data.sixRdPrefix = prefix.data
          data.sixRdPrefixlen = prefix.bitlen
        } else if (sit && args.is('6rd-relay_prefix')) {
          const prefix = getPrefix(args.next(), AF_INET)
          data.sixRdRelayPrefix = prefix.data
          data.sixRdRelayPrefixlen = prefix.bitlen
        } else if (sit && args.is('6rd-reset')) {
          data.sixRdPrefix = Uint8Array.of(0x20, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
          data.sixRdPrefixlen = 16
          data.sixRdRelayPrefix = new Uint8Array(4)
          data.sixRdRelayPrefixlen = 0
        } else if (args.is('fwmark')) data.fwmark = parseFwmark(args.next())
        else throw kindFailure('', help)
      }
      if (data.collectMetadata !== true) {
        data.local ??= new Uint8Array(4)
        data.remote ??= new Uint8Array(4)
      }
      return data
    },

    print(ctx, out, data) {
      if (data.collectMetadata === true) out.put('external', true, 'external ')
      if (data.proto !== undefined) {
        const name = MODES.find(([, number]) => number === data.proto)?.[0]
        if (name !== undefined) out.put('proto', name, `${name} `)
      }
      printEndpoint(ctx, out, 'remote', AF_INET, data.remote)
      printEndpoint(ctx, out, 'local', AF_INET, data.local)
      printLower(ctx, out, data.link)
      if (data.ttl !== undefined) out.put('ttl', data.ttl, data.ttl === 0 ? 'ttl inherit ' : `ttl ${data.ttl} `)
      if (data.tos !== undefined && data.tos !== 0) {
        const hex = `0x${data.tos.toString(16)}`
        out.put('tos', hex, data.tos === 1 ? 'tos inherit ' : `tos ${hex} `)
      }
      if (data.pmtudisc !== undefined) {
        const on = data.pmtudisc !== 0
        out.put('pmtudisc', on, on ? 'pmtudisc ' : 'nopmtudisc ')
      }
      if (((data.flags ?? 0) & SIT_ISATAP) !== 0) out.put('isatap', true, 'isatap ')
      if (data.sixRdPrefixlen !== undefined && data.sixRdPrefixlen !== 0) {
        const prefix = formatIpv6(data.sixRdPrefix ?? new Uint8Array(16))
        out.put('prefix', prefix, `6rd-prefix ${prefix}`)
        out.put('prefixlen', data.sixRdPrefixlen, `/${data.sixRdPrefixlen} `)
        const relay = data.sixRdRelayPrefix
        if (relay?.some(byte => byte !== 0)) {
          const text = formatIpv4(relay)
          out.put('relay_prefix', text, `6rd-relay_prefix ${text}`)
          out.put('relay_prefixlen', data.sixRdRelayPrefixlen ?? 0, `/${data.sixRdRelayPrefixlen ?? 0} `)
        }
      }
      printFwmark(out, data.fwmark)
      printEncap(out, data)
    },
  }
}

export const ipip = iptnlKind('ipip', IPIP_HELP)
export const sit = iptnlKind('sit', SIT_HELP)
