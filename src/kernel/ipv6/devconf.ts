/** IPv6 configuration of a device (`ipv6_devconf`): what /proc/sys/net/ipv6/conf/DEV shows. */

import { pernetKey } from '../core/net_namespace.ts'

/** Names of the entries as /proc/sys/net/ipv6/conf/DEV shows them; an entry's place here is its index. */
export const IPV6_DEVCONF_NAMES = [
  'accept_dad',
  'accept_ra',
  'accept_ra_defrtr',
  'accept_ra_from_local',
  'accept_ra_min_hop_limit',
  'accept_ra_min_lft',
  'accept_ra_mtu',
  'accept_ra_pinfo',
  'accept_ra_rt_info_max_plen',
  'accept_ra_rt_info_min_plen',
  'accept_ra_rtr_pref',
  'accept_redirects',
  'accept_source_route',
  'accept_untracked_na',
  'addr_gen_mode',
  'autoconf',
  'dad_transmits',
  'disable_ipv6',
  'disable_policy',
  'drop_unicast_in_l2_multicast',
  'drop_unsolicited_na',
  'enhanced_dad',
  'force_mld_version',
  'force_tllao',
  'forwarding',
  'hop_limit',
  'ignore_routes_with_linkdown',
  'ioam6_enabled',
  'ioam6_id',
  'keep_addr_on_down',
  'max_addresses',
  'max_desync_factor',
  'mc_forwarding',
  'mldv1_unsolicited_report_interval',
  'mldv2_unsolicited_report_interval',
  'mtu',
  'ndisc_evict_nocarrier',
  'ndisc_notify',
  'ndisc_tclass',
  'optimistic_dad',
  'proxy_ndp',
  'ra_defrtr_metric',
  'regen_max_retry',
  'router_probe_interval',
  'router_solicitation_delay',
  'router_solicitation_interval',
  'router_solicitation_max_interval',
  'router_solicitations',
  'rpl_seg_enabled',
  'seg6_enabled',
  'seg6_require_hmac',
  'suppress_frag_ndisc',
  'temp_prefered_lft',
  'temp_valid_lft',
  'use_oif_addrs_only',
  'use_optimistic',
  'use_tempaddr',
] as const

/** An entry's name. */
export type Ipv6DevconfName = (typeof IPV6_DEVCONF_NAMES)[number]

export const IPV6_DEVCONF_ACCEPT_DAD = 0
export const IPV6_DEVCONF_ACCEPT_RA = 1
export const IPV6_DEVCONF_ACCEPT_RA_DEFRTR = 2
export const IPV6_DEVCONF_ACCEPT_RA_FROM_LOCAL = 3
export const IPV6_DEVCONF_ACCEPT_RA_MIN_HOP_LIMIT = 4
export const IPV6_DEVCONF_ACCEPT_RA_MIN_LFT = 5
export const IPV6_DEVCONF_ACCEPT_RA_MTU = 6
export const IPV6_DEVCONF_ACCEPT_RA_PINFO = 7
export const IPV6_DEVCONF_ACCEPT_RA_RT_INFO_MAX_PLEN = 8
export const IPV6_DEVCONF_ACCEPT_RA_RT_INFO_MIN_PLEN = 9
export const IPV6_DEVCONF_ACCEPT_RA_RTR_PREF = 10
export const IPV6_DEVCONF_ACCEPT_REDIRECTS = 11
export const IPV6_DEVCONF_ACCEPT_SOURCE_ROUTE = 12
export const IPV6_DEVCONF_ACCEPT_UNTRACKED_NA = 13
export const IPV6_DEVCONF_ADDR_GEN_MODE = 14
export const IPV6_DEVCONF_AUTOCONF = 15
export const IPV6_DEVCONF_DAD_TRANSMITS = 16
export const IPV6_DEVCONF_DISABLE_IPV6 = 17
export const IPV6_DEVCONF_DISABLE_POLICY = 18
export const IPV6_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST = 19
export const IPV6_DEVCONF_DROP_UNSOLICITED_NA = 20
export const IPV6_DEVCONF_ENHANCED_DAD = 21
export const IPV6_DEVCONF_FORCE_MLD_VERSION = 22
export const IPV6_DEVCONF_FORCE_TLLAO = 23
export const IPV6_DEVCONF_FORWARDING = 24
export const IPV6_DEVCONF_HOP_LIMIT = 25
export const IPV6_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN = 26
export const IPV6_DEVCONF_IOAM6_ENABLED = 27
export const IPV6_DEVCONF_IOAM6_ID = 28
export const IPV6_DEVCONF_KEEP_ADDR_ON_DOWN = 29
export const IPV6_DEVCONF_MAX_ADDRESSES = 30
export const IPV6_DEVCONF_MAX_DESYNC_FACTOR = 31
export const IPV6_DEVCONF_MC_FORWARDING = 32
export const IPV6_DEVCONF_MLDV1_UNSOLICITED_REPORT_INTERVAL = 33
export const IPV6_DEVCONF_MLDV2_UNSOLICITED_REPORT_INTERVAL = 34
export const IPV6_DEVCONF_MTU = 35
export const IPV6_DEVCONF_NDISC_EVICT_NOCARRIER = 36
export const IPV6_DEVCONF_NDISC_NOTIFY = 37
export const IPV6_DEVCONF_NDISC_TCLASS = 38
export const IPV6_DEVCONF_OPTIMISTIC_DAD = 39
export const IPV6_DEVCONF_PROXY_NDP = 40
export const IPV6_DEVCONF_RA_DEFRTR_METRIC = 41
export const IPV6_DEVCONF_REGEN_MAX_RETRY = 42
export const IPV6_DEVCONF_ROUTER_PROBE_INTERVAL = 43
export const IPV6_DEVCONF_ROUTER_SOLICITATION_DELAY = 44
export const IPV6_DEVCONF_ROUTER_SOLICITATION_INTERVAL = 45
export const IPV6_DEVCONF_ROUTER_SOLICITATION_MAX_INTERVAL = 46
export const IPV6_DEVCONF_ROUTER_SOLICITATIONS = 47
export const IPV6_DEVCONF_RPL_SEG_ENABLED = 48
export const IPV6_DEVCONF_SEG6_ENABLED = 49
export const IPV6_DEVCONF_SEG6_REQUIRE_HMAC = 50
export const IPV6_DEVCONF_SUPPRESS_FRAG_NDISC = 51
export const IPV6_DEVCONF_TEMP_PREFERED_LFT = 52
export const IPV6_DEVCONF_TEMP_VALID_LFT = 53
export const IPV6_DEVCONF_USE_OIF_ADDRS_ONLY = 54
export const IPV6_DEVCONF_USE_OPTIMISTIC = 55
export const IPV6_DEVCONF_USE_TEMPADDR = 56

/** What a new namespace's `default` holds, by index. */
const DEFAULTS: readonly number[] = [
  1, // accept_dad
  1, // accept_ra
  1, // accept_ra_defrtr
  0, // accept_ra_from_local
  1, // accept_ra_min_hop_limit
  0, // accept_ra_min_lft
  1, // accept_ra_mtu
  1, // accept_ra_pinfo
  0, // accept_ra_rt_info_max_plen
  0, // accept_ra_rt_info_min_plen
  1, // accept_ra_rtr_pref
  1, // accept_redirects
  0, // accept_source_route
  0, // accept_untracked_na
  0, // addr_gen_mode
  1, // autoconf
  1, // dad_transmits
  0, // disable_ipv6
  0, // disable_policy
  0, // drop_unicast_in_l2_multicast
  0, // drop_unsolicited_na
  1, // enhanced_dad
  0, // force_mld_version
  0, // force_tllao
  0, // forwarding
  64, // hop_limit
  0, // ignore_routes_with_linkdown
  0, // ioam6_enabled
  65535, // ioam6_id
  0, // keep_addr_on_down
  16, // max_addresses
  600, // max_desync_factor
  0, // mc_forwarding
  10000, // mldv1_unsolicited_report_interval
  1000, // mldv2_unsolicited_report_interval
  1280, // mtu
  1, // ndisc_evict_nocarrier
  0, // ndisc_notify
  0, // ndisc_tclass
  0, // optimistic_dad
  0, // proxy_ndp
  1024, // ra_defrtr_metric
  3, // regen_max_retry
  60, // router_probe_interval
  1, // router_solicitation_delay
  4, // router_solicitation_interval
  3600, // router_solicitation_max_interval
  -1, // router_solicitations
  0, // rpl_seg_enabled
  0, // seg6_enabled
  0, // seg6_require_hmac
  1, // suppress_frag_ndisc
  86400, // temp_prefered_lft
  604800, // temp_valid_lft
  0, // use_oif_addrs_only
  0, // use_optimistic
  0, // use_tempaddr
]

/** Where `all` begins with another value than `default`. */
const ALL: Readonly<Record<string, number>> = { accept_dad: 0 }

/** The configuration of a device, of `all` or of `default`. */
export class Ipv6Devconf {
  /** values by index, in the unit in which sysctl shows them */
  readonly data: Int32Array
  /** entries that somebody has set for this device: a later write to `default` leaves them alone */
  readonly isSet: Uint8Array
  /** conf.DEV.ioam6_id_wide, which needs more than 32 bits */
  ioam6IdWide = 4294967295
  /** conf.DEV.stable_secret: 16 bytes, or undefined while unset */
  stableSecret: Uint8Array | undefined

  /** @param from what to copy (`default`), with nothing set; without it the defaults of a new namespace */
  constructor(from?: Ipv6Devconf) {
    this.data = from === undefined ? Int32Array.from(DEFAULTS) : from.data.slice()
    this.isSet = new Uint8Array(DEFAULTS.length)
  }

  /** The configuration `all` of a new namespace. */
  static all(): Ipv6Devconf {
    const conf = new Ipv6Devconf()
    for (const [name, value] of Object.entries(ALL))
      conf.data[IPV6_DEVCONF_NAMES.indexOf(name as Ipv6DevconfName)] = value
    return conf
  }

  /** Sets an entry for good. */
  set(index: number, value: number): void {
    this.data[index] = value
    this.isSet[index] = 1
  }
}

/** `all` and `default` of a namespace. */
export interface Ipv6Devconfs {
  readonly all: Ipv6Devconf
  readonly dflt: Ipv6Devconf
}

/** Names them: `net.at(ipv6DevconfKey)`. */
export const ipv6DevconfKey = pernetKey<Ipv6Devconfs>('ipv6_devconf')
