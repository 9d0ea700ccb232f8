/** Listing of VLAN databases: of ports with states and counters, and of whole VLANs. */
import {
  BRIDGE_VLAN_INFO_PVID,
  BRIDGE_VLAN_INFO_UNTAGGED,
  type MdbQuerier,
  type VlanDbEntry,
  type VlanDbMessage,
  type VlanGlobalOptions,
} from '../../src/uapi/if_bridge.ts'
import { RTM_DELVLAN } from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6 } from '../../src/uapi/socket.ts'
import { formatAddress } from '../lib/inet.ts'
import type { Printer } from '../lib/printer.ts'
import type { BridgeContext } from './context.ts'
import { printStpState } from './link.ts'
import { formatTimer, printRouterPort } from './mdb_print.ts'

/** Blanks under a port's name; further lines of an entry are indented by two more. */
const COLUMN = ' '.repeat(18)
const INDENT = ' '.repeat(20)

/** Writes the header of a listing. */
export function printVlanHeader(out: Printer, text = 'port              vlan-id  '): void {
  out.text(`${text}\n`)
}

/** Entries of ports, under their names: opens a port's part of the listing at its first entry. */
export class VlanListing {
  private readonly ctx: BridgeContext
  private readonly out: Printer
  private readonly key: string
  private current: number | undefined

  constructor(ctx: BridgeContext, out: Printer, key: 'vlans' | 'tunnels' = 'vlans') {
    this.ctx = ctx
    this.out = out
    this.key = key
  }

  /** Begins an entry of a port: its name, or blanks under it. */
  begin(ifindex: number): void {
    const { out } = this
    if (this.current === ifindex) {
      out.openObject()
      out.text(COLUMN)
      return
    }
    this.end()
    this.current = ifindex
    const name = this.ctx.links.indexToName(ifindex)
    out.openObject()
    out.put('ifname', name, name.padEnd(16) + '  ', 'ifname')
    out.openArray(this.key)
    out.openObject()
  }

  /** Ends the port's part of the listing. */
  end(): void {
    if (this.current === undefined) return
    this.current = undefined
    this.out.closeArray()
    this.out.closeObject()
  }
}

/** Writes `10` or `10-20`. @returns the text */
export function printRange(out: Printer, key: string, start: number, end: number): void {
  out.put(key, start, String(start))
  if (end !== start) out.put(`${key}End`, end, `-${end}`)
}

/** Writes a VLAN's flags. */
export function printVlanFlags(out: Printer, flags: number): void {
  if (flags === 0) return
  out.openArray('flags')
  if ((flags & BRIDGE_VLAN_INFO_PVID) !== 0) out.put(undefined, 'PVID', ' PVID')
  if ((flags & BRIDGE_VLAN_INFO_UNTAGGED) !== 0) out.put(undefined, 'Egress Untagged', ' Egress Untagged')
  out.closeArray()
}

/** Writes the two lines of a VLAN's counters. */
export function printVlanStats(out: Printer, stats: NonNullable<VlanDbEntry['stats']>): void {
  out.text(INDENT)
  out.put('rx_bytes', stats.rxBytes, `RX: ${stats.rxBytes} bytes`)
  out.put('rx_packets', stats.rxPackets, ` ${stats.rxPackets} packets\n`)
  out.text(INDENT)
  out.put('tx_bytes', stats.txBytes, `TX: ${stats.txBytes} bytes`)
  out.put('tx_packets', stats.txPackets, ` ${stats.txPackets} packets\n`)
}

function printEntry(ctx: BridgeContext, out: Printer, entry: VlanDbEntry): void {
  printRange(out, 'vlan', entry.vid, entry.rangeEnd ?? entry.vid)
  printVlanFlags(out, entry.vlanFlags)
  out.nl()
  out.text(INDENT)
  printStpState(out, entry.state ?? 0)
  if (entry.mcastRouter !== undefined) out.put('mcast_router', entry.mcastRouter, `mcast_router ${entry.mcastRouter} `)
  out.nl()
  if (ctx.opts.stats > 0) printVlanStats(out, entry.stats ?? { rxBytes: 0, rxPackets: 0, txBytes: 0, txPackets: 0 })
}

/** Fields of a whole VLAN's options that are numbers. */
type NumberOption = {
  [K in keyof VlanGlobalOptions]-?: VlanGlobalOptions[K] extends number | undefined ? K : never
}[keyof VlanGlobalOptions]

/** Options of a whole VLAN with their names and widths in bits, in the order they are listed. */
export const GLOBAL_OPTIONS: readonly (readonly [string, NumberOption, 8 | 32 | 64])[] = [
  ['mcast_snooping', 'mcastSnooping', 8],
  ['mcast_querier', 'mcastQuerier', 8],
  ['mcast_igmp_version', 'mcastIgmpVersion', 8],
  ['mcast_mld_version', 'mcastMldVersion', 8],
  ['mcast_last_member_count', 'mcastLastMemberCnt', 32],
  ['mcast_last_member_interval', 'mcastLastMemberIntvl', 64],
  ['mcast_startup_query_count', 'mcastStartupQueryCnt', 32],
  ['mcast_startup_query_interval', 'mcastStartupQueryIntvl', 64],
  ['mcast_membership_interval', 'mcastMembershipIntvl', 64],
  ['mcast_querier_interval', 'mcastQuerierIntvl', 64],
  ['mcast_query_interval', 'mcastQueryIntvl', 64],
  ['mcast_query_response_interval', 'mcastQueryResponseIntvl', 64],
]

function printQuerier(ctx: BridgeContext, out: Printer, querier: MdbQuerier): void {
  const family = (version: 4 | 6, address?: Uint8Array, port?: number, timer?: number): void => {
    const name = `mcast_querier_ipv${version}`
    const put = (key: string, text: string): void => out.put(key, text, `${key} ${text} `)
    if (address !== undefined) put(`${name}_addr`, formatAddress(version === 4 ? AF_INET : AF_INET6, address))
    if (port !== undefined) put(`${name}_port`, ctx.links.indexToName(port))
    if (timer !== undefined) put(`${name}_other_timer`, formatTimer(timer, false))
  }
  family(4, querier.ipAddress, querier.ipPort, querier.ipOtherTimer)
  family(6, querier.ipv6Address, querier.ipv6Port, querier.ipv6OtherTimer)
}

function printGlobal(ctx: BridgeContext, out: Printer, options: VlanGlobalOptions): void {
  printRange(out, 'vlan', options.vid, options.rangeEnd ?? options.vid)
  out.nl()
  out.text(INDENT)
  for (const [name, key] of GLOBAL_OPTIONS) {
    const value = options[key]
    if (value !== undefined) out.put(name, value, `${name} ${value} `)
    if (name === 'mcast_querier' && options.mcastQuerierState !== undefined)
      printQuerier(ctx, out, options.mcastQuerierState)
  }
  out.nl()
  if (options.routerPorts === undefined) return
  out.text(INDENT)
  out.openArray('router_ports', 'router ports: ')
  for (const [i, port] of options.routerPorts.entries()) {
    const name = ctx.links.indexToName(port.port)
    out.openObject()
    if (ctx.opts.stats > 0 && i > 0) {
      out.nl()
      out.text(' '.repeat(34))
    }
    out.put('port', name, `${name} `)
    if (ctx.opts.stats > 0) printRouterPort(out, port)
    out.closeObject()
  }
  out.closeArray()
  out.nl()
}

/** What is printed of VLAN databases. */
export interface VlanFilter {
  /** 0 any */
  ifindex: number
  /** 0 any */
  vlan: number
}

const inRange = (filter: VlanFilter, vid: number, end: number): boolean =>
  filter.vlan === 0 || (filter.vlan >= vid && filter.vlan <= end)

/** Prints the entries and options of a message. @param what the kinds of entries to print */
export function printVlanDb(
  ctx: BridgeContext,
  out: Printer,
  message: VlanDbMessage,
  filter: VlanFilter,
  listing: VlanListing,
  what: 'entries' | 'global' | 'both',
): void {
  const { entries = [], globalOptions = [] } = message.attrs
  if (filter.ifindex !== 0 && filter.ifindex !== message.ifindex) return
  if (message.type === RTM_DELVLAN) out.put('deleted', true, 'Deleted ')
  if (what !== 'global') {
    for (const entry of entries) {
      if (!inRange(filter, entry.vid, entry.rangeEnd ?? entry.vid)) continue
      listing.begin(message.ifindex)
      printEntry(ctx, out, entry)
      out.closeObject()
    }
  }
  if (what !== 'entries') {
    for (const options of globalOptions) {
      if (!inRange(filter, options.vid, options.rangeEnd ?? options.vid)) continue
      listing.begin(message.ifindex)
      printGlobal(ctx, out, options)
      out.closeObject()
    }
  }
}
