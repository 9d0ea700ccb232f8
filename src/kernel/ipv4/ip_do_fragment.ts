/** Cutting an IPv4 packet into fragments (RFC 791 §3.2). */
import { Errno } from '../../uapi/errno.ts'
import { skbChecksumHelp } from '../core/skb_checksum.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { Sock } from '../core/sock.ts'
import { skbTruesize } from '../core/truesize.ts'
import {
  get16,
  IP_DF,
  IP_MF,
  IP_OFFSET,
  IPSKB_FRAG_COMPLETE,
  IPSKB_FRAG_PMTU,
  ipSendCheck,
  OFF_FRAG_OFF,
  OFF_TOT_LEN,
  put16,
} from './ip.ts'
import { ipOptionsFragment, skbOptions } from './ip_options.ts'
import { IPSTATS_MIB_FRAGCREATES, IPSTATS_MIB_FRAGFAILS, IPSTATS_MIB_FRAGOKS, ipInc } from './snmp.ts'

/** Gives a fragment what the packet carries beside its bytes (ip_copy_metadata). */
function copyMetadata(to: SkBuff, from: SkBuff): void {
  to.pktType = from.pktType
  to.priority = from.priority
  to.protocol = from.protocol
  to.iif = from.iif
  to.dst = from.dst
  to.dev = from.dev
  to.mark = from.mark
  to.hash = from.hash
  to.tstamp = from.tstamp
  to.nfTrace = from.nfTrace
  to.brPhysindev = from.brPhysindev
  if (from.nfct !== null) {
    from.nfct.get()
    to.nfct = from.nfct
    to.nfctinfo = from.nfctinfo
  }
}

/**
 * Cuts a packet and gives each piece to `output` (ip_do_fragment). Takes the packet over.
 * @param mtu bytes @returns 0, or the error of the piece that could not be sent
 */
export function ipDoFragment(skb: SkBuff, mtu: number, output: (skb: SkBuff) => number): number {
  const { dev } = skb.dst!
  const { net } = dev
  skbChecksumHelp(skb)
  skb.unshare()
  if (skb.cbFragMaxSize !== 0 && skb.cbFragMaxSize < mtu) mtu = skb.cbFragMaxSize
  skb.cbFlags |= IPSKB_FRAG_COMPLETE
  const { buf, networkHeader: iph } = skb
  const hlen = (buf[iph]! & 15) * 4
  const room = mtu - hlen
  if (room < 8) {
    ipInc(net, IPSTATS_MIB_FRAGFAILS)
    skb.free('ip_do_fragment', 'PKT_TOO_BIG')
    return -Errno.EMSGSIZE
  }
  const reserved = dev.llReserved
  const df = (skb.cbFlags & IPSKB_FRAG_PMTU) !== 0 ? IP_DF : 0
  const field = get16(buf, iph + OFF_FRAG_OFF)
  const more = field & IP_MF
  const { owner } = skb
  let offset = (field & IP_OFFSET) << 3
  let left = skb.len - hlen
  let from = skb.data + hlen
  while (left > 0) {
    let len = Math.min(left, room)
    if (len < left) len &= ~7
    const piece = net.kernel.skbs.alloc(reserved + hlen + len)
    piece.truesize = skbTruesize(reserved + hlen + len)
    copyMetadata(piece, skb)
    piece.reserve(reserved)
    const at = piece.put(hlen + len)
    piece.networkHeader = at
    piece.transportHeader = at + hlen
    if (owner instanceof Sock) owner.setOwnerW(piece)
    piece.buf.set(buf.subarray(iph, iph + hlen), at)
    piece.buf.set(buf.subarray(from, from + len), at + hlen)
    const first = offset === 0
    left -= len
    put16(piece.buf, at + OFF_FRAG_OFF, (offset >> 3) | df | (left > 0 ? IP_MF : more))
    put16(piece.buf, at + OFF_TOT_LEN, hlen + len)
    ipSendCheck(piece.buf, at)
    from += len
    offset += len
    piece.cbFlags = skb.cbFlags
    // options that are not copied are blanked once, for all fragments behind the first
    const opt = skbOptions(skb)
    if (first && opt !== null) ipOptionsFragment(opt, buf, iph)
    const rc = output(piece)
    if (rc !== 0) {
      skb.free('ip_do_fragment')
      ipInc(net, IPSTATS_MIB_FRAGFAILS)
      return rc
    }
    ipInc(net, IPSTATS_MIB_FRAGCREATES)
  }
  skb.consume()
  ipInc(net, IPSTATS_MIB_FRAGOKS)
  return 0
}
