/**
 * rtnetlink: links, addresses, routes, neighbours, rules, next hops and namespaces as messages, see rtnetlink(7).
 *
 * Field names are the attribute names in camel case: IFLA_TXQLEN is `txqlen`, RTA_GATEWAY `gateway`. Addresses are
 * bytes in network order: 4 for IPv4, 16 for IPv6, the hardware address's own length for links.
 */
import type { LinkInfo } from './if_link.ts'

export const RTM_NEWLINK = 16
export const RTM_DELLINK = 17
export const RTM_GETLINK = 18
export const RTM_SETLINK = 19
export const RTM_NEWADDR = 20
export const RTM_DELADDR = 21
export const RTM_GETADDR = 22
export const RTM_NEWROUTE = 24
export const RTM_DELROUTE = 25
export const RTM_GETROUTE = 26
export const RTM_NEWNEIGH = 28
export const RTM_DELNEIGH = 29
export const RTM_GETNEIGH = 30
export const RTM_NEWRULE = 32
export const RTM_DELRULE = 33
export const RTM_GETRULE = 34
export const RTM_NEWPREFIX = 52
export const RTM_GETMULTICAST = 58
export const RTM_GETANYCAST = 62
export const RTM_NEWNEIGHTBL = 64
export const RTM_GETNEIGHTBL = 66
export const RTM_SETNEIGHTBL = 67
export const RTM_NEWADDRLABEL = 72
export const RTM_DELADDRLABEL = 73
export const RTM_GETADDRLABEL = 74
export const RTM_NEWNETCONF = 80
export const RTM_DELNETCONF = 81
export const RTM_GETNETCONF = 82
export const RTM_NEWMDB = 84
export const RTM_DELMDB = 85
export const RTM_GETMDB = 86
export const RTM_NEWNSID = 88
export const RTM_DELNSID = 89
export const RTM_GETNSID = 90
export const RTM_NEWNEXTHOP = 104
export const RTM_DELNEXTHOP = 105
export const RTM_GETNEXTHOP = 106
export const RTM_NEWLINKPROP = 108
export const RTM_DELLINKPROP = 109
export const RTM_NEWVLAN = 112
export const RTM_DELVLAN = 113
export const RTM_GETVLAN = 114

/** Multicast groups. */
export const RTNLGRP_LINK = 1
export const RTNLGRP_NEIGH = 3
export const RTNLGRP_IPV4_IFADDR = 5
export const RTNLGRP_IPV4_MROUTE = 6
export const RTNLGRP_IPV4_ROUTE = 7
export const RTNLGRP_IPV4_RULE = 8
export const RTNLGRP_IPV6_IFADDR = 9
export const RTNLGRP_IPV6_MROUTE = 10
export const RTNLGRP_IPV6_ROUTE = 11
export const RTNLGRP_IPV6_PREFIX = 18
export const RTNLGRP_IPV6_RULE = 19
export const RTNLGRP_IPV4_NETCONF = 24
export const RTNLGRP_IPV6_NETCONF = 25
export const RTNLGRP_NSID = 28
export const RTNLGRP_NEXTHOP = 32

/** Route types. */
export const RTN_UNSPEC = 0
export const RTN_UNICAST = 1
export const RTN_LOCAL = 2
export const RTN_BROADCAST = 3
export const RTN_ANYCAST = 4
export const RTN_MULTICAST = 5
export const RTN_BLACKHOLE = 6
export const RTN_UNREACHABLE = 7
export const RTN_PROHIBIT = 8
export const RTN_THROW = 9
export const RTN_NAT = 10

/** Route protocols: who installed the route. */
export const RTPROT_UNSPEC = 0
export const RTPROT_REDIRECT = 1
export const RTPROT_KERNEL = 2
export const RTPROT_BOOT = 3
export const RTPROT_STATIC = 4
export const RTPROT_RA = 9

/** Scopes: how far away a destination is. */
export const RT_SCOPE_UNIVERSE = 0
export const RT_SCOPE_SITE = 200
export const RT_SCOPE_LINK = 253
export const RT_SCOPE_HOST = 254
export const RT_SCOPE_NOWHERE = 255

/** Routing tables. */
export const RT_TABLE_UNSPEC = 0
export const RT_TABLE_DEFAULT = 253
export const RT_TABLE_MAIN = 254
export const RT_TABLE_LOCAL = 255

/** Flags of routes (rtm_flags) and next hops (rtnh_flags). */
export const RTM_F_NOTIFY = 0x100
export const RTM_F_CLONED = 0x200
export const RTM_F_PREFIX = 0x800
export const RTM_F_LOOKUP_TABLE = 0x1000
export const RTM_F_FIB_MATCH = 0x2000
export const RTM_F_OFFLOAD = 0x4000
export const RTM_F_TRAP = 0x8000
export const RTM_F_OFFLOAD_FAILED = 0x20000000
export const RTNH_F_DEAD = 1
export const RTNH_F_PERVASIVE = 2
export const RTNH_F_ONLINK = 4
export const RTNH_F_OFFLOAD = 8
export const RTNH_F_LINKDOWN = 16
export const RTNH_F_UNRESOLVED = 32
export const RTNH_F_TRAP = 64

/** Flags of addresses (IFA_FLAGS). IFA_F_SECONDARY and IFA_F_TEMPORARY share a bit: IPv4 and IPv6 meanings. */
export const IFA_F_SECONDARY = 0x01
export const IFA_F_TEMPORARY = 0x01
export const IFA_F_NODAD = 0x02
export const IFA_F_OPTIMISTIC = 0x04
export const IFA_F_DADFAILED = 0x08
export const IFA_F_HOMEADDRESS = 0x10
export const IFA_F_DEPRECATED = 0x20
export const IFA_F_TENTATIVE = 0x40
export const IFA_F_PERMANENT = 0x80
export const IFA_F_MANAGETEMPADDR = 0x100
export const IFA_F_NOPREFIXROUTE = 0x200
export const IFA_F_MCAUTOJOIN = 0x400
export const IFA_F_STABLE_PRIVACY = 0x800

/** Neighbour states. */
export const NUD_INCOMPLETE = 0x01
export const NUD_REACHABLE = 0x02
export const NUD_STALE = 0x04
export const NUD_DELAY = 0x08
export const NUD_PROBE = 0x10
export const NUD_FAILED = 0x20
export const NUD_NOARP = 0x40
export const NUD_PERMANENT = 0x80
export const NUD_NONE = 0x00

/** Neighbour flags. */
export const NTF_USE = 0x01
export const NTF_SELF = 0x02
export const NTF_MASTER = 0x04
export const NTF_PROXY = 0x08
export const NTF_EXT_LEARNED = 0x10
export const NTF_OFFLOADED = 0x20
export const NTF_STICKY = 0x40
export const NTF_ROUTER = 0x80

/** Extended link dump flags (IFLA_EXT_MASK). */
export const RTEXT_FILTER_VF = 1
export const RTEXT_FILTER_BRVLAN = 2
export const RTEXT_FILTER_BRVLAN_COMPRESSED = 4
export const RTEXT_FILTER_SKIP_STATS = 8

/** 64-bit counters of a link, in the order of IFLA_STATS64. Numbers are exact up to 2^53. */
export interface LinkStats {
  rxPackets: number
  txPackets: number
  rxBytes: number
  txBytes: number
  rxErrors: number
  txErrors: number
  rxDropped: number
  txDropped: number
  multicast: number
  collisions: number
  rxLengthErrors: number
  rxOverErrors: number
  rxCrcErrors: number
  rxFrameErrors: number
  rxFifoErrors: number
  rxMissedErrors: number
  txAbortedErrors: number
  txCarrierErrors: number
  txFifoErrors: number
  txHeartbeatErrors: number
  txWindowErrors: number
  rxCompressed: number
  txCompressed: number
  rxNohandler: number
  rxOtherhostDropped: number
}

/** Attributes of a link (IFLA_…). */
export interface LinkAttrs {
  ifname?: string
  address?: Uint8Array
  broadcast?: Uint8Array
  permAddress?: Uint8Array
  mtu?: number
  minMtu?: number
  maxMtu?: number
  /** lower device's index (0 where it has gone) */
  link?: number
  linkNetnsid?: number
  /** 0 in a request means no master */
  master?: number
  qdisc?: string
  txqlen?: number
  operstate?: number
  linkmode?: number
  group?: number
  ifalias?: string
  promiscuity?: number
  allmulti?: number
  numTxQueues?: number
  numRxQueues?: number
  gsoMaxSize?: number
  gsoMaxSegs?: number
  tsoMaxSize?: number
  tsoMaxSegs?: number
  groMaxSize?: number
  gsoIpv4MaxSize?: number
  groIpv4MaxSize?: number
  carrier?: number
  carrierChanges?: number
  carrierUpCount?: number
  carrierDownCount?: number
  protoDown?: number
  /** mask and value in requests, value in answers */
  protoDownReason?: { mask?: number; value: number }
  stats64?: LinkStats
  linkinfo?: LinkInfo
  /** in requests: the target namespace */
  netNsPid?: number
  netNsFd?: number
  /** in requests: act in the namespace with this id */
  targetNetnsid?: number
  newIfindex?: number
  /** on the RTM_DELLINK of a move: the id of the namespace it goes to */
  newNetnsid?: number
  altIfname?: string
  /** IFLA_PROP_LIST: alternative names */
  propList?: string[]
  extMask?: number
  physPortName?: string
  physPortId?: Uint8Array
  physSwitchId?: Uint8Array
  parentDevName?: string
  parentDevBusName?: string
  xdp?: { attached: number }
  event?: number
  /** IFLA_AF_SPEC */
  afSpec?: {
    inet?: { conf?: number[] }
    inet6?: { flags?: number; addrGenMode?: number; token?: Uint8Array; conf?: number[] }
    /** AF_BRIDGE: vlans of a port (bridge vlan), see if_link.ts */
    bridge?: import('./if_link.ts').BridgeAfSpec
  }
  /** AF_BRIDGE messages: IFLA_PROTINFO of a port */
  protinfo?: import('./if_link.ts').BridgePortAttrs
}

/** RTM_*LINK, RTM_*LINKPROP: ifinfomsg with its attributes. */
export interface LinkMessage {
  readonly type:
    | typeof RTM_NEWLINK
    | typeof RTM_DELLINK
    | typeof RTM_GETLINK
    | typeof RTM_SETLINK
    | typeof RTM_NEWLINKPROP
    | typeof RTM_DELLINKPROP
  flags: number
  family: number
  /** ARPHRD_… */
  hatype: number
  index: number
  /** IFF_… */
  ifFlags: number
  /** mask of the flags to change */
  change: number
  attrs: LinkAttrs
  /** set on notifications from another namespace (NETLINK_LISTEN_ALL_NSID) */
  nsid?: number
}

/** Lifetimes of an address, seconds; 0xffffffff means for ever. Stamps in hundredths of a second since boot. */
export interface IfaCacheinfo {
  prefered: number
  valid: number
  cstamp: number
  tstamp: number
}

/** Attributes of an address (IFA_…). */
export interface AddrAttrs {
  address?: Uint8Array
  local?: Uint8Array
  broadcast?: Uint8Array
  anycast?: Uint8Array
  multicast?: Uint8Array
  label?: string
  cacheinfo?: IfaCacheinfo
  /** full 32 bits; answers always have it */
  flags?: number
  rtPriority?: number
  proto?: number
  targetNetnsid?: number
}

/** RTM_*ADDR, RTM_GETMULTICAST, RTM_GETANYCAST: ifaddrmsg with its attributes. */
export interface AddrMessage {
  readonly type:
    | typeof RTM_NEWADDR
    | typeof RTM_DELADDR
    | typeof RTM_GETADDR
    | typeof RTM_GETMULTICAST
    | typeof RTM_GETANYCAST
  flags: number
  family: number
  prefixlen: number
  /** the low 8 flag bits */
  ifaFlags: number
  scope: number
  index: number
  attrs: AddrAttrs
  nsid?: number
}

/** Route metrics (RTAX_…) by name; times in the kernel's units (rtt: 1/8 ms, rttvar: 1/4 ms, rto_min: ms). */
export interface RouteMetrics {
  lock?: number
  mtu?: number
  window?: number
  rtt?: number
  rttvar?: number
  ssthresh?: number
  cwnd?: number
  advmss?: number
  reordering?: number
  hoplimit?: number
  initcwnd?: number
  features?: number
  rtoMin?: number
  initrwnd?: number
  quickack?: number
  ccAlgo?: string
  fastopenNoCookie?: number
}

/** One leg of a multipath route (rtnexthop). */
export interface RouteNexthop {
  /** RTNH_F_… */
  flags: number
  /** weight minus one */
  hops: number
  ifindex: number
  gateway?: Uint8Array
  via?: { family: number; addr: Uint8Array }
  flow?: number
  encap?: RouteEncap
}

/** Lightweight tunnel of a route (RTA_ENCAP); each type is declared where it is built. */
export interface RouteEncap {
  readonly type: string
  readonly [attr: string]: unknown
}

/** Cache information of a route (rta_cacheinfo), times in hundredths of a second. */
export interface RouteCacheinfo {
  clntref: number
  lastuse: number
  expires: number
  error: number
  used: number
  id: number
  ts: number
  tsage: number
}

/** Attributes of a route (RTA_…). */
export interface RouteAttrs {
  dst?: Uint8Array
  src?: Uint8Array
  iif?: number
  oif?: number
  gateway?: Uint8Array
  via?: { family: number; addr: Uint8Array }
  priority?: number
  prefsrc?: Uint8Array
  metrics?: RouteMetrics
  multipath?: RouteNexthop[]
  flow?: number
  cacheinfo?: RouteCacheinfo
  table?: number
  mark?: number
  pref?: number
  encap?: RouteEncap
  expires?: number
  uid?: number
  ttlPropagate?: number
  ipProto?: number
  sport?: number
  dport?: number
  nhId?: number
}

/** RTM_*ROUTE: rtmsg with its attributes. */
export interface RouteMessage {
  readonly type: typeof RTM_NEWROUTE | typeof RTM_DELROUTE | typeof RTM_GETROUTE
  flags: number
  family: number
  dstLen: number
  srcLen: number
  tos: number
  /** the low 8 bits; RTA_TABLE has the whole number */
  table: number
  protocol: number
  scope: number
  rtType: number
  rtmFlags: number
  attrs: RouteAttrs
  nsid?: number
}

/** Attributes of a neighbour or forwarding entry (NDA_…). */
export interface NeighAttrs {
  dst?: Uint8Array
  lladdr?: Uint8Array
  /** ages in hundredths of a second */
  cacheinfo?: { confirmed: number; used: number; updated: number; refcnt: number }
  probes?: number
  vlan?: number
  port?: number
  vni?: number
  srcVni?: number
  ifindex?: number
  master?: number
  linkNetnsid?: number
  protocol?: number
  nhId?: number
  extFlags?: number
}

/** RTM_*NEIGH: ndmsg with its attributes; family AF_BRIDGE for forwarding databases. */
export interface NeighMessage {
  readonly type: typeof RTM_NEWNEIGH | typeof RTM_DELNEIGH | typeof RTM_GETNEIGH
  flags: number
  family: number
  ifindex: number
  /** NUD_… */
  state: number
  /** NTF_… */
  ndmFlags: number
  ndmType: number
  attrs: NeighAttrs
  nsid?: number
}

/** Actions of a policy rule (FR_ACT_…). */
export const FR_ACT_UNSPEC = 0
export const FR_ACT_TO_TBL = 1
export const FR_ACT_GOTO = 2
export const FR_ACT_NOP = 3
export const FR_ACT_BLACKHOLE = 6
export const FR_ACT_UNREACHABLE = 7
export const FR_ACT_PROHIBIT = 8

/** Flags of a rule. */
export const FIB_RULE_PERMANENT = 0x1
export const FIB_RULE_INVERT = 0x2
export const FIB_RULE_UNRESOLVED = 0x4
export const FIB_RULE_IIF_DETACHED = 0x8
export const FIB_RULE_OIF_DETACHED = 0x10

/** Attributes of a rule (FRA_…). */
export interface RuleAttrs {
  dst?: Uint8Array
  src?: Uint8Array
  iifname?: string
  oifname?: string
  goto?: number
  priority?: number
  fwmark?: number
  fwmask?: number
  flow?: number
  tunId?: number
  suppressIfgroup?: number
  suppressPrefixlen?: number
  table?: number
  l3mdev?: number
  uidRange?: { start: number; end: number }
  protocol?: number
  ipProto?: number
  sportRange?: { start: number; end: number }
  dportRange?: { start: number; end: number }
}

/** RTM_*RULE: fib_rule_hdr with its attributes. */
export interface RuleMessage {
  readonly type: typeof RTM_NEWRULE | typeof RTM_DELRULE | typeof RTM_GETRULE
  flags: number
  family: number
  dstLen: number
  srcLen: number
  tos: number
  table: number
  action: number
  ruleFlags: number
  attrs: RuleAttrs
  nsid?: number
}

/** RTM_*NSID: namespace ids. */
export interface NsidMessage {
  readonly type: typeof RTM_NEWNSID | typeof RTM_DELNSID | typeof RTM_GETNSID
  flags: number
  attrs: { nsid?: number; pid?: number; fd?: number; targetNsid?: number; currentNsid?: number }
}

/** RTM_*NETCONF: per-device configuration; `ifindex` -1 is all, -2 default. */
export interface NetconfMessage {
  readonly type: typeof RTM_NEWNETCONF | typeof RTM_DELNETCONF | typeof RTM_GETNETCONF
  flags: number
  family: number
  attrs: {
    ifindex?: number
    forwarding?: number
    rpFilter?: number
    mcForwarding?: number
    proxyNeigh?: number
    ignoreRoutesWithLinkdown?: number
    input?: number
    bcForwarding?: number
  }
  nsid?: number
}

/** One member of a next hop group. */
export interface NexthopGroupEntry {
  id: number
  /** weight minus one */
  weight: number
}

/** RTM_*NEXTHOP: nhmsg with its attributes. */
export interface NexthopMessage {
  readonly type: typeof RTM_NEWNEXTHOP | typeof RTM_DELNEXTHOP | typeof RTM_GETNEXTHOP
  flags: number
  family: number
  scope: number
  protocol: number
  /** RTNH_F_… */
  nhFlags: number
  attrs: {
    id?: number
    group?: NexthopGroupEntry[]
    groupType?: number
    blackhole?: boolean
    oif?: number
    gateway?: Uint8Array
    encap?: RouteEncap
    groups?: boolean
    master?: number
    fdb?: boolean
    resGroup?: { buckets?: number; idleTimer?: number; unbalancedTimer?: number; unbalancedTime?: number }
  }
  nsid?: number
}

/** RTM_*ADDRLABEL. */
export interface AddrlabelMessage {
  readonly type: typeof RTM_NEWADDRLABEL | typeof RTM_DELADDRLABEL | typeof RTM_GETADDRLABEL
  flags: number
  family: number
  prefixlen: number
  index: number
  attrs: { address?: Uint8Array; label?: number }
}

/** RTM_*NEIGHTBL: a neighbour table's parameters; times in ms. */
export interface NeightblMessage {
  readonly type: typeof RTM_NEWNEIGHTBL | typeof RTM_GETNEIGHTBL | typeof RTM_SETNEIGHTBL
  flags: number
  family: number
  attrs: {
    name?: string
    thresh1?: number
    thresh2?: number
    thresh3?: number
    gcInterval?: number
    config?: Record<string, number>
    stats?: Record<string, number>
    parms?: Record<string, number>
  }
}

/** RTM_NEWPREFIX: a prefix of a router advertisement. */
export interface PrefixMessage {
  readonly type: typeof RTM_NEWPREFIX
  flags: number
  family: number
  ifindex: number
  prefixType: number
  prefixlen: number
  prefixFlags: number
  attrs: { address?: Uint8Array; cacheinfo?: { prefered: number; valid: number } }
  nsid?: number
}

/** Any rtnetlink message. Further families (mdb, vlan database) extend this union in their own files. */
export type RtMessage =
  | LinkMessage
  | AddrMessage
  | RouteMessage
  | NeighMessage
  | RuleMessage
  | NsidMessage
  | NetconfMessage
  | NexthopMessage
  | AddrlabelMessage
  | NeightblMessage
  | PrefixMessage
  | import('./if_bridge.ts').MdbMessage
  | import('./if_bridge.ts').VlanDbMessage
