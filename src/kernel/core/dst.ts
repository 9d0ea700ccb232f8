/** `dst_entry`: the outcome of a route lookup, which a packet carries and which knows where it goes next. */
import type { NetDevice } from './net_device.ts'
import type { SkBuff } from './skbuff.ts'

/** A destination; IPv4's `rtable` and IPv6's `rt6_info` extend it. */
export interface DstEntry {
  /** the outgoing device; for local delivery the device of the address */
  dev: NetDevice
  /** error that using this route gives (negative), 0 for a usable one */
  error: number
  /** DST_… flags */
  flags: number
  /** when a learned exception runs out, ns since boot; 0 never */
  expires: number
  /** a change of the tables has made it stale: look again */
  obsolete: boolean
  /** Takes a packet that came in: forward it, deliver it, or answer with an error. @returns 0 or a negative error */
  input(skb: SkBuff): number
  /** Sends a packet out by this route. @returns 0 or a negative error */
  output(skb: SkBuff): number
}
