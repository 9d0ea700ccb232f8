/** GRE over IPv6: `type ip6gre`, `ip6gretap` and `ip6erspan`. */
import type { GreData } from '../../../src/uapi/if_link.ts'
import { AF_INET6 } from '../../../src/uapi/socket.ts'
import { currentKindData } from './current.ts'
import { parseErspanWord, printErspan } from './erspan.ts'
import { parseEndpoint6, parseFwmark6, parseIp6FlowWord, printFwmark6, printIp6Flow } from './ip6flow.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'
import {
  lowerDevice,
  parseEncapWord,
  parseKeyWord,
  printEncap,
  printEndpoint,
  printKeys,
  printLower,
} from './tunnel.ts'

const HELP = `Usage: ... KIND	[ remote ADDR ]
			[ local ADDR ]
			[ [no][i|o]seq ]
			[ [i|o]key KEY | no[i|o]key ]
			[ [no][i|o]csum ]
			[ hoplimit TTL ]
			[ encaplimit ELIM ]
			[ tclass TCLASS ]
			[ flowlabel FLOWLABEL ]
			[ dscp inherit ]
			[ dev PHYS_DEV ]
			[ fwmark MARK ]
			[ [no]allow-localremote ]
			[ external ]
			[ noencap ]
			[ encap { fou | gue | none } ]
			[ encap-sport PORT ]
			[ encap-dport PORT ]
			[ [no]encap-csum ]
			[ [no]encap-csum6 ]
			[ [no]encap-remcsum ]
			[ erspan_ver version ]
			[ erspan IDX ]
			[ erspan_dir { ingress | egress } ]
			[ erspan_hwid hwid ]

Where:	ADDR	  := IPV6_ADDRESS
	TTL	  := { 0..255 } (default=64)
	KEY	  := { DOTTED_QUAD | NUMBER }
	ELIM	  := { none | 0..255 }(default=4)
	TCLASS	  := { 0x0..0xff | inherit }
	FLOWLABEL := { 0x0..0xfffff | inherit }
	MARK	  := { 0x0..0xffffffff | inherit }
`
const DEFAULT_HOP_LIMIT = 64
const DEFAULT_ENCAP_LIMIT = 4

function gre6Kind(kind: string): LinkKindOf<GreData> {
  const help = HELP.replace('KIND', kind.padEnd(9))
  return {
    kind,
    help,

    parse(ctx, args, message, create) {
      const data: GreData = create
        ? {
            iflags: 0,
            oflags: 0,
            ikey: 0,
            okey: 0,
            flowinfo: 0,
            flags: 0,
            ttl: DEFAULT_HOP_LIMIT,
            encapLimit: DEFAULT_ENCAP_LIMIT,
          }
        : currentKindData<GreData>(ctx, message, [kind])
      for (; args.more; args.skip()) {
        if (parseKeyWord(args, data)) continue
        if (args.matches('remote')) data.remote = parseEndpoint6(args.next())
        else if (args.matches('local')) data.local = parseEndpoint6(args.next())
        else if (args.matches('dev')) data.link = lowerDevice(ctx, args.next())
        else if (parseIp6FlowWord(args, data)) continue
        else if (parseEncapWord(args, data)) continue
        else if (args.is('external')) data.collectMetadata = true
        else if (args.is('fwmark')) parseFwmark6(args.next(), data)
        else if (parseErspanWord(args, data)) continue
        else throw kindFailure('', help)
      }
      if (data.collectMetadata !== true) {
        data.local ??= new Uint8Array(16)
        data.remote ??= new Uint8Array(16)
      }
      return data
    },

    print(ctx, out, data) {
      if (data.collectMetadata === true) out.put('external', true, 'external ')
      printEndpoint(ctx, out, 'remote', AF_INET6, data.remote)
      printEndpoint(ctx, out, 'local', AF_INET6, data.local)
      printLower(ctx, out, data.link)
      printIp6Flow(out, data)
      printKeys(out, data)
      printFwmark6(out, data)
      printErspan(out, data)
      printEncap(out, data)
    },
  }
}

export const ip6gre = gre6Kind('ip6gre')
export const ip6gretap = gre6Kind('ip6gretap')
export const ip6erspan = gre6Kind('ip6erspan')
