/** Fragmentation at the source (RFC 8200 §4.5). Routers never fragment: what is too long there comes back as an error. */
import { Errno } from '../../uapi/errno.ts'
import { IPPROTO_DSTOPTS, IPPROTO_FRAGMENT, IPPROTO_HOPOPTS, IPPROTO_ROUTING } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, type SkBuff } from '../core/skbuff.ts'
import { csumFold, csumPartial } from './checksum.ts'
import { ICMPV6_PKT_TOOBIG, icmpv6Send } from './icmp_send.ts'
import { FRAG_HLEN, IPV6_HLEN, IPV6_MIN_MTU, OFF_NEXTHDR, OFF_PAYLOAD_LEN, put16, put32 } from './ip6.ts'
import { IP6SKB_FRAGMENTED, IP6SKB_IGNORE_DF } from './ip6cb.ts'
import type { Rt6Info } from './rt6_info.ts'
import { IPSTATS_MIB_FRAGCREATES, IPSTATS_MIB_FRAGFAILS, IPSTATS_MIB_FRAGOKS, ip6Inc } from './snmp.ts'

/** What `findFragHdr` found: length of the part every fragment repeats, and where its last next-header byte stands. */
const unfragmentable = { len: 0, nexthdrAt: 0 }

/** Finds where the fragment header belongs (ip6_find_1stfragopt). @returns false where the headers do not add up */
function findUnfragmentable(skb: SkBuff): boolean {
  const { buf, networkHeader: nh, tail } = skb
  let at = nh + IPV6_HLEN
  let nexthdrAt = nh + OFF_NEXTHDR
  let found = at
  for (let routing = false; ; ) {
    const nexthdr = buf[nexthdrAt]!
    if (nexthdr === IPPROTO_ROUTING) routing = true
    else if (nexthdr === IPPROTO_DSTOPTS) {
      // options for the final destination belong to the part that is split
      if (routing) break
    } else if (nexthdr !== IPPROTO_HOPOPTS) break
    if (at + 8 > tail) return false
    const len = (buf[at + 1]! + 1) << 3
    nexthdrAt = at
    at += len
    found = at
    if (at > tail) return false
  }
  unfragmentable.len = found - nh
  unfragmentable.nexthdrAt = nexthdrAt
  return true
}

/** @returns an identification for fragments, different for every packet (ipv6_select_ident) */
export function ipv6SelectIdent(net: Net): number {
  let id: number
  do id = net.kernel.random.u32()
  while (id === 0)
  return id
}

function tooBig(skb: SkBuff, mtu: number, net: Net, dst: Rt6Info): number {
  icmpv6Send(skb, ICMPV6_PKT_TOOBIG, 0, mtu)
  ip6Inc(net, dst.idev?.stats, IPSTATS_MIB_FRAGFAILS)
  skb.free('ip6_fragment', 'PKT_TOO_BIG')
  return -Errno.EMSGSIZE
}

/** Stores a checksum that was left to the device: fragments are not what a device can sum up. */
export function checksumHelp(skb: SkBuff): void {
  if (skb.ipSummed !== CHECKSUM_PARTIAL) return
  skb.unshare()
  const { buf, csumStart } = skb
  const sum = csumFold(csumPartial(buf, csumStart, skb.tail - csumStart, 0))
  put16(buf, csumStart + skb.csumOffset, sum === 0 ? 0xffff : sum)
  skb.ipSummed = CHECKSUM_NONE
}

/**
 * Splits a packet and sends the fragments (ip6_fragment).
 * @param mtu bytes a fragment may have @param output takes each of them
 */
export function ip6Fragment(skb: SkBuff, mtu: number, output: (skb: SkBuff) => number): number {
  const dst = skb.dst as Rt6Info
  const { net } = dst.dev
  if (!findUnfragmentable(skb)) {
    ip6Inc(net, dst.idev?.stats, IPSTATS_MIB_FRAGFAILS)
    skb.free('ip6_fragment')
    return -Errno.EINVAL
  }
  const hlen = unfragmentable.len
  if ((skb.cbFlags & IP6SKB_IGNORE_DF) === 0 && skb.len > mtu) return tooBig(skb, mtu, net, dst)
  if (skb.cbFragMaxSize !== 0) {
    if (skb.cbFragMaxSize > mtu) return tooBig(skb, mtu, net, dst)
    mtu = Math.max(skb.cbFragMaxSize, IPV6_MIN_MTU)
  }
  const room = (mtu - hlen - FRAG_HLEN) & ~7
  if (room < 8) return tooBig(skb, mtu, net, dst)
  checksumHelp(skb)
  const id = ipv6SelectIdent(net)
  const nexthdrOffset = unfragmentable.nexthdrAt - skb.networkHeader
  const nexthdr = skb.buf[unfragmentable.nexthdrAt]!
  let left = skb.len - hlen
  let offset = 0
  let err = 0
  while (left > 0 && err === 0) {
    const len = left > mtu - hlen - FRAG_HLEN ? room : left
    const frag = net.kernel.skbs.alloc(dst.dev.llReserved + hlen + FRAG_HLEN + len)
    frag.reserve(dst.dev.llReserved)
    frag.resetNetworkHeader()
    const at = frag.put(hlen + FRAG_HLEN + len)
    const { buf } = frag
    const from = skb.networkHeader
    buf.set(skb.buf.subarray(from, from + hlen), at)
    buf.set(skb.buf.subarray(from + hlen + offset, from + hlen + offset + len), at + hlen + FRAG_HLEN)
    buf[at + nexthdrOffset] = IPPROTO_FRAGMENT
    buf[at + hlen] = nexthdr
    buf[at + hlen + 1] = 0
    put16(buf, at + hlen + 2, offset | (left > len ? 1 : 0))
    put32(buf, at + hlen + 4, id)
    put16(buf, at + OFF_PAYLOAD_LEN, frag.len - IPV6_HLEN)
    frag.transportHeader = at + hlen
    copyMetadata(frag, skb)
    offset += len
    left -= len
    err = output(frag)
    if (err === 0) ip6Inc(net, dst.idev?.stats, IPSTATS_MIB_FRAGCREATES)
  }
  ip6Inc(net, dst.idev?.stats, err === 0 ? IPSTATS_MIB_FRAGOKS : IPSTATS_MIB_FRAGFAILS)
  if (err === 0) skb.consume()
  else skb.free('ip6_fragment')
  return err
}

function copyMetadata(frag: SkBuff, skb: SkBuff): void {
  frag.pktType = skb.pktType
  frag.priority = skb.priority
  frag.protocol = skb.protocol
  frag.dst = skb.dst
  frag.dev = skb.dev
  frag.mark = skb.mark
  frag.tstamp = skb.tstamp
  frag.iif = skb.iif
  frag.hash = skb.hash
  frag.cbFlags = skb.cbFlags | IP6SKB_FRAGMENTED
  frag.cbIif = skb.cbIif
  if (skb.nfct !== null) {
    skb.nfct.get()
    frag.nfct = skb.nfct
    frag.nfctinfo = skb.nfctinfo
  }
}
