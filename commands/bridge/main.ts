/** The `bridge` tool: global options, the choice of the object, batches. See bridge(8). */
import { NETLINK_ROUTE } from '../../src/uapi/netlink.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { AF_INET, AF_INET6 } from '../../src/uapi/socket.ts'
import { matches } from '../lib/args.ts'
import { runBatch } from '../lib/batch.ts'
import { type ColorWhen, colorOption, colorScheme } from '../lib/color.ts'
import { CommandFailure, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { switchNetns } from '../lib/netns.ts'
import { createContext, defaultOptions, type ToolOptions } from '../lib/tool_context.ts'
import type { BridgeContext } from './context.ts'
import { BRIDGE_USAGE } from './help.ts'
import { OBJECTS } from './objects.ts'

const VERSION = 'bridge utility, 6.1.0\n'

interface Options extends ToolOptions {
  compressVlans: boolean
}

/** Leaves with a text on standard error, status 255. */
function leave(text: string): never {
  throw new ToolExit(text, EXIT_USAGE)
}

const FAMILIES: ReadonlyMap<string, number> = new Map([
  ['inet', AF_INET],
  ['inet6', AF_INET6],
])

/** Options before -color in the order abbreviations are tried. `value` is the next word, if there is one. */
const EARLY: readonly (readonly [string, (opts: Options, value: () => string | undefined, proc: Process) => void])[] = [
  ['-help', () => leave(BRIDGE_USAGE)],
  [
    '-Version',
    (_opts, _value, proc) => {
      proc.stdout.write(VERSION)
      throw new ToolExit('', 0)
    },
  ],
  ['-stats', opts => opts.stats++],
  ['-statistics', opts => opts.stats++],
  ['-details', opts => opts.details++],
  ['-oneline', opts => (opts.oneline = true)],
  ['-timestamp', opts => (opts.timestamp = true)],
  [
    '-family',
    (opts, value) => {
      const word = value() ?? leave(BRIDGE_USAGE)
      if (word === 'help') leave(BRIDGE_USAGE)
      opts.family = FAMILIES.get(word) ?? invarg('invalid protocol family', word)
    },
  ],
]

/** Options after -color. */
const LATE: typeof EARLY = [
  ['-compressvlans', opts => (opts.compressVlans = true)],
  ['-force', opts => (opts.force = true)],
  ['-json', opts => (opts.json = true)],
  ['-pretty', opts => (opts.pretty = true)],
  ['-batch', (opts, value) => (opts.batch = value() ?? leave(BRIDGE_USAGE))],
]

/** Switches to the namespace after -netns; a missing name is C's null pointer, printed. */
function useNetns(proc: Process, name: string | undefined): void {
  try {
    switchNetns(proc, name ?? '(null)')
  } catch (error) {
    if (error instanceof CommandFailure) leave(error.text)
    throw error
  }
}

/** Reads the options. @returns how many words they are */
function parseOptions(proc: Process, words: readonly string[], opts: Options): number {
  let pos = 0
  let color: ColorWhen | undefined
  const value = (): string | undefined => words[++pos]
  for (; pos < words.length; pos++) {
    const word = words[pos]!
    if (word === '--') {
      pos++
      break
    }
    if (!word.startsWith('-')) break
    const option = word.startsWith('--') ? word.slice(1) : word
    const early = EARLY.find(([name]) => matches(option, name))
    const wanted = colorOption(option)
    const late = LATE.find(([name]) => matches(option, name))
    if (early !== undefined) early[1](opts, value, proc)
    else if (option === '-4') opts.family = AF_INET
    else if (option === '-6') opts.family = AF_INET6
    else if (matches(option, '-netns')) useNetns(proc, value())
    else if (wanted !== undefined) color = wanted
    else if (late !== undefined) late[1](opts, value, proc)
    else leave(`Option "${option}" is unknown, try "bridge help".\n`)
  }
  opts.color = opts.json ? 'off' : colorScheme(color, proc)
  return pos
}

/** Runs one command. @returns its status; only ToolExit leaves it */
async function runCommand(ctx: BridgeContext, words: readonly string[]): Promise<number> {
  const word = words[0]!
  const entry = OBJECTS.find(({ name }) => matches(word, name))
  try {
    if (entry !== undefined) return await (await ctx.proc.loadCode(entry.load)).run(ctx, words.slice(1))
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error
    ctx.warn(error.text)
    return error.status
  }
  if (matches(word, 'help')) leave(BRIDGE_USAGE)
  ctx.warn(`Object "${word}" is unknown, try "bridge help".\n`)
  return EXIT_USAGE
}

async function bridge(proc: Process): Promise<number> {
  const opts: Options = { ...defaultOptions(), compressVlans: false }
  const words = proc.argv.slice(1)
  const used = parseOptions(proc, words, opts)
  const nl = proc.netlink(NETLINK_ROUTE)
  const context: BridgeContext = {
    ...createContext(proc, opts, nl, opts.batch !== undefined),
    compressVlans: opts.compressVlans,
  }
  if (opts.batch !== undefined) return runBatch(proc, opts.batch, opts.force, line => runCommand(context, line))
  if (used >= words.length) leave(BRIDGE_USAGE)
  return runCommand(context, words.slice(used))
}

/** The program /sbin/bridge. */
export const main: Program = async proc => {
  try {
    return await bridge(proc)
  } catch (error) {
    if (!(error instanceof ToolExit)) throw error
    proc.stderr.write(error.text)
    return error.status
  }
}
