/** VRF devices as words of routing commands: a device's table, and whether a device is one. */
import { isSysError } from '../../src/uapi/errno.ts'
import { linkData } from '../../src/uapi/if_link.ts'
import { type LinkMessage, RTM_NEWLINK } from '../../src/uapi/rtnetlink.ts'
import { linkMessage } from '../lib/rtnl.ts'
import type { IpContext } from './context.ts'

function vrfLink(ctx: IpContext, name: string): LinkMessage | undefined {
  try {
    for (const message of ctx.nl.request(linkMessage({ attrs: { ifname: name } }))) {
      if (message.type !== RTM_NEWLINK) continue
      const link = message as LinkMessage
      return linkData(link.attrs.linkinfo, 'vrf') === undefined ? undefined : link
    }
  } catch (error) {
    if (!isSysError(error)) throw error
  }
  return undefined
}

/** @returns the routing table of a VRF device, 0 where the name is none */
export function vrfTable(ctx: IpContext, name: string): number {
  return linkData(vrfLink(ctx, name)?.attrs.linkinfo, 'vrf')?.table ?? 0
}

/** @returns the interface index of a VRF device, 0 where the name is none */
export function vrfIndex(ctx: IpContext, name: string): number {
  return vrfLink(ctx, name)?.index ?? 0
}
