import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  csumFold,
  csumPartial,
  csumReplace2,
  csumReplace4,
  csumTcpudpMagic,
  ipComputeCsum,
  ipFastCsum,
} from '../../../src/kernel/ipv4/checksum.ts'
import { get16, get32, ipDecreaseTtl, ipSendCheck, put16, put32 } from '../../../src/kernel/ipv4/ip.ts'

/** RFC 1071, word by word. */
function slow(bytes: Uint8Array): number {
  let sum = 0n
  for (let i = 0; i < bytes.length; i += 2) sum += BigInt((bytes[i]! << 8) | (bytes[i + 1] ?? 0))
  while (sum > 0xffffn) sum = (sum & 0xffffn) + (sum >> 16n)
  return Number(~sum & 0xffffn)
}

describe('the Internet checksum', () => {
  it('is that of RFC 1071 for any bytes at any place', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(7), (bytes, before) => {
        const buf = new Uint8Array(bytes.length + before)
        buf.set(bytes, before)
        expect(ipComputeCsum(buf, before, bytes.length)).toBe(slow(bytes))
      }),
    )
  })

  it('adds up over parts of even length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(50), (bytes, n) => {
        const cut = Math.min(bytes.length, 2 * n)
        const first = csumPartial(bytes, 0, cut, 0)
        expect(csumFold(csumPartial(bytes, cut, bytes.length - cut, first))).toBe(slow(bytes))
      }),
    )
  })

  it('can be brought up to date as RFC 1624 says, with the same result as computing it anew', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 20, maxLength: 60 }),
        fc.nat(0xffff),
        fc.nat(0xffffffff),
        (bytes, a, b) => {
          const header = bytes.slice(0, bytes.length & ~3)
          header[0] = 0x40 | (header.length >> 2)
          ipSendCheck(header, 0)
          let check = get16(header, 10)
          check = csumReplace2(check, get16(header, 2), a)
          put16(header, 2, a)
          check = csumReplace4(check, get32(header, 12), b)
          put32(header, 12, b)
          put16(header, 10, check)
          expect(ipFastCsum(header, 0, header.length >> 2)).toBe(0)
        },
      ),
    )
  })

  it('stays right when the TTL is decreased', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.integer({ min: 1, max: 255 }), (bytes, ttl) => {
        const header = bytes.slice()
        header[0] = 0x45
        header[8] = ttl
        ipSendCheck(header, 0)
        ipDecreaseTtl(header, 0)
        expect(header[8]).toBe(ttl - 1)
        expect(ipFastCsum(header, 0, 5)).toBe(0)
      }),
    )
  })

  it('covers the pseudo header of UDP', () => {
    // RFC 768 example made by hand: 10.0.0.1 → 10.0.0.2, ports 1 and 2, no data
    const header = Uint8Array.of(0, 1, 0, 2, 0, 8, 0, 0)
    const check = csumTcpudpMagic(0x0a000001, 0x0a000002, 8, 17, csumPartial(header, 0, 8, 0))
    const pseudo = Uint8Array.of(10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0, 8, ...header)
    expect(check).toBe(slow(pseudo))
  })
})
