/** `ip maddress`: multicast addresses of links. See ip-maddress(8). */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import { SIOCADDMULTI, SIOCDELMULTI } from '../../src/uapi/ioctl.ts'
import { AF_INET, AF_INET6, AF_PACKET, AF_UNSPEC, SOCK_DGRAM } from '../../src/uapi/socket.ts'
import { Args, matches } from '../lib/args.ts'
import { duparg, duparg2, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { invalidLlAddr, llAddrN2a, parseLlAddr } from '../lib/lladdr.ts'
import type { Printer } from '../lib/printer.ts'
import { validIfname } from '../lib/values.ts'
import type { IpContext, IpObject } from './context.ts'
import { MADDRESS_USAGE } from './help/maddress.ts'

/** One multicast address of a link. */
interface Membership {
  readonly index: number
  readonly name: string
  readonly family: number
  readonly bytes: Uint8Array
  readonly users: number
  readonly features: string | undefined
}

const hexBytes = (hex: string): Uint8Array => Uint8Array.from(hex.match(/../g) ?? [], pair => Number.parseInt(pair, 16))

function lines(ctx: IpContext, path: string): string[] {
  try {
    return new TextDecoder()
      .decode(ctx.proc.readFile(path))
      .split('\n')
      .filter(line => line !== '')
  } catch (error) {
    if (isSysError(error)) return []
    throw error
  }
}

function readLinkLists(ctx: IpContext): Membership[] {
  return lines(ctx, '/proc/net/dev_mcast').map(line => {
    const [index, name, users, fixed, address] = line.trim().split(/\s+/)
    return {
      index: Number(index),
      name: name ?? '',
      family: AF_PACKET,
      bytes: hexBytes(address ?? ''),
      users: Number(users),
      features: Number(fixed) === 0 ? undefined : 'static',
    }
  })
}

/** Groups are written as little-endian hexadecimal numbers under a line for each link. */
function readIgmp(ctx: IpContext): Membership[] {
  const found: Membership[] = []
  let index = 0
  let name = ''
  for (const line of lines(ctx, '/proc/net/igmp').slice(1)) {
    const words = line.trim().split(/\s+/)
    if (!line.startsWith('\t')) {
      index = Number(words[0])
      name = (words[1] ?? '').replace(/:$/, '')
      continue
    }
    const bytes = hexBytes(words[0] ?? '').reverse()
    found.push({ index, name, family: AF_INET, bytes, users: Number(words[1]), features: undefined })
  }
  return found
}

function readIgmp6(ctx: IpContext): Membership[] {
  return lines(ctx, '/proc/net/igmp6').map(line => {
    const [index, name, address, users] = line.trim().split(/\s+/)
    const bytes = hexBytes(address ?? '')
    return {
      index: Number(index),
      name: name ?? '',
      family: AF_INET6,
      bytes,
      users: Number(users),
      features: undefined,
    }
  })
}

function printMembership(ctx: IpContext, out: Printer, membership: Membership): void {
  const { family, bytes, users, features } = membership
  out.openObject()
  if (family === AF_PACKET) {
    const address = llAddrN2a(bytes, 0)
    out.text('\tlink  ')
    out.put('link', address, address, 'mac')
  } else {
    const name = family === AF_INET ? 'inet' : 'inet6'
    const address = ctx.formatHost(family, bytes)
    out.put('family', name, `\t${name.padEnd(5)} `)
    out.put('address', address, address, family === AF_INET ? 'inet' : 'inet6')
  }
  if (users !== 1) out.put('users', users, ` users ${users}`)
  if (features !== undefined) out.put('features', features, ` ${features}`)
  out.text('\n')
  out.closeObject()
}

function show(ctx: IpContext, words: readonly string[]): number {
  const args = new Args(words)
  let dev: string | undefined
  for (; args.more; args.skip()) {
    if (args.is('dev')) args.next()
    else if (args.matches('help')) ctx.usage(MADDRESS_USAGE)
    if (dev !== undefined) duparg2('dev', args.word)
    dev = args.word
  }
  const { family } = ctx.opts
  const wanted = (kind: number): boolean => family === AF_UNSPEC || family === kind
  const all = [
    ...(wanted(AF_PACKET) ? readLinkLists(ctx) : []),
    ...(wanted(AF_INET) ? readIgmp(ctx) : []),
    ...(wanted(AF_INET6) ? readIgmp6(ctx) : []),
  ].filter(membership => dev === undefined || membership.name === dev)
  all.sort((a, b) => a.index - b.index)
  return ctx.listing(out => {
    let open = 0
    const close = (): void => {
      if (open === 0) return
      out.closeArray()
      out.closeObject()
    }
    for (const membership of all) {
      if (membership.index !== open || ctx.opts.oneline) {
        close()
        out.openObject()
        out.put('ifindex', membership.index, `${membership.index}:`)
        out.put('ifname', membership.name, `\t${membership.name}`, 'ifname')
        out.nl()
        out.openArray('maddr')
        open = membership.index
      }
      printMembership(ctx, out, membership)
    }
    close()
    return 0
  })
}

function modify(ctx: IpContext, request: typeof SIOCADDMULTI | typeof SIOCDELMULTI, words: readonly string[]): number {
  const args = new Args(words)
  let ifname = ''
  let hwaddr: Uint8Array = new Uint8Array(6)
  for (; args.more; args.skip()) {
    if (args.is('dev')) {
      const word = args.next()
      if (ifname !== '') duparg('dev', word)
      if (!validIfname(word)) invarg('"dev" not a valid ifname', word)
      ifname = word
      continue
    }
    if (args.matches('address')) args.next()
    if (args.matches('help')) ctx.usage(MADDRESS_USAGE)
    const { word } = args
    if (hwaddr[0] !== 0) duparg('address', word)
    const bytes = parseLlAddr(word)
    if (bytes === undefined) throw new ToolExit(invalidLlAddr(word), 1)
    if (bytes.length !== 6) {
      throw new ToolExit(`Error: Invalid address length ${bytes.length} - must be 6 bytes\n`, 1)
    }
    hwaddr = bytes
  }
  if (ifname === '') throw new ToolExit('Not enough information: "dev" is required.\n', EXIT_USAGE)
  const { proc } = ctx
  const attempt = <T>(what: string, call: () => T): T => {
    try {
      return call()
    } catch (error) {
      if (!isSysError(error)) throw error
      throw new ToolExit(`${what}: ${strerror(error.errno)}\n`, 1)
    }
  }
  const fd = attempt('Cannot create socket', () => proc.socket(AF_INET, SOCK_DGRAM, 0))
  try {
    attempt('ioctl', () => proc.ioctl(fd, { request, ifname, hwaddr }))
  } finally {
    proc.close(fd)
  }
  return 0
}

export const run: IpObject = (ctx, words) => {
  const command = words[0]
  const rest = words.slice(1)
  if (command === undefined) return show(ctx, [])
  const is = (...names: string[]): boolean => names.some(name => matches(command, name))
  if (is('add')) return modify(ctx, SIOCADDMULTI, rest)
  if (is('delete')) return modify(ctx, SIOCDELMULTI, rest)
  if (is('list', 'show', 'lst')) return show(ctx, rest)
  if (is('help')) ctx.usage(MADDRESS_USAGE)
  throw new ToolExit(`Command "${command}" is unknown, try "ip maddr help".\n`, EXIT_USAGE)
}
