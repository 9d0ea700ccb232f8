/** `ip -6 tunnel`: tunnels over IPv6. */
import { strerror } from '../../src/uapi/errno.ts'
import type { GreData, IptunData } from '../../src/uapi/if_link.ts'
import { NLM_F_CREATE, NLM_F_EXCL } from '../../src/uapi/netlink.ts'
import { type LinkMessage, RTM_DELLINK, RTM_NEWLINK } from '../../src/uapi/rtnetlink.ts'
import { AF_INET6, IPPROTO_IPIP, IPPROTO_IPV6 } from '../../src/uapi/socket.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, duparg2, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import type { Printer } from '../lib/printer.ts'
import { asNetlinkError, linkMessage } from '../lib/rtnl.ts'
import { validIfname } from '../lib/values.ts'
import type { IpContext } from './context.ts'
import { TUNNEL6_USAGE } from './help/tunnel6.ts'
import {
  IP6_TNL_F_IGN_ENCAP_LIMIT,
  IP6_TNL_F_RCV_DSCP_COPY,
  IP6_TNL_F_USE_ORIG_FLOWLABEL,
  IP6_TNL_F_USE_ORIG_TCLASS,
  parseEndpoint6,
  parseIp6FlowWord,
} from './linkinfo/ip6flow.ts'
import { GRE_KEY, parseKeyWord } from './linkinfo/tunnel.ts'
import { printTunnelStats } from './print_tunnel_stats.ts'

const DEFAULT_HOP_LIMIT = 64
const DEFAULT_ENCAP_LIMIT = 4

/** Kinds of tunnels over IPv6. */
interface Mode6 {
  readonly kind: 'ip6tnl' | 'ip6gre' | 'vti6'
  readonly words: readonly string[]
  readonly proto: number
  readonly base: string
}

const MODES: readonly Mode6[] = [
  { kind: 'ip6tnl', words: ['ipv6/ipv6', 'ip6ip6'], proto: IPPROTO_IPV6, base: 'ip6tnl0' },
  { kind: 'vti6', words: ['vti6'], proto: IPPROTO_IPV6, base: 'ip6_vti0' },
  { kind: 'ip6tnl', words: ['ip/ipv6', 'ipv4/ipv6', 'ipip6', 'ip4ip6'], proto: IPPROTO_IPIP, base: 'ip6tnl0' },
  { kind: 'ip6gre', words: ['ip6gre', 'gre/ipv6'], proto: 0, base: 'ip6gre0' },
  { kind: 'ip6tnl', words: ['any/ipv6', 'any'], proto: 0, base: 'ip6tnl0' },
]

type Data6 = GreData & IptunData

interface Request6 {
  name: string
  mode: Mode6 | undefined
  data: Data6
}

function parseRequest(ctx: IpContext, words: readonly string[]): Request6 {
  const request: Request6 = { name: '', mode: undefined, data: {} }
  const { data } = request
  const args = new Args(words)
  for (; args.more; args.skip()) {
    if (args.is('mode')) {
      const word = args.next()
      const mode = MODES.find(entry => entry.words.includes(word))
      if (mode === undefined) throw new ToolExit(`Unknown tunnel mode "${word}"\n`, EXIT_USAGE)
      request.mode = mode
    } else if (args.is('remote')) data.remote = parseEndpoint6(args.next())
    else if (args.is('local')) data.local = parseEndpoint6(args.next())
    else if (args.is('dev')) data.link = ctx.index(args.next())
    else if (parseIp6FlowWord(args, data)) continue
    else if (/^[io]?(key|seq|csum)$/.test(args.word) && parseKeyWord(args, data)) continue
    else {
      if (args.is('name')) args.next()
      else if (args.matches('help')) ctx.usage(TUNNEL6_USAGE)
      if (request.name !== '') duparg2('name', args.word)
      if (!validIfname(args.word)) invarg('"name" not a valid ifname', args.word)
      request.name = args.word
    }
  }
  return request
}

function send(ctx: IpContext, message: LinkMessage, complaint: string): number {
  try {
    ctx.nl.request(message)
    return 0
  } catch (thrown) {
    throw new CommandFailure(`${complaint}: ${strerror(asNetlinkError(thrown).errno)}\n`, 1)
  }
}

function add(ctx: IpContext, words: readonly string[], change: boolean): number {
  const request = parseRequest(ctx, words)
  const mode = request.mode ?? MODES[0]!
  const message = linkMessage({ type: RTM_NEWLINK, flags: change ? 0 : NLM_F_CREATE | NLM_F_EXCL })
  if (request.name !== '') message.attrs.ifname = request.name
  const none = new Uint8Array(16)
  const defaults: Data6 = change
    ? {}
    : { local: none, remote: none, flowinfo: 0, flags: 0, ttl: DEFAULT_HOP_LIMIT, encapLimit: DEFAULT_ENCAP_LIMIT }
  const data: Data6 = { ...defaults, ...request.data }
  if (mode.kind === 'ip6tnl') data.proto = mode.proto
  if (change) message.index = ctx.links.nameToIndex(request.name)
  message.attrs.linkinfo = { kind: mode.kind, data }
  return send(ctx, message, `${change ? 'change' : 'add'} tunnel "${change ? request.name : mode.base}" failed`)
}

function del(ctx: IpContext, words: readonly string[]): number {
  const request = parseRequest(ctx, words)
  const name = request.name === '' ? (request.mode?.base ?? 'ip6tnl0') : request.name
  const index = ctx.links.nameToIndex(name)
  if (index === 0) throw new CommandFailure(`delete tunnel "${name}" failed: No such device\n`, 1)
  ctx.links.forget(index)
  return send(ctx, linkMessage({ type: RTM_DELLINK, index }), `delete tunnel "${name}" failed`)
}

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`

function printTunnel(ctx: IpContext, out: Printer, link: LinkMessage): void {
  const info = link.attrs.linkinfo
  const data = (info?.data ?? {}) as Data6
  const flags = data.flags ?? 0
  const host = (bytes: Uint8Array | undefined): string => ctx.formatHost(AF_INET6, bytes ?? new Uint8Array(16))
  const name = link.attrs.ifname ?? ''
  const carried =
    info?.kind === 'ip6gre' ? 'gre' : data.proto === IPPROTO_IPIP ? 'ip' : data.proto === 0 ? 'any' : 'ipv6'
  out.openObject()
  out.put('ifname', name, `${name}: `, 'ifname')
  out.put('mode', `${carried}/ipv6`, `${carried}/ipv6 `)
  out.put('remote', host(data.remote), `remote ${host(data.remote)} `, 'inet6')
  out.put('local', host(data.local), `local ${host(data.local)} `, 'inet6')
  if (data.link !== undefined && data.link !== 0) {
    const dev = ctx.links.indexToName(data.link)
    out.put('link', dev, `dev ${dev} `, 'ifname')
  }
  if ((flags & IP6_TNL_F_IGN_ENCAP_LIMIT) !== 0) out.put('ip6_tnl_f_ign_encap_limit', true, 'encaplimit none ')
  else out.put('encap_limit', data.encapLimit ?? 0, `encaplimit ${data.encapLimit ?? 0} `)
  const ttl = data.ttl ?? 0
  if (ttl === 0) out.text('hoplimit inherit ')
  else out.put('hoplimit', ttl, `hoplimit ${ttl} `)
  const flowinfo = data.flowinfo ?? 0
  const tclass = hex((flowinfo & 0x0ff00000) >>> 20, 2)
  if ((flags & IP6_TNL_F_USE_ORIG_TCLASS) !== 0) out.put('ip6_tnl_f_use_orig_tclass', true, 'tclass inherit ')
  else out.put('tclass', tclass, `tclass ${tclass} `)
  const label = hex(flowinfo & 0xfffff, 5)
  if ((flags & IP6_TNL_F_USE_ORIG_FLOWLABEL) !== 0) {
    out.put('ip6_tnl_f_use_orig_flowlabel', true, 'flowlabel inherit ')
  } else out.put('flowlabel', label, `flowlabel ${label} `)
  const whole = hex(flowinfo >>> 0, 8)
  out.put('flowinfo', whole, `(flowinfo ${whole})`)
  if ((flags & IP6_TNL_F_RCV_DSCP_COPY) !== 0) out.put('ip6_tnl_f_rcv_dscp_copy', true, ' dscp inherit')
  if (((data.iflags ?? 0) & GRE_KEY) !== 0 && ((data.oflags ?? 0) & GRE_KEY) !== 0 && data.ikey === data.okey) {
    out.put('key', data.ikey ?? 0, ` key ${data.ikey ?? 0}`)
  } else {
    if (((data.iflags ?? 0) & GRE_KEY) !== 0) out.put('ikey', data.ikey ?? 0, ` ikey ${data.ikey ?? 0}`)
    if (((data.oflags ?? 0) & GRE_KEY) !== 0) out.put('okey', data.okey ?? 0, ` okey ${data.okey ?? 0}`)
  }
  if (ctx.opts.stats > 0 && link.attrs.stats64 !== undefined) printTunnelStats(out, link.attrs.stats64)
  out.closeObject()
}

/** Lists tunnels, each on a line; a single one that was named is not followed by a newline. */
function show(ctx: IpContext, words: readonly string[]): number {
  const request = parseRequest(ctx, words)
  const kinds = MODES.map(mode => mode.kind as string)
  const links = (ctx.dump(linkMessage()) as LinkMessage[]).filter(
    link => link.type === RTM_NEWLINK && kinds.includes(link.attrs.linkinfo?.kind ?? ''),
  )
  return ctx.listing(out => {
    for (const link of links) {
      if (request.name !== '' && request.name !== link.attrs.ifname) continue
      if (request.mode !== undefined && request.mode.kind !== link.attrs.linkinfo?.kind) continue
      printTunnel(ctx, out, link)
      if (request.name === '') out.text('\n')
    }
    return 0
  })
}

/** Runs `ip -6 tunnel`. */
export function runTunnel6(ctx: IpContext, words: readonly string[]): number {
  const command = words[0]
  const rest = words.slice(1)
  if (command === undefined) return show(ctx, [])
  const is = (...names: string[]): boolean => names.some(name => matches(command, name))
  if (is('add')) return add(ctx, rest, false)
  if (is('change')) return add(ctx, rest, true)
  if (is('delete')) return del(ctx, rest)
  if (is('show', 'lst', 'list')) return show(ctx, rest)
  if (is('help')) ctx.usage(TUNNEL6_USAGE)
  throw new ToolExit(`Command "${command}" is unknown, try "ip -f inet6 tunnel help".\n`, EXIT_USAGE)
}
