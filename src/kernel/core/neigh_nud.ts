/**
 * Neighbour unreachability detection (RFC 4861 §7.3) and what hangs on it: resolving an address, keeping packets until
 * it is known, sending them there, probing an entry that is in doubt, and taking over what others say of it.
 */
import { Errno } from '../../uapi/errno.ts'
import {
  NTF_EXT_LEARNED,
  NTF_ROUTER,
  NUD_DELAY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
} from '../../uapi/rtnetlink.ts'
import { TICK_NSEC } from './clock.ts'
import { ETH_HLEN, ethHeaderOps } from './ethernet.ts'
import {
  NEIGH_OUTPUT_DIRECT,
  NEIGH_OUTPUT_RESOLVE,
  NEIGH_UPDATE_F_ADMIN,
  NEIGH_UPDATE_F_EXT_LEARNED,
  NEIGH_UPDATE_F_ISROUTER,
  NEIGH_UPDATE_F_MANAGED,
  NEIGH_UPDATE_F_OVERRIDE,
  NEIGH_UPDATE_F_OVERRIDE_ISROUTER,
  NEIGH_UPDATE_F_USE,
  NEIGH_UPDATE_F_WEAK_OVERRIDE,
  type Neighbour,
  NTF_MANAGED,
  NUD_CONNECTED,
  NUD_IN_TIMER,
  NUD_VALID,
  sameKey,
} from './neigh_entry.ts'
import {
  NEIGH_VAR_APP_PROBES,
  NEIGH_VAR_BASE_REACHABLE_TIME,
  NEIGH_VAR_DELAY_PROBE_TIME,
  NEIGH_VAR_MCAST_PROBES,
  NEIGH_VAR_MCAST_REPROBES,
  NEIGH_VAR_QUEUE_LEN_BYTES,
  NEIGH_VAR_RETRANS_TIME,
  NEIGH_VAR_UCAST_PROBES,
} from './neigh_parms.ts'
import { type NeighTable, neighCreate } from './neigh_table.ts'
import { neighNotify } from './neighbour_rtnl.ts'
import type { NetDevice } from './net_device.ts'
import type { NetlinkExtAck } from './rtnetlink.ts'
import type { SkBuff } from './skbuff.ts'

function addTimer(n: Neighbour, when: number): void {
  n.tbl.kernel.clock.mod(n.timer, when)
}

/** How many requests an entry gets in its state before it fails. */
function maxProbes(n: Neighbour): number {
  const { data } = n.parms
  const again = (n.nudState & NUD_PROBE) !== 0 ? NEIGH_VAR_MCAST_REPROBES : NEIGH_VAR_MCAST_PROBES
  return data[NEIGH_VAR_UCAST_PROBES]! + data[NEIGH_VAR_APP_PROBES]! + data[again]!
}

/** Time between two requests: never less than two ticks. */
function retransTime(n: Neighbour): number {
  return Math.max(n.parms.data[NEIGH_VAR_RETRANS_TIME]!, 2 * TICK_NSEC)
}

/** Resolution has failed: answers for every packet that waits (neigh_invalidate). */
function invalidate(n: Neighbour): void {
  n.tbl.stats.resFailed++
  n.updated = n.tbl.kernel.clock.now
  // an answer may lead back here and change the state
  while (n.nudState === NUD_FAILED) {
    const skb = n.arpQueue.dequeue()
    if (skb === null) break
    n.ops.errorReport(n, skb)
  }
  n.arpQueue.purge('neigh_invalidate', 'NEIGH_FAILED')
  n.arpQueueLenBytes = 0
}

function probe(n: Neighbour): void {
  // the last packet that came tells from which address to ask; the answer may free it
  const skb = n.arpQueue.qlen === 0 ? null : n.lastQueued!.clone()
  n.ops.solicit(n, skb)
  n.probes++
  skb?.consume()
}

/** Used by Neighbour: the state's time is over (neigh_timer_handler). */
export function timerHandler(n: Neighbour): void {
  const { kernel } = n.tbl
  const now = kernel.clock.now
  const state = n.nudState
  if ((state & NUD_IN_TIMER) === 0) return
  let notify = false
  let next: number
  if ((state & NUD_REACHABLE) !== 0) {
    next = nextOfReachable(n, now)
    notify = n.nudState === NUD_STALE
  } else if ((state & NUD_DELAY) !== 0) {
    n.updated = now
    notify = true
    if (now <= n.confirmed + n.parms.data[NEIGH_VAR_DELAY_PROBE_TIME]!) {
      n.nudState = NUD_REACHABLE
      next = n.confirmed + n.parms.reachableTime
    } else {
      n.nudState = NUD_PROBE
      n.probes = 0
      next = now + retransTime(n)
    }
  } else next = now + retransTime(n)

  if ((n.nudState & (NUD_INCOMPLETE | NUD_PROBE)) !== 0 && n.probes >= maxProbes(n)) {
    n.nudState = NUD_FAILED
    notify = true
    invalidate(n)
  } else {
    if ((n.nudState & NUD_IN_TIMER) !== 0) addTimer(n, Math.max(next, now + 2 * TICK_NSEC))
    if ((n.nudState & (NUD_INCOMPLETE | NUD_PROBE)) !== 0) probe(n)
  }
  if (notify) neighNotify(n, false)
}

/** A reachable entry: still confirmed, in use (then it is to be probed soon), or stale. @returns when to look again */
function nextOfReachable(n: Neighbour, now: number): number {
  const holds = n.confirmed + n.parms.reachableTime
  if (now <= holds) return holds
  n.updated = now
  const delay = n.parms.data[NEIGH_VAR_DELAY_PROBE_TIME]!
  if (now <= n.used + delay) {
    n.nudState = NUD_DELAY
    return now + delay
  }
  n.nudState = NUD_STALE
  return now
}

/**
 * An entry is about to be used: starts resolution, or the delay before the first probe, where needed (neigh_event_send).
 * @param skb a packet to keep until the address is known; null for none. Taken over unless the result is false
 * @returns true where the packet has to wait (or was dropped)
 */
export function neighEventSend(n: Neighbour, skb: SkBuff | null): boolean {
  return eventSend(n, skb, true)
}

/** The same; `immediate` false leaves the first request to the next tick. */
export function eventSend(n: Neighbour, skb: SkBuff | null, immediate: boolean): boolean {
  const now = n.tbl.kernel.clock.now
  n.used = now
  const state = n.nudState
  if ((state & (NUD_CONNECTED | NUD_DELAY | NUD_PROBE)) !== 0) return false
  if (n.dead) {
    if ((state & NUD_STALE) !== 0) return false
    skb?.free('__neigh_event_send', 'NEIGH_DEAD')
    return true
  }
  if ((state & NUD_STALE) !== 0) {
    n.nudState = NUD_DELAY
    n.updated = now
    addTimer(n, now + n.parms.data[NEIGH_VAR_DELAY_PROBE_TIME]!)
    return false
  }
  let begin = false
  if ((state & NUD_INCOMPLETE) === 0) {
    const { data } = n.parms
    n.updated = now
    if (data[NEIGH_VAR_MCAST_PROBES]! + data[NEIGH_VAR_APP_PROBES]! === 0) {
      n.nudState = NUD_FAILED
      skb?.free('__neigh_event_send', 'NEIGH_FAILED')
      return true
    }
    n.probes = data[NEIGH_VAR_UCAST_PROBES]!
    n.nudState = NUD_INCOMPLETE
    begin = immediate
    addTimer(n, immediate ? now + retransTime(n) : now + TICK_NSEC)
  }
  if (skb !== null) queueUnresolved(n, skb)
  if (begin) probe(n)
  return true
}

/** Keeps a packet until its address is known; the oldest give way (unres_qlen_bytes). */
function queueUnresolved(n: Neighbour, skb: SkBuff): void {
  const limit = n.parms.data[NEIGH_VAR_QUEUE_LEN_BYTES]!
  while (n.arpQueueLenBytes + skb.truesize > limit) {
    const old = n.arpQueue.dequeue()
    if (old === null) break
    n.arpQueueLenBytes -= old.truesize
    old.free('__neigh_event_send', 'NEIGH_QUEUEFULL')
    n.tbl.stats.unresDiscards++
  }
  n.arpQueue.enqueue(skb)
  n.lastQueued = skb
  n.arpQueueLenBytes += skb.truesize
}

/**
 * Sends a packet to a neighbour (neigh_output). `skb.dev` is the entry's device; `data` is at the network header.
 * @param skipCache the packet is of another protocol than the table's (an IPv4 packet to an IPv6 gateway)
 * @returns NET_XMIT_… or a negative error; 0 where the packet waits for resolution
 */
export function neighOutput(n: Neighbour, skb: SkBuff, skipCache = false): number {
  const hh = n.hh
  if (hh !== null && !skipCache && (n.nudState & NUD_CONNECTED) !== 0) {
    const at = skb.push(ETH_HLEN)
    const { buf } = skb
    buf[at] = hh[0]!
    buf[at + 1] = hh[1]!
    buf[at + 2] = hh[2]!
    buf[at + 3] = hh[3]!
    buf[at + 4] = hh[4]!
    buf[at + 5] = hh[5]!
    buf[at + 6] = hh[6]!
    buf[at + 7] = hh[7]!
    buf[at + 8] = hh[8]!
    buf[at + 9] = hh[9]!
    buf[at + 10] = hh[10]!
    buf[at + 11] = hh[11]!
    buf[at + 12] = hh[12]!
    buf[at + 13] = hh[13]!
    return n.tbl.kernel.netcore.queueXmit(skb)
  }
  if (n.output === NEIGH_OUTPUT_RESOLVE) return neighResolveOutput(n, skb)
  if (n.output === NEIGH_OUTPUT_DIRECT) return n.tbl.kernel.netcore.queueXmit(skb)
  skb.free('neigh_blackhole')
  return -Errno.ENETDOWN
}

/** Sends a packet with a link header as soon as the address is known (neigh_resolve_output). */
export function neighResolveOutput(n: Neighbour, skb: SkBuff): number {
  if (neighEventSend(n, skb)) return 0
  const { dev } = n
  const { headerOps } = dev
  if (skb.networkHeader > skb.data) skb.pull(skb.networkHeader - skb.data)
  if (headerOps !== undefined) {
    if (headerOps === ethHeaderOps && n.hh === null) n.hh = etherHeader(n)
    if (headerOps.create(skb, dev, skb.protocol, n.ha, undefined, skb.len) < 0) {
      skb.free('neigh_resolve_output')
      return -Errno.EINVAL
    }
  }
  return n.tbl.kernel.netcore.queueXmit(skb)
}

/** @returns the link header of the table's packets to an entry (eth_header_cache) */
function etherHeader(n: Neighbour): Uint8Array {
  const header = new Uint8Array(ETH_HLEN)
  header.set(n.ha.subarray(0, 6), 0)
  header.set(n.dev.devAddr.subarray(0, 6), 6)
  header[12] = n.tbl.ops.protocol >> 8
  header[13] = n.tbl.ops.protocol & 0xff
  return header
}

/** A higher layer knows that the neighbour answers (neigh_confirm). */
export function neighConfirm(n: Neighbour): void {
  n.confirmed = n.tbl.kernel.clock.now
}

/** Takes the entry's flags over. @returns whether listeners must hear of it */
function updateFlags(n: Neighbour, flags: number): boolean {
  if ((flags & NEIGH_UPDATE_F_ADMIN) === 0) return false
  let to = n.flags & ~(NTF_EXT_LEARNED | NTF_MANAGED)
  if ((flags & NEIGH_UPDATE_F_EXT_LEARNED) !== 0) to |= NTF_EXT_LEARNED
  if ((flags & NEIGH_UPDATE_F_MANAGED) !== 0) to |= NTF_MANAGED
  const changed = to ^ n.flags
  n.flags = to
  if ((changed & NTF_EXT_LEARNED) !== 0) n.tbl.updateGcList(n)
  if ((changed & NTF_MANAGED) !== 0) n.tbl.updateManagedList(n)
  return changed !== 0
}

/**
 * Changes an entry (neigh_update): what user space, a reply or an advertisement say.
 * @param lladdr link-layer address, undefined for none @param state the new NUD_… state
 * @param flags NEIGH_UPDATE_F_… @returns 0, -EPERM for an entry that only the administrator may change, -EINVAL
 */
export function neighUpdate(
  n: Neighbour,
  lladdr: Uint8Array | undefined,
  state: number,
  flags: number,
  extack?: NetlinkExtAck,
): number {
  const { kernel } = n.tbl
  const old = n.nudState
  if (kernel.trace.neighUpdate.enabled) kernel.trace.neighUpdate.fire(n.dev, state)
  if (n.dead) return extack?.fail(-Errno.EPERM, 'Neighbor entry is now dead') ?? -Errno.EPERM
  if ((flags & NEIGH_UPDATE_F_ADMIN) === 0 && (old & (NUD_NOARP | NUD_PERMANENT)) !== 0) return -Errno.EPERM
  const flagged = updateFlags(n, flags)
  let rc = 0
  let notify = false
  if ((flags & (NEIGH_UPDATE_F_USE | NEIGH_UPDATE_F_MANAGED)) !== 0) {
    n.nudState = old & ~NUD_PERMANENT
  } else if ((state & NUD_VALID) === 0) {
    kernel.clock.del(n.timer)
    n.nudState = state
    notify = (old & NUD_VALID) !== 0
    if ((old & (NUD_INCOMPLETE | NUD_PROBE)) !== 0 && (state & NUD_FAILED) !== 0) {
      invalidate(n)
      notify = true
    }
  } else {
    rc = updateValid(n, lladdr, state, flags, extack)
    notify = rc === 1
    if (rc > 0) rc = 0
  }
  if (((n.nudState ^ old) & NUD_PERMANENT) !== 0) n.tbl.updateGcList(n)
  if (notify || flagged) neighNotify(n, false)
  return rc
}

/** The entry becomes, or stays, usable. @returns 1 where listeners must hear of it, 0 where not, a negative error */
function updateValid(
  n: Neighbour,
  lladdr: Uint8Array | undefined,
  state: number,
  flags: number,
  extack: NetlinkExtAck | undefined,
): number {
  const { clock } = n.tbl.kernel
  const now = clock.now
  const old = n.nudState
  let ha = n.ha
  if (n.dev.addrLen > 0) {
    if (lladdr === undefined) {
      if ((old & NUD_VALID) === 0) return extack?.fail(-Errno.EINVAL, 'No link layer address given') ?? -Errno.EINVAL
    } else if ((old & NUD_VALID) === 0 || !sameKey(n.ha, lladdr)) ha = lladdr
  }
  // a confirmation counts even where the address in it is not taken over
  if ((state & NUD_CONNECTED) !== 0) n.confirmed = now
  let setRouter = (flags & NEIGH_UPDATE_F_OVERRIDE_ISROUTER) !== 0
  if ((old & NUD_VALID) !== 0) {
    if (ha !== n.ha && (flags & NEIGH_UPDATE_F_OVERRIDE) === 0) {
      setRouter = false
      if ((flags & NEIGH_UPDATE_F_WEAK_OVERRIDE) === 0 || (old & NUD_CONNECTED) === 0) return 0
      ha = n.ha
      state = NUD_STALE
    } else if (ha === n.ha && state === NUD_STALE && (flags & NEIGH_UPDATE_F_ADMIN) === 0) state = old
  }
  let notify = false
  if (state !== old || ha !== n.ha) n.updated = now
  if (state !== old) {
    clock.del(n.timer)
    if ((state & NUD_PROBE) !== 0) n.probes = 0
    if ((state & NUD_IN_TIMER) !== 0) addTimer(n, now + ((state & NUD_REACHABLE) !== 0 ? n.parms.reachableTime : 0))
    n.nudState = state
    notify = true
  }
  if (ha !== n.ha) {
    n.ha = ha.slice(0, n.dev.addrLen)
    n.hh = null
    if ((state & NUD_CONNECTED) === 0) n.confirmed = now - 2 * n.parms.data[NEIGH_VAR_BASE_REACHABLE_TIME]!
    notify = true
  }
  if (state !== old && (old & NUD_VALID) === 0) sendQueued(n)
  if (setRouter) {
    const router = (flags & NEIGH_UPDATE_F_ISROUTER) !== 0
    if (router !== ((n.flags & NTF_ROUTER) !== 0)) {
      n.flags ^= NTF_ROUTER
      notify = true
    }
  }
  return notify ? 1 : 0
}

/** The address is known: sends what has waited for it. */
function sendQueued(n: Neighbour): void {
  while ((n.nudState & NUD_VALID) !== 0) {
    const skb = n.arpQueue.dequeue()
    if (skb === null) break
    neighOutput(n, skb, true)
  }
  n.arpQueue.purge('neigh_update')
  n.arpQueueLenBytes = 0
}

/** Says that an entry must be probed without waiting for the delay (__neigh_set_probe_once). */
export function neighSetProbeOnce(n: Neighbour): void {
  if (n.dead) return
  const now = n.tbl.kernel.clock.now
  n.updated = now
  if ((n.nudState & NUD_FAILED) === 0) return
  n.nudState = NUD_INCOMPLETE
  n.probes = maxProbes(n)
  addTimer(n, now + retransTime(n))
}

/**
 * Looks an entry up for an event of the resolution protocol, or makes it, and takes the address over (neigh_event_ns).
 * @param make whether it may be made
 */
export function neighEventNs(
  tbl: NeighTable,
  lladdr: Uint8Array | undefined,
  key: Uint8Array,
  dev: NetDevice,
  make = lladdr !== undefined || dev.addrLen === 0,
): Neighbour | undefined {
  let n: Neighbour | number | undefined = tbl.lookup(key, dev)
  if (n === undefined && make) n = neighCreate(tbl, key, dev)
  if (n === undefined || typeof n === 'number') return undefined
  neighUpdate(n, lladdr, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE)
  return n
}
