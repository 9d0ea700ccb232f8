/** Bridges in rtnetlink: the multicast database and the per-VLAN database. */
import type { RTM_DELMDB, RTM_DELVLAN, RTM_GETMDB, RTM_GETVLAN, RTM_NEWMDB, RTM_NEWVLAN } from './rtnetlink.ts'

/** Multicast groups of netlink for these messages. */
export const RTNLGRP_MDB = 26
export const RTNLGRP_BRVLAN = 33

/** BridgeAfSpec.flags: which of port (`master`) and device (`self`) a request is for. */
export const BRIDGE_FLAGS_MASTER = 1
export const BRIDGE_FLAGS_SELF = 2

/** Flags of a VLAN. */
export const BRIDGE_VLAN_INFO_MASTER = 0x1
export const BRIDGE_VLAN_INFO_PVID = 0x2
export const BRIDGE_VLAN_INFO_UNTAGGED = 0x4
export const BRIDGE_VLAN_INFO_RANGE_BEGIN = 0x8
export const BRIDGE_VLAN_INFO_RANGE_END = 0x10
export const BRIDGE_VLAN_INFO_BRENTRY = 0x20

/** Flags of an RTM_GETVLAN dump: with counters, or the options of a whole VLAN (`globalOptions`) instead. */
export const BRIDGE_VLANDB_DUMPF_STATS = 0x1
export const BRIDGE_VLANDB_DUMPF_GLOBAL = 0x2

/** Flags of a multicast database entry. */
export const MDB_FLAGS_OFFLOAD = 0x1
export const MDB_FLAGS_FAST_LEAVE = 0x2
export const MDB_FLAGS_STAR_EXCL = 0x4
export const MDB_FLAGS_BLOCKED = 0x8

/** Filter modes of a multicast group. */
export const MCAST_EXCLUDE = 0
export const MCAST_INCLUDE = 1

/** Flag of an RTM_DELNEIGH request that deletes all that match (`bridge fdb flush`). */
export const NLM_F_BULK = 0x200

/** One multicast database entry of a bridge port. */
export interface MdbEntry {
  port: number
  state: 'temp' | 'permanent'
  /** 4 bytes IPv4, 16 bytes IPv6, 6 bytes a link-layer group */
  group: Uint8Array
  vid: number
  flags: number
  /** left to run, hundredths of a second */
  timer?: number
  /** of a source-specific entry */
  source?: Uint8Array
  /** sources of an entry for any source, with hundredths of a second left to run */
  srcList?: { address: Uint8Array; timer: number }[]
  /** MCAST_EXCLUDE or MCAST_INCLUDE */
  groupMode?: number
  /** RTPROT_… */
  rtprot?: number
}

/** A port behind which a multicast router is; timers in hundredths of a second. */
export interface MdbRouterPort {
  port: number
  timer: number
  /** MDB_RTR_TYPE_…: 1 temporary by query, 2 permanent, 3 temporary */
  type: number
  inetTimer?: number
  inet6Timer?: number
  vid?: number
}

/** RTM_*MDB. */
export interface MdbMessage {
  readonly type: typeof RTM_NEWMDB | typeof RTM_DELMDB | typeof RTM_GETMDB
  flags: number
  family: number
  ifindex: number
  attrs: { entries?: MdbEntry[]; setEntry?: MdbEntry; routerPorts?: MdbRouterPort[] }
}

/** Options of a whole VLAN of a bridge (BRIDGE_VLANDB_GOPTS_…), times in hundredths of a second. */
export interface VlanGlobalOptions {
  vid: number
  rangeEnd?: number
  mcastSnooping?: number
  mcastQuerier?: number
  mcastIgmpVersion?: number
  mcastMldVersion?: number
  mcastLastMemberCnt?: number
  mcastLastMemberIntvl?: number
  mcastStartupQueryCnt?: number
  mcastStartupQueryIntvl?: number
  mcastMembershipIntvl?: number
  mcastQuerierIntvl?: number
  mcastQueryIntvl?: number
  mcastQueryResponseIntvl?: number
  mcastQuerierState?: MdbQuerier
  routerPorts?: MdbRouterPort[]
}

/** Who queries: addresses and ports (BRIDGE_QUERIER_…), timers in hundredths of a second. */
export interface MdbQuerier {
  ipAddress?: Uint8Array
  ipPort?: number
  ipOtherTimer?: number
  ipv6Address?: Uint8Array
  ipv6Port?: number
  ipv6OtherTimer?: number
}

/** One entry of a VLAN database. */
export interface VlanDbEntry {
  vid: number
  rangeEnd?: number
  vlanFlags: number
  /** BR_STATE_…; in a request absent where it is not changed */
  state?: number
  mcastRouter?: number
  stats?: { rxBytes: number; rxPackets: number; txBytes: number; txPackets: number }
}

/** RTM_*VLAN: the VLAN database of a port or bridge with states and counters. */
export interface VlanDbMessage {
  readonly type: typeof RTM_NEWVLAN | typeof RTM_DELVLAN | typeof RTM_GETVLAN
  flags: number
  family: number
  ifindex: number
  attrs: {
    entries?: VlanDbEntry[]
    globalOptions?: VlanGlobalOptions[]
    /** in a dump request: BRIDGE_VLANDB_DUMPF_… */
    dumpFlags?: number
  }
}

declare module './rtnetlink.ts' {
  interface NeighAttrs {
    /** which bits of ndmFlags and state a bulk RTM_DELNEIGH compares */
    ndmFlagsMask?: number
    ndmStateMask?: number
  }
}
