/** Constructor for next hop messages. */
import { NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import { type NexthopMessage, RTM_GETNEXTHOP } from '../../src/uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../src/uapi/socket.ts'

/** @returns a next hop message; absent fields are 0 */
export function nexthopMessage(fields: Partial<NexthopMessage> = {}): NexthopMessage {
  return {
    type: RTM_GETNEXTHOP,
    flags: NLM_F_REQUEST,
    family: AF_UNSPEC,
    scope: 0,
    protocol: 0,
    nhFlags: 0,
    attrs: {},
    ...fields,
  }
}
