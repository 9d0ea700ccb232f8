/** The VLANs of a bridge or of a port: which it belongs to, and which an untagged frame belongs to (PVID). */
import { MDB_RTR_TYPE_TEMP_QUERY, VlanSnoopValues } from './br_multicast_ctx.ts'

/** Flags of an entry (BRIDGE_VLAN_INFO_…). */
export const BRIDGE_VLAN_INFO_MASTER = 1 << 0
export const BRIDGE_VLAN_INFO_PVID = 1 << 1
export const BRIDGE_VLAN_INFO_UNTAGGED = 1 << 2
export const BRIDGE_VLAN_INFO_RANGE_BEGIN = 1 << 3
export const BRIDGE_VLAN_INFO_RANGE_END = 1 << 4
/** the bridge itself belongs to the VLAN; without it the entry only serves its ports */
export const BRIDGE_VLAN_INFO_BRENTRY = 1 << 5

/** Traffic of a VLAN, for all ports together or for one. */
export interface VlanStats {
  rxBytes: number
  rxPackets: number
  txBytes: number
  txPackets: number
}

/** @returns counters at zero */
export function noVlanStats(): VlanStats {
  return { rxBytes: 0, rxPackets: 0, txBytes: 0, txPackets: 0 }
}

/** One VLAN (`net_bridge_vlan`). */
export class BridgeVlan {
  readonly vid: number
  flags: number
  /** BR_STATE_…: may be closed for one VLAN alone */
  state = 3
  stats: VlanStats
  /** the bridge's own entry, for that of a port */
  readonly master: BridgeVlan | undefined
  /** ports, and the bridge itself, that need a bridge's entry */
  refs = 0
  /** MDB_RTR_TYPE_…: whether a multicast router is there, in this VLAN */
  mcastRouter = MDB_RTR_TYPE_TEMP_QUERY
  /** the tunnel key its frames have on a port that is a tunnel */
  tunnelId: number | undefined
  /** values of snooping, of the bridge's entries */
  readonly snooping = new VlanSnoopValues()

  constructor(vid: number, flags: number, master: BridgeVlan | undefined, stats: VlanStats) {
    this.vid = vid
    this.flags = flags
    this.master = master
    this.stats = stats
  }

  /** @returns whether frames may use it: a port's always, the bridge's only where the bridge belongs to it (br_vlan_should_use) */
  get usable(): boolean {
    return (this.flags & BRIDGE_VLAN_INFO_MASTER) === 0 || (this.flags & BRIDGE_VLAN_INFO_BRENTRY) !== 0
  }
}

/** The VLANs of one port or bridge (`net_bridge_vlan_group`). */
export class VlanGroup {
  /** by id; found on every frame */
  private readonly byId: (BridgeVlan | undefined)[] = []
  pvid = 0
  /** usable entries */
  count = 0

  /** @returns the entry of a VLAN (br_vlan_find) */
  find(vid: number): BridgeVlan | undefined {
    return this.byId[vid]
  }

  /** @returns all entries, by ascending id */
  list(): BridgeVlan[] {
    const all: BridgeVlan[] = []
    for (const vlan of this.byId) if (vlan !== undefined) all.push(vlan)
    return all
  }

  /** Adds an entry. */
  insert(vlan: BridgeVlan): void {
    this.byId[vlan.vid] = vlan
  }

  /** Takes it out. */
  remove(vlan: BridgeVlan): void {
    this.byId[vlan.vid] = undefined
  }
}
