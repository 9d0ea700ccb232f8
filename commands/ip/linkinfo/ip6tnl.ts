/** IP in IPv6 tunnels (RFC 2473): `type ip6tnl`. */
import type { IptunData } from '../../../src/uapi/if_link.ts'
import { AF_INET6, IPPROTO_IPIP, IPPROTO_IPV6 } from '../../../src/uapi/socket.ts'
import { invarg } from '../../lib/errors.ts'
import { currentKindData } from './current.ts'
import { parseEndpoint6, parseFwmark6, parseIp6FlowWord, printFwmark6, printIp6Flow } from './ip6flow.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'
import { lowerDevice, parseEncapWord, printEncap, printEndpoint, printLower } from './tunnel.ts'

const HELP = `Usage: ... ip6tnl	[ remote ADDR ]
			[ local ADDR ]
			[ encaplimit ELIM ]
			[ hoplimit HLIM ]
			[ tclass TCLASS ]
			[ flowlabel FLOWLABEL ]
			[ dscp inherit ]
			[ [no]allow-localremote ]
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
			[ mode { ip6ip6 | ipip6 | any } ]

Where:	ADDR	  := IPV6_ADDRESS
	ELIM	  := { none | 0..255 }(default=4)
	HLIM	  := 0..255 (default=64)
	TCLASS    := { 0x0..0xff | inherit }
	FLOWLABEL := { 0x0..0xfffff | inherit }
	MARK	  := { 0x0..0xffffffff | inherit }
`
const DEFAULT_HOP_LIMIT = 64
const DEFAULT_ENCAP_LIMIT = 4

/** Words for what a tunnel carries; the first of a number is how it is listed. */
const MODES: readonly (readonly [string, number])[] = [
  ['ip6ip6', IPPROTO_IPV6],
  ['ipv6/ipv6', IPPROTO_IPV6],
  ['ipip6', IPPROTO_IPIP],
  ['ip/ipv6', IPPROTO_IPIP],
  ['ipv4/ipv6', IPPROTO_IPIP],
  ['ip4ip6', IPPROTO_IPIP],
  ['any', 0],
  ['any/ipv6', 0],
]

export const ip6tnl: LinkKindOf<IptunData> = {
  kind: 'ip6tnl',
  help: HELP,

  parse(ctx, args, message, create) {
    const data: IptunData = create
      ? { flowinfo: 0, flags: 0, proto: 0, ttl: DEFAULT_HOP_LIMIT, encapLimit: DEFAULT_ENCAP_LIMIT }
      : currentKindData<IptunData>(ctx, message, ['ip6tnl'])
    for (; args.more; args.skip()) {
      if (args.matches('mode')) {
        const word = args.next()
        const mode = MODES.find(([name]) => name === word)
        data.proto = mode?.[1] ?? invarg('Cannot guess tunnel mode.', word)
      } else if (args.is('remote')) data.remote = parseEndpoint6(args.next())
      else if (args.is('local')) data.local = parseEndpoint6(args.next())
      else if (args.matches('dev')) data.link = lowerDevice(ctx, args.next())
      else if (parseIp6FlowWord(args, data)) continue
      else if (args.is('fwmark')) parseFwmark6(args.next(), data)
      else if (parseEncapWord(args, data)) continue
      else if (args.is('external')) data.collectMetadata = true
      else throw kindFailure('', HELP)
    }
    if (data.collectMetadata !== true) {
      data.local ??= new Uint8Array(16)
      data.remote ??= new Uint8Array(16)
    }
    return data
  },

  print(ctx, out, data) {
    if (data.collectMetadata === true) out.put('external', true, 'external ')
    if (data.proto !== undefined) {
      const name = MODES.find(([, number]) => number === data.proto)?.[0]
      if (name !== undefined) out.put('proto', name, `${name} `)
    }
    printEndpoint(ctx, out, 'remote', AF_INET6, data.remote)
    printEndpoint(ctx, out, 'local', AF_INET6, data.local)
    printLower(ctx, out, data.link)
    printIp6Flow(out, data)
    printFwmark6(out, data)
    printEncap(out, data)
  },
}
