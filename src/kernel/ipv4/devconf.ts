/** IPv4 configuration of a device (`ipv4_devconf`): what /proc/sys/net/ipv4/conf/DEV shows. */

import { pernetKey } from '../core/net_namespace.ts'

/** Names of the entries as /proc/sys/net/ipv4/conf/DEV shows them; an entry's place here is its index. */
export const IPV4_DEVCONF_NAMES = [
  'accept_local',
  'accept_redirects',
  'accept_source_route',
  'arp_accept',
  'arp_announce',
  'arp_evict_nocarrier',
  'arp_filter',
  'arp_ignore',
  'arp_notify',
  'bc_forwarding',
  'bootp_relay',
  'disable_policy',
  'disable_xfrm',
  'drop_gratuitous_arp',
  'drop_unicast_in_l2_multicast',
  'force_igmp_version',
  'forwarding',
  'igmpv2_unsolicited_report_interval',
  'igmpv3_unsolicited_report_interval',
  'ignore_routes_with_linkdown',
  'log_martians',
  'mc_forwarding',
  'medium_id',
  'promote_secondaries',
  'proxy_arp',
  'proxy_arp_pvlan',
  'route_localnet',
  'rp_filter',
  'secure_redirects',
  'send_redirects',
  'shared_media',
  'src_valid_mark',
  'tag',
] as const

/** An entry's name. */
export type Ipv4DevconfName = (typeof IPV4_DEVCONF_NAMES)[number]

export const IPV4_DEVCONF_ACCEPT_LOCAL = 0
export const IPV4_DEVCONF_ACCEPT_REDIRECTS = 1
export const IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE = 2
export const IPV4_DEVCONF_ARP_ACCEPT = 3
export const IPV4_DEVCONF_ARP_ANNOUNCE = 4
export const IPV4_DEVCONF_ARP_EVICT_NOCARRIER = 5
export const IPV4_DEVCONF_ARP_FILTER = 6
export const IPV4_DEVCONF_ARP_IGNORE = 7
export const IPV4_DEVCONF_ARP_NOTIFY = 8
export const IPV4_DEVCONF_BC_FORWARDING = 9
export const IPV4_DEVCONF_BOOTP_RELAY = 10
export const IPV4_DEVCONF_DISABLE_POLICY = 11
export const IPV4_DEVCONF_DISABLE_XFRM = 12
export const IPV4_DEVCONF_DROP_GRATUITOUS_ARP = 13
export const IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST = 14
export const IPV4_DEVCONF_FORCE_IGMP_VERSION = 15
export const IPV4_DEVCONF_FORWARDING = 16
export const IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL = 17
export const IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL = 18
export const IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN = 19
export const IPV4_DEVCONF_LOG_MARTIANS = 20
export const IPV4_DEVCONF_MC_FORWARDING = 21
export const IPV4_DEVCONF_MEDIUM_ID = 22
export const IPV4_DEVCONF_PROMOTE_SECONDARIES = 23
export const IPV4_DEVCONF_PROXY_ARP = 24
export const IPV4_DEVCONF_PROXY_ARP_PVLAN = 25
export const IPV4_DEVCONF_ROUTE_LOCALNET = 26
export const IPV4_DEVCONF_RP_FILTER = 27
export const IPV4_DEVCONF_SECURE_REDIRECTS = 28
export const IPV4_DEVCONF_SEND_REDIRECTS = 29
export const IPV4_DEVCONF_SHARED_MEDIA = 30
export const IPV4_DEVCONF_SRC_VALID_MARK = 31
export const IPV4_DEVCONF_TAG = 32

/** What a new namespace's `default` holds, by index. */
const DEFAULTS: readonly number[] = [
  0, // accept_local
  1, // accept_redirects
  1, // accept_source_route
  0, // arp_accept
  0, // arp_announce
  1, // arp_evict_nocarrier
  0, // arp_filter
  0, // arp_ignore
  0, // arp_notify
  0, // bc_forwarding
  0, // bootp_relay
  0, // disable_policy
  0, // disable_xfrm
  0, // drop_gratuitous_arp
  0, // drop_unicast_in_l2_multicast
  0, // force_igmp_version
  0, // forwarding
  10000, // igmpv2_unsolicited_report_interval
  1000, // igmpv3_unsolicited_report_interval
  0, // ignore_routes_with_linkdown
  0, // log_martians
  0, // mc_forwarding
  0, // medium_id
  0, // promote_secondaries
  0, // proxy_arp
  0, // proxy_arp_pvlan
  0, // route_localnet
  0, // rp_filter
  1, // secure_redirects
  1, // send_redirects
  1, // shared_media
  0, // src_valid_mark
  0, // tag
]

/** Where `all` begins with another value than `default`. */
const ALL: Readonly<Record<string, number>> = { accept_source_route: 0 }

/** The configuration of a device, of `all` or of `default`. */
export class Ipv4Devconf {
  /** values by index, in the unit in which sysctl shows them */
  readonly data: Int32Array
  /** entries that somebody has set for this device: a later write to `default` leaves them alone */
  readonly isSet: Uint8Array

  /** @param from what to copy (`default`), with nothing set; without it the defaults of a new namespace */
  constructor(from?: Ipv4Devconf) {
    this.data = from === undefined ? Int32Array.from(DEFAULTS) : from.data.slice()
    this.isSet = new Uint8Array(DEFAULTS.length)
  }

  /** The configuration `all` of a new namespace. */
  static all(): Ipv4Devconf {
    const conf = new Ipv4Devconf()
    for (const [name, value] of Object.entries(ALL))
      conf.data[IPV4_DEVCONF_NAMES.indexOf(name as Ipv4DevconfName)] = value
    return conf
  }

  /** Sets an entry for good. */
  set(index: number, value: number): void {
    this.data[index] = value
    this.isSet[index] = 1
  }
}

/** `all` and `default` of a namespace. */
export interface Ipv4Devconfs {
  readonly all: Ipv4Devconf
  readonly dflt: Ipv4Devconf
}

/** Names them: `net.at(ipv4DevconfKey)`. */
export const ipv4DevconfKey = pernetKey<Ipv4Devconfs>('ipv4_devconf')
