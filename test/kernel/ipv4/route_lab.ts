/** Words to speak rtnetlink about IPv4 addresses, routes, rules and next hops, and to read the answers as `ip` shows them. */
import type { Net } from '../../../src/kernel/core/net_namespace.ts'
import type { RtnlSocket } from '../../../src/kernel/core/rtnetlink.ts'
import { addrFromBytes, addrText } from '../../../src/kernel/ipv4/inet_addr.ts'
import {
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
} from '../../../src/uapi/netlink.ts'
import {
  type AddrAttrs,
  type AddrMessage,
  FIB_RULE_INVERT,
  FIB_RULE_UNRESOLVED,
  FR_ACT_TO_TBL,
  IFA_F_DEPRECATED,
  IFA_F_NOPREFIXROUTE,
  IFA_F_SECONDARY,
  type NexthopMessage,
  NUD_PERMANENT,
  type RouteAttrs,
  type RouteMessage,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTM_DELADDR,
  RTM_DELNEXTHOP,
  RTM_DELROUTE,
  RTM_DELRULE,
  RTM_F_CLONED,
  RTM_F_FIB_MATCH,
  RTM_F_LOOKUP_TABLE,
  RTM_GETADDR,
  RTM_GETNEXTHOP,
  RTM_GETROUTE,
  RTM_GETRULE,
  RTM_NEWADDR,
  RTM_NEWNEIGH,
  RTM_NEWNEXTHOP,
  RTM_NEWROUTE,
  RTM_NEWRULE,
  RTN_LOCAL,
  RTN_UNICAST,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
  RTNH_F_ONLINK,
  RTPROT_BOOT,
  type RtMessage,
  type RuleAttrs,
  type RuleMessage,
} from '../../../src/uapi/rtnetlink.ts'
import { AF_INET } from '../../../src/uapi/socket.ts'
import { Lab } from '../core/net_lab.ts'

const TYPES = [
  '',
  '',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
]
const SCOPES = new Map([
  [RT_SCOPE_LINK, 'link'],
  [RT_SCOPE_HOST, 'host'],
  [RT_SCOPE_NOWHERE, 'nowhere'],
])
const VERBS = {
  add: NLM_F_CREATE | NLM_F_EXCL,
  append: NLM_F_CREATE | NLM_F_APPEND,
  prepend: NLM_F_CREATE,
  replace: NLM_F_CREATE | NLM_F_REPLACE,
  change: NLM_F_REPLACE,
  del: 0,
} as const

/** An address with dots, as bytes. */
export function ip4(text: string): Uint8Array {
  return Uint8Array.from(text.split('.'), Number)
}

/** An address with dots, as a number. */
export function num4(text: string): number {
  return addrFromBytes(ip4(text))
}

/** A prefix such as `10.0.0.0/8` or `default`. */
export function prefix(text: string): { addr: Uint8Array | undefined; len: number } {
  if (text === 'default') return { addr: undefined, len: 0 }
  const [addr, len] = text.split('/')
  return { addr: ip4(addr!), len: len === undefined ? 32 : Number(len) }
}

/** What a route may be asked to have, by the words of ip-route(8). */
export interface RouteWords {
  via?: string
  dev?: string
  src?: string
  metric?: number
  table?: number
  type?: number
  scope?: number
  proto?: number
  tos?: number
  onlink?: boolean
  mtu?: number
  nhid?: number
  nexthops?: { via?: string; dev?: string; weight?: number; onlink?: boolean }[]
  attrs?: RouteAttrs
}

/** What `ip route get` may be asked. */
export interface GetWords {
  from?: string
  fibmatch?: boolean
  attrs?: RouteAttrs
}

/** What a rule may be asked to have, by the words of ip-rule(8). */
export interface RuleWords {
  from?: string
  to?: string
  priority?: number
  table?: number
  action?: number
  not?: boolean
  tos?: number
  attrs?: RuleAttrs
}

/** A lab with words for IPv4 routing. */
export class RouteLab extends Lab {
  /** `ip addr add ADDRESS dev DEV` */
  addr(
    address: string,
    dev: string,
    words: Partial<AddrMessage> & { verb?: 'add' | 'replace'; attrs?: AddrAttrs } = {},
    net = this.net,
  ): void {
    const { verb = 'add', attrs, ...rest } = words
    this.request(
      this.addrMessage(RTM_NEWADDR, address, dev, { ...rest, ...(attrs && { attrs }) }, net, VERBS[verb]),
      net,
    )
  }

  /** `ip addr del ADDRESS dev DEV` */
  delAddr(address: string, dev: string, net = this.net): void {
    this.request(this.addrMessage(RTM_DELADDR, address, dev, {}, net, 0), net)
  }

  private addrMessage(
    type: AddrMessage['type'],
    address: string,
    dev: string,
    rest: Partial<AddrMessage>,
    net: Net,
    flags: number,
  ): AddrMessage {
    const { addr, len } = prefix(address)
    return {
      type,
      flags: NLM_F_REQUEST | NLM_F_ACK | flags,
      family: AF_INET,
      prefixlen: len,
      ifaFlags: 0,
      scope: 0,
      index: this.dev(dev, net).ifindex,
      ...rest,
      attrs: { local: addr!, address: addr!, ...rest.attrs },
    }
  }

  /** `ip addr`: a line for each address of a device */
  addrs(dev: string, net = this.net): string[] {
    const msg: AddrMessage = {
      type: RTM_GETADDR,
      flags: NLM_F_REQUEST | NLM_F_DUMP,
      family: AF_INET,
      prefixlen: 0,
      ifaFlags: 0,
      scope: 0,
      index: this.dev(dev, net).ifindex,
      attrs: {},
    }
    return (this.request(msg, net) as AddrMessage[]).map(a => {
      const flags = a.attrs.flags!
      const ci = a.attrs.cacheinfo!
      const words = [`${addrText(addrFromBytes(a.attrs.local))}/${a.prefixlen}`]
      if (a.attrs.broadcast) words.push(`brd ${addrText(addrFromBytes(a.attrs.broadcast))}`)
      if (a.scope !== 0) words.push(`scope ${SCOPES.get(a.scope)}`)
      if (flags & IFA_F_SECONDARY) words.push('secondary')
      if (flags & IFA_F_DEPRECATED) words.push('deprecated')
      if (flags & IFA_F_NOPREFIXROUTE) words.push('noprefixroute')
      if (a.attrs.label !== dev) words.push(`label ${a.attrs.label}`)
      if (ci.valid !== 0xffffffff) words.push(`valid ${ci.valid} preferred ${ci.prefered}`)
      return words.join(' ')
    })
  }

  private ifindex(dev: string | undefined, net: Net): number | undefined {
    return dev === undefined ? undefined : this.dev(dev, net).ifindex
  }

  /** `ip route VERB PREFIX …` */
  route(verb: keyof typeof VERBS, dst: string, words: RouteWords = {}, net = this.net): void {
    const { addr, len } = prefix(dst)
    const type = words.type ?? (verb === 'del' ? 0 : RTN_UNICAST)
    let scope = words.scope
    if (scope === undefined) {
      if (verb === 'del') scope = RT_SCOPE_NOWHERE
      else if (type === RTN_LOCAL) scope = RT_SCOPE_HOST
      else if (type >= 6 || words.via !== undefined || words.nexthops !== undefined || words.nhid !== undefined)
        scope = RT_SCOPE_UNIVERSE
      else scope = RT_SCOPE_LINK
    }
    const attrs: RouteAttrs = { ...words.attrs }
    if (addr !== undefined) attrs.dst = addr
    if (words.via !== undefined) attrs.gateway = ip4(words.via)
    const oif = this.ifindex(words.dev, net)
    if (oif !== undefined) attrs.oif = oif
    if (words.src !== undefined) attrs.prefsrc = ip4(words.src)
    if (words.metric !== undefined) attrs.priority = words.metric
    if (words.mtu !== undefined) attrs.metrics = { ...attrs.metrics, mtu: words.mtu }
    if (words.nhid !== undefined) attrs.nhId = words.nhid
    if (words.nexthops !== undefined)
      attrs.multipath = words.nexthops.map(hop => ({
        flags: hop.onlink ? RTNH_F_ONLINK : 0,
        hops: (hop.weight ?? 1) - 1,
        ifindex: this.ifindex(hop.dev, net) ?? 0,
        ...(hop.via === undefined ? {} : { gateway: ip4(hop.via) }),
      }))
    const table = words.table ?? (type === RTN_LOCAL ? 255 : RT_TABLE_MAIN)
    if (table > 255) attrs.table = table
    const msg: RouteMessage = {
      type: verb === 'del' ? RTM_DELROUTE : RTM_NEWROUTE,
      flags: NLM_F_REQUEST | NLM_F_ACK | VERBS[verb],
      family: AF_INET,
      dstLen: len,
      srcLen: 0,
      tos: words.tos ?? 0,
      table: table > 255 ? 0 : table,
      protocol: words.proto ?? (verb === 'del' ? 0 : RTPROT_BOOT),
      scope,
      rtType: type,
      rtmFlags: words.onlink ? RTNH_F_ONLINK : 0,
      attrs,
    }
    this.request(msg, net)
  }

  private devName(index: number | undefined, net: Net): string {
    return index === undefined ? '' : (net.devByIndex(index)?.name ?? `if${index}`)
  }

  private hopText(
    hop: { gateway?: Uint8Array; via?: { addr: Uint8Array }; oif?: number; flags?: number },
    net: Net,
  ): string[] {
    const words: string[] = []
    if (hop.gateway !== undefined) words.push(`via ${addrText(addrFromBytes(hop.gateway))}`)
    if (hop.via !== undefined) words.push('via inet6')
    if (hop.oif !== undefined && hop.oif !== 0) words.push(`dev ${this.devName(hop.oif, net)}`)
    return words
  }

  private flagText(flags: number): string[] {
    const words: string[] = []
    if (flags & RTNH_F_DEAD) words.push('dead')
    if (flags & RTNH_F_ONLINK) words.push('onlink')
    if (flags & RTNH_F_LINKDOWN) words.push('linkdown')
    return words
  }

  /** a route in one line, nearly as `ip route` shows it */
  text(r: RouteMessage, net = this.net): string {
    const { attrs } = r
    const words: string[] = []
    if (r.rtType > 1) words.push(TYPES[r.rtType]!)
    const dst = attrs.dst === undefined ? 'default' : addrText(addrFromBytes(attrs.dst))
    words.push(r.dstLen === 32 || r.dstLen === 0 ? dst : `${dst}/${r.dstLen}`)
    if (attrs.src !== undefined) words.push(`from ${addrText(addrFromBytes(attrs.src))}`)
    if (r.tos !== 0) words.push(`tos ${r.tos}`)
    if (attrs.nhId !== undefined) words.push(`nhid ${attrs.nhId}`)
    words.push(...this.hopText(attrs, net))
    if (r.protocol === 2) words.push('proto kernel')
    if (r.scope !== 0) words.push(`scope ${SCOPES.get(r.scope)}`)
    if (attrs.prefsrc !== undefined) words.push(`src ${addrText(addrFromBytes(attrs.prefsrc))}`)
    if (attrs.priority !== undefined) words.push(`metric ${attrs.priority}`)
    if ((r.rtmFlags & RTM_F_CLONED) === 0) words.push(...this.flagText(r.rtmFlags & 0xff))
    if (attrs.mark !== undefined) words.push(`mark ${attrs.mark}`)
    if (attrs.metrics?.mtu !== undefined) {
      words.push(`mtu ${((attrs.metrics.lock ?? 0) & 4) !== 0 ? 'lock ' : ''}${attrs.metrics.mtu}`)
    }
    for (const hop of attrs.multipath ?? []) {
      const via = this.hopText({ ...hop, oif: hop.ifindex }, net)
      words.push(['nexthop', ...via, `weight ${hop.hops + 1}`, ...this.flagText(hop.flags)].join(' '))
    }
    return words.join(' ')
  }

  /** `ip route show table TABLE` (0: all) */
  routes(table = RT_TABLE_MAIN, net = this.net, rtmFlags = 0): string[] {
    return this.dumpRoutes({ rtmFlags, attrs: table === 0 ? {} : { table } }, net)
  }

  /** a dump with a filter, in text */
  dumpRoutes(filter: Partial<RouteMessage>, net = this.net): string[] {
    const msg: RouteMessage = {
      type: RTM_GETROUTE,
      flags: NLM_F_REQUEST | NLM_F_DUMP,
      family: AF_INET,
      dstLen: 0,
      srcLen: 0,
      tos: 0,
      table: 0,
      protocol: 0,
      scope: 0,
      rtType: 0,
      rtmFlags: 0,
      attrs: {},
      ...filter,
    }
    return (this.request(msg, net) as RouteMessage[]).map(r => this.text(r, net))
  }

  /** `ip route get DST …` */
  getMessage(dst: string, words: GetWords = {}, net = this.net): RouteMessage {
    return this.request(this.getRequest(dst, words), net)[0] as RouteMessage
  }

  private getRequest(dst: string, words: GetWords): RouteMessage {
    const attrs: RouteAttrs = { dst: ip4(dst), ...words.attrs }
    if (words.from !== undefined) attrs.src = ip4(words.from)
    return {
      type: RTM_GETROUTE,
      flags: NLM_F_REQUEST,
      family: AF_INET,
      dstLen: 32,
      srcLen: words.from === undefined ? 0 : 32,
      tos: 0,
      table: 0,
      protocol: 0,
      scope: 0,
      rtType: 0,
      rtmFlags: RTM_F_LOOKUP_TABLE | (words.fibmatch ? RTM_F_FIB_MATCH : 0),
      attrs,
    }
  }

  /** the same for a TOS */
  getTos(dst: string, tos: number): string {
    const msg = { ...this.getRequest(dst, {}), tos }
    return this.text(this.request(msg)[0] as RouteMessage)
  }

  /** the same as text */
  get(dst: string, words: GetWords = {}, net = this.net): string {
    return this.text(this.getMessage(dst, words, net), net)
  }

  /** `ip rule VERB …` */
  rule(verb: 'add' | 'del', words: RuleWords = {}, net = this.net): void {
    const from = words.from === undefined ? undefined : prefix(words.from)
    const to = words.to === undefined ? undefined : prefix(words.to)
    const attrs: RuleAttrs = { ...words.attrs }
    if (from !== undefined) attrs.src = from.addr!
    if (to !== undefined) attrs.dst = to.addr!
    if (words.priority !== undefined) attrs.priority = words.priority
    if (words.table !== undefined) attrs.table = words.table
    const msg: RuleMessage = {
      type: verb === 'add' ? RTM_NEWRULE : RTM_DELRULE,
      flags: NLM_F_REQUEST | NLM_F_ACK | (verb === 'add' ? NLM_F_CREATE | NLM_F_EXCL : 0),
      family: AF_INET,
      dstLen: to?.len ?? 0,
      srcLen: from?.len ?? 0,
      tos: words.tos ?? 0,
      table: words.table !== undefined && words.table < 256 ? words.table : 0,
      action: words.action ?? (verb === 'add' || words.table !== undefined ? FR_ACT_TO_TBL : 0),
      ruleFlags: words.not ? FIB_RULE_INVERT : 0,
      attrs,
    }
    this.request(msg, net)
  }

  /** `ip rule`: priority, selectors, action */
  rules(net = this.net): string[] {
    const msg: RuleMessage = {
      type: RTM_GETRULE,
      flags: NLM_F_REQUEST | NLM_F_DUMP,
      family: AF_INET,
      dstLen: 0,
      srcLen: 0,
      tos: 0,
      table: 0,
      action: 0,
      ruleFlags: 0,
      attrs: {},
    }
    return (this.request(msg, net) as RuleMessage[]).map(r => {
      const words = [`${r.attrs.priority ?? 0}:`]
      if (r.ruleFlags & FIB_RULE_INVERT) words.push('not')
      if (r.attrs.src) words.push(`from ${addrText(addrFromBytes(r.attrs.src))}/${r.srcLen}`)
      if (r.attrs.dst) words.push(`to ${addrText(addrFromBytes(r.attrs.dst))}/${r.dstLen}`)
      if (r.attrs.fwmark !== undefined) words.push(`fwmark ${r.attrs.fwmark}/${r.attrs.fwmask}`)
      if (r.attrs.iifname !== undefined) words.push(`iif ${r.attrs.iifname}`)
      if (r.action === FR_ACT_TO_TBL) words.push(`lookup ${r.attrs.table}`)
      else words.push(`action ${r.action}`)
      if (r.attrs.goto !== undefined) words.push(`goto ${r.attrs.goto}`)
      if (r.ruleFlags & FIB_RULE_UNRESOLVED) words.push('unresolved')
      return words.join(' ')
    })
  }

  /** `ip nexthop add id ID …` */
  nexthop(id: number, attrs: NexthopMessage['attrs'], rest: Partial<NexthopMessage> = {}, net = this.net): void {
    this.request(
      {
        type: RTM_NEWNEXTHOP,
        flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
        family: attrs.group === undefined ? AF_INET : 0,
        scope: 0,
        protocol: 0,
        nhFlags: 0,
        ...rest,
        attrs: { ...attrs, ...(id === 0 ? {} : { id }) },
      },
      net,
    )
  }

  delNexthop(id: number, net = this.net): void {
    this.request(
      {
        type: RTM_DELNEXTHOP,
        flags: NLM_F_REQUEST | NLM_F_ACK,
        family: 0,
        scope: 0,
        protocol: 0,
        nhFlags: 0,
        attrs: { id },
      },
      net,
    )
  }

  /** `ip nexthop` */
  nexthops(net = this.net): string[] {
    const msg: NexthopMessage = {
      type: RTM_GETNEXTHOP,
      flags: NLM_F_REQUEST | NLM_F_DUMP,
      family: 0,
      scope: 0,
      protocol: 0,
      nhFlags: 0,
      attrs: {},
    }
    return (this.request(msg, net) as NexthopMessage[]).map(n => {
      const words = [`id ${n.attrs.id}`]
      if (n.attrs.group !== undefined)
        words.push(
          `group ${n.attrs.group.map(e => (e.weight === 0 ? `${e.id}` : `${e.id},${e.weight + 1}`)).join('/')}`,
        )
      if (n.attrs.blackhole) words.push('blackhole')
      if (n.attrs.gateway !== undefined) words.push(`via ${addrText(addrFromBytes(n.attrs.gateway))}`)
      if (n.attrs.oif !== undefined) words.push(`dev ${this.devName(n.attrs.oif, net)}`)
      if (n.scope !== 0) words.push(`scope ${SCOPES.get(n.scope)}`)
      if (n.attrs.fdb) words.push('fdb')
      return words.join(' ')
    })
  }

  /** `ip neigh add ADDRESS dev DEV lladdr …` */
  neigh(address: string, dev: string, lladdr: Uint8Array): void {
    this.request({
      type: RTM_NEWNEIGH,
      flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
      family: AF_INET,
      ifindex: this.dev(dev).ifindex,
      state: NUD_PERMANENT,
      ndmFlags: 0,
      ndmType: 0,
      attrs: { dst: ip4(address), lladdr },
    })
  }

  /** what a socket has heard since it was asked last */
  heard(socket: RtnlSocket): RtMessage[] {
    const all: RtMessage[] = []
    for (let msg = socket.next(); msg !== undefined; msg = socket.next()) all.push(msg)
    return all
  }

  /** text of a file in /proc/net */
  proc(name: string, net = this.net): string {
    const node = this.kernel.procNet(net).lookup(name)
    const text = node?.kind === 'file' ? node.read?.() : undefined
    if (typeof text !== 'string') throw new Error(`no ${name}`)
    return text
  }

  /** `sysctl -w` */
  sysctl(path: string, value: string | number, net = this.net): void {
    let node: ReturnType<ReturnType<typeof this.kernel.procSys>['lookup']> = this.kernel.procSys(net)
    for (const part of path.split('/')) node = node?.kind === 'dir' ? node.lookup(part) : undefined
    if (node?.kind !== 'file' || node.write === undefined) throw new Error(`no ${path}`)
    node.write(`${value}\n`)
  }

  /** a dummy device that is up, with addresses */
  dummy(name: string, ...addresses: string[]): void {
    this.add(name, { kind: 'dummy' })
    this.up(name)
    for (const address of addresses) this.addr(address, name)
  }
}
