/** The present data of a link that is about to change: options not given keep their values. */

import { isSysError } from '../../../src/uapi/errno.ts'
import type { LinkMessage } from '../../../src/uapi/rtnetlink.ts'
import { CommandFailure } from '../../lib/errors.ts'
import { linkMessage } from '../../lib/rtnl.ts'
import type { IpContext } from '../context.ts'
import type { KindData } from './kind.ts'

/** @returns a copy of a link's data; empty where it has none or is of another kind; fails where the link is unknown */
export function currentKindData<D extends KindData>(ctx: IpContext, message: LinkMessage, kinds: readonly string[]): D {
  let answer: LinkMessage | undefined
  try {
    answer = ctx.nl.request(linkMessage({ index: message.index }))[0] as LinkMessage | undefined
  } catch (error) {
    if (!isSysError(error)) throw error
    throw new CommandFailure('Failed to get existing tunnel info.\n', 1)
  }
  const info = answer?.attrs.linkinfo
  if (info?.kind === undefined || !kinds.includes(info.kind) || info.data === undefined) return {} as D
  return { ...info.data } as D
}
