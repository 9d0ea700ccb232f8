/** What multicast snooping holds: groups and who wants them (the multicast database), routers, queriers, and its times. */
import { HZ, Timer } from '../core/clock.ts'
import { etherAddrEqual } from '../core/ethernet.ts'
import type { NetBridgePort } from './br.ts'

/** MDB_RTR_TYPE_…: whether a multicast router is behind a port. */
export const MDB_RTR_TYPE_DISABLED = 0
export const MDB_RTR_TYPE_TEMP_QUERY = 1
export const MDB_RTR_TYPE_PERM = 2
export const MDB_RTR_TYPE_TEMP = 3

/** A port that wants a group. */
export interface MdbPortGroup {
  readonly port: NetBridgePort
  permanent: boolean
  fastLeave: boolean
  /** RTPROT_…: who added it */
  rtprot: number
  readonly timer: Timer
}

/** One group in one VLAN. */
export class MdbEntry {
  /** 4 bytes IPv4, 16 bytes IPv6, 6 bytes a link-layer group */
  readonly group: Uint8Array
  readonly vid: number
  /** only what this sender sends, undefined: whoever does */
  readonly source: Uint8Array | undefined
  /** by port number */
  readonly ports: MdbPortGroup[] = []
  /** the bridge itself wants it */
  hostJoined = false
  readonly hostTimer: Timer
  next: MdbEntry | undefined

  constructor(group: Uint8Array, vid: number, hostExpired: (entry: MdbEntry) => void, source?: Uint8Array) {
    this.group = group.slice()
    this.vid = vid
    this.source = source?.slice()
    this.hostTimer = new Timer(() => hostExpired(this))
  }
}

const BUCKETS = 256

function bucketOf(buf: Uint8Array, at: number, length: number, vid: number): number {
  const end = at + length
  return (buf[end - 1]! ^ Math.imul(buf[end - 2]!, 31) ^ Math.imul(buf[end - 3]!, 17) ^ vid) & (BUCKETS - 1)
}

/** The database: found by a packet's destination without allocating. */
export class MdbTable {
  private readonly buckets: (MdbEntry | undefined)[] = new Array<MdbEntry | undefined>(BUCKETS).fill(undefined)
  private readonly all = new Set<MdbEntry>()

  /** @param buf bytes with the group at `at` */
  find(buf: Uint8Array, at: number, length: number, vid: number): MdbEntry | undefined {
    let entry = this.buckets[bucketOf(buf, at, length, vid)]
    for (; entry !== undefined; entry = entry.next) {
      const { group } = entry
      if (entry.vid !== vid || group.length !== length || entry.source !== undefined) continue
      let i = 0
      while (i < length && group[i] === buf[at + i]) i++
      if (i === length) return entry
    }
    return undefined
  }

  /** @returns the entry of a group for one sender */
  findSource(group: Uint8Array, vid: number, source: Uint8Array): MdbEntry | undefined {
    for (const entry of this.all)
      if (
        entry.source !== undefined &&
        entry.vid === vid &&
        etherAddrEqual(entry.group, group) &&
        etherAddrEqual(entry.source, source)
      )
        return entry
    return undefined
  }

  insert(entry: MdbEntry): void {
    const bucket = bucketOf(entry.group, 0, entry.group.length, entry.vid)
    entry.next = this.buckets[bucket]
    this.buckets[bucket] = entry
    this.all.add(entry)
  }

  remove(entry: MdbEntry): void {
    const bucket = bucketOf(entry.group, 0, entry.group.length, entry.vid)
    let at = this.buckets[bucket]
    if (at === entry) this.buckets[bucket] = entry.next
    else {
      while (at !== undefined && at.next !== entry) at = at.next
      if (at !== undefined) at.next = entry.next
    }
    this.all.delete(entry)
  }

  /** @returns every entry, newest first */
  list(): MdbEntry[] {
    return [...this.all].reverse()
  }

  get size(): number {
    return this.all.size
  }
}

/** Queries of its own that a bridge, or the bridge on a port, sends. */
export interface OwnQuery {
  readonly timer: Timer
  startupSent: number
}

/** Another querier that has been heard. */
export interface OtherQuery {
  readonly timer: Timer
  /** from when its groups count as known, ns since boot */
  delayTime: number
}

const NOTHING = (): void => {}

/** Snooping of one family: IGMP or MLD. */
export class SnoopFamily {
  readonly other: OtherQuery = { timer: new Timer(NOTHING), delayTime: 0 }
  own: OwnQuery = { timer: new Timer(NOTHING), startupSent: 0 }
  /** address of the querier, undefined for none */
  querier: Uint8Array | undefined
  /** the bridge itself is, or is in front of, a router */
  readonly routerTimer = new Timer(NOTHING)
}

/** Values of snooping, of a bridge or of one of its VLANs; times in jiffies. */
export class SnoopValues {
  querier = false
  lastMemberCount = 2
  startupQueryCount = 2
  lastMemberInterval = HZ
  membershipInterval = 260 * HZ
  querierInterval = 255 * HZ
  queryInterval = 125 * HZ
  queryResponseInterval = 10 * HZ
  startupQueryInterval = Math.floor((125 * HZ) / 4)
  igmpVersion = 2
  mldVersion = 1
}

/** Values of snooping in one VLAN of a bridge. */
export class VlanSnoopValues extends SnoopValues {
  enabled = true

  /** @returns whether a neighbouring VLAN may be listed together with this one */
  same(other: VlanSnoopValues): boolean {
    return (Object.keys(this) as (keyof VlanSnoopValues)[]).every(key => this[key] === other[key])
  }
}

/** Snooping of a bridge. */
export class BrMulticast extends SnoopValues {
  readonly mdb = new MdbTable()
  router = MDB_RTR_TYPE_TEMP_QUERY
  hashMax = 4096
  readonly ip4 = new SnoopFamily()
  readonly ip6 = new SnoopFamily()
}

/** Snooping of a port. */
export class BrMulticastPort {
  router = MDB_RTR_TYPE_TEMP_QUERY
  own4: OwnQuery = { timer: new Timer(NOTHING), startupSent: 0 }
  own6: OwnQuery = { timer: new Timer(NOTHING), startupSent: 0 }
  routerTimer = new Timer(NOTHING)
  ehtHostsLimit = 512
  ehtHostsCnt = 0
}
