/** Devices with MAC addresses of their own over another: `type macvlan` and `type macvtap`. */
import type { MacvlanData } from '../../../src/uapi/if_link.ts'
import { CommandFailure } from '../../lib/errors.ts'
import { llAddrA2n, llAddrN2a } from '../../lib/lladdr.ts'
import { getU32 } from '../../lib/number.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'

const MODES: readonly (readonly [number, string])[] = [
  [1, 'private'],
  [2, 'vepa'],
  [4, 'bridge'],
  [8, 'passthru'],
  [16, 'source'],
]
const MODE_PASSTHRU = 8
const MODE_SOURCE = 16

const FLAG_NOPROMISC = 1
const FLAG_NODST = 2
const FLAGS: readonly (readonly [string, number])[] = [
  ['nopromisc', FLAG_NOPROMISC],
  ['nodst', FLAG_NODST],
  ['null', 0],
]

const MACADDR_ADD = 0
const MACADDR_DEL = 1
const MACADDR_FLUSH = 2
const MACADDR_SET = 3

function macvlanKind(kind: string): LinkKindOf<MacvlanData> {
  const help = `Usage: ... ${kind} mode MODE [flag MODE_FLAG] MODE_OPTS [bcqueuelen BC_QUEUE_LEN]

MODE: private | vepa | bridge | passthru | source
MODE_FLAG: null | nopromisc | nodst
MODE_OPTS: for mode "source":
	macaddr { { add | del } <macaddr> | set [ <macaddr> [ <macaddr>  ... ] ] | flush }
BC_QUEUE_LEN: Length of the rx queue for broadcast/multicast: [0-4294967295]
`
  return {
    kind,
    help,
    parse(_ctx, args, _message, create) {
      const data: MacvlanData = {}
      let mode = 0
      let flags = 0
      let haveFlags = false
      let haveMode = false
      for (; args.more; args.skip()) {
        if (args.matches('mode')) {
          const word = args.next()
          const found = MODES.find(([, name]) => name === word)
          if (found === undefined) {
            const names = '"private", "vepa", "bridge", "passthru" or "source"'
            throw new CommandFailure(`Error: argument of "mode" must be ${names}, not "${word}"\n`, 1)
          }
          mode = found[0]
          haveMode = true
        } else if (args.matches('flag')) {
          const word = args.next()
          const found = FLAGS.find(([name]) => name === word)
          if (found === undefined) {
            const text = `Error: argument of "flag" must be "nopromisc", "nodst" or "null", not "${word}"\n`
            throw new CommandFailure(text, 1)
          }
          flags |= found[1]
          haveFlags = true
        } else if (args.matches('macaddr')) {
          const word = args.next()
          if (word === 'add' || word === 'del') {
            data.macaddrMode = word === 'add' ? MACADDR_ADD : MACADDR_DEL
            data.macaddr = llAddrA2n(args.next())
          } else if (word === 'set') {
            data.macaddrMode = MACADDR_SET
            data.macaddrData = []
            while (args.peek() !== undefined) {
              args.next()
              data.macaddrData.push(llAddrA2n(args.word))
            }
          } else if (word === 'flush') {
            data.macaddrMode = MACADDR_FLUSH
          } else {
            throw kindFailure('', help)
          }
        } else if (args.matches('nopromisc')) {
          flags |= FLAG_NOPROMISC
          haveFlags = true
        } else if (args.matches('nodst')) {
          flags |= FLAG_NODST
          haveFlags = true
        } else if (args.matches('bcqueuelen')) {
          const word = args.next()
          const length = getU32(word)
          if (length === undefined) {
            const text = `Error: argument of "bcqueuelen" must be a positive integer [0-4294967295], not "${word}"\n`
            throw new CommandFailure(text, 1)
          }
          data.bcQueueLen = length
        } else if (args.matches('help')) {
          throw kindFailure('', help)
        } else {
          throw kindFailure(`${kind}: unknown option "${args.word}"?\n`, help)
        }
      }
      if (haveMode) data.mode = mode
      if (haveFlags) {
        if ((flags & FLAG_NOPROMISC) !== 0 && mode !== MODE_PASSTHRU) {
          throw kindFailure(`${kind}: nopromisc flag only valid in passthru mode\n`, help)
        }
        if ((flags & FLAG_NODST) !== 0 && mode !== MODE_SOURCE && create) {
          throw kindFailure(`${kind}: nodst flag only valid in source mode\n`, help)
        }
        data.flags = flags
      }
      return data
    },

    print(_ctx, out, data, message) {
      if (data.mode !== undefined) {
        const name = MODES.find(([number]) => number === data.mode)?.[1] ?? 'unknown'
        out.put('mode', name, `mode ${name} `)
      }
      const flags = data.flags ?? 0
      if (data.flags === undefined) return
      if ((flags & FLAG_NOPROMISC) !== 0) out.put('nopromisc', true, 'nopromisc ')
      if ((flags & FLAG_NODST) !== 0) out.put('nodst', true, 'nodst ')
      if (data.bcQueueLen !== undefined) out.put('bcqueuelen', data.bcQueueLen, `bcqueuelen ${data.bcQueueLen} `)
      if (data.bcQueueLenUsed !== undefined) {
        out.put('usedbcqueuelen', data.bcQueueLenUsed, `usedbcqueuelen ${data.bcQueueLenUsed} `)
      }
      if (data.mode !== MODE_SOURCE) return
      if (data.macaddrCount !== undefined) {
        out.put('macaddr_count', data.macaddrCount, `remotes (${data.macaddrCount}) `)
      }
      if (data.macaddrData === undefined) return
      out.openArray('macaddr_data')
      for (const address of data.macaddrData) {
        const text = llAddrN2a(address, message.hatype)
        out.put(undefined, text, `${text} `)
      }
      out.closeArray()
    },
  }
}

export const macvlan = macvlanKind('macvlan')
export const macvtap = macvlanKind('macvtap')
