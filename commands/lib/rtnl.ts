/**
 * Talking to rtnetlink: requests with their error texts, and constructors for message headers, so that a tool names
 * only the fields it sets.
 */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import { NetlinkError, type NetlinkSocket, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import {
  type AddrMessage,
  type LinkMessage,
  type NeighMessage,
  type RouteMessage,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETROUTE,
  RTM_GETRULE,
  type RtMessage,
  type RuleMessage,
} from '../../src/uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../src/uapi/socket.ts'
import { CommandFailure } from './errors.ts'

/** @returns what rtnetlink tools print for a refused request: the extended-ack text, else the error number's */
export function netlinkErrorText(error: { readonly errno: number; readonly extack?: string | undefined }): string {
  const { extack } = error
  if (extack === undefined || extack === '') return `RTNETLINK answers: ${strerror(error.errno)}\n`
  return `Error: ${extack}${extack.endsWith('.') ? '' : '.'}\n`
}

/** A failed system call as the netlink error it is; other errors go on. */
export function asNetlinkError(thrown: unknown): { readonly errno: number; readonly extack?: string | undefined } {
  if (thrown instanceof NetlinkError) return thrown
  if (isSysError(thrown)) return { errno: thrown.errno }
  throw thrown
}

/**
 * Sends one request (rtnl_talk).
 * @param status what the command returns where the kernel refuses; iproute2 has -2 nearly everywhere
 * @returns the answers; throws CommandFailure with the error's text
 */
export function talk(nl: NetlinkSocket, message: RtMessage, status = 2): RtMessage[] {
  try {
    message.flags |= NLM_F_REQUEST | NLM_F_ACK
    return nl.request(message)
  } catch (thrown) {
    throw new CommandFailure(netlinkErrorText(asNetlinkError(thrown)), status)
  }
}

/**
 * Dumps (rtnl_dump_filter). Throws CommandFailure with the error's text and then `Dump terminated`.
 * @param terminated the last line of the complaint
 * @param status what the command returns then
 */
export function dump<T extends RtMessage>(
  nl: NetlinkSocket,
  message: T,
  terminated = 'Dump terminated\n',
  status = 1,
): RtMessage[] {
  try {
    message.flags |= NLM_F_REQUEST | NLM_F_DUMP
    return nl.request(message)
  } catch (thrown) {
    const error = asNetlinkError(thrown)
    const silent = error.extack === undefined && error.errno === Errno.ENOENT
    throw new CommandFailure((silent ? '' : netlinkErrorText(error)) + terminated, status)
  }
}

/** @returns a link message; absent fields are 0 */
export function linkMessage(fields: Partial<LinkMessage> = {}): LinkMessage {
  return {
    type: RTM_GETLINK,
    flags: NLM_F_REQUEST,
    family: AF_UNSPEC,
    hatype: 0,
    index: 0,
    ifFlags: 0,
    change: 0,
    attrs: {},
    ...fields,
  }
}

/** @returns an address message; absent fields are 0 */
export function addrMessage(fields: Partial<AddrMessage> = {}): AddrMessage {
  return {
    type: RTM_GETADDR,
    flags: NLM_F_REQUEST,
    family: AF_UNSPEC,
    prefixlen: 0,
    ifaFlags: 0,
    scope: 0,
    index: 0,
    attrs: {},
    ...fields,
  }
}

/** @returns a route message; absent fields are 0 */
export function routeMessage(fields: Partial<RouteMessage> = {}): RouteMessage {
  return {
    type: RTM_GETROUTE,
    flags: NLM_F_REQUEST,
    family: AF_UNSPEC,
    dstLen: 0,
    srcLen: 0,
    tos: 0,
    table: 0,
    protocol: 0,
    scope: 0,
    rtType: 0,
    rtmFlags: 0,
    attrs: {},
    ...fields,
  }
}

/** @returns a neighbour message; absent fields are 0 */
export function neighMessage(fields: Partial<NeighMessage> = {}): NeighMessage {
  return {
    type: RTM_GETNEIGH,
    flags: NLM_F_REQUEST,
    family: AF_UNSPEC,
    ifindex: 0,
    state: 0,
    ndmFlags: 0,
    ndmType: 0,
    attrs: {},
    ...fields,
  }
}

/** @returns a rule message; absent fields are 0 */
export function ruleMessage(fields: Partial<RuleMessage> = {}): RuleMessage {
  return {
    type: RTM_GETRULE,
    flags: NLM_F_REQUEST,
    family: AF_UNSPEC,
    dstLen: 0,
    srcLen: 0,
    tos: 0,
    table: 0,
    action: 0,
    ruleFlags: 0,
    attrs: {},
    ...fields,
  }
}
