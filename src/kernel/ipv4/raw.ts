/** Raw sockets of IPv4, see raw(7): every packet of a protocol as it came, and packets with a header of one's own. */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IP } from '../../uapi/if.ts'
import { RTN_BROADCAST, RTN_MULTICAST } from '../../uapi/rtnetlink.ts'
import {
  AF_INET,
  ICMP_FILTER,
  IP_PMTUDISC_DONT,
  IPPROTO_ICMP,
  IPPROTO_RAW,
  MSG_CONFIRM,
  MSG_DONTROUTE,
  MSG_ERRQUEUE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  type ReceivedMessage,
  type SendControl,
  SOCK_RAW,
  SOL_IP,
  SOL_RAW,
  type Sockaddr,
} from '../../uapi/socket.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { NET_XMIT_CN } from '../core/net_xmit.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { type OptionResult, optionNumber, TCP_CLOSE, TCP_ESTABLISHED } from '../core/sock.ts'
import type { Cred, OptionValue } from '../core/socket.ts'
import { skbTruesize } from '../core/truesize.ts'
import { NF_INET_LOCAL_OUT, nfHook4, nfHooks4 } from '../netfilter/core.ts'
import { FLOWI_FLAG_KNOWN_NH, Flowi4 } from './flow.ts'
import { icmpOutCount } from './icmp.ts'
import {
  ICMP_DEST_UNREACH,
  ICMP_ERR_CONVERT,
  ICMP_FRAG_NEEDED,
  ICMP_HLEN,
  ICMP_PARAMETERPROB,
  ICMP_REDIRECT,
  ICMP_SOURCE_QUENCH,
  NR_ICMP_UNREACH,
} from './icmp_types.ts'
import { ipMcDropSocket, ipMcSfAllow } from './igmp_sock.ts'
import { ipv4IsMulticast } from './in_device.ts'
import {
  datagramDisconnect,
  flowInit,
  inetAddrValidOrNonlocal,
  inetSkAddrType,
  ip4DatagramConnect,
  RTO_ONLINK,
  sendDevice,
} from './inet_bind.ts'
import { END_OF_FILE, InetSock, sockaddrIn } from './inet_sock.ts'
import {
  get16,
  get32,
  IP_HLEN,
  ipSendCheck,
  OFF_DADDR,
  OFF_ID,
  OFF_PROTOCOL,
  OFF_SADDR,
  OFF_TOT_LEN,
  put16,
  put32,
} from './ip.ts'
import { ipSelectIdent } from './ip_ident.ts'
import { ipMakeSkb, sockCbFlags } from './ip_make_skb.ts'
import { dstOutput, ipSendSkb, ipv4ConfirmNeigh } from './ip_output.ts'
import { inetSdif, ipCmsgRecv, ipIcmpError, ipLocalError, ipRecvError, ipv4PktinfoPrepare } from './ip_sockglue.ts'
import { IpcmCookie } from './ipcm.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { ipRaControl } from './ra_chain.ts'
import { ipRouteOutputKey, ipv4Redirect, ipv4UpdatePmtu } from './route.ts'
import { RTCF_BROADCAST, type Rtable } from './rtable.ts'
import { IPSTATS_MIB_OUTDISCARDS, ipInc } from './snmp.ts'

const IP_ROUTER_ALERT = 5

/** The raw sockets of a namespace, by protocol. */
const rawKey = pernetKey<Map<number, RawSock[]>>('raw')

/** Makes a namespace's empty table. */
export function rawNetInit(net: Net): void {
  net.set(rawKey, new Map())
}

/** @returns the raw sockets of a namespace, by protocol */
export function rawSockets(net: Net): Map<number, RawSock[]> {
  return net.at(rawKey)
}

const ipc = new IpcmCookie()
const flow = new Flowi4()

/** A raw socket. `num` is its protocol. */
export class RawSock extends InetSock {
  /** ICMP types it does not want, one bit each */
  icmpFilter = 0

  constructor(net: Net, protocol: number, cred: Cred) {
    super(net, AF_INET, SOCK_RAW, protocol, cred, 'RAW')
    this.num = protocol
    this.sport = protocol
    if (protocol === IPPROTO_RAW) this.hdrincl = true
    const table = net.at(rawKey)
    const list = table.get(protocol)
    if (list === undefined) table.set(protocol, [this])
    else list.unshift(this)
    this.inuseAdd(1)
  }

  protected destroy(): void {
    ipRaControl(this, false)
    const table = this.net.at(rawKey)
    const list = table.get(this.num)!
    list.splice(list.indexOf(this), 1)
    if (list.length === 0) table.delete(this.num)
    this.inuseAdd(-1)
    ipMcDropSocket(this)
  }

  bind(address: Sockaddr): number {
    const given = sockaddrIn(address)
    if (typeof given === 'number') return given
    if (this.state !== TCP_CLOSE) return -Errno.EINVAL
    const type = inetSkAddrType(this, given.addr)
    if (!inetAddrValidOrNonlocal(this, given.addr, type)) return -Errno.EADDRNOTAVAIL
    this.rcvSaddr = this.saddr = given.addr
    if (type === RTN_MULTICAST || type === RTN_BROADCAST) this.saddr = 0
    this.bindAddrLocked = given.addr !== 0
    this.dstCache = null
    return 0
  }

  connect(address: Sockaddr): number {
    if ((address.family as number) === 0) return datagramDisconnect(this, nothing, nothing)
    const to = sockaddrIn(address)
    return typeof to === 'number' ? to : ip4DatagramConnect(this, to, nothing)
  }

  override setsockopt(level: number, option: number, value: OptionValue): number {
    if (level === SOL_IP && option === IP_ROUTER_ALERT) {
      const number = optionNumber(value)
      if (number === undefined || this.num === IPPROTO_RAW) return -Errno.EINVAL
      const on = number !== 0
      return ipRaControl(this, on) ? 0 : on ? -Errno.EADDRINUSE : -Errno.ENOENT
    }
    if (level !== SOL_RAW) return super.setsockopt(level, option, value)
    if (option !== ICMP_FILTER) return -Errno.ENOPROTOOPT
    if (this.num !== IPPROTO_ICMP) return -Errno.EOPNOTSUPP
    const mask = optionNumber(value)
    if (mask === undefined) return -Errno.EINVAL
    this.icmpFilter = mask
    return 0
  }

  override getsockopt(level: number, option: number): OptionResult {
    if (level !== SOL_RAW) return super.getsockopt(level, option)
    if (option !== ICMP_FILTER) return { errno: Errno.ENOPROTOOPT }
    if (this.num !== IPPROTO_ICMP) return { errno: Errno.EOPNOTSUPP }
    return this.icmpFilter
  }

  /** raw_sendmsg */
  sendmsg(data: Uint8Array, flags: number, to: Sockaddr | undefined, control: SendControl | undefined): number {
    if (data.length > 0xffff) return -Errno.EMSGSIZE
    if ((flags & MSG_OOB) !== 0) return -Errno.EOPNOTSUPP
    let { daddr } = this
    if (to !== undefined) {
      const given = sockaddrIn(to)
      if (typeof given === 'number') return given
      daddr = given.addr
    } else if (this.state !== TCP_ESTABLISHED) return -Errno.EDESTADDRREQ
    ipc.init(this)
    if (control !== undefined) {
      const rc = ipc.send(control)
      if (rc < 0) return rc
    }
    let saddr = ipc.addr
    ipc.addr = daddr
    ipc.opt = this.opt
    if (ipc.opt !== null) {
      if (this.hdrincl) return -Errno.EINVAL
      if (ipc.opt.srr !== 0) {
        if (daddr === 0) return -Errno.EINVAL
        daddr = ipc.opt.faddr
      }
    }
    let tos = ipc.rtTos(this)
    if (this.localroute || (flags & MSG_DONTROUTE) !== 0) tos |= RTO_ONLINK
    if (ipv4IsMulticast(daddr) && saddr === 0) saddr = this.mcAddr
    const oif = sendDevice(this, ipc.oif, daddr)
    const protocol = this.hdrincl ? IPPROTO_RAW : this.protocol
    const fl4 = flowInit(flow, this, oif, ipc.mark, tos, protocol, daddr, saddr, 0, 0)
    if (this.hdrincl) fl4.flags |= FLOWI_FLAG_KNOWN_NH
    else if (protocol === IPPROTO_ICMP && data.length >= 2) {
      fl4.icmpType = data[0]!
      fl4.icmpCode = data[1]!
    }
    const rt = ipRouteOutputKey(this.net, fl4)
    if (typeof rt === 'number') return rt
    if ((rt.rtFlags & RTCF_BROADCAST) !== 0 && !this.broadcast) return -Errno.EACCES
    if ((flags & MSG_CONFIRM) !== 0) ipv4ConfirmNeigh(rt, fl4.daddr)
    if (this.hdrincl) return this.sendHdrinc(data, rt, fl4.saddr, fl4.daddr)
    if (ipc.addr === 0) ipc.addr = fl4.daddr
    const skb = ipMakeSkb(this, fl4.saddr, fl4.daddr, rt, protocol, data.length, 0, ipc)
    if (typeof skb === 'number') return skb
    skb.buf.set(data, skb.transportHeader)
    if (protocol === IPPROTO_ICMP) icmpOutCount(this.net, fl4.icmpType)
    const rc = ipSendSkb(skb)
    return rc < 0 && !(rc === -Errno.ENOBUFS && !this.recverr) ? rc : data.length
  }

  /** Sends a packet whose IPv4 header the program has written (raw_send_hdrinc). */
  private sendHdrinc(data: Uint8Array, rt: Rtable, saddr: number, daddr: number): number {
    const { net } = this
    const { dev } = rt
    const { length } = data
    if (length > dev.mtu) {
      ipLocalError(this, Errno.EMSGSIZE, daddr, this.dport, dev.mtu)
      return -Errno.EMSGSIZE
    }
    if (length < IP_HLEN) return -Errno.EINVAL
    const hlen = (data[0]! & 15) * 4
    let rc = this.mayAllocSend()
    if (rc === 0 && hlen > length) rc = -Errno.EINVAL
    if (rc !== 0) {
      ipInc(net, IPSTATS_MIB_OUTDISCARDS)
      return rc
    }
    const reserved = dev.llReserved
    const skb = net.kernel.skbs.alloc(reserved + length)
    skb.truesize = skbTruesize(reserved + 15 + length)
    skb.reserve(reserved)
    const at = skb.put(length)
    const { buf } = skb
    buf.set(data, at)
    skb.networkHeader = skb.transportHeader = at
    skb.protocol = ETH_P_IP
    skb.priority = this.priority
    skb.mark = ipc.mark
    skb.dst = rt
    skb.cbFlags = sockCbFlags(this)
    this.setOwnerW(skb)
    if (hlen >= IP_HLEN) {
      if (get32(buf, at + OFF_SADDR) === 0) put32(buf, at + OFF_SADDR, saddr)
      put16(buf, at + OFF_TOT_LEN, length)
      const protocol = buf[at + OFF_PROTOCOL]!
      if (get16(buf, at + OFF_ID) === 0)
        put16(buf, at + OFF_ID, ipSelectIdent(net, get32(buf, at + OFF_SADDR), get32(buf, at + OFF_DADDR), protocol))
      ipSendCheck(buf, at)
      skb.transportHeader = at + hlen
      if (protocol === IPPROTO_ICMP && length >= hlen + ICMP_HLEN) icmpOutCount(net, buf[at + hlen]!)
    }
    rc = nfHook4(nfHooks4(net, NF_INET_LOCAL_OUT), NF_INET_LOCAL_OUT, net, skb, null, dev, dstOutput)
    if (rc > 0) rc = rc === NET_XMIT_CN ? 0 : -Errno.ENOBUFS
    if (rc === 0) return length
    ipInc(net, IPSTATS_MIB_OUTDISCARDS)
    return rc === -Errno.ENOBUFS && !this.recverr ? length : rc
  }

  /** raw_recvmsg */
  recvmsg(max: number, flags: number): ReceivedMessage | number {
    if ((flags & MSG_OOB) !== 0) return -Errno.EOPNOTSUPP
    if ((flags & MSG_ERRQUEUE) !== 0) return ipRecvError(this, max)
    const peek = (flags & MSG_PEEK) !== 0
    const skb = this.recvSkb(peek)
    if (typeof skb === 'number') return skb === 0 ? END_OF_FILE : skb
    const { buf, data, tail, networkHeader } = skb
    const length = tail - data
    const copied = Math.min(length, max)
    const message: ReceivedMessage = {
      data: buf.slice(data, data + copied),
      length,
      flags: copied < length ? MSG_TRUNC : 0,
      from: { family: AF_INET, addr: get32(buf, networkHeader + OFF_SADDR), port: 0 },
      control: ipCmsgRecv(this, skb),
    }
    if (!peek) skb.consume()
    return message
  }

  /** @returns whether packets between these addresses are for this socket (raw_v4_match). Addresses as they came */
  matches(saddr: number, daddr: number, dif: number, sdif: number): boolean {
    if (this.daddr !== 0 && this.daddr !== saddr) return false
    if (this.rcvSaddr !== 0 && this.rcvSaddr !== daddr) return false
    return this.boundDevEq(this.net.at(ipv4Key).rawL3mdevAccept !== 0, dif, sdif)
  }

  /** @returns whether an ICMP message is filtered away (icmp_filter) */
  filters(skb: SkBuff): boolean {
    const at = skb.transportHeader
    if (at + ICMP_HLEN > skb.tail) return true
    const type = skb.buf[at]!
    return type < 32 && ((1 << type) & this.icmpFilter) !== 0
  }

  /** Takes a packet over (raw_rcv): the IPv4 header belongs to what the program reads. */
  rcv(skb: SkBuff): void {
    const ct = skb.nfct
    if (ct !== null) {
      skb.nfct = null
      ct.put()
    }
    skb.data = skb.networkHeader
    ipv4PktinfoPrepare(this, skb)
    if (!this.queueRcvSkb(skb)) skb.free('raw_rcv_skb', 'SOCKET_RCVBUFF')
  }

  /** Hears of an ICMP error about one of its packets (raw_err). */
  icmpError(skb: SkBuff, info: number): void {
    const { buf, data, transportHeader: icmph } = skb
    const type = buf[icmph]!
    const code = buf[icmph + 1]!
    if (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED)
      ipv4UpdatePmtu(skb, this.net, info, this.boundDevIf, this.protocol)
    else if (type === ICMP_REDIRECT) {
      ipv4Redirect(skb, this.net, this.boundDevIf, this.protocol)
      return
    }
    if (!this.recverr && this.state !== TCP_ESTABLISHED) return
    let errno: number = Errno.EHOSTUNREACH
    let hard = false
    if (type === ICMP_SOURCE_QUENCH) return
    if (type === ICMP_PARAMETERPROB) {
      errno = Errno.EPROTO
      hard = true
    } else if (type === ICMP_DEST_UNREACH && code <= NR_ICMP_UNREACH) {
      if (code === ICMP_FRAG_NEEDED) {
        errno = Errno.EMSGSIZE
        hard = this.pmtudisc !== IP_PMTUDISC_DONT
      } else {
        errno = ICMP_ERR_CONVERT[code]!.errno
        hard = ICMP_ERR_CONVERT[code]!.fatal
      }
    }
    if (this.recverr) ipIcmpError(this, skb, errno, 0, info, this.hdrincl ? data : data + (buf[data]! & 15) * 4)
    if (this.recverr || hard) {
      this.err = errno
      this.errorReport()
    }
  }
}

function nothing(): void {}

/** Gives copies of a packet to the raw sockets of its protocol (raw_local_deliver). @returns whether there were any */
export function rawLocalDeliver(skb: SkBuff, protocol: number): boolean {
  const dev = skb.dev!
  const list = dev.net.at(rawKey).get(protocol)
  if (list === undefined) return false
  const { buf, networkHeader: iph } = skb
  const saddr = get32(buf, iph + OFF_SADDR)
  const daddr = get32(buf, iph + OFF_DADDR)
  const sdif = inetSdif(skb)
  let delivered = false
  for (const sk of list) {
    if (!sk.matches(saddr, daddr, dev.ifindex, sdif)) continue
    delivered = true
    if (protocol === IPPROTO_ICMP && sk.filters(skb)) continue
    if (ipMcSfAllow(sk, daddr, dev.ifindex, sdif)) sk.rcv(skb.clone())
  }
  return delivered
}

/** Tells raw sockets of an ICMP error about a packet they may have sent (raw_icmp_error). `data` is at the quoted header. */
export function rawIcmpError(skb: SkBuff, protocol: number, info: number): void {
  const dev = skb.dev!
  const list = dev.net.at(rawKey).get(protocol)
  if (list === undefined) return
  const { buf, data } = skb
  const saddr = get32(buf, data + OFF_SADDR)
  const daddr = get32(buf, data + OFF_DADDR)
  const sdif = inetSdif(skb)
  for (const sk of [...list]) if (sk.matches(daddr, saddr, dev.ifindex, sdif)) sk.icmpError(skb, info)
}
