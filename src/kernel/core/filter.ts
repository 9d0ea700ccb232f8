/** Classic BPF on packets (socket filters): McCanne and Jacobson's machine, with Linux's ancillary loads. */
import { Errno } from '../../uapi/errno.ts'
import type { SkBuff } from './skbuff.ts'

/** Instruction classes. */
const BPF_LD = 0x00
const BPF_LDX = 0x01
const BPF_ST = 0x02
const BPF_STX = 0x03
const BPF_ALU = 0x04
const BPF_JMP = 0x05
const BPF_RET = 0x06
const BPF_MISC = 0x07
/** Most instructions of a program (BPF_MAXINSNS), and its scratch memory, words. */
const MAX_INSNS = 4096
const MEMWORDS = 16
/** Where ancillary data is loaded from (SKF_AD_OFF), and offsets from the headers. */
const SKF_AD_OFF = -0x1000
const SKF_NET_OFF = -0x100000
const SKF_LL_OFF = -0x200000

const memory = new Int32Array(MEMWORDS)

/** A program that has been checked. */
export class BpfProgram {
  private readonly code: Uint16Array
  private readonly jt: Uint8Array
  private readonly jf: Uint8Array
  private readonly k: Int32Array

  private constructor(bytes: Uint8Array) {
    const n = bytes.length / 8
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.code = new Uint16Array(n)
    this.jt = new Uint8Array(n)
    this.jf = new Uint8Array(n)
    this.k = new Int32Array(n)
    for (let i = 0; i < n; i++) {
      this.code[i] = view.getUint16(i * 8, true)
      this.jt[i] = view.getUint8(i * 8 + 2)
      this.jf[i] = view.getUint8(i * 8 + 3)
      this.k[i] = view.getInt32(i * 8 + 4, true)
    }
  }

  /** Reads and checks a program (bpf_check_classic). @param bytes eight an instruction @returns -EINVAL for one that could go astray */
  static load(bytes: Uint8Array): BpfProgram | number {
    const n = bytes.length / 8
    if (bytes.length % 8 !== 0 || n === 0 || n > MAX_INSNS) return -Errno.EINVAL
    const program = new BpfProgram(bytes)
    return program.valid(n) ? program : -Errno.EINVAL
  }

  private valid(n: number): boolean {
    for (let i = 0; i < n; i++) {
      const code = this.code[i]!
      const k = this.k[i]! >>> 0
      switch (code & 7) {
        case BPF_ST:
        case BPF_STX:
          if (k >= MEMWORDS) return false
          break
        case BPF_JMP:
          if ((code & 0xf0) === 0 ? k >= n - i - 1 : i + this.jt[i]! + 1 >= n || i + this.jf[i]! + 1 >= n) return false
          break
        case BPF_ALU:
          // division and modulo by a constant zero
          if (((code & 0xf8) === 0x30 || (code & 0xf8) === 0x90) && k === 0) return false
          break
      }
    }
    return (this.code[n - 1]! & 7) === BPF_RET
  }

  /** Runs it over a packet from `data` on (bpf_prog_run). @returns bytes of the packet to keep, 0 to drop it */
  run(skb: SkBuff): number {
    let a = 0
    let x = 0
    const { code: codes, k: ks } = this
    for (let pc = 0; ; pc++) {
      const code = codes[pc]!
      const k = ks[pc]!
      switch (code & 7) {
        case BPF_LD: {
          const value = load(code, k, x, skb)
          if (value === undefined) return 0
          a = value
          break
        }
        case BPF_LDX: {
          if ((code & 0xe0) === 0xa0) {
            // the length of an IPv4 header in the frame
            if (k < 0 || k >= skb.len) return 0
            x = (skb.buf[skb.data + k]! & 0xf) << 2
          } else if ((code & 0xe0) === 0x60) x = memory[k]!
          else x = (code & 0xe0) === 0x80 ? skb.len : k
          break
        }
        case BPF_ST:
          memory[k] = a
          break
        case BPF_STX:
          memory[k] = x
          break
        case BPF_ALU: {
          const operand = (code & 8) !== 0 ? x : k
          if (((code & 0xf0) === 0x30 || (code & 0xf0) === 0x90) && operand === 0) return 0
          a = alu(code & 0xf0, a, operand)
          break
        }
        case BPF_JMP:
          if ((code & 0xf0) === 0) pc += k >>> 0
          else pc += jump(code & 0xf0, a, (code & 8) !== 0 ? x : k) ? this.jt[pc]! : this.jf[pc]!
          break
        case BPF_RET:
          return ((code & 0x18) === 0x10 ? a : k) >>> 0
        case BPF_MISC:
          if ((code & 0xf8) === 0) x = a
          else a = x
          break
      }
    }
  }
}

function load(code: number, k: number, x: number, skb: SkBuff): number | undefined {
  switch (code & 0xe0) {
    case 0x00:
      return k
    case 0x60:
      return memory[k]!
    case 0x80:
      return skb.len
  }
  let offset = (code & 0xe0) === 0x40 ? (k + x) | 0 : k
  const size = (code & 0x18) === 0 ? 4 : (code & 0x18) === 0x08 ? 2 : 1
  let base = skb.data
  if (offset < 0) {
    if (offset >= SKF_AD_OFF) return ancillary(offset - SKF_AD_OFF, skb)
    if (offset >= SKF_NET_OFF) {
      base = skb.networkHeader
      offset -= SKF_NET_OFF
    } else if (offset >= SKF_LL_OFF) {
      base = skb.macHeader
      offset -= SKF_LL_OFF
    } else return undefined
  }
  const at = base + offset
  if (base < 0 || at + size > skb.tail) return undefined
  const { buf } = skb
  if (size === 1) return buf[at]!
  if (size === 2) return (buf[at]! << 8) | buf[at + 1]!
  return (buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!
}

/** Ancillary data (SKF_AD_…). */
function ancillary(which: number, skb: SkBuff): number {
  switch (which) {
    case 0:
      return skb.protocol
    case 4:
      return skb.pktType
    case 8:
      return skb.dev?.ifindex ?? 0
    case 20:
      return skb.mark
    case 24:
      return skb.queueMapping
    case 28:
      return skb.dev?.type ?? 0
    case 32:
      return skb.hash
    case 44:
      return skb.vlanTci
    case 48:
      return skb.vlanProto === 0 ? 0 : 1
    case 60:
      return skb.vlanProto
    default:
      return 0
  }
}

function alu(operation: number, a: number, operand: number): number {
  switch (operation) {
    case 0x00:
      return (a + operand) | 0
    case 0x10:
      return (a - operand) | 0
    case 0x20:
      return Math.imul(a, operand)
    case 0x30:
      return Math.floor((a >>> 0) / (operand >>> 0)) | 0
    case 0x40:
      return a | operand
    case 0x50:
      return a & operand
    case 0x60:
      return a << operand
    case 0x70:
      return a >>> operand
    case 0x80:
      return -a | 0
    case 0x90:
      return ((a >>> 0) % (operand >>> 0)) | 0
    default:
      return a ^ operand
  }
}

function jump(operation: number, a: number, operand: number): boolean {
  switch (operation) {
    case 0x10:
      return a === operand
    case 0x20:
      return a >>> 0 > operand >>> 0
    case 0x30:
      return a >>> 0 >= operand >>> 0
    default:
      return (a & operand) !== 0
  }
}
