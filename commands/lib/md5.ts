/** The MD5 message digest (RFC 1321), for protocols that name groups by it. */

const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]
const SINES = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0)

/** @returns the 16 bytes of a message's digest */
export function md5(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array((((message.length + 8) >> 6) + 1) * 64)
  padded.set(message)
  padded[message.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, message.length * 8, true)
  let [a, b, c, d] = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476]
  for (let block = 0; block < padded.length; block += 64) {
    const [a0, b0, c0, d0] = [a, b, c, d]
    for (let i = 0; i < 64; i++) {
      const round = i >> 4
      let mix: number
      let word: number
      if (round === 0) [mix, word] = [(b & c) | (~b & d), i]
      else if (round === 1) [mix, word] = [(d & b) | (~d & c), (5 * i + 1) & 15]
      else if (round === 2) [mix, word] = [b ^ c ^ d, (3 * i + 5) & 15]
      else [mix, word] = [c ^ (b | ~d), (7 * i) & 15]
      const sum = (a + mix + SINES[i]! + view.getUint32(block + word * 4, true)) | 0
      const shift = SHIFTS[round * 4 + (i & 3)]!
      const rotated = (sum << shift) | (sum >>> (32 - shift))
      ;[a, d, c, b] = [d, c, b, (b + rotated) | 0]
    }
    a = (a + a0) | 0
    b = (b + b0) | 0
    c = (c + c0) | 0
    d = (d + d0) | 0
  }
  const digest = new Uint8Array(16)
  const out = new DataView(digest.buffer)
  for (const [i, word] of [a, b, c, d].entries()) out.setInt32(i * 4, word, true)
  return digest
}
