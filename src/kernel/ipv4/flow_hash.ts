/** A hash that is the same for every packet of a flow (skb_get_hash): addresses, protocol and ports of the inner packet. */
import { ETH_P_IP, ETH_P_IPV6 } from '../../uapi/if.ts'
import { IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/socket.ts'
import type { SkBuff } from '../core/skbuff.ts'

function mix(hash: number, word: number): number {
  const h = Math.imul(hash ^ word, 0x9e3779b1)
  return h ^ (h >>> 15)
}

function words(hash: number, buf: Uint8Array, at: number, bytes: number): number {
  let h = hash
  for (let i = at; i < at + bytes; i += 4)
    h = mix(h, (buf[i]! << 24) | (buf[i + 1]! << 16) | (buf[i + 2]! << 8) | buf[i + 3]!)
  return h
}

/** @returns 32 bits; frames without IP are hashed by their first bytes */
export function flowHash(skb: SkBuff): number {
  const { buf, networkHeader: at, protocol, tail } = skb
  let hash = 0x85ebca6b
  let proto = -1
  let ports = -1
  if (protocol === ETH_P_IP && at + 20 <= tail) {
    hash = words(hash, buf, at + 12, 8)
    proto = buf[at + 9]!
    if ((((buf[at + 6]! << 8) | buf[at + 7]!) & 0x3fff) === 0) ports = at + (buf[at]! & 15) * 4
  } else if (protocol === ETH_P_IPV6 && at + 40 <= tail) {
    hash = words(hash, buf, at + 8, 32)
    proto = buf[at + 6]!
    ports = at + 40
  } else hash = words(hash, buf, skb.data, Math.min(12, (tail - skb.data) & ~3))
  if (proto >= 0) hash = mix(hash, proto)
  if ((proto === IPPROTO_TCP || proto === IPPROTO_UDP) && ports >= 0 && ports + 4 <= tail)
    hash = words(hash, buf, ports, 4)
  return mix(hash, 0x27d4eb2f) >>> 0
}
