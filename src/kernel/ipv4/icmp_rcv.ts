/** Receiving ICMP (RFC 792): what each type of message sets in motion, and the delivery of errors to sockets. */

import { RTN_BROADCAST } from '../../uapi/rtnetlink.ts'
import { IPPROTO_ICMP } from '../../uapi/socket.ts'
import type { DropReason } from '../core/dropreason.ts'
import { NET_RX_DROP, NET_RX_SUCCESS } from '../core/net_device.ts'
import { skbCsumUnnecessary } from '../core/skb_checksum.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { ipComputeCsum } from './checksum.ts'
import { inetAddrTypeDevTable } from './fib_lookup.ts'
import { fibComputeSpecDst } from './fib_validate.ts'
import { icmpReply } from './icmp.ts'
import { icmpBuildProbe } from './icmp_probe.ts'
import {
  ICMP_ADDRESS,
  ICMP_ADDRESSREPLY,
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_EXC_FRAGTIME,
  ICMP_EXT_ECHO,
  ICMP_EXT_ECHOREPLY,
  ICMP_FRAG_NEEDED,
  ICMP_HLEN,
  ICMP_PARAMETERPROB,
  ICMP_REDIRECT,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  ICMP_TIMESTAMP,
  ICMP_TIMESTAMPREPLY,
  NR_ICMP_TYPES,
  NR_ICMP_UNREACH,
} from './icmp_types.ts'
import { addrText } from './inet_addr.ts'
import { get16, get32, IP_HLEN, OFF_DADDR, OFF_PROTOCOL, OFF_SADDR, put32 } from './ip.ts'
import { inetCurrentTimestamp } from './ip_options.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { pingErr, pingRcv } from './ping.ts'
import { inetProtosKey, type NetProtocol } from './protocol.ts'
import { rawIcmpError } from './raw.ts'
import { ipv4Redirect, ipv4UpdatePmtu } from './route.ts'
import { RTCF_BROADCAST, RTCF_MULTICAST, type Rtable } from './rtable.ts'
import { ICMP_MIB_INCSUMERRORS, ICMP_MIB_INERRORS, ICMP_MIB_INMSGS, icmpInc, mibKey } from './snmp.ts'

/** What a handler says: undefined, the message was dealt with, or why it is dropped. */
type Outcome = DropReason | undefined

/** Takes ICMP messages from IPv4 (icmp_rcv). `data` is at the ICMP header. */
function icmpRcv(skb: SkBuff): number {
  const rt = skb.dst as Rtable
  const { net } = rt.dev
  const mibs = net.at(mibKey)
  mibs.icmp[ICMP_MIB_INMSGS]!++
  const { buf, data } = skb
  if (!skbCsumUnnecessary(skb) && ipComputeCsum(buf, data, skb.tail - data) !== 0) {
    icmpInc(net, ICMP_MIB_INCSUMERRORS)
    return failed(skb, 'ICMP_CSUM')
  }
  if (skb.len < ICMP_HLEN) return failed(skb, 'NOT_SPECIFIED')
  skb.transportHeader = data
  skb.pull(ICMP_HLEN)
  const type = buf[data]!
  mibs.icmpMsg[type]!++
  if (type === ICMP_EXT_ECHO) return finish(skb, echo(skb))
  if (type === ICMP_EXT_ECHOREPLY) return finish(skb, pingRcv(skb))
  if (type > NR_ICMP_TYPES) return failed(skb, 'UNHANDLED_PROTO')
  if ((rt.rtFlags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) {
    // RFC 1122 §3.2.2.6: such requests may be ignored, other messages mean nothing
    const request = type === ICMP_ECHO || type === ICMP_TIMESTAMP
    const ignored = request && net.at(ipv4Key).icmpEchoIgnoreBroadcasts !== 0
    if (ignored || (!request && type !== ICMP_ADDRESS && type !== ICMP_ADDRESSREPLY))
      return failed(skb, 'INVALID_PROTO')
  }
  return finish(skb, handle(skb, type))
}

function handle(skb: SkBuff, type: number): Outcome {
  switch (type) {
    case ICMP_ECHOREPLY:
      return pingRcv(skb)
    case ICMP_ECHO:
      return echo(skb)
    case ICMP_TIMESTAMP:
      return timestamp(skb)
    case ICMP_DEST_UNREACH:
    case ICMP_SOURCE_QUENCH:
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAMETERPROB:
      return unreach(skb, type)
    case ICMP_REDIRECT:
      return redirect(skb)
    default:
      return undefined
  }
}

function failed(skb: SkBuff, reason: DropReason): number {
  icmpInc((skb.dst as Rtable).dev.net, ICMP_MIB_INERRORS)
  return finish(skb, reason)
}

function finish(skb: SkBuff, reason: Outcome): number {
  if (reason === undefined) {
    skb.consume()
    return NET_RX_SUCCESS
  }
  skb.free('icmp_rcv', reason)
  return NET_RX_DROP
}

/** An error that cannot be read: counted, dropped. */
function unreadable(skb: SkBuff, reason: DropReason): Outcome {
  icmpInc((skb.dst as Rtable).dev.net, ICMP_MIB_INERRORS)
  return reason
}

/** RFC 1122 §3.2.2.6: echo requests are answered with their own data; RFC 8335: so are extended ones. */
function echo(skb: SkBuff): Outcome {
  const { net } = (skb.dst as Rtable).dev
  if (net.at(ipv4Key).icmpEchoIgnoreAll !== 0) return undefined
  const { buf, transportHeader: icmph, tail } = skb
  let type = ICMP_ECHOREPLY
  let code = buf[icmph + 1]!
  let flags = buf[icmph + 7]!
  if (buf[icmph] === ICMP_EXT_ECHO) {
    const probe = icmpBuildProbe(net, skb)
    if (probe === undefined) return undefined
    type = ICMP_EXT_ECHOREPLY
    code = probe.code
    flags = probe.flags
  }
  icmpReply(
    skb,
    fibComputeSpecDst(skb),
    type,
    (out, at) => {
      for (let i = 0; i < tail - icmph; i++) out[at + i] = buf[icmph + i]!
      out[at] = type
      out[at + 1] = code
      out[at + 7] = flags
    },
    tail - icmph,
  )
  return undefined
}

/** RFC 1122 §3.2.2.8 */
function timestamp(skb: SkBuff): Outcome {
  const { net } = (skb.dst as Rtable).dev
  if (skb.len < 4) return unreadable(skb, 'PKT_TOO_SMALL')
  const { buf, transportHeader: icmph } = skb
  const now = inetCurrentTimestamp(net)
  icmpReply(
    skb,
    fibComputeSpecDst(skb),
    ICMP_TIMESTAMPREPLY,
    (out, at) => {
      out[at] = ICMP_TIMESTAMPREPLY
      out[at + 1] = 0
      for (let i = 4; i < ICMP_HLEN + 4; i++) out[at + i] = buf[icmph + i]!
      put32(out, at + 12, now)
      put32(out, at + 16, now)
    },
    ICMP_HLEN + 12,
  )
  return undefined
}

/** Destination unreachable, source quench, time exceeded, parameter problem (icmp_unreach). `data` is at the quoted header. */
function unreach(skb: SkBuff, type: number): Outcome {
  const { net } = (skb.dst as Rtable).dev
  if (skb.len < IP_HLEN) return unreadable(skb, 'NOT_SPECIFIED')
  const { buf, data, transportHeader: icmph } = skb
  if ((buf[data]! & 15) < 5) return unreadable(skb, 'IP_INHDR')
  const code = buf[icmph + 1]!
  const conf = net.at(ipv4Key)
  let info = 0
  if (type === ICMP_DEST_UNREACH) {
    if ((code & 15) === ICMP_FRAG_NEEDED) {
      // ip_no_pmtu_disc: 1 takes no MTU from it, 2 ignores it, 3 believes it only for protocols that can tell
      if (conf.ipNoPmtuDisc === 2) return undefined
      if (conf.ipNoPmtuDisc === 3 && !strictProtocol(skb, buf[data + OFF_PROTOCOL]!)) return undefined
      if (conf.ipNoPmtuDisc === 0 || conf.ipNoPmtuDisc === 3) info = get16(buf, icmph + 6)
    }
    if (code > NR_ICMP_UNREACH) return undefined
  } else if (type === ICMP_PARAMETERPROB) info = buf[icmph + 4]!
  else if (type === ICMP_TIME_EXCEEDED && code === ICMP_EXC_FRAGTIME) return undefined

  const about = get32(buf, data + OFF_DADDR)
  if (conf.icmpIgnoreBogusErrorResponses === 0 && inetAddrTypeDevTable(net, skb.dev!, about) === RTN_BROADCAST) {
    const from = addrText(get32(buf, skb.networkHeader + OFF_SADDR))
    net.kernel.log.print(
      4,
      `${from} sent an invalid ICMP type ${type}, code ${code} error to a broadcast: ${addrText(about)} on ${skb.dev!.name}`,
    )
    return undefined
  }
  socketDeliver(skb, info)
  return undefined
}

function strictProtocol(skb: SkBuff, protocol: number): boolean {
  return skb.dev!.net.at(inetProtosKey).protos[protocol]?.icmpStrictTagValidation === true
}

function redirect(skb: SkBuff): Outcome {
  if (skb.len < IP_HLEN) return unreadable(skb, 'PKT_TOO_SMALL')
  socketDeliver(skb, get32(skb.buf, skb.transportHeader + 4))
  return undefined
}

/** Tells the sockets and the protocol that the quoted packet belongs to (icmp_socket_deliver). */
function socketDeliver(skb: SkBuff, info: number): void {
  const { buf, data } = skb
  const { net } = skb.dev!
  if (skb.len < (buf[data]! & 15) * 4 + 8) {
    icmpInc(net, ICMP_MIB_INERRORS)
    return
  }
  const protocol = buf[data + OFF_PROTOCOL]!
  rawIcmpError(skb, protocol, info)
  net.at(inetProtosKey).protos[protocol]?.errHandler?.(skb, info)
}

/** Errors about our own ICMP messages (icmp_err): of ping sockets, or about the kernel's answers. */
function icmpErr(skb: SkBuff, info: number): void {
  const { buf, data, transportHeader: icmph } = skb
  const offset = (buf[data]! & 15) * 4
  if (buf[data + offset] !== ICMP_ECHOREPLY) {
    pingErr(skb, offset, info)
    return
  }
  const { net } = skb.dev!
  const type = buf[icmph]!
  if (type === ICMP_DEST_UNREACH && buf[icmph + 1] === ICMP_FRAG_NEEDED) ipv4UpdatePmtu(skb, net, info, 0, IPPROTO_ICMP)
  else if (type === ICMP_REDIRECT) ipv4Redirect(skb, net, 0, IPPROTO_ICMP)
}

/** ICMP above IPv4. */
export const icmpProtocol: NetProtocol = { handler: icmpRcv, errHandler: icmpErr }
