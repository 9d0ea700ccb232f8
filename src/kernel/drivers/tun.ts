/**
 * `tun` and `tap`: devices whose other end is a file, see Documentation/networking/tuntap. The machine opens a `TunFile`
 * for /dev/net/tun and passes on its ioctls, reads and writes.
 */
import { Errno } from '../../uapi/errno.ts'
import {
  ARPHRD_NONE,
  ETH_P_IP,
  ETH_P_IPV6,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_POINTOPOINT,
  IFNAMSIZ,
} from '../../uapi/if.ts'
import {
  IFF_MULTI_QUEUE,
  IFF_NO_PI,
  IFF_ONE_QUEUE,
  IFF_PERSIST,
  IFF_TAP,
  IFF_TUN,
  IFF_TUN_EXCL,
  IFF_VNET_HDR,
  type IoctlRequest,
  TUNSETGROUP,
  TUNSETIFF,
  TUNSETOWNER,
  TUNSETPERSIST,
} from '../../uapi/ioctl.ts'
import { allocNetdev, registerNetdevice, unregisterNetdevice } from '../core/dev_core.ts'
import { ETH_HLEN, etherSetup, ethHwAddrRandom, ethMacAddr, ethTypeTrans, ethValidateAddr } from '../core/ethernet.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_HW_CSUM,
  NETIF_F_HW_VLAN_CTAG_TX,
  NETIF_F_LLTX,
  NETIF_F_SG,
  NETIF_F_TSO,
  NETIF_F_TSO_ECN,
  NETIF_F_TSO6,
  NETIF_F2_HW_VLAN_STAG_TX,
} from '../core/features.ts'
import { type KernfsNode, kernfsText } from '../core/kernfs.ts'
import { netifCarrierOff, netifCarrierOn } from '../core/link_watch.ts'
import {
  IFF_LIVE_ADDR_CHANGE,
  IFF_TX_SKB_SHARING,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
  type RtnlLinkOps,
} from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { type SkBuff, SkbQueue } from '../core/skbuff.ts'
import { WaitQueue } from '../core/wait.ts'

const IFF_NAPI = 0x0010
const IFF_NAPI_FRAGS = 0x0020

/** Features that TUNSETIFF takes and TUNGETFEATURES names. */
const TUN_FEATURES = IFF_NO_PI | IFF_ONE_QUEUE | IFF_VNET_HDR | IFF_MULTI_QUEUE | IFF_NAPI | IFF_NAPI_FRAGS
/** Queue length of a tun device, packets. */
const TUN_READQ_SIZE = 500
const MAX_MTU = 65535
/** Bytes of the protocol information before a packet without IFF_NO_PI. */
const PI_LEN = 4
/** Bytes of the offload header before a packet with IFF_VNET_HDR. */
const VNET_HDR_LEN = 10
const USER_FEATURES = NETIF_F_HW_CSUM | NETIF_F_TSO_ECN | NETIF_F_TSO | NETIF_F_TSO6
const FEATURES = NETIF_F_SG | NETIF_F_FRAGLIST | USER_FEATURES | NETIF_F_HW_VLAN_CTAG_TX

/** The driver's state (`tun_struct`). */
class Tun {
  flags: number
  owner: number | undefined
  group: number | undefined
  /** the files attached, each a queue */
  readonly files: TunFile[] = []

  constructor(flags: number) {
    this.flags = flags
  }
}

/** @returns a device's state, undefined where it is none of this driver's */
function tunOf(dev: NetDevice | undefined): Tun | undefined {
  return dev?.priv instanceof Tun ? dev.priv : undefined
}

/** @returns what sysfs shows of a tun or tap device; undefined for other devices; an owner or group not set is undefined */
export function tunAttributes(
  dev: NetDevice,
): { flags: number; owner: number | undefined; group: number | undefined } | undefined {
  const tun = tunOf(dev)
  if (tun === undefined) return undefined
  return { flags: tun.flags & (TUN_FEATURES | IFF_PERSIST | IFF_TUN | IFF_TAP), owner: tun.owner, group: tun.group }
}

function startXmit(skb: SkBuff, dev: NetDevice): number {
  const tun = dev.priv as Tun
  const file = tun.files[skb.queueMapping] ?? tun.files[0]
  if (file === undefined || file.queue.qlen >= dev.txQueueLen) {
    dev.stats.txDropped++
    skb.free('tun_net_xmit', file === undefined ? 'DEV_READY' : 'FULL_RING')
    return NETDEV_TX_OK
  }
  skb.orphan()
  file.queue.enqueue(skb)
  file.wq.wake()
  return NETDEV_TX_OK
}

const tunOps: NetDeviceOps = {
  startXmit,
  getLinkKsettings: () => ({ speed: 10, duplex: 'full' }),
  uninit(dev) {
    const tun = dev.priv as Tun
    for (const file of tun.files) file.detach()
    tun.files.length = 0
  },
  changeCarrier(dev, on) {
    if (!on) netifCarrierOff(dev)
    else if ((dev.priv as Tun).files.length === 0) return -Errno.EPERM
    else netifCarrierOn(dev)
    return 0
  },
}

const tapOps: NetDeviceOps = { ...tunOps, setRxMode() {}, setMacAddress: ethMacAddr, validateAddr: ethValidateAddr }

function setup(dev: NetDevice, flags: number): void {
  dev.txQueueLen = TUN_READQ_SIZE
  if ((flags & IFF_TAP) !== 0) {
    etherSetup(dev)
    dev.ops = tapOps
    dev.privFlags &= ~IFF_TX_SKB_SHARING
    dev.privFlags |= IFF_LIVE_ADDR_CHANGE
    ethHwAddrRandom(dev)
  } else {
    dev.ops = tunOps
    dev.type = ARPHRD_NONE
    dev.mtu = 1500
    dev.flags = IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST
  }
  dev.minMtu = 68
  dev.maxMtu = MAX_MTU - dev.hardHeaderLen
  dev.hwFeatures = FEATURES
  dev.hwFeatures2 = NETIF_F2_HW_VLAN_STAG_TX
  dev.features = (FEATURES & ~USER_FEATURES) | NETIF_F_LLTX
  dev.features2 = NETIF_F2_HW_VLAN_STAG_TX
  dev.vlanFeatures = dev.features & ~NETIF_F_HW_VLAN_CTAG_TX
  dev.priv = new Tun(flags & (IFF_TUN | IFF_TAP))
  dev.linkOps = tunLinkOps
}

/** An open /dev/net/tun. Results below zero are negative error numbers. */
export class TunFile {
  readonly wq = new WaitQueue()
  /** packets for the reader */
  readonly queue = new SkbQueue()
  private readonly net: Net
  private dev: NetDevice | undefined

  /** @param net the opener's namespace: devices are made there */
  constructor(net: Net) {
    this.net = net
  }

  /** Features of the driver (TUNGETFEATURES). */
  static readonly features = IFF_TUN | IFF_TAP | TUN_FEATURES

  /**
   * Attaches to a device, made where there is none (TUNSETIFF).
   * @param name a name, a pattern, or empty for the next `tunN` or `tapN` @param flags IFF_TUN or IFF_TAP and features
   * @returns the device's name, -EINVAL, -EBUSY for a device that has its file or must not exist (IFF_TUN_EXCL)
   */
  setIff(name: string, flags: number): string | number {
    if (this.dev !== undefined) return -Errno.EEXIST
    const existing = this.net.devByName(name)
    if (existing !== undefined) {
      if ((flags & IFF_TUN_EXCL) !== 0) return -Errno.EBUSY
      const tun = tunOf(existing)
      if (tun === undefined || (tun.flags & flags & (IFF_TUN | IFF_TAP)) === 0) return -Errno.EINVAL
      if (((tun.flags ^ flags) & IFF_MULTI_QUEUE) !== 0) return -Errno.EINVAL
      return this.attach(existing, tun, flags)
    }
    if ((flags & (IFF_TUN | IFF_TAP)) === 0) return -Errno.EINVAL
    const kind = (flags & IFF_TUN) !== 0 ? IFF_TUN : IFF_TAP
    const pattern = name === '' ? (kind === IFF_TUN ? 'tun%d' : 'tap%d') : name.slice(0, IFNAMSIZ - 1)
    const queues = (flags & IFF_MULTI_QUEUE) !== 0 ? 256 : 1
    const dev = allocNetdev(this.net, pattern, each => setup(each, kind), queues, queues)
    dev.linkInitialized = true
    const rc = registerNetdevice(dev)
    if (rc < 0) return rc
    return this.attach(dev, dev.priv as Tun, flags)
  }

  private attach(dev: NetDevice, tun: Tun, flags: number): string | number {
    if ((flags & IFF_MULTI_QUEUE) === 0 && tun.files.length === 1) return -Errno.EBUSY
    tun.files.push(this)
    this.dev = dev
    tun.flags = (tun.flags & ~TUN_FEATURES) | (flags & TUN_FEATURES)
    netifCarrierOn(dev)
    return dev.name
  }

  /** Answers an ioctl(2) of the descriptor. @returns 0, -ENOTTY for a request that is none of this driver's, or its error */
  ioctl(request: IoctlRequest): number {
    switch (request.request) {
      case TUNSETIFF: {
        const name = this.setIff(request.ifname, request.flags)
        return typeof name === 'number' ? name : 0
      }
      case TUNSETPERSIST:
        return this.setPersist(request.value !== 0)
      case TUNSETOWNER:
        return this.setOwner(request.value)
      case TUNSETGROUP:
        return this.setGroup(request.value)
      default:
        return -Errno.ENOTTY
    }
  }

  /** Makes the device outlive its file, or not (TUNSETPERSIST). */
  setPersist(on: boolean): number {
    return this.change(tun => {
      tun.flags = on ? tun.flags | IFF_PERSIST : tun.flags & ~IFF_PERSIST
    })
  }

  /** Lets a user attach to it (TUNSETOWNER). */
  setOwner(uid: number): number {
    return this.change(tun => {
      tun.owner = uid
    })
  }

  /** Lets a group attach to it (TUNSETGROUP). */
  setGroup(gid: number): number {
    return this.change(tun => {
      tun.group = gid
    })
  }

  private change(fn: (tun: Tun) => void): number {
    const tun = tunOf(this.dev)
    if (tun === undefined) return -Errno.EBADFD
    fn(tun)
    return 0
  }

  /** @returns the next packet the device sent, with its headers as the flags ask; -EAGAIN, -EBADFD */
  read(): Uint8Array | number {
    const tun = tunOf(this.dev)
    if (tun === undefined) return -Errno.EBADFD
    const skb = this.queue.dequeue()
    if (skb === null) return -Errno.EAGAIN
    const { stats } = this.dev!
    stats.txPackets++
    stats.txBytes += skb.len
    const lead = headerLength(tun.flags)
    const data = new Uint8Array(lead + skb.len)
    data.set(skb.bytes(), lead)
    if ((tun.flags & IFF_NO_PI) === 0) {
      data[2] = skb.protocol >> 8
      data[3] = skb.protocol & 0xff
    }
    skb.consume()
    return data
  }

  /** The device receives a packet. @returns bytes taken, -EINVAL, -EIO while it is down, -EBADFD */
  write(data: Uint8Array): number {
    const tun = tunOf(this.dev)
    if (tun === undefined) return -Errno.EBADFD
    const dev = this.dev!
    const lead = headerLength(tun.flags)
    const length = data.length - lead
    if (length < 0 || ((tun.flags & IFF_TAP) !== 0 && length < ETH_HLEN)) return -Errno.EINVAL
    if (!dev.running) return -Errno.EIO
    const protocol = (tun.flags & IFF_NO_PI) === 0 ? (data[2]! << 8) | data[3]! : ipProtocol(data[lead])
    if ((tun.flags & IFF_TUN) !== 0 && protocol === 0) {
      dev.stats.rxDropped++
      return -Errno.EINVAL
    }
    const { kernel } = dev.net
    const skb = kernel.skbs.alloc(64 + length)
    skb.reserve(64)
    skb.buf.set(data.subarray(lead), skb.put(length))
    if ((tun.flags & IFF_TAP) !== 0) skb.protocol = ethTypeTrans(skb, dev)
    else {
      skb.dev = dev
      skb.protocol = protocol
      skb.resetMacHeader()
    }
    dev.stats.rxPackets++
    dev.stats.rxBytes += length
    kernel.softirq.disable()
    kernel.netcore.netifReceiveSkb(skb)
    kernel.softirq.enable()
    return data.length
  }

  /** The last descriptor was closed: the device loses its carrier, and unless it persists it goes. */
  close(): void {
    const dev = this.dev
    const tun = tunOf(dev)
    this.dev = undefined
    this.queue.purge('tun_detach')
    if (dev === undefined || tun === undefined) return
    const i = tun.files.indexOf(this)
    if (i >= 0) tun.files.splice(i, 1)
    if (tun.files.length > 0) return
    netifCarrierOff(dev)
    if ((tun.flags & IFF_PERSIST) === 0 && dev.regState === 'registered') unregisterNetdevice(dev)
  }

  /** Used by the driver: the device is deleted while the file is open. */
  detach(): void {
    this.dev = undefined
    this.queue.purge('tun_detach_all')
    this.wq.wake()
  }
}

function headerLength(flags: number): number {
  return ((flags & IFF_NO_PI) === 0 ? PI_LEN : 0) + ((flags & IFF_VNET_HDR) !== 0 ? VNET_HDR_LEN : 0)
}

function ipProtocol(first: number | undefined): number {
  if (first === undefined) return 0
  if (first >> 4 === 4) return ETH_P_IP
  return first >> 4 === 6 ? ETH_P_IPV6 : 0
}

/** The link type; its devices are made through TunFile only. */
export const tunLinkOps: RtnlLinkOps = {
  kind: 'tun',
  hasData: true,
  setup: dev => setup(dev, IFF_TUN),
  validate(_msg, extack) {
    return extack.fail(-Errno.EOPNOTSUPP, 'tun/tap creation via rtnetlink is not supported.')
  },
  fillInfo(dev) {
    const tun = dev.priv as Tun
    const multi = (tun.flags & IFF_MULTI_QUEUE) !== 0
    return {
      type: tun.flags & (IFF_TUN | IFF_TAP),
      ...(tun.owner === undefined ? {} : { owner: tun.owner }),
      ...(tun.group === undefined ? {} : { group: tun.group }),
      pi: (tun.flags & IFF_NO_PI) === 0 ? 1 : 0,
      vnetHdr: (tun.flags & IFF_VNET_HDR) !== 0 ? 1 : 0,
      persist: (tun.flags & IFF_PERSIST) !== 0 ? 1 : 0,
      multiQueue: multi ? 1 : 0,
      ...(multi ? { numQueues: tun.files.length, numDisabledQueues: 0 } : {}),
    }
  },
}

/** Opens /dev/net/tun and attaches it: the whole of what `ip tuntap` does before its further ioctls. */
export function tunSetIff(net: Net, name: string, flags: number): TunFile | number {
  const file = new TunFile(net)
  const rc = file.setIff(name, flags)
  return typeof rc === 'number' ? rc : file
}

/** @returns the files that sysfs shows of tun and tap devices */
export function tunSysfs(dev: NetDevice): (readonly [string, KernfsNode])[] {
  if (tunOf(dev) === undefined) return []
  const show = (read: () => string): KernfsNode => kernfsText(() => `${read()}\n`)
  return [
    ['group', show(() => String(tunAttributes(dev)?.group ?? -1))],
    ['owner', show(() => String(tunAttributes(dev)?.owner ?? -1))],
    ['tun_flags', show(() => `0x${(tunAttributes(dev)?.flags ?? 0).toString(16)}`)],
  ]
}
