/** `ip mrule`: policy rules of multicast routing. */
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { EXIT_USAGE, ToolExit } from '../lib/errors.ts'
import type { IpObject } from './context.ts'
import { RTNL_FAMILY_IP6MR, RTNL_FAMILY_IPMR } from './route_print.ts'
import { runRules } from './rule.ts'

export const run: IpObject = (ctx, args) => {
  const { family } = ctx.opts
  switch (family) {
    case AF_UNSPEC:
    case AF_INET:
      return runRules(ctx, RTNL_FAMILY_IPMR, args)
    case AF_INET6:
      return runRules(ctx, RTNL_FAMILY_IP6MR, args)
    default: {
      const text = `Multicast rules are only supported for IPv4/IPv6, was: ${family}\n`
      throw new ToolExit(text, EXIT_USAGE)
    }
  }
}
