/**
 * Netlink messages as bytes, for the files that `save` writes and `restore` reads: a header and attributes, little
 * endian as on x86-64, each padded to 4 bytes. See netlink(7).
 */

const HEADER = 16
const align = (length: number): number => (length + 3) & ~3

/** A netlink message taken apart. */
export interface WireMessage {
  readonly type: number
  readonly flags: number
  /** the family's own header and its attributes */
  readonly payload: Uint8Array
}

/** Builds the bytes of one message. */
export class WireWriter {
  private bytes = new Uint8Array(256)
  private length = 0

  private reserve(count: number): number {
    const at = this.length
    this.length += count
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(2 * this.length)
      grown.set(this.bytes)
      this.bytes = grown
    }
    return at
  }

  private get view(): DataView {
    return new DataView(this.bytes.buffer)
  }

  u8(value: number): void {
    this.view.setUint8(this.reserve(1), value)
  }

  u16(value: number): void {
    this.view.setUint16(this.reserve(2), value, true)
  }

  u32(value: number): void {
    this.view.setUint32(this.reserve(4), value >>> 0, true)
  }

  raw(data: Uint8Array): void {
    this.bytes.set(data, this.reserve(data.length))
  }

  private pad(): void {
    this.reserve(align(this.length) - this.length)
  }

  /** Writes an attribute whose value `body` writes. */
  nest(type: number, body: () => void): void {
    const start = this.reserve(4)
    body()
    this.view.setUint16(start, this.length - start, true)
    this.view.setUint16(start + 2, type, true)
    this.pad()
  }

  attrU8(type: number, value: number | undefined): void {
    if (value !== undefined) this.nest(type, () => this.u8(value))
  }

  attrU32(type: number, value: number | undefined): void {
    if (value !== undefined) this.nest(type, () => this.u32(value))
  }

  attrBytes(type: number, value: Uint8Array | undefined): void {
    if (value !== undefined) this.nest(type, () => this.raw(value))
  }

  /** Writes text with its terminating NUL. */
  attrText(type: number, value: string | undefined): void {
    if (value !== undefined) this.attrBytes(type, new TextEncoder().encode(value + '\0'))
  }

  /** @returns the message with its netlink header */
  finish(type: number, flags: number): Uint8Array {
    const message = new Uint8Array(HEADER + align(this.length))
    const view = new DataView(message.buffer)
    view.setUint32(0, HEADER + this.length, true)
    view.setUint16(4, type, true)
    view.setUint16(6, flags, true)
    message.set(this.bytes.subarray(0, this.length), HEADER)
    return message
  }
}

/** Takes a file of messages apart; a message cut short ends it. */
export function* readMessages(bytes: Uint8Array): Generator<WireMessage> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let pos = 0; pos + HEADER <= bytes.length; ) {
    const length = view.getUint32(pos, true)
    if (length < HEADER || pos + length > bytes.length) return
    yield {
      type: view.getUint16(pos + 4, true),
      flags: view.getUint16(pos + 6, true),
      payload: bytes.slice(pos + HEADER, pos + length),
    }
    pos += align(length)
  }
}

/** Attributes by type, the last of a type winning; the flag bits of types are dropped. */
export class WireAttrs {
  private readonly byType = new Map<number, Uint8Array>()

  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let pos = 0; pos + 4 <= bytes.length; ) {
      const length = view.getUint16(pos, true)
      if (length < 4 || pos + length > bytes.length) break
      this.byType.set(view.getUint16(pos + 2, true) & 0x3fff, bytes.slice(pos + 4, pos + length))
      pos += align(length)
    }
  }

  bytes(type: number): Uint8Array | undefined {
    return this.byType.get(type)
  }

  u8(type: number): number | undefined {
    return this.byType.get(type)?.[0]
  }

  u32(type: number): number | undefined {
    const value = this.byType.get(type)
    return value === undefined || value.length < 4
      ? undefined
      : new DataView(value.buffer, value.byteOffset).getUint32(0, true)
  }

  /** @returns text up to its first NUL */
  text(type: number): string | undefined {
    const value = this.byType.get(type)
    return value === undefined ? undefined : new TextDecoder().decode(value).replace(/\0.*$/s, '')
  }
}
