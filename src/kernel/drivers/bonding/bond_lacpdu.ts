/** The LACPDU of IEEE 802.1AX: 110 bytes, of which actor and partner matter. */
import type { SkBuff } from '../../core/skbuff.ts'
import type { AdParty } from './bond_3ad_types.ts'

/** Bytes behind the link header. */
export const LACPDU_LEN = 110
const SUBTYPE_LACP = 1

function writeParty(buf: Uint8Array, at: number, type: number, party: AdParty): void {
  buf.set([type, 20, party.systemPriority >> 8, party.systemPriority & 0xff], at)
  buf.set(party.system, at + 4)
  buf.set(
    [
      party.key >> 8,
      party.key & 0xff,
      party.portPriority >> 8,
      party.portPriority & 0xff,
      party.portNumber >> 8,
      party.portNumber & 0xff,
      party.state,
      0,
      0,
      0,
    ],
    at + 10,
  )
}

function readParty(buf: Uint8Array, at: number): AdParty {
  const u16 = (i: number): number => (buf[at + i]! << 8) | buf[at + i + 1]!
  return {
    systemPriority: u16(2),
    system: buf.slice(at + 4, at + 10),
    key: u16(10),
    portPriority: u16(12),
    portNumber: u16(14),
    state: buf[at + 16]!,
  }
}

/** Writes a LACPDU. @param at its first byte, behind the link header */
export function writeLacpdu(buf: Uint8Array, at: number, actor: AdParty, partner: AdParty): void {
  buf.fill(0, at, at + LACPDU_LEN)
  buf[at] = SUBTYPE_LACP
  buf[at + 1] = 1
  writeParty(buf, at + 2, 1, actor)
  writeParty(buf, at + 22, 2, partner)
  buf[at + 42] = 3
  buf[at + 43] = 16
}

/** @returns actor and partner of a LACPDU at the packet's data, undefined where it is none */
export function readLacpdu(skb: SkBuff): { actor: AdParty; partner: AdParty } | undefined {
  const { buf, data } = skb
  if (skb.len < LACPDU_LEN || buf[data] !== SUBTYPE_LACP) return undefined
  return { actor: readParty(buf, data + 2), partner: readParty(buf, data + 22) }
}
