/** Neighbour tables as a whole: RTM_*NEIGHTBL (`ip ntable`) and /proc/net/stat/ID. */
import { Errno } from '../../uapi/errno.ts'
import { NLM_F_MULTI } from '../../uapi/netlink.ts'
import {
  type NeightblMessage,
  RTM_GETNEIGHTBL,
  RTM_NEWNEIGHTBL,
  RTM_SETNEIGHTBL,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../uapi/socket.ts'
import type { Kernel } from '../kernel.ts'
import { NSEC_PER_MSEC, TICK_NSEC } from './clock.ts'
import {
  NEIGH_VAR_ANYCAST_DELAY,
  NEIGH_VAR_APP_PROBES,
  NEIGH_VAR_BASE_REACHABLE_TIME,
  NEIGH_VAR_DELAY_PROBE_TIME,
  NEIGH_VAR_GC_STALETIME,
  NEIGH_VAR_INTERVAL_PROBE_TIME,
  NEIGH_VAR_LOCKTIME,
  NEIGH_VAR_MCAST_PROBES,
  NEIGH_VAR_MCAST_REPROBES,
  NEIGH_VAR_PROXY_DELAY,
  NEIGH_VAR_PROXY_QLEN,
  NEIGH_VAR_QUEUE_LEN_BYTES,
  NEIGH_VAR_RETRANS_TIME,
  NEIGH_VAR_UCAST_PROBES,
  type NeighParms,
} from './neigh_parms.ts'
import { type NeighTable, neighTables } from './neighbour.ts'
import type { Net } from './net_namespace.ts'
import type { RtnlContext } from './rtnetlink.ts'
import { SKB_OVERHEAD } from './skbuff.ts'

/** Attributes of a device's parameters (NDTPA_…): name, place, and whether netlink counts milliseconds. */
const PARMS: readonly (readonly [name: string, index: number, ms: boolean])[] = [
  ['queueLenBytes', NEIGH_VAR_QUEUE_LEN_BYTES, false],
  ['proxyQlen', NEIGH_VAR_PROXY_QLEN, false],
  ['appProbes', NEIGH_VAR_APP_PROBES, false],
  ['ucastProbes', NEIGH_VAR_UCAST_PROBES, false],
  ['mcastProbes', NEIGH_VAR_MCAST_PROBES, false],
  ['mcastReprobes', NEIGH_VAR_MCAST_REPROBES, false],
  ['baseReachableTime', NEIGH_VAR_BASE_REACHABLE_TIME, true],
  ['gcStaletime', NEIGH_VAR_GC_STALETIME, true],
  ['delayProbeTime', NEIGH_VAR_DELAY_PROBE_TIME, true],
  ['retransTime', NEIGH_VAR_RETRANS_TIME, true],
  ['anycastDelay', NEIGH_VAR_ANYCAST_DELAY, true],
  ['proxyDelay', NEIGH_VAR_PROXY_DELAY, true],
  ['locktime', NEIGH_VAR_LOCKTIME, true],
  ['intervalProbeTimeMs', NEIGH_VAR_INTERVAL_PROBE_TIME, true],
]

/** True size of a full Ethernet frame, bytes: the unit in which the queue length counts. */
const NEIGH_FRAME_TRUESIZE = 1514 + SKB_OVERHEAD

/** @returns a time as the kernel keeps it: whole ticks, rounded up */
function toTicks(ns: number): number {
  return Math.ceil(ns / TICK_NSEC) * TICK_NSEC
}

const MS_ATTRS_UNIT = NSEC_PER_MSEC
/** What an entry takes in the reference kernel's memory, bytes; only shown. */
const NEIGHBOUR_SIZE = 404

function parmsAttrs(parms: NeighParms): Record<string, number> {
  const out: Record<string, number> = parms.dev === undefined ? {} : { ifindex: parms.dev.ifindex }
  out.refcnt = 1
  out.queueLen = Math.floor(parms.data[NEIGH_VAR_QUEUE_LEN_BYTES]! / NEIGH_FRAME_TRUESIZE)
  out.reachableTime = Math.floor(toTicks(parms.reachableTime) / MS_ATTRS_UNIT)
  for (const [name, index, ms] of PARMS) out[name] = Math.floor(parms.data[index]! / (ms ? MS_ATTRS_UNIT : 1))
  return out
}

function message(tbl: NeighTable, attrs: NeightblMessage['attrs']): NeightblMessage {
  return { type: RTM_NEWNEIGHTBL, flags: NLM_F_MULTI, family: tbl.ops.family, attrs }
}

/** The table itself, with its defaults (neightbl_fill_info). */
function fillInfo(tbl: NeighTable): NeightblMessage {
  const { stats } = tbl
  const now = tbl.kernel.clock.now
  return message(tbl, {
    name: tbl.ops.id,
    thresh1: tbl.gcThresh1,
    thresh2: tbl.gcThresh2,
    thresh3: tbl.gcThresh3,
    gcInterval: tbl.gcInterval / NSEC_PER_MSEC,
    config: {
      keyLen: tbl.ops.keyLen,
      entrySize: NEIGHBOUR_SIZE + tbl.ops.keyLen,
      entries: tbl.entries,
      // ms ago
      lastFlush: Math.floor((now - tbl.lastFlush) / NSEC_PER_MSEC),
      lastRand: Math.floor(now / NSEC_PER_MSEC),
      hashRnd: 0x9e3779b1,
      hashMask: (1 << tbl.hashShift) - 1,
      proxyQlen: tbl.proxies.queue.length,
    },
    stats: {
      allocs: stats.allocs,
      destroys: stats.destroys,
      hashGrows: stats.hashGrows,
      resFailed: stats.resFailed,
      lookups: stats.lookups,
      hits: stats.hits,
      rcvProbesMcast: stats.rcvProbesMcast,
      rcvProbesUcast: stats.rcvProbesUcast,
      periodicGcRuns: stats.periodicGcRuns,
      forcedGcRuns: stats.forcedGcRuns,
      tableFulls: stats.tableFulls,
    },
    parms: parmsAttrs(tbl.parms),
  })
}

function dump(ctx: RtnlContext, request: RtMessage): RtMessage[] {
  const { family } = request as NeightblMessage
  const out: RtMessage[] = []
  for (const tbl of neighTables(ctx.net.kernel).values()) {
    if (family !== AF_UNSPEC && family !== tbl.ops.family) continue
    out.push(fillInfo(tbl))
    for (const parms of tbl.parmsList)
      if (parms.dev?.net === ctx.net) out.push(message(tbl, { name: tbl.ops.id, parms: parmsAttrs(parms) }))
  }
  return out
}

/** @returns a device's parameters, the defaults for index 0 in the initial namespace (lookup_neigh_parms) */
function lookupParms(tbl: NeighTable, net: Net, ifindex: number): NeighParms | undefined {
  if (ifindex === 0) return net === net.kernel.initNet ? tbl.parms : undefined
  return tbl.parmsList.find(parms => parms.dev?.net === net && parms.dev.ifindex === ifindex)
}

/** RTM_SETNEIGHTBL (neightbl_set). */
function set(ctx: RtnlContext, request: RtMessage): number {
  const { family, attrs } = request as NeightblMessage
  const { net } = ctx
  if (attrs.name === undefined) return -Errno.EINVAL
  let tbl: NeighTable | undefined
  for (const each of neighTables(net.kernel).values())
    if ((family === AF_UNSPEC || family === each.ops.family) && each.ops.id === attrs.name) tbl ??= each
  if (tbl === undefined) return -Errno.ENOENT
  if (attrs.parms !== undefined) {
    const parms = lookupParms(tbl, net, attrs.parms.ifindex ?? 0)
    if (parms === undefined) return -Errno.ENOENT
    setParms(parms, attrs.parms)
  }
  const { thresh1, thresh2, thresh3, gcInterval } = attrs
  const global = [thresh1, thresh2, thresh3, gcInterval].some(value => value !== undefined)
  if (global && net !== net.kernel.initNet) return -Errno.ENOENT
  if (thresh1 !== undefined) tbl.gcThresh1 = thresh1
  if (thresh2 !== undefined) tbl.gcThresh2 = thresh2
  if (thresh3 !== undefined) tbl.gcThresh3 = thresh3
  if (gcInterval !== undefined) tbl.gcInterval = toTicks(gcInterval * NSEC_PER_MSEC)
  return 0
}

function setParms(parms: NeighParms, attrs: Readonly<Record<string, number>>): void {
  if (attrs.queueLen !== undefined) parms.set(NEIGH_VAR_QUEUE_LEN_BYTES, attrs.queueLen * NEIGH_FRAME_TRUESIZE)
  for (const [name, index, ms] of PARMS) {
    const value = attrs[name]
    if (value !== undefined) parms.set(index, ms ? toTicks(value * MS_ATTRS_UNIT) : value)
  }
}

/** Registers the messages with a kernel. */
export function neightblInit(kernel: Kernel): void {
  kernel.rtnl.register(AF_UNSPEC, RTM_GETNEIGHTBL, { dumpit: dump })
  kernel.rtnl.register(AF_UNSPEC, RTM_SETNEIGHTBL, { doit: set })
}

const hex = (value: number): string => value.toString(16).padStart(8, '0')

/** @returns /proc/net/stat/ID: a row for each processor; the model counts on the first (neigh_stat_seq_show) */
export function neighStatText(tbl: NeighTable): string {
  const rows = [
    'entries  allocs   destroys hash_grows lookups  hits     res_failed rcv_probes_mcast rcv_probes_ucast ' +
      'periodic_gc_runs forced_gc_runs unresolved_discards table_fulls',
  ]
  for (let cpu = 0; cpu < tbl.kernel.cpus; cpu++) {
    const count = (value: number): string => hex(cpu === 0 ? value : 0)
    const s = tbl.stats
    rows.push(
      `${hex(tbl.entries)} ${count(s.allocs)} ${count(s.destroys)} ${count(s.hashGrows)}   ` +
        `${count(s.lookups)} ${count(s.hits)} ${count(s.resFailed)}   ${count(s.rcvProbesMcast)}         ` +
        `${count(s.rcvProbesUcast)}         ${count(s.periodicGcRuns)}         ${count(s.forcedGcRuns)}       ` +
        `${count(s.unresDiscards)}            ${count(s.tableFulls)}`,
    )
  }
  return `${rows.join('\n')}\n`
}
