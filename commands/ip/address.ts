/** `ip address`: adds, changes, removes, lists, flushes, saves and restores addresses. See ip-address(8). */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../src/uapi/netlink.ts'
import {
  type AddrMessage,
  IFA_F_MCAUTOJOIN,
  IFA_F_SECONDARY,
  RT_SCOPE_HOST,
  RTM_DELADDR,
  RTM_NEWADDR,
} from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_PACKET, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, duparg, duparg2, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { getAddr, getPrefix, type InetPrefix, isMulticast } from '../lib/inet.ts'
import { getU32 } from '../lib/number.ts'
import { addrMessage } from '../lib/rtnl.ts'
import { restoreAddresses, saveAddresses, showDump } from './address_dump.ts'
import type { IpContext, IpObject } from './context.ts'
import { ADDRESS_USAGE } from './help/address.ts'
import { IFA_FLAGS, printAddressLine, selectsAddress } from './print_addr.ts'
import { listSelection, parseSelection, type Selection } from './show.ts'

const INFINITY_LIFE_TIME = 0xffffffff

/** The broadcast of `brd +` and `brd -`: ones or zeroes after the prefix; undefined for prefixes of 31 and 32 bits. */
function computedBroadcast(prefix: InetPrefix, ones: boolean): Uint8Array | undefined {
  if (prefix.bitlen > 30) return undefined
  const bytes = Uint8Array.from({ length: 4 }, (_, i) => prefix.data[i] ?? 0)
  for (let bit = prefix.bitlen; bit < 32; bit++) {
    const mask = 0x80 >> (bit & 7)
    bytes[bit >> 3] = ones ? bytes[bit >> 3]! | mask : bytes[bit >> 3]! & ~mask
  }
  return bytes
}

/** What `ip address add` and its relatives say. */
interface Modification {
  dev: string | undefined
  local: InetPrefix | undefined
  localWord: string
  peer: InetPrefix | undefined
  /** `+` or `-` */
  broadcastSign: string | undefined
  broadcastGiven: boolean
  anycastGiven: boolean
  scoped: boolean
  valid: number | undefined
  preferred: number | undefined
  flags: number
}

function lifetime(word: string, message: string): number {
  return word === 'forever' ? INFINITY_LIFE_TIME : (getU32(word) ?? invarg(message, word))
}

/** Reads one flag word; words that cannot be set only warn. */
function parseFlagWord(ctx: IpContext, word: string, ipv6: boolean): number | undefined {
  const flag = IFA_FLAGS.find(entry => entry.name === word)
  if (flag === undefined) return undefined
  if (flag.readonly) ctx.warn(`Warning: ${word} option is not mutable from userspace\n`)
  else if (flag.v6only && !ipv6) ctx.warn(`Warning: ${word} option can be set only for IPv6 addresses\n`)
  else return flag.mask
  return 0
}

function parseModification(ctx: IpContext, words: readonly string[], message: AddrMessage): Modification {
  const m: Modification = {
    dev: undefined,
    local: undefined,
    localWord: '',
    peer: undefined,
    broadcastSign: undefined,
    broadcastGiven: false,
    anycastGiven: false,
    scoped: false,
    valid: undefined,
    preferred: undefined,
    flags: 0,
  }
  const { attrs } = message
  const adopt = (prefix: InetPrefix): InetPrefix => {
    if (message.family === AF_UNSPEC) message.family = prefix.family
    return prefix
  }
  const args = new Args(words)
  for (; args.more; args.skip()) {
    if (args.is('peer', 'remote')) {
      const word = args.next()
      if ((m.peer?.data.length ?? 0) > 0) duparg('peer', word)
      m.peer = adopt(getPrefix(word, message.family))
      attrs.address = m.peer.data
      message.prefixlen = m.peer.bitlen
    } else if (args.matches('broadcast') || args.is('brd')) {
      const word = args.next()
      if (m.broadcastGiven) duparg('broadcast', word)
      m.broadcastGiven = true
      if (word === '+' || word === '-') m.broadcastSign = word
      else attrs.broadcast = adopt(getAddr(word, message.family)).data
    } else if (args.is('anycast')) {
      const word = args.next()
      if (m.anycastGiven) duparg('anycast', word)
      m.anycastGiven = true
      attrs.anycast = adopt(getAddr(word, message.family)).data
    } else if (args.is('scope')) {
      const word = args.next()
      message.scope = ctx.names.rtScope.a2n(word) ?? invarg('invalid scope value.', word)
      m.scoped = true
    } else if (args.is('dev')) m.dev = args.next()
    else if (args.is('label')) attrs.label = args.next()
    else if (args.matches('metric') || args.matches('priority') || args.matches('preference')) {
      const word = args.next()
      attrs.rtPriority = getU32(word) ?? invarg('"metric" value is invalid\n', word)
    } else if (args.matches('valid_lft')) {
      if (m.valid !== undefined) duparg('valid_lft', args.word)
      m.valid = lifetime(args.next(), 'valid_lft value')
    } else if (args.matches('preferred_lft')) {
      if (m.preferred !== undefined) duparg('preferred_lft', args.word)
      m.preferred = lifetime(args.next(), 'preferred_lft value')
    } else {
      const flag = parseFlagWord(ctx, args.word, message.family !== AF_INET && message.family !== AF_UNSPEC)
      if (flag !== undefined) {
        m.flags |= flag
        continue
      }
      if (args.is('local')) args.next()
      if (args.matches('help')) ctx.usage(ADDRESS_USAGE)
      if ((m.local?.data.length ?? 0) > 0) duparg2('local', args.word)
      m.localWord = args.word
      m.local = adopt(getPrefix(args.word, message.family))
      if (m.local.data.length > 0) attrs.local = m.local.data
    }
  }
  return m
}

/** Warns of `ip address del` without a prefix length, which removes whatever length there is. */
function warnWildcard(ctx: IpContext, m: Modification, local: InetPrefix): void {
  ctx.warn(
    'Warning: Executing wildcard deletion to stay compatible with old scripts.\n' +
      `         Explicitly specify the prefix length (${m.localWord}/${local.data.length * 8}) to avoid this warning.\n` +
      '         This special behaviour is likely to disappear in further releases,\n' +
      '         fix your scripts!\n',
  )
}

function setLifetimes(message: AddrMessage, m: Modification): void {
  if (m.valid === undefined && m.preferred === undefined) return
  const valid = m.valid ?? INFINITY_LIFE_TIME
  const prefered = m.preferred ?? INFINITY_LIFE_TIME
  if (valid === 0) throw new CommandFailure('valid_lft is zero\n', 1)
  if (valid < prefered) throw new CommandFailure('preferred_lft is greater than valid_lft\n', 1)
  message.attrs.cacheinfo = { prefered, valid, cstamp: 0, tstamp: 0 }
}

function modify(ctx: IpContext, type: AddrMessage['type'], flags: number, words: readonly string[]): number {
  const message = addrMessage({ type, flags, family: ctx.opts.family })
  const m = parseModification(ctx, words, message)
  const { attrs } = message
  const remove = type === RTM_DELADDR
  if (m.flags <= 0xff) message.ifaFlags = m.flags
  else attrs.flags = m.flags
  if (m.dev === undefined) {
    throw new CommandFailure('Not enough information: "dev" argument is required.\n', 1)
  }
  const local = m.local
  let network = m.peer
  if ((network?.data.length ?? 0) === 0 && local !== undefined && local.data.length > 0) {
    if (remove && local.family === AF_INET && !local.specified) warnWildcard(ctx, m, local)
    else {
      network = local
      attrs.address = local.data
    }
  }
  if (message.prefixlen === 0) message.prefixlen = local?.bitlen ?? 0
  if (m.broadcastSign !== undefined && !remove) {
    if (message.family !== AF_INET) {
      throw new CommandFailure('Broadcast can be set only for IPv4 addresses\n', 1)
    }
    const broadcast = network === undefined ? undefined : computedBroadcast(network, m.broadcastSign === '+')
    if (broadcast !== undefined) attrs.broadcast = broadcast
  }
  if (!m.scoped && !remove) message.scope = local?.family === AF_INET && local.data[0] === 127 ? RT_SCOPE_HOST : 0
  message.index = ctx.index(m.dev)
  setLifetimes(message, m)
  if ((m.flags & IFA_F_MCAUTOJOIN) !== 0 && (local === undefined || !isMulticast(local))) {
    throw new CommandFailure('autojoin needs multicast address\n', 1)
  }
  ctx.talk(message)
  return 0
}

/** Deletes the addresses of one round; those that went with another are no error. */
function deleteAll(ctx: IpContext, addresses: readonly AddrMessage[]): void {
  for (const address of addresses) {
    try {
      ctx.nl.request({ ...address, type: RTM_DELADDR, flags: 0 })
    } catch (error) {
      if (!isSysError(error)) throw error
      if (error.errno === Errno.EADDRNOTAVAIL) continue
      throw new CommandFailure(`Failed to send flush request: ${strerror(error.errno)}\n`, EXIT_USAGE)
    }
  }
}

function flush(ctx: IpContext, { filter }: Selection): number {
  filter.flushing = true
  const { opts } = ctx
  const { stdout } = ctx.proc
  const onlyPrimary = (filter.flagMask & IFA_F_SECONDARY) !== 0 && (filter.flags & IFA_F_SECONDARY) === 0
  const complete = (round: number): number => {
    if (opts.stats > 0) {
      if (round === 0) stdout.write('Nothing to flush.\n')
      else stdout.write(`*** Flush is complete after ${round} round${round > 1 ? 's' : ''} ***\n`)
    }
    return 0
  }
  for (let round = 0; opts.maxFlushLoops === 0 || round < opts.maxFlushLoops; ) {
    const request = addrMessage({ family: filter.family, index: filter.ifindex })
    const addresses = (ctx.dump(request, 'Flush terminated\n') as AddrMessage[]).filter(
      address =>
        address.type === RTM_NEWADDR &&
        (filter.ifindex === 0 || filter.ifindex === address.index) &&
        selectsAddress(ctx, filter, address),
    )
    if (opts.stats > 1) {
      const out = ctx.textPrinter()
      for (const address of addresses) printAddressLine(ctx, out, address, filter)
    }
    if (addresses.length === 0) return complete(round)
    round++
    deleteAll(ctx, addresses)
    if (opts.stats > 0) stdout.write(`\n*** Round ${round}, deleting ${addresses.length} addresses ***\n`)
    if (onlyPrimary) return complete(round)
  }
  const text = `*** Flush remains incomplete after ${opts.maxFlushLoops} rounds. ***\n`
  throw new CommandFailure(text, EXIT_USAGE)
}

function startFlush(ctx: IpContext, words: readonly string[]): number {
  if (words.length === 0) throw new CommandFailure('Flush requires arguments.\n', 1)
  if (ctx.opts.family === AF_PACKET) throw new CommandFailure('Cannot flush link addresses.\n', 1)
  return flush(ctx, parseSelection(ctx, words, ADDRESS_USAGE))
}

export const run: IpObject = (ctx, words) => {
  const command = words[0]
  const rest = words.slice(1)
  const show = (args: readonly string[]): number => listSelection(ctx, parseSelection(ctx, args, ADDRESS_USAGE), false)
  if (command === undefined) return show([])
  const is = (...names: string[]): boolean => names.some(name => matches(command, name))
  if (is('add')) return modify(ctx, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, rest)
  if (is('change') || command === 'chg') return modify(ctx, RTM_NEWADDR, NLM_F_REPLACE, rest)
  if (is('replace')) return modify(ctx, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, rest)
  if (is('delete')) return modify(ctx, RTM_DELADDR, 0, rest)
  if (is('list', 'show', 'lst')) return show(rest)
  if (is('flush')) return startFlush(ctx, rest)
  if (is('save')) return saveAddresses(ctx, parseSelection(ctx, rest, ADDRESS_USAGE).filter)
  if (is('showdump')) return showDump(ctx)
  if (is('restore')) return restoreAddresses(ctx)
  if (is('help')) ctx.usage(ADDRESS_USAGE)
  throw new ToolExit(`Command "${command}" is unknown, try "ip address help".\n`, EXIT_USAGE)
}
