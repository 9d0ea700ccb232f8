/** VXLAN (RFC 7348): `type vxlan`. */
import type { VxlanData } from '../../../src/uapi/if_link.ts'
import { AF_INET, AF_INET6 } from '../../../src/uapi/socket.ts'
import { CommandFailure, duparg2, EXIT_USAGE, invarg, nodev, ToolExit } from '../../lib/errors.ts'
import { getAddr, type InetPrefix, isMulticast, isUnspecified } from '../../lib/inet.ts'
import { getU32, getUnsigned } from '../../lib/number.ts'
import type { Printer } from '../../lib/printer.ts'
import { u16, u32 } from '../../lib/values.ts'
import type { IpContext } from '../context.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'

const HELP = `Usage: ... vxlan id VNI
		[ { group | remote } IP_ADDRESS ]
		[ local ADDR ]
		[ ttl TTL ]
		[ tos TOS ]
		[ df DF ]
		[ flowlabel LABEL ]
		[ dev PHYS_DEV ]
		[ dstport PORT ]
		[ srcport MIN MAX ]
		[ [no]learning ]
		[ [no]proxy ]
		[ [no]rsc ]
		[ [no]l2miss ]
		[ [no]l3miss ]
		[ ageing SECONDS ]
		[ maxaddress NUMBER ]
		[ [no]udpcsum ]
		[ [no]udp6zerocsumtx ]
		[ [no]udp6zerocsumrx ]
		[ [no]remcsumtx ] [ [no]remcsumrx ]
		[ [no]external ] [ gbp ] [ gpe ]
		[ [no]vnifilter ]

Where:	VNI	:= 0-16777215
	ADDR	:= { IP_ADDRESS | any }
	TOS	:= { NUMBER | inherit }
	TTL	:= { 1..255 | auto | inherit }
	DF	:= { unset | set | inherit }
	LABEL := 0-1048575
`
const VXLAN_N_VID = 1 << 24
const LABEL_MAX = 0xfffff
const DF_NAMES = ['unset', 'set', 'inherit']

const NO_PORT_WARNING = [
  'vxlan: destination port not specified',
  'Will use Linux kernel default (non-standard value)',
  "Use 'dstport 4789' to get the IANA assigned value",
  "Use 'dstport 0' to get default and quiet this message",
]

/** Switches: the word, the attribute, its value, and how often the word or its opposite may come: once. */
const SWITCHES: readonly (readonly [string, keyof SwitchData, number])[] = [
  ['nolearning', 'learning', 0],
  ['learning', 'learning', 1],
  ['noproxy', 'proxy', 0],
  ['proxy', 'proxy', 1],
  ['norsc', 'rsc', 0],
  ['rsc', 'rsc', 1],
  ['nol2miss', 'l2miss', 0],
  ['l2miss', 'l2miss', 1],
  ['nol3miss', 'l3miss', 0],
  ['l3miss', 'l3miss', 1],
  ['udpcsum', 'udpCsum', 1],
  ['noudpcsum', 'udpCsum', 0],
  ['udp6zerocsumtx', 'udpZeroCsum6Tx', 1],
  ['noudp6zerocsumtx', 'udpZeroCsum6Tx', 0],
  ['udp6zerocsumrx', 'udpZeroCsum6Rx', 1],
  ['noudp6zerocsumrx', 'udpZeroCsum6Rx', 0],
  ['remcsumtx', 'remcsumTx', 1],
  ['noremcsumtx', 'remcsumTx', 0],
  ['remcsumrx', 'remcsumRx', 1],
  ['noremcsumrx', 'remcsumRx', 0],
  ['external', 'collectMetadata', 1],
  ['noexternal', 'collectMetadata', 0],
  ['vnifilter', 'vnifilter', 1],
  ['novnifilter', 'vnifilter', 0],
]

type SwitchData = Pick<
  VxlanData,
  | 'learning'
  | 'proxy'
  | 'rsc'
  | 'l2miss'
  | 'l3miss'
  | 'udpCsum'
  | 'udpZeroCsum6Tx'
  | 'udpZeroCsum6Rx'
  | 'remcsumTx'
  | 'remcsumRx'
  | 'collectMetadata'
  | 'vnifilter'
>

/** Reads a flow label of 20 bits. */
function flowLabel(word: string): number {
  const label = getU32(word)
  return label === undefined || label > LABEL_MAX ? invarg('invalid flowlabel', word) : label
}

/** Options that may come once; `group` and `remote` count as one. */
class Once {
  private readonly seen = new Set<string>()

  check(key: string, word: string): void {
    if (this.seen.has(key)) duparg2(key, word)
    this.seen.add(key)
  }

  has(key: string): boolean {
    return this.seen.has(key)
  }
}

function setAddress(data: VxlanData, address: InetPrefix, v4: 'group' | 'local', v6: 'group6' | 'local6'): void {
  if (address.family === AF_INET) data[v4] = address.data
  else if (address.family === AF_INET6) data[v6] = address.data
}

export const vxlan: LinkKindOf<VxlanData> = {
  kind: 'vxlan',
  help: HELP,

  parse(ctx, args, _message, create) {
    const data: VxlanData = {}
    const once = new Once()
    let daddr: InetPrefix | undefined
    let saddr: InetPrefix | undefined
    for (; args.more; args.skip()) {
      const toggle = SWITCHES.find(([name]) => args.is(name)) ?? SWITCHES.find(([name]) => args.matches(name))
      if (args.matches('id') || args.matches('vni')) {
        const word = args.next()
        once.check('id', word)
        const id = getU32(word)
        if (id === undefined || id >= VXLAN_N_VID) invarg('invalid id', word)
        data.id = id
      } else if (args.matches('group')) {
        checkOneEnd(daddr)
        const word = args.next()
        once.check('group', word)
        daddr = getAddr(word, saddr?.family)
        if (!isMulticast(daddr)) invarg('invalid group address', word)
      } else if (args.matches('remote')) {
        checkOneEnd(daddr)
        const word = args.next()
        once.check('remote', word)
        daddr = getAddr(word, saddr?.family)
        if (isMulticast(daddr)) invarg('invalid remote address', word)
      } else if (args.matches('local')) {
        const word = args.next()
        once.check('local', word)
        saddr = getAddr(word, daddr?.family)
        if (isMulticast(saddr)) invarg('invalid local address', word)
      } else if (args.matches('dev')) {
        const word = args.next()
        once.check('dev', word)
        data.link = ctx.links.nameToIndex(word)
        if (data.link === 0) throw new ToolExit(nodev(word).text, EXIT_USAGE)
      } else if (args.matches('ttl') || args.matches('hoplimit')) {
        const word = args.next()
        once.check('ttl', word)
        if (word === 'inherit') {
          data.ttlInherit = true
        } else if (word === 'auto') {
          data.ttl = 0
        } else {
          const ttl = getUnsigned(word) ?? invarg('invalid TTL', word)
          if (ttl > 255) invarg('TTL must be <= 255', word)
          data.ttl = ttl
        }
      } else if (args.matches('tos') || args.matches('dsfield')) {
        const word = args.next()
        once.check('tos', word)
        data.tos = word === 'inherit' ? 1 : (ctx.names.rtDsfield.a2n(word) ?? invarg('bad TOS value', word))
      } else if (args.matches('df')) {
        const word = args.next()
        once.check('df', word)
        const df = DF_NAMES.indexOf(word)
        if (df < 0) invarg("DF must be 'unset', 'set' or 'inherit'", word)
        data.df = df
      } else if (args.matches('label') || args.matches('flowlabel')) {
        const word = args.next()
        once.check('flowlabel', word)
        data.label = flowLabel(word)
      } else if (args.matches('ageing')) {
        const word = args.next()
        once.check('ageing', word)
        data.ageing = word === 'none' ? 0 : u32(word, 'ageing timer')
      } else if (args.matches('maxaddress')) {
        const word = args.next()
        once.check('maxaddress', word)
        data.limit = word === 'unlimited' ? 0 : u32(word, 'max addresses')
      } else if (args.matches('port') || args.matches('srcport')) {
        const low = args.next()
        once.check('srcport', low)
        const first = u16(low, 'min port')
        data.portRange = { low: first, high: u16(args.next(), 'max port') }
      } else if (args.matches('dstport')) {
        const word = args.next()
        once.check('dstport', word)
        data.port = u16(word, 'dst port')
      } else if (args.matches('gbp')) {
        once.check('gbp', args.word)
        data.gbp = true
      } else if (args.matches('gpe')) {
        once.check('gpe', args.word)
        data.gpe = true
      } else if (toggle !== undefined) {
        if (once.has(toggle[1])) duparg2(args.word, args.word)
        once.check(toggle[1], args.word)
        data[toggle[1]] = toggle[2]
      } else if (args.matches('help')) {
        throw kindFailure('', HELP)
      } else {
        throw kindFailure(`vxlan: unknown command "${args.word}"?\n`, HELP)
      }
    }
    checkVxlan(data, create, once, daddr)
    if (create && data.port === undefined && !once.has('gpe')) {
      ctx.warn(NO_PORT_WARNING.map(line => `${line}\n`).join(''))
    }
    if (create && data.port === undefined && once.has('gpe')) data.port = 4790
    if (saddr !== undefined) setAddress(data, saddr, 'local', 'local6')
    if (daddr !== undefined) setAddress(data, daddr, 'group', 'group6')
    return data
  },

  print(ctx, out, data) {
    printVxlan(ctx, out, data)
  },
}

/** `group` and `remote` are the same attribute. */
function checkOneEnd(daddr: InetPrefix | undefined): void {
  if (daddr !== undefined && !isUnspecified(daddr))
    throw new CommandFailure('vxlan: both group and remote cannot be specified\n', 1)
}

/** Complaints about options that do not go together; only for new devices. */
function checkVxlan(data: VxlanData, create: boolean, once: Once, daddr: InetPrefix | undefined): void {
  const refuse = (text: string): never => {
    throw new CommandFailure(`vxlan: ${text}\n`, 1)
  }
  if (data.collectMetadata === 1 && once.has('id')) refuse("both 'external' and vni cannot be specified")
  if (data.vnifilter !== undefined && data.collectMetadata !== 1) {
    refuse("vnifilter is valid only when 'external' is set")
  }
  if (data.collectMetadata !== 1 && !once.has('id') && create) refuse('missing virtual network identifier')
  if (daddr !== undefined && isMulticast(daddr) && data.link === undefined && create) {
    refuse("'group' requires 'dev' to be specified")
  }
}

function printVxlan(ctx: IpContext, out: Printer, data: VxlanData): void {
  const { group, group6, local, local6 } = data
  if (data.collectMetadata !== undefined && data.collectMetadata !== 0) out.put('external', true, 'external ')
  if (data.vnifilter !== undefined && data.vnifilter !== 0) out.put('vnifilter', true, 'vnifilter')
  if (data.id === undefined) return
  out.put('id', data.id, `id ${data.id} `)
  const remote = (family: number, bytes: Uint8Array | undefined, v6: string): void => {
    if (bytes === undefined || bytes.every(byte => byte === 0)) return
    const many = isMulticast({ family, data: bytes, bitlen: 0, specified: false })
    const name = many ? 'group' : 'remote'
    const text = ctx.formatHost(family, bytes)
    out.put(name + v6, text, `${name} ${text} `)
  }
  remote(AF_INET, group, '')
  remote(AF_INET6, group6, '6')
  const own = (family: number, bytes: Uint8Array | undefined, key: string): void => {
    if (bytes === undefined || bytes.every(byte => byte === 0)) return
    const text = ctx.formatHost(family, bytes)
    out.put(key, text, `local ${text} `)
  }
  own(AF_INET, local, 'local')
  own(AF_INET6, local6, 'local6')
  if (data.link !== undefined && data.link !== 0) {
    const dev = ctx.links.indexToName(data.link)
    out.put('link', dev, `dev ${dev} `)
  }
  if (data.portRange !== undefined) {
    const { low, high } = data.portRange
    out.openObject('port_range')
    out.put('low', low, `srcport ${low} `)
    out.put('high', high, `${high} `)
    out.closeObject()
  }
  if (data.port !== undefined) out.put('port', data.port, `dstport ${data.port} `)
  if (data.learning !== undefined) {
    out.json('learning', data.learning !== 0)
    if (data.learning === 0) out.text('nolearning ')
  }
  const flag = (key: string, value: number | boolean | undefined, word = key): void => {
    if (value !== undefined && value !== 0 && value !== false) out.put(key, true, `${word} `)
  }
  flag('proxy', data.proxy)
  flag('rsc', data.rsc)
  flag('l2miss', data.l2miss)
  flag('l3miss', data.l3miss)
  if (data.tos !== undefined && data.tos !== 0) {
    const hex = `0x${data.tos.toString(16)}`
    out.put('tos', hex, data.tos === 1 ? 'tos inherit ' : `tos ${hex} `)
  }
  if (data.ttlInherit === true) out.text('ttl inherit ')
  else if (data.ttl !== undefined) out.put('ttl', data.ttl, data.ttl === 0 ? 'ttl auto ' : `ttl ${data.ttl} `)
  if (data.df !== undefined) {
    const df = DF_NAMES[data.df] ?? 'unset'
    out.json('df', df)
    if (data.df !== 0) out.text(`df ${df} `)
  }
  if (data.label !== undefined && data.label !== 0) {
    const label = `0x${data.label.toString(16)}`
    out.put('label', label, `flowlabel ${label} `)
  }
  if (data.ageing !== undefined) {
    if (data.ageing === 0) out.put('ageing', 0, 'ageing none ')
    else out.put('ageing', data.ageing, `ageing ${data.ageing} `)
  }
  if (data.limit !== undefined && data.limit !== 0) out.put('limit', data.limit, `maxaddr ${data.limit} `)
  const yesNo = (key: string, value: number | undefined, word: string): void => {
    if (value !== undefined) out.put(key, value !== 0, `${value === 0 ? 'no' : ''}${word} `)
  }
  yesNo('udp_csum', data.udpCsum, 'udpcsum')
  yesNo('udp_zero_csum6_tx', data.udpZeroCsum6Tx, 'udp6zerocsumtx')
  yesNo('udp_zero_csum6_rx', data.udpZeroCsum6Rx, 'udp6zerocsumrx')
  flag('remcsum_tx', data.remcsumTx, 'remcsumtx')
  flag('remcsum_rx', data.remcsumRx, 'remcsumrx')
  flag('gbp', data.gbp)
  flag('gpe', data.gpe)
}
