/** Netlink messages as bytes, little-endian: what the save and restore commands keep in files. See netlink(7). */

const NLMSG_HDRLEN = 16

/** Attribute headers are 4 bytes, and everything begins at multiples of 4. */
const ALIGN = 4

const aligned = (length: number): number => (length + ALIGN - 1) & ~(ALIGN - 1)

/** Builds one message: its header, then fixed fields, then attributes. */
export class MessageWriter {
  private readonly bytes: number[] = []

  /** @param type RTM_…  @param flags NLM_F_… */
  constructor(type: number, flags: number) {
    this.u32(0).u16(type).u16(flags).u32(0).u32(0)
  }

  u8(value: number): this {
    this.bytes.push(value & 0xff)
    return this
  }

  u16(value: number): this {
    return this.u8(value).u8(value >>> 8)
  }

  u32(value: number): this {
    return this.u16(value & 0xffff).u16(value >>> 16)
  }

  /** Adds an attribute. */
  attr(type: number, value: Uint8Array): this {
    this.u16(ALIGN + value.length).u16(type)
    this.bytes.push(...value)
    while (this.bytes.length % ALIGN !== 0) this.bytes.push(0)
    return this
  }

  /** Adds an attribute of 32-bit numbers. */
  attrU32(type: number, ...values: number[]): this {
    const bytes = new Uint8Array(values.length * 4)
    const view = new DataView(bytes.buffer)
    for (const [i, value] of values.entries()) view.setUint32(i * 4, value >>> 0, true)
    return this.attr(type, bytes)
  }

  /** Adds an attribute of text with its terminating zero. */
  attrString(type: number, text: string): this {
    return this.attr(type, new TextEncoder().encode(`${text}\0`))
  }

  /** @returns the message with its length filled in */
  finish(): Uint8Array {
    const message = Uint8Array.from(this.bytes)
    new DataView(message.buffer).setUint32(0, message.length, true)
    return message
  }
}

/** One message as it was read. */
export interface RawMessage {
  readonly type: number
  readonly flags: number
  readonly payload: Uint8Array
}

/** @returns the messages in a row of bytes; a cut-off last one is left out */
export function readMessages(bytes: Uint8Array): RawMessage[] {
  const messages: RawMessage[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at + NLMSG_HDRLEN <= bytes.length; ) {
    const length = view.getUint32(at, true)
    if (length < NLMSG_HDRLEN || at + length > bytes.length) break
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      payload: bytes.subarray(at + NLMSG_HDRLEN, at + length),
    })
    at += aligned(length)
  }
  return messages
}

/** One attribute as it was read. */
export class RawAttr {
  readonly type: number
  readonly bytes: Uint8Array

  constructor(type: number, bytes: Uint8Array) {
    this.type = type
    this.bytes = bytes
  }

  /** A 32-bit number at an offset. */
  u32(offset = 0): number {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length).getUint32(offset, true)
  }

  /** Text up to its terminating zero. */
  string(): string {
    return new TextDecoder().decode(this.bytes).replace(/\0.*$/s, '')
  }
}

/** The attributes in a row of bytes, in their order. */
export class AttrReader implements Iterable<RawAttr> {
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  *[Symbol.iterator](): Generator<RawAttr> {
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)
    for (let at = 0; at + ALIGN <= this.bytes.length; ) {
      const length = view.getUint16(at, true)
      if (length < ALIGN || at + length > this.bytes.length) return
      const type = view.getUint16(at + 2, true) & 0x3fff
      yield new RawAttr(type, this.bytes.subarray(at + ALIGN, at + length))
      at += aligned(length)
    }
  }
}
