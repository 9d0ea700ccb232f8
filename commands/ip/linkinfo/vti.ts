/** Virtual tunnel interfaces for IPsec: `type vti` and `type vti6`. */
import type { VtiData } from '../../../src/uapi/if_link.ts'
import { AF_INET, AF_INET6 } from '../../../src/uapi/socket.ts'
import { currentKindData } from './current.ts'
import { parseEndpoint6 } from './ip6flow.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'
import {
  formatKey,
  lowerDevice,
  parseEndpoint4,
  parseFwmark,
  parseTunnelKey,
  printEndpoint,
  printFwmark,
  printLower,
} from './tunnel.ts'

const VTI_HELP = `Usage: ... vti 	[ remote ADDR ]
		[ local ADDR ]
		[ [i|o]key KEY ]
		[ dev PHYS_DEV ]
		[ fwmark MARK ]

Where:	ADDR := { IP_ADDRESS }
	KEY  := { DOTTED_QUAD | NUMBER }
	MARK := { 0x0..0xffffffff }
`
const VTI6_HELP = `Usage: ... vti6	[ remote ADDR ]
		[ local ADDR ]
		[ [i|o]key KEY ]
		[ dev PHYS_DEV ]
		[ fwmark MARK ]

Where:	ADDR := { IPV6_ADDRESS }
	KEY  := { DOTTED_QUAD | NUMBER }
	MARK := { 0x0..0xffffffff }
`
function vtiKind(kind: string, family: number, help: string): LinkKindOf<VtiData> {
  const endpoint = family === AF_INET6 ? parseEndpoint6 : parseEndpoint4
  const size = family === AF_INET6 ? 16 : 4
  return {
    kind,
    help,

    parse(ctx, args, message, create) {
      const data: VtiData = create ? { ikey: 0, okey: 0 } : currentKindData<VtiData>(ctx, message, [kind])
      for (; args.more; args.skip()) {
        if (args.matches('key')) {
          const key = parseTunnelKey('key', args.next())
          data.ikey = key
          data.okey = key
        } else if (args.matches('ikey')) data.ikey = parseTunnelKey('ikey', args.next())
        else if (args.matches('okey')) data.okey = parseTunnelKey('okey', args.next())
        else if (args.matches('remote')) data.remote = endpoint(args.next())
        else if (args.matches('local')) data.local = endpoint(args.next())
        else if (args.matches('dev')) data.link = lowerDevice(ctx, args.next())
        else if (args.is('fwmark')) data.fwmark = parseFwmark(args.next())
        else throw kindFailure('', help)
      }
      data.local ??= new Uint8Array(size)
      data.remote ??= new Uint8Array(size)
      return data
    },

    print(ctx, out, data) {
      printEndpoint(ctx, out, 'remote', family, data.remote)
      printEndpoint(ctx, out, 'local', family, data.local)
      printLower(ctx, out, data.link)
      for (const key of ['ikey', 'okey'] as const) {
        const value = data[key]
        if (value !== undefined && value !== 0) out.put(key, formatKey(value), `${key} ${formatKey(value)} `)
      }
      printFwmark(out, data.fwmark)
    },
  }
}

export const vti = vtiKind('vti', AF_INET, VTI_HELP)
export const vti6 = vtiKind('vti6', AF_INET6, VTI6_HELP)
