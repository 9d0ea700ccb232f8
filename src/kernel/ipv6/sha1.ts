/** One block of SHA-1 (RFC 3174 §6.1), which is all that stable interface identifiers need. */

function rotl(x: number, n: number): number {
  return (x << n) | (x >>> (32 - n))
}

/** @param block 64 bytes @returns the five words of the digest state after this block, unsigned */
export function sha1Block(block: Uint8Array): [number, number, number, number, number] {
  const w = new Int32Array(80)
  for (let i = 0; i < 16; i++)
    w[i] = (block[4 * i]! << 24) | (block[4 * i + 1]! << 16) | (block[4 * i + 2]! << 8) | block[4 * i + 3]!
  for (let i = 16; i < 80; i++) w[i] = rotl(w[i - 3]! ^ w[i - 8]! ^ w[i - 14]! ^ w[i - 16]!, 1)
  const h = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0] as const
  let [a, b, c, d, e]: number[] = [...h]
  for (let i = 0; i < 80; i++) {
    const f = i < 20 ? (b! & c!) | (~b! & d!) : i < 40 || i >= 60 ? b! ^ c! ^ d! : (b! & c!) | (b! & d!) | (c! & d!)
    const k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6
    const t = (rotl(a!, 5) + f + e! + k + w[i]!) | 0
    e = d
    d = c
    c = rotl(b!, 30)
    b = a
    a = t
  }
  return [(h[0] + a!) >>> 0, (h[1] + b!) >>> 0, (h[2] + c!) >>> 0, (h[3] + d!) >>> 0, (h[4] + e!) >>> 0]
}
