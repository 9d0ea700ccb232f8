/** Listing of links: `ip link show`, the link lines of `ip address show`, and `ip monitor link`. */

import { isSysError } from '../../src/uapi/errno.ts'
import { IFF_POINTOPOINT, IFF_UP } from '../../src/uapi/if.ts'
import { type LinkAttrs, type LinkMessage, RTM_DELLINK } from '../../src/uapi/rtnetlink.ts'
import { AF_PACKET } from '../../src/uapi/socket.ts'
import { printLinkFlags, printNameAndLink } from '../lib/link_line.ts'
import { llAddrN2a, llTypeName } from '../lib/lladdr.ts'
import type { Color, Printer } from '../lib/printer.ts'
import { linkMessage } from '../lib/rtnl.ts'
import type { IpContext } from './context.ts'
import type { LinkFilter } from './link_filter.ts'
import { linkKind } from './linkinfo/index.ts'
import { printLinkStats } from './print_stats.ts'

/** Names of IF_OPER_…, by number. */
export const OPERSTATES: readonly string[] = [
  'UNKNOWN',
  'NOTPRESENT',
  'DOWN',
  'LOWERLAYERDOWN',
  'TESTING',
  'DORMANT',
  'UP',
]

function operstateColor(state: number): Color {
  return OPERSTATES[state] === 'UP' ? 'operstate_up' : OPERSTATES[state] === 'DOWN' ? 'operstate_down' : 'none'
}

function printOperstate(out: Printer, state: number, brief: boolean): void {
  const name = OPERSTATES[state]
  if (name === undefined) {
    out.put('operstate_index', state, `state 0x${state.toString(16)}`)
  } else if (brief) {
    out.put('operstate', name, `${name.padEnd(14)} `, operstateColor(state))
  } else {
    out.text('state ')
    out.put('operstate', name, `${name} `, operstateColor(state))
  }
}

/** The send queue's length: of the message, or asked for where the message (an AF_INET6 dump) lacks it. */
function queueLength(ctx: IpContext, message: LinkMessage): number {
  const { txqlen } = message.attrs
  if (txqlen !== undefined) return txqlen
  try {
    const [answer] = ctx.nl.request(linkMessage({ index: message.index }))
    return (answer as LinkMessage | undefined)?.attrs.txqlen ?? 0
  } catch (error) {
    if (isSysError(error)) return 0
    throw error
  }
}

const LINK_MODES = ['DEFAULT', 'DORMANT']

function printLinkmode(out: Printer, mode: number): void {
  const name = LINK_MODES[mode]
  if (name === undefined) out.put('linkmode_index', mode, `mode ${mode} `)
  else out.put('linkmode', name, `mode ${name} `)
}

const LINK_EVENTS = [
  'NONE',
  'REBOOT',
  'FEATURE CHANGE',
  'BONDING FAILOVER',
  'NOTIFY PEERS',
  'RESEND IGMP',
  'BONDING OPTION',
]

function printLinkEvent(out: Printer, event: number): void {
  const name = LINK_EVENTS[event]
  if (name === undefined) out.put('event', event, `event ${event} `)
  else if (event !== 0) out.put('event', name, `event ${name} `)
}

function printAddresses(out: Printer, message: LinkMessage, numeric: boolean): void {
  const { attrs, hatype } = message
  out.nl()
  const type = llTypeName(hatype, numeric)
  out.put('link_type', type, `    link/${type} `)
  if (attrs.address !== undefined) {
    const text = llAddrN2a(attrs.address, hatype)
    out.put('address', text, text, 'mac')
  }
  if (attrs.broadcast !== undefined) {
    if ((message.ifFlags & IFF_POINTOPOINT) !== 0) {
      out.text(' peer ')
      out.json('link_pointtopoint', true)
    } else {
      out.text(' brd ')
    }
    const text = llAddrN2a(attrs.broadcast, hatype)
    out.put('broadcast', text, text, 'mac')
  }
  if (attrs.permAddress !== undefined) {
    const text = llAddrN2a(attrs.permAddress, hatype)
    if (attrs.address === undefined || llAddrN2a(attrs.address, hatype) !== text) {
      out.text(' permaddr ')
      out.put('permaddr', text, text, 'mac')
    }
  }
}

function printLinkNetns(ctx: IpContext, out: Printer, attrs: LinkAttrs): void {
  const id = attrs.linkNetnsid
  if (id !== undefined) {
    if (out.isJson) out.json('link_netnsid', id)
    else if (id < 0) out.text(' link-netnsid unknown')
    else {
      const name = ctx.nsidNames.name(id)
      out.text(name === undefined ? ` link-netnsid ${id}` : ` link-netns ${name}`)
    }
  }
  if (attrs.newIfindex !== undefined) out.text(` new-ifindex ${attrs.newIfindex}`)
}

function printProtoDown(ctx: IpContext, out: Printer, attrs: LinkAttrs): void {
  if (attrs.protoDown !== undefined && attrs.protoDown !== 0) out.put('proto_down', true, ' protodown on ')
  const reason = attrs.protoDownReason?.value ?? 0
  if (attrs.protoDown === undefined || reason === 0) return
  out.openArray('proto_down_reason', 'protodown_reason <')
  let first = true
  for (let bit = 0; bit < 32; bit++) {
    if (((reason >>> bit) & 1) === 0) continue
    const name = ctx.names.protodownReason.n2a(bit)
    out.put(undefined, name, first ? name : `,${name}`)
    first = false
  }
  out.closeArray('>')
}

const ADDR_GEN_MODES = ['eui64', 'none', 'stable_secret', 'random']

function printAfSpec(out: Printer, attrs: LinkAttrs): void {
  const mode = attrs.afSpec?.inet6?.addrGenMode
  if (mode === undefined) return
  const name = ADDR_GEN_MODES[mode] ?? `0x${mode.toString(16).padStart(2, '0')}`
  out.put('inet6_addr_gen_mode', name, `addrgenmode ${name} `)
}

function printLinkType(ctx: IpContext, out: Printer, message: LinkMessage): void {
  const info = message.attrs.linkinfo
  if (info === undefined) return
  out.openObject('linkinfo')
  if (info.kind !== undefined) {
    out.nl()
    out.put('info_kind', info.kind, `    ${info.kind} `)
    const kind = linkKind(info.kind)
    if (kind?.print !== undefined) {
      out.openObject('info_data')
      if (info.data !== undefined) kind.print(ctx, out, info.data, message)
      out.closeObject()
      if (info.xstats !== undefined && ctx.opts.stats > 0 && kind.printXstats !== undefined) {
        out.openObject('info_xstats')
        kind.printXstats(ctx, out, info.xstats)
        out.closeObject()
      }
    }
  }
  if (info.slaveKind !== undefined) {
    out.nl()
    out.put('info_slave_kind', info.slaveKind, `    ${info.slaveKind}_slave `)
    const kind = linkKind(`${info.slaveKind}_slave`)
    if (kind?.print !== undefined) {
      out.openObject('info_slave_data')
      if (info.slaveData !== undefined) kind.print(ctx, out, info.slaveData, message)
      out.closeObject()
    }
  }
  out.closeObject()
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')

function printDetails(ctx: IpContext, out: Printer, message: LinkMessage, linkLine: boolean): void {
  const { attrs } = message
  const number = (key: string, value: number | undefined, text: string): void => {
    if (value !== undefined) out.put(key, value >>> 0, text.replace('%u', String(value >>> 0)))
  }
  const string = (key: string, value: string | undefined, word: string): void => {
    if (value !== undefined) out.put(key, value, `${word} ${value} `)
  }
  number('promiscuity', attrs.promiscuity, ' promiscuity %u ')
  number('allmulti', attrs.allmulti, ' allmulti %u ')
  number('min_mtu', attrs.minMtu, 'minmtu %u ')
  number('max_mtu', attrs.maxMtu, 'maxmtu %u ')
  printLinkType(ctx, out, message)
  if (linkLine) printAfSpec(out, attrs)
  number('num_tx_queues', attrs.numTxQueues, 'numtxqueues %u ')
  number('num_rx_queues', attrs.numRxQueues, 'numrxqueues %u ')
  number('gso_max_size', attrs.gsoMaxSize, 'gso_max_size %u ')
  number('gso_max_segs', attrs.gsoMaxSegs, 'gso_max_segs %u ')
  number('tso_max_size', attrs.tsoMaxSize, 'tso_max_size %u ')
  number('tso_max_segs', attrs.tsoMaxSegs, 'tso_max_segs %u ')
  number('gro_max_size', attrs.groMaxSize, 'gro_max_size %u ')
  string('phys_port_name', attrs.physPortName, 'portname')
  string('phys_port_id', attrs.physPortId && hex(attrs.physPortId), 'portid')
  string('phys_switch_id', attrs.physSwitchId && hex(attrs.physSwitchId), 'switchid')
  string('parentbus', attrs.parentDevBusName, 'parentbus')
  string('parentdev', attrs.parentDevName, 'parentdev')
}

/** Whether a filter selects a link. */
function selects(filter: LinkFilter, message: LinkMessage): boolean {
  const { attrs } = message
  if (filter.ifindex !== 0 && message.index !== filter.ifindex) return false
  if (filter.up && (message.ifFlags & IFF_UP) === 0) return false
  if (attrs.ifname === undefined) return false
  return true
}

function selectsMore(filter: LinkFilter, attrs: LinkAttrs): boolean {
  if (filter.group !== -1 && attrs.group !== undefined && attrs.group !== filter.group) return false
  if (filter.master > 0 && attrs.master !== filter.master) return false
  if (filter.master < 0 && attrs.master !== undefined) return false
  if (filter.kind !== undefined && (attrs.linkinfo?.kind ?? '') !== filter.kind) return false
  return filter.slaveKind === undefined || (attrs.linkinfo?.slaveKind ?? '') === filter.slaveKind
}

/** What became of a link: not selected; selected but without lines of its own; printed. */
export type LinkPrinted = 'skipped' | 'silent' | 'printed'

/**
 * Prints one link (RTM_NEWLINK or RTM_DELLINK).
 * @param linkLine whether this is `ip link`: with mode, alias and counters
 */
export function printLink(
  ctx: IpContext,
  out: Printer,
  message: LinkMessage,
  filter: LinkFilter,
  linkLine: boolean,
): LinkPrinted {
  const { attrs } = message
  const { opts } = ctx
  if (!selects(filter, message)) return 'skipped'
  if (filter.label !== undefined) return 'silent'
  if (!selectsMore(filter, attrs)) return 'skipped'
  if (message.type === RTM_DELLINK) out.put('deleted', true, 'Deleted ')
  if (opts.brief) {
    const mdown = printNameAndLink(ctx.links, out, name => `${name.padEnd(16)} `, attrs)
    if (attrs.operstate !== undefined) printOperstate(out, attrs.operstate, true)
    if (filter.family === AF_PACKET) {
      if (attrs.address !== undefined) {
        const text = llAddrN2a(attrs.address, message.hatype)
        out.put('address', text, `${text} `, 'mac')
      }
      printLinkFlags(out, message.ifFlags, mdown)
      out.text('\n')
    }
    return 'silent'
  }
  out.put('ifindex', message.index, `${message.index}: `)
  const mdown = printNameAndLink(ctx.links, out, name => `${name}: `, attrs)
  printLinkFlags(out, message.ifFlags, mdown)
  if (attrs.mtu !== undefined) out.put('mtu', attrs.mtu, `mtu ${attrs.mtu >>> 0} `)
  if (attrs.qdisc !== undefined) out.put('qdisc', attrs.qdisc, `qdisc ${attrs.qdisc} `)
  if (attrs.master !== undefined) {
    const master = ctx.links.indexToName(attrs.master)
    out.put('master', master, `master ${master} `)
  }
  if (attrs.operstate !== undefined) printOperstate(out, attrs.operstate, false)
  if (linkLine && attrs.linkmode !== undefined) printLinkmode(out, attrs.linkmode)
  if (attrs.group !== undefined) {
    const group = ctx.names.group.n2a(attrs.group)
    out.put('group', group, `group ${group} `)
  }
  if (filter.showQueue) {
    const qlen = queueLength(ctx, message)
    if (qlen !== 0) out.put('txqlen', qlen, `qlen ${qlen}`)
  }
  if (attrs.event !== undefined) printLinkEvent(out, attrs.event)
  if (filter.family === 0 || filter.family === AF_PACKET || opts.details > 0) printAddresses(out, message, opts.numeric)
  printLinkNetns(ctx, out, attrs)
  printProtoDown(ctx, out, attrs)
  if (opts.details > 0) printDetails(ctx, out, message, linkLine)
  if ((linkLine || opts.details > 0) && attrs.ifalias !== undefined) {
    out.nl()
    out.text('    ')
    out.put('ifalias', attrs.ifalias, `alias ${attrs.ifalias}`)
  }
  if (linkLine && opts.stats > 0) {
    out.nl()
    printLinkStats(out, message, opts)
  }
  if (attrs.propList !== undefined && attrs.propList.length > 0) {
    out.openArray('altnames')
    for (const name of attrs.propList) {
      out.nl()
      out.text('    altname ')
      out.put(undefined, name, name)
    }
    out.closeArray()
  }
  out.text('\n')
  return 'printed'
}
