/** The forwarding database of a VXLAN device: behind which tunnel ends a link address is. */
import { Errno } from '../../../uapi/errno.ts'
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../../uapi/netlink.ts'
import { NUD_NOARP, NUD_PERMANENT } from '../../../uapi/rtnetlink.ts'
import { isAnyIp, sameIp } from './vxlan.ts'

const FDB_HASH_BITS = 8n
const GOLDEN_RATIO_64 = 0x61c8864680b583ebn

/** A tunnel end (`vxlan_rdst`). */
export interface VxlanRdst {
  ip: Uint8Array
  /** host order */
  port: number
  vni: number
  ifindex: number
}

/** An entry (`vxlan_fdb`). */
export interface VxlanFdbEntry {
  readonly mac: Uint8Array
  /** the network inside, for devices that carry several */
  readonly vni: number
  readonly remotes: VxlanRdst[]
  /** NUD_… */
  state: number
  /** NTF_… */
  flags: number
  /** ns since boot */
  updated: number
  used: number
  /** place in a dump: the kernel's hash bucket, the newest of a bucket first */
  readonly bucket: number
  readonly seq: number
}

/** Where a frame may go that has no entry of its own. */
export const ZERO_MAC: Uint8Array = new Uint8Array(6)

function macKey(buf: Uint8Array, at: number): number {
  return (
    ((buf[at]! << 16) | (buf[at + 1]! << 8) | buf[at + 2]!) * 0x1000000 +
    ((buf[at + 3]! << 16) | (buf[at + 4]! << 8) | buf[at + 5]!)
  )
}

/** The bucket of the kernel's hash of an address (eth_hash). */
function bucketOf(mac: Uint8Array): number {
  let value = 0n
  for (let i = 5; i >= 0; i--) value = (value << 8n) | BigInt(mac[i]!)
  value <<= 16n
  return Number((BigInt.asUintN(64, value * GOLDEN_RATIO_64) >> (64n - FDB_HASH_BITS)) & 0xffn)
}

function isGroup(mac: Uint8Array): boolean {
  return (mac[0]! & 1) !== 0 || mac.every(byte => byte === 0)
}

/** Outcome of a change: an error, or whether there is something to tell. */
export type FdbChange = number

/** The database. */
export class VxlanFdb {
  /** by network, then by address */
  private readonly tables = new Map<number, Map<number, VxlanFdbEntry>>()
  private seq = 0
  count = 0

  /** @param at where the address is in `buf` @returns its entry */
  find(buf: Uint8Array, at: number, vni: number): VxlanFdbEntry | undefined {
    return this.tables.get(vni)?.get(macKey(buf, at))
  }

  /** @returns every entry in the order of the kernel's dump */
  list(): VxlanFdbEntry[] {
    const all: VxlanFdbEntry[] = []
    for (const table of this.tables.values()) all.push(...table.values())
    return all.sort((a, b) => a.bucket - b.bucket || b.seq - a.seq)
  }

  /**
   * Adds or changes an entry (vxlan_fdb_update). @param flags NLM_F_… @param limit entries at most, 0 none
   * @returns 1 where something changed, 0 where not, or a negative error
   */
  update(
    mac: Uint8Array,
    vni: number,
    rdst: VxlanRdst,
    state: number,
    flags: number,
    ndmFlags: number,
    now: number,
    limit: number,
  ): FdbChange {
    const entry = this.find(mac, 0, vni)
    if (entry === undefined) return this.create(mac, vni, rdst, state, flags, ndmFlags, now, limit)
    if ((flags & NLM_F_EXCL) !== 0) return -Errno.EEXIST
    let changed = 0
    if (entry.state !== state || entry.flags !== ndmFlags) {
      entry.state = state
      entry.flags = ndmFlags
      entry.updated = now
      changed = 1
    }
    if ((flags & NLM_F_REPLACE) !== 0) {
      if (isGroup(mac)) return -Errno.EOPNOTSUPP
      if (!this.hasRemote(entry, rdst)) {
        entry.remotes[0] = rdst
        entry.updated = now
        changed = 1
      }
    }
    if ((flags & NLM_F_APPEND) !== 0 && isGroup(mac) && !this.hasRemote(entry, rdst)) {
      entry.remotes.push(rdst)
      changed = 1
    }
    if (changed === 1) entry.used = now
    return changed
  }

  private hasRemote(entry: VxlanFdbEntry, rdst: VxlanRdst): boolean {
    return entry.remotes.some(
      each =>
        sameIp(each.ip, rdst.ip) && each.port === rdst.port && each.vni === rdst.vni && each.ifindex === rdst.ifindex,
    )
  }

  private create(
    mac: Uint8Array,
    vni: number,
    rdst: VxlanRdst,
    state: number,
    flags: number,
    ndmFlags: number,
    now: number,
    limit: number,
  ): FdbChange {
    if ((flags & NLM_F_CREATE) === 0) return -Errno.ENOENT
    if ((flags & NLM_F_REPLACE) !== 0 && isGroup(mac)) return -Errno.EOPNOTSUPP
    if (limit > 0 && this.count >= limit) return -Errno.ENOSPC
    let table = this.tables.get(vni)
    if (table === undefined) {
      table = new Map()
      this.tables.set(vni, table)
    }
    table.set(macKey(mac, 0), {
      mac: mac.slice(),
      vni,
      remotes: [rdst],
      state,
      flags: ndmFlags,
      updated: now,
      used: now,
      bucket: bucketOf(mac),
      seq: this.seq++,
    })
    this.count++
    return 1
  }

  /** Takes a tunnel end, or the whole entry, out (__vxlan_fdb_delete). @returns 0, or -ENOENT where there is no entry */
  delete(mac: Uint8Array, vni: number, rdst: VxlanRdst): number {
    const entry = this.find(mac, 0, vni)
    if (entry === undefined) return -Errno.ENOENT
    if (!isAnyIp(rdst.ip)) {
      const place = entry.remotes.findIndex(
        each =>
          sameIp(each.ip, rdst.ip) && each.port === rdst.port && each.vni === rdst.vni && each.ifindex === rdst.ifindex,
      )
      if (place < 0) return 0
      if (entry.remotes.length > 1) {
        entry.remotes.splice(place, 1)
        return 0
      }
    }
    this.drop(entry)
    return 0
  }

  /** Forgets an entry. */
  drop(entry: VxlanFdbEntry): void {
    if (this.tables.get(entry.vni)?.delete(macKey(entry.mac, 0)) === true) this.count--
  }

  /** Forgets entries. @param all also those that user space made */
  flush(all: boolean): void {
    for (const entry of this.list()) if (all || (entry.state & (NUD_PERMANENT | NUD_NOARP)) === 0) this.drop(entry)
  }
}
