/** Listing of multicast databases. */
import {
  MCAST_INCLUDE,
  MDB_FLAGS_BLOCKED,
  MDB_FLAGS_FAST_LEAVE,
  MDB_FLAGS_OFFLOAD,
  MDB_FLAGS_STAR_EXCL,
  type MdbEntry,
  type MdbRouterPort,
} from '../../src/uapi/if_bridge.ts'
import { AF_INET, AF_INET6 } from '../../src/uapi/socket.ts'
import { formatAddress } from '../lib/inet.ts'
import { llAddrN2a } from '../lib/lladdr.ts'
import type { Color, Printer } from '../lib/printer.ts'
import type { BridgeContext } from './context.ts'

/** @returns hundredths of a second as seconds, in seven columns if aligned */
export function formatTimer(hundredths: number, aligned: boolean): string {
  const seconds = String(Math.floor(hundredths / 100))
  return `${aligned ? seconds.padStart(4) : seconds}.${String(hundredths % 100).padStart(2, '0')}`
}

const FLAGS: readonly (readonly [number, string])[] = [
  [MDB_FLAGS_OFFLOAD, 'offload'],
  [MDB_FLAGS_FAST_LEAVE, 'fast_leave'],
  [MDB_FLAGS_STAR_EXCL, 'added_by_star_ex'],
  [MDB_FLAGS_BLOCKED, 'blocked'],
]

function addressText(bytes: Uint8Array): { readonly text: string; readonly color: Color } {
  if (bytes.length === 4) return { text: formatAddress(AF_INET, bytes), color: 'inet' }
  if (bytes.length === 16) return { text: formatAddress(AF_INET6, bytes), color: 'inet6' }
  return { text: llAddrN2a(bytes, 0), color: 'none' }
}

function printDetails(ctx: BridgeContext, out: Printer, entry: MdbEntry): void {
  if (entry.groupMode !== undefined) {
    const mode = entry.groupMode === MCAST_INCLUDE ? 'include' : 'exclude'
    out.put('filter_mode', mode, ` filter_mode ${mode}`)
  }
  if (entry.srcList !== undefined) {
    out.openArray('source_list', ' source_list ')
    for (const [i, source] of entry.srcList.entries()) {
      const { text, color } = addressText(source.address)
      const timer = formatTimer(source.timer, false)
      out.openObject()
      out.put('address', text, `${i === 0 ? '' : ','}${text}`, color)
      out.put('timer', timer, `/${timer}`)
      out.closeObject()
    }
    out.closeArray()
  }
  if (entry.rtprot !== undefined) {
    const protocol = ctx.names.rtProto.n2a(entry.rtprot)
    out.put('protocol', protocol, ` proto ${protocol} `)
  }
}

/** Prints an entry of a bridge's multicast database. */
export function printMdbEntry(
  ctx: BridgeContext,
  out: Printer,
  bridge: number,
  entry: MdbEntry,
  deleted = false,
): void {
  const dev = ctx.links.indexToName(bridge)
  const port = ctx.links.indexToName(entry.port)
  const group = addressText(entry.group)
  if (deleted) out.text('Deleted ')
  out.openObject()
  out.json('index', bridge)
  out.put('dev', dev, `dev ${dev}`, 'ifname')
  out.put('port', port, ` port ${port}`)
  out.put('grp', group.text, ` grp ${group.text}`, group.color)
  if (entry.source !== undefined) {
    const source = addressText(entry.source)
    out.put('src', source.text, ` src ${source.text}`, source.color)
  }
  out.put('state', entry.state, ` ${entry.state}`)
  if (ctx.opts.details > 0) printDetails(ctx, out, entry)
  out.openArray('flags')
  for (const [bit, name] of FLAGS) if ((entry.flags & bit) !== 0) out.put(undefined, name, ` ${name}`)
  out.closeArray()
  if (entry.vid !== 0) out.put('vid', entry.vid, ` vid ${entry.vid}`)
  if (ctx.opts.stats > 0 && entry.timer !== undefined) {
    const timer = formatTimer(entry.timer, true)
    out.put('timer', timer, ` ${timer}`)
  }
  out.nl()
  out.closeObject()
}

/** Types of router ports that end by themselves. */
const TEMPORARY_ROUTERS = [1, 3]

/** Writes a router port's timers and type. */
export function printRouterPort(out: Printer, port: MdbRouterPort): void {
  const timer = (key: string, value: number | undefined, words: string): void => {
    if (value !== undefined) out.put(key, formatTimer(value, true), `${words} ${formatTimer(value, true)}`)
  }
  timer('timer', port.timer, '')
  const type = TEMPORARY_ROUTERS.includes(port.type) ? 'temp' : 'permanent'
  out.put('type', type, ` ${type}`)
  timer('inet_timer', port.inetTimer, ' inet_timer')
  timer('inet6_timer', port.inet6Timer, ' inet6_timer')
  if (port.vid !== undefined) out.put('vid', port.vid, ` vid ${port.vid}`)
}

/** Prints the router ports of a bridge. */
export function printRouterPorts(
  ctx: BridgeContext,
  out: Printer,
  bridge: number,
  ports: readonly MdbRouterPort[],
): void {
  const dev = ctx.links.indexToName(bridge)
  const stats = ctx.opts.stats > 0
  out.openArray(dev, stats ? '' : `router ports on ${dev}: `)
  for (const port of ports) {
    const name = ctx.links.indexToName(port.port)
    out.openObject()
    out.put('port', name, stats ? `router ports on ${dev}: ${name}` : `${name} `)
    if (stats) {
      printRouterPort(out, port)
      out.text('\n')
    }
    out.closeObject()
  }
  if (!stats) out.nl()
  out.closeArray()
}
