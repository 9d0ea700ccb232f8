/** IP protocols by name, from /etc/protocols (protocols(5)). */
import { isSysError } from '../../src/uapi/errno.ts'
import type { Process } from '../../src/uapi/process.ts'
import { scanInteger } from './number.ts'

/** Where the file is missing these names are known. */
const BUILTIN: readonly (readonly [number, string])[] = [
  [0, 'ip'],
  [1, 'icmp'],
  [2, 'igmp'],
  [4, 'ipencap'],
  [6, 'tcp'],
  [17, 'udp'],
  [33, 'dccp'],
  [41, 'ipv6'],
  [47, 'gre'],
  [50, 'esp'],
  [51, 'ah'],
  [58, 'ipv6-icmp'],
  [89, 'ospf'],
  [103, 'pim'],
  [112, 'vrrp'],
  [132, 'sctp'],
  [136, 'udplite'],
]

/** The protocols of a machine, read on first use. */
export class Protocols {
  private readonly files: Pick<Process, 'readFile'>
  private names: Map<number, string> | undefined
  private numbers: Map<string, number> | undefined

  constructor(files: Pick<Process, 'readFile'>) {
    this.files = files
  }

  private load(): void {
    const names = new Map<number, string>()
    const numbers = new Map<string, number>()
    this.names = names
    this.numbers = numbers
    const add = (number: number, words: readonly string[]): void => {
      if (!names.has(number)) names.set(number, words[0]!)
      for (const word of words) if (!numbers.has(word)) numbers.set(word, number)
    }
    let text: string
    try {
      text = new TextDecoder().decode(this.files.readFile('/etc/protocols'))
    } catch (error) {
      if (!isSysError(error)) throw error
      for (const [number, name] of BUILTIN) add(number, [name, name.toUpperCase()])
      return
    }
    for (const line of text.split('\n')) {
      const [name, number, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/)
      if (name !== undefined && number !== undefined && /^\d+$/.test(number)) add(Number(number), [name, ...aliases])
    }
  }

  /** @returns the first name of a protocol, or undefined */
  name(number: number): string | undefined {
    if (this.names === undefined) this.load()
    return this.names!.get(number)
  }

  /** @returns the number of a name or alias, or of a decimal word up to 255; undefined where it is neither */
  number(word: string): number | undefined {
    if (this.numbers === undefined) this.load()
    const { value, length } = scanInteger(word, 10)
    if (length > 0 && length === word.length && value >= 0n && value <= 255n) return Number(value)
    return this.numbers!.get(word)
  }
}
