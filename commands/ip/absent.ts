/**
 * Objects whose kernel side is not modelled: their help texts, and listings, which are empty as on a kernel where
 * nothing of the kind was set up. Commands that would set something up are refused.
 */
import { matches } from '../lib/args.ts'
import { CommandFailure, EXIT_USAGE, ToolExit } from '../lib/errors.ts'
import type { IpObject } from './context.ts'
import { FOU_USAGE } from './help/fou.ts'
import { ILA_USAGE } from './help/ila.ts'
import { IOAM_USAGE } from './help/ioam.ts'
import { L2TP_USAGE } from './help/l2tp.ts'
import { MACSEC_USAGE } from './help/macsec.ts'
import { MPTCP_USAGE } from './help/mptcp.ts'
import { MROUTE_USAGE } from './help/mroute.ts'
import { SR_USAGE } from './help/sr.ts'
import { STATS_USAGE } from './help/stats.ts'
import { XFRM_USAGE } from './help/xfrm.ts'
import { XFRM_MONITOR_USAGE } from './help/xfrm_monitor.ts'
import { XFRM_POLICY_USAGE } from './help/xfrm_policy.ts'
import { XFRM_STATE_USAGE } from './help/xfrm_state.ts'

/** One object. */
interface AbsentObject {
  readonly name: string
  readonly usage: string
  /** status of its help text */
  readonly helpStatus: number
  /** words of its grammar that change something */
  readonly changes: readonly string[]
  /** words that list something, and begin the command line */
  readonly lists: readonly string[]
  /** whether the object alone is a listing */
  readonly bare: boolean
  /** kinds of things named before the verb */
  readonly nouns?: Readonly<Record<string, string>>
}

const OBJECTS: readonly AbsentObject[] = [
  { name: 'l2tp', usage: L2TP_USAGE, helpStatus: EXIT_USAGE, changes: ['add', 'delete'], lists: ['show'], bare: false },
  { name: 'fou', usage: FOU_USAGE, helpStatus: EXIT_USAGE, changes: ['add', 'delete', 'show'], lists: [], bare: false },
  { name: 'ila', usage: ILA_USAGE, helpStatus: EXIT_USAGE, changes: ['add', 'delete', 'list'], lists: [], bare: false },
  {
    name: 'macsec',
    usage: MACSEC_USAGE,
    helpStatus: EXIT_USAGE,
    changes: ['add', 'set', 'delete', 'offload'],
    lists: ['show'],
    bare: true,
  },
  {
    name: 'mroute',
    usage: MROUTE_USAGE,
    helpStatus: EXIT_USAGE,
    changes: [],
    lists: ['list', 'show', 'lst'],
    bare: true,
  },
  {
    name: 'sr',
    usage: SR_USAGE,
    helpStatus: EXIT_USAGE,
    changes: ['set'],
    lists: ['show'],
    bare: false,
    nouns: { hmac: SR_USAGE, tunsrc: SR_USAGE },
  },
  {
    name: 'mptcp',
    usage: MPTCP_USAGE,
    helpStatus: EXIT_USAGE,
    changes: ['add', 'delete', 'change', 'flush', 'set'],
    lists: ['show'],
    bare: false,
    nouns: { endpoint: MPTCP_USAGE, limits: MPTCP_USAGE },
  },
  {
    name: 'ioam',
    usage: IOAM_USAGE,
    helpStatus: EXIT_USAGE,
    changes: ['add', 'delete', 'set'],
    lists: ['show'],
    bare: false,
    nouns: { namespace: IOAM_USAGE, schema: IOAM_USAGE },
  },
  { name: 'stats', usage: STATS_USAGE, helpStatus: 0, changes: ['set'], lists: ['show'], bare: true },
  {
    name: 'xfrm',
    usage: XFRM_USAGE,
    helpStatus: EXIT_USAGE,
    changes: ['add', 'update', 'delete', 'deleteall', 'flush', 'allocspi', 'get', 'set'],
    lists: ['list', 'show', 'lst', 'count'],
    bare: false,
    nouns: { state: XFRM_STATE_USAGE, policy: XFRM_POLICY_USAGE, monitor: XFRM_MONITOR_USAGE },
  },
]

/** @returns the object of a name */
export function absentObject(name: string): IpObject {
  const object = OBJECTS.find(entry => entry.name === name)!
  return (_ctx, words) => {
    let usage = object.usage
    let rest = words
    const noun = Object.keys(object.nouns ?? {}).find(entry => matches(words[0] ?? '', entry))
    if (noun !== undefined) {
      usage = object.nouns![noun]!
      rest = words.slice(1)
      if (rest.length === 0) return 0
    }
    const verb = rest[0]
    if (verb === undefined) {
      if (object.bare) return 0
      throw new ToolExit(usage, object.helpStatus)
    }
    const helpful = name === 'stats' ? rest.slice(0, 2) : [verb]
    if (helpful.some(word => matches(word, 'help'))) throw new ToolExit(usage, object.helpStatus)
    if (object.lists.some(entry => matches(verb, entry))) return 0
    if (object.changes.some(entry => matches(verb, entry))) {
      throw new CommandFailure('RTNETLINK answers: No such file or directory\nError talking to the kernel\n', 1)
    }
    if (name === 'xfrm') throw new ToolExit(usage, object.helpStatus)
    throw new ToolExit(`Command "${verb}" is unknown, try "ip ${name} help".\n`, name === 'stats' ? 1 : EXIT_USAGE)
  }
}
