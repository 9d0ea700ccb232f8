/**
 * /proc/sys/net/netfilter: connection tracking's timeouts and switches per namespace, its sizes once a machine
 * (kernel document nf_conntrack-sysctl). Connection tracking reads them here.
 */
import { Errno } from '../../uapi/errno.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { type CtlTable, registerNetSysctl } from '../core/sysctl.ts'
import {
  type CtlVar,
  field,
  type NumberKey,
  procDointvec,
  procDointvecJiffies,
  procDostring,
  procDou8vec,
  procDoulongvec,
} from '../core/sysctl_handlers.ts'
import type { Kernel } from '../kernel.ts'

/** net.netfilter.* of one namespace; timeouts in seconds. */
export class NetnsNetfilter {
  nfConntrackAcct = 0
  nfConntrackChecksum = 1
  nfConntrackDccpLoose = 1
  nfConntrackDccpTimeoutClosereq = 64
  nfConntrackDccpTimeoutClosing = 64
  nfConntrackDccpTimeoutOpen = 43200
  nfConntrackDccpTimeoutPartopen = 480
  nfConntrackDccpTimeoutRequest = 240
  nfConntrackDccpTimeoutRespond = 480
  nfConntrackDccpTimeoutTimewait = 240
  nfConntrackEvents = 2
  nfConntrackFrag6HighThresh = 4194304
  nfConntrackFrag6LowThresh = 3145728
  nfConntrackFrag6Timeout = 60
  nfConntrackGenericTimeout = 600
  nfConntrackGreTimeout = 30
  nfConntrackGreTimeoutStream = 180
  nfConntrackIcmpTimeout = 30
  nfConntrackIcmpv6Timeout = 30
  nfConntrackLogInvalid = 0
  nfConntrackSctpTimeoutClosed = 10
  nfConntrackSctpTimeoutCookieEchoed = 3
  nfConntrackSctpTimeoutCookieWait = 3
  nfConntrackSctpTimeoutEstablished = 210
  nfConntrackSctpTimeoutHeartbeatSent = 30
  nfConntrackSctpTimeoutShutdownAckSent = 3
  nfConntrackSctpTimeoutShutdownRecd = 3
  nfConntrackSctpTimeoutShutdownSent = 3
  nfConntrackTcpBeLiberal = 0
  nfConntrackTcpIgnoreInvalidRst = 0
  nfConntrackTcpLoose = 1
  nfConntrackTcpMaxRetrans = 3
  nfConntrackTcpTimeoutClose = 10
  nfConntrackTcpTimeoutCloseWait = 60
  nfConntrackTcpTimeoutEstablished = 432000
  nfConntrackTcpTimeoutFinWait = 120
  nfConntrackTcpTimeoutLastAck = 30
  nfConntrackTcpTimeoutMaxRetrans = 300
  nfConntrackTcpTimeoutSynRecv = 60
  nfConntrackTcpTimeoutSynSent = 120
  nfConntrackTcpTimeoutTimeWait = 120
  nfConntrackTcpTimeoutUnacknowledged = 300
  nfConntrackTimestamp = 0
  nfConntrackUdpTimeout = 30
  nfConntrackUdpTimeoutStream = 120
  nfFlowtableTcpTimeout = 30
  nfFlowtableUdpTimeout = 30
  nfHooksLwtunnel = 0
}

/** Names a namespace's part. */
export const netfilterKey = pernetKey<NetnsNetfilter>('netfilter')

/** Sizes that the whole machine shares. */
export class ConntrackGlobals {
  max = 65536
  buckets = 65536
  expectMax = 1024
  /** entries of a namespace; connection tracking sets it */
  count: (net: Net) => number = () => 0
}

const GLOBALS = new WeakMap<Kernel, ConntrackGlobals>()

/** @returns the machine's conntrack sizes */
export function conntrackGlobals(kernel: Kernel): ConntrackGlobals {
  let globals = GLOBALS.get(kernel)
  if (globals === undefined) {
    globals = new ConntrackGlobals()
    GLOBALS.set(kernel, globals)
  }
  return globals
}

type Key = NumberKey<NetnsNetfilter>

/** `nf_a_b` → `nfAB` */
function fieldName(procname: string): Key {
  return procname.replace(/_(.)/g, (_, c: string) => c.toUpperCase()) as Key
}

const FLAGS = [
  'nf_conntrack_acct',
  'nf_conntrack_checksum',
  'nf_conntrack_dccp_loose',
  'nf_conntrack_tcp_be_liberal',
  'nf_conntrack_tcp_ignore_invalid_rst',
  'nf_conntrack_tcp_loose',
  'nf_conntrack_timestamp',
] as const

const TIMEOUTS = [
  'nf_conntrack_dccp_timeout_closereq',
  'nf_conntrack_dccp_timeout_closing',
  'nf_conntrack_dccp_timeout_open',
  'nf_conntrack_dccp_timeout_partopen',
  'nf_conntrack_dccp_timeout_request',
  'nf_conntrack_dccp_timeout_respond',
  'nf_conntrack_dccp_timeout_timewait',
  'nf_conntrack_frag6_timeout',
  'nf_conntrack_generic_timeout',
  'nf_conntrack_gre_timeout',
  'nf_conntrack_gre_timeout_stream',
  'nf_conntrack_icmp_timeout',
  'nf_conntrack_icmpv6_timeout',
  'nf_conntrack_sctp_timeout_closed',
  'nf_conntrack_sctp_timeout_cookie_echoed',
  'nf_conntrack_sctp_timeout_cookie_wait',
  'nf_conntrack_sctp_timeout_established',
  'nf_conntrack_sctp_timeout_heartbeat_sent',
  'nf_conntrack_sctp_timeout_shutdown_ack_sent',
  'nf_conntrack_sctp_timeout_shutdown_recd',
  'nf_conntrack_sctp_timeout_shutdown_sent',
  'nf_conntrack_tcp_timeout_close',
  'nf_conntrack_tcp_timeout_close_wait',
  'nf_conntrack_tcp_timeout_established',
  'nf_conntrack_tcp_timeout_fin_wait',
  'nf_conntrack_tcp_timeout_last_ack',
  'nf_conntrack_tcp_timeout_max_retrans',
  'nf_conntrack_tcp_timeout_syn_recv',
  'nf_conntrack_tcp_timeout_syn_sent',
  'nf_conntrack_tcp_timeout_time_wait',
  'nf_conntrack_tcp_timeout_unacknowledged',
  'nf_conntrack_udp_timeout',
  'nf_conntrack_udp_timeout_stream',
  'nf_flowtable_tcp_timeout',
  'nf_flowtable_udp_timeout',
] as const

/** The buckets become a power of two of whole pages' worth, as the kernel rounds its hash. */
function roundBuckets(n: number): number {
  const perPage = 512
  return Math.max(perPage, Math.ceil(n / perPage) * perPage)
}

function globalTable(net: Net, initial: boolean): CtlTable[] {
  const g = conntrackGlobals(net.kernel)
  // other namespaces see the machine's values and cannot change them
  const mode = initial ? 0o644 : 0o444
  const buckets: CtlVar = {
    count: 1,
    get: () => g.buckets,
    set: (_, value) => {
      g.buckets = roundBuckets(value)
    },
  }
  return [
    procDointvec('nf_conntrack_max', field(g, 'max'), { mode, min: 0 }),
    procDointvec('nf_conntrack_expect_max', field(g, 'expectMax'), { mode, min: 1 }),
    procDointvec('nf_conntrack_buckets', buckets, { mode, min: 1 }),
    procDointvec('nf_conntrack_count', { count: 1, get: () => g.count(net), set: () => {} }, { mode: 0o444 }),
  ]
}

/** Loggers by protocol family; NONE until one is bound (nf_log_proc_dostring). */
function logTable(): CtlTable[] {
  return Array.from({ length: 11 }, (_, family) => {
    let logger = 'NONE'
    return procDostring(
      String(family),
      () => logger,
      name => {
        if (name !== 'NONE') return -Errno.ENOENT
        logger = name
        return 0
      },
      { max: 64 },
    )
  })
}

/** Registers net.netfilter with every namespace. */
export function sysctlNetfilterInit(kernel: Kernel): void {
  kernel.registerPernet({
    init: net => {
      const ns = new NetnsNetfilter()
      net.set(netfilterKey, ns)
      const initial = kernel.nets.size === 1
      registerNetSysctl(net, 'net/netfilter', [
        ...globalTable(net, initial),
        ...FLAGS.map(name => procDou8vec(name, field(ns, fieldName(name)), { min: 0, max: 1 })),
        ...TIMEOUTS.map(name => procDointvecJiffies(name, field(ns, fieldName(name)))),
        procDou8vec('nf_conntrack_events', field(ns, 'nfConntrackEvents'), { min: 0, max: 2 }),
        procDou8vec('nf_conntrack_log_invalid', field(ns, 'nfConntrackLogInvalid')),
        procDou8vec('nf_conntrack_tcp_max_retrans', field(ns, 'nfConntrackTcpMaxRetrans')),
        procDoulongvec('nf_conntrack_frag6_high_thresh', field(ns, 'nfConntrackFrag6HighThresh')),
        procDoulongvec('nf_conntrack_frag6_low_thresh', field(ns, 'nfConntrackFrag6LowThresh')),
        procDointvec('nf_hooks_lwtunnel', field(ns, 'nfHooksLwtunnel'), { min: 0, max: 1 }),
        ...(initial
          ? [
              procDou8vec('nf_log_all_netns', {
                count: 1,
                get: () => logAll.value,
                set: (_, v) => {
                  logAll.value = v
                },
              }),
            ]
          : []),
      ])
      registerNetSysctl(net, 'net/netfilter/nf_log', logTable())
      if (initial)
        registerNetSysctl(net, 'net', [
          procDointvec('nf_conntrack_max', field(conntrackGlobals(kernel), 'max'), { min: 0 }),
        ])
    },
  })
  const logAll = { value: 0 }
}
