/** IGMP messages (RFC 1112, RFC 2236, RFC 3376): building and sending reports. */
import { IPPROTO_IGMP } from '../../uapi/socket.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { skbTruesize } from '../core/truesize.ts'
import { ipComputeCsum } from './checksum.ts'
import { Flowi4 } from './flow.ts'
import { inDevGet } from './in_device.ts'
import {
  IP_DF,
  IP_HLEN,
  OFF_DADDR,
  OFF_FRAG_OFF,
  OFF_ID,
  OFF_PROTOCOL,
  OFF_SADDR,
  OFF_TOS,
  OFF_TTL,
  put16,
  put32,
} from './ip.ts'
import { ipLocalOut } from './ip_output.ts'
import { ipRouteOutputKey } from './route.ts'

export const IGMP_HOST_MEMBERSHIP_QUERY = 0x11
export const IGMP_HOST_MEMBERSHIP_REPORT = 0x12
export const IGMPV2_HOST_MEMBERSHIP_REPORT = 0x16
export const IGMP_HOST_LEAVE_MESSAGE = 0x17
export const IGMPV3_HOST_MEMBERSHIP_REPORT = 0x22

/** Kinds of group records (RFC 3376 §4.2.12). */
export const IGMPV3_MODE_IS_EXCLUDE = 2
export const IGMPV3_CHANGE_TO_INCLUDE = 3
export const IGMPV3_CHANGE_TO_EXCLUDE = 4

/** Groups all hosts, all routers, all routers with version 3 listen to. */
export const IGMP_ALL_HOSTS = 0xe0000001
const IGMP_ALL_ROUTER = 0xe0000002
const IGMPV3_ALL_MCR = 0xe0000016

/** Header with the router alert option. */
const HLEN = IP_HLEN + 4
const TC_PRIO_CONTROL = 7
const IPTOS_PREC_INTERNETCONTROL = 0xc0

/** A group and what is reported about it. Sources are never listed: the model has no filters by source. */
export interface GroupRecord {
  readonly type: number
  readonly group: number
}

const flow = new Flowi4()

/** Makes a packet to a group with room for a message of `length` bytes; undefined without a route. */
function newPacket(dev: NetDevice, daddr: number, length: number): SkBuff | undefined {
  const { net } = dev
  const fl4 = flow.clear()
  fl4.daddr = daddr
  fl4.proto = IPPROTO_IGMP
  fl4.oif = dev.ifindex
  const rt = ipRouteOutputKey(net, fl4)
  if (typeof rt === 'number') return undefined
  const reserved = dev.llReserved
  const skb = net.kernel.skbs.alloc(reserved + HLEN + length)
  skb.truesize = skbTruesize(reserved + HLEN + length)
  skb.priority = TC_PRIO_CONTROL
  skb.dst = rt
  skb.dev = dev
  skb.reserve(reserved)
  const at = skb.put(HLEN + length)
  const { buf } = skb
  buf.fill(0, at, at + HLEN + length)
  skb.networkHeader = at
  skb.transportHeader = at + HLEN
  buf[at] = 0x40 | (HLEN >> 2)
  buf[at + OFF_TOS] = IPTOS_PREC_INTERNETCONTROL
  put16(buf, at + OFF_ID, 0)
  put16(buf, at + OFF_FRAG_OFF, IP_DF)
  buf[at + OFF_TTL] = 1
  buf[at + OFF_PROTOCOL] = IPPROTO_IGMP
  put32(buf, at + OFF_SADDR, sourceOn(dev, fl4.saddr))
  put32(buf, at + OFF_DADDR, daddr)
  // router alert (RFC 2113)
  put32(buf, at + IP_HLEN, 0x94040000)
  return skb
}

/** The source must be an address of the device itself, else there is none (igmpv3_get_srcaddr). */
function sourceOn(dev: NetDevice, saddr: number): number {
  return inDevGet(dev)?.ifaList.some(ifa => ifa.local === saddr) === true ? saddr : 0
}

function send(skb: SkBuff): void {
  const { buf, transportHeader: at } = skb
  put16(buf, at + 2, ipComputeCsum(buf, at, skb.tail - at))
  ipLocalOut(skb)
}

/** Sends a report of version 3 about groups (igmpv3_sendpack), in as many packets as it takes. */
export function igmpv3SendReport(dev: NetDevice, records: readonly GroupRecord[]): void {
  const room = Math.max(1, Math.floor((dev.mtu - HLEN - 8) / 8))
  for (let from = 0; from < records.length; from += room) {
    const part = records.slice(from, from + room)
    const skb = newPacket(dev, IGMPV3_ALL_MCR, 8 + part.length * 8)
    if (skb === undefined) return
    const { buf, transportHeader: at } = skb
    buf[at] = IGMPV3_HOST_MEMBERSHIP_REPORT
    put16(buf, at + 6, part.length)
    part.forEach((record, i) => {
      buf[at + 8 + i * 8] = record.type
      put32(buf, at + 12 + i * 8, record.group)
    })
    send(skb)
  }
}

/** Sends a report or leave message of version 1 or 2 about a group (igmp_send_report). */
export function igmpSendReport(dev: NetDevice, type: number, group: number): void {
  const skb = newPacket(dev, type === IGMP_HOST_LEAVE_MESSAGE ? IGMP_ALL_ROUTER : group, 8)
  if (skb === undefined) return
  const { buf, transportHeader: at } = skb
  buf[at] = type
  put32(buf, at + 4, group)
  send(skb)
}
