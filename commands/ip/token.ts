/** `ip token`: interface identifiers IPv6 autoconfiguration uses (RFC 7217 has the background). See ip-token(8). */
import { IFF_LOOPBACK, IFF_NOARP } from '../../src/uapi/if.ts'
import { type LinkMessage, RTM_NEWLINK, RTM_SETLINK } from '../../src/uapi/rtnetlink.ts'
import { AF_INET6 } from '../../src/uapi/socket.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { formatIpv6, getPrefix } from '../lib/inet.ts'
import { linkMessage } from '../lib/rtnl.ts'
import type { IpContext, IpObject } from './context.ts'
import { TOKEN_USAGE } from './help/token.ts'

function deviceIndex(ctx: IpContext, word: string): number {
  const index = ctx.links.nameToIndex(word)
  return index === 0 ? invarg('dev is invalid\n', word) : index
}

function list(ctx: IpContext, words: readonly string[]): number {
  const args = new Args(words)
  let wanted = 0
  for (; args.more; args.skip()) {
    if (args.is('dev')) {
      wanted = deviceIndex(ctx, args.next())
      break
    }
  }
  const answers = ctx.dump(linkMessage({ family: AF_INET6 }), 'Dump terminated\n', EXIT_USAGE) as LinkMessage[]
  return ctx.listing(out => {
    for (const link of answers) {
      if (link.type !== RTM_NEWLINK || (wanted !== 0 && link.index !== wanted)) continue
      if ((link.ifFlags & (IFF_LOOPBACK | IFF_NOARP)) !== 0) continue
      const token = link.attrs.afSpec?.inet6?.token
      if (token === undefined) continue
      const text = formatIpv6(token)
      const dev = ctx.links.indexToName(link.index)
      out.openObject()
      out.text('token ')
      out.put('token', text, `${text} `, 'inet6')
      out.text('dev ')
      out.put('ifname', dev, `${dev}\n`, 'ifname')
      out.closeObject()
    }
    return 0
  })
}

/** Sets a token. @param fixed the token to set, where the command line does not name it */
function set(ctx: IpContext, words: readonly string[], fixed?: Uint8Array): number {
  const message = linkMessage({ type: RTM_SETLINK, family: AF_INET6 })
  let token = fixed
  const args = new Args(words)
  for (; args.more; args.skip()) {
    if (args.is('dev')) message.index = deviceIndex(ctx, args.next())
    else {
      if (args.matches('help')) ctx.usage(TOKEN_USAGE)
      if (fixed === undefined) token = getPrefix(args.word, AF_INET6).data
    }
  }
  if (token === undefined) throw new CommandFailure('Not enough information: token is required.\n', 1)
  if (message.index === 0) {
    throw new CommandFailure('Not enough information: "dev" argument is required.\n', 1)
  }
  message.attrs.afSpec = { inet6: { token } }
  ctx.talk(message)
  return 0
}

export const run: IpObject = (ctx, words) => {
  const command = words[0]
  const rest = words.slice(1)
  if (command === undefined) return list(ctx, [])
  const is = (...names: string[]): boolean => names.some(name => matches(command, name))
  if (is('list', 'lst', 'show')) return list(ctx, rest)
  if (is('set', 'add')) return set(ctx, rest)
  if (is('delete')) return set(ctx, rest, new Uint8Array(16))
  if (is('get')) return list(ctx, rest)
  if (is('help')) ctx.usage(TOKEN_USAGE)
  throw new ToolExit(`Command "${command}" is unknown, try "ip token help".\n`, EXIT_USAGE)
}
