/** Bridges: `type bridge`. Times are in hundredths of a second. */
import type { BridgeData } from '../../../src/uapi/if_link.ts'
import { invarg } from '../../lib/errors.ts'
import { llProtoName, parseLlProto } from '../../lib/ll_proto.ts'
import { llAddrA2n, llAddrN2a } from '../../lib/lladdr.ts'
import { formatG } from '../../lib/number.ts'
import type { Printer } from '../../lib/printer.ts'
import { u8, u16, u32, u64 } from '../../lib/values.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'

const HELP = `Usage: ... bridge [ fdb_flush ]
		  [ forward_delay FORWARD_DELAY ]
		  [ hello_time HELLO_TIME ]
		  [ max_age MAX_AGE ]
		  [ ageing_time AGEING_TIME ]
		  [ stp_state STP_STATE ]
		  [ priority PRIORITY ]
		  [ group_fwd_mask MASK ]
		  [ group_address ADDRESS ]
		  [ no_linklocal_learn NO_LINKLOCAL_LEARN ]
		  [ vlan_filtering VLAN_FILTERING ]
		  [ vlan_protocol VLAN_PROTOCOL ]
		  [ vlan_default_pvid VLAN_DEFAULT_PVID ]
		  [ vlan_stats_enabled VLAN_STATS_ENABLED ]
		  [ vlan_stats_per_port VLAN_STATS_PER_PORT ]
		  [ mcast_snooping MULTICAST_SNOOPING ]
		  [ mcast_vlan_snooping MULTICAST_VLAN_SNOOPING ]
		  [ mcast_router MULTICAST_ROUTER ]
		  [ mcast_query_use_ifaddr MCAST_QUERY_USE_IFADDR ]
		  [ mcast_querier MULTICAST_QUERIER ]
		  [ mcast_hash_elasticity HASH_ELASTICITY ]
		  [ mcast_hash_max HASH_MAX ]
		  [ mcast_last_member_count LAST_MEMBER_COUNT ]
		  [ mcast_startup_query_count STARTUP_QUERY_COUNT ]
		  [ mcast_last_member_interval LAST_MEMBER_INTERVAL ]
		  [ mcast_membership_interval MEMBERSHIP_INTERVAL ]
		  [ mcast_querier_interval QUERIER_INTERVAL ]
		  [ mcast_query_interval QUERY_INTERVAL ]
		  [ mcast_query_response_interval QUERY_RESPONSE_INTERVAL ]
		  [ mcast_startup_query_interval STARTUP_QUERY_INTERVAL ]
		  [ mcast_stats_enabled MCAST_STATS_ENABLED ]
		  [ mcast_igmp_version IGMP_VERSION ]
		  [ mcast_mld_version MLD_VERSION ]
		  [ nf_call_iptables NF_CALL_IPTABLES ]
		  [ nf_call_ip6tables NF_CALL_IP6TABLES ]
		  [ nf_call_arptables NF_CALL_ARPTABLES ]

Where: VLAN_PROTOCOL := { 802.1Q | 802.1ad }
`
/** Bits of IFLA_BR_MULTI_BOOLOPT. */
const BR_BOOLOPT_NO_LL_LEARN = 0
const BR_BOOLOPT_MCAST_VLAN_SNOOPING = 1

type NumberKey = { [K in keyof BridgeData]-?: BridgeData[K] extends number | undefined ? K : never }[keyof BridgeData]

/** Options with a number: keyword, attribute, reader. */
const NUMBERS: readonly (readonly [string, NumberKey, (word: string, message: string) => number])[] = [
  ['forward_delay', 'forwardDelay', u32],
  ['hello_time', 'helloTime', u32],
  ['max_age', 'maxAge', u32],
  ['ageing_time', 'ageingTime', u32],
  ['stp_state', 'stpState', u32],
  ['priority', 'priority', u16],
  ['vlan_filtering', 'vlanFiltering', u8],
  ['vlan_protocol', 'vlanProtocol', (word, message) => parseLlProto(word) ?? invarg(message, word)],
  ['group_fwd_mask', 'groupFwdMask', u16],
  ['vlan_default_pvid', 'vlanDefaultPvid', u16],
  ['vlan_stats_enabled', 'vlanStatsEnabled', u8],
  ['vlan_stats_per_port', 'vlanStatsPerPort', u8],
  ['mcast_router', 'mcastRouter', u8],
  ['mcast_snooping', 'mcastSnooping', u8],
  ['mcast_query_use_ifaddr', 'mcastQueryUseIfaddr', u8],
  ['mcast_querier', 'mcastQuerier', u8],
  ['mcast_hash_elasticity', 'mcastHashElasticity', u32],
  ['mcast_hash_max', 'mcastHashMax', u32],
  ['mcast_last_member_count', 'mcastLastMemberCnt', u32],
  ['mcast_startup_query_count', 'mcastStartupQueryCnt', u32],
  ['mcast_last_member_interval', 'mcastLastMemberIntvl', u64],
  ['mcast_membership_interval', 'mcastMembershipIntvl', u64],
  ['mcast_querier_interval', 'mcastQuerierIntvl', u64],
  ['mcast_query_interval', 'mcastQueryIntvl', u64],
  ['mcast_query_response_interval', 'mcastQueryResponseIntvl', u64],
  ['mcast_startup_query_interval', 'mcastStartupQueryIntvl', u64],
  ['mcast_stats_enabled', 'mcastStatsEnabled', u8],
  ['mcast_igmp_version', 'mcastIgmpVersion', u8],
  ['mcast_mld_version', 'mcastMldVersion', u8],
  ['nf_call_iptables', 'nfCallIptables', u8],
  ['nf_call_ip6tables', 'nfCallIp6tables', u8],
  ['nf_call_arptables', 'nfCallArptables', u8],
]

const BOOLOPTS: readonly (readonly [string, number])[] = [
  ['mcast_vlan_snooping', BR_BOOLOPT_MCAST_VLAN_SNOOPING],
  ['no_linklocal_learn', BR_BOOLOPT_NO_LL_LEARN],
]

/** @returns such as `8000.2:0:0:0:0:1`: priority and address */
export function formatBridgeId(id: { priority: number; address: Uint8Array }): string {
  const address = Array.from(id.address, byte => byte.toString(16)).join(':')
  return `${id.priority.toString(16).padStart(4, '0')}.${address}`
}

/** Writes a timer, hundredths of a second, as seconds. */
export function printTimer(out: Printer, name: string, time: number | undefined): void {
  if (time === undefined) return
  if (out.isJson) out.json(name, Number(formatG(time / 100)))
  else out.text(`${name} ${(time / 100).toFixed(2).padStart(7)} `)
}

/** @returns C's %#x: no prefix for 0 */
export function altHex(value: number): string {
  return value === 0 ? '0' : `0x${value.toString(16)}`
}

export const bridge: LinkKindOf<BridgeData> = {
  kind: 'bridge',
  help: HELP,

  parse(_ctx, args) {
    const data: BridgeData = {}
    const boolopt = { value: 0, mask: 0 }
    for (; args.more; args.skip()) {
      const number = NUMBERS.find(([name]) => args.matches(name))
      const bool = BOOLOPTS.find(([name]) => args.matches(name))
      if (number !== undefined) {
        data[number[1]] = number[2](args.next(), `invalid ${number[0]}`)
      } else if (args.matches('group_address')) {
        data.groupAddr = llAddrA2n(args.next())
      } else if (args.matches('fdb_flush')) {
        data.fdbFlush = true
      } else if (bool !== undefined) {
        const bit = 1 << bool[1]
        const on = u8(args.next(), `invalid ${bool[0]}`) !== 0
        boolopt.mask |= bit
        boolopt.value = on ? boolopt.value | bit : boolopt.value & ~bit
      } else if (args.matches('help')) {
        throw kindFailure('', HELP)
      } else {
        throw kindFailure(`bridge: unknown command "${args.word}"?\n`, HELP)
      }
    }
    if (boolopt.mask !== 0) data.multiBoolopt = boolopt
    return data
  },

  print(_ctx, out, data) {
    const number = (value: number | undefined, name: string, key = name): void => {
      if (value !== undefined) out.put(key, value, `${name} ${value} `)
    }
    const string = (value: string | undefined, name: string, key = name): void => {
      if (value !== undefined) out.put(key, value, `${name} ${value} `)
    }
    const boolopt = (bit: number, name: string): void => {
      const opt = data.multiBoolopt
      if (opt !== undefined && (opt.mask & (1 << bit)) !== 0) number((opt.value >> bit) & 1, name)
    }
    number(data.forwardDelay, 'forward_delay')
    number(data.helloTime, 'hello_time')
    number(data.maxAge, 'max_age')
    number(data.ageingTime, 'ageing_time')
    number(data.stpState, 'stp_state')
    number(data.priority, 'priority')
    number(data.vlanFiltering, 'vlan_filtering')
    string(data.vlanProtocol === undefined ? undefined : llProtoName(data.vlanProtocol), 'vlan_protocol')
    string(data.bridgeId && formatBridgeId(data.bridgeId), 'bridge_id')
    string(data.rootId && formatBridgeId(data.rootId), 'designated_root', 'root_id')
    number(data.rootPort, 'root_port')
    number(data.rootPathCost, 'root_path_cost')
    number(data.topologyChange, 'topology_change')
    number(data.topologyChangeDetected, 'topology_change_detected')
    printTimer(out, 'hello_timer', data.helloTimer)
    printTimer(out, 'tcn_timer', data.tcnTimer)
    printTimer(out, 'topology_change_timer', data.topologyChangeTimer)
    printTimer(out, 'gc_timer', data.gcTimer)
    number(data.vlanDefaultPvid, 'vlan_default_pvid')
    number(data.vlanStatsEnabled, 'vlan_stats_enabled')
    number(data.vlanStatsPerPort, 'vlan_stats_per_port')
    string(data.groupFwdMask === undefined ? undefined : altHex(data.groupFwdMask), 'group_fwd_mask')
    string(data.groupAddr && llAddrN2a(data.groupAddr, 1), 'group_address', 'group_addr')
    number(data.mcastSnooping, 'mcast_snooping')
    boolopt(BR_BOOLOPT_NO_LL_LEARN, 'no_linklocal_learn')
    boolopt(BR_BOOLOPT_MCAST_VLAN_SNOOPING, 'mcast_vlan_snooping')
    number(data.mcastRouter, 'mcast_router')
    number(data.mcastQueryUseIfaddr, 'mcast_query_use_ifaddr')
    number(data.mcastQuerier, 'mcast_querier')
    number(data.mcastHashElasticity, 'mcast_hash_elasticity')
    number(data.mcastHashMax, 'mcast_hash_max')
    number(data.mcastLastMemberCnt, 'mcast_last_member_count', 'mcast_last_member_cnt')
    number(data.mcastStartupQueryCnt, 'mcast_startup_query_count', 'mcast_startup_query_cnt')
    number(data.mcastLastMemberIntvl, 'mcast_last_member_interval', 'mcast_last_member_intvl')
    number(data.mcastMembershipIntvl, 'mcast_membership_interval', 'mcast_membership_intvl')
    number(data.mcastQuerierIntvl, 'mcast_querier_interval', 'mcast_querier_intvl')
    number(data.mcastQueryIntvl, 'mcast_query_interval', 'mcast_query_intvl')
    number(data.mcastQueryResponseIntvl, 'mcast_query_response_interval', 'mcast_query_response_intvl')
    number(data.mcastStartupQueryIntvl, 'mcast_startup_query_interval', 'mcast_startup_query_intvl')
    number(data.mcastStatsEnabled, 'mcast_stats_enabled')
    number(data.mcastIgmpVersion, 'mcast_igmp_version')
    number(data.mcastMldVersion, 'mcast_mld_version')
    number(data.nfCallIptables, 'nf_call_iptables')
    number(data.nfCallIp6tables, 'nf_call_ip6tables')
    number(data.nfCallArptables, 'nf_call_arptables')
  },
}
