/** `ip tunnel`: GRE, IPIP, SIT and VTI tunnels over IPv4, and with -6 those over IPv6. See ip-tunnel(8). */
import { strerror } from '../../src/uapi/errno.ts'
import type { GreData, IptunData, VtiData } from '../../src/uapi/if_link.ts'
import { NLM_F_CREATE, NLM_F_EXCL } from '../../src/uapi/netlink.ts'
import { type LinkMessage, RTM_DELLINK, RTM_NEWLINK } from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6, AF_UNSPEC, IPPROTO_GRE, IPPROTO_IPIP, IPPROTO_IPV6 } from '../../src/uapi/socket.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, duparg2, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { formatIpv4, formatIpv6, getAddr32 } from '../lib/inet.ts'
import { getUnsigned } from '../lib/number.ts'
import type { Printer } from '../lib/printer.ts'
import { asNetlinkError, linkMessage } from '../lib/rtnl.ts'
import { validIfname } from '../lib/values.ts'
import type { IpContext, IpObject } from './context.ts'
import { TUNNEL_USAGE } from './help/tunnel.ts'
import { GRE_KEY, parseKeyWord } from './linkinfo/tunnel.ts'
import { printTunnelStats } from './print_tunnel_stats.ts'
import { runTunnel6 } from './tunnel6.ts'

const SIT_ISATAP = 1

/** Kinds of tunnels: their links, what they carry, the device each namespace has from the start. */
interface Mode {
  readonly kind: 'gre' | 'ipip' | 'sit' | 'vti'
  readonly words: readonly string[]
  readonly base: string
}

const MODES: readonly Mode[] = [
  { kind: 'gre', words: ['gre', 'gre/ip'], base: 'gre0' },
  { kind: 'ipip', words: ['ipip', 'ip/ip'], base: 'tunl0' },
  { kind: 'sit', words: ['sit', 'ipv6/ip', 'isatap'], base: 'sit0' },
  { kind: 'vti', words: ['vti'], base: 'ip_vti0' },
]

/** What the command line says of a tunnel. */
interface TunnelRequest {
  name: string
  mode: Mode | undefined
  dev: string | undefined
  data: GreData & IptunData & VtiData
}

function parseMode(request: TunnelRequest, word: string): void {
  const mode = MODES.find(({ words }) => words.includes(word))
  if (mode === undefined) throw new ToolExit(`Unknown tunnel mode "${word}"\n`, EXIT_USAGE)
  if (request.mode !== undefined && request.mode !== mode) {
    throw new ToolExit('You managed to ask for more than one tunnel mode.\n', EXIT_USAGE)
  }
  request.mode = mode
  if (word === 'isatap') request.data.flags = SIT_ISATAP
}

/** Present settings of a tunnel that changes. */
function currentTunnel(ctx: IpContext, name: string): LinkMessage | undefined {
  const index = ctx.links.nameToIndex(name)
  if (index === 0) return undefined
  return ctx.talk(linkMessage({ index }))[0] as LinkMessage | undefined
}

function parseRequest(ctx: IpContext, words: readonly string[], change: boolean): TunnelRequest {
  const request: TunnelRequest = { name: '', mode: undefined, dev: undefined, data: {} }
  const { data } = request
  const args = new Args(words)
  for (; args.more; args.skip()) {
    if (args.is('mode')) parseMode(request, args.next())
    else if (args.is('nopmtudisc')) data.pmtudisc = 0
    else if (args.is('pmtudisc')) data.pmtudisc = 1
    else if (args.is('remote')) data.remote = getAddr32(args.next())
    else if (args.is('local')) data.local = getAddr32(args.next())
    else if (args.is('dev')) request.dev = args.next()
    else if (args.is('ttl', 'hoplimit', 'hlim')) {
      const word = args.next()
      const ttl = word === 'inherit' ? 0 : getUnsigned(word)
      if (ttl === undefined || ttl > 255) invarg('invalid TTL\n', word)
      data.ttl = ttl
    } else if (args.is('tos', 'tclass') || args.matches('dsfield')) {
      const word = args.next()
      data.tos = word === 'inherit' ? 1 : (ctx.names.rtDsfield.a2n(word) ?? invarg('bad TOS value', word))
    } else if (/^[io]?(key|seq|csum)$/.test(args.word) && parseKeyWord(args, data)) continue
    else {
      if (args.is('name')) args.next()
      else if (args.matches('help')) ctx.usage(TUNNEL_USAGE)
      if (request.name !== '') duparg2('name', args.word)
      if (!validIfname(args.word)) invarg('"name" not a valid ifname', args.word)
      request.name = args.word
      const info = change ? currentTunnel(ctx, request.name)?.attrs.linkinfo : undefined
      if (info !== undefined) {
        request.mode ??= MODES.find(({ kind }) => kind === info.kind)
        request.data = Object.assign(data, { ...info.data, ...data })
      }
    }
  }
  request.mode ??= MODES.find(({ kind }) => request.name.startsWith(kind))
  return request
}

const isMulticast = (bytes: Uint8Array | undefined): boolean => ((bytes?.[0] ?? 0) & 0xf0) === 0xe0

/** Complaints about settings that do not go together. */
function check(request: TunnelRequest): void {
  const { data, mode } = request
  const refuse = (text: string): never => {
    throw new CommandFailure(text, 1)
  }
  const keyed = (((data.iflags ?? 0) | (data.oflags ?? 0)) & GRE_KEY) !== 0
  if (keyed && (mode?.kind === 'ipip' || mode?.kind === 'sit')) {
    refuse('Keys are not allowed with ipip and sit tunnels\n')
  }
  if (isMulticast(data.remote) && !(data.local?.some(byte => byte !== 0) ?? false)) {
    refuse('A broadcast tunnel requires a source address\n')
  }
  if ((data.flags ?? 0) !== 0 && data.remote !== undefined) refuse('no remote with isatap\n')
}

/** The data of the link a request describes. */
function linkDataOf(ctx: IpContext, request: TunnelRequest, mode: Mode): GreData & IptunData & VtiData {
  const { data } = request
  const none = new Uint8Array(4)
  const full: GreData & IptunData & VtiData = { local: none, remote: none, ttl: 0, tos: 0, pmtudisc: 1, ...data }
  if (mode.kind === 'ipip') full.proto ??= IPPROTO_IPIP
  if (mode.kind === 'sit') full.proto ??= IPPROTO_IPV6
  if (request.dev !== undefined) full.link = ctx.index(request.dev)
  return full
}

function modify(ctx: IpContext, words: readonly string[], change: boolean): number {
  const request = parseRequest(ctx, words, change)
  check(request)
  const { mode, data } = request
  if (!change && (data.ttl ?? 0) !== 0 && data.pmtudisc === 0) {
    throw new CommandFailure('ttl != 0 and nopmtudisc are incompatible\n', 1)
  }
  if (mode === undefined) {
    throw new CommandFailure('cannot determine tunnel mode (ipip, gre, vti or sit)\n', 1)
  }
  const message = linkMessage({ type: RTM_NEWLINK, flags: change ? 0 : NLM_F_CREATE | NLM_F_EXCL })
  if (change) message.index = ctx.links.nameToIndex(request.name === '' ? mode.base : request.name)
  if (request.name !== '') message.attrs.ifname = request.name
  message.attrs.linkinfo = { kind: mode.kind, data: linkDataOf(ctx, request, mode) }
  return send(ctx, message, `${change ? 'change' : 'add'} tunnel "${change ? request.name : mode.base}" failed`)
}

function send(ctx: IpContext, message: LinkMessage, complaint: string): number {
  try {
    ctx.nl.request(message)
    return 0
  } catch (thrown) {
    throw new CommandFailure(`${complaint}: ${strerror(asNetlinkError(thrown).errno)}\n`, 1)
  }
}

function del(ctx: IpContext, words: readonly string[]): number {
  const request = parseRequest(ctx, words, false)
  const name = request.name === '' ? (request.mode?.base ?? '') : request.name
  const index = ctx.links.nameToIndex(name)
  if (index === 0) throw new CommandFailure(`delete tunnel "${name}" failed: No such device\n`, 1)
  const message = linkMessage({ type: RTM_DELLINK, index })
  ctx.links.forget(index)
  return send(ctx, message, `delete tunnel "${name}" failed`)
}

function protocolName(mode: Mode, proto: number | undefined): string {
  if (mode.kind === 'gre') return 'gre'
  if (mode.kind === 'vti' || proto === IPPROTO_IPIP) return 'ip'
  if (proto === IPPROTO_IPV6) return 'ipv6'
  return proto === IPPROTO_GRE ? 'gre' : 'any'
}

function printTunnel(ctx: IpContext, out: Printer, link: LinkMessage, mode: Mode): void {
  const data = (link.attrs.linkinfo?.data ?? {}) as GreData & IptunData & VtiData
  const name = link.attrs.ifname ?? ''
  const host = (bytes: Uint8Array | undefined): string =>
    bytes === undefined || bytes.every(byte => byte === 0) ? 'any' : ctx.formatHost(AF_INET, bytes)
  const proto = `${protocolName(mode, data.proto)}/ip`
  out.openObject()
  out.put('ifname', name, `${name}: `, 'ifname')
  out.put('mode', proto, `${proto} `)
  out.put('remote', host(data.remote), `remote ${host(data.remote)} `, 'inet')
  out.put('local', host(data.local), `local ${host(data.local)} `, 'inet')
  if (data.link !== undefined && data.link !== 0) {
    const dev = ctx.links.indexToName(data.link)
    out.put('dev', dev, `dev ${dev} `, 'ifname')
  }
  const ttl = data.ttl ?? 0
  if (ttl === 0) out.text('ttl inherit')
  else out.put('ttl', ttl, `ttl ${ttl}`)
  const tos = data.tos ?? 0
  if (tos !== 0) {
    const words = (tos & 1) !== 0 ? ['inherit'] : []
    if ((tos & ~1) !== 0) words.push(ctx.names.rtDsfield.n2a(tos & ~1))
    out.put('tos', words.join('/'), ` tos ${words.join('/')}`)
  }
  if (data.pmtudisc === 0) out.put('pmtudisc', false, ' nopmtudisc')
  printSixRd(out, mode, data)
  printKey(out, mode, data)
  out.openArray('flags')
  out.closeArray()
  if (ctx.opts.stats > 0 && link.attrs.stats64 !== undefined) printTunnelStats(out, link.attrs.stats64)
  out.closeObject()
}

function printSixRd(out: Printer, mode: Mode, data: IptunData): void {
  if (mode.kind !== 'sit' || (data.sixRdPrefixlen ?? 0) === 0) return
  const prefix = formatIpv6(data.sixRdPrefix ?? new Uint8Array(16))
  out.put('6rd-prefix', prefix, ` 6rd-prefix ${prefix}`)
  out.put('6rd-prefixlen', data.sixRdPrefixlen ?? 0, `/${data.sixRdPrefixlen}`)
  const relay = data.sixRdRelayPrefix
  if (relay === undefined || relay.every(byte => byte === 0)) return
  out.put('6rd-relay_prefix', formatIpv4(relay), ` 6rd-relay_prefix ${formatIpv4(relay)}`)
  out.put('6rd-relay_prefixlen', data.sixRdRelayPrefixlen ?? 0, `/${data.sixRdRelayPrefixlen ?? 0}`)
}

function printKey(out: Printer, mode: Mode, data: GreData): void {
  const keyed = (flags: number | undefined): boolean => mode.kind === 'vti' || ((flags ?? 0) & GRE_KEY) !== 0
  const ikey = data.ikey ?? 0
  const okey = data.okey ?? 0
  if (mode.kind !== 'gre' && mode.kind !== 'vti') return
  if (keyed(data.iflags) && keyed(data.oflags) && ikey === okey) out.put('key', ikey, ` key ${ikey}`)
  else {
    if (keyed(data.iflags)) out.put('ikey', ikey, ` ikey ${ikey}`)
    if (keyed(data.oflags)) out.put('okey', okey, ` okey ${okey}`)
  }
}

function show(ctx: IpContext, words: readonly string[]): number {
  const request = parseRequest(ctx, words, false)
  const links = (ctx.dump(linkMessage()) as LinkMessage[]).filter(link => link.type === RTM_NEWLINK)
  for (const link of links) ctx.links.remember(link)
  return ctx.listing(out => {
    for (const link of links) {
      const mode = MODES.find(({ kind }) => kind === link.attrs.linkinfo?.kind)
      if (mode === undefined || (request.mode !== undefined && mode !== request.mode)) continue
      if (request.name !== '' && request.name !== link.attrs.ifname) continue
      printTunnel(ctx, out, link, mode)
      ctx.proc.stdout.write('\n')
    }
    return 0
  })
}

export const run: IpObject = (ctx, words) => {
  if (ctx.opts.family === AF_INET6) return runTunnel6(ctx, words)
  if (ctx.opts.family !== AF_UNSPEC && ctx.opts.family !== AF_INET) {
    throw new ToolExit(`Unsupported protocol family: ${ctx.opts.family}\n`, EXIT_USAGE)
  }
  const command = words[0]
  const rest = words.slice(1)
  if (command === undefined) return show(ctx, [])
  const is = (...names: string[]): boolean => names.some(name => matches(command, name))
  if (is('add')) return modify(ctx, rest, false)
  if (is('change')) return modify(ctx, rest, true)
  if (is('delete')) return del(ctx, rest)
  if (is('show', 'lst', 'list')) return show(ctx, rest)
  if (is('help')) ctx.usage(TUNNEL_USAGE)
  throw new ToolExit(`Command "${command}" is unknown, try "ip tunnel help"\n`, EXIT_USAGE)
}
