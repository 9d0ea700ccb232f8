/** Ports of bridges: `type bridge_slave`. */
import type { BridgePortAttrs } from '../../../src/uapi/if_link.ts'
import { invarg } from '../../lib/errors.ts'
import type { Printer } from '../../lib/printer.ts'
import { parseOnOff, u8, u16, u32 } from '../../lib/values.ts'
import { altHex, formatBridgeId, printTimer } from './bridge.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'

const HELP = `Usage: ... bridge_slave [ fdb_flush ]
			[ state STATE ]
			[ priority PRIO ]
			[ cost COST ]
			[ guard {on | off} ]
			[ hairpin {on | off} ]
			[ fastleave {on | off} ]
			[ root_block {on | off} ]
			[ learning {on | off} ]
			[ flood {on | off} ]
			[ proxy_arp {on | off} ]
			[ proxy_arp_wifi {on | off} ]
			[ mcast_router MULTICAST_ROUTER ]
			[ mcast_fast_leave {on | off} ]
			[ mcast_flood {on | off} ]
			[ bcast_flood {on | off} ]
			[ mcast_to_unicast {on | off} ]
			[ group_fwd_mask MASK ]
			[ neigh_suppress {on | off} ]
			[ vlan_tunnel {on | off} ]
			[ isolated {on | off} ]
			[ locked {on | off} ]
			[ backup_port DEVICE ] [ nobackup_port ]
`
const STATES = ['disabled', 'listening', 'learning', 'forwarding', 'blocking']

type NumberKey = {
  [K in keyof BridgePortAttrs]-?: BridgePortAttrs[K] extends number | undefined ? K : never
}[keyof BridgePortAttrs]

const NUMBERS: readonly (readonly [string, NumberKey, (word: string) => number])[] = [
  ['state', 'state', word => u8(word, 'state is invalid')],
  ['priority', 'priority', word => u16(word, 'priority is invalid')],
  ['cost', 'cost', word => u32(word, 'cost is invalid')],
]

/** Options that are on or off. */
const SWITCHES: readonly (readonly [string, NumberKey])[] = [
  ['hairpin', 'mode'],
  ['guard', 'guard'],
  ['root_block', 'protect'],
  ['fastleave', 'fastLeave'],
  ['learning', 'learning'],
  ['flood', 'unicastFlood'],
  ['mcast_flood', 'mcastFlood'],
  ['bcast_flood', 'bcastFlood'],
  ['mcast_to_unicast', 'mcastToUcast'],
  ['proxy_arp', 'proxyarp'],
  ['proxy_arp_wifi', 'proxyarpWifi'],
  ['mcast_fast_leave', 'fastLeave'],
  ['neigh_suppress', 'neighSuppress'],
  ['vlan_tunnel', 'vlanTunnel'],
  ['isolated', 'isolated'],
  ['locked', 'locked'],
]

const FORWARD_MASK: readonly (readonly [number, string])[] = [
  [0, 'stp'],
  [2, 'lacp'],
  [14, 'lldp'],
]

/** @returns the link-local protocols of a forward mask by name */
function forwardMaskNames(mask: number): string {
  const words: string[] = []
  for (let bit = 0; bit < 16; bit++) {
    if ((mask & (1 << bit)) === 0) continue
    words.push(FORWARD_MASK.find(([number]) => number === bit)?.[1] ?? `0x${(1 << bit).toString(16)}`)
  }
  return words.length === 0 ? '0x0' : words.join(',')
}

export const bridgeSlave: LinkKindOf<BridgePortAttrs> = {
  kind: 'bridge_slave',
  help: HELP,

  parse(ctx, args) {
    const data: BridgePortAttrs = {}
    for (; args.more; args.skip()) {
      const number = NUMBERS.find(([name]) => args.matches(name))
      const onOff = SWITCHES.find(([name]) => args.matches(name))
      if (args.matches('fdb_flush')) data.flush = true
      else if (number !== undefined) data[number[1]] = number[2](args.next())
      else if (onOff !== undefined) data[onOff[1]] = parseOnOff(onOff[0], args.next()) ? 1 : 0
      else if (args.matches('mcast_router')) data.multicastRouter = u8(args.next(), 'invalid mcast_router')
      else if (args.matches('group_fwd_mask')) data.groupFwdMask = u16(args.next(), 'invalid group_fwd_mask')
      else if (args.matches('backup_port')) {
        const word = args.next()
        const index = ctx.links.nameToIndex(word)
        if (index === 0) invarg('Device does not exist\n', word)
        data.backupPort = index
      } else if (args.matches('nobackup_port')) data.backupPort = 0
      else if (args.matches('help')) throw kindFailure('', HELP)
      else throw kindFailure(`bridge_slave: unknown option "${args.word}"?\n`, HELP)
    }
    return data
  },

  print(ctx, out, data) {
    printBridgePort(out, data, index => ctx.links.indexToName(index))
  },
}

/** Prints the state of a bridge port. @param nameOf names an interface by its index */
export function printBridgePort(out: Printer, data: BridgePortAttrs, nameOf: (index: number) => string): void {
  const number = (value: number | undefined, name: string, key = name): void => {
    if (value !== undefined) out.put(key, value, `${name} ${value} `)
  }
  const string = (value: string | undefined, name: string, key = name): void => {
    if (value !== undefined) out.put(key, value, `${name} ${value} `)
  }
  const onOff = (value: number | undefined, name: string): void => {
    if (value !== undefined) out.put(name, value !== 0, `${name} ${value !== 0 ? 'on' : 'off'} `)
  }
  const hex = (value: number | undefined): string | undefined => (value === undefined ? undefined : altHex(value))
  if (data.state !== undefined) {
    const state = STATES[data.state]
    if (state === undefined) out.put('state_index', data.state, `state (${data.state}) `)
    else string(state, 'state')
  }
  number(data.priority, 'priority')
  number(data.cost, 'cost')
  onOff(data.mode, 'hairpin')
  onOff(data.guard, 'guard')
  onOff(data.protect, 'root_block')
  onOff(data.fastLeave, 'fastleave')
  onOff(data.learning, 'learning')
  onOff(data.unicastFlood, 'flood')
  string(hex(data.id), 'port_id', 'id')
  string(hex(data.no), 'port_no', 'no')
  number(data.designatedPort, 'designated_port')
  number(data.designatedCost, 'designated_cost')
  string(data.bridgeId && formatBridgeId(data.bridgeId), 'designated_bridge', 'bridge_id')
  string(data.rootId && formatBridgeId(data.rootId), 'designated_root', 'root_id')
  printTimer(out, 'hold_timer', data.holdTimer)
  printTimer(out, 'message_age_timer', data.messageAgeTimer)
  printTimer(out, 'forward_delay_timer', data.forwardDelayTimer)
  number(data.topologyChangeAck, 'topology_change_ack')
  number(data.configPending, 'config_pending')
  onOff(data.proxyarp, 'proxy_arp')
  onOff(data.proxyarpWifi, 'proxy_arp_wifi')
  number(data.multicastRouter, 'mcast_router', 'multicast_router')
  if (data.fastLeave !== undefined) out.text(`mcast_fast_leave ${data.fastLeave !== 0 ? 'on' : 'off'} `)
  onOff(data.mcastFlood, 'mcast_flood')
  onOff(data.bcastFlood, 'bcast_flood')
  onOff(data.mcastToUcast, 'mcast_to_unicast')
  onOff(data.neighSuppress, 'neigh_suppress')
  if (data.groupFwdMask !== undefined) {
    string(altHex(data.groupFwdMask), 'group_fwd_mask')
    string(forwardMaskNames(data.groupFwdMask), 'group_fwd_mask_str')
  }
  onOff(data.vlanTunnel, 'vlan_tunnel')
  onOff(data.isolated, 'isolated')
  onOff(data.locked, 'locked')
  if (data.backupPort !== undefined && data.backupPort !== 0) string(nameOf(data.backupPort), 'backup_port')
}
