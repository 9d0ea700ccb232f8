/** Host names of addresses from /etc/hosts, for options that resolve. */
import { isSysError } from '../../src/uapi/errno.ts'
import type { Process } from '../../src/uapi/process.ts'
import { formatIpv4, formatIpv6, parseDottedQuad, parseIpv6 } from './inet.ts'

/** Reads /etc/hosts once, on first use. */
export class HostNames {
  private readonly files: Pick<Process, 'readFile'>
  private byAddress: Map<string, string> | undefined

  constructor(files: Pick<Process, 'readFile'>) {
    this.files = files
  }

  /** @param address text in canonical form  @returns the first name of the address, or undefined */
  lookup(address: string): string | undefined {
    this.byAddress ??= this.load()
    return this.byAddress.get(address)
  }

  private load(): Map<string, string> {
    const names = new Map<string, string>()
    let text: string
    try {
      text = new TextDecoder().decode(this.files.readFile('/etc/hosts'))
    } catch (error) {
      if (isSysError(error)) return names
      throw error
    }
    for (const line of text.split('\n')) {
      const [address, name] = line.replace(/#.*/, '').trim().split(/\s+/)
      if (address === undefined || name === undefined) continue
      const quad = parseDottedQuad(address)
      const six = quad === undefined ? parseIpv6(address) : undefined
      const canonical = quad !== undefined ? formatIpv4(quad) : six !== undefined ? formatIpv6(six) : undefined
      if (canonical !== undefined && !names.has(canonical)) names.set(canonical, name)
    }
    return names
  }
}
