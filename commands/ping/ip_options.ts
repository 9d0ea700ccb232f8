/** IP options: those that -R, -T and several hosts ask for, and what comes back of them, in text. */
import { ipv4Text } from '../lib/getaddrinfo.ts'
import { TS_ONLY, TS_PRESPEC } from './options.ts'

const IPOPT_EOL = 0
const IPOPT_NOP = 1
const IPOPT_RR = 7
const IPOPT_TS = 68
const IPOPT_LSRR = 131
const IPOPT_SSRR = 137
/** Offset of the first address in a route option, as its pointer counts. */
const IPOPT_MINOFF = 4
/** Pointer of an empty timestamp option. */
const TS_MINOFF = 5
/** Bytes of a record route option with a padding byte before it: nine addresses. */
const ROUTE_SPACE = 40

function putAddress(bytes: Uint8Array, at: number, address: number): void {
  bytes.set([address >>> 24, address >>> 16, address >>> 8, address], at)
}

/** @returns an empty record route option, for -R */
export function recordRouteOption(): Uint8Array {
  const bytes = new Uint8Array(ROUTE_SPACE)
  bytes.set([IPOPT_NOP, IPOPT_RR, ROUTE_SPACE - 1, IPOPT_MINOFF])
  return bytes
}

/** @param hosts addresses that are to stamp, for `tsprespec` @returns a timestamp option, for -T */
export function timestampOption(type: number, hosts: readonly number[]): Uint8Array {
  const length = type === TS_PRESPEC ? 4 + hosts.length * 8 : type === TS_ONLY ? 40 : 36
  const bytes = new Uint8Array(length)
  bytes.set([IPOPT_TS, length, TS_MINOFF, type])
  if (type === TS_PRESPEC) for (const [i, host] of hosts.entries()) putAddress(bytes, 4 + i * 8, host)
  return bytes
}

/** Writes the options of answers; it remembers the last route, so as not to repeat it. */
export class OptionsPrinter {
  private readonly name: (address: number) => string
  private lastRoute = ''

  /** @param name how an address is written */
  constructor(name: (address: number) => string) {
    this.name = name
  }

  /** @param bytes the options of one packet @param repeat print a route even where it is the last one again */
  text(bytes: Uint8Array, repeat = false): string {
    let text = ''
    let at = 0
    while (at < bytes.length) {
      const kind = bytes[at]!
      if (kind === IPOPT_EOL) break
      if (kind === IPOPT_NOP) {
        text += '\nNOP'
        at++
        continue
      }
      const length = bytes[at + 1] ?? 0
      if (length < 2 || length > bytes.length - at) break
      text += this.option(bytes.subarray(at, at + length), repeat)
      at += length
    }
    return text
  }

  private option(option: Uint8Array, repeat: boolean): string {
    switch (option[0]) {
      case IPOPT_SSRR:
      case IPOPT_LSRR:
        return this.sourceRoute(option)
      case IPOPT_RR:
        return this.recordRoute(option, repeat)
      case IPOPT_TS:
        return this.timestamps(option)
      default:
        return `\nunknown option ${option[0]!.toString(16)}`
    }
  }

  private address(option: Uint8Array, at: number): string {
    const number =
      (((option[at] ?? 0) << 24) |
        ((option[at + 1] ?? 0) << 16) |
        ((option[at + 2] ?? 0) << 8) |
        (option[at + 3] ?? 0)) >>>
      0
    return number === 0 ? '0.0.0.0' : this.name(number)
  }

  private sourceRoute(option: Uint8Array): string {
    let text = `\n${option[0] === IPOPT_SSRR ? 'S' : 'L'}SRR: `
    for (let at = 3, left = option[1]!; left > IPOPT_MINOFF; at += 4, left -= 4)
      text += `\t${this.address(option, at)}\n`
    return text
  }

  private recordRoute(option: Uint8Array, repeat: boolean): string {
    const filled = Math.min(option[2] ?? 0, option[1]!) - IPOPT_MINOFF
    if (filled <= 0) return ''
    const route = option.subarray(2, 2 + filled).join()
    if (route === this.lastRoute && !repeat) return '\t(same route)'
    this.lastRoute = route
    let text = '\nRR: '
    for (let at = 3, left = filled; left > 0; at += 4, left -= 4) text += `\t${this.address(option, at)}\n`
    return text
  }

  private timestamps(option: Uint8Array): string {
    let left = Math.min(option[2] ?? 0, option[1]!) - TS_MINOFF
    if (left <= 0) return ''
    const flags = option[3] ?? 0
    let text = '\nTS: '
    let standard = 0
    let other = 0
    for (let at = 4; left > 0; at += 4, left -= 4) {
      if ((flags & 0xf) !== TS_ONLY) {
        text += `\t${this.address(option, at)}`
        at += 4
        left -= 4
        if (left <= 0) break
      }
      const stamp = new DataView(option.buffer, option.byteOffset).getUint32(at)
      const time = stamp & 0x7fffffff
      if (stamp !== time) {
        text += other === 0 ? `\t${time} absolute not-standard` : `\t${time - other} not-standard`
        other = time
      } else {
        text += standard === 0 ? `\t${time} absolute` : `\t${time - standard}`
        standard = time
      }
      text += '\n'
    }
    if (flags >> 4 !== 0) text += `Unrecorded hops: ${flags >> 4}\n`
    return text
  }
}

/** @returns an IP header with its options, as -v shows it below an ICMP error */
export function ipHeaderText(header: Uint8Array, options: OptionsPrinter): string {
  const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0')
  const view = new DataView(header.buffer, header.byteOffset, header.length)
  const little = (at: number): number => view.getUint16(at, true)
  const fragment = little(6)
  return (
    'Vr HL TOS  Len   ID Flg  off TTL Pro  cks      Src      Dst Data\n' +
    ` ${hex(header[0]! >> 4, 1)}  ${hex(header[0]! & 15, 1)}  ${hex(header[1]!, 2)} ${hex(little(2), 4)} ${hex(little(4), 4)}` +
    `   ${hex((fragment & 0xe000) >> 13, 1)} ${hex(fragment & 0x1fff, 4)}` +
    `  ${hex(header[8]!, 2)}  ${hex(header[9]!, 2)} ${hex(little(10), 4)}` +
    ` ${ipv4Text(view.getUint32(12))}  ${ipv4Text(view.getUint32(16))} \n` +
    options.text(header.subarray(20, (header[0]! & 15) * 4))
  )
}
