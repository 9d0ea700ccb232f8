/** Checks of link attributes that most Ethernet-like kinds share. */
import { Errno } from '../../uapi/errno.ts'
import type { LinkMessage } from '../../uapi/rtnetlink.ts'
import { ETH_ALEN, isValidEtherAddr } from '../core/ethernet.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'

/** The `validate` of kinds that only look at the address. @returns 0, -EINVAL for a bad length, -EADDRNOTAVAIL for a bad address */
export function validateEtherAddress(msg: LinkMessage, _extack: NetlinkExtAck): number {
  const { address } = msg.attrs
  if (address === undefined) return 0
  if (address.length !== ETH_ALEN) return -Errno.EINVAL
  return isValidEtherAddr(address) ? 0 : -Errno.EADDRNOTAVAIL
}
