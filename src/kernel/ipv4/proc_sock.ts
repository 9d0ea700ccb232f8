/** /proc/net/{udp,udplite,raw,icmp}: the datagram sockets of a namespace. */
import { AF_INET } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import { procCreateNet } from '../core/procfs.ts'
import type { InetSock } from './inet_sock.ts'
import { pingSockets } from './ping.ts'
import { rawSockets } from './raw.ts'
import { udpTableKey } from './udp_table.ts'

/** Width that lines of some of the files are filled up to. */
const WIDTH = 127

const hex = (value: number, width: number): string => value.toString(16).toUpperCase().padStart(width, '0')

/** An address as the kernel's number in memory: bytes reversed on this machine. */
function hexAddress(addr: number): string {
  return hex((((addr & 0xff) << 24) | ((addr & 0xff00) << 8) | ((addr >>> 8) & 0xff00) | (addr >>> 24)) >>> 0, 8)
}

function row(sk: InetSock, bucket: number, bucketWidth: number): string {
  const local = `${hexAddress(sk.rcvSaddr)}:${hex(sk.sport, 4)}`
  const remote = `${hexAddress(sk.daddr)}:${hex(sk.dport, 4)}`
  const queues = `${hex(sk.wmemAlloc, 8)}:${hex(sk.rmemAlloc, 8)}`
  const uid = String(sk.cred.uid).padStart(5)
  // references: the descriptor and the table; the pointer is hashed and means nothing
  const tail = `00:00000000 00000000 ${uid} ${'0'.padStart(8)} ${sk.ino} 2 ${hex(sk.ino, 16).toLowerCase()} ${sk.drops}`
  return `${String(bucket).padStart(bucketWidth)}: ${local} ${remote} ${hex(sk.state, 2)} ${queues} ${tail}`
}

function header(indent: string): string {
  return `${indent}sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops`
}

function udp(net: Net, protoName: string): string {
  let text = `${header('   ').padEnd(WIDTH)}\n`
  const table = net.at(udpTableKey)
  for (const sk of table.all())
    if (sk.domain === AF_INET && sk.protoName === protoName)
      text += `${row(sk, table.bucket(sk.num), 5).padEnd(WIDTH)}\n`
  return text
}

function raw(net: Net): string {
  let text = `${header('  ')}\n`
  const lists = [...rawSockets(net)].sort(([a], [b]) => a - b)
  for (const [protocol, list] of lists) for (const sk of list) text += `${row(sk, protocol, 4)}\n`
  return text
}

function icmp(net: Net): string {
  let text = `${header('  ').padEnd(WIDTH)}\n`
  const lists = [...pingSockets(net)].sort(([a], [b]) => a - b)
  for (const [ident, list] of lists) for (const sk of list) text += `${row(sk, ident & 63, 5).padEnd(WIDTH)}\n`
  return text
}

/** Registers the files of a namespace. */
export function sockProcInit(net: Net): void {
  procCreateNet(net, 'udp', () => udp(net, 'UDP'))
  procCreateNet(net, 'udplite', () => udp(net, 'UDP-Lite'))
  procCreateNet(net, 'raw', () => raw(net))
  procCreateNet(net, 'icmp', () => icmp(net))
}
