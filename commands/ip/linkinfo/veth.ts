/** Pairs of devices: `type veth` and `type vxcan`, whose peer is described by a second set of link options. */
import type { VethData } from '../../../src/uapi/if_link.ts'
import { CommandFailure } from '../../lib/errors.ts'
import { linkMessage } from '../../lib/rtnl.ts'
import { parseLinkOptions } from '../link_options.ts'
import type { LinkKindOf } from './kind.ts'

function pairKind(kind: string): LinkKindOf<VethData> {
  const help = `Usage: ip link <options> type ${kind} [peer <options>]
To get <options> type 'ip link add help'
`
  return {
    kind,
    help,
    parse(ctx, args, message, create) {
      if (!args.is('peer')) {
        ctx.proc.stdout.write(help)
        throw new CommandFailure('', 1)
      }
      args.skip()
      const peer = linkMessage({ type: message.type, flags: message.flags })
      parseLinkOptions(ctx, args, peer, create, true)
      return { peer }
    },
  }
}

export const veth = pairKind('veth')
export const vxcan = pairKind('vxcan')
