/** hostname(1), and under their names domainname, ypdomainname, nisdomainname and dnsdomainname. */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import { IFF_LOOPBACK, IFF_UP } from '../../src/uapi/if.ts'
import { NETLINK_ROUTE, NLM_F_DUMP, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { type AddrMessage, type LinkMessage, RTM_NEWADDR, RTM_NEWLINK } from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6 } from '../../src/uapi/socket.ts'
import { Getopt } from '../lib/getopt.ts'
import { formatAddress } from '../lib/inet.ts'
import { HostNames } from '../lib/resolve.ts'
import { addrMessage, linkMessage } from '../lib/rtnl.ts'
import { USAGE } from './usage.ts'

const OPTIONS = [
  { key: 'alias', short: 'a', long: 'alias' },
  { key: 'allFqdns', short: 'A', long: 'all-fqdns' },
  { key: 'boot', short: 'b', long: 'boot' },
  { key: 'domain', short: 'd', long: 'domain' },
  { key: 'fqdn', short: 'f', long: 'fqdn' },
  { key: 'fqdn', long: 'long' },
  { key: 'file', short: 'F', long: 'file', arg: 'required' },
  { key: 'help', short: 'h', long: 'help' },
  { key: 'address', short: 'i', long: 'ip-address' },
  { key: 'allAddresses', short: 'I', long: 'all-ip-addresses' },
  { key: 'short', short: 's', long: 'short' },
  { key: 'version', short: 'V', long: 'version' },
  { key: 'verbose', short: 'v', long: 'verbose' },
  { key: 'nis', short: 'y', long: 'yp' },
  { key: 'nis', long: 'nis' },
] as const

/** What is to be shown. */
type Kind = 'name' | 'alias' | 'allFqdns' | 'domain' | 'fqdn' | 'address' | 'allAddresses' | 'short' | 'nis' | 'nisRaw'

const DOMAINNAME = '/proc/sys/kernel/domainname'
const NAME_MAX = 64

/** Complains. @returns the status */
function fail(proc: Process, message: string): number {
  proc.stderr.write(`${programName(proc)}: ${message}\n`)
  return 1
}

function programName(proc: Process): string {
  return (proc.argv[0] ?? '').replace(/^.*\//, '')
}

/** @returns whether a name may be a host's: letters, digits, hyphens, dots; neither at its ends */
function valid(name: string): boolean {
  return /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(name) && !name.includes('..')
}

/** The first line of a file that is neither empty nor a comment. */
function nameFromFile(proc: Process, path: string): string {
  const lines = new TextDecoder().decode(proc.readFile(path)).split('\n')
  return lines.find(line => line !== '' && !line.startsWith('#')) ?? ''
}

/** Sets the host name, or the NIS domain's. @returns the status */
function set(proc: Process, nis: boolean, name: string): number {
  try {
    if (nis) {
      proc.writeFile(DOMAINNAME, `${name}\n`)
      return 0
    }
    if (name.length > NAME_MAX) return fail(proc, 'name too long')
    const trimmed = name.trim()
    if (!valid(trimmed)) return fail(proc, 'the specified hostname is invalid')
    proc.sethostname(trimmed)
    return 0
  } catch (error) {
    if (!isSysError(error)) throw error
    return fail(proc, proc.uid === 0 ? strerror(error.errno) : 'you must be root to change the host name')
  }
}

/** An address of the host by /etc/hosts, and all names it has there. */
interface HostEntry {
  readonly addresses: readonly string[]
  readonly names: readonly string[]
}

/** Looks a name up in /etc/hosts; there is no name server to ask. @returns undefined where it is not there */
function resolve(proc: Process, name: string): HostEntry | undefined {
  let text: string
  try {
    text = new TextDecoder().decode(proc.readFile('/etc/hosts'))
  } catch (error) {
    if (isSysError(error)) return undefined
    throw error
  }
  const addresses: string[] = []
  const names: string[] = []
  for (const line of text.split('\n')) {
    const [address, ...entries] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (address === undefined || !entries.includes(name)) continue
    addresses.push(address)
    names.push(...entries)
  }
  return addresses.length === 0 ? undefined : { addresses, names }
}

/** Addresses of the interfaces that are up, without loopback's and link-local ones. */
function interfaceAddresses(proc: Process): string[] {
  const nl = proc.netlink(NETLINK_ROUTE)
  const flags = NLM_F_REQUEST | NLM_F_DUMP
  const usable = new Set<number>()
  for (const link of nl.request(linkMessage({ flags })))
    if (link.type === RTM_NEWLINK) {
      const { index, ifFlags } = link as LinkMessage
      if ((ifFlags & IFF_UP) !== 0 && (ifFlags & IFF_LOOPBACK) === 0) usable.add(index)
    }
  const addresses: string[] = []
  for (const family of [AF_INET, AF_INET6])
    for (const message of nl.request(addrMessage({ flags, family }))) {
      if (message.type !== RTM_NEWADDR) continue
      const { index, attrs } = message as AddrMessage
      const bytes = attrs.local ?? attrs.address
      if (!usable.has(index) || bytes === undefined) continue
      if (family === AF_INET6 && bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80) continue
      addresses.push(formatAddress(family, bytes))
    }
  nl.close()
  return addresses
}

/** Shows what is asked for. @returns the status */
function show(proc: Process, kind: Kind): number {
  const host = proc.gethostname()
  const say = (text: string): number => {
    proc.stdout.write(`${text}\n`)
    return 0
  }
  switch (kind) {
    case 'name':
      return say(host)
    case 'short':
      return say(host.replace(/\..*/, ''))
    case 'nis':
    case 'nisRaw': {
      const domain = new TextDecoder().decode(proc.readFile(DOMAINNAME)).trimEnd()
      if (kind === 'nisRaw' || (domain !== '(none)' && domain !== '')) return say(domain)
      say(`${programName(proc)}: Local domain name not set`)
      return 1
    }
    case 'allAddresses': {
      const addresses = interfaceAddresses(proc)
      return say(addresses.map(address => `${address} `).join(''))
    }
    case 'allFqdns': {
      const names = new HostNames(proc)
      const found = interfaceAddresses(proc).map(address => names.lookup(address))
      return say(found.map(name => (name === undefined ? '' : `${name} `)).join(''))
    }
    case 'alias':
    case 'domain':
    case 'fqdn':
    case 'address': {
      const entry = resolve(proc, host)
      if (entry === undefined) return fail(proc, 'Temporary failure in name resolution')
      const [canonical = host, ...aliases] = entry.names
      if (kind === 'alias') return say(aliases.join(' '))
      if (kind === 'address') return say(entry.addresses.join(' '))
      if (kind === 'fqdn') return say(canonical)
      const dot = canonical.indexOf('.')
      return dot < 0 ? 0 : say(canonical.slice(dot + 1))
    }
  }
}

export const main: Program = proc => {
  const called = programName(proc)
  let kind: Kind = 'name'
  if (called === 'domainname') kind = 'nisRaw'
  else if (called === 'ypdomainname' || called === 'nisdomainname') kind = 'nis'
  else if (called === 'dnsdomainname') kind = 'domain'
  const nis = kind === 'nis' || kind === 'nisRaw'
  let file: string | undefined
  let boot = false
  const opts = new Getopt(proc.argv, OPTIONS)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined || found.key === 'help') {
      if (found.error !== undefined) proc.stderr.write(`${found.error}\n`)
      proc.stdout.write(USAGE)
      return 255
    }
    if (found.key === 'version') {
      proc.stdout.write('hostname 3.23\n')
      return 0
    }
    if (found.key === 'file') file = found.value
    else if (found.key === 'boot') boot = true
    else if (found.key !== 'verbose') kind = found.key
  }
  const operands = opts.operands
  if (operands.length > 1) {
    proc.stderr.write(USAGE)
    return 255
  }
  let name = operands[0]
  if (file !== undefined)
    try {
      name = nameFromFile(proc, file)
    } catch (error) {
      if (!isSysError(error)) throw error
      if (!boot) return fail(proc, strerror(error.errno))
      name = proc.gethostname()
    }
  if (name === undefined) return show(proc, kind)
  if (called === 'dnsdomainname') {
    proc.stderr.write(USAGE)
    return 255
  }
  return set(proc, nis, name)
}
