/** GRE over IPv4 (RFC 2784, 2890): `type gre`, `gretap` and `erspan`. */
import type { GreData } from '../../../src/uapi/if_link.ts'
import { AF_INET } from '../../../src/uapi/socket.ts'
import { currentKindData } from './current.ts'
import { parseErspanWord, printErspan } from './erspan.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'
import {
  lowerDevice,
  parseEncapWord,
  parseEndpoint4,
  parseFwmark,
  parseKeyWord,
  parseTos,
  parseTtl,
  printEncap,
  printEndpoint,
  printFwmark,
  printKeys,
  printLower,
} from './tunnel.ts'

/** Help of a kind, padded as the tool pads it. */
function helpText(kind: string): string {
  const erspan = kind === 'erspan' ? ERSPAN_HELP : ''
  return HELP_HEAD.replace('KIND', kind.padEnd(9)).replace('ERSPAN', erspan)
}

const HELP_HEAD = `Usage: ... KIND	[ remote ADDR ]
			[ local ADDR ]
			[ [no][i|o]seq ]
			[ [i|o]key KEY | no[i|o]key ]
			[ [no][i|o]csum ]
			[ ttl TTL ]
			[ tos TOS ]
			[ [no]pmtudisc ]
			[ [no]ignore-df ]
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
ERSPAN
Where:	ADDR := { IP_ADDRESS | any }
	TOS  := { NUMBER | inherit }
	TTL  := { 1..255 | inherit }
	KEY  := { DOTTED_QUAD | NUMBER }
	MARK := { 0x0..0xffffffff }
`

const ERSPAN_HELP = `			[ erspan_ver version ]
			[ erspan IDX ]
			[ erspan_dir { ingress | egress } ]
			[ erspan_hwid hwid ]
`

function greKind(kind: string): LinkKindOf<GreData> {
  const help = helpText(kind)
  return {
    kind,
    help,

    parse(ctx, args, message, create) {
      const data: GreData = create
        ? { pmtudisc: 1, ignoreDf: 0, iflags: 0, oflags: 0, ikey: 0, okey: 0, tos: 0, ttl: 0 }
        : currentKindData<GreData>(ctx, message, [kind])
      for (; args.more; args.skip()) {
        if (parseKeyWord(args, data)) continue
        if (args.matches('nopmtudisc')) data.pmtudisc = 0
        else if (args.matches('pmtudisc')) data.pmtudisc = 1
        else if (args.matches('remote')) data.remote = parseEndpoint4(args.next())
        else if (args.matches('local')) data.local = parseEndpoint4(args.next())
        else if (args.matches('dev')) data.link = lowerDevice(ctx, args.next())
        else if (args.matches('ttl') || args.matches('hoplimit') || args.matches('hlim')) {
          data.ttl = parseTtl(args.next())
        } else if (args.matches('tos') || args.matches('tclass') || args.matches('dsfield')) {
          data.tos = parseTos(ctx, args.next())
        } else if (parseEncapWord(args, data)) continue
        else if (args.is('external')) data.collectMetadata = true
        else if (args.is('ignore-df')) data.ignoreDf = 1
        else if (args.is('noignore-df')) data.ignoreDf = 0
        else if (args.is('fwmark')) data.fwmark = parseFwmark(args.next())
        else if (kind === 'erspan' && parseErspanWord(args, data)) continue
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
      printEndpoint(ctx, out, 'remote', AF_INET, data.remote)
      printEndpoint(ctx, out, 'local', AF_INET, data.local)
      printLower(ctx, out, data.link)
      if (data.ttl !== undefined) out.put('ttl', data.ttl, data.ttl === 0 ? 'ttl inherit ' : `ttl ${data.ttl} `)
      if (data.tos !== undefined && data.tos !== 0) {
        const hex = `0x${data.tos.toString(16)}`
        out.put('tos', hex, data.tos === 1 ? 'tos inherit ' : `tos ${hex} `)
      }
      if (data.pmtudisc !== undefined)
        out.put('pmtudisc', data.pmtudisc !== 0, data.pmtudisc === 0 ? 'nopmtudisc ' : '')
      if (data.ignoreDf !== undefined && data.ignoreDf !== 0) out.put('ignore_df', true, 'ignore-df ')
      printKeys(out, data)
      printFwmark(out, data.fwmark)
      printErspan(out, data)
      printEncap(out, data)
    },
  }
}

export const gre = greKind('gre')
export const gretap = greKind('gretap')
export const erspan = greKind('erspan')
