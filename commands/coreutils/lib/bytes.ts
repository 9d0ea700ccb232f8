/**
 * Byte strings: text of the shell and the text utilities, one character (U+0000 to U+00FF) a byte.
 *
 * They work on bytes and only sometimes on characters, and bytes that are no UTF-8 must survive from `printf '\xff'` to a
 * file. So they keep every string as bytes and convert at their edges: system calls take ordinary JavaScript strings.
 * There a byte that is not part of valid UTF-8 becomes the lone surrogate U+DC80 to U+DCFF, and comes back as that byte.
 */

const NON_ASCII = /[\x80-\uffff]/

/** @returns whether a byte string has bytes above 0x7f */
export function hasHighBytes(bytes: string): boolean {
  return NON_ASCII.test(bytes)
}

/** @returns the text of a byte string; bytes that are not valid UTF-8 become lone surrogates */
export function decode(bytes: string): string {
  if (!NON_ASCII.test(bytes)) return bytes
  let text = ''
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i)
    const first = bytes.charCodeAt(i)
    if (length === 0) {
      text += String.fromCharCode(first < 0x80 ? first : 0xdc00 + first)
      i++
      continue
    }
    if (length === 1) text += bytes[i]
    else {
      let point = first & (0x7f >> length)
      for (let k = 1; k < length; k++) point = (point << 6) | (bytes.charCodeAt(i + k) & 0x3f)
      text += String.fromCodePoint(point)
    }
    i += length
  }
  return text
}

/** @returns length in bytes of the valid UTF-8 sequence at `i`, 0 if there is none */
function sequenceLength(bytes: string, i: number): number {
  const first = bytes.charCodeAt(i)
  if (first < 0x80) return 1
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
  if (first < 0xc2 || first > 0xf4 || i + length > bytes.length) return 0
  for (let k = 1; k < length; k++) if ((bytes.charCodeAt(i + k) & 0xc0) !== 0x80) return 0
  const second = bytes.charCodeAt(i + 1)
  if (first === 0xe0 && second < 0xa0) return 0
  if (first === 0xed && second > 0x9f) return 0
  if (first === 0xf0 && second < 0x90) return 0
  if (first === 0xf4 && second > 0x8f) return 0
  return length
}

/** @returns the byte string of a text, as UTF-8; the inverse of `decode` */
export function encode(text: string): string {
  if (!NON_ASCII.test(text)) return text
  let bytes = ''
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) bytes += text[i]
    else if (unit < 0x800) bytes += String.fromCharCode(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f))
    else if (unit >= 0xdc80 && unit <= 0xdcff) bytes += String.fromCharCode(unit - 0xdc00)
    else {
      const point = text.codePointAt(i)!
      if (point < 0x10000) {
        bytes += String.fromCharCode(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f))
      } else {
        i++
        bytes += String.fromCharCode(
          0xf0 | (point >> 18),
          0x80 | ((point >> 12) & 0x3f),
          0x80 | ((point >> 6) & 0x3f),
          0x80 | (point & 0x3f),
        )
      }
    }
  }
  return bytes
}

/** @returns the bytes of a byte string */
export function toBytes(bytes: string): Uint8Array {
  const out = new Uint8Array(bytes.length)
  for (let i = 0; i < bytes.length; i++) out[i] = bytes.charCodeAt(i)
  return out
}

/** @returns the byte string of bytes */
export function fromBytes(bytes: Uint8Array): string {
  if (bytes.length < 8192) return String.fromCharCode(...bytes)
  let out = ''
  for (let i = 0; i < bytes.length; i += 8192) out += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return out
}
