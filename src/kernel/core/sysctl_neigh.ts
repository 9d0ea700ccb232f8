/**
 * /proc/sys/net/{ipv4,ipv6}/neigh: a neighbour table's parameters for each device, and its defaults and limits in the
 * initial namespace (arp(7)). A write to `default` reaches the devices that nobody has set that value for.
 */
import { AF_INET } from '../../uapi/socket.ts'
import type { Kernel } from '../kernel.ts'
import { NSEC_PER_MSEC, NSEC_PER_SEC, TICK_NSEC, USER_HZ } from './clock.ts'
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
import type { NetDevice } from './net_device.ts'
import type { Net } from './net_namespace.ts'
import { type CtlTable, registerNetSysctl, unregisterNetSysctl } from './sysctl.ts'
import {
  type CtlOptions,
  type CtlVar,
  field,
  procDointvec,
  procDointvecJiffies,
  procDointvecMsJiffies,
  procDointvecUserhzJiffies,
} from './sysctl_handlers.ts'

type Handler = (name: string, v: CtlVar, options?: CtlOptions) => CtlTable

/** What a queued full-size frame is charged, bytes: how unres_qlen (packets) is turned into unres_qlen_bytes. */
const FRAME_TRUESIZE = 2090

/** An entry: its place, the length of its unit in ns (1 for plain numbers), its handler and limits. */
type Spec = readonly [index: number, unit: number, handler: Handler, options?: CtlOptions]

const COUNT: CtlOptions = { min: 0 }
const USER_TICK = NSEC_PER_SEC / USER_HZ

const ENTRIES: Readonly<Record<string, Spec>> = {
  mcast_solicit: [NEIGH_VAR_MCAST_PROBES, 1, procDointvec, COUNT],
  ucast_solicit: [NEIGH_VAR_UCAST_PROBES, 1, procDointvec, COUNT],
  app_solicit: [NEIGH_VAR_APP_PROBES, 1, procDointvec, COUNT],
  mcast_resolicit: [NEIGH_VAR_MCAST_REPROBES, 1, procDointvec, COUNT],
  base_reachable_time: [NEIGH_VAR_BASE_REACHABLE_TIME, NSEC_PER_SEC, procDointvecJiffies],
  base_reachable_time_ms: [NEIGH_VAR_BASE_REACHABLE_TIME, NSEC_PER_MSEC, procDointvecMsJiffies],
  delay_first_probe_time: [NEIGH_VAR_DELAY_PROBE_TIME, NSEC_PER_SEC, procDointvecJiffies],
  interval_probe_time_ms: [NEIGH_VAR_INTERVAL_PROBE_TIME, NSEC_PER_MSEC, procDointvecMsJiffies, { min: 1 }],
  gc_stale_time: [NEIGH_VAR_GC_STALETIME, NSEC_PER_SEC, procDointvecJiffies],
  unres_qlen_bytes: [NEIGH_VAR_QUEUE_LEN_BYTES, 1, procDointvec, COUNT],
  unres_qlen: [
    NEIGH_VAR_QUEUE_LEN_BYTES,
    FRAME_TRUESIZE,
    procDointvec,
    { min: 0, max: Math.floor(0x7fffffff / FRAME_TRUESIZE) },
  ],
  proxy_qlen: [NEIGH_VAR_PROXY_QLEN, 1, procDointvec, COUNT],
  anycast_delay: [NEIGH_VAR_ANYCAST_DELAY, USER_TICK, procDointvecUserhzJiffies],
  proxy_delay: [NEIGH_VAR_PROXY_DELAY, USER_TICK, procDointvecUserhzJiffies],
  locktime: [NEIGH_VAR_LOCKTIME, USER_TICK, procDointvecUserhzJiffies],
  retrans_time_ms: [NEIGH_VAR_RETRANS_TIME, NSEC_PER_MSEC, procDointvecMsJiffies],
}

/** retrans_time: IPv4 shows hundredths of a second, IPv6 raw ticks (kept for old programs). */
const RETRANS_TIME: Readonly<Record<'ipv4' | 'ipv6', Spec>> = {
  ipv4: [NEIGH_VAR_RETRANS_TIME, USER_TICK, procDointvecUserhzJiffies],
  ipv6: [NEIGH_VAR_RETRANS_TIME, TICK_NSEC, procDointvec],
}

function parmsTable(tbl: NeighTable, parms: NeighParms, family: 'ipv4' | 'ipv6'): CtlTable[] {
  const isDefault = parms === tbl.parms
  return Object.entries({ ...ENTRIES, retrans_time: RETRANS_TIME[family] }).map(
    ([name, [index, unit, handler, options]]) =>
      handler(
        name,
        {
          count: 1,
          get: () => Math.floor(parms.data[index]! / unit),
          set: (_, value) => {
            parms.set(index, value * unit)
            if (!isDefault) return
            for (const other of tbl.parmsList)
              if (other !== parms && other.isSet[index] === 0) {
                other.data[index] = value * unit
                if (index === NEIGH_VAR_BASE_REACHABLE_TIME) other.chooseReachableTime(value * unit)
              }
          },
        },
        options,
      ),
  )
}

function limitsTable(tbl: NeighTable): CtlTable[] {
  return [
    procDointvecJiffies('gc_interval', {
      count: 1,
      get: () => Math.floor(tbl.gcInterval / NSEC_PER_SEC),
      set: (_, value) => {
        tbl.gcInterval = value * NSEC_PER_SEC
      },
    }),
    procDointvec('gc_thresh1', field(tbl, 'gcThresh1'), COUNT),
    procDointvec('gc_thresh2', field(tbl, 'gcThresh2'), COUNT),
    procDointvec('gc_thresh3', field(tbl, 'gcThresh3'), COUNT),
  ]
}

/**
 * Registers `default` in the initial namespace, and a directory for each device that has parameters in the table, in
 * step with the devices. Call it once the table exists, after what gives devices their parameters.
 * @param parmsOf the device's parameters in this table, undefined where the protocol has none for it
 */
export function neighSysctlFollow(
  kernel: Kernel,
  tbl: NeighTable,
  parmsOf: (dev: NetDevice) => NeighParms | undefined,
): void {
  const family = tbl.ops.family === AF_INET ? 'ipv4' : 'ipv6'
  const root = `net/${family}/neigh`
  const known = new Map<NetDevice, { net: Net; name: string; parms: NeighParms }>()
  kernel.registerPernet({
    init: net => {
      if (kernel.nets.size === 1)
        registerNetSysctl(net, `${root}/default`, [...parmsTable(tbl, tbl.parms, family), ...limitsTable(tbl)])
      else registerNetSysctl(net, root, [])
    },
  })
  kernel.netdevChain.register((event, dev) => {
    const entry = known.get(dev)
    const parms = event === 'UNREGISTER' ? undefined : parmsOf(dev)
    if (entry !== undefined && (entry.parms !== parms || entry.name !== dev.name || entry.net !== dev.net)) {
      unregisterNetSysctl(entry.net, `${root}/${entry.name}`)
      known.delete(dev)
    }
    if (parms !== undefined && !known.has(dev)) {
      registerNetSysctl(dev.net, `${root}/${dev.name}`, parmsTable(tbl, parms, family))
      known.set(dev, { net: dev.net, name: dev.name, parms })
    }
    return 0
  }, -10)
}

/** @returns a kernel's table of a family; throws where it does not exist yet */
export function neighTableOf(kernel: Kernel, family: number): NeighTable {
  const tbl = neighTables(kernel).get(family)
  if (tbl === undefined) throw new Error(`there is no neighbour table of family ${family}`)
  return tbl
}
