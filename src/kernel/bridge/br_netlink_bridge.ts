/** Attributes of a bridge (IFLA_BR_…): what is shown, what may be set, and in which order it is applied. */
import { Errno } from '../../uapi/errno.ts'
import type { BridgeData } from '../../uapi/if_link.ts'
import { ethTypeVlan } from '../8021q/vlan_dev.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import {
  BROPT_GROUP_ADDR_SET,
  BROPT_MCAST_VLAN_SNOOPING_ENABLED,
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
import { brSetAgeingTime, brSetForwardDelay, brSetHelloTime, brSetMaxAge } from './br_stp.ts'
import { brStpSetBridgePriority, brStpSetEnabled } from './br_stp_if.ts'
import {
  brRecalculateFwdMask,
  brVlanFilterToggle,
  brVlanSetDefaultPvid,
  brVlanSetProto,
  brVlanSetStats,
  brVlanSetStatsPerPort,
} from './br_vlan.ts'

/** Group addresses whose frames must not be forwarded: bridges', pause, slow protocols (BR_GROUPFWD_RESTRICTED). */
const GROUPFWD_RESTRICTED = 0x0007
/** The resizable hash never chains more than this. */
const HASH_ELASTICITY = 16
/** Bits of IFLA_BR_MULTI_BOOLOPT. */
const BOOLOPT_NO_LL_LEARN = 1 << 0
const BOOLOPT_MCAST_VLAN_SNOOPING = 1 << 1
const BOOLOPT_MST_ENABLE = 1 << 2

/** Checks what can be checked before anything is made (br_validate). */
export function brValidate(data: BridgeData): number {
  if (data.vlanProtocol !== undefined && !ethTypeVlan(data.vlanProtocol)) return -Errno.EPROTONOSUPPORT
  if (data.vlanDefaultPvid !== undefined && data.vlanDefaultPvid >= 0xfff) return -Errno.EINVAL
  return 0
}

/** Sets the group address of bridges: one of 01:80:c2:00:00:0x that has no other meaning. */
export function brSetGroupAddr(br: NetBridge, address: Uint8Array): number {
  const prefix = [0x01, 0x80, 0xc2, 0x00, 0x00]
  if (address.length !== 6 || prefix.some((byte, i) => address[i] !== byte)) return -Errno.EINVAL
  const last = address[5]!
  if ((last & 0xf0) !== 0 || last === 1 || last === 2 || last === 3) return -Errno.EINVAL
  br.groupAddr = address.slice()
  br.toggle(BROPT_GROUP_ADDR_SET, true)
  brRecalculateFwdMask(br)
  return 0
}

/** Sets which reserved groups are forwarded. */
export function brSetGroupFwdMask(br: NetBridge, mask: number): number {
  if ((mask & GROUPFWD_RESTRICTED) !== 0) return -Errno.EINVAL
  br.groupFwdMask = mask
  return 0
}

type Step = (br: NetBridge, data: BridgeData, extack: NetlinkExtAck) => number

/** Runs `set` where the attribute is there. */
function when<K extends keyof BridgeData>(
  name: K,
  set: (br: NetBridge, value: NonNullable<BridgeData[K]>, extack: NetlinkExtAck) => number,
): Step {
  return (br, data, extack) => {
    const value = data[name]
    return value === undefined ? 0 : set(br, value as NonNullable<BridgeData[K]>, extack)
  }
}

function assign(fn: () => void): number {
  fn()
  return 0
}

function option(name: keyof BridgeData, bit: number): Step {
  return (br, data) => (data[name] === undefined ? 0 : assign(() => br.toggle(bit, data[name] !== 0)))
}

/** Times of snooping that any value may be given for. */
type SnoopTime = 'lastMemberInterval' | 'membershipInterval' | 'querierInterval' | 'queryResponseInterval'

function snoopTime(name: keyof BridgeData, field: SnoopTime): Step {
  return (br, data) =>
    assign(() => {
      const value = data[name]
      if (typeof value === 'number') br.multicast[field] = clockToJiffies(value)
    })
}

function boolopts(br: NetBridge, { value, mask }: { value: number; mask: number }, extack: NetlinkExtAck): number {
  if ((mask & BOOLOPT_NO_LL_LEARN) !== 0) br.toggle(BROPT_NO_LL_LEARN, (value & BOOLOPT_NO_LL_LEARN) !== 0)
  if ((mask & BOOLOPT_MCAST_VLAN_SNOOPING) !== 0) {
    const on = (value & BOOLOPT_MCAST_VLAN_SNOOPING) !== 0
    if (on && !br.opt(BROPT_VLAN_ENABLED))
      return extack.fail(-Errno.EINVAL, 'bridge: Cannot enable multicast vlan snooping with vlan filtering disabled')
    br.toggle(BROPT_MCAST_VLAN_SNOOPING_ENABLED, on)
  }
  if ((mask & BOOLOPT_MST_ENABLE) !== 0 && (value & BOOLOPT_MST_ENABLE) !== 0 && br.ports.length > 0)
    return extack.fail(-Errno.EBUSY, "MST mode can't be changed while VLANs exist")
  return 0
}

/** In the kernel's order. */
const STEPS: readonly Step[] = [
  when('forwardDelay', brSetForwardDelay),
  when('helloTime', brSetHelloTime),
  when('maxAge', brSetMaxAge),
  when('ageingTime', brSetAgeingTime),
  when('stpState', (br, value) => assign(() => brStpSetEnabled(br, value !== 0))),
  when('priority', (br, value) => assign(() => brStpSetBridgePriority(br, value))),
  when('vlanFiltering', (br, value) => brVlanFilterToggle(br, value !== 0)),
  when('vlanProtocol', brVlanSetProto),
  when('vlanDefaultPvid', brVlanSetDefaultPvid),
  when('vlanStatsEnabled', brVlanSetStats),
  when('vlanStatsPerPort', brVlanSetStatsPerPort),
  when('groupFwdMask', brSetGroupFwdMask),
  when('groupAddr', brSetGroupAddr),
  when('fdbFlush', br => assign(() => fdbFlush(br))),
  when('mcastRouter', brMulticastSetRouter),
  when('mcastSnooping', (br, value) => assign(() => brMulticastToggle(br, value !== 0))),
  option('mcastQueryUseIfaddr', BROPT_MULTICAST_QUERY_USE_IFADDR),
  when('mcastQuerier', (br, value) => assign(() => brMulticastSetQuerier(br, value !== 0))),
  when('mcastHashElasticity', br =>
    assign(() => br.log(4, `the hash_elasticity option has been deprecated and is always ${HASH_ELASTICITY}`)),
  ),
  when('mcastHashMax', (br, value) => assign(() => (br.multicast.hashMax = value))),
  when('mcastLastMemberCnt', (br, value) => assign(() => (br.multicast.lastMemberCount = value))),
  when('mcastStartupQueryCnt', (br, value) => assign(() => (br.multicast.startupQueryCount = value))),
  snoopTime('mcastLastMemberIntvl', 'lastMemberInterval'),
  snoopTime('mcastMembershipIntvl', 'membershipInterval'),
  snoopTime('mcastQuerierIntvl', 'querierInterval'),
  when('mcastQueryIntvl', (br, value) => brSetQueryInterval(br, 'queryInterval', value)),
  snoopTime('mcastQueryResponseIntvl', 'queryResponseInterval'),
  when('mcastStartupQueryIntvl', (br, value) => brSetQueryInterval(br, 'startupQueryInterval', value)),
  option('mcastStatsEnabled', BROPT_MULTICAST_STATS_ENABLED),
  when('mcastIgmpVersion', (br, value) => brMulticastSetIgmpVersion(br.multicast, value)),
  when('mcastMldVersion', (br, value) => brMulticastSetMldVersion(br.multicast, value)),
  option('nfCallIptables', BROPT_NF_CALL_IPTABLES),
  option('nfCallIp6tables', BROPT_NF_CALL_IP6TABLES),
  option('nfCallArptables', BROPT_NF_CALL_ARPTABLES),
  when('multiBoolopt', boolopts),
]

/** Applies attributes (br_changelink). @returns 0 or the first refusal; what came before stays */
export function brChange(br: NetBridge, data: BridgeData, extack: NetlinkExtAck): number {
  for (const step of STEPS) {
    const rc = step(br, data, extack)
    if (rc < 0) return rc
  }
  return 0
}

/** @returns all attributes (br_fill_info) */
export function brFillInfo(br: NetBridge): BridgeData {
  const flag = (bit: number): number => (br.opt(bit) ? 1 : 0)
  const { multicast: m } = br
  return {
    helloTimer: br.timerValue(br.helloTimer),
    tcnTimer: br.timerValue(br.tcnTimer),
    topologyChangeTimer: br.timerValue(br.topologyChangeTimer),
    gcTimer: br.timerValue(br.gcTimer),
    forwardDelay: jiffiesToClock(br.forwardDelay),
    helloTime: jiffiesToClock(br.helloTime),
    maxAge: jiffiesToClock(br.maxAge),
    ageingTime: jiffiesToClock(br.ageingTime),
    stpState: br.stpEnabled,
    priority: br.bridgeId.priority,
    vlanFiltering: flag(BROPT_VLAN_ENABLED),
    groupFwdMask: br.groupFwdMask,
    bridgeId: { priority: br.bridgeId.priority, address: br.bridgeId.address.slice() },
    rootId: { priority: br.designatedRoot.priority, address: br.designatedRoot.address.slice() },
    rootPort: br.rootPort,
    rootPathCost: br.rootPathCost,
    topologyChange: br.topologyChange ? 1 : 0,
    topologyChangeDetected: br.topologyChangeDetected ? 1 : 0,
    groupAddr: br.groupAddr.slice(),
    multiBoolopt: {
      value:
        (br.opt(BROPT_NO_LL_LEARN) ? BOOLOPT_NO_LL_LEARN : 0) |
        (br.opt(BROPT_MCAST_VLAN_SNOOPING_ENABLED) ? BOOLOPT_MCAST_VLAN_SNOOPING : 0),
      mask: BOOLOPT_NO_LL_LEARN | BOOLOPT_MCAST_VLAN_SNOOPING | BOOLOPT_MST_ENABLE,
    },
    vlanProtocol: br.vlanProto,
    vlanDefaultPvid: br.defaultPvid,
    vlanStatsEnabled: flag(BROPT_VLAN_STATS_ENABLED),
    vlanStatsPerPort: flag(BROPT_VLAN_STATS_PER_PORT),
    mcastRouter: m.router,
    mcastSnooping: flag(BROPT_MULTICAST_ENABLED),
    mcastQueryUseIfaddr: flag(BROPT_MULTICAST_QUERY_USE_IFADDR),
    mcastQuerier: m.querier ? 1 : 0,
    mcastStatsEnabled: flag(BROPT_MULTICAST_STATS_ENABLED),
    mcastHashElasticity: HASH_ELASTICITY,
    mcastHashMax: m.hashMax,
    mcastLastMemberCnt: m.lastMemberCount,
    mcastStartupQueryCnt: m.startupQueryCount,
    mcastIgmpVersion: m.igmpVersion,
    mcastMldVersion: m.mldVersion,
    mcastLastMemberIntvl: jiffiesToClock(m.lastMemberInterval),
    mcastMembershipIntvl: jiffiesToClock(m.membershipInterval),
    mcastQuerierIntvl: jiffiesToClock(m.querierInterval),
    mcastQueryIntvl: jiffiesToClock(m.queryInterval),
    mcastQueryResponseIntvl: jiffiesToClock(m.queryResponseInterval),
    mcastStartupQueryIntvl: jiffiesToClock(m.startupQueryInterval),
    nfCallIptables: flag(BROPT_NF_CALL_IPTABLES),
    nfCallIp6tables: flag(BROPT_NF_CALL_IP6TABLES),
    nfCallArptables: flag(BROPT_NF_CALL_ARPTABLES),
  }
}
