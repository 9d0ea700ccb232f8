/** /proc/sys/net/core: limits and defaults of the device-independent part (kernel document sysctl/net). */
import { Errno } from '../../uapi/errno.ts'
import type { Kernel } from '../kernel.ts'
import { type Net, pernetKey } from './net_namespace.ts'
import { type CtlTable, registerNetSysctl } from './sysctl.ts'
import { field, procDointvec, procDostring, procDou8vec, procDouintvec } from './sysctl_handlers.ts'

/** net.core.* of one namespace. */
export class NetnsCore {
  somaxconn = 4096
  txrehash = 1
  xfrmAcqExpires = 30
  xfrmAeventEtime = 10
  xfrmAeventRseqth = 2
  xfrmLarvalDrop = 1
}

/** Names a namespace's part. */
export const coreKey = pernetKey<NetnsCore>('core')

/** net.core.* that exist once a machine. */
export class CoreGlobals {
  bpfJitEnable = 1
  bpfJitHarden = 0
  bpfJitKallsyms = 1
  bpfJitLimit = 528482304
  busyPoll = 0
  busyRead = 0
  /** qdisc that a new device gets */
  defaultQdisc = 'fq_codel'
  devWeight = 64
  devWeightRxBias = 1
  devWeightTxBias = 1
  /** what of the device configuration a new namespace inherits: 0 IPv4 from initial, 1 both, 2 none, 3 from the current */
  devconfInheritInitNet = 0
  fbTunnelsOnlyForInitNet = 0
  flowLimitTableLen = 4096
  groNormalBatch = 8
  highOrderAllocDisable = 0
  maxSkbFrags = 17
  memPcpuRsv = 256
  messageBurst = 10
  /** seconds */
  messageCost = 5
  netdevBudgetUsecs = 8000
  netdevTstampPrequeue = 1
  netdevUnregisterTimeoutSecs = 10
  optmemMax = 20480
  rmemDefault = 212992
  rmemMax = 212992
  rpsSockFlowEntries = 0
  skbDeferMax = 64
  tstampAllowData = 1
  warnings = 0
  wmemDefault = 212992
  wmemMax = 212992
}

const GLOBALS = new WeakMap<Kernel, CoreGlobals>()

/** @returns the machine-wide values of a kernel */
export function coreGlobals(kernel: Kernel): CoreGlobals {
  let globals = GLOBALS.get(kernel)
  if (globals === undefined) {
    globals = new CoreGlobals()
    GLOBALS.set(kernel, globals)
  }
  return globals
}

/** Qdiscs that default_qdisc accepts; those of modules load when named. */
const QDISCS = [
  'pfifo',
  'bfifo',
  'pfifo_fast',
  'pfifo_head_drop',
  'mq',
  'noqueue',
  'fq_codel',
  'fq',
  'codel',
  'sfq',
  'cake',
  'pie',
  'fq_pie',
  'tbf',
  'htb',
  'hfsc',
  'prio',
  'red',
  'choke',
  'drr',
  'qfq',
  'netem',
  'gred',
  'hhf',
  'sfb',
  'ets',
  'cbs',
  'etf',
  'multiq',
  'mqprio',
  'skbprio',
  'taprio',
  'plug',
  'dsmark',
  'atm',
  'cbq',
]

const INT_MAX = 0x7fffffff
const SOCK_MIN_RCVBUF = 2304
const SOCK_MIN_SNDBUF = 4608

function pernetTable(net: Net): CtlTable[] {
  const ns = net.at(coreKey)
  return [
    procDointvec('somaxconn', field(ns, 'somaxconn'), { min: 0 }),
    procDou8vec('txrehash', field(ns, 'txrehash'), { min: 0, max: 1 }),
    procDouintvec('xfrm_acq_expires', field(ns, 'xfrmAcqExpires')),
    procDouintvec('xfrm_aevent_etime', field(ns, 'xfrmAeventEtime')),
    procDouintvec('xfrm_aevent_rseqth', field(ns, 'xfrmAeventRseqth')),
    procDointvec('xfrm_larval_drop', field(ns, 'xfrmLarvalDrop')),
  ]
}

function globalTable(kernel: Kernel): CtlTable[] {
  const g = coreGlobals(kernel)
  const rssKey = new Uint8Array(52)
  return [
    procDointvec('bpf_jit_enable', field(g, 'bpfJitEnable'), { min: 0, max: 2 }),
    procDointvec('bpf_jit_harden', field(g, 'bpfJitHarden'), { mode: 0o600, min: 0, max: 2 }),
    procDointvec('bpf_jit_kallsyms', field(g, 'bpfJitKallsyms'), { mode: 0o600, min: 0, max: 1 }),
    procDouintvec('bpf_jit_limit', field(g, 'bpfJitLimit'), { mode: 0o600, min: 1, max: INT_MAX }),
    procDouintvec('busy_poll', field(g, 'busyPoll'), { min: 0, max: INT_MAX }),
    procDouintvec('busy_read', field(g, 'busyRead'), { min: 0, max: INT_MAX }),
    procDostring(
      'default_qdisc',
      () => g.defaultQdisc,
      name => {
        if (!QDISCS.includes(name)) return -Errno.ENOENT
        g.defaultQdisc = name
        return 0
      },
      { max: 16 },
    ),
    procDointvec('dev_weight', field(g, 'devWeight'), { min: 1 }),
    procDointvec('dev_weight_rx_bias', field(g, 'devWeightRxBias'), { min: 1 }),
    procDointvec('dev_weight_tx_bias', field(g, 'devWeightTxBias'), { min: 1 }),
    procDointvec('devconf_inherit_init_net', field(g, 'devconfInheritInitNet'), { min: 0, max: 3 }),
    procDointvec('fb_tunnels_only_for_init_net', field(g, 'fbTunnelsOnlyForInitNet'), { min: 0, max: 2 }),
    cpuMask(kernel),
    procDointvec('flow_limit_table_len', field(g, 'flowLimitTableLen')),
    procDointvec('gro_normal_batch', field(g, 'groNormalBatch'), { min: 1 }),
    procDointvec('high_order_alloc_disable', field(g, 'highOrderAllocDisable'), { min: 0, max: 1 }),
    procDointvec('max_skb_frags', field(g, 'maxSkbFrags'), { min: 1, max: 17 }),
    procDointvec('mem_pcpu_rsv', field(g, 'memPcpuRsv'), { min: 1 }),
    procDointvec('message_burst', field(g, 'messageBurst')),
    procDointvec('message_cost', field(g, 'messageCost')),
    procDointvec('netdev_budget', field(kernel.netcore, 'netdevBudget')),
    procDouintvec('netdev_budget_usecs', field(g, 'netdevBudgetUsecs'), { min: 0, max: INT_MAX }),
    procDointvec('netdev_max_backlog', field(kernel.netcore, 'maxBacklog')),
    procDostring(
      'netdev_rss_key',
      () => [...rssKey].map(byte => byte.toString(16).padStart(2, '0')).join(':'),
      undefined,
    ),
    procDointvec('netdev_tstamp_prequeue', field(g, 'netdevTstampPrequeue')),
    procDouintvec('netdev_unregister_timeout_secs', field(g, 'netdevUnregisterTimeoutSecs'), { min: 1, max: 3600 }),
    procDointvec('optmem_max', field(g, 'optmemMax'), { min: 0 }),
    procDointvec('rmem_default', field(g, 'rmemDefault'), { min: SOCK_MIN_RCVBUF }),
    procDointvec('rmem_max', field(g, 'rmemMax'), { min: SOCK_MIN_RCVBUF }),
    rpsSockFlowEntries(g),
    procDouintvec('skb_defer_max', field(g, 'skbDeferMax'), { min: 0, max: INT_MAX }),
    procDointvec('tstamp_allow_data', field(g, 'tstampAllowData'), { min: 0, max: 1 }),
    procDointvec('warnings', field(g, 'warnings')),
    procDointvec('wmem_default', field(g, 'wmemDefault'), { min: SOCK_MIN_SNDBUF }),
    procDointvec('wmem_max', field(g, 'wmemMax'), { min: SOCK_MIN_SNDBUF }),
  ]
}

/** A table whose size is rounded up to a power of two, at most 2^29. */
function rpsSockFlowEntries(g: CoreGlobals): CtlTable {
  const v = field(g, 'rpsSockFlowEntries')
  const check = procDointvec('rps_sock_flow_entries', v, { min: 0, max: 1 << 29 })
  return {
    ...check,
    write: text => {
      const rc = check.write!(text)
      const size = v.get(0)
      if (rc === 0 && size > 0) v.set(0, 2 ** Math.ceil(Math.log2(size)))
      return rc
    },
  }
}

/** A hexadecimal mask of processors (flow_limit_cpu_sysctl). */
function cpuMask(kernel: Kernel): CtlTable {
  let mask = 0
  return {
    procname: 'flow_limit_cpu_bitmap',
    mode: 0o644,
    read: () => `${mask.toString(16)}\n`,
    write: text => {
      const word = text.trim()
      if (!/^[0-9a-fA-F,]+$/.test(word)) return -Errno.EINVAL
      const value = Number.parseInt(word.replaceAll(',', ''), 16)
      if (value >= 2 ** kernel.cpus) return -Errno.EOVERFLOW
      mask = value
      return 0
    },
  }
}

/** net.unix.* of one namespace. */
class NetnsUnix {
  maxDgramQlen = 10
}

/** net.mptcp.* of one namespace. */
class NetnsMptcp {
  addAddrTimeout = 120
  allowJoinInitialAddrPort = 1
  checksumEnabled = 0
  enabled = 1
  pmType = 0
  staleLossCnt = 4
}

/** Names the unix sockets' part: `net.at(unixKey).maxDgramQlen`. */
export const unixKey = pernetKey<NetnsUnix>('unix')

/** Registers net.core, net.unix and net.mptcp with every namespace. */
export function sysctlNetCoreInit(kernel: Kernel): void {
  kernel.registerPernet({
    init: net => {
      net.set(coreKey, new NetnsCore())
      const unix = new NetnsUnix()
      net.set(unixKey, unix)
      const mptcp = new NetnsMptcp()
      const initial = net.kernel.nets.size === 1
      registerNetSysctl(net, 'net/core', [...pernetTable(net), ...(initial ? globalTable(kernel) : [])])
      registerNetSysctl(net, 'net/unix', [procDointvec('max_dgram_qlen', field(unix, 'maxDgramQlen'))])
      registerNetSysctl(net, 'net/mptcp', [
        procDou8vec('enabled', field(mptcp, 'enabled'), { min: 0, max: 1 }),
        procDointvec('add_addr_timeout', field(mptcp, 'addAddrTimeout')),
        procDou8vec('checksum_enabled', field(mptcp, 'checksumEnabled'), { min: 0, max: 1 }),
        procDou8vec('allow_join_initial_addr_port', field(mptcp, 'allowJoinInitialAddrPort'), { min: 0, max: 1 }),
        procDouintvec('stale_loss_cnt', field(mptcp, 'staleLossCnt')),
        procDou8vec('pm_type', field(mptcp, 'pmType'), { min: 0, max: 1 }),
      ])
    },
  })
}
