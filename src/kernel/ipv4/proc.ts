/** /proc/net/snmp, netstat, sockstat: IPv4's counters as text, as the reference kernel lays them out. */
import type { Net } from '../core/net_namespace.ts'
import { procCreateNet } from '../core/procfs.ts'
import { socketCounts } from '../core/sock.ts'
import { IPV4_DEVCONF_FORWARDING, ipv4DevconfKey } from './devconf.ts'
import { ipFragStat } from './ip_fragment.ts'
import { ipv4Key } from './netns_ipv4.ts'
import {
  ICMP_NAMES,
  IP_NAMES,
  IPEXT_NAMES,
  Ipv4Mibs,
  LINUX_NAMES,
  MPTCP_NAMES,
  mibKey,
  TCP_NAMES,
  UDP_NAMES,
} from './snmp.ts'

/** ICMP's counters by message type, by the part of their name behind In or Out. */
const ICMP_TYPE_OF_NAME: Readonly<Record<string, number>> = {
  DestUnreachs: 3,
  TimeExcds: 11,
  ParmProbs: 12,
  SrcQuenchs: 4,
  Redirects: 5,
  Echos: 8,
  EchoReps: 0,
  Timestamps: 13,
  TimestampReps: 14,
  AddrMasks: 17,
  AddrMaskReps: 18,
}

function block(name: string, names: readonly string[], values: readonly number[]): string {
  return `${name}: ${names.join(' ')}\n${name}: ${values.join(' ')}\n`
}

/** @returns the values of ICMP's counters; those that count a type come from the counters of types */
function icmpValues(mibs: Ipv4Mibs): number[] {
  return ICMP_NAMES.map((name, i) => {
    const received = name.startsWith('In')
    const type = ICMP_TYPE_OF_NAME[name.slice(received ? 2 : 3)]
    return type === undefined ? mibs.icmp[i]! : mibs.icmpMsg[received ? type : 256 + type]!
  })
}

/** @returns the line of message types that were seen; nothing where there were none (icmpmsg_put) */
function icmpMsgBlock(mibs: Ipv4Mibs): string {
  const names: string[] = []
  const values: number[] = []
  mibs.icmpMsg.forEach((count, i) => {
    if (count === 0) return
    names.push(i < 256 ? `InType${i}` : `OutType${i - 256}`)
    values.push(count)
  })
  return names.length === 0 ? '' : block('IcmpMsg', names, values)
}

function snmp(net: Net): string {
  const mibs = net.at(mibKey)
  const forwarding = net.at(ipv4DevconfKey).all.data[IPV4_DEVCONF_FORWARDING] !== 0 ? 1 : 2
  const ip = [forwarding, net.at(ipv4Key).ipDefaultTtl, ...mibs.ip.subarray(0, IP_NAMES.length)]
  return (
    block('Ip', ['Forwarding', 'DefaultTTL', ...IP_NAMES], ip) +
    block('Icmp', ICMP_NAMES, icmpValues(mibs)) +
    icmpMsgBlock(mibs) +
    block('Tcp', ['RtoAlgorithm', 'RtoMin', 'RtoMax', 'MaxConn', ...TCP_NAMES], [1, 200, 120000, -1, ...mibs.tcp]) +
    block('Udp', UDP_NAMES, [...mibs.udp]) +
    block('UdpLite', UDP_NAMES, [...mibs.udplite])
  )
}

function netstat(net: Net): string {
  const mibs = net.at(mibKey)
  return (
    block('TcpExt', LINUX_NAMES, [...mibs.linux]) +
    block('IpExt', IPEXT_NAMES, [...mibs.ip.subarray(IP_NAMES.length)]) +
    block(
      'MPTcpExt',
      MPTCP_NAMES,
      MPTCP_NAMES.map(() => 0),
    )
  )
}

/** What TCP adds to /proc/net/sockstat: sockets without a process, in TIME-WAIT, allocated, and pages of memory. */
export interface TcpSockstat {
  readonly orphan: number
  readonly tw: number
  readonly alloc: number
  readonly mem: number
}

let tcpSockstat: (net: Net) => TcpSockstat = () => ({ orphan: 0, tw: 0, alloc: 0, mem: 0 })

/** Used by TCP. */
export function setTcpSockstat(fn: (net: Net) => TcpSockstat): void {
  tcpSockstat = fn
}

function sockstat(net: Net): string {
  const { used, inuse } = socketCounts(net)
  const count = (name: string): number => inuse.get(name) ?? 0
  const tcp = tcpSockstat(net)
  const frag = ipFragStat(net)
  return (
    `sockets: used ${used}\n` +
    `TCP: inuse ${count('TCP')} orphan ${tcp.orphan} tw ${tcp.tw} alloc ${tcp.alloc} mem ${tcp.mem}\n` +
    `UDP: inuse ${count('UDP')} mem 0\n` +
    `UDPLITE: inuse ${count('UDP-Lite')}\n` +
    `RAW: inuse ${count('RAW')}\n` +
    `FRAG: inuse ${frag.inuse} memory ${frag.memory}\n`
  )
}

/** Makes a namespace's counters and their files (ip_proc_init_net). */
export function ipProcInit(net: Net): void {
  net.set(mibKey, new Ipv4Mibs())
  procCreateNet(net, 'snmp', () => snmp(net))
  procCreateNet(net, 'netstat', () => netstat(net))
  procCreateNet(net, 'sockstat', () => sockstat(net))
}
