/** The command line of arping(8). */
import type { Process } from '../../src/uapi/process.ts'
import { ToolExit } from '../lib/errors.ts'
import { type Console, INT_MAX, versionText } from '../lib/iputils.ts'
import { shortOptions } from '../lib/shortopt.ts'
import { USAGE } from './help.ts'

/** What the command line asks for. */
export interface ArpingOptions {
  target: string
  /** answers instead of questions: -A */
  advert: boolean
  broadcastOnly: boolean
  /** duplicate address detection: -D */
  dad: boolean
  quiet: boolean
  quitOnReply: boolean
  /** -U or -A */
  unsolicited: boolean
  /** -1: without end */
  count: number
  /** s, 0 none */
  timeout: number
  /** s */
  interval: number
  device: string | undefined
  source: string | undefined
}

function usage(): never {
  throw new ToolExit(USAGE, 2)
}

/** What an option does to the request. */
type Action = (opts: ArpingOptions, value: string, console: Console, proc: Process) => void

const ACTIONS: Readonly<Record<string, Action>> = {
  b: opts => void (opts.broadcastOnly = true),
  D: opts => {
    opts.dad = true
    opts.quitOnReply = true
  },
  U: opts => void (opts.unsolicited = true),
  A: opts => {
    opts.advert = true
    opts.unsolicited = true
  },
  q: opts => void (opts.quiet = true),
  c: (opts, value, console) => void (opts.count = console.number(value, 1, INT_MAX)),
  w: (opts, value, console) => void (opts.timeout = console.number(value, 0, INT_MAX)),
  i: (opts, value, console) => void (opts.interval = console.number(value, 0, INT_MAX)),
  I: (opts, value) => void (opts.device = value === '' ? undefined : value),
  f: opts => void (opts.quitOnReply = true),
  s: (opts, value) => void (opts.source = value),
  V: (_opts, _value, _console, proc) => {
    proc.stdout.write(versionText('arping'))
    throw new ToolExit('', 0)
  },
}

/** Reads the command line; wrong words end the program. */
export function parseOptions(proc: Process, console: Console): ArpingOptions {
  const opts: ArpingOptions = {
    target: '',
    advert: false,
    broadcastOnly: false,
    dad: false,
    quiet: false,
    quitOnReply: false,
    unsolicited: false,
    count: -1,
    timeout: 0,
    interval: 1,
    device: undefined,
    source: undefined,
  }
  const { options, operands } = shortOptions(proc.argv, 'h?bfDUAqc:w:i:s:I:V')
  for (const found of options) {
    if (found.error !== undefined) {
      proc.stderr.write(`${found.error}\n`)
      usage()
    }
    ;(ACTIONS[found.letter] ?? usage)(opts, found.value, console, proc)
  }
  if (operands.length !== 1) usage()
  opts.target = operands[0]!
  return opts
}
