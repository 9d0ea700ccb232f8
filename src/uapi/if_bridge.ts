/** Bridges in rtnetlink: the multicast database and the per-VLAN database. */
import type { RTM_DELMDB, RTM_DELVLAN, RTM_GETMDB, RTM_GETVLAN, RTM_NEWMDB, RTM_NEWVLAN } from './rtnetlink.ts'

/** One multicast database entry of a bridge port. */
export interface MdbEntry {
  port: number
  state: 'temp' | 'permanent'
  group: Uint8Array
  vid: number
  flags: number
  /** left to run, hundredths of a second */
  timer?: number
}

/** RTM_*MDB. */
export interface MdbMessage {
  readonly type: typeof RTM_NEWMDB | typeof RTM_DELMDB | typeof RTM_GETMDB
  flags: number
  family: number
  ifindex: number
  attrs: { entries?: MdbEntry[]; setEntry?: MdbEntry; routerPorts?: { port: number; timer: number; type: number }[] }
}

/** RTM_*VLAN: one entry of a port's or bridge's VLAN database with its state and counters. */
export interface VlanDbMessage {
  readonly type: typeof RTM_NEWVLAN | typeof RTM_DELVLAN | typeof RTM_GETVLAN
  flags: number
  family: number
  ifindex: number
  attrs: {
    entries?: {
      vid: number
      rangeEnd?: number
      vlanFlags: number
      state: number
      stats?: { rxBytes: number; rxPackets: number; txBytes: number; txPackets: number }
    }[]
  }
}
