/** The `ip` tool: global options, the choice of the object, batches. See ip(8). */

import { NETLINK_ROUTE } from '../../src/uapi/netlink.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { AF_BRIDGE, AF_INET, AF_INET6, AF_MPLS, AF_PACKET } from '../../src/uapi/socket.ts'
import { matches } from '../lib/args.ts'
import { runBatch } from '../lib/batch.ts'
import { colorOption, colorScheme } from '../lib/color.ts'
import { CommandFailure, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { readFamily } from '../lib/inet.ts'
import { switchNetns } from '../lib/netns.ts'
import { atoi, getUnsigned } from '../lib/number.ts'
import { createContext, defaultOptions, type IpContext, type IpOptions } from './context.ts'
import { IP_USAGE } from './help/main.ts'
import { OBJECTS, type ObjectEntry } from './objects.ts'

const VERSION = 'ip utility, iproute2-6.1.0, libbpf 1.1.2\n'

/** What an option does; `value` takes the next word and shows the usage where there is none. */
type OptionAction = (opts: IpOptions, value: () => string, proc: Process) => void

/** Options in the order abbreviations are tried; a null pattern length means the whole word is needed. */
const OPTIONS: readonly { readonly names: readonly string[]; readonly exact?: boolean; readonly act: OptionAction }[] =
  [
    { names: ['-loops'], act: (opts, value) => (opts.maxFlushLoops = atoi(value())) },
    {
      names: ['-family'],
      act: (opts, value) => {
        const word = value()
        if (word === 'help') throw new ToolExit(IP_USAGE, EXIT_USAGE)
        opts.family = readFamily(word) ?? invarg('invalid protocol family', word)
      },
    },
    { names: ['-4'], exact: true, act: opts => (opts.family = AF_INET) },
    { names: ['-6'], exact: true, act: opts => (opts.family = AF_INET6) },
    { names: ['-0'], exact: true, act: opts => (opts.family = AF_PACKET) },
    { names: ['-M'], exact: true, act: opts => (opts.family = AF_MPLS) },
    { names: ['-B'], exact: true, act: opts => (opts.family = AF_BRIDGE) },
    { names: ['-human', '-human-readable'], act: opts => (opts.human = true) },
    { names: ['-iec'], act: opts => (opts.iec = true) },
    { names: ['-stats', '-statistics'], act: opts => opts.stats++ },
    { names: ['-details'], act: opts => opts.details++ },
    { names: ['-resolve'], act: opts => (opts.resolve = true) },
    { names: ['-oneline'], act: opts => (opts.oneline = true) },
    { names: ['-timestamp'], act: opts => (opts.timestamp = true) },
    {
      names: ['-tshort'],
      act: opts => {
        opts.timestamp = true
        opts.timestampShort = true
      },
    },
    {
      names: ['-Version'],
      act: (_opts, _value, proc) => {
        proc.stdout.write(VERSION)
        throw new ToolExit('', 0)
      },
    },
    { names: ['-force'], act: opts => (opts.force = true) },
    { names: ['-batch'], act: (opts, value) => (opts.batch = value()) },
    { names: ['-brief'], act: opts => (opts.brief = true) },
    { names: ['-json'], act: opts => (opts.json = true) },
    { names: ['-pretty'], act: opts => (opts.pretty = true) },
    {
      names: ['-rcvbuf'],
      act: (opts, value) => {
        const word = value()
        const size = getUnsigned(word)
        if (size === undefined) throw new ToolExit(`Invalid rcvbuf size '${word}'\n`, EXIT_USAGE)
        opts.rcvbuf = size
      },
    },
  ]

/** Options that come after -color in the order of abbreviations. */
const LATE_OPTIONS: typeof OPTIONS = [
  {
    names: ['-help'],
    act: () => {
      throw new ToolExit(IP_USAGE, EXIT_USAGE)
    },
  },
  { names: ['-netns'], act: () => undefined },
  { names: ['-Numeric'], act: opts => (opts.numeric = true) },
  { names: ['-all'], act: opts => (opts.all = true) },
]

/** Reads the options. @returns how many words they are */
function parseOptions(proc: Process, words: readonly string[], opts: IpOptions): number {
  let pos = 0
  let color: ReturnType<typeof colorOption>
  let wanted: ReturnType<typeof colorOption>
  const value = (): string => {
    const word = words[++pos]
    if (word === undefined) throw new ToolExit(IP_USAGE, EXIT_USAGE)
    return word
  }
  for (; pos < words.length; pos++) {
    const word = words[pos]!
    if (word === '--') {
      pos++
      break
    }
    if (!word.startsWith('-')) break
    const option = word.startsWith('--') ? word.slice(1) : word
    const fits = (entry: (typeof OPTIONS)[number]): boolean =>
      entry.names.some(name => (entry.exact === true ? option === name : matches(option, name)))
    const early = OPTIONS.find(fits)
    if (early !== undefined) {
      early.act(opts, value, proc)
      continue
    }
    if ((wanted = colorOption(option)) !== undefined) {
      color = wanted
      continue
    }
    const late = LATE_OPTIONS.find(fits)
    if (late === undefined) throw new ToolExit(`Option "${option}" is unknown, try "ip -help".\n`, EXIT_USAGE)
    if (late.names[0] !== '-netns') {
      late.act(opts, value, proc)
      continue
    }
    try {
      // a missing name is C's null pointer, printed
      switchNetns(proc, words[++pos] ?? '(null)')
    } catch (error) {
      if (error instanceof CommandFailure) throw new ToolExit(error.text, EXIT_USAGE)
      throw error
    }
  }
  opts.color = opts.json ? 'off' : colorScheme(color, proc)
  return pos
}

/** @returns the object a word names or abbreviates */
function findObject(word: string): ObjectEntry | undefined {
  return OBJECTS.find(entry => matches(word, entry.name))
}

/** Runs one command. @returns its status; only ToolExit leaves it */
async function runCommand(ctx: IpContext, words: readonly string[]): Promise<number> {
  const entry = findObject(words[0]!)
  if (entry === undefined) {
    ctx.warn(`Object "${words[0]}" is unknown, try "ip help".\n`)
    return 1
  }
  try {
    const { run } = await ctx.proc.loadCode(entry.load)
    return await run(ctx, words.slice(1))
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error
    ctx.warn(error.text)
    return error.status
  }
}

async function ip(proc: Process): Promise<number> {
  const opts = defaultOptions()
  const words = proc.argv.slice(1)
  const used = parseOptions(proc, words, opts)
  const nl = proc.netlink(NETLINK_ROUTE)
  if (opts.batch !== undefined) {
    const ctx = createContext(proc, opts, nl, true)
    const { family } = opts
    return runBatch(proc, opts.batch, opts.force, line => {
      opts.family = family
      return runCommand(ctx, line)
    })
  }
  const ctx = createContext(proc, opts, nl, false)
  const basename = (proc.argv[0] ?? '').replace(/^.*\//, '')
  const byName = basename.length > 2 ? findObject(basename.slice(2)) : undefined
  if (byName !== undefined) return runCommand(ctx, [byName.name, ...words.slice(used)])
  if (used < words.length) return runCommand(ctx, words.slice(used))
  throw new ToolExit(IP_USAGE, EXIT_USAGE)
}

/** The program /sbin/ip. */
export const main: Program = async proc => {
  try {
    return await ip(proc)
  } catch (error) {
    if (!(error instanceof ToolExit)) throw error
    proc.stderr.write(error.text)
    return error.status
  }
}
