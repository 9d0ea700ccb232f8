/**
 * Link kinds in rtnetlink (IFLA_LINKINFO): each kind's attributes (IFLA_INFO_DATA) and those of the ports of a master
 * (IFLA_INFO_SLAVE_DATA). A new link type adds its interface and one line in `LinkKinds`.
 */
import type { LinkMessage } from './rtnetlink.ts'

/** IFLA_VLAN_… */
export interface VlanData {
  id?: number
  /** ETH_P_8021Q or ETH_P_8021AD, host order */
  protocol?: number
  flags?: { flags: number; mask: number }
  egressQos?: { from: number; to: number }[]
  ingressQos?: { from: number; to: number }[]
}

/** VETH_INFO_PEER: the other end as a link message of its own. */
export interface VethData {
  peer?: LinkMessage
}

/** IFLA_BR_…, times in hundredths of a second. */
export interface BridgeData {
  forwardDelay?: number
  helloTime?: number
  maxAge?: number
  ageingTime?: number
  stpState?: number
  priority?: number
  vlanFiltering?: number
  vlanProtocol?: number
  groupFwdMask?: number
  rootId?: { priority: number; address: Uint8Array }
  bridgeId?: { priority: number; address: Uint8Array }
  rootPort?: number
  rootPathCost?: number
  topologyChange?: number
  topologyChangeDetected?: number
  helloTimer?: number
  tcnTimer?: number
  topologyChangeTimer?: number
  gcTimer?: number
  groupAddr?: Uint8Array
  mcastRouter?: number
  mcastSnooping?: number
  mcastQueryUseIfaddr?: number
  mcastQuerier?: number
  mcastHashElasticity?: number
  mcastHashMax?: number
  mcastLastMemberCnt?: number
  mcastStartupQueryCnt?: number
  mcastLastMemberIntvl?: number
  mcastMembershipIntvl?: number
  mcastQuerierIntvl?: number
  mcastQueryIntvl?: number
  mcastQueryResponseIntvl?: number
  mcastStartupQueryIntvl?: number
  nfCallIptables?: number
  nfCallIp6tables?: number
  nfCallArptables?: number
  vlanDefaultPvid?: number
  vlanStatsEnabled?: number
  vlanStatsPerPort?: number
  mcastStatsEnabled?: number
  mcastIgmpVersion?: number
  mcastMldVersion?: number
  multiBoolopt?: { value: number; mask: number }
  fdbFlush?: boolean
}

/** IFLA_BRPORT_…, times in hundredths of a second. */
export interface BridgePortAttrs {
  state?: number
  priority?: number
  cost?: number
  mode?: number
  guard?: number
  protect?: number
  fastLeave?: number
  learning?: number
  unicastFlood?: number
  proxyarp?: number
  proxyarpWifi?: number
  rootId?: { priority: number; address: Uint8Array }
  bridgeId?: { priority: number; address: Uint8Array }
  designatedPort?: number
  designatedCost?: number
  id?: number
  no?: number
  topologyChangeAck?: number
  configPending?: number
  messageAgeTimer?: number
  forwardDelayTimer?: number
  holdTimer?: number
  flush?: boolean
  multicastRouter?: number
  mcastFlood?: number
  mcastToUcast?: number
  vlanTunnel?: number
  bcastFlood?: number
  groupFwdMask?: number
  neighSuppress?: number
  isolated?: number
  locked?: number
  mabEnabled?: number
  backupPort?: number
  learningSync?: number
  mrpRingOpen?: number
  mrpInOpen?: number
  mcastEhtHostsLimit?: number
  mcastEhtHostsCnt?: number
}

/** IFLA_AF_SPEC of AF_BRIDGE messages. */
export interface BridgeAfSpec {
  /** BRIDGE_FLAGS_MASTER 1, BRIDGE_FLAGS_SELF 2 */
  flags?: number
  mode?: number
  /** BRIDGE_VLAN_INFO_…: flags with a vid; a range end where `vidEnd` is set */
  vlans?: { flags: number; vid: number; vidEnd?: number }[]
  /** IFLA_BRIDGE_VLAN_TUNNEL_INFO: tunnel ids of VLANs; ranges where both ends are set */
  tunnels?: { id: number; vid: number; flags: number; idEnd?: number; vidEnd?: number }[]
}

/** IFLA_MACVLAN_… */
export interface MacvlanData {
  mode?: number
  flags?: number
  macaddrMode?: number
  macaddr?: Uint8Array
  macaddrData?: Uint8Array[]
  macaddrCount?: number
  bcQueueLen?: number
  bcQueueLenUsed?: number
}

/** IFLA_IPVLAN_… */
export interface IpvlanData {
  mode?: number
  flags?: number
}

/** IFLA_VRF_… */
export interface VrfData {
  table?: number
}

/** IFLA_VXLAN_… */
export interface VxlanData {
  id?: number
  group?: Uint8Array
  group6?: Uint8Array
  link?: number
  local?: Uint8Array
  local6?: Uint8Array
  ttl?: number
  ttlInherit?: boolean
  tos?: number
  df?: number
  learning?: number
  ageing?: number
  limit?: number
  portRange?: { low: number; high: number }
  port?: number
  proxy?: number
  rsc?: number
  l2miss?: number
  l3miss?: number
  udpCsum?: number
  udpZeroCsum6Tx?: number
  udpZeroCsum6Rx?: number
  remcsumTx?: number
  remcsumRx?: number
  gbp?: boolean
  gpe?: boolean
  remcsumNopartial?: boolean
  collectMetadata?: number
  label?: number
  vnifilter?: number
}

/** IFLA_BOND_…, times in ms. Interface indexes are 0 for none. */
export interface BondData {
  /** BOND_MODE_…: 0 balance-rr to 6 balance-alb */
  mode?: number
  activeSlave?: number
  miimon?: number
  updelay?: number
  downdelay?: number
  useCarrier?: number
  arpInterval?: number
  /** IPv4 addresses, 4 bytes each */
  arpIpTarget?: Uint8Array[]
  arpValidate?: number
  arpAllTargets?: number
  primary?: number
  primaryReselect?: number
  failOverMac?: number
  xmitHashPolicy?: number
  resendIgmp?: number
  numPeerNotif?: number
  allSlavesActive?: number
  minLinks?: number
  lpInterval?: number
  packetsPerSlave?: number
  adLacpRate?: number
  adSelect?: number
  /** answers only, in 802.3ad mode */
  adInfo?: { aggregator: number; numPorts: number; actorKey: number; partnerKey: number; partnerMac: Uint8Array }
  adActorSysPrio?: number
  adUserPortKey?: number
  adActorSystem?: Uint8Array
  tlbDynamicLb?: number
  peerNotifDelay?: number
  adLacpActive?: number
  missedMax?: number
  /** IPv6 addresses, 16 bytes each */
  nsIp6Target?: Uint8Array[]
}

/** IFLA_BOND_SLAVE_… */
export interface BondSlaveData {
  /** 0 active, 1 backup */
  state?: number
  /** 0 up, 1 going down, 2 down, 3 going back */
  miiStatus?: number
  linkFailureCount?: number
  permHwaddr?: Uint8Array
  queueId?: number
  adAggregatorId?: number
  adActorOperPortState?: number
  adPartnerOperPortState?: number
  prio?: number
}

/** IFLA_TUN_… */
export interface TunData {
  owner?: number
  group?: number
  /** IFF_TUN 1, IFF_TAP 2 */
  type?: number
  pi?: number
  vnetHdr?: number
  persist?: number
  multiQueue?: number
  numQueues?: number
  numDisabledQueues?: number
}

/** Encapsulation of tunnels in UDP: the same attributes in IFLA_GRE_… and IFLA_IPTUN_… */
export interface TunnelEncapData {
  /** TUNNEL_ENCAP_…: 0 none, 1 fou, 2 gue */
  encapType?: number
  /** TUNNEL_ENCAP_FLAG_…: 1 csum, 2 csum6, 4 remcsum */
  encapFlags?: number
  /** host order */
  encapSport?: number
  encapDport?: number
}

/** IFLA_GRE_… of gre, gretap, erspan, ip6gre, ip6gretap, ip6erspan. Addresses in network order, keys in host order. */
export interface GreData extends TunnelEncapData {
  link?: number
  /** GRE flags in host order: 0x2000 key, 0x8000 checksum, 0x1000 sequence */
  iflags?: number
  oflags?: number
  ikey?: number
  okey?: number
  local?: Uint8Array
  remote?: Uint8Array
  ttl?: number
  tos?: number
  pmtudisc?: number
  encapLimit?: number
  /** traffic class and flow label, host order */
  flowinfo?: number
  /** IP6_TNL_F_… */
  flags?: number
  collectMetadata?: boolean
  ignoreDf?: number
  fwmark?: number
  erspanIndex?: number
  erspanVer?: number
  erspanDir?: number
  erspanHwid?: number
}

/** IFLA_IPTUN_… of ipip, sit, ip6tnl. */
export interface IptunData extends TunnelEncapData {
  link?: number
  local?: Uint8Array
  remote?: Uint8Array
  ttl?: number
  tos?: number
  encapLimit?: number
  flowinfo?: number
  /** IP6_TNL_F_…, for sit SIT_ISATAP 1 */
  flags?: number
  /** IPPROTO_… carried; 0 any */
  proto?: number
  pmtudisc?: number
  sixRdPrefix?: Uint8Array
  sixRdRelayPrefix?: Uint8Array
  sixRdPrefixlen?: number
  sixRdRelayPrefixlen?: number
  collectMetadata?: boolean
  fwmark?: number
}

/** IFLA_VTI_… of vti and vti6. */
export interface VtiData {
  link?: number
  ikey?: number
  okey?: number
  local?: Uint8Array
  remote?: Uint8Array
  fwmark?: number
}

/** IFLA_GENEVE_… */
export interface GeneveData {
  id?: number
  remote?: Uint8Array
  remote6?: Uint8Array
  ttl?: number
  tos?: number
  /** host order */
  port?: number
  collectMetadata?: boolean
  udpCsum?: number
  udpZeroCsum6Tx?: number
  udpZeroCsum6Rx?: number
  label?: number
  ttlInherit?: number
  df?: number
  innerProtoInherit?: boolean
}

/** IFLA_MACSEC_… */
export interface MacsecData {
  /** secure channel identifier as 64 bits */
  sci?: bigint
  port?: number
  icvLen?: number
  cipherSuite?: bigint
  window?: number
  encodingSa?: number
  encrypt?: number
  protect?: number
  incSci?: number
  es?: number
  scb?: number
  replayProtect?: number
  validation?: number
  offload?: number
}

/** IFLA_XFRM_… */
export interface XfrmData {
  link?: number
  ifId?: number
  collectMetadata?: boolean
}

/** IFLA_BAREUDP_…, host order. */
export interface BareudpData {
  port?: number
  ethertype?: number
  srcportMin?: number
  multiprotoMode?: boolean
}

/** IFLA_HSR_… */
export interface HsrData {
  slave1?: number
  slave2?: number
  multicastSpec?: number
  supervisionAddr?: Uint8Array
  seqNr?: number
  version?: number
  protocol?: number
}

/**
 * The kinds and the type of their data. Kinds without attributes have an empty record. Kinds not listed here carry
 * plain attributes by name until their own interface is written.
 */
export interface LinkKinds {
  dummy: Record<string, never>
  ifb: Record<string, never>
  veth: VethData
  vlan: VlanData
  bridge: BridgeData
  macvlan: MacvlanData
  macvtap: MacvlanData
  ipvlan: IpvlanData
  ipvtap: IpvlanData
  vrf: VrfData
  vxlan: VxlanData
  bond: BondData
  tun: TunData
  gre: GreData
  gretap: GreData
  erspan: GreData
  ip6gre: GreData
  ip6gretap: GreData
  ip6erspan: GreData
  ipip: IptunData
  sit: IptunData
  ip6tnl: IptunData
  vti: VtiData
  vti6: VtiData
  geneve: GeneveData
  macsec: MacsecData
  xfrm: XfrmData
  bareudp: BareudpData
  hsr: HsrData
  vxcan: VethData
}

/** The kinds of masters and the type of their ports' data. */
export interface SlaveKinds {
  bridge: BridgePortAttrs
  vrf: VrfData
  bond: BondSlaveData
}

/** Attribute values of a kind that has no interface of its own here. */
export type PlainAttrs = Record<string, number | string | boolean | Uint8Array | readonly number[] | undefined>

/** IFLA_LINKINFO. `kind` names the type; `data` fits the kind (see `linkData`). */
export interface LinkInfo {
  kind?: string
  data?: LinkKinds[keyof LinkKinds] | PlainAttrs
  slaveKind?: string
  slaveData?: SlaveKinds[keyof SlaveKinds] | PlainAttrs
  xstats?: PlainAttrs
}

/** @returns the data of a link's info as that of `kind`, or undefined where the kind is another or has no data */
export function linkData<K extends keyof LinkKinds>(info: LinkInfo | undefined, kind: K): LinkKinds[K] | undefined {
  return info?.kind === kind ? (info.data as LinkKinds[K] | undefined) : undefined
}

/** @returns the port data of a link's info as that of a master of `kind`, or undefined */
export function slaveData<K extends keyof SlaveKinds>(info: LinkInfo | undefined, kind: K): SlaveKinds[K] | undefined {
  return info?.slaveKind === kind ? (info.slaveData as SlaveKinds[K] | undefined) : undefined
}

/** IFLA_VF_INFO: settings of one virtual function of a network card. */
export interface VfInfo {
  vf: number
  mac?: Uint8Array
  vlan?: { vlan: number; qos: number; protocol: number }
  txRate?: number
  rate?: { minTxRate: number; maxTxRate: number }
  spoofchk?: boolean
  rssQueryEn?: boolean
  trust?: boolean
  /** 0 auto, 1 enable, 2 disable */
  linkState?: number
  nodeGuid?: bigint
  portGuid?: bigint
}

declare module './rtnetlink.ts' {
  interface LinkAttrs {
    /** IFLA_VFINFO_LIST */
    vfinfoList?: VfInfo[]
  }
}
