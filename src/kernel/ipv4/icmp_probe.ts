/** Extended echo, PROBE (RFC 8335): asking a node about the state of its interfaces. */
import { IFF_UP } from '../../uapi/if.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { ipDevFind } from './devinet_select.ts'
import { inDevGet } from './in_device.ts'
import { get16, get32 } from './ip.ts'
import { ipv4Key } from './netns_ipv4.ts'

/** Codes of the answer. */
const MALFORMED_QUERY = 1
const NO_SUCH_INTERFACE = 2

/** Flags of the answer: the interface is active, it runs IPv4, IPv6. */
const ACTIVE = 4
const IPV4 = 2
const IPV6 = 1

const EXT_HLEN = 4
const OBJ_HLEN = 4
const CLASS_INTERFACE_ID = 3
const CTYPE_NAME = 1
const CTYPE_INDEX = 2
const CTYPE_ADDR = 3

/** What an answer says. */
export interface ProbeAnswer {
  readonly code: number
  /** the last byte of the second word */
  readonly flags: number
}

/**
 * Finds the interface that a request names (icmp_build_probe). `data` is behind the ICMP header.
 * @returns undefined where the request is not to be answered
 */
export function icmpBuildProbe(net: Net, skb: SkBuff): ProbeAnswer | undefined {
  if (net.at(ipv4Key).icmpEchoEnableProbe === 0) return undefined
  const { buf, data, tail, transportHeader: icmph } = skb
  // only requests about the node's own interfaces
  if ((buf[icmph + 7]! & 1) === 0) return undefined
  const flags = buf[icmph + 7]! & ~7
  const malformed = { code: MALFORMED_QUERY, flags }
  const at = data + EXT_HLEN
  if (at + OBJ_HLEN > tail) return malformed
  const length = get16(buf, at)
  if (buf[at + 2] !== CLASS_INTERFACE_ID || length < OBJ_HLEN || at + length > tail) return malformed
  const dev = namedDevice(net, buf, at + OBJ_HLEN, length - OBJ_HLEN, buf[at + 3]!)
  if (dev === MALFORMED) return malformed
  if (dev === undefined) return { code: NO_SUCH_INTERFACE, flags }
  let status = 0
  if ((dev.flags & IFF_UP) !== 0) status |= ACTIVE
  if ((inDevGet(dev)?.ifaList.length ?? 0) > 0) status |= IPV4
  if (dev.ip6Ptr !== undefined) status |= IPV6
  return { code: 0, flags: flags | status }
}

const MALFORMED = 'malformed'

function namedDevice(
  net: Net,
  buf: Uint8Array,
  at: number,
  length: number,
  ctype: number,
): NetDevice | undefined | typeof MALFORMED {
  switch (ctype) {
    case CTYPE_NAME: {
      if (length >= 16) return MALFORMED
      const name = String.fromCharCode(...buf.subarray(at, at + length)).split('\0')[0]!
      return net.devByName(name)
    }
    case CTYPE_INDEX:
      return length === 4 ? net.devByIndex(get32(buf, at)) : MALFORMED
    case CTYPE_ADDR:
      // address family number, address length, reserved, address
      if (length < 8 || buf[at + 2] === undefined) return MALFORMED
      if (get16(buf, at) === 1 && buf[at + 2] === 4) return ipDevFind(net, get32(buf, at + 4))
      return MALFORMED
    default:
      return MALFORMED
  }
}
