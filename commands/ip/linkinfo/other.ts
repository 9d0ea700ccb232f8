/**
 * Kinds that laptops and labs rarely see: their option grammar and listing, each a table. Their data has no interface
 * of its own in rtnetlink where the kernel model lacks the kind.
 */
import type { BareudpData, HsrData, PlainAttrs, XfrmData } from '../../../src/uapi/if_link.ts'
import { invarg } from '../../lib/errors.ts'
import { formatIpv4, getAddr32 } from '../../lib/inet.ts'
import { llProtoName, parseLlProto } from '../../lib/ll_proto.ts'
import { llAddrN2a } from '../../lib/lladdr.ts'
import { getU8, getU16, getU32 } from '../../lib/number.ts'
import { u8, u16, u32 } from '../../lib/values.ts'
import { asLinkKind, type KindOption, kindFailure, type LinkKind, type LinkKindOf, parseOptions } from './kind.ts'
import { lowerDevice } from './tunnel.ts'

const XFRM_HELP = `Usage: ... xfrm dev [ PHYS_DEV ] [ if_id IF-ID ]
		[ external ]

Where: IF-ID := { 0x1..0xffffffff }
`
const xfrm: LinkKindOf<XfrmData> = {
  kind: 'xfrm',
  help: XFRM_HELP,

  parse(ctx, args) {
    const data: XfrmData = {}
    for (; args.more; args.skip()) {
      if (args.is('dev')) data.link = lowerDevice(ctx, args.next())
      else if (args.is('if_id')) {
        const word = args.next()
        const id = getU32(word)
        if (id === undefined || id === 0) invarg('if_id value is invalid', word)
        data.ifId = id
      } else if (args.is('external')) data.collectMetadata = true
      else throw kindFailure('', XFRM_HELP)
    }
    return data
  },

  print(_ctx, out, data) {
    if (data.collectMetadata === true) {
      out.put('external', true, 'external ')
      return
    }
    if (data.ifId === undefined) return
    const id = `0x${data.ifId.toString(16)}`
    out.put('if_id', id, `if_id ${id} `)
  },
}

const BAREUDP_HELP = `Usage: ... bareudp dstport PORT
		ethertype PROTO
		[ srcportmin PORT ]
		[ [no]multiproto ]

Where:	PORT  := UDP_PORT
	PROTO := ETHERTYPE

Note: ETHERTYPE can be given as number or as protocol name ("ipv4", "ipv6",
      "mpls_uc", etc.).
`
const bareudp: LinkKindOf<BareudpData> = {
  kind: 'bareudp',
  help: BAREUDP_HELP,

  parse(_ctx, args) {
    const data: BareudpData = {}
    for (; args.more; args.skip()) {
      if (args.matches('dstport')) data.port = u16(args.next(), 'dstport')
      else if (args.matches('ethertype')) {
        const word = args.next()
        data.ethertype = parseLlProto(word) ?? invarg('ethertype', word)
      } else if (args.matches('srcportmin')) data.srcportMin = u16(args.next(), 'srcportmin')
      else if (args.matches('multiproto')) data.multiprotoMode = true
      else if (args.matches('nomultiproto')) data.multiprotoMode = false
      else if (args.matches('help')) throw kindFailure('', BAREUDP_HELP)
      else throw kindFailure(`bareudp: unknown command "${args.word}"?\n`, BAREUDP_HELP)
    }
    return data
  },

  print(_ctx, out, data) {
    if (data.port !== undefined) out.put('dstport', data.port, `dstport ${data.port} `)
    if (data.ethertype !== undefined) {
      const name = llProtoName(data.ethertype)
      out.put('ethertype', name, `ethertype ${name} `)
    }
    if (data.srcportMin !== undefined) out.put('srcportmin', data.srcportMin, `srcportmin ${data.srcportMin} `)
    out.put('multiproto', data.multiprotoMode === true, data.multiprotoMode === true ? 'multiproto ' : 'nomultiproto ')
  },
}

const HSR_HELP = `Usage:	ip link add name NAME type hsr slave1 SLAVE1-IF slave2 SLAVE2-IF
	[ supervision ADDR-BYTE ] [version VERSION] [proto PROTOCOL]

NAME
	name of new hsr device (e.g. hsr0)
SLAVE1-IF, SLAVE2-IF
	the two slave devices bound to the HSR device
ADDR-BYTE
	0-255; the last byte of the multicast address used for HSR supervision
	frames (default = 0)
VERSION
	0,1; the protocol version to be used. (default = 0)
PROTOCOL
	0 - HSR, 1 - PRP. (default = 0 - HSR)
`
const hsr: LinkKindOf<HsrData> = {
  kind: 'hsr',
  help: HSR_HELP,

  parse(ctx, args) {
    const data: HsrData = {}
    const slave = (word: string): number => {
      const index = ctx.links.nameToIndex(word)
      return index === 0 ? invarg('No such interface', word) : index
    }
    for (; args.more; args.skip()) {
      if (args.matches('supervision')) {
        const word = args.next()
        data.multicastSpec = getU8(word) ?? invarg('ADDR-BYTE is invalid', word)
      } else if (args.matches('version')) {
        const word = args.next()
        const version = getU8(word)
        data.version = version === 0 || version === 1 ? version : invarg('version is invalid', word)
      } else if (args.matches('proto')) {
        const word = args.next()
        const protocol = getU8(word)
        data.protocol = protocol === 0 || protocol === 1 ? protocol : invarg('protocol is invalid', word)
      } else if (args.matches('slave1')) data.slave1 = slave(args.next())
      else if (args.matches('slave2')) data.slave2 = slave(args.next())
      else if (args.matches('help')) throw kindFailure('', HSR_HELP)
      else throw kindFailure(`hsr: what is "${args.word}"?\n`, HSR_HELP)
    }
    return data
  },

  print(ctx, out, data) {
    const slave = (key: string, index: number | undefined): void => {
      if (index === undefined) {
        out.text(`${key} <none> `)
        return
      }
      const name = ctx.links.indexToName(index)
      out.put(key, name, `${key} ${name} `)
    }
    slave('slave1', data.slave1)
    slave('slave2', data.slave2)
    if (data.seqNr !== undefined) out.put('seq_nr', data.seqNr, `sequence ${data.seqNr} `)
    if (data.supervisionAddr !== undefined) {
      const address = llAddrN2a(data.supervisionAddr, 0)
      out.put('supervision_addr', address, `supervision ${address} `)
    }
    if (data.protocol !== undefined) out.put('proto', data.protocol, `proto ${data.protocol} `)
  },
}

/** A kind of options with values only. */
function tableKind(
  kind: string,
  help: string,
  options: readonly KindOption<PlainAttrs>[],
  print: LinkKindOf<PlainAttrs>['print'],
): LinkKindOf<PlainAttrs> {
  return {
    kind,
    help,
    parse(ctx, args) {
      return parseOptions<PlainAttrs>(ctx, args, {}, options, help, word => `${kind}: unknown command "${word}"?\n`)
    },
    ...(print === undefined ? {} : { print }),
  }
}

const GTP_HELP = `Usage: ... gtp role ROLE
		[ hsize HSIZE ]
		[ restart_count RESTART_COUNT ]

Where:	ROLE		:= { sgsn | ggsn }
	HSIZE		:= 1-131071
	RESTART_COUNT	:= 0-255
`
const GTP_ROLES = ['ggsn', 'sgsn']

const gtp = tableKind(
  'gtp',
  GTP_HELP,
  [
    {
      names: ['role'],
      exact: true,
      read: (data, word) => {
        const role = GTP_ROLES.indexOf(word)
        data['role'] = role < 0 ? invarg('invalid role, use sgsn or ggsn', word) : role
      },
    },
    { names: ['hsize'], exact: true, read: (data, word) => (data['pdpHashsize'] = u32(word, 'invalid PDP hash size')) },
    {
      names: ['restart_count'],
      exact: true,
      read: (data, word) => (data['restartCount'] = u8(word, 'invalid restart_count')),
    },
  ],
  (_ctx, out, data) => {
    const role = GTP_ROLES[Number(data['role'] ?? 0)] ?? 'unknown'
    out.put('role', role, `role ${role} `)
    const hsize = data['pdpHashsize']
    if (hsize !== undefined) out.put('hsize', Number(hsize), `hsize ${hsize} `)
    const restarts = data['restartCount']
    if (restarts !== undefined) out.put('restart_count', Number(restarts), `restart_count ${restarts} `)
  },
)

const AMT_HELP = `Usage: ... amt
               [ discovery IP_ADDRESS ]
               [ mode MODE ]
               [ local ADDR ]
               [ dev PHYS_DEV ]
               [ relay_port PORT ]
               [ gateway_port PORT ]
               [ max_tunnels NUMBER ]

Where: ADDR	:= { IP_ADDRESS }
       MODE	:= { gateway | relay }
`
const AMT_MODES = ['gateway', 'relay']

const amt = tableKind(
  'amt',
  AMT_HELP,
  [
    {
      names: ['mode'],
      read: (data, word) => {
        const mode = AMT_MODES.indexOf(word)
        data['mode'] = mode < 0 ? invarg('invalid mode', word) : mode
      },
    },
    { names: ['relay_port'], read: (data, word) => (data['relayPort'] = u16(word, 'invalid relay_port')) },
    { names: ['gateway_port'], read: (data, word) => (data['gatewayPort'] = u16(word, 'invalid gateway_port')) },
    { names: ['max_tunnels'], read: (data, word) => (data['maxTunnels'] = u32(word, 'invalid max_tunnels')) },
    { names: ['dev'], read: (data, word, ctx) => (data['link'] = lowerDevice(ctx, word)) },
    { names: ['local'], read: (data, word) => (data['localIp'] = getAddr32(word)) },
    { names: ['discovery'], read: (data, word) => (data['discoveryIp'] = getAddr32(word)) },
  ],
  (ctx, out, data) => {
    const mode = data['mode']
    if (mode !== undefined) {
      const name = AMT_MODES[Number(mode)] ?? 'unknown'
      out.put('mode', name, `${name} `)
    }
    const number = (key: string, attr: string): void => {
      const value = data[attr]
      if (value !== undefined) out.put(key, Number(value), `${key} ${value} `)
    }
    number('gateway_port', 'gatewayPort')
    number('relay_port', 'relayPort')
    const address = (key: string, attr: string): void => {
      const value = data[attr]
      if (value instanceof Uint8Array) out.put(key, formatIpv4(value), `${key} ${formatIpv4(value)} `)
    }
    address('local', 'localIp')
    address('remote', 'remoteIp')
    address('discovery', 'discoveryIp')
    const link = data['link']
    if (link !== undefined)
      out.put('link', ctx.links.indexToName(Number(link)), `dev ${ctx.links.indexToName(Number(link))} `)
    number('max_tunnels', 'maxTunnels')
  },
)

const RMNET_HELP = `Usage: ... rmnet mux_id MUXID

MUXID := 1-254
`
const rmnet = tableKind(
  'rmnet',
  RMNET_HELP,
  [{ names: ['mux_id'], read: (data, word) => (data['muxId'] = getU16(word) ?? invarg('mux_id is invalid', word)) }],
  (_ctx, out, data) => {
    const id = data['muxId']
    if (id !== undefined) out.put('mux_id', Number(id), `mux_id ${id} `)
  },
)

const IPOIB_HELP = `Usage: ... ipoib [ pkey PKEY ]
		 [ mode {datagram | connected} ]
		 [ umcast {0|1} ]

PKEY  := 0x8001-0xffff
`
const IPOIB_MODES = ['datagram', 'connected']

const ipoib = tableKind(
  'ipoib',
  IPOIB_HELP,
  [
    { names: ['pkey'], read: (data, word) => (data['pkey'] = u16(word, 'pkey is invalid')) },
    {
      names: ['mode'],
      read: (data, word) => {
        const mode = IPOIB_MODES.indexOf(word)
        data['mode'] = mode < 0 ? invarg('mode is invalid', word) : mode
      },
    },
    { names: ['umcast'], read: (data, word) => (data['umcast'] = u16(word, 'umcast is invalid')) },
  ],
  undefined,
)

const BATADV_HELP = `Usage: ... batadv [ ra ROUTING_ALG ]

Where: ROUTING_ALG := { BATMAN_IV | BATMAN_V }
`
const batadv = tableKind(
  'batadv',
  BATADV_HELP,
  [{ names: ['ra'], read: (data, word) => (data['algoName'] = word) }],
  (_ctx, out, data) => {
    const name = data['algoName']
    if (typeof name === 'string') out.put('ra', name, `ra ${name} `)
  },
)

const DSA_HELP = `Usage: ... dsa [ conduit DEVICE ]
`
const dsa = tableKind(
  'dsa',
  DSA_HELP,
  [{ names: ['conduit'], exact: true, read: (data, word, ctx) => (data['master'] = ctx.index(word)) }],
  (ctx, out, data) => {
    const conduit = data['master']
    if (conduit === undefined) return
    const name = ctx.links.indexToName(Number(conduit))
    out.put('conduit', name, `conduit ${name} `)
  },
)

const WWAN_HELP = `Usage: ... wwan linkid LINKID

Where: LINKID := 0-4294967295
`
const wwan = tableKind(
  'wwan',
  WWAN_HELP,
  [{ names: ['linkid'], read: (data, word) => (data['linkId'] = u32(word, 'linkid is invalid')) }],
  (_ctx, out, data) => {
    const id = data['linkId']
    if (id !== undefined) out.put('linkid', Number(id), `linkid ${id} `)
  },
)

export const OTHER_KINDS: readonly LinkKind[] = [
  asLinkKind(xfrm),
  asLinkKind(bareudp),
  asLinkKind(hsr),
  asLinkKind(gtp),
  asLinkKind(amt),
  asLinkKind(rmnet),
  asLinkKind(ipoib),
  asLinkKind(batadv),
  asLinkKind(dsa),
  asLinkKind(wwan),
]
