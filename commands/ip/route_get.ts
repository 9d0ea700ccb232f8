/** `ip route get`: asks the kernel which route a packet would take. */
import { NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import {
  type RouteMessage,
  RTM_F_FIB_MATCH,
  RTM_F_LOOKUP_TABLE,
  RTM_F_NOTIFY,
  RTM_GETROUTE,
  RTM_NEWROUTE,
} from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args } from '../lib/args.ts'
import { CommandFailure, invarg, ToolExit } from '../lib/errors.ts'
import { getPrefix } from '../lib/inet.ts'
import { getU16, getUnsigned } from '../lib/number.ts'
import { Protocols } from '../lib/protocols.ts'
import { routeMessage } from '../lib/rtnl.ts'
import type { IpContext } from './context.ts'
import { ROUTE_USAGE } from './help/route.ts'
import { emptyFilter } from './route_filter.ts'
import { printRoute } from './route_print.ts'
import { vrfIndex } from './vrf_table.ts'

/** A question and how its answer is shown. */
interface Question {
  readonly request: RouteMessage
  iif: string | undefined
  oif: string | undefined
  connected: boolean
  from: boolean
  addressOk: boolean
}

function parseAddressWord(ctx: IpContext, question: Question, a: Args): void {
  const { request } = question
  if (a.is('to')) a.next()
  if (a.matches('help')) ctx.usage(ROUTE_USAGE)
  const prefix = getPrefix(a.word, request.family)
  if (request.family === AF_UNSPEC) request.family = prefix.family
  if (prefix.data.length > 0) request.attrs.dst = prefix.data
  const bits = request.family === AF_INET ? 32 : request.family === AF_INET6 ? 128 : prefix.bitlen
  if (prefix.bitlen !== bits) {
    ctx.warn(`Warning: /${prefix.bitlen} as prefix is invalid, only /${bits} (or none) is supported.\n`)
  }
  request.dstLen = bits
  question.addressOk = true
}

function parseQuestion(ctx: IpContext, words: readonly string[]): Question {
  const request = routeMessage({ type: RTM_GETROUTE, flags: NLM_F_REQUEST, family: ctx.opts.family })
  const question: Question = {
    request,
    iif: undefined,
    oif: undefined,
    connected: false,
    from: false,
    addressOk: false,
  }
  const { attrs } = request
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.is('tos') || a.matches('dsfield')) {
      const word = a.next()
      request.tos = ctx.names.rtDsfield.a2n(word) ?? invarg('TOS value is invalid\n', word)
    } else if (a.matches('from')) {
      a.next()
      if (a.matches('help')) ctx.usage(ROUTE_USAGE)
      question.from = true
      const prefix = getPrefix(a.word, request.family)
      if (request.family === AF_UNSPEC) request.family = prefix.family
      if (prefix.data.length > 0) attrs.src = prefix.data
      request.srcLen = prefix.bitlen
    } else if (a.matches('iif')) question.iif = a.next()
    else if (a.matches('mark')) {
      const word = a.next()
      const mark = getUnsigned(word) ?? invarg('invalid mark value', word)
      if (mark !== 0) attrs.mark = mark
    } else if (a.matches('oif') || a.is('dev')) question.oif = a.next()
    else if (a.matches('notify')) request.rtmFlags |= RTM_F_NOTIFY
    else if (a.matches('connected')) question.connected = true
    else if (a.matches('vrf')) {
      const word = a.next()
      if (vrfIndex(ctx, word) === 0) invarg('Invalid VRF\n', word)
      question.oif = word
    } else if (a.matches('uid')) {
      const word = a.next()
      attrs.uid = getUnsigned(word) ?? invarg('invalid UID\n', word)
    } else if (a.matches('fibmatch')) request.rtmFlags |= RTM_F_FIB_MATCH
    else if (a.is('sport')) {
      const word = a.next()
      attrs.sport = getU16(word) ?? invarg('invalid sport\n', word)
    } else if (a.is('dport')) {
      const word = a.next()
      attrs.dport = getU16(word) ?? invarg('invalid dport\n', word)
    } else if (a.is('ipproto')) {
      const word = a.next()
      attrs.ipProto = new Protocols(ctx.proc).number(word) ?? invarg('Invalid "ipproto" value\n', word)
    } else parseAddressWord(ctx, question, a)
  }
  return question
}

function answerOf(ctx: IpContext, request: RouteMessage): RouteMessage {
  const answer = ctx.talk(request)[0]
  if (answer?.type !== RTM_NEWROUTE) throw new CommandFailure('Not a route?\n', 1)
  return answer as RouteMessage
}

/** Asks for the route of a packet. @returns the exit status */
export function getRoute(ctx: IpContext, words: readonly string[]): number {
  const question = parseQuestion(ctx, words)
  const { request } = question
  if (!question.addressOk) throw new ToolExit('need at least a destination address\n', 1)
  if (question.iif !== undefined) request.attrs.iif = ctx.index(question.iif)
  if (question.oif !== undefined) request.attrs.oif = ctx.index(question.oif)
  if (request.family === AF_UNSPEC) request.family = AF_INET
  // for fibmatch the table is wanted too, so that routes with a table of their own show it
  request.rtmFlags |= RTM_F_LOOKUP_TABLE
  const filter = emptyFilter()
  filter.cloned = 'either'
  let answer = answerOf(ctx, request)
  ctx.listing(out => {
    if (question.connected && !question.from) {
      printRoute(ctx, out, answer, filter)
      if (answer.attrs.prefsrc === undefined && answer.attrs.src === undefined) {
        throw new CommandFailure('Failed to connect the route\n', 1)
      }
      // iproute2 edits the answer for a second question, but asks the first again
      answer = answerOf(ctx, request)
    }
    printRoute(ctx, out, answer, filter)
  })
  return 0
}
