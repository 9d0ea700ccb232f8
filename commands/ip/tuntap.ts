/** `ip tuntap`: devices of tun(4). See ip-tuntap(8). */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import { O_RDWR } from '../../src/uapi/fs.ts'
import {
  IFF_MULTI_QUEUE,
  IFF_NO_PI,
  IFF_ONE_QUEUE,
  IFF_PERSIST,
  IFF_TAP,
  IFF_TUN,
  IFF_TUN_EXCL,
  IFF_VNET_HDR,
  type IoctlRequest,
  TUNSETGROUP,
  TUNSETIFF,
  TUNSETOWNER,
  TUNSETPERSIST,
} from '../../src/uapi/ioctl.ts'
import { type LinkMessage, RTM_NEWLINK } from '../../src/uapi/rtnetlink.ts'
import { groupId, userId } from '../lib/accounts.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, duparg2, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { scanInteger } from '../lib/number.ts'
import type { Printer } from '../lib/printer.ts'
import { linkMessage } from '../lib/rtnl.ts'
import { validIfname } from '../lib/values.ts'
import type { IpContext, IpObject } from './context.ts'
import { TUNTAP_USAGE } from './help/tuntap.ts'

const TUN_DEVICE = '/dev/net/tun'

/** Listed flags after the type: bit, word, whether the word stands for the bit or for its absence. */
const FLAG_NAMES: readonly (readonly [number, string, boolean])[] = [
  [IFF_NO_PI, 'pi', false],
  [IFF_ONE_QUEUE, 'one_queue', true],
  [IFF_VNET_HDR, 'vnet_hdr', true],
  [IFF_MULTI_QUEUE, 'multi_queue', true],
  [IFF_PERSIST, 'persist', true],
  [IFF_NO_PI, 'filter', false],
]

/** What `ip tuntap add` and `del` say. */
interface TunRequest {
  ifname: string
  flags: number
  owner: number | undefined
  group: number | undefined
}

function accountId(
  ctx: IpContext,
  kind: 'user' | 'group',
  word: string,
  lookup: (files: IpContext['proc'], name: string) => number | undefined,
): number {
  const { value, length } = scanInteger(word, 10)
  if (length > 0 && length === word.length) return Number(value)
  const id = lookup(ctx.proc, word)
  if (id === undefined) throw new ToolExit(`invalid ${kind} "${word}"\n`, EXIT_USAGE)
  return id
}

function parseRequest(ctx: IpContext, words: readonly string[]): TunRequest {
  const request: TunRequest = { ifname: '', flags: IFF_NO_PI, owner: undefined, group: undefined }
  const args = new Args(words)
  const name = (word: string, key: string): string =>
    validIfname(word) ? word : invarg(`"${key}" not a valid ifname`, word)
  for (; args.more; args.skip()) {
    if (args.matches('mode')) {
      if ((request.flags & (IFF_TUN | IFF_TAP)) !== 0) {
        throw new ToolExit('You managed to ask for more than one tunnel mode.\n', EXIT_USAGE)
      }
      const word = args.next()
      if (args.matches('tun')) request.flags |= IFF_TUN
      else if (args.matches('tap')) request.flags |= IFF_TAP
      else throw new ToolExit(`Unknown tunnel mode "${word}"\n`, EXIT_USAGE)
    } else if (args.is('user')) request.owner = accountId(ctx, 'user', args.next(), userId)
    else if (args.is('group')) request.group = accountId(ctx, 'group', args.next(), groupId)
    else if (args.is('pi')) request.flags &= ~IFF_NO_PI
    else if (args.is('one_queue')) request.flags |= IFF_ONE_QUEUE
    else if (args.is('vnet_hdr')) request.flags |= IFF_VNET_HDR
    else if (args.is('multi_queue')) request.flags |= IFF_MULTI_QUEUE
    else if (args.is('dev')) request.ifname = name(args.next(), 'dev')
    else {
      if (args.is('name')) args.next()
      else if (args.matches('help')) ctx.usage(TUNTAP_USAGE)
      if (request.ifname !== '') duparg2('name', args.word)
      request.ifname = name(args.word, 'name')
    }
  }
  if ((request.flags & (IFF_TUN | IFF_TAP)) === 0) {
    throw new CommandFailure('You failed to specify a tunnel mode\n', 1)
  }
  return request
}

/** Opens the device and performs requests in turn; the first that fails ends the command. */
function perform(ctx: IpContext, requests: readonly (readonly [string, IoctlRequest])[]): number {
  const { proc } = ctx
  let fd = -1
  let step = 'open'
  try {
    fd = proc.open(TUN_DEVICE, O_RDWR)
    for (const [name, request] of requests) {
      step = `ioctl(${name})`
      proc.ioctl(fd, request)
    }
    return 0
  } catch (error) {
    if (!isSysError(error)) throw error
    throw new CommandFailure(`${step}: ${strerror(error.errno)}\n`, 1)
  } finally {
    if (fd >= 0) proc.close(fd)
  }
}

function add(ctx: IpContext, words: readonly string[]): number {
  const { ifname, flags, owner, group } = parseRequest(ctx, words)
  const requests: (readonly [string, IoctlRequest])[] = [
    ['TUNSETIFF', { request: TUNSETIFF, ifname, flags: flags | IFF_TUN_EXCL }],
  ]
  if (owner !== undefined) requests.push(['TUNSETOWNER', { request: TUNSETOWNER, value: owner }])
  if (group !== undefined) requests.push(['TUNSETGROUP', { request: TUNSETGROUP, value: group }])
  requests.push(['TUNSETPERSIST', { request: TUNSETPERSIST, value: 1 }])
  return perform(ctx, requests)
}

function del(ctx: IpContext, words: readonly string[]): number {
  const { ifname, flags } = parseRequest(ctx, words)
  return perform(ctx, [
    ['TUNSETIFF', { request: TUNSETIFF, ifname, flags }],
    ['TUNSETPERSIST', { request: TUNSETPERSIST, value: 0 }],
  ])
}

/** A number in a sysfs file of a device, undefined where there is none. */
function property(ctx: IpContext, dev: string, name: string): number | undefined {
  try {
    const text = new TextDecoder().decode(ctx.proc.readFile(`/sys/class/net/${dev}/${name}`)).trim()
    return Number(text)
  } catch (error) {
    if (isSysError(error)) return undefined
    throw error
  }
}

function printFlags(out: Printer, flags: number): void {
  out.openArray('flags')
  const word = (name: string): void => out.put(undefined, name, ` ${name}`)
  if ((flags & IFF_TUN) !== 0) word('tun')
  if ((flags & IFF_TAP) !== 0) word('tap')
  let known = IFF_TUN | IFF_TAP
  for (const [bit, name, whenSet] of FLAG_NAMES) {
    known |= bit
    if (((flags & bit) !== 0) === whenSet) word(name)
  }
  const rest = flags & ~known
  if (rest !== 0) out.put(undefined, rest.toString(16), ` UNKNOWN_FLAGS:${rest.toString(16)}`)
  out.closeArray()
}

function show(ctx: IpContext): number {
  const request = linkMessage()
  request.attrs.linkinfo = { kind: 'tun' }
  const links = (ctx.dump(request) as LinkMessage[]).filter(
    link => link.type === RTM_NEWLINK && link.attrs.linkinfo?.kind === 'tun',
  )
  return ctx.listing(out => {
    for (const link of links) {
      const name = link.attrs.ifname ?? ''
      const flags = property(ctx, name, 'tun_flags')
      if (flags === undefined) continue
      out.openObject()
      out.put('ifname', name, `${name}:`, 'ifname')
      printFlags(out, flags)
      for (const [key, file] of [
        ['user', 'owner'],
        ['group', 'group'],
      ] as const) {
        const id = property(ctx, name, file)
        if (id !== undefined && id !== -1) out.put(key, id, ` ${key} ${id}`)
      }
      out.text('\n')
      if (ctx.opts.details > 0) printHolders(ctx, out, name)
      out.closeObject()
    }
    return 0
  })
}

/** Lists the processes that hold a device open: the descriptor's information names it. */
function printHolders(ctx: IpContext, out: Printer, dev: string): void {
  const { proc } = ctx
  out.text('\tAttached to processes:')
  for (const { name: pid } of proc.readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      for (const { name: fd } of proc.readdir(`/proc/${pid}/fdinfo`)) {
        const info = new TextDecoder().decode(proc.readFile(`/proc/${pid}/fdinfo/${fd}`))
        if (/^iff:\s*(\S+)/m.exec(info)?.[1] !== dev) continue
        const command = new TextDecoder().decode(proc.readFile(`/proc/${pid}/comm`)).trim()
        out.text(` ${command}(${pid})`)
      }
    } catch (error) {
      if (!isSysError(error)) throw error
    }
  }
  out.text('\n')
}

export const run: IpObject = (ctx, words) => {
  const command = words[0]
  const rest = words.slice(1)
  if (command === undefined) return show(ctx)
  const is = (...names: string[]): boolean => names.some(name => matches(command, name))
  if (is('add')) return add(ctx, rest)
  if (is('delete')) return del(ctx, rest)
  if (is('show', 'lst', 'list')) return show(ctx)
  if (is('help')) ctx.usage(TUNTAP_USAGE)
  throw new ToolExit(`Command "${command}" is unknown, try "ip tuntap help".\n`, EXIT_USAGE)
}
