/** Node information queries (RFC 4620): what -N asks for. */
import type { Process } from '../../src/uapi/process.ts'
import { AF_INET, AF_INET6 } from '../../src/uapi/socket.ts'
import { ToolExit } from '../lib/errors.ts'
import { getaddrinfo } from '../lib/getaddrinfo.ts'
import type { Console } from '../lib/iputils.ts'
import { md5 } from '../lib/md5.ts'
import { NODE_INFO_HELP } from './help.ts'

export const ICMPV6_NI_QUERY = 139
export const ICMPV6_NI_REPLY = 140

const SUBJECT_IPV6 = 0
const SUBJECT_FQDN = 1
const SUBJECT_IPV4 = 2

const QTYPE_NAME = 2
const QTYPE_IPV6 = 3
const QTYPE_IPV4 = 4

/** Query words with their type and flags. */
const QUERIES: Readonly<Record<string, readonly [qtype: number, flags: number]>> = {
  name: [QTYPE_NAME, 0],
  fqdn: [QTYPE_NAME, 0],
  ipv6: [QTYPE_IPV6, 0],
  'ipv6-all': [QTYPE_IPV6, 0x0002],
  'ipv6-compatible': [QTYPE_IPV6, 0x0004],
  'ipv6-linklocal': [QTYPE_IPV6, 0x0008],
  'ipv6-sitelocal': [QTYPE_IPV6, 0x0010],
  'ipv6-global': [QTYPE_IPV6, 0x0020],
  ipv4: [QTYPE_IPV4, 0],
  'ipv4-all': [QTYPE_IPV4, 0x0002],
}

/** Length of type, code, checksum, query type, flags and nonce, bytes. */
const HEADER = 16

/** A query as -N builds it up. */
export class NodeInfo {
  private qtype = -1
  private flags = 0
  private subjectType = -1
  private subject: Uint8Array | undefined
  /** the group to ask where the subject is a name and no host is given */
  group: string | undefined

  get enabled(): boolean {
    return this.qtype >= 0
  }

  get asksName(): boolean {
    return this.subjectType === SUBJECT_FQDN
  }

  /** Takes one option's argument. @returns whether it fits the earlier ones */
  async option(proc: Process, console: Console, word: string): Promise<boolean> {
    const query = QUERIES[word]
    if (query !== undefined) {
      const [qtype, flags] = query
      if (this.enabled && this.qtype !== qtype) return this.conflict(proc, 'Qtype conflict\n')
      this.qtype = qtype
      this.flags |= flags
      return true
    }
    if (word === 'help') {
      proc.stdout.write(NODE_INFO_HELP)
      throw new ToolExit('', 0)
    }
    const equals = word.indexOf('=')
    const key = equals < 0 ? '' : word.slice(0, equals)
    const value = word.slice(equals + 1)
    switch (key) {
      case 'subject-ipv6':
        return this.addressSubject(proc, console, value, SUBJECT_IPV6, AF_INET6)
      case 'subject-ipv4':
        return this.addressSubject(proc, console, value, SUBJECT_IPV4, AF_INET)
      case 'subject-name':
        return this.nameSubject(proc, value, value.replace(/%.*/, '').includes('.'))
      case 'subject-fqdn':
        return this.nameSubject(proc, value, false)
      default:
        throw new ToolExit(NODE_INFO_HELP, 2)
    }
  }

  private conflict(proc: Process, text: string): false {
    proc.stdout.write(text)
    return false
  }

  private setSubjectType(proc: Process, type: number): boolean {
    if (this.subject !== undefined && this.subjectType !== type) return this.conflict(proc, 'Subject type conflict\n')
    this.subjectType = type
    return true
  }

  private async addressSubject(
    proc: Process,
    console: Console,
    word: string,
    type: number,
    family: number,
  ): Promise<boolean> {
    if (!this.setSubjectType(proc, type)) return false
    const found = await getaddrinfo(proc, word, family)
    if (typeof found === 'string') {
      await console.warn(`${word}: ${found}`)
      throw new ToolExit(NODE_INFO_HELP, 2)
    }
    this.subject = found[0]!.addr
    return true
  }

  /** A name as subject: its labels, and the multicast group of its first label's digest. */
  private nameSubject(proc: Process, word: string, fqdn: boolean): boolean {
    if (!this.setSubjectType(proc, SUBJECT_FQDN)) return false
    const [name = '', scope] = word.split('%')
    const labels = name
      .toLowerCase()
      .split('.')
      .filter(label => label !== '')
      .map(label => new TextEncoder().encode(label))
    const bytes = labels.flatMap(label => [label.length, ...label])
    this.subject = Uint8Array.from([...bytes, 0, ...(fqdn ? [] : [0])])
    const first = labels[0] ?? new Uint8Array(0)
    const digest = md5(Uint8Array.from([first.length, ...first].slice(0, first.length)))
    const hex = [...digest.subarray(0, 4)].map(byte => byte.toString(16).padStart(2, '0')).join('')
    this.group = `ff02::2:${hex.slice(0, 4)}:${hex.slice(4)}${scope === undefined ? '' : `%${scope}`}`
    return true
  }

  /** Makes one query. @param target the subject where -N names none @param nonce 6 bytes after the sequence number */
  build(sequence: number, target: Uint8Array, nonce: Uint8Array): Uint8Array {
    const subject = this.subject ?? target
    const packet = new Uint8Array(HEADER + subject.length)
    packet[0] = ICMPV6_NI_QUERY
    packet[1] = this.subject === undefined ? SUBJECT_IPV6 : this.subjectType
    packet[4] = this.qtype >> 8
    packet[5] = this.qtype
    packet[6] = this.flags >> 8
    packet[7] = this.flags
    packet[8] = sequence >> 8
    packet[9] = sequence
    packet.set(nonce.subarray(0, 6), 10)
    packet.set(subject, HEADER)
    return packet
  }
}
