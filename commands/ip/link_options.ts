/**
 * Options of `ip link add|set|del|replace` before the kind: read into one link message. Also the description of a
 * pair's peer.
 */

import { isSysError } from '../../src/uapi/errno.ts'
import {
  IFALIASZ,
  IFF_ALLMULTI,
  IFF_DYNAMIC,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_NOTRAILERS,
  IFF_PROMISC,
  IFF_UP,
} from '../../src/uapi/if.ts'
import type { LinkMessage } from '../../src/uapi/rtnetlink.ts'
import type { Args } from '../lib/args.ts'
import { CommandFailure, duparg, duparg2, EXIT_USAGE, invarg, missarg, nodev, ToolExit } from '../lib/errors.ts'
import { llAddrA2n } from '../lib/lladdr.ts'
import { nsidOfName, openNetns, setNsid } from '../lib/netns.ts'
import { atoi, getInteger, getUnsigned } from '../lib/number.ts'
import { linkMessage } from '../lib/rtnl.ts'
import { onOff, parseOnOff, validAltIfname, validIfname } from '../lib/values.ts'
import type { IpContext } from './context.ts'
import { LINK_USAGE } from './help/link.ts'
import { OPERSTATES } from './print_link.ts'
import { parseVf } from './vf.ts'
import { vrfIndex } from './vrf_table.ts'
import { parseXdp } from './xdp.ts'

/** Flags that are switched by `on` and `off`: the word, the flag, whether the word's `on` clears it. */
const FLAG_WORDS: readonly (readonly [string, number, boolean])[] = [
  ['multicast', IFF_MULTICAST, false],
  ['allmulticast', IFF_ALLMULTI, false],
  ['promisc', IFF_PROMISC, false],
  ['trailers', IFF_NOTRAILERS, true],
  ['arp', IFF_NOARP, true],
]

const XDP_WORDS = ['xdpgeneric', 'xdpdrv', 'xdpoffload', 'xdp']
const LINK_MODES = ['default', 'dormant']
const ADDR_GEN_MODES = ['eui64', 'none', 'stable_secret', 'random']
const GSO_MAX_SEGS = 65535
const EINVAL_STATUS = 22

/** What the options before the kind say beside the message. */
export interface LinkOptions {
  /** the word after `type` */
  readonly type: string | undefined
  /** whether a group of links is meant, not one */
  readonly wholeGroup: boolean
}

/** How far the options have been read. */
interface State {
  name: string | undefined
  dev: string | undefined
  link: string | undefined
  type: string | undefined
  index: number
  group: boolean
  netns: boolean
  linkNetnsid: boolean
  addressLength: number
}

/** Sets or clears a flag of the message. */
function setFlag(message: LinkMessage, flag: number, on: boolean): void {
  message.change |= flag
  message.ifFlags = on ? message.ifFlags | flag : message.ifFlags & ~flag
}

/** A number of type int that may be given once. */
function onceInteger(seen: number | undefined, key: string, word: string): number {
  if (seen !== undefined) duparg(key, word)
  return getInteger(word) ?? invarg(`Invalid "${key}" value\n`, word)
}

/** Reads the target namespace: a name, a path, or a process id. */
function parseNetns(ctx: IpContext, message: LinkMessage, word: string): void {
  try {
    message.attrs.netNsFd = openNetns(ctx.proc, word)
    return
  } catch (error) {
    if (!isSysError(error)) throw error
  }
  message.attrs.netNsPid = getInteger(word) ?? invarg('Invalid "netns" value\n', word)
}

/** The id of a named namespace, given if it has none yet. */
function linkNetnsid(ctx: IpContext, name: string): number {
  const present = nsidOfName(ctx.proc, ctx.nl, name)
  if (present >= 0) return present
  try {
    const fd = openNetns(ctx.proc, name)
    setNsid(ctx.nl, fd, -1)
    ctx.proc.close(fd)
  } catch (error) {
    if (!isSysError(error)) throw error
  }
  const given = nsidOfName(ctx.proc, ctx.nl, name)
  return given < 0 ? invarg('Invalid "link-netns" value\n', name) : given
}

/** Reads one numeric, name or address option. @returns whether the current word was one */
function parseAttribute(ctx: IpContext, args: Args, message: LinkMessage, state: State): boolean {
  const { attrs } = message
  if (args.matches('address')) {
    attrs.address = llAddrA2n(args.next())
    state.addressLength = attrs.address.length
  } else if (args.matches('broadcast') || args.is('brd')) attrs.broadcast = llAddrA2n(args.next())
  else if (args.matches('txqueuelen') || args.is('qlen') || args.matches('txqlen')) {
    attrs.txqlen = onceInteger(attrs.txqlen, 'txqueuelen', args.next())
  } else if (args.is('mtu')) attrs.mtu = onceInteger(attrs.mtu, 'mtu', args.next())
  else if (args.is(...XDP_WORDS)) parseXdp(ctx, args, message)
  else if (args.is('netns')) {
    const word = args.next()
    if (state.netns) duparg('netns', word)
    state.netns = true
    parseNetns(ctx, message, word)
  } else {
    return false
  }
  return true
}

/** Reads one on/off option. @returns whether the current word was one */
function parseSwitch(args: Args, message: LinkMessage): boolean {
  const flag = FLAG_WORDS.find(([word]) => args.is(word))
  if (flag !== undefined) {
    const on = onOff(flag[0], args.next())
    setFlag(message, flag[1], flag[2] ? !on : on)
  } else if (args.is('carrier')) {
    message.attrs.carrier = parseOnOff('carrier', args.next(), EINVAL_STATUS) ? 1 : 0
  } else {
    return false
  }
  return true
}

/** Index of a master, or leaves with `message`. */
function masterIndex(ctx: IpContext, word: string, message: string): number {
  const index = ctx.links.nameToIndex(word)
  return index === 0 ? invarg(message, word) : index
}

/** Reads one of the remaining options. @returns whether the current word was one */
function parseMore(ctx: IpContext, args: Args, message: LinkMessage, state: State): boolean {
  const { attrs } = message
  if (args.matches('master')) attrs.master = masterIndex(ctx, args.next(), 'Device does not exist\n')
  else if (args.is('vrf')) {
    const word = args.next()
    attrs.master = masterIndex(ctx, word, 'Not a valid VRF name\n')
    if (vrfIndex(ctx, word) === 0) invarg('Not a valid VRF name\n', word)
  } else if (args.matches('nomaster')) attrs.master = 0
  else if (args.matches('dynamic')) setFlag(message, IFF_DYNAMIC, onOff('dynamic', args.next()))
  else if (args.matches('alias')) {
    const word = args.next()
    if (new TextEncoder().encode(word).length >= IFALIASZ) invarg('alias too long\n', word)
    attrs.ifalias = word
  } else if (args.is('group')) {
    const word = args.next()
    if (state.group) duparg('group', word)
    attrs.group = ctx.names.group.a2n(word) ?? invarg('Invalid "group" value\n', word)
    state.group = true
  } else if (args.is('mode')) {
    const word = args.next()
    const mode = LINK_MODES.indexOf(word.toLowerCase())
    attrs.linkmode = mode < 0 ? invarg('Invalid link mode\n', word) : mode
  } else if (args.is('state')) {
    const word = args.next()
    const operstate = OPERSTATES.indexOf(word.toUpperCase())
    attrs.operstate = operstate < 0 ? invarg('Invalid operstate\n', word) : operstate
  } else if (args.matches('numtxqueues')) {
    attrs.numTxQueues = onceInteger(attrs.numTxQueues, 'numtxqueues', args.next())
  } else if (args.matches('numrxqueues')) {
    attrs.numRxQueues = onceInteger(attrs.numRxQueues, 'numrxqueues', args.next())
  } else if (args.matches('addrgenmode')) {
    const word = args.next()
    const mode = ADDR_GEN_MODES.indexOf(word.toLowerCase())
    if (mode < 0) invarg('Invalid address generation mode\n', word)
    attrs.afSpec = { ...attrs.afSpec, inet6: { addrGenMode: mode } }
  } else if (args.matches('link-netns')) {
    const word = args.next()
    if (state.linkNetnsid) duparg('link-netns/link-netnsid', word)
    attrs.linkNetnsid = linkNetnsid(ctx, word)
    state.linkNetnsid = true
  } else if (args.matches('link-netnsid')) {
    const word = args.next()
    if (state.linkNetnsid) duparg('link-netns/link-netnsid', word)
    attrs.linkNetnsid = getInteger(word) ?? invarg('Invalid "link-netnsid" value\n', word)
    state.linkNetnsid = true
  } else {
    return parseLimits(ctx, args, message)
  }
  return true
}

/** Reads options about protodown and segmentation. @returns whether the current word was one */
function parseLimits(ctx: IpContext, args: Args, message: LinkMessage): boolean {
  const { attrs } = message
  if (args.is('protodown')) attrs.protoDown = parseOnOff('protodown', args.next(), EINVAL_STATUS) ? 1 : 0
  else if (args.is('protodown_reason')) {
    const word = args.next()
    const bit = ctx.names.protodownReason.a2n(word) ?? invarg('invalid protodown reason\n', word)
    const on = onOff('protodown_reason', args.next())
    attrs.protoDownReason = { mask: 2 ** bit, value: on ? 2 ** bit : 0 }
  } else if (args.is('gso_max_size')) {
    const word = args.next()
    attrs.gsoMaxSize = getUnsigned(word) ?? invarg('Invalid "gso_max_size" value\n', word)
  } else if (args.is('gso_max_segs')) {
    const word = args.next()
    const segments = getUnsigned(word)
    if (segments === undefined || segments > GSO_MAX_SEGS) invarg('Invalid "gso_max_segs" value\n', word)
    attrs.gsoMaxSegs = segments
  } else if (args.is('gro_max_size')) {
    const word = args.next()
    attrs.groMaxSize = getUnsigned(word) ?? invarg('Invalid "gro_max_size" value\n', word)
  } else if (args.is('parentdev')) attrs.parentDevName = args.next()
  else return false
  return true
}

/** Reads the device's name, with or without the word `dev`. */
function parseDevice(ctx: IpContext, args: Args, state: State): void {
  if (args.matches('help')) ctx.usage(LINK_USAGE)
  if (args.is('dev')) args.next()
  if (state.dev !== state.name) duparg2('dev', args.word)
  if (!validAltIfname(args.word)) invarg('"dev" not a valid ifname', args.word)
  state.dev = args.word
}

/** Compares the length of a new address with the device's. */
function checkAddressLength(ctx: IpContext, dev: string, length: number): void {
  const index = ctx.links.nameToIndex(dev)
  if (index === 0) return
  const [answer] = ctx.talk(linkMessage({ index }))
  const expected = (answer as LinkMessage | undefined)?.attrs.address?.length
  if (expected === undefined || expected === length) return
  throw new CommandFailure(`Invalid address length ${length} - must be ${expected} bytes\n`, 1)
}

/**
 * Reads options up to and with `type KIND`, into `message`.
 * @param create whether a link is made
 * @param peer whether this describes the peer of a pair
 */
export function parseLinkOptions(
  ctx: IpContext,
  args: Args,
  message: LinkMessage,
  create: boolean,
  peer = false,
): LinkOptions {
  const state: State = {
    name: undefined,
    dev: undefined,
    link: undefined,
    type: undefined,
    index: 0,
    group: false,
    netns: false,
    linkNetnsid: false,
    addressLength: 0,
  }
  for (; args.more; args.skip()) {
    if (args.is('up')) setFlag(message, IFF_UP, true)
    else if (args.is('down')) setFlag(message, IFF_UP, false)
    else if (args.is('name')) {
      const word = args.next()
      if (state.name !== undefined) duparg('name', word)
      if (!validIfname(word)) invarg('"name" not a valid ifname', word)
      state.name = word
      state.dev ??= word
    } else if (args.is('index')) {
      const word = args.next()
      if (state.index !== 0) duparg('index', word)
      state.index = atoi(word)
      if (state.index <= 0) invarg('Invalid "index" value', word)
    } else if (args.matches('link')) state.link = args.next()
    else if (parseAttribute(ctx, args, message, state)) continue
    else if (parseSwitch(args, message)) continue
    else if (args.is('vf')) {
      const word = args.next()
      const vf = getInteger(word) ?? invarg('Invalid "vf" value\n', word)
      if (state.dev === undefined) missarg('dev')
      parseVf(ctx, args, message, vf, state.dev)
    } else if (args.matches('type')) {
      const word = args.next()
      if (peer) duparg('type', word)
      state.type = word
      args.skip()
      break
    } else if (parseMore(ctx, args, message, state)) continue
    else parseDevice(ctx, args, state)
  }
  return finish(ctx, args, message, state, create)
}

/** Checks what was read and puts the names and indexes into the message. */
function finish(ctx: IpContext, args: Args, message: LinkMessage, state: State, create: boolean): LinkOptions {
  if (state.name === undefined) state.name = state.dev
  else state.dev ??= state.name
  const { dev, name } = state
  if (dev !== undefined && state.addressLength > 0 && !create) checkAddressLength(ctx, dev, state.addressLength)
  if (!create && state.index !== 0 && !state.netns) {
    const text = 'index can be used only when creating devices or when moving device to another netns.\n'
    throw new ToolExit(text, EXIT_USAGE)
  }
  if (state.group && dev === undefined) {
    if (args.more) {
      const text = `Garbage instead of arguments "${args.word} ...". Try "ip link help".\n`
      throw new ToolExit(text, EXIT_USAGE)
    }
    if (create) throw new ToolExit('group cannot be used when creating devices.\n', EXIT_USAGE)
    return { type: undefined, wholeGroup: true }
  }
  if (!create) {
    if (dev === undefined) {
      throw new ToolExit('Not enough information: "dev" argument is required.\n', EXIT_USAGE)
    }
    message.index = ctx.index(dev)
    if (state.index !== 0) message.attrs.newIfindex = state.index
    if (name !== undefined && name !== dev) message.attrs.ifname = name
  } else {
    if (name !== dev) {
      throw new ToolExit('both "name" and "dev" cannot be used when creating devices.\n', EXIT_USAGE)
    }
    if (state.link !== undefined) {
      const index = ctx.links.nameToIndex(state.link)
      if (index === 0) throw nodev(state.link)
      message.attrs.link = index
    }
    message.index = state.index
    if (name !== undefined) message.attrs.ifname = name
  }
  return { type: state.type, wholeGroup: false }
}

/** @returns a request that makes or changes a link, to be filled by `parseLinkOptions` */
export function newLinkRequest(ctx: IpContext, type: LinkMessage['type'], flags: number): LinkMessage {
  return linkMessage({ type, flags, family: ctx.opts.family })
}
