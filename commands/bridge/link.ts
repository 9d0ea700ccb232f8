/** `bridge link`: ports of bridges. */
import { BRIDGE_FLAGS_MASTER, BRIDGE_FLAGS_SELF } from '../../src/uapi/if_bridge.ts'
import type { BridgePortAttrs } from '../../src/uapi/if_link.ts'
import { type LinkMessage, RTM_DELLINK, RTM_NEWLINK, RTM_SETLINK } from '../../src/uapi/rtnetlink.ts'
import { AF_BRIDGE, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args } from '../lib/args.ts'
import { printLinkFlags, printNameAndLink } from '../lib/link_line.ts'
import { atoi, scanInteger } from '../lib/number.ts'
import type { Printer } from '../lib/printer.ts'
import { linkMessage } from '../lib/rtnl.ts'
import { parseOnOff } from '../lib/values.ts'
import { type BridgeContext, type BridgeObject, deviceIndex, failure, request, unknownCommand } from './context.ts'
import { LINK_USAGE } from './help.ts'

/** Names of BR_STATE_…, by number. */
export const STP_STATES: readonly string[] = ['disabled', 'listening', 'learning', 'forwarding', 'blocking']

/** C's -EINVAL as an exit status. */
const EXIT_EINVAL = 234

const MODES = ['VEB', 'VEPA']

type NumberKey = {
  [K in keyof BridgePortAttrs]-?: BridgePortAttrs[K] extends number | undefined ? K : never
}[keyof BridgePortAttrs]

/** Options that are on or off, in the order they are listed. */
const SWITCHES: readonly (readonly [string, NumberKey])[] = [
  ['hairpin', 'mode'],
  ['guard', 'guard'],
  ['root_block', 'protect'],
  ['fastleave', 'fastLeave'],
  ['learning', 'learning'],
  ['learning_sync', 'learningSync'],
  ['flood', 'unicastFlood'],
  ['mcast_flood', 'mcastFlood'],
  ['bcast_flood', 'bcastFlood'],
  ['mcast_to_unicast', 'mcastToUcast'],
  ['neigh_suppress', 'neighSuppress'],
  ['vlan_tunnel', 'vlanTunnel'],
  ['isolated', 'isolated'],
  ['locked', 'locked'],
]

/** Prints a spanning tree state. */
export function printStpState(out: Printer, state: number): void {
  const name = STP_STATES[state]
  if (name === undefined) out.put('state_index', state, `state (${state}) `)
  else out.put('state', name, `state ${name} `)
}

/** @returns a spanning tree state by number or name, undefined where it is none */
export function readStpState(word: string): number | undefined {
  const { value, length } = scanInteger(word, 10)
  if (length > 0 && length === word.length) return Number(value)
  const state = STP_STATES.indexOf(word)
  return state < 0 ? undefined : state
}

function printPort(ctx: BridgeContext, out: Printer, port: BridgePortAttrs): void {
  if (port.state !== undefined) printStpState(out, port.state)
  if (port.priority !== undefined) out.put('priority', port.priority, `priority ${port.priority} `)
  if (port.cost !== undefined) out.put('cost', port.cost, `cost ${port.cost} `)
  if (ctx.opts.details === 0) return
  out.nl()
  out.text('    ')
  for (const [name, key] of SWITCHES) {
    if (name === 'mcast_to_unicast' && port.multicastRouter !== undefined) {
      out.put('mcast_router', port.multicastRouter, `mcast_router ${port.multicastRouter} `)
    }
    if (name === 'isolated' && port.backupPort !== undefined && port.backupPort !== 0) {
      const backup = ctx.links.indexToName(port.backupPort)
      out.put('backup_port', backup, `backup_port ${backup} `)
    }
    const value = port[key]
    if (value !== undefined) out.put(name, value !== 0, `${name} ${value !== 0 ? 'on' : 'off'} `)
  }
}

/** @returns whether `printBridgeLink` prints a message */
export function isBridgeLink(message: LinkMessage): boolean {
  return (message.family === AF_BRIDGE || message.family === AF_UNSPEC) && message.attrs.ifname !== undefined
}

/** Prints a port of a bridge, or what a notification says of any link. */
export function printBridgeLink(ctx: BridgeContext, out: Printer, message: LinkMessage): void {
  const { attrs } = message
  out.openObject()
  if (message.type === RTM_DELLINK) out.put('deleted', true, 'Deleted ')
  out.put('ifindex', message.index, `${message.index}: `)
  const mdown = printNameAndLink(ctx.links, out, name => `${name}: `, attrs)
  printLinkFlags(out, message.ifFlags, mdown)
  if (attrs.mtu !== undefined) out.put('mtu', attrs.mtu, `mtu ${attrs.mtu} `)
  if (attrs.master !== undefined && attrs.master !== 0) {
    const master = ctx.links.indexToName(attrs.master)
    out.put('master', master, `master ${master} `)
  }
  if (attrs.protinfo !== undefined) printPort(ctx, out, attrs.protinfo)
  const mode = attrs.afSpec?.bridge?.mode
  if (mode !== undefined) out.put('hwmode', MODES[mode] ?? `unknown`, `hwmode ${MODES[mode] ?? `unknown`} `)
  out.text('\n')
  out.closeObject()
}

function show(ctx: BridgeContext, words: readonly string[]): number {
  const a = new Args(words)
  let dev: string | undefined
  for (; a.more; a.skip()) if (a.is('dev')) dev = a.next()
  const index = dev === undefined ? 0 : deviceIndex(ctx, dev)
  ctx.links.init()
  const answers = ctx.dump(linkMessage({ family: AF_BRIDGE }))
  ctx.listing(out => {
    for (const answer of answers) {
      if (answer.type !== RTM_NEWLINK && answer.type !== RTM_DELLINK) continue
      const link = answer as LinkMessage
      if (isBridgeLink(link) && (index === 0 || link.index === index)) printBridgeLink(ctx, out, link)
    }
  })
  return 0
}

/** Widths of numbers in bits. */
const WIDTHS = { cost: 0xffffffff, priority: 0xffff, state: 0xff }

/** Sets a number that is not below `least`; a lower one, as of a word that is no number, is passed over. */
function setWhere(port: BridgePortAttrs, key: keyof typeof WIDTHS, value: number, least: number): void {
  if (value >= least) port[key] = (value & WIDTHS[key]) >>> 0
  else delete port[key]
}

function set(ctx: BridgeContext, words: readonly string[]): number {
  const a = new Args(words)
  const port: BridgePortAttrs = {}
  let dev: string | undefined
  let flags = 0
  let mode: number | undefined
  for (; a.more; a.skip()) {
    const onOff = SWITCHES.find(([name]) => a.is(name))
    if (onOff !== undefined) port[onOff[1]] = parseOnOff(onOff[0], a.next(), EXIT_EINVAL) ? 1 : 0
    else if (a.is('dev')) dev = a.next()
    else if (a.is('mcast_router')) port.multicastRouter = atoi(a.next()) & 0xff
    else if (a.is('cost')) setWhere(port, 'cost', atoi(a.next()), 1)
    else if (a.is('priority')) setWhere(port, 'priority', atoi(a.next()), 0)
    else if (a.is('state')) {
      const state = readStpState(a.next())
      if (state === undefined) throw failure('Error: invalid STP port state')
      setWhere(port, 'state', state, 0)
    } else if (a.is('hwmode')) {
      flags = BRIDGE_FLAGS_SELF
      mode = ['veb', 'vepa'].indexOf(a.next())
      if (mode < 0) throw failure('Mode argument must be "vepa" or "veb".')
    } else if (a.is('self')) flags |= BRIDGE_FLAGS_SELF
    else if (a.is('master')) flags |= BRIDGE_FLAGS_MASTER
    else if (a.is('backup_port')) {
      const name = a.next()
      port.backupPort = ctx.links.nameToIndex(name)
      if (port.backupPort === 0) throw failure(`Error: device ${name} does not exist`)
    } else if (a.is('nobackup_port')) port.backupPort = 0
    else ctx.usage(LINK_USAGE)
  }
  if (dev === undefined) throw failure('Device is a required argument.')
  const message = linkMessage({ type: RTM_SETLINK, family: AF_BRIDGE })
  message.index = deviceIndex(ctx, dev, 'bridge device')
  message.attrs.protinfo = port
  if (flags !== 0 || mode !== undefined) {
    message.attrs.afSpec = {
      bridge: { ...(flags === 0 ? {} : { flags }), ...(mode === undefined ? {} : { mode }) },
    }
  }
  request(ctx, message)
  return 0
}

export const run: BridgeObject = (ctx, args) => {
  const a = new Args(args)
  if (!a.more) return show(ctx, [])
  const rest = args.slice(1)
  if (a.matches('set') || a.matches('change')) return set(ctx, rest)
  if (a.matches('show') || a.matches('lst') || a.matches('list')) return show(ctx, rest)
  if (a.matches('help')) ctx.usage(LINK_USAGE)
  return unknownCommand('link', a.word)
}
