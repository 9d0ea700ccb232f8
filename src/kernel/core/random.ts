/** Seeded randomness: MAC addresses, ports, sequence numbers, jitter. The same seed gives the same numbers everywhere. */

/** A xoshiro128** generator: 32-bit integers only, so that every host computes the same. */
export class Random {
  private a: number
  private b: number
  private c: number
  private d: number

  /** @param seed any number; its integer part's low 53 bits count */
  constructor(seed: number) {
    let x = (seed ^ 0x9e3779b9) >>> 0
    const hi = Math.floor(seed / 2 ** 32) >>> 0
    const next = (): number => {
      x = (x + 0x9e3779b9 + hi) >>> 0
      let z = x
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
      return (z ^ (z >>> 16)) >>> 0
    }
    this.a = next()
    this.b = next()
    this.c = next()
    this.d = next() | 1
  }

  /** @returns 32 random bits, unsigned */
  u32(): number {
    const r = Math.imul(this.b, 5)
    const result = Math.imul((r << 7) | (r >>> 25), 9) >>> 0
    const t = this.b << 9
    this.c ^= this.a
    this.d ^= this.b
    this.b ^= this.c
    this.a ^= this.d
    this.c ^= t
    this.d = (this.d << 11) | (this.d >>> 21)
    return result
  }

  /** @returns an integer from 0 to `ceiling` - 1, evenly (get_random_u32_below); `ceiling` at most 2^32 */
  below(ceiling: number): number {
    return Math.floor((this.u32() * ceiling) / 0x100000000)
  }

  /** @returns a number from 0 (inclusive) to 1 (exclusive) */
  unit(): number {
    return this.u32() / 0x100000000
  }

  /** Fills bytes. */
  fill(bytes: Uint8Array): Uint8Array {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.u32() >>> 24
    return bytes
  }

  /** @returns a locally administered unicast Ethernet address (eth_random_addr) */
  etherAddress(): Uint8Array {
    const address = this.fill(new Uint8Array(6))
    address[0] = (address[0]! & 0xfe) | 0x02
    return address
  }

  /** @returns a generator of its own stream, seeded from this one */
  fork(): Random {
    return new Random(this.u32())
  }
}
