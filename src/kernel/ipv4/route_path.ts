/** Where routes send packets: the functions of IPv4's path that a route's `input` and `output` are. */
import type { SkBuff } from '../core/skbuff.ts'
import type { InDevice } from './in_device.ts'

/** Not written yet: frees the packet. */
function gone(skb: SkBuff): number {
  skb.free('dst_discard')
  return 0
}
export const ipLocalDeliver = gone
export const ipForward = gone
export const ipOutput = gone
export const ipMcOutput = gone
export const ipError = gone
export function icmpSend(_skb: SkBuff, _type: number, _code: number, _info: number): void {}
export function ipCheckMc(_inDev: InDevice, _mc: number, _src: number, _proto: number): boolean {
  return false
}
