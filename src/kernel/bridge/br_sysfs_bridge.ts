/** The files of /sys/class/net/BRIDGE/bridge. */
import { Errno } from '../../uapi/errno.ts'
import {
  BR_NO_STP,
  BROPT_MULTICAST_ENABLED,
  BROPT_MULTICAST_QUERY_USE_IFADDR,
  BROPT_MULTICAST_STATS_ENABLED,
  BROPT_NF_CALL_ARPTABLES,
  BROPT_NF_CALL_IP6TABLES,
  BROPT_NF_CALL_IPTABLES,
  BROPT_NO_LL_LEARN,
  BROPT_VLAN_ENABLED,
  BROPT_VLAN_STATS_ENABLED,
  BROPT_VLAN_STATS_PER_PORT,
  clockToJiffies,
  jiffiesToClock,
  type NetBridge,
} from './br.ts'
import { fdbFlush } from './br_fdb.ts'
import {
  brMulticastSetIgmpVersion,
  brMulticastSetMldVersion,
  brMulticastSetQuerier,
  brMulticastSetRouter,
  brSetQueryInterval,
} from './br_multicast.ts'
import { brMulticastToggle } from './br_multicast_toggle.ts'
import { brSetGroupAddr, brSetGroupFwdMask } from './br_netlink_bridge.ts'
import { brSetAgeingTime, brSetForwardDelay, brSetHelloTime, brSetMaxAge } from './br_stp.ts'
import { brStpSetBridgePriority, brStpSetEnabled } from './br_stp_if.ts'
import { type BrAttribute, flushAttribute, showAttribute, storeAttribute } from './br_sysfs.ts'
import {
  brVlanFilterToggle,
  brVlanSetDefaultPvid,
  brVlanSetProto,
  brVlanSetStats,
  brVlanSetStatsPerPort,
} from './br_vlan.ts'

function done(fn: () => void): number {
  fn()
  return 0
}

function groupAddr(br: NetBridge): BrAttribute {
  const text = (): string => Array.from(br.groupAddr, byte => byte.toString(16).padStart(2, '0')).join(':')
  return [
    'group_addr',
    {
      kind: 'file',
      mode: 0o644,
      read: () => `${text()}\n`,
      write(data) {
        const parts = data.trim().split(':')
        if (parts.length !== 6 || !parts.every(part => /^[0-9a-fA-F]{2}$/.test(part))) return -Errno.EINVAL
        const rc = brSetGroupAddr(
          br,
          Uint8Array.from(parts, part => Number.parseInt(part, 16)),
        )
        return rc < 0 ? rc : data.length
      },
    },
  ]
}

function setDefaultPvid(br: NetBridge, value: number): number {
  if (value >= 0xfff) return -Errno.EINVAL
  if (value === br.defaultPvid) return 0
  // unlike netlink, this way it cannot change while VLANs are filtered
  if (br.opt(BROPT_VLAN_ENABLED)) return -Errno.EPERM
  return brVlanSetDefaultPvid(br, value)
}

/** @returns the files of a bridge */
export function bridgeAttributes(br: NetBridge): BrAttribute[] {
  const m = br.multicast
  const flag = (bit: number) => (): string => (br.opt(bit) ? '1' : '0')
  const option = (name: string, bit: number): BrAttribute =>
    storeAttribute(name, flag(bit), value => done(() => br.toggle(bit, value !== 0)))
  const time = (name: string, get: () => number, set: (br: NetBridge, value: number) => number): BrAttribute =>
    storeAttribute(
      name,
      () => String(jiffiesToClock(get())),
      value => set(br, value),
    )
  const snoopTime = (
    name: string,
    field: 'lastMemberInterval' | 'membershipInterval' | 'querierInterval' | 'queryResponseInterval',
  ): BrAttribute =>
    time(
      name,
      () => m[field],
      (_br, value) => done(() => (m[field] = clockToJiffies(value))),
    )
  const timer = (name: string, which: 'helloTimer' | 'tcnTimer' | 'topologyChangeTimer' | 'gcTimer'): BrAttribute =>
    showAttribute(name, () => String(br.timerValue(br[which])))
  const count = (name: string, field: 'hashMax' | 'lastMemberCount' | 'startupQueryCount'): BrAttribute =>
    storeAttribute(
      name,
      () => String(m[field]),
      value => done(() => (m[field] = value)),
    )
  const number = (name: string, get: () => number, set: (br: NetBridge, value: number) => number): BrAttribute =>
    storeAttribute(
      name,
      () => String(get()),
      value => set(br, value),
    )
  return [
    time('ageing_time', () => br.ageingTime, brSetAgeingTime),
    showAttribute('bridge_id', () => br.bridgeId.toString()),
    number('default_pvid', () => br.defaultPvid, setDefaultPvid),
    flushAttribute('flush', () => fdbFlush(br)),
    time('forward_delay', () => br.forwardDelay, brSetForwardDelay),
    timer('gc_timer', 'gcTimer'),
    groupAddr(br),
    storeAttribute(
      'group_fwd_mask',
      () => `0x${br.groupFwdMask.toString(16)}`,
      value => brSetGroupFwdMask(br, value & 0xffff),
    ),
    storeAttribute(
      'hash_elasticity',
      () => '16',
      () => done(() => br.log(4, 'the hash_elasticity option has been deprecated and is always 16')),
    ),
    count('hash_max', 'hashMax'),
    time('hello_time', () => br.helloTime, brSetHelloTime),
    timer('hello_timer', 'helloTimer'),
    time('max_age', () => br.maxAge, brSetMaxAge),
    number(
      'multicast_igmp_version',
      () => m.igmpVersion,
      (b, value) => brMulticastSetIgmpVersion(b.multicast, value),
    ),
    count('multicast_last_member_count', 'lastMemberCount'),
    snoopTime('multicast_last_member_interval', 'lastMemberInterval'),
    snoopTime('multicast_membership_interval', 'membershipInterval'),
    number(
      'multicast_mld_version',
      () => m.mldVersion,
      (b, value) => brMulticastSetMldVersion(b.multicast, value),
    ),
    number(
      'multicast_querier',
      () => (m.querier ? 1 : 0),
      (_br, value) => done(() => brMulticastSetQuerier(br, value !== 0)),
    ),
    snoopTime('multicast_querier_interval', 'querierInterval'),
    time(
      'multicast_query_interval',
      () => m.queryInterval,
      (_br, value) => brSetQueryInterval(br, 'queryInterval', value),
    ),
    snoopTime('multicast_query_response_interval', 'queryResponseInterval'),
    option('multicast_query_use_ifaddr', BROPT_MULTICAST_QUERY_USE_IFADDR),
    number('multicast_router', () => m.router, brMulticastSetRouter),
    storeAttribute('multicast_snooping', flag(BROPT_MULTICAST_ENABLED), value =>
      done(() => brMulticastToggle(br, value !== 0)),
    ),
    count('multicast_startup_query_count', 'startupQueryCount'),
    time(
      'multicast_startup_query_interval',
      () => m.startupQueryInterval,
      (_br, value) => brSetQueryInterval(br, 'startupQueryInterval', value),
    ),
    option('multicast_stats_enabled', BROPT_MULTICAST_STATS_ENABLED),
    option('nf_call_arptables', BROPT_NF_CALL_ARPTABLES),
    option('nf_call_ip6tables', BROPT_NF_CALL_IP6TABLES),
    option('nf_call_iptables', BROPT_NF_CALL_IPTABLES),
    option('no_linklocal_learn', BROPT_NO_LL_LEARN),
    number(
      'priority',
      () => br.bridgeId.priority,
      (_br, value) => done(() => brStpSetBridgePriority(br, value & 0xffff)),
    ),
    showAttribute('root_id', () => br.designatedRoot.toString()),
    showAttribute('root_path_cost', () => String(br.rootPathCost)),
    showAttribute('root_port', () => String(br.rootPort)),
    number(
      'stp_state',
      () => br.stpEnabled,
      (_br, value) => done(() => brStpSetEnabled(br, value !== BR_NO_STP)),
    ),
    timer('tcn_timer', 'tcnTimer'),
    showAttribute('topology_change', () => (br.topologyChange ? '1' : '0')),
    showAttribute('topology_change_detected', () => (br.topologyChangeDetected ? '1' : '0')),
    timer('topology_change_timer', 'topologyChangeTimer'),
    storeAttribute('vlan_filtering', flag(BROPT_VLAN_ENABLED), value => brVlanFilterToggle(br, value !== 0)),
    storeAttribute(
      'vlan_protocol',
      () => `0x${br.vlanProto.toString(16).padStart(4, '0')}`,
      value => brVlanSetProto(br, value),
    ),
    storeAttribute('vlan_stats_enabled', flag(BROPT_VLAN_STATS_ENABLED), value => brVlanSetStats(br, value)),
    storeAttribute('vlan_stats_per_port', flag(BROPT_VLAN_STATS_PER_PORT), value => brVlanSetStatsPerPort(br, value)),
  ]
}
