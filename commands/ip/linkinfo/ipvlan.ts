/** Devices that share the MAC address of another: `type ipvlan` and `type ipvtap`. */
import type { IpvlanData } from '../../../src/uapi/if_link.ts'
import { CommandFailure } from '../../lib/errors.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'

const MODES = ['l2', 'l3', 'l3s']
const FLAG_PRIVATE = 0x1
const FLAG_VEPA = 0x2

/** Words that set the flags. */
const FLAG_WORDS: readonly (readonly [string, number])[] = [
  ['private', FLAG_PRIVATE],
  ['vepa', FLAG_VEPA],
  ['bridge', 0],
]

function ipvlanKind(kind: string): LinkKindOf<IpvlanData> {
  const help = `Usage: ... ${kind} [ mode MODE ] [ FLAGS ]

MODE: l3 | l3s | l2
FLAGS: bridge | private | vepa
(first values are the defaults if nothing is specified).
`
  return {
    kind,
    help,
    parse(_ctx, args) {
      const data: IpvlanData = {}
      let flags = 0
      let haveFlags = false
      for (; args.more; args.skip()) {
        const flag = FLAG_WORDS.find(([name]) => args.matches(name))
        if (args.matches('mode')) {
          const mode = MODES.indexOf(args.next())
          if (mode < 0) throw new CommandFailure('Error: argument of "mode" must be either "l2", "l3" or "l3s"\n', 1)
          data.mode = mode
        } else if (flag !== undefined && !haveFlags) {
          flags = flag[1]
          haveFlags = true
        } else if (args.matches('help')) {
          throw kindFailure('', help)
        } else {
          throw kindFailure(`${kind}: unknown option "${args.word}"?\n`, help)
        }
      }
      if (haveFlags) data.flags = flags
      return data
    },

    print(_ctx, out, data) {
      if (data.mode !== undefined) {
        const mode = MODES[data.mode] ?? 'unknown'
        out.put('mode', mode, ` mode ${mode} `)
      }
      if (data.flags === undefined) return
      if ((data.flags & FLAG_PRIVATE) !== 0) out.put('private', true, 'private ')
      else if ((data.flags & FLAG_VEPA) !== 0) out.put('vepa', true, 'vepa ')
      else out.put('bridge', true, 'bridge ')
    },
  }
}

export const ipvlan = ipvlanKind('ipvlan')
export const ipvtap = ipvlanKind('ipvtap')
