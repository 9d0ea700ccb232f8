/**
 * ARP (RFC 826): asking for the link-layer addresses of IPv4 neighbours, answering, learning, and answering for others
 * (proxy ARP, RFC 1027). The arp_… settings are those of ip-sysctl, conf/interface.
 */
import { Errno } from '../../uapi/errno.ts'
import { ARPHRD_ETHER, ETH_P_ARP, ETH_P_IP, IFF_LOOPBACK, IFF_NOARP, IFF_POINTOPOINT } from '../../uapi/if.ts'
import {
  NUD_FAILED,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  NUD_STALE,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_UNICAST,
} from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import type { PacketType } from '../core/dev.ts'
import { l3mdevMasterIfindex } from '../core/l3mdev.ts'
import {
  NEIGH_OUTPUT_DIRECT,
  NEIGH_OUTPUT_RESOLVE,
  NEIGH_UPDATE_F_ADMIN,
  NEIGH_UPDATE_F_OVERRIDE,
  NEIGH_VAR_APP_PROBES,
  NEIGH_VAR_LOCKTIME,
  NEIGH_VAR_PROXY_DELAY,
  NEIGH_VAR_UCAST_PROBES,
  type Neighbour,
  type NeighOps,
  type NeighParms,
  NeighTable,
  NUD_VALID,
  neighAppNs,
  neighCarrierDown,
  neighChangeaddr,
  neighCreate,
  neighEventNs,
  neighIfdown,
  neighParmsAlloc,
  neighParmsRelease,
  neighUpdate,
  pneighEnqueue,
  pneighLookup,
} from '../core/neighbour.ts'
import { neighStatText } from '../core/neighbour_tbl.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { procCreateNet } from '../core/procfs.ts'
import { PACKET_HOST, PACKET_LOOPBACK, PACKET_OTHERHOST, type SkBuff } from '../core/skbuff.ts'
import { neighSysctlFollow } from '../core/sysctl_neigh.ts'
import type { Kernel } from '../kernel.ts'
import { NF_ARP_IN, NF_ARP_OUT, NFPROTO_ARP, nfHook } from '../netfilter/core.ts'
import { arpTblKey } from './arp_tbl.ts'
import { IPV4_DEVCONF_DROP_GRATUITOUS_ARP, IPV4_DEVCONF_MEDIUM_ID } from './devconf.ts'
import { inetAddrOnlink, inetConfirmAddr, inetSelectAddr } from './devinet_select.ts'
import { inetAddrTypeDevTable } from './fib_lookup.ts'
import { Flowi4 } from './flow.ts'
import { icmpSendOpt } from './icmp.ts'
import { ICMP_DEST_UNREACH, ICMP_HOST_UNREACH } from './icmp_types.ts'
import { ipEthMcMap } from './igmp.ts'
import {
  type InDevice,
  inDevArpAccept,
  inDevArpAnnounce,
  inDevArpEvictNocarrier,
  inDevArpfilter,
  inDevArpIgnore,
  inDevConf,
  inDevForward,
  inDevGet,
  inDeviceFollowers,
  inDevOrconf,
  inDevProxyArp,
  inDevProxyArpPvlan,
  inDevRouteLocalnet,
  ipv4IsLoopback,
  ipv4IsMulticast,
} from './in_device.ts'
import { addrText, addrToBytes } from './inet_addr.ts'
import { get16, get32, IP_HLEN, OFF_SADDR, put16, put32 } from './ip.ts'
import { IpOptions, ipOptionsCompileQuietly } from './ip_options.ts'
import { ipRouteInput, ipRouteOutputKey } from './route.ts'
import { type Rtable, rtCacheFlush } from './rtable.ts'
import { LINUX_MIB_ARPFILTER, netInc } from './snmp.ts'

const ARPOP_REQUEST = 1
const ARPOP_REPLY = 2
/** Hardware type of IEEE 802.2 networks, which Ethernets accept as well. */
const ARPHRD_IEEE802 = 6
/** Length of the part before the addresses, bytes. */
const ARP_HLEN = 8

/** Flags of /proc/net/arp. */
const ATF_COM = 0x02
const ATF_PERM = 0x04
const ATF_PUBL = 0x08

/** On a packet from the proxy queue (LOCALLY_ENQUEUED). */
const LOCALLY_ENQUEUED = 1

const arpOps: NeighOps = { solicit, errorReport }

/** Sets a fresh entry up (arp_constructor). */
function setup(n: Neighbour): number {
  const { dev } = n
  const inDev = inDevGet(dev)
  if (inDev === undefined) return -Errno.EINVAL
  // such devices have one entry for everybody
  if ((dev.flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) !== 0) n.rekey(new Uint8Array(4))
  const addr = n.keyWord
  n.type = inetAddrTypeDevTable(dev.net, dev, addr)
  n.parms = inDev.arpParms as NeighParms
  n.ops = arpOps
  if (dev.headerOps === undefined) {
    n.nudState = NUD_NOARP
    n.output = NEIGH_OUTPUT_DIRECT
    return 0
  }
  if (n.type === RTN_MULTICAST) {
    n.nudState = NUD_NOARP
    n.ha = dev.addrLen === 6 ? ipEthMcMap(addr) : dev.broadcast.slice()
  } else if ((dev.flags & (IFF_NOARP | IFF_LOOPBACK)) !== 0) {
    n.nudState = NUD_NOARP
    n.ha = dev.devAddr.slice()
  } else if (n.type === RTN_BROADCAST || (dev.flags & IFF_POINTOPOINT) !== 0) {
    n.nudState = NUD_NOARP
    n.ha = dev.broadcast.slice()
  }
  n.output = NEIGH_OUTPUT_RESOLVE
  return 0
}

/** Asks for an address (arp_solicit): unicast to the last known one first, then user space, then everybody. */
function solicit(n: Neighbour, skb: SkBuff | null): void {
  const { dev, parms } = n
  const inDev = inDevGet(dev)
  if (inDev === undefined) return
  const target = n.keyWord
  let saddr = 0
  if (skb !== null) {
    const announce = inDevArpAnnounce(inDev)
    const from = get32(skb.buf, skb.networkHeader + OFF_SADDR)
    if (announce < 2 && inetAddrTypeDevTable(dev.net, dev, from) === RTN_LOCAL) {
      if (announce === 0 || inetAddrOnlink(inDev, target, from)) saddr = from
    }
  }
  if (saddr === 0) saddr = inetSelectAddr(dev, target, RT_SCOPE_LINK)
  let probes = n.probes - parms.data[NEIGH_VAR_UCAST_PROBES]!
  let to: Uint8Array | undefined
  if (probes < 0) to = n.ha
  else {
    probes -= parms.data[NEIGH_VAR_APP_PROBES]!
    if (probes < 0) {
      neighAppNs(n)
      return
    }
  }
  arpSend(ARPOP_REQUEST, target, dev, saddr, to, undefined)
}

/** A packet's next hop does not answer: its sender is told (arp_error_report, ipv4_link_failure). */
function errorReport(_n: Neighbour, skb: SkBuff): void {
  const { buf, networkHeader: iph } = skb
  const rt = skb.dst as Rtable | null
  if (rt !== null && iph >= 0 && iph + IP_HLEN <= skb.tail) {
    const ihl = buf[iph]! & 15
    if (buf[iph]! >> 4 === 4 && ihl >= 5 && iph + ihl * 4 <= skb.tail) {
      let opt: IpOptions | null = null
      let rc = 0
      if (ihl > 5) {
        opt = new IpOptions()
        opt.optlen = ihl * 4 - IP_HLEN
        rc = ipOptionsCompileQuietly(rt.net, opt, skb)
      }
      if (rc === 0) icmpSendOpt(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0, opt)
    }
    // what was learned of the path through this neighbour no longer counts
    rt.expires = rt.net.kernel.clock.now
  }
  skb.free('arp_error_report', 'NEIGH_FAILED')
}

/**
 * Sends an ARP message (arp_send). Addresses of IPv4 in host order.
 * @param destHw undefined: to everybody @param targetHw undefined: zero in the message
 */
export function arpSend(
  op: number,
  destIp: number,
  dev: NetDevice,
  srcIp: number,
  destHw: Uint8Array | undefined,
  targetHw: Uint8Array | undefined,
): void {
  if ((dev.flags & IFF_NOARP) !== 0) return
  const skb = arpCreate(op, destIp, dev, srcIp, destHw, targetHw)
  if (skb !== undefined) nfHook(NFPROTO_ARP, NF_ARP_OUT, dev.net, skb, null, dev, arpXmitFinish)
}

function arpXmitFinish(skb: SkBuff): number {
  return skb.dev!.net.kernel.netcore.queueXmit(skb)
}

/** Makes an ARP frame (arp_create). @returns undefined where the device cannot give it a link header */
function arpCreate(
  op: number,
  destIp: number,
  dev: NetDevice,
  srcIp: number,
  destHw: Uint8Array | undefined,
  targetHw: Uint8Array | undefined,
): SkBuff | undefined {
  const { addrLen } = dev
  const length = ARP_HLEN + 2 * (addrLen + 4)
  const skb = dev.net.kernel.skbs.alloc(dev.llReserved + length)
  skb.reserve(dev.llReserved)
  skb.resetNetworkHeader()
  const at = skb.put(length)
  skb.dev = dev
  skb.protocol = ETH_P_ARP
  const { buf } = skb
  put16(buf, at, dev.type)
  put16(buf, at + 2, ETH_P_IP)
  buf[at + 4] = addrLen
  buf[at + 5] = 4
  put16(buf, at + 6, op)
  const sender = at + ARP_HLEN
  const target = sender + addrLen + 4
  for (let i = 0; i < addrLen; i++) {
    buf[sender + i] = dev.devAddr[i]!
    buf[target + i] = targetHw === undefined ? 0 : targetHw[i]!
  }
  put32(buf, sender + addrLen, srcIp)
  put32(buf, target + addrLen, destIp)
  if (
    dev.headerOps !== undefined &&
    dev.headerOps.create(skb, dev, ETH_P_ARP, destHw ?? dev.broadcast, dev.devAddr, length) < 0
  ) {
    skb.free('arp_create')
    return undefined
  }
  return skb
}

/** Takes ARP frames from the devices (arp_rcv). */
function arpRcv(skb: SkBuff, dev: NetDevice): number {
  if ((dev.flags & IFF_NOARP) !== 0 || skb.pktType === PACKET_OTHERHOST || skb.pktType === PACKET_LOOPBACK) {
    skb.consume()
    return 0
  }
  const { buf, data } = skb
  if (skb.len < ARP_HLEN + 2 * (dev.addrLen + 4) || buf[data + 4] !== dev.addrLen || buf[data + 5] !== 4) {
    skb.free('arp_rcv')
    return 0
  }
  skb.networkHeader = data
  skb.cbFlags = 0
  return nfHook(NFPROTO_ARP, NF_ARP_IN, dev.net, skb, dev, null, arpProcess)
}

/** @returns whether a device takes a message's hardware type */
function hardwareFits(dev: NetDevice, hrd: number): boolean {
  return hrd === dev.type || (dev.type === ARPHRD_ETHER && hrd === ARPHRD_IEEE802)
}

/** Answers and learns (arp_process). Takes the frame over. The interesting requests are those for our addresses. */
function arpProcess(skb: SkBuff): number {
  const dev = skb.dev!
  const inDev = inDevGet(dev)
  const { buf, networkHeader: at } = skb
  const op = get16(buf, at + 6)
  const { addrLen } = dev
  const sip = get32(buf, at + ARP_HLEN + addrLen)
  const tip = get32(buf, at + ARP_HLEN + 2 * addrLen + 4)
  if (
    inDev === undefined ||
    get16(buf, at + 2) !== ETH_P_IP ||
    !hardwareFits(dev, get16(buf, at)) ||
    (op !== ARPOP_REQUEST && op !== ARPOP_REPLY) ||
    ipv4IsMulticast(tip) ||
    (ipv4IsLoopback(tip) && !inDevRouteLocalnet(inDev)) ||
    (sip === tip && inDevOrconf(inDev, IPV4_DEVCONF_DROP_GRATUITOUS_ARP))
  ) {
    skb.free('arp_process')
    return 0
  }
  const sha = buf.slice(at + ARP_HLEN, at + ARP_HLEN + addrLen)
  if (sip === 0) {
    // somebody looks whether an address is free (RFC 2131)
    const ours = op === ARPOP_REQUEST && inetAddrTypeDevTable(dev.net, dev, tip) === RTN_LOCAL
    if (ours && !arpIgnore(inDev, sip, tip)) arpSend(ARPOP_REPLY, sip, dev, tip, sha, sha)
  } else {
    const answer = op === ARPOP_REQUEST ? answerRequest(skb, dev, inDev, sip, tip, sha) : 'none'
    if (answer === 'later') return 0
    if (answer === 'none') learn(skb, dev, inDev, op, sip, tip, sha)
  }
  skb.consume()
  return 0
}

/**
 * Answers a request for an address of ours, or for one that we answer for.
 * @returns 'later' where the proxy queue has taken the request over, 'none' where it is not for us
 */
function answerRequest(
  skb: SkBuff,
  dev: NetDevice,
  inDev: InDevice,
  sip: number,
  tip: number,
  sha: Uint8Array,
): 'done' | 'later' | 'none' {
  const tbl = dev.net.at(arpTblKey)
  skb.dst = null
  if (ipRouteInput(skb, tip, sip, 0, dev) !== 0) return 'none'
  const rt = skb.dst as Rtable | null
  if (rt === null) return 'none'
  skb.dst = null
  if (rt.type === RTN_LOCAL) {
    const silent = arpIgnore(inDev, sip, tip) || (inDevArpfilter(inDev) && arpFilter(sip, tip, dev))
    if (!silent && neighEventNs(tbl, sha, addrToBytes(sip), dev) !== undefined)
      arpSend(ARPOP_REPLY, sip, dev, tip, sha, sha)
    return 'done'
  }
  if (!inDevForward(inDev) || rt.type !== RTN_UNICAST || !proxied(tbl, dev, inDev, rt, sip, tip)) return 'none'
  neighEventNs(tbl, sha, addrToBytes(sip), dev)
  const parms = inDev.arpParms as NeighParms
  const atOnce = skb.cbFlags === LOCALLY_ENQUEUED || skb.pktType === PACKET_HOST
  if (atOnce || parms.data[NEIGH_VAR_PROXY_DELAY] === 0) {
    arpSend(ARPOP_REPLY, sip, dev, tip, sha, sha)
    return 'done'
  }
  pneighEnqueue(tbl, parms, skb)
  return 'later'
}

/** @returns whether we answer for an address: proxy_arp, proxy_arp_pvlan, or an entry made by hand */
function proxied(tbl: NeighTable, dev: NetDevice, inDev: InDevice, rt: Rtable, sip: number, tip: number): boolean {
  if (rt.dev === dev) return sip !== tip && inDevProxyArpPvlan(inDev)
  if (inDevProxyArp(inDev)) {
    const medium = inDevConf(inDev, IPV4_DEVCONF_MEDIUM_ID)
    if (medium === 0) return true
    if (medium !== -1) {
      const out = inDevGet(rt.dev)
      const other = out === undefined ? -1 : inDevConf(out, IPV4_DEVCONF_MEDIUM_ID)
      if (other !== medium && other !== -1) return true
    }
  }
  return pneighLookup(tbl, dev.net, addrToBytes(tip), dev) !== undefined
}

/** @returns whether a request is not answered because of arp_ignore */
function arpIgnore(inDev: InDevice, sip: number, tip: number): boolean {
  const { net } = inDev
  switch (inDevArpIgnore(inDev)) {
    case 1:
      return inetConfirmAddr(net, inDev, 0, tip, RT_SCOPE_HOST) === 0
    case 2:
      return inetConfirmAddr(net, inDev, sip, tip, RT_SCOPE_HOST) === 0
    case 3:
      return inetConfirmAddr(net, undefined, 0, tip, RT_SCOPE_LINK) === 0
    case 8:
      return true
    default:
      return false
  }
}

const flow = new Flowi4()

/** @returns whether a request is not answered because the answer would leave by another device (arp_filter) */
function arpFilter(sip: number, tip: number, dev: NetDevice): boolean {
  const fl4 = flow.clear()
  fl4.daddr = sip
  fl4.saddr = tip
  fl4.oif = l3mdevMasterIfindex(dev)
  const rt = ipRouteOutputKey(dev.net, fl4)
  if (typeof rt === 'number') return true
  if (rt.dev === dev) return false
  netInc(dev.net, LINUX_MIB_ARPFILTER)
  return true
}

/** @returns whether a message announces its sender's own address to everybody (arp_is_garp) */
function isGratuitous(dev: NetDevice, op: number, sip: number, tip: number, sha: Uint8Array, tha: Uint8Array): boolean {
  if (sip !== tip) return false
  if (op === ARPOP_REPLY && !sha.every((byte, i) => byte === tha[i])) return false
  return inetAddrTypeDevTable(dev.net, dev, sip) === RTN_UNICAST
}

/** Takes the sender's address over where there is an entry, or where arp_accept lets one be made. */
function learn(
  skb: SkBuff,
  dev: NetDevice,
  inDev: InDevice,
  op: number,
  sip: number,
  tip: number,
  sha: Uint8Array,
): void {
  const tbl = dev.net.at(arpTblKey)
  const key = addrToBytes(sip)
  let n: Neighbour | number | undefined = tbl.lookup(key, dev)
  const accepts = inDevArpAccept(inDev)
  const accept = accepts === 1 || (accepts === 2 && inetAddrOnlink(inDev, sip, 0))
  if (n === undefined && !accept) return
  const tha = skb.buf.subarray(skb.networkHeader + ARP_HLEN + dev.addrLen + 4)
  const gratuitous = isGratuitous(dev, op, sip, tip, sha, tha)
  if (n === undefined) {
    const unicast = op === ARPOP_REPLY && inetAddrTypeDevTable(dev.net, dev, sip) === RTN_UNICAST
    if (gratuitous || unicast) n = neighCreate(tbl, key, dev)
  }
  if (n === undefined || typeof n === 'number') return
  const now = tbl.kernel.clock.now
  // the first of several answers counts: later ones only after a while
  const override = gratuitous || now > n.updated + n.parms.data[NEIGH_VAR_LOCKTIME]!
  const state = op === ARPOP_REPLY && skb.pktType === PACKET_HOST ? NUD_REACHABLE : NUD_STALE
  neighUpdate(n, sha, state, override ? NEIGH_UPDATE_F_OVERRIDE : 0)
}

/** Forgets an address on a device (arp_invalidate). @param force even where the entry is valid @returns 0 or -ENXIO */
export function arpInvalidate(dev: NetDevice, addr: number, force: boolean): number {
  const tbl = dev.net.at(arpTblKey)
  const n = tbl.lookup(addrToBytes(addr), dev)
  if (n === undefined) return -Errno.ENXIO
  if ((n.nudState & NUD_VALID) !== 0 && !force) return 0
  let rc: number = -Errno.ENXIO
  if ((n.nudState & ~NUD_NOARP) !== 0)
    rc = neighUpdate(n, undefined, NUD_FAILED, NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN)
  tbl.remove(n)
  return rc
}

function hwText(address: Uint8Array): string {
  return Array.from(address, byte => byte.toString(16).padStart(2, '0')).join(':')
}

/** @returns /proc/net/arp */
function procArp(net: Net, tbl: NeighTable): string {
  let text = 'IP address       HW type     Flags       HW address            Mask     Device\n'
  const row = (addr: string, type: number, flags: number, hw: string, dev: string): string =>
    `${addr.padEnd(16)} 0x${type.toString(16).padEnd(10)}0x${flags.toString(16).padEnd(10)}${hw}     *        ${dev}\n`
  for (const n of tbl) {
    if (n.dev.net !== net || (n.nudState & ~NUD_NOARP) === 0) continue
    let flags = 0
    if ((n.nudState & NUD_PERMANENT) !== 0) flags = ATF_PERM | ATF_COM
    else if ((n.nudState & NUD_VALID) !== 0) flags = ATF_COM
    text += row(addrText(n.keyWord), n.dev.type, flags, hwText(n.ha).padEnd(17), n.dev.name)
  }
  for (const entry of tbl.proxies.entries) {
    if (entry.net !== net) continue
    const { dev } = entry
    text += row(
      addrText(get32(entry.key, 0)),
      dev?.type ?? 0,
      ATF_PUBL | ATF_PERM,
      '00:00:00:00:00:00',
      dev?.name ?? '*',
    )
  }
  return text
}

const arpPacketType: PacketType = { type: ETH_P_ARP, dev: undefined, net: undefined, name: 'arp_rcv', func: arpRcv }

/** Sends a gratuitous request for each of a device's addresses (inetdev_send_gratuitous_arp). */
function notifyPeers(inDev: InDevice): void {
  for (const ifa of inDev.ifaList) arpSend(ARPOP_REQUEST, ifa.local, inDev.dev, ifa.local, undefined, undefined)
}

/** Registers ARP with a kernel (arp_init); before IPv4 follows the devices. */
export function arpInit(kernel: Kernel): NeighTable {
  const tbl = new NeighTable(kernel, {
    family: AF_INET,
    keyLen: 4,
    protocol: ETH_P_IP,
    id: 'arp_cache',
    parms: {},
    setup,
    isMulticast: key => ipv4IsMulticast(get32(key, 0)),
    proxyRedo(skb) {
      skb.cbFlags = LOCALLY_ENQUEUED
      arpProcess(skb)
    },
  })
  kernel.netcore.addPack(arpPacketType)
  inDeviceFollowers(kernel).push({
    init(inDev) {
      inDev.arpParms = neighParmsAlloc(inDev.dev, tbl)
    },
    destroy(inDev) {
      neighParmsRelease(tbl, inDev.arpParms as NeighParms)
      neighIfdown(tbl, inDev.dev)
    },
    notifyPeers,
    invalidate(inDev, addr) {
      arpInvalidate(inDev.dev, addr, false)
    },
    ifdown(dev) {
      neighIfdown(tbl, dev)
    },
  })
  kernel.registerPernet({
    init(net) {
      net.set(arpTblKey, tbl)
      procCreateNet(net, 'arp', () => procArp(net, tbl))
      if (kernel.nets.size === 1) procCreateNet(net, 'stat/arp_cache', () => neighStatText(tbl))
    },
  })
  kernel.netdevChain.register((event, dev, info) => {
    if (event === 'CHANGEADDR') {
      neighChangeaddr(tbl, dev)
      rtCacheFlush(dev.net)
    } else if (event === 'CHANGE') {
      if (((info.flagsChanged ?? 0) & IFF_NOARP) !== 0) neighChangeaddr(tbl, dev)
      const inDev = inDevGet(dev)
      if (!dev.carrier && (inDev === undefined || inDevArpEvictNocarrier(inDev))) neighCarrierDown(tbl, dev)
    }
    return 0
  })
  return tbl
}

/** Gives the devices' ARP parameters their place in /proc/sys; after IPv4 follows the devices. */
export function arpSysctlInit(kernel: Kernel, tbl: NeighTable): void {
  neighSysctlFollow(kernel, tbl, dev => inDevGet(dev)?.arpParms as NeighParms | undefined)
}
