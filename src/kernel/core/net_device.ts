/** `net_device`: a network interface, and the operations its driver gives it. */
import type { LinkInfo, PlainAttrs } from '../../uapi/if_link.ts'
import type { LinkMessage, LinkStats, NeighMessage, RtMessage } from '../../uapi/rtnetlink.ts'
import type { PacketType } from './dev.ts'
import type { Net } from './net_namespace.ts'
import { noopQdisc, type Qdisc } from './qdisc.ts'
import type { NetlinkExtAck, RtnlContext } from './rtnetlink.ts'
import type { SkBuff } from './skbuff.ts'

export {
  NET_RX_DROP,
  NET_RX_SUCCESS,
  NET_XMIT_CN,
  NET_XMIT_DROP,
  NET_XMIT_SUCCESS,
  NETDEV_TX_BUSY,
  NETDEV_TX_OK,
} from './net_xmit.ts'

/** What a driver does (`net_device_ops`). Results below zero are errors. */
export interface NetDeviceOps {
  /** on registration, before the device can be seen */
  init?(dev: NetDevice): number
  /** after unregistration, or when registration fails */
  uninit?(dev: NetDevice): void
  open?(dev: NetDevice): number
  stop?(dev: NetDevice): number
  /** Takes the packet over: sends, queues or drops it. @returns NETDEV_TX_OK or NETDEV_TX_BUSY */
  startXmit(skb: SkBuff, dev: NetDevice): number
  changeMtu?(dev: NetDevice, mtu: number): number
  /** Sets `devAddr`; absent where the address cannot be changed (-EOPNOTSUPP). */
  setMacAddress?(dev: NetDevice, address: Uint8Array): number
  changeRxFlags?(dev: NetDevice, changed: number): void
  /** the address lists or promiscuity changed */
  setRxMode?(dev: NetDevice): void
  /** Fills in counters where the driver keeps its own. */
  getStats64?(dev: NetDevice, stats: LinkStats): void
  /** Checks the address before `open` (ndo_validate_addr). */
  validateAddr?(dev: NetDevice): number
  /** Only a few virtual devices can, such as dummy (-EOPNOTSUPP where absent). */
  changeCarrier?(dev: NetDevice, on: boolean): number
  /** the lower device's index where it is not `dev.ifindex` (IFLA_LINK) */
  getIflink?(dev: NetDevice): number
  addSlave?(dev: NetDevice, slave: NetDevice, extack: NetlinkExtAck): number
  delSlave?(dev: NetDevice, slave: NetDevice): number
  /** Speed in Mb/s (-1 unknown) and duplex; undefined where the device has no such thing. */
  getLinkKsettings?(
    dev: NetDevice,
  ): { readonly speed: number; readonly duplex: 'half' | 'full' | 'unknown' } | undefined
  setFeatures?(dev: NetDevice, features: number): number
  fixFeatures?(dev: NetDevice, features: number): number
  /** VLAN ids that a lower device must pass up */
  vlanRxAddVid?(dev: NetDevice, proto: number, vid: number): number
  vlanRxKillVid?(dev: NetDevice, proto: number, vid: number): number
  /** Forwarding entries (AF_BRIDGE neighbours); `dev` is the device itself or one of its ports. */
  fdbAdd?(dev: NetDevice, msg: NeighMessage, extack: NetlinkExtAck): number
  fdbDel?(dev: NetDevice, msg: NeighMessage, extack: NetlinkExtAck): number
  /** Deletes all entries that match a request with NLM_F_BULK. */
  fdbDelBulk?(dev: NetDevice, msg: NeighMessage, extack: NetlinkExtAck): number
  /** @param port only what is on this port; undefined: the device's own */
  fdbDump?(dev: NetDevice, port: NetDevice | undefined): NeighMessage[]
  fdbGet?(dev: NetDevice, msg: NeighMessage, extack: NetlinkExtAck): NeighMessage | number
  /** AF_BRIDGE link messages: `bridge link`, `bridge vlan` */
  bridgeGetlink?(dev: NetDevice, filter: number): LinkMessage | undefined
  bridgeSetlink?(dev: NetDevice, msg: LinkMessage, extack: NetlinkExtAck): number
  bridgeDellink?(dev: NetDevice, msg: LinkMessage, extack: NetlinkExtAck): number
}

/** How a device's link header is built and read (`header_ops`). */
export interface HeaderOps {
  /** Pushes a link header. @param daddr undefined where unknown (ARP must fill it) @returns its length, negative if incomplete */
  create(
    skb: SkBuff,
    dev: NetDevice,
    type: number,
    daddr: Uint8Array | undefined,
    saddr: Uint8Array | undefined,
    len: number,
  ): number
  /** @returns the sender's link address of a received frame */
  parse(skb: SkBuff): Uint8Array
}

/** A link type (`rtnl_link_ops`): what `ip link add … type KIND` can do. One file and one registration each. */
export interface RtnlLinkOps {
  readonly kind: string
  /** Numbers of queues where the request names none; 1 where absent. */
  getNumTxQueues?(net: Net): number
  getNumRxQueues?(net: Net): number
  /** the kind has attributes: IFLA_INFO_DATA is parsed and given to the functions below */
  readonly hasData?: boolean
  /** Whether the kind can be made at all; absent: yes. */
  readonly noSetup?: boolean
  /** a device of this kind goes back to the initial namespace when its own ends (netns_refund) */
  readonly netnsRefund?: boolean
  /** Fills in a fresh device: type, ops, flags, mtu limits. */
  setup(dev: NetDevice): void
  /** Checks attributes before anything is made. */
  validate?(msg: LinkMessage, extack: NetlinkExtAck): number
  /** Makes it: must register the device (and further ones, as veth does). */
  newlink?(srcNet: Net, dev: NetDevice, msg: LinkMessage, extack: NetlinkExtAck, ctx: RtnlContext): number
  changelink?(dev: NetDevice, msg: LinkMessage, extack: NetlinkExtAck): number
  /** Puts it, and what goes with it, on the list of devices to unregister. Absent: only the device itself. */
  dellink?(dev: NetDevice, kill: NetDevice[]): void
  /** the namespace the lower device is in (IFLA_LINK_NETNSID) */
  getLinkNet?(dev: NetDevice): Net
  /** @returns IFLA_INFO_DATA */
  fillInfo?(dev: NetDevice): LinkInfo['data']
  fillXstats?(dev: NetDevice): PlainAttrs
  /** the same for a port of this kind of master */
  slaveChangelink?(master: NetDevice, slave: NetDevice, msg: LinkMessage, extack: NetlinkExtAck): number
  fillSlaveInfo?(master: NetDevice, slave: NetDevice): LinkInfo['slaveData']
}

/** What an rx handler decides (`rx_handler_result`). */
export const RX_HANDLER_CONSUMED = 0
export const RX_HANDLER_ANOTHER = 1
export const RX_HANDLER_EXACT = 2
export const RX_HANDLER_PASS = 3

/** Takes every frame of a device before the protocols: a bridge, a bond, a macvlan. */
export type RxHandler = (skb: SkBuff) => number

/** Bits of `NetDevice.state`. */
export const LINK_STATE_START = 1
export const LINK_STATE_PRESENT = 2
export const LINK_STATE_NOCARRIER = 4
export const LINK_STATE_LINKWATCH_PENDING = 8
export const LINK_STATE_DORMANT = 16
export const LINK_STATE_TESTING = 32

/** Bits of `NetDevice.privFlags`: `enum netdev_priv_flags`, which /proc/net/vlan shows. */
export const IFF_802_1Q_VLAN = 1 << 0
export const IFF_EBRIDGE = 1 << 1
export const IFF_BONDING = 1 << 2
export const IFF_XMIT_DST_RELEASE = 1 << 5
export const IFF_DONT_BRIDGE = 1 << 6
export const IFF_MACVLAN_PORT = 1 << 8
export const IFF_BRIDGE_PORT = 1 << 9
export const IFF_TX_SKB_SHARING = 1 << 11
export const IFF_UNICAST_FLT = 1 << 12
export const IFF_TEAM_PORT = 1 << 13
export const IFF_LIVE_ADDR_CHANGE = 1 << 15
export const IFF_MACVLAN = 1 << 16
export const IFF_XMIT_DST_RELEASE_PERM = 1 << 17
export const IFF_L3MDEV_MASTER = 1 << 18
export const IFF_NO_QUEUE = 1 << 19
export const IFF_L3MDEV_SLAVE = 1 << 21
export const IFF_TEAM = 1 << 22
export const IFF_PHONY_HEADROOM = 1 << 24
export const IFF_NO_RX_HANDLER = 1 << 26
export const IFF_L3MDEV_RX_HANDLER = 1 << 29
export const IFF_NO_ADDRCONF = 1 << 30

/** Where a device's address comes from (`addr_assign_type`). */
export const NET_ADDR_PERM = 0
export const NET_ADDR_RANDOM = 1
export const NET_ADDR_STOLEN = 2
export const NET_ADDR_SET = 3

/** How far registration has come (`reg_state`). */
export type RegState = 'uninitialized' | 'registered' | 'unregistering' | 'unregistered'

/** One address a device listens to beside its own. */
export interface HwAddr {
  readonly address: Uint8Array
  refs: number
  /** user space asked for it */
  global: boolean
  /** handed on to lower devices this many times */
  syncCount: number
  /** came from an upper device */
  synced: number
}

/** Who chose a device's name (`name_assign_type`). */
export const NET_NAME_UNKNOWN = 0
export const NET_NAME_ENUM = 1
export const NET_NAME_PREDICTABLE = 2
export const NET_NAME_USER = 3
export const NET_NAME_RENAMED = 4

/** A list of link-layer addresses a device listens to (`netdev_hw_addr_list`), in order of coming. */
export class HwAddrList {
  /** by the address as lower-case hex */
  readonly entries = new Map<string, HwAddr>()
}

/** A network interface. */
export class NetDevice {
  net: Net
  name: string
  ifindex = 0
  /** IFF_… as user space set them (without those derived from state) */
  flags = 0
  /** flags user space asked for that are counted: IFF_PROMISC, IFF_ALLMULTI */
  gflags = 0
  privFlags = IFF_XMIT_DST_RELEASE | IFF_XMIT_DST_RELEASE_PERM
  /** ARPHRD_… */
  type = 0xffff
  addrLen = 0
  hardHeaderLen = 0
  neededHeadroom = 0
  mtu = 0
  minMtu = 0
  /** 0: no limit */
  maxMtu = 0
  devAddr: Uint8Array = new Uint8Array(0)
  permAddr: Uint8Array = new Uint8Array(0)
  broadcast: Uint8Array = new Uint8Array(0)
  addrAssignType = NET_ADDR_PERM
  nameAssignType = NET_NAME_UNKNOWN
  /** DEVTYPE of its uevents, for kinds that have one */
  devType: string | undefined
  operstate = 0
  linkMode = 0
  /** LINK_STATE_… */
  state = LINK_STATE_PRESENT
  regState: RegState = 'uninitialized'
  carrierUpCount = 0
  carrierDownCount = 0
  txQueueLen = 0
  /** queues it was made with */
  numTxQueues = 1
  numRxQueues = 1
  /** queues in use */
  realNumTxQueues = 1
  realNumRxQueues = 1
  group = 0
  ifalias = ''
  readonly altnames: string[] = []
  promiscuity = 0
  allmulti = 0
  ucPromisc = false
  readonly uc = new HwAddrList()
  readonly mc = new HwAddrList()
  /** the driver lets protocols hold the link down (`change_proto_down`) */
  changeProtoDown = false
  protoDown = false
  protoDownReason = 0
  gsoMaxSize = 65536
  gsoMaxSegs = 65535
  tsoMaxSize = 65536
  tsoMaxSegs = 65535
  groMaxSize = 65536
  /** NETIF_F_… bits 0 to 31, see features.ts: `features` are on, `hwFeatures` can be switched, `wantedFeatures` were asked for */
  features = 0
  hwFeatures = 0
  wantedFeatures = 0
  vlanFeatures = 0
  hwEncFeatures = 0
  /** the same for bits 32 to 63 (NETIF_F2_…) */
  features2 = 0
  hwFeatures2 = 0
  wantedFeatures2 = 0
  vlanFeatures2 = 0
  ops: NetDeviceOps
  headerOps: HeaderOps | undefined
  linkOps: RtnlLinkOps | undefined
  rxHandler: RxHandler | undefined
  rxHandlerData: unknown
  /** the device above that owns it as a port (bridge, bond, vrf) */
  master: NetDevice | undefined
  /** devices directly above and below, in order of linking */
  readonly upper: NetDevice[] = []
  readonly lower: NetDevice[] = []
  /** the root qdisc, as `tc qdisc` shows it; it works only while the device is active, see `txq` */
  qdisc: Qdisc = noopQdisc
  /** what packets to send go into now: the root qdisc, `noopQdisc` while inactive, null where they go straight to the driver */
  txq: Qdisc | null = noopQdisc
  ingressQdisc: Qdisc | undefined
  /** taps and handlers bound to this device (`ptype_all`, `ptype_specific`) */
  readonly ptypeAll: PacketType[] = []
  readonly ptypeSpecific: PacketType[] = []
  /** counters of the core; drivers without their own count here */
  readonly stats: LinkStats = emptyLinkStats()
  /** IPv4's and IPv6's part (`in_device`, `inet6_dev`); typed where they are declared */
  ipPtr: unknown
  ip6Ptr: unknown
  /** 802.1Q devices on top, see 8021q */
  vlanInfo: unknown
  /** the driver's own state */
  priv: unknown
  /** name of the bus device, as IFLA_PARENT_DEV_NAME shows it */
  parentDevName: string | undefined
  parentDevBusName: string | undefined
  /** true while it is being unregistered */
  dismantle = false
  /** user space has been told of the device (`rtnl_link_state`) */
  linkInitialized = false
  /** the driver polls (NAPI), so that polling can move to threads */
  hasNapi = false
  napiThreaded = false
  /** ns */
  groFlushTimeout = 0
  napiDeferHardIrqs = 0
  /** when a transmit queue may be used again by the driver */
  queueStopped = false

  constructor(net: Net, name: string, ops: NetDeviceOps) {
    this.net = net
    this.name = name
    this.ops = ops
  }

  /** @returns whether the device is administratively up and its driver runs */
  get running(): boolean {
    return (this.state & LINK_STATE_START) !== 0
  }

  /** @returns whether there is a carrier (netif_carrier_ok) */
  get carrier(): boolean {
    return (this.state & LINK_STATE_NOCARRIER) === 0
  }

  /** @returns bytes to keep free in front of a packet for this device (LL_RESERVED_SPACE) */
  get llReserved(): number {
    return ((this.hardHeaderLen + this.neededHeadroom) & ~15) + 16
  }
}

/** @returns counters, all zero */
export function emptyLinkStats(): LinkStats {
  return {
    rxPackets: 0,
    txPackets: 0,
    rxBytes: 0,
    txBytes: 0,
    rxErrors: 0,
    txErrors: 0,
    rxDropped: 0,
    txDropped: 0,
    multicast: 0,
    collisions: 0,
    rxLengthErrors: 0,
    rxOverErrors: 0,
    rxCrcErrors: 0,
    rxFrameErrors: 0,
    rxFifoErrors: 0,
    rxMissedErrors: 0,
    txAbortedErrors: 0,
    txCarrierErrors: 0,
    txFifoErrors: 0,
    txHeartbeatErrors: 0,
    txWindowErrors: 0,
    rxCompressed: 0,
    txCompressed: 0,
    rxNohandler: 0,
    rxOtherhostDropped: 0,
  }
}

/** Messages a device's dump functions may give. */
export type DeviceMessage = RtMessage
