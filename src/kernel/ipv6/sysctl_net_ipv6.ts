/** /proc/sys/net/ipv6 without conf and neigh: which values there are and what they accept (ip-sysctl). */
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
  procDou8vec,
  procDouintvec,
  procDoulongvec,
} from '../core/sysctl_handlers.ts'
import { ipv6Key, type NetnsIpv6 } from './netns_ipv6.ts'

type Handler = (name: string, v: CtlVar, options?: CtlOptions) => CtlTable

function entries(
  ns: NetnsIpv6,
  handler: Handler,
  list: Readonly<Record<string, readonly [min?: number, max?: number]>>,
  prefix = '',
): CtlTable[] {
  return Object.entries(list).map(([name, [min, max]]) => {
    const key = (prefix + name).replace(/_(.)/g, (_, c: string) => c.toUpperCase()) as NumberKey<NetnsIpv6>
    return handler(name, field(ns, key), {
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
    })
  })
}

/** An id of 56 bits: more than a JavaScript number holds exactly. */
function ioam6IdWide(ns: NetnsIpv6): CtlTable {
  return {
    procname: 'ioam6_id_wide',
    mode: 0o644,
    read: () => `${ns.ioam6IdWide}\n`,
    write: text => {
      const word = /^[ \t\n]*(0[xX][0-9a-fA-F]+|\d+)(?:[ \t\n]|$)/.exec(text)?.[1]
      if (word === undefined) return -Errno.EINVAL
      const value = BigInt(/^0[0-7]+$/.test(word) ? `0o${word.slice(1)}` : word)
      if (value > 0xffffffffffffffn) return -Errno.EINVAL
      ns.ioam6IdWide = value
      return 0
    },
  }
}

/** The high threshold cannot fall below the low one, nor the low one rise above the high. */
function fragThreshold(ns: NetnsIpv6, high: boolean): CtlTable {
  const name = high ? 'ip6frag_high_thresh' : 'ip6frag_low_thresh'
  const v = field(ns, high ? 'ip6fragHighThresh' : 'ip6fragLowThresh')
  return {
    ...procDoulongvec(name, v),
    write: text =>
      procDoulongvec(name, v, high ? { min: ns.ip6fragLowThresh } : { max: ns.ip6fragHighThresh }).write!(text),
  }
}

/** Registers the tables of a namespace. @param flush drops cached routes (route.flush) */
export function sysctlNetIpv6Init(net: Net, flush: () => void): void {
  const ns = net.at(ipv6Key)
  const initial = net.kernel.nets.size === 1
  const table: CtlTable[] = [
    ...entries(ns, procDou8vec, {
      bindv6only: [],
      anycast_src_echo_reply: [],
      flowlabel_consistency: [],
      auto_flowlabels: [0, 3],
      fwmark_reflect: [],
      flowlabel_state_ranges: [],
      ip_nonlocal_bind: [],
      fib_multipath_hash_policy: [0, 3],
      fib_notify_on_flag_change: [0, 2],
    }),
    ...entries(ns, procDointvec, {
      idgen_retries: [],
      flowlabel_reflect: [0, 7],
      max_dst_opts_number: [],
      max_hbh_opts_number: [],
      max_dst_opts_length: [],
      max_hbh_length: [],
      seg6_flowlabel: [],
      xfrm6_gc_thresh: [],
    }),
    ...entries(ns, procDouintvec, { fib_multipath_hash_fields: [1, 0xfff], ioam6_id: [0, 0xffffff] }),
    ...entries(ns, procDointvecJiffies, { idgen_delay: [], ip6frag_time: [] }),
    ioam6IdWide(ns),
    fragThreshold(ns, true),
    fragThreshold(ns, false),
  ]
  if (initial)
    table.push(
      ...entries(ns, procDointvec, {
        mld_max_msf: [],
        mld_qrv: [1],
        calipso_cache_bucket_size: [],
        calipso_cache_enable: [],
      }),
      ...entries(ns, procDointvecJiffies, { ip6frag_secret_interval: [] }),
    )
  registerNetSysctl(net, 'net/ipv6', table)
  registerNetSysctl(net, 'net/ipv6/icmp', [
    ...entries(ns, procDointvecMsJiffies, { ratelimit: [] }, 'icmp_'),
    ...entries(ns, procDou8vec, { echo_ignore_all: [], echo_ignore_multicast: [], echo_ignore_anycast: [] }, 'icmp_'),
    procDoLargeBitmap('ratemask', ns.icmpRatemask),
  ])
  registerNetSysctl(net, 'net/ipv6/route', [
    {
      procname: 'flush',
      mode: 0o200,
      write: () => {
        flush()
        return 0
      },
    },
    ...entries(ns, procDointvec, { gc_thresh: [], max_size: [], gc_elasticity: [], min_adv_mss: [] }, 'route_'),
    ...entries(
      ns,
      procDointvecJiffies,
      { gc_min_interval: [], gc_timeout: [], gc_interval: [], mtu_expires: [] },
      'route_',
    ),
    ...entries(ns, procDointvecMsJiffies, { gc_min_interval_ms: [] }, 'route_'),
    ...entries(ns, procDou8vec, { skip_notify_on_dev_down: [0, 1] }, 'route_'),
  ])
}
