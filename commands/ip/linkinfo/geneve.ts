/** GENEVE (RFC 8926): `type geneve`. */
import type { GeneveData } from '../../../src/uapi/if_link.ts'
import { AF_INET, AF_INET6 } from '../../../src/uapi/socket.ts'
import { CommandFailure, duparg2, invarg } from '../../lib/errors.ts'
import { getAddr, isMulticast } from '../../lib/inet.ts'
import { getU32, getUnsigned } from '../../lib/number.ts'
import { u16 } from '../../lib/values.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'

const HELP = `Usage: ... geneve id VNI
		remote ADDR
		[ ttl TTL ]
		[ tos TOS ]
		[ df DF ]
		[ flowlabel LABEL ]
		[ dstport PORT ]
		[ [no]external ]
		[ [no]udpcsum ]
		[ [no]udp6zerocsumtx ]
		[ [no]udp6zerocsumrx ]
		[ innerprotoinherit ]

Where:	VNI   := 0-16777215
	ADDR  := IP_ADDRESS
	TOS   := { NUMBER | inherit }
	TTL   := { 1..255 | auto | inherit }
	DF    := { unset | set | inherit }
	LABEL := 0-1048575
`
const GENEVE_N_VID = 1 << 24
const LABEL_MAX = 0xfffff
const DF_NAMES = ['unset', 'set', 'inherit']

export const geneve: LinkKindOf<GeneveData> = {
  kind: 'geneve',
  help: HELP,

  parse(ctx, args, _message, create) {
    const data: GeneveData = {}
    const seen = new Set<string>()
    const once = (key: string, word: string): void => {
      if (seen.has(key)) duparg2(key, word)
      seen.add(key)
    }
    for (; args.more; args.skip()) {
      if (args.matches('id') || args.matches('vni')) {
        const word = args.next()
        once('id', word)
        const id = getU32(word)
        if (id === undefined || id >= GENEVE_N_VID) invarg('invalid id', word)
        data.id = id
      } else if (args.matches('remote')) {
        const word = args.next()
        once('remote', word)
        const address = getAddr(word)
        if (address.family === AF_INET) data.remote = address.data
        else if (address.family === AF_INET6) data.remote6 = address.data
        if (address.data.length === 0 || isMulticast(address)) invarg('invalid remote address', word)
      } else if (args.matches('ttl') || args.matches('hoplimit')) {
        const word = args.next()
        once('ttl', word)
        if (word === 'inherit') {
          data.ttlInherit = 1
        } else if (word === 'auto') {
          data.ttl = 0
        } else {
          const ttl = getUnsigned(word) ?? invarg('invalid TTL', word)
          if (ttl > 255) invarg('TTL must be <= 255', word)
          data.ttl = ttl
        }
      } else if (args.matches('tos') || args.matches('dsfield')) {
        const word = args.next()
        once('tos', word)
        data.tos = word === 'inherit' ? 1 : (ctx.names.rtDsfield.a2n(word) ?? invarg('bad TOS value', word))
      } else if (args.matches('df')) {
        const word = args.next()
        once('df', word)
        const df = DF_NAMES.indexOf(word)
        if (df < 0) invarg("DF must be 'unset', 'set' or 'inherit'", word)
        data.df = df
      } else if (args.matches('label') || args.matches('flowlabel')) {
        const word = args.next()
        once('flowlabel', word)
        const label = getU32(word)
        if (label === undefined || label > LABEL_MAX) invarg('invalid flowlabel', word)
        data.label = label
      } else if (args.matches('dstport')) {
        const word = args.next()
        once('dstport', word)
        data.port = u16(word, 'dstport')
      } else if (args.matches('external')) {
        once('external', args.word)
        data.collectMetadata = true
      } else if (args.matches('noexternal')) {
        once('external', args.word)
        data.collectMetadata = false
      } else if (args.matches('udpcsum') || args.matches('noudpcsum')) {
        once('udpcsum', args.word)
        data.udpCsum = args.word.startsWith('n') ? 0 : 1
      } else if (args.matches('udp6zerocsumtx') || args.matches('noudp6zerocsumtx')) {
        once('udp6zerocsumtx', args.word)
        data.udpZeroCsum6Tx = args.word.startsWith('n') ? 0 : 1
      } else if (args.matches('udp6zerocsumrx') || args.matches('noudp6zerocsumrx')) {
        once('udp6zerocsumrx', args.word)
        data.udpZeroCsum6Rx = args.word.startsWith('n') ? 0 : 1
      } else if (args.matches('innerprotoinherit')) {
        once('innerprotoinherit', args.word)
        data.innerProtoInherit = true
      } else if (args.matches('help')) {
        throw kindFailure('', HELP)
      } else {
        throw kindFailure(`geneve: unknown command "${args.word}"?\n`, HELP)
      }
    }
    const refuse = (text: string): never => {
      throw new CommandFailure(`geneve: ${text}\n`, 1)
    }
    if (data.collectMetadata === true && data.id !== undefined) refuse("both 'external' and vni cannot be specified")
    if (create && data.collectMetadata !== true) {
      if (data.id === undefined) refuse('missing virtual network identifier')
      if (data.remote === undefined && data.remote6 === undefined) refuse('remote link partner not specified')
    }
    if (data.collectMetadata === false) delete data.collectMetadata
    return data
  },

  print(ctx, out, data) {
    if (data.collectMetadata === true) out.put('external', true, 'external ')
    if (data.id === undefined) return
    out.put('id', data.id, `id ${data.id} `)
    if (data.remote?.some(byte => byte !== 0)) {
      const text = ctx.formatHost(AF_INET, data.remote)
      out.put('remote', text, `remote ${text} `)
    } else if (data.remote6?.some(byte => byte !== 0)) {
      const text = ctx.formatHost(AF_INET6, data.remote6)
      out.put('remote6', text, `remote ${text} `)
    }
    if (data.ttlInherit !== undefined && data.ttlInherit !== 0) out.text('ttl inherit ')
    else if (data.ttl !== undefined) out.put('ttl', data.ttl, data.ttl === 0 ? 'ttl auto ' : `ttl ${data.ttl} `)
    if (data.tos !== undefined && data.tos !== 0) {
      const hex = `0x${data.tos.toString(16)}`
      out.put('tos', hex, data.tos === 1 ? 'tos inherit ' : `tos ${hex} `)
    }
    if (data.df !== undefined) {
      const df = DF_NAMES[data.df] ?? 'unset'
      out.json('df', df)
      if (data.df !== 0) out.text(`df ${df} `)
    }
    if (data.label !== undefined && data.label !== 0) {
      const label = `0x${data.label.toString(16)}`
      out.put('label', label, `flowlabel ${label} `)
    }
    if (data.port !== undefined) out.put('port', data.port, `dstport ${data.port} `)
    const yesNo = (key: string, value: number | undefined, word: string): void => {
      if (value !== undefined) out.put(key, value !== 0, `${value === 0 ? 'no' : ''}${word} `)
    }
    yesNo('udp_csum', data.udpCsum, 'udpcsum')
    yesNo('udp_zero_csum6_tx', data.udpZeroCsum6Tx, 'udp6zerocsumtx')
    yesNo('udp_zero_csum6_rx', data.udpZeroCsum6Rx, 'udp6zerocsumrx')
    if (data.innerProtoInherit === true) out.put('inner_proto_inherit', true, 'innerprotoinherit ')
  },
}
