/** /proc/sys/net/ipv4: which values there are, what they accept, and what a write sets in motion (ip-sysctl). */
import { Errno } from '../../uapi/errno.ts'
import type { Net } from '../core/net_namespace.ts'
import { type CtlTable, registerNetSysctl } from '../core/sysctl.ts'
import {
  type CtlOptions,
  type CtlVar,
  field,
  type NumberKey,
  procDointvec,
  procDointvecJiffies,
  procDointvecMsJiffies,
  procDoLargeBitmap,
  procDostring,
  procDou8vec,
  procDouintvec,
  procDoulongvec,
  vector,
} from '../core/sysctl_handlers.ts'
import type { Kernel } from '../kernel.ts'
import { ipv4Key, NetnsIpv4 } from './netns_ipv4.ts'
import { rtCacheFlushAll } from './rtable.ts'
import { type CongestionControls, congestionControls } from './tcp_cong.ts'

type Key = NumberKey<NetnsIpv4>
type Handler = (name: string, v: CtlVar, options?: CtlOptions) => CtlTable

/** `a_b` → `aB` */
export function fieldName(procname: string): string {
  return procname.replace(/_(.)/g, (_, c: string) => c.toUpperCase())
}

/** Entries of one type and range: names with the limits. */
function entries(
  ns: NetnsIpv4,
  handler: Handler,
  list: Readonly<Record<string, readonly [min?: number, max?: number]>>,
  changed?: Readonly<Record<string, () => void>>,
  prefix = '',
): CtlTable[] {
  return Object.entries(list).map(([name, [min, max]]) =>
    handler(name, field(ns, fieldName(prefix + name) as Key), {
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
      ...(changed?.[name] === undefined ? {} : { changed: changed[name] }),
    }),
  )
}

const FLAG: readonly [number, number] = [0, 1]
const BYTE: readonly [] = []

const U8_ENTRIES = {
  icmp_echo_ignore_all: FLAG,
  icmp_echo_enable_probe: FLAG,
  icmp_echo_ignore_broadcasts: FLAG,
  icmp_ignore_bogus_error_responses: FLAG,
  icmp_errors_use_inbound_ifaddr: FLAG,
  raw_l3mdev_accept: FLAG,
  tcp_ecn: [0, 2],
  tcp_ecn_fallback: FLAG,
  ip_dynaddr: BYTE,
  ip_early_demux: BYTE,
  udp_early_demux: BYTE,
  tcp_early_demux: BYTE,
  nexthop_compat_mode: FLAG,
  ip_default_ttl: [1, 255],
  ip_no_pmtu_disc: BYTE,
  ip_forward_use_pmtu: BYTE,
  ip_forward_update_priority: FLAG,
  ip_nonlocal_bind: BYTE,
  ip_autobind_reuse: FLAG,
  fwmark_reflect: BYTE,
  tcp_fwmark_accept: BYTE,
  tcp_l3mdev_accept: FLAG,
  tcp_mtu_probing: BYTE,
  igmp_link_local_mcast_reports: BYTE,
  tcp_keepalive_probes: BYTE,
  tcp_syn_retries: [1, 127],
  tcp_synack_retries: BYTE,
  tcp_syncookies: BYTE,
  tcp_migrate_req: FLAG,
  tcp_retries1: [0, 255],
  tcp_retries2: BYTE,
  tcp_orphan_retries: BYTE,
  tcp_tw_reuse: [0, 2],
  fib_multipath_use_neigh: FLAG,
  fib_multipath_hash_policy: [0, 3],
  udp_l3mdev_accept: FLAG,
  tcp_sack: BYTE,
  tcp_window_scaling: BYTE,
  tcp_timestamps: BYTE,
  tcp_early_retrans: [0, 4],
  tcp_recovery: BYTE,
  tcp_thin_linear_timeouts: BYTE,
  tcp_slow_start_after_idle: BYTE,
  tcp_retrans_collapse: BYTE,
  tcp_stdurg: BYTE,
  tcp_rfc1337: BYTE,
  tcp_abort_on_overflow: BYTE,
  tcp_fack: BYTE,
  tcp_dsack: BYTE,
  tcp_app_win: [0, 31],
  tcp_frto: BYTE,
  tcp_no_metrics_save: BYTE,
  tcp_no_ssthresh_metrics_save: FLAG,
  tcp_moderate_rcvbuf: BYTE,
  tcp_tso_win_divisor: BYTE,
  tcp_workaround_signed_windows: BYTE,
  tcp_min_tso_segs: [1, 255],
  tcp_tso_rtt_log: BYTE,
  tcp_autocorking: BYTE,
  tcp_comp_sack_nr: [0, 255],
  tcp_reflect_tos: FLAG,
  tcp_shrink_window: FLAG,
  fib_notify_on_flag_change: [0, 2],
} as const

const INT_ENTRIES = {
  tcp_max_tw_buckets: [],
  icmp_ratemask: [],
  tcp_base_mss: [],
  tcp_min_snd_mss: [48, 65535],
  tcp_mtu_probe_floor: [48, 65535],
  tcp_probe_threshold: [],
  igmp_max_memberships: [],
  igmp_max_msf: [],
  igmp_qrv: [1],
  tcp_reordering: [],
  tcp_max_syn_backlog: [],
  tcp_fastopen: [],
  tcp_fastopen_blackhole_timeout_sec: [0],
  tcp_max_reordering: [],
  tcp_adv_win_scale: [-31, 31],
  tcp_limit_output_bytes: [],
  tcp_challenge_ack_limit: [],
  tcp_min_rtt_wlen: [0, 86400],
  tcp_pacing_ss_ratio: [0, 1000],
  tcp_pacing_ca_ratio: [0, 1000],
  udp_rmem_min: [1],
  udp_wmem_min: [1],
  icmp_msgs_per_sec: [0],
  icmp_msgs_burst: [0],
  xfrm4_gc_thresh: [],
  ipfrag_max_dist: [0],
} as const

const INIT_INT_ENTRIES = {
  tcp_max_orphans: [],
  inet_peer_threshold: [],
  tcp_low_latency: [],
  cipso_cache_bucket_size: [],
  cipso_cache_enable: [],
  cipso_rbm_optfmt: [],
  cipso_rbm_strictvalid: [],
} as const

/** Registers /proc/sys/net/ipv4 of a namespace, without conf and neigh. */
export function sysctlNetIpv4Init(net: Net, controls: CongestionControls, flush: () => void): void {
  const ns = net.at(ipv4Key)
  const init = net.kernel.nets.size === 1
  const table: CtlTable[] = [
    ...entries(ns, procDou8vec, U8_ENTRIES),
    ...entries(ns, procDointvec, INT_ENTRIES),
    ...entries(ns, procDouintvec, {
      tcp_probe_interval: [0, Math.floor(0xffffffff / 250)],
      tcp_notsent_lowat: [],
      tcp_child_ehash_entries: [0, 16 * 1024 * 1024],
      fib_multipath_hash_fields: [1, 0xfff],
    }),
    ...entries(ns, procDointvecJiffies, {
      tcp_keepalive_time: [],
      tcp_keepalive_intvl: [],
      tcp_fin_timeout: [],
      ipfrag_time: [],
    }),
    ...entries(ns, procDointvecMsJiffies, { icmp_ratelimit: [], tcp_invalid_ratelimit: [] }),
    ...entries(ns, procDoulongvec, { tcp_comp_sack_delay_ns: [], tcp_comp_sack_slack_ns: [] }),
    procDointvec('tcp_wmem', vector(ns, 'tcpWmem'), { min: 1 }),
    procDointvec('tcp_rmem', vector(ns, 'tcpRmem'), { min: 1 }),
    fragThreshold(ns, 'ipfrag_high_thresh'),
    fragThreshold(ns, 'ipfrag_low_thresh'),
    pingGroupRange(ns),
    localPortRange(ns),
    unprivilegedPortStart(ns),
    procDoLargeBitmap('ip_local_reserved_ports', ns.ipLocalReservedPorts),
    ehashEntries(net, init),
    fastopenKey(ns),
    ...congestionEntries(ns, controls, init),
  ]
  if (init)
    table.push(
      ...entries(ns, procDointvec, INIT_INT_ENTRIES),
      ...entries(ns, procDointvecJiffies, { inet_peer_minttl: [], inet_peer_maxttl: [], ipfrag_secret_interval: [] }),
      procDouintvec('fib_sync_mem', field(ns, 'fibSyncMem'), { min: 64 * 1024, max: 64 * 1024 * 1024 }),
      procDoulongvec('tcp_mem', vector(ns, 'tcpMem')),
      procDoulongvec('udp_mem', vector(ns, 'udpMem')),
      procDostring('tcp_available_ulp', () => 'mptcp', undefined),
    )
  registerNetSysctl(net, 'net/ipv4', table)
  registerNetSysctl(net, 'net/ipv4/route', routeTable(ns, init, flush))
}

function routeTable(ns: NetnsIpv4, init: boolean, flush: () => void): CtlTable[] {
  const table: CtlTable[] = [
    {
      procname: 'flush',
      mode: 0o200,
      write: () => {
        flush()
        return 0
      },
    },
    procDointvec('min_pmtu', field(ns, 'routeMinPmtu'), { min: 68 }),
    procDointvecJiffies('mtu_expires', field(ns, 'routeMtuExpires')),
    procDointvec('min_adv_mss', field(ns, 'routeMinAdvMss')),
  ]
  if (init)
    table.push(
      ...entries(
        ns,
        procDointvec,
        {
          gc_thresh: [],
          max_size: [],
          redirect_load: [],
          redirect_number: [],
          redirect_silence: [],
          error_cost: [],
          error_burst: [],
          gc_elasticity: [],
        },
        undefined,
        'route_',
      ),
      ...entries(
        ns,
        procDointvecJiffies,
        { gc_min_interval: [], gc_timeout: [], gc_interval: [] },
        undefined,
        'route_',
      ),
      procDointvecMsJiffies('gc_min_interval_ms', field(ns, 'routeGcMinIntervalMs')),
    )
  return table
}

/** The high threshold cannot fall below the low one, nor the low one rise above the high. */
function fragThreshold(ns: NetnsIpv4, name: 'ipfrag_high_thresh' | 'ipfrag_low_thresh'): CtlTable {
  const high = name === 'ipfrag_high_thresh'
  const v = field(ns, high ? 'ipfragHighThresh' : 'ipfragLowThresh')
  return {
    procname: name,
    mode: 0o644,
    read: () => `${v.get(0)}\n`,
    write: text => {
      const limit = high ? { min: ns.ipfragLowThresh } : { max: ns.ipfragHighThresh }
      return procDoulongvec(name, v, limit).write!(text)
    },
  }
}

/** Two group ids; a range that is no range becomes the empty one, `1 0` (ipv4_ping_group_range). */
function pingGroupRange(ns: NetnsIpv4): CtlTable {
  const pair = [0, 0]
  const parse = procDouintvec(
    'ping_group_range',
    {
      count: 2,
      get: i => pair[i]!,
      set: (i, value) => {
        pair[i] = value
      },
    },
    { max: 0x7fffffff },
  )
  return {
    procname: 'ping_group_range',
    mode: 0o644,
    read: () => `${ns.pingGroupRange[0]}\t${ns.pingGroupRange[1]}\n`,
    write: text => {
      pair[0] = ns.pingGroupRange[0]
      pair[1] = ns.pingGroupRange[1]
      const rc = parse.write!(text)
      if (rc < 0) return rc
      const empty = pair[1]! < pair[0]!
      ns.pingGroupRange[0] = empty ? 1 : pair[0]!
      ns.pingGroupRange[1] = empty ? 0 : pair[1]!
      return 0
    },
  }
}

/** Low and high automatic ports: in order, and not below the first unprivileged port (ipv4_local_port_range). */
function localPortRange(ns: NetnsIpv4): CtlTable {
  const pair = [0, 0]
  const parse = procDointvec(
    'ip_local_port_range',
    {
      count: 2,
      get: i => pair[i]!,
      set: (i, value) => {
        pair[i] = value
      },
    },
    { min: 1, max: 65535 },
  )
  return {
    procname: 'ip_local_port_range',
    mode: 0o644,
    read: () => `${ns.ipLocalPortRange[0]}\t${ns.ipLocalPortRange[1]}\n`,
    write: text => {
      pair[0] = ns.ipLocalPortRange[0]
      pair[1] = ns.ipLocalPortRange[1]
      const rc = parse.write!(text)
      if (rc < 0) return rc
      if (pair[1]! < pair[0]! || pair[0]! < ns.ipUnprivilegedPortStart) return -Errno.EINVAL
      ns.ipLocalPortRange[0] = pair[0]!
      ns.ipLocalPortRange[1] = pair[1]!
      return 0
    },
  }
}

function unprivilegedPortStart(ns: NetnsIpv4): CtlTable {
  let value = 0
  const parse = procDointvec(
    'ip_unprivileged_port_start',
    {
      count: 1,
      get: () => value,
      set: (_, v) => {
        value = v
      },
    },
    { min: 0, max: 65535 },
  )
  return {
    procname: 'ip_unprivileged_port_start',
    mode: 0o644,
    read: () => `${ns.ipUnprivilegedPortStart}\n`,
    write: text => {
      value = ns.ipUnprivilegedPortStart
      const rc = parse.write!(text)
      if (rc < 0) return rc
      // the automatic ports must stay unprivileged
      if (ns.ipLocalPortRange[0] < value) return -Errno.EINVAL
      ns.ipUnprivilegedPortStart = value
      return 0
    },
  }
}

/** Size of the established hash; negative where a namespace uses the initial one's (proc_tcp_ehash_entries). */
function ehashEntries(net: Net, init: boolean): CtlTable {
  return {
    procname: 'tcp_ehash_entries',
    mode: 0o444,
    read: () => {
      const size = (init ? net : net.kernel.initNet).at(ipv4Key).tcpEhashEntries
      return `${init ? size : -size}\n`
    },
  }
}

/** One or two keys of four 32-bit hexadecimal numbers (proc_tcp_fastopen_key). */
function fastopenKey(ns: NetnsIpv4): CtlTable {
  return {
    procname: 'tcp_fastopen_key',
    mode: 0o600,
    read: () => `${ns.tcpFastopenKey}\n`,
    write: text => {
      const keys = text.trim().split(',')
      if (keys.length > 2) return -Errno.EINVAL
      const parsed = keys.map(key => /^([0-9a-f]{1,8})-([0-9a-f]{1,8})-([0-9a-f]{1,8})-([0-9a-f]{1,8})$/i.exec(key))
      if (parsed.some(match => match === null)) return -Errno.EINVAL
      ns.tcpFastopenKey = parsed
        .map(match =>
          match!
            .slice(1)
            .map(word => word.toLowerCase().padStart(8, '0'))
            .join('-'),
        )
        .join(',')
      return 0
    },
  }
}

function congestionEntries(ns: NetnsIpv4, controls: CongestionControls, init: boolean): CtlTable[] {
  return [
    procDostring(
      'tcp_congestion_control',
      () => ns.tcpCongestionControl,
      name => {
        if (!controls.available().includes(name) && !(name !== '' && controls.request(name))) return -Errno.ENOENT
        // without a privilege in the initial namespace only the allowed ones may be chosen
        if (!init && !controls.allowed.includes(name)) return -Errno.EPERM
        ns.tcpCongestionControl = name
        return 0
      },
      { max: 16 },
    ),
    procDostring('tcp_available_congestion_control', () => controls.available().join(' '), undefined),
    procDostring(
      'tcp_allowed_congestion_control',
      () => controls.allowed.join(' '),
      init
        ? text => {
            const names = text.split(/[ \t]+/).filter(name => name !== '')
            if (names.some(name => !controls.available().includes(name))) return -Errno.ENOENT
            controls.allowed = names
            return 0
          }
        : undefined,
    ),
  ]
}

/**
 * Gives every namespace its values (`net.at(ipv4Key)`) and registers their tables. It must come before the rest of
 * IPv4, which reads the values from the start.
 */
export function sysctlIpv4Init(kernel: Kernel): void {
  const controls = congestionControls(kernel)
  kernel.registerPernet({
    init: net => {
      const ns = new NetnsIpv4()
      net.set(ipv4Key, ns)
      if (kernel.nets.size > 1) {
        // a new namespace begins with the initial one's congestion control and buffers (tcp_sk_init)
        const init = kernel.initNet.at(ipv4Key)
        ns.tcpCongestionControl = init.tcpCongestionControl
        ns.tcpRmem = [...init.tcpRmem]
        ns.tcpWmem = [...init.tcpWmem]
      }
      sysctlNetIpv4Init(net, controls, () => rtCacheFlushAll(net))
    },
  })
}
