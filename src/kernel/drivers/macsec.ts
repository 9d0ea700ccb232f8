/**
 * `macsec` (IEEE 802.1AE): a device on top of an Ethernet whose frames are protected. Keys come by its own netlink
 * family; until there is a transmit association, protected frames cannot be sent.
 */
import { Errno } from '../../uapi/errno.ts'
import { ARPHRD_ETHER, IFF_UP } from '../../uapi/if.ts'
import { linkData, type MacsecData } from '../../uapi/if_link.ts'
import { devUcAdd, devUcDel } from '../core/dev_addr_lists.ts'
import { devSetMtu } from '../core/dev_config.ts'
import { registerNetdevice, unregisterNetdevice, unregisterNetdeviceMany } from '../core/dev_core.ts'
import { netdevUpperDevLink, netdevUpperDevUnlink } from '../core/dev_upper.ts'
import { ETH_ALEN, ETH_MAX_MTU, etherSetup, isValidEtherAddr, isZeroEtherAddr } from '../core/ethernet.ts'
import { NETIF_F_FRAGLIST, NETIF_F_HIGHDMA, NETIF_F_LLTX, NETIF_F_SG } from '../core/features.ts'
import {
  linkwatchFireEvent,
  netifCarrierOff,
  netifCarrierOn,
  netifStackedTransferOperstate,
} from '../core/link_watch.ts'
import type { KernelModule } from '../core/module.ts'
import { IFF_NO_QUEUE, NETDEV_TX_OK, type NetDevice, type NetDeviceOps, type RtnlLinkOps } from '../core/net_device.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import type { Kernel } from '../kernel.ts'

const DEFAULT_CIPHER = 0x0080020001000001n
const CIPHERS = [DEFAULT_CIPHER, 0x0080c20001000001n, 0x0080c20001000002n, 0x0080c20001000003n, 0x0080c20001000004n]
const DEFAULT_ICV_LEN = 16
const MIN_ICV_LEN = 8
/** Bytes of the tag with a channel identifier. */
const TAG_LEN = 16
/** Port of a channel where the request names none. */
const ES_PORT = 1
const VALIDATE_STRICT = 2
const ASSOCIATIONS = 4

/** A device's settings (`macsec_secy`). */
class Macsec {
  readonly realDev: NetDevice
  sci = 0n
  icvLen = DEFAULT_ICV_LEN
  cipher = DEFAULT_CIPHER
  encodingSa = 0
  encrypt = 0
  protect = 1
  sendSci = 1
  endStation = 0
  scb = 0
  replay = 0
  window = 0
  validation = VALIDATE_STRICT
  offload = 0

  constructor(realDev: NetDevice) {
    this.realDev = realDev
  }
}

function priv(dev: NetDevice): Macsec {
  return dev.priv as Macsec
}

function sciOf(address: Uint8Array, port: number): bigint {
  let sci = 0n
  for (const byte of address) sci = (sci << 8n) | BigInt(byte)
  return (sci << 16n) | BigInt(port)
}

const ops: NetDeviceOps = {
  init(dev) {
    const { realDev } = priv(dev)
    dev.features |= realDev.features & (NETIF_F_SG | NETIF_F_HIGHDMA | NETIF_F_FRAGLIST)
    dev.features |= NETIF_F_LLTX
    dev.neededHeadroom = realDev.neededHeadroom + TAG_LEN
    if (isZeroEtherAddr(dev.devAddr)) dev.devAddr = realDev.devAddr.slice()
    if (isZeroEtherAddr(dev.broadcast)) dev.broadcast = realDev.broadcast.slice()
    return 0
  },
  open(dev) {
    const { realDev } = priv(dev)
    const rc = devUcAdd(realDev, dev.devAddr)
    if (rc < 0) return rc
    if (realDev.carrier) netifCarrierOn(dev)
    return 0
  },
  stop(dev) {
    devUcDel(priv(dev).realDev, dev.devAddr)
    netifCarrierOff(dev)
    return 0
  },
  startXmit(skb, dev) {
    const { protect, realDev } = priv(dev)
    if (protect !== 0) {
      // there is no association to protect it with
      dev.stats.txDropped++
      skb.free('macsec_start_xmit')
      return NETDEV_TX_OK
    }
    dev.stats.txPackets++
    dev.stats.txBytes += skb.len
    skb.dev = realDev
    dev.net.kernel.netcore.queueXmit(skb)
    return NETDEV_TX_OK
  },
  changeMtu(dev, mtu) {
    const { realDev, icvLen } = priv(dev)
    if (mtu + icvLen + TAG_LEN > realDev.mtu) return -Errno.ERANGE
    dev.mtu = mtu
    return 0
  },
  setMacAddress(dev, address) {
    if (!isValidEtherAddr(address)) return -Errno.EADDRNOTAVAIL
    const { realDev } = priv(dev)
    if ((dev.flags & IFF_UP) !== 0) {
      const rc = devUcAdd(realDev, address)
      if (rc < 0) return rc
      devUcDel(realDev, dev.devAddr)
    }
    dev.devAddr = address
    return 0
  },
  getIflink: dev => priv(dev).realDev.ifindex,
}

function validate(data: MacsecData | undefined): number {
  if (data === undefined) return 0
  if (data.cipherSuite !== undefined && !CIPHERS.includes(data.cipherSuite)) return -Errno.EINVAL
  if (data.icvLen !== undefined && (data.icvLen < MIN_ICV_LEN || data.icvLen > DEFAULT_ICV_LEN)) return -Errno.EINVAL
  if ((data.encodingSa ?? 0) >= ASSOCIATIONS) return -Errno.EINVAL
  const es = data.es ?? 0
  const sci = data.incSci ?? 0
  const scb = data.scb ?? 0
  if ((sci !== 0 && (scb !== 0 || es !== 0)) || (scb !== 0 && es !== 0 && sci !== 0)) return -Errno.EINVAL
  if ((data.validation ?? 0) > VALIDATE_STRICT) return -Errno.EINVAL
  if ((data.replayProtect ?? 0) !== 0 && data.window === undefined) return -Errno.EINVAL
  return 0
}

function change(macsec: Macsec, data: MacsecData): void {
  if (data.encodingSa !== undefined) macsec.encodingSa = data.encodingSa
  if (data.window !== undefined) macsec.window = data.window
  if (data.encrypt !== undefined) macsec.encrypt = data.encrypt
  if (data.protect !== undefined) macsec.protect = data.protect
  if (data.incSci !== undefined) macsec.sendSci = data.incSci
  if (data.es !== undefined) macsec.endStation = data.es
  if (data.scb !== undefined) macsec.scb = data.scb
  if (data.replayProtect !== undefined) macsec.replay = data.replayProtect
  if (data.validation !== undefined) macsec.validation = data.validation
  if (data.cipherSuite !== undefined) macsec.cipher = data.cipherSuite
}

/** @returns the devices on top of one */
function devicesOn(realDev: NetDevice): NetDevice[] {
  return realDev.upper.filter(dev => dev.priv instanceof Macsec)
}

/** The link type. */
export const macsecLinkOps: RtnlLinkOps = {
  kind: 'macsec',
  hasData: true,
  setup(dev) {
    etherSetup(dev)
    dev.minMtu = 0
    dev.maxMtu = ETH_MAX_MTU
    dev.privFlags |= IFF_NO_QUEUE
    dev.ops = ops
    dev.devType = 'macsec'
    dev.broadcast = new Uint8Array(ETH_ALEN)
  },
  validate: msg => validate(linkData(msg.attrs.linkinfo, 'macsec')),
  newlink(srcNet, dev, msg, extack) {
    const data = linkData(msg.attrs.linkinfo, 'macsec') ?? {}
    const { link, mtu } = msg.attrs
    if (link === undefined) return -Errno.EINVAL
    const realDev = srcNet.devByIndex(link)
    if (realDev === undefined) return -Errno.ENODEV
    if (realDev.type !== ARPHRD_ETHER) return -Errno.EINVAL
    const macsec = new Macsec(realDev)
    dev.priv = macsec
    if (data.icvLen !== undefined) macsec.icvLen = data.icvLen
    if (mtu === undefined) dev.mtu = Math.max(0, realDev.mtu - macsec.icvLen - TAG_LEN)
    let rc = registerNetdevice(dev)
    if (rc < 0) return rc
    rc = netdevUpperDevLink(realDev, dev, false, extack)
    if (rc < 0) {
      unregisterNetdevice(dev)
      return rc
    }
    macsec.sci = data.sci ?? sciOf(dev.devAddr, data.port ?? ES_PORT)
    if (devicesOn(realDev).some(other => other !== dev && priv(other).sci === macsec.sci)) {
      netdevUpperDevUnlink(realDev, dev)
      unregisterNetdevice(dev)
      return -Errno.EBUSY
    }
    change(macsec, data)
    netifStackedTransferOperstate(realDev, dev)
    linkwatchFireEvent(dev)
    return 0
  },
  changelink(dev, msg) {
    const data = linkData(msg.attrs.linkinfo, 'macsec')
    if (data === undefined) return 0
    if (
      data.cipherSuite !== undefined ||
      data.icvLen !== undefined ||
      data.sci !== undefined ||
      data.port !== undefined
    )
      return -Errno.EINVAL
    change(priv(dev), data)
    return 0
  },
  dellink(dev, kill) {
    netdevUpperDevUnlink(priv(dev).realDev, dev)
    kill.push(dev)
  },
  fillInfo(dev): MacsecData {
    const macsec = priv(dev)
    const data: MacsecData = {
      sci: macsec.sci,
      icvLen: macsec.icvLen,
      cipherSuite: macsec.cipher,
      encodingSa: macsec.encodingSa,
      protect: macsec.protect,
      encrypt: macsec.encrypt,
      incSci: macsec.sendSci,
      es: macsec.endStation,
      scb: macsec.scb,
      replayProtect: macsec.replay,
      validation: macsec.validation,
      offload: macsec.offload,
    }
    if (macsec.replay !== 0) data.window = macsec.window
    return data
  },
  getLinkNet: dev => priv(dev).realDev.net,
}

function follow(kernel: Kernel): void {
  kernel.netdevChain.register((event, realDev) => {
    if (event === 'CHANGE' || event === 'UP' || event === 'DOWN')
      for (const dev of devicesOn(realDev)) netifStackedTransferOperstate(realDev, dev)
    else if (event === 'CHANGEMTU') {
      for (const dev of devicesOn(realDev)) {
        const most = realDev.mtu - priv(dev).icvLen - TAG_LEN
        if (dev.mtu > most) devSetMtu(dev, most)
      }
    } else if (event === 'UNREGISTER' && realDev.regState === 'unregistering') {
      const kill: NetDevice[] = []
      for (const dev of devicesOn(realDev)) macsecLinkOps.dellink!(dev, kill)
      if (kill.length > 0) unregisterNetdeviceMany(kill)
    }
    return 0
  })
}

/** The module. */
export const macsecModule: KernelModule = {
  name: 'macsec',
  aliases: ['rtnl-link-macsec'],
  init(kernel) {
    kernel.log.print(6, 'MACsec IEEE 802.1AE')
    registerLinkOps(kernel, macsecLinkOps)
    follow(kernel)
  },
}
