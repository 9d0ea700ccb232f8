/** The forwarding database's hash: by address and VLAN, looked up twice for each frame without allocating. */
import type { NetBridgePort } from './br.ts'

/** One address (`net_bridge_fdb_entry`). */
export class FdbEntry {
  readonly address: Uint8Array
  readonly vid: number
  /** the address as two numbers, to compare quickly */
  readonly high: number
  readonly low: number
  /** where it is; undefined: the bridge itself */
  dst: NetBridgePort | undefined
  local = false
  isStatic = false
  sticky = false
  addedByUser = false
  extLearned = false
  /** when it was last seen as a sender, and used as a destination, ns since boot */
  updated: number
  used: number
  next: FdbEntry | undefined

  constructor(address: Uint8Array, vid: number, dst: NetBridgePort | undefined, now: number) {
    this.address = address.slice()
    this.vid = vid
    this.high = (address[0]! << 8) | address[1]!
    this.low = (address[2]! << 24) | (address[3]! << 16) | (address[4]! << 8) | address[5]!
    this.dst = dst
    this.updated = now
    this.used = now
  }
}

const BUCKETS = 1024

function bucketOf(low: number, vid: number): number {
  const hash = Math.imul(low ^ (vid << 16), 0x9e3779b1)
  return (hash >>> 22) & (BUCKETS - 1)
}

/** The table. */
export class FdbTable {
  private readonly buckets: (FdbEntry | undefined)[] = new Array<FdbEntry | undefined>(BUCKETS).fill(undefined)
  /** every entry, in order of coming; listings go backwards */
  private readonly all = new Set<FdbEntry>()

  /** @param buf bytes with the address at `at` @returns its entry */
  find(buf: Uint8Array, at: number, vid: number): FdbEntry | undefined {
    const high = (buf[at]! << 8) | buf[at + 1]!
    const low = (buf[at + 2]! << 24) | (buf[at + 3]! << 16) | (buf[at + 4]! << 8) | buf[at + 5]!
    let entry = this.buckets[bucketOf(low, vid)]
    while (entry !== undefined && (entry.low !== low || entry.high !== high || entry.vid !== vid)) entry = entry.next
    return entry
  }

  /** Adds an entry that is not there yet. */
  insert(entry: FdbEntry): void {
    const bucket = bucketOf(entry.low, entry.vid)
    entry.next = this.buckets[bucket]
    this.buckets[bucket] = entry
    this.all.add(entry)
  }

  /** Takes one out. */
  remove(entry: FdbEntry): void {
    const bucket = bucketOf(entry.low, entry.vid)
    let at = this.buckets[bucket]
    if (at === entry) this.buckets[bucket] = entry.next
    else {
      while (at !== undefined && at.next !== entry) at = at.next
      if (at !== undefined) at.next = entry.next
    }
    entry.next = undefined
    this.all.delete(entry)
  }

  /** @returns every entry, newest first */
  list(): FdbEntry[] {
    return [...this.all].reverse()
  }

  /** number of entries */
  get size(): number {
    return this.all.size
  }
}
