/** Answering address questions on behalf of hosts behind other ports, so that they need not be flooded (neigh_suppress). */
import { type NetBridge, type NetBridgePort, BR_NEIGH_SUPPRESS, BROPT_NEIGH_SUPPRESS_ENABLED } from './br.ts'
import type { SkBuff } from '../core/skbuff.ts'

/** Looks for the answer to an ARP or neighbour question; set by the protocols, which have the tables. */
export type SuppressAnswer = (br: NetBridge, port: NetBridgePort | undefined, skb: SkBuff, vid: number) => void

const ANSWERS: SuppressAnswer[] = []

/** Registers a protocol's answers. */
export function registerNeighSuppress(answer: SuppressAnswer): void {
  ANSWERS.push(answer)
}

/** Answers a question where it can be (br_do_proxy_suppress_arp, br_do_suppress_nd). */
export function brProxySuppress(br: NetBridge, port: NetBridgePort | undefined, skb: SkBuff, vid: number): void {
  for (const answer of ANSWERS) answer(br, port, skb, vid)
}

/** Follows a port's change: the bridge looks at questions only while a port wants that (br_recalculate_neigh_suppress_enabled). */
export function brRecalculateNeighSuppress(br: NetBridge): void {
  br.toggle(
    BROPT_NEIGH_SUPPRESS_ENABLED,
    br.ports.some(port => (port.flags & BR_NEIGH_SUPPRESS) !== 0),
  )
}
