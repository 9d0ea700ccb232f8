/** IPv6's counters (RFC 4293, RFC 4113): kept per namespace and per device, shown in /proc/net/snmp6 and dev_snmp6. */
import { type Net, pernetKey } from '../core/net_namespace.ts'

/** Names of the IP counters in the order of /proc/net/snmp6; a name's place is its index. */
export const IPSTATS_NAMES = [
  'Ip6InReceives',
  'Ip6InHdrErrors',
  'Ip6InTooBigErrors',
  'Ip6InNoRoutes',
  'Ip6InAddrErrors',
  'Ip6InUnknownProtos',
  'Ip6InTruncatedPkts',
  'Ip6InDiscards',
  'Ip6InDelivers',
  'Ip6OutForwDatagrams',
  'Ip6OutRequests',
  'Ip6OutDiscards',
  'Ip6OutNoRoutes',
  'Ip6ReasmTimeout',
  'Ip6ReasmReqds',
  'Ip6ReasmOKs',
  'Ip6ReasmFails',
  'Ip6FragOKs',
  'Ip6FragFails',
  'Ip6FragCreates',
  'Ip6InMcastPkts',
  'Ip6OutMcastPkts',
  'Ip6InOctets',
  'Ip6OutOctets',
  'Ip6InMcastOctets',
  'Ip6OutMcastOctets',
  'Ip6InBcastOctets',
  'Ip6OutBcastOctets',
  'Ip6InNoECTPkts',
  'Ip6InECT1Pkts',
  'Ip6InECT0Pkts',
  'Ip6InCEPkts',
] as const

export const IPSTATS_MIB_INPKTS = 0
export const IPSTATS_MIB_INHDRERRORS = 1
export const IPSTATS_MIB_INTOOBIGERRORS = 2
export const IPSTATS_MIB_INNOROUTES = 3
export const IPSTATS_MIB_INADDRERRORS = 4
export const IPSTATS_MIB_INUNKNOWNPROTOS = 5
export const IPSTATS_MIB_INTRUNCATEDPKTS = 6
export const IPSTATS_MIB_INDISCARDS = 7
export const IPSTATS_MIB_INDELIVERS = 8
export const IPSTATS_MIB_OUTFORWDATAGRAMS = 9
export const IPSTATS_MIB_OUTPKTS = 10
export const IPSTATS_MIB_OUTDISCARDS = 11
export const IPSTATS_MIB_OUTNOROUTES = 12
export const IPSTATS_MIB_REASMTIMEOUT = 13
export const IPSTATS_MIB_REASMREQDS = 14
export const IPSTATS_MIB_REASMOKS = 15
export const IPSTATS_MIB_REASMFAILS = 16
export const IPSTATS_MIB_FRAGOKS = 17
export const IPSTATS_MIB_FRAGFAILS = 18
export const IPSTATS_MIB_FRAGCREATES = 19
export const IPSTATS_MIB_INMCASTPKTS = 20
export const IPSTATS_MIB_OUTMCASTPKTS = 21
export const IPSTATS_MIB_INOCTETS = 22
export const IPSTATS_MIB_OUTOCTETS = 23
export const IPSTATS_MIB_INMCASTOCTETS = 24
export const IPSTATS_MIB_OUTMCASTOCTETS = 25
/** not-ECT; ECT(1), ECT(0) and CE follow in the order of the codepoint */
export const IPSTATS_MIB_NOECTPKTS = 28

/** Names of the ICMPv6 counters, in order. */
export const ICMP6_NAMES = [
  'Icmp6InMsgs',
  'Icmp6InErrors',
  'Icmp6OutMsgs',
  'Icmp6OutErrors',
  'Icmp6InCsumErrors',
  'Icmp6OutRateLimitHost',
] as const

export const ICMP6_MIB_INMSGS = 0
export const ICMP6_MIB_INERRORS = 1
export const ICMP6_MIB_OUTMSGS = 2
export const ICMP6_MIB_OUTERRORS = 3
export const ICMP6_MIB_CSUMERRORS = 4
export const ICMP6_MIB_RATELIMITHOST = 5

/** Names of the UDP counters, in order. */
export const UDP6_NAMES = [
  'InDatagrams',
  'NoPorts',
  'InErrors',
  'OutDatagrams',
  'RcvbufErrors',
  'SndbufErrors',
  'InCsumErrors',
  'IgnoredMulti',
  'MemErrors',
] as const

export const UDP_MIB_INDATAGRAMS = 0
export const UDP_MIB_NOPORTS = 1
export const UDP_MIB_INERRORS = 2
export const UDP_MIB_OUTDATAGRAMS = 3
export const UDP_MIB_RCVBUFERRORS = 4
export const UDP_MIB_SNDBUFERRORS = 5
export const UDP_MIB_CSUMERRORS = 6
export const UDP_MIB_IGNOREDMULTI = 7
export const UDP_MIB_MEMERRORS = 8

/** One set of IP and ICMPv6 counters. */
export class Snmp6 {
  readonly ip = new Float64Array(IPSTATS_NAMES.length)
  readonly icmp = new Float64Array(ICMP6_NAMES.length)
  /** by message type: 0 to 255 received, 256 to 511 sent */
  readonly icmpMsg = new Float64Array(512)
}

/** The counters of a namespace. */
export class NetSnmp6 extends Snmp6 {
  readonly udp = new Float64Array(UDP6_NAMES.length)
  readonly udplite = new Float64Array(UDP6_NAMES.length)
}

/** Names them: `net.at(snmp6Key)`. */
export const snmp6Key = pernetKey<NetSnmp6>('snmp6')

/** Counts one at a namespace and, where it is known, at the device. */
export function ip6Inc(net: Net, dev: Snmp6 | undefined, mib: number): void {
  net.at(snmp6Key).ip[mib]!++
  if (dev !== undefined) dev.ip[mib]!++
}

/** Counts a packet and its bytes: INPKTS/OUTPKTS and the like with their octets. */
export function ip6CountPacket(net: Net, dev: Snmp6 | undefined, packets: number, octets: number, len: number): void {
  const stats = net.at(snmp6Key).ip
  stats[packets]!++
  stats[octets]! += len
  if (dev === undefined) return
  dev.ip[packets]!++
  dev.ip[octets]! += len
}

/** Counts one at ICMPv6's counters. */
export function icmp6Inc(net: Net, dev: Snmp6 | undefined, mib: number): void {
  net.at(snmp6Key).icmp[mib]!++
  if (dev !== undefined) dev.icmp[mib]!++
}

/** Counts a message sent, by its type. */
export function icmp6CountOut(net: Net, dev: Snmp6 | undefined, type: number): void {
  icmp6Inc(net, dev, ICMP6_MIB_OUTMSGS)
  net.at(snmp6Key).icmpMsg[256 + type]!++
  if (dev !== undefined) dev.icmpMsg[256 + type]!++
}

/** Counts a message received, by its type (ICMP6MSGIN). */
export function icmp6CountInType(net: Net, dev: Snmp6 | undefined, type: number): void {
  net.at(snmp6Key).icmpMsg[type]!++
  if (dev !== undefined) dev.icmpMsg[type]!++
}
