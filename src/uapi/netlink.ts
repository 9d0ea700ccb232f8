/**
 * Netlink between a program and the kernel: typed messages with the kernel's names, see netlink(7).
 * A message's attributes are optional fields of an object; `undefined` means the attribute is absent.
 */
import { SysError } from './errno.ts'
import type { RtMessage } from './rtnetlink.ts'

export const NETLINK_ROUTE = 0

/** The netlink families that exist. Each has its own message type. */
export type NetlinkFamily = typeof NETLINK_ROUTE

/** Message flags of a request. */
export const NLM_F_REQUEST = 0x1
export const NLM_F_MULTI = 0x2
export const NLM_F_ACK = 0x4
export const NLM_F_ECHO = 0x8
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_DUMP_FILTERED = 0x20
export const NLM_F_ROOT = 0x100
export const NLM_F_MATCH = 0x200
export const NLM_F_DUMP = NLM_F_ROOT | NLM_F_MATCH
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
export const NLM_F_APPEND = 0x800

/** A request that the kernel refused: an error number and, where Linux gives one, the extended-ack text. */
export class NetlinkError extends SysError {
  /** the extended-ack text, without `Error: ` */
  readonly extack: string | undefined

  constructor(errno: number, extack?: string) {
    super(errno, extack)
    this.name = 'NetlinkError'
    this.extack = extack
  }
}

/** An open netlink socket. */
export interface NetlinkSocket {
  /**
   * Sends a request and collects its answer: for a get the one message, for NLM_F_DUMP all of them in the kernel's
   * order, for a change nothing (with NLM_F_ECHO the notification). Throws NetlinkError.
   */
  request(message: RtMessage): RtMessage[]
  /** Joins multicast groups (RTNLGRP_…); their notifications then arrive at `receive`. */
  subscribe(...groups: number[]): void
  /** Also receive notifications of other namespaces that have an nsid here (NETLINK_LISTEN_ALL_NSID). */
  listenAllNsid(): void
  /** The next notification; blocks. */
  receive(): Promise<RtMessage>
  close(): void
}
