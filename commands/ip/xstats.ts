/** `ip link xstats`: extended statistics of bridges and bonds. */
import { Args } from '../lib/args.ts'
import { CommandFailure, invarg } from '../lib/errors.ts'
import type { IpContext } from './context.ts'
import { linkKind } from './linkinfo/index.ts'

const HELP = 'Usage: ... xstats type TYPE [ ARGS ]\n'

/** The arguments of each kind that has extended statistics. */
const KIND_HELP: Readonly<Record<string, string>> = {
  bridge: 'Usage: ... bridge [ igmp ] [ dev DEVICE ]\n',
  bridge_slave: 'Usage: ... bridge_slave [ igmp ] [ dev DEVICE ]\n',
  bond: 'Usage: ... bond [ 802.3ad ] [ dev DEVICE ]\n',
  bond_slave: 'Usage: ... bond_slave [ 802.3ad ] [ dev DEVICE ]\n',
}

/** What may be asked for of a kind. */
const KIND_SUITES: Readonly<Record<string, string>> = {
  bridge: 'igmp',
  bridge_slave: 'igmp',
  bond: '802.3ad',
  bond_slave: '802.3ad',
}

/** Runs `ip link xstats`. The kernel's answer to RTM_GETSTATS is not part of this interface: devices are checked, none is listed. */
export function xstats(ctx: IpContext, words: readonly string[]): number {
  const args = new Args(words)
  if (!args.more) throw new CommandFailure('xstats: missing argument\n', 1)
  if (args.matches('help')) {
    ctx.proc.stdout.write(HELP)
    return 0
  }
  if (!args.matches('type')) invarg('unknown argument', args.word)
  const type = args.next()
  if (linkKind(type) === undefined) invarg('invalid type', type)
  const help = KIND_HELP[type]
  if (help === undefined) throw new CommandFailure(`xstats: link type ${type} doesn't support xstats\n`, 1)
  let dev: string | undefined
  for (args.skip(); args.more; args.skip()) {
    if (args.matches(KIND_SUITES[type]!) || args.matches('all')) continue
    if (args.is('dev')) dev = args.next()
    else if (args.is('help')) {
      ctx.proc.stdout.write(help)
      return 0
    } else invarg('unknown attribute', args.word)
  }
  if (dev !== undefined) ctx.index(dev)
  return 0
}
