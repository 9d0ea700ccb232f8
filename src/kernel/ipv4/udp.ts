/** UDP over IPv4 (RFC 768), see udp(7). */
import { Errno } from '../../uapi/errno.ts'
import {
  AF_INET,
  IP_PMTUDISC_DONT,
  IPPROTO_UDP,
  MSG_CONFIRM,
  MSG_DONTROUTE,
  MSG_ERRQUEUE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  type ReceivedMessage,
  type SendControl,
  SOCK_DGRAM,
  type Sockaddr,
} from '../../uapi/socket.ts'
import type { DropReason } from '../core/dropreason.ts'
import { NETIF_F_HW_CSUM, NETIF_F_IP_CSUM } from '../core/features.ts'
import type { Net } from '../core/net_namespace.ts'
import { skbCsumUnnecessary } from '../core/skb_checksum.ts'
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, type SkBuff } from '../core/skbuff.ts'
import { TCP_ESTABLISHED } from '../core/sock.ts'
import type { Cred } from '../core/socket.ts'
import { csumFold, csumFold16, csumPartial, csumTcpudpMagic, csumTcpudpNofold } from './checksum.ts'
import { Flowi4 } from './flow.ts'
import { icmpSend } from './icmp.ts'
import {
  ICMP_DEST_UNREACH,
  ICMP_ERR_CONVERT,
  ICMP_FRAG_NEEDED,
  ICMP_PARAMETERPROB,
  ICMP_PORT_UNREACH,
  ICMP_REDIRECT,
  ICMP_SOURCE_QUENCH,
  NR_ICMP_UNREACH,
} from './icmp_types.ts'
import { ipMcDropSocket, ipMcSfAllow } from './igmp_sock.ts'
import { ipv4IsMulticast } from './in_device.ts'
import { datagramDisconnect, flowInit, inetBind, ip4DatagramConnect, RTO_ONLINK, sendDevice } from './inet_bind.ts'
import { END_OF_FILE, InetSock, sockaddrIn } from './inet_sock.ts'
import { get16, get32, OFF_DADDR, OFF_SADDR, put16 } from './ip.ts'
import { ipMakeSkb } from './ip_make_skb.ts'
import { ipSendSkb, ipv4ConfirmNeigh } from './ip_output.ts'
import { inetSdif, ipCmsgRecv, ipIcmpError, ipRecvError, ipv4PktinfoPrepare } from './ip_sockglue.ts'
import { IpcmCookie } from './ipcm.ts'
import type { NetProtocol } from './protocol.ts'
import { ipRouteOutputKey, ipv4Redirect, ipv4UpdatePmtu } from './route.ts'
import { RTCF_BROADCAST, RTCF_MULTICAST, type Rtable } from './rtable.ts'
import {
  ICMP_MIB_INERRORS,
  IPSTATS_MIB_OUTNOROUTES,
  icmpInc,
  ipInc,
  mibKey,
  UDP_MIB_IGNOREDMULTI,
  UDP_MIB_INCSUMERRORS,
  UDP_MIB_INDATAGRAMS,
  UDP_MIB_INERRORS,
  UDP_MIB_NOPORTS,
  UDP_MIB_OUTDATAGRAMS,
  UDP_MIB_RCVBUFERRORS,
  UDP_MIB_SNDBUFERRORS,
  udpInc,
} from './snmp.ts'
import { udpTableKey } from './udp_table.ts'

/** Length of the header, and where its checksum is, bytes. */
export const UDP_HLEN = 8
const CSUM_OFFSET = 6

/** Takes the datagrams of a socket that is a tunnel's end. @returns 0 taken over, above 0 an ordinary datagram after all */
export type EncapRcv = (sk: UdpSock, skb: SkBuff) => number

const ipc = new IpcmCookie()
const flow = new Flowi4()

/** A UDP socket. */
export class UdpSock extends InetSock {
  /** set by tunnels */
  encapRcv: EncapRcv | undefined

  constructor(net: Net, cred: Cred, domain: number = AF_INET, protoName = 'UDP') {
    super(net, domain, SOCK_DGRAM, IPPROTO_UDP, cred, protoName)
  }

  protected destroy(): void {
    this.net.at(udpTableKey).unhash(this)
    ipMcDropSocket(this)
  }

  bind(address: Sockaddr): number {
    return inetBind(this, address, port => this.net.at(udpTableKey).getPort(this, port))
  }

  /** @returns whether the socket has a port now (inet_autobind) */
  autobind(): boolean {
    if (this.num !== 0) return true
    if (!this.net.at(udpTableKey).getPort(this, 0)) return false
    this.sport = this.num
    return true
  }

  connect(address: Sockaddr): number {
    if ((address.family as number) === 0)
      return datagramDisconnect(
        this,
        () => this.net.at(udpTableKey).unhash(this),
        () => {},
      )
    if (!this.autobind()) return -Errno.EAGAIN
    const to = sockaddrIn(address)
    return typeof to === 'number' ? to : ip4DatagramConnect(this, to, () => {})
  }

  /** udp_sendmsg */
  sendmsg(data: Uint8Array, flags: number, to: Sockaddr | undefined, control: SendControl | undefined): number {
    if (this.num === 0 && !this.autobind()) return -Errno.EAGAIN
    const { length } = data
    if (length > 0xffff) return -Errno.EMSGSIZE
    if ((flags & MSG_OOB) !== 0) return -Errno.EOPNOTSUPP
    let { daddr, dport } = this
    let connected = false
    if (to !== undefined) {
      const given = sockaddrIn(to)
      if (typeof given === 'number') return given
      daddr = given.addr
      dport = given.port
      if (dport === 0) return -Errno.EINVAL
    } else {
      if (this.state !== TCP_ESTABLISHED) return -Errno.EDESTADDRREQ
      connected = true
    }
    ipc.init(this)
    if (control !== undefined) {
      const rc = ipc.send(control)
      if (rc < 0) return rc
      connected = false
    }
    ipc.opt = this.opt
    let saddr = ipc.addr
    ipc.addr = daddr
    let rt: Rtable | null = null
    if (connected && (flags & MSG_DONTROUTE) === 0 && !this.localroute && ipc.opt === null && !ipv4IsMulticast(daddr))
      rt = this.dstCheck()
    if (rt === null) {
      const found = this.route(daddr, saddr, dport, flags, connected)
      if (typeof found === 'number') return found
      rt = found
      saddr = flow.saddr
      daddr = flow.daddr
      if (ipc.addr === 0) ipc.addr = daddr
    }
    if ((flags & MSG_CONFIRM) !== 0) ipv4ConfirmNeigh(rt, daddr)
    const skb = ipMakeSkb(this, saddr, daddr, rt, IPPROTO_UDP, UDP_HLEN + length, UDP_HLEN, ipc)
    if (typeof skb === 'number') {
      if (skb === -Errno.EAGAIN || skb === -Errno.ENOBUFS) udpInc(this.net, UDP_MIB_SNDBUFERRORS)
      return skb
    }
    const { buf, transportHeader: at } = skb
    if (length > 32) buf.set(data, at + UDP_HLEN)
    else for (let i = 0; i < length; i++) buf[at + UDP_HLEN + i] = data[i]!
    return this.sendSkb(skb, saddr, daddr, dport, length)
  }

  /** Looks the route of a message up; the flow is left filled in. */
  private route(daddr: number, saddr: number, dport: number, flags: number, connected: boolean): Rtable | number {
    const { opt } = ipc
    let faddr = daddr
    if (opt !== null && opt.srr !== 0) {
      if (daddr === 0) return -Errno.EINVAL
      faddr = opt.faddr
      connected = false
    }
    let tos = ipc.rtTos(this)
    if (this.localroute || (flags & MSG_DONTROUTE) !== 0 || opt?.isStrictroute === true) {
      tos |= RTO_ONLINK
      connected = false
    }
    if (ipv4IsMulticast(daddr)) {
      if (saddr === 0) saddr = this.mcAddr
      connected = false
    }
    const oif = sendDevice(this, ipc.oif, daddr)
    const fl4 = flowInit(flow, this, oif, ipc.mark, tos, IPPROTO_UDP, faddr, saddr, dport, this.sport)
    const rt = ipRouteOutputKey(this.net, fl4)
    if (typeof rt === 'number') {
      if (rt === -Errno.ENETUNREACH) ipInc(this.net, IPSTATS_MIB_OUTNOROUTES)
      return rt
    }
    if ((rt.rtFlags & RTCF_BROADCAST) !== 0 && !this.broadcast) return -Errno.EACCES
    if (connected) this.dstCache = rt
    return rt
  }

  /** Writes the header with its checksum, or leaves that to the device, and sends (udp_send_skb). */
  private sendSkb(skb: SkBuff, saddr: number, daddr: number, dport: number, length: number): number {
    const { buf, transportHeader: at } = skb
    const len = UDP_HLEN + length
    put16(buf, at, this.sport)
    put16(buf, at + 2, dport)
    put16(buf, at + 4, len)
    const rt = skb.dst as Rtable
    let check = 0
    if (this.noCheckTx) skb.ipSummed = CHECKSUM_NONE
    else if ((rt.dev.features & (NETIF_F_HW_CSUM | NETIF_F_IP_CSUM)) !== 0 && skb.len <= rt.mtu()) {
      skb.ipSummed = CHECKSUM_PARTIAL
      skb.csumStart = at
      skb.csumOffset = CSUM_OFFSET
      check = csumFold16(csumTcpudpNofold(saddr, daddr, len, IPPROTO_UDP, 0))
    } else {
      put16(buf, at + CSUM_OFFSET, 0)
      check = csumTcpudpMagic(saddr, daddr, len, IPPROTO_UDP, csumPartial(buf, at, len, 0)) || 0xffff
    }
    put16(buf, at + CSUM_OFFSET, check)
    const { net } = this
    const rc = ipSendSkb(skb)
    if (rc === 0) {
      net.at(mibKey).udp[UDP_MIB_OUTDATAGRAMS]!++
      return length
    }
    if (rc === -Errno.ENOBUFS) udpInc(net, UDP_MIB_SNDBUFERRORS)
    return rc === -Errno.ENOBUFS && !this.recverr ? length : rc
  }

  /** udp_recvmsg */
  recvmsg(max: number, flags: number): ReceivedMessage | number {
    if ((flags & MSG_ERRQUEUE) !== 0) return ipRecvError(this, max)
    const peek = (flags & MSG_PEEK) !== 0
    const skb = this.recvSkb(peek)
    if (typeof skb === 'number') return skb === 0 ? END_OF_FILE : skb
    const { buf, data, tail, networkHeader, transportHeader } = skb
    const length = tail - data
    const copied = Math.min(length, max)
    const message: ReceivedMessage = {
      data: buf.slice(data, data + copied),
      length,
      flags: copied < length ? MSG_TRUNC : 0,
      from: {
        family: AF_INET,
        addr: get32(buf, networkHeader + OFF_SADDR),
        port: get16(buf, transportHeader),
      },
      control: ipCmsgRecv(this, skb),
    }
    if (!peek) {
      this.net.at(mibKey).udp[UDP_MIB_INDATAGRAMS]!++
      skb.consume()
    }
    return message
  }

  /**
   * Takes a datagram over (udp_queue_rcv_skb). `data` is at the UDP header.
   * @param prepare notes what the socket wants to know of the packet; IPv6 has its own
   */
  queueRcv(skb: SkBuff, prepare: (sk: InetSock, skb: SkBuff) => void = ipv4PktinfoPrepare): void {
    const ct = skb.nfct
    if (ct !== null) {
      skb.nfct = null
      ct.put()
    }
    if (this.encapRcv !== undefined && skb.len > UDP_HLEN) {
      const rc = this.encapRcv(this, skb)
      if (rc <= 0) {
        udpInc(this.net, UDP_MIB_INDATAGRAMS)
        return
      }
    }
    skb.data += UDP_HLEN
    prepare(this, skb)
    // one datagram may exceed the buffer, so that a small one takes a large datagram at all
    if (this.rmemAlloc > this.rcvbuf) {
      this.drops++
      const { udp } = this.net.at(mibKey)
      udp[UDP_MIB_RCVBUFERRORS]!++
      udp[UDP_MIB_INERRORS]!++
      skb.free('udp_queue_rcv_one_skb', 'SOCKET_RCVBUFF')
      return
    }
    this.chargeRcv(skb)
  }

  /** An ICMP error about one of its datagrams (__udp4_lib_err). @param inner where the quoted UDP header is */
  icmpError(skb: SkBuff, inner: number, info: number): void {
    const { buf, transportHeader: icmph } = skb
    const type = buf[icmph]!
    const code = buf[icmph + 1]!
    let errno: number = Errno.EHOSTUNREACH
    let hard = false
    if (type === ICMP_SOURCE_QUENCH) return
    if (type === ICMP_REDIRECT) {
      ipv4Redirect(skb, this.net, this.boundDevIf, IPPROTO_UDP)
      return
    }
    if (type === ICMP_PARAMETERPROB) {
      errno = Errno.EPROTO
      hard = true
    } else if (type === ICMP_DEST_UNREACH) {
      if (code === ICMP_FRAG_NEEDED) {
        ipv4UpdatePmtu(skb, this.net, info, this.boundDevIf, IPPROTO_UDP)
        if (this.pmtudisc === IP_PMTUDISC_DONT) return
        errno = Errno.EMSGSIZE
        hard = true
      } else if (code <= NR_ICMP_UNREACH) {
        errno = ICMP_ERR_CONVERT[code]!.errno
        hard = ICMP_ERR_CONVERT[code]!.fatal
      }
    }
    if (this.recverr) ipIcmpError(this, skb, errno, get16(buf, inner + 2), info, inner + UDP_HLEN)
    else if (!hard || this.state !== TCP_ESTABLISHED) return
    this.err = errno
    this.errorReport()
  }
}

function drop(skb: SkBuff, net: Net, reason: DropReason): number {
  udpInc(net, UDP_MIB_INERRORS)
  skb.free('udp_rcv', reason)
  return 0
}

/** Checks length and checksum of a datagram; `data` is at the UDP header. @returns why it must be dropped */
function validate(skb: SkBuff, saddr: number, daddr: number): DropReason | undefined {
  const { buf, data } = skb
  if (skb.len < UDP_HLEN) return 'NOT_SPECIFIED'
  const ulen = get16(buf, data + 4)
  if (ulen > skb.len || ulen < UDP_HLEN) return 'PKT_TOO_SMALL'
  skb.trim(ulen)
  if (skbCsumUnnecessary(skb) || get16(buf, data + CSUM_OFFSET) === 0) return undefined
  const sum = csumTcpudpNofold(saddr, daddr, ulen, IPPROTO_UDP, csumPartial(buf, data, ulen, 0))
  if (csumFold(sum) !== 0) return 'UDP_CSUM'
  skb.ipSummed = CHECKSUM_UNNECESSARY
  return undefined
}

/** Takes datagrams from IPv4 (udp_rcv). */
function udpRcv(skb: SkBuff): number {
  const dev = skb.dev!
  const { net } = dev
  const { buf, data, networkHeader: iph } = skb
  const saddr = get32(buf, iph + OFF_SADDR)
  const daddr = get32(buf, iph + OFF_DADDR)
  const bad = validate(skb, saddr, daddr)
  if (bad !== undefined) {
    if (bad === 'UDP_CSUM') udpInc(net, UDP_MIB_INCSUMERRORS)
    return drop(skb, net, bad)
  }
  const rt = skb.dst as Rtable
  const sport = get16(buf, data)
  const dport = get16(buf, data + 2)
  if ((rt.rtFlags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) return mcastDeliver(skb, saddr, sport, daddr, dport)
  const sk = net.at(udpTableKey).lookup(saddr, sport, daddr, dport, dev.ifindex, inetSdif(skb))
  if (sk !== undefined) {
    ;(sk as UdpSock).queueRcv(skb)
    return 0
  }
  udpInc(net, UDP_MIB_NOPORTS)
  icmpSend(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0)
  skb.free('udp_rcv', 'NO_SOCKET')
  return 0
}

/** A datagram to a group or broadcast address is for every socket that fits (__udp4_lib_mcast_deliver). */
function mcastDeliver(skb: SkBuff, saddr: number, sport: number, daddr: number, dport: number): number {
  const dev = skb.dev!
  const { net } = dev
  const sdif = inetSdif(skb)
  let first: UdpSock | undefined
  for (const sk of [...(net.at(udpTableKey).at(dport) ?? [])]) {
    if (sk.v6only || (sk.daddr !== 0 && sk.daddr !== saddr) || (sk.dport !== 0 && sk.dport !== sport)) continue
    if (sk.rcvSaddr !== 0 && sk.rcvSaddr !== daddr) continue
    if (!sk.boundDevEq(true, dev.ifindex, sdif) || !ipMcSfAllow(sk, daddr, dev.ifindex, sdif)) continue
    if (first === undefined) first = sk as UdpSock
    else (sk as UdpSock).queueRcv(skb.clone())
  }
  if (first !== undefined) first.queueRcv(skb)
  else {
    udpInc(net, UDP_MIB_IGNOREDMULTI)
    skb.consume()
  }
  return 0
}

/** Finds the socket that an ICMP error is for (udp_err). `data` is at the quoted IPv4 header. */
function udpErr(skb: SkBuff, info: number): void {
  const dev = skb.dev!
  const { net } = dev
  const { buf, data } = skb
  const inner = data + (buf[data]! & 15) * 4
  const sk = net
    .at(udpTableKey)
    .lookup(
      get32(buf, data + OFF_DADDR),
      get16(buf, inner + 2),
      get32(buf, data + OFF_SADDR),
      get16(buf, inner),
      dev.ifindex,
      inetSdif(skb),
    )
  if (sk === undefined) icmpInc(net, ICMP_MIB_INERRORS)
  else (sk as UdpSock).icmpError(skb, inner, info)
}

/** UDP above IPv4. */
export const udpProtocol: NetProtocol = { handler: udpRcv, errHandler: udpErr }
