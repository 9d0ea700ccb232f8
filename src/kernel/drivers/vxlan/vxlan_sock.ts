/** Receiving: the sockets of VXLAN ports, and what comes in by them. */
import { NLM_F_CREATE, NLM_F_EXCL } from '../../../uapi/netlink.ts'
import { NTF_SELF, NUD_NOARP, NUD_PERMANENT, NUD_REACHABLE } from '../../../uapi/rtnetlink.ts'
import { skbScrubPacket } from '../../core/dev_forward.ts'
import { ETH_HLEN, etherAddrEqual, ethTypeTrans, isValidEtherAddr } from '../../core/ethernet.ts'
import type { SkBuff } from '../../core/skbuff.ts'
import { addrToBytes } from '../../ipv4/inet_addr.ts'
import { get32, OFF_SADDR, OFF_TOS } from '../../ipv4/ip.ts'
import { ecnDecapsulate } from '../../ipv4/ip_tunnel_core.ts'
import type { UdpSock } from '../../ipv4/udp.ts'
import { udpTunnelSock } from '../../ipv4/udp_tunnel.ts'
import {
  VXLAN_F_COLLECT_METADATA,
  VXLAN_F_GBP,
  VXLAN_F_LEARN,
  VXLAN_F_RCV_FLAGS,
  type Vxlan,
  type VxlanSock,
  vxlanNetKey,
} from './vxlan.ts'

/** Bytes of the UDP and the VXLAN header. */
const UDP_VXLAN_HLEN = 16
/** The flag that says that there is a network identifier. */
const VXLAN_HF_VNI = 0x08000000
const VXLAN_HF_GBP = 0x80000000

/** Joins a device to the socket of its port, which is opened for the first (vxlan_sock_add). @returns 0 or -EADDRINUSE */
export function vxlanSockAdd(vxlan: Vxlan): number {
  const { cfg, net } = vxlan
  // over IPv6 frames need a socket of that family
  if (cfg.ipv6) return 0
  const { socks } = net.at(vxlanNetKey)
  const flags = cfg.flags & VXLAN_F_RCV_FLAGS
  let sock = socks.find(each => each.port === cfg.dstPort && each.flags === flags)
  if (sock === undefined) {
    const devices = new Map<number, Vxlan>()
    const sk = udpTunnelSock(net, cfg.dstPort, (_sk: UdpSock, skb: SkBuff) => vxlanRcv(devices, skb))
    if (typeof sk === 'number') return sk
    sock = { sk, port: cfg.dstPort, flags, devices }
    socks.push(sock)
  }
  sock.devices.set(cfg.vni, vxlan)
  vxlan.sock = sock
  return 0
}

/** Leaves it; the last closes it (vxlan_sock_release). */
export function vxlanSockRelease(vxlan: Vxlan): void {
  const { sock } = vxlan
  if (sock === undefined) return
  vxlan.sock = undefined
  sock.devices.delete(vxlan.cfg.vni)
  if (sock.devices.size > 0) return
  const { socks } = vxlan.net.at(vxlanNetKey)
  socks.splice(socks.indexOf(sock), 1)
  sock.sk.release()
}

/** Learns behind which tunnel end a sender is (vxlan_snoop). @returns true where the frame must be dropped */
export function vxlanSnoop(vxlan: Vxlan, buf: Uint8Array, at: number, from: number, vni: number): boolean {
  const { cfg, fdb, dev } = vxlan
  const { now } = dev.net.kernel.clock
  const key = (cfg.flags & VXLAN_F_COLLECT_METADATA) !== 0 ? vni : 0
  const entry = fdb.find(buf, at, key)
  const known = entry?.remotes[0]
  if (entry !== undefined && known !== undefined) {
    entry.used = now
    if (known.ifindex === 0 && known.ip.length === 4 && get32(known.ip, 0) === from) return false
    // what user space has set does not move
    if ((entry.state & (NUD_PERMANENT | NUD_NOARP)) !== 0) return true
    known.ip = addrToBytes(from)
    entry.updated = now
    return false
  }
  if (dev.running)
    fdb.update(
      buf.slice(at, at + 6),
      key,
      { ip: addrToBytes(from), port: cfg.dstPort, vni: cfg.vni, ifindex: 0 },
      NUD_REACHABLE,
      NLM_F_EXCL | NLM_F_CREATE,
      NTF_SELF,
      now,
      cfg.limit,
    )
  return false
}

function drop(skb: SkBuff): number {
  skb.free('vxlan_rcv')
  return 0
}

/** Takes a datagram of a VXLAN port (vxlan_rcv); `data` is at the UDP header. */
function vxlanRcv(devices: ReadonlyMap<number, Vxlan>, skb: SkBuff): number {
  const { buf, data, networkHeader: iph } = skb
  if (skb.len < UDP_VXLAN_HLEN) return 1
  const flags = get32(buf, data + 8)
  if ((flags & VXLAN_HF_VNI) === 0) return 1
  const vni = get32(buf, data + 12) >>> 8
  const vxlan = devices.get(vni)
  if (vxlan === undefined || skb.len < UDP_VXLAN_HLEN + ETH_HLEN) return drop(skb)
  const { dev, cfg } = vxlan
  // bits that mean nothing to this device must be clear
  const known = VXLAN_HF_VNI | ((cfg.flags & VXLAN_F_GBP) !== 0 ? VXLAN_HF_GBP | 0x0048ffff : 0)
  if ((flags & ~known) !== 0) return drop(skb)
  const outerTos = buf[iph + OFF_TOS]!
  const from = get32(buf, iph + OFF_SADDR)
  skb.pull(UDP_VXLAN_HLEN)
  skbScrubPacket(skb, vxlan.net !== dev.net)
  const eth = skb.data
  const source = buf.subarray(eth + 6, eth + 12)
  if (etherAddrEqual(source, dev.devAddr)) return drop(skb)
  skb.protocol = ethTypeTrans(skb, dev)
  skb.resetNetworkHeader()
  skb.transportHeader = -1
  if ((cfg.flags & VXLAN_F_LEARN) !== 0 && isValidEtherAddr(source) && vxlanSnoop(vxlan, buf, eth + 6, from, vni))
    return drop(skb)
  if (!ecnDecapsulate(skb, outerTos)) {
    dev.stats.rxFrameErrors++
    dev.stats.rxErrors++
    return drop(skb)
  }
  if (!dev.running) {
    dev.stats.rxDropped++
    return drop(skb)
  }
  dev.stats.rxPackets++
  dev.stats.rxBytes += skb.len
  dev.net.kernel.netcore.netifRx(skb)
  return 0
}

/** @returns the device of a network at a port of this host, for frames that need not leave it (vxlan_find_vni) */
export function vxlanFindLocal(vxlan: Vxlan, port: number, vni: number): Vxlan | undefined {
  const sock = vxlan.net
    .at(vxlanNetKey)
    .socks.find((each: VxlanSock) => each.port === port && each.flags === (vxlan.cfg.flags & VXLAN_F_RCV_FLAGS))
  return sock?.devices.get(vni)
}
