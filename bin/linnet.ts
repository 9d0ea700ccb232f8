/** The command line of Linnet: an interactive shell, one-line commands, scripts and transcripts. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { fail, UsageError } from './errors.ts'
import { guardOutputs } from './host_output.ts'
import type { BootOptions } from './options.ts'

declare const __LINNET_VERSION__: string

/** Status of wrong use, as bash and most tools have it. */
const EX_MISUSE = 2

function integer(text: string): number {
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw new InvalidArgumentError(`it must be a whole number up to ${Number.MAX_SAFE_INTEGER}.`)
  return Number(text)
}

function seconds(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError('it must be a number of seconds above 0.')
  return Number(text)
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value]
}

/** What the machine is like: options that every way of running shares. */
function machineOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--machine <profile>', 'bare: a namespace with only lo, down; nic: with a network card eth0').choices([
        'bare',
        'nic',
      ]),
    )
    .option('--seed <number>', 'seed of all randomness; the same seed gives the same run', integer)
    .option(
      '--mount <host:dir[:rw]>',
      'show a folder of the host in the machine, read-only without :rw (may be repeated)',
      collect,
    )
    .option('--timeout <seconds>', 'stop after this much time on the wall, with status 124', seconds)
}

interface RootOptions extends BootOptions {
  c?: string
  fast?: boolean
}

interface RunOptions extends BootOptions {
  transcript?: boolean
  fast?: boolean
}

async function main(argv: readonly string[]): Promise<number> {
  let status = 0
  const program = new Command('linnet')
  program
    .description('A Linux network stack and its command-line tools in one ordinary process.')
    .version(__LINNET_VERSION__, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .enablePositionalOptions()
    .passThroughOptions()
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .argument('[args...]', 'with -c: $0, $1, … of the commands')
    .option('-c <commands>', 'run these commands in the shell and leave with their status')
    .option('--fast', 'let virtual time run free instead of in step with the wall')
  machineOptions(program).action(async (args: string[], options: RootOptions) => {
    if (options.c !== undefined) {
      const { runCommands } = await import('./run.ts')
      status = await runCommands(options.c, args, options)
      return
    }
    if (args.length > 0) throw new UsageError(`there is no command '${args[0]}' (scripts: linnet run SCRIPT)`)
    const { interactive } = await import('./interactive.ts')
    status = await interactive(options, options.fast === true)
  })
  machineOptions(
    program
      .command('run')
      .description('run a script; its exit status is that of the script')
      .argument('<script>', 'a file of the host, or - for standard input')
      .argument('[args...]', 'its arguments')
      .passThroughOptions()
      .option(
        '--transcript',
        'print each command with what it answered; `#: machine nic` in the first lines is honoured',
      )
      .option('--fast', 'let virtual time run free (scripts always do)'),
  ).action(async (script: string, args: string[], options: RunOptions) => {
    const { runScript, runTranscript } = await import('./run.ts')
    status = options.transcript === true ? await runTranscript(script, options) : await runScript(script, args, options)
  })
  program
    .command('commands')
    .description('list the commands that the machine has')
    .action(async () => {
      const { programNames } = await import('./boot.ts')
      process.stdout.write(programNames().join('\n') + '\n')
    })
  for (const command of [program, ...program.commands])
    command.exitOverride().configureOutput({ outputError: () => {} })
  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0
      throw new UsageError(error.message.replace(/^error: /, ''))
    }
    throw error
  }
  return status
}

guardOutputs()
process.on('uncaughtException', error => process.exit(fail(error, EX_MISUSE)))
main(process.argv.slice(2)).then(
  status => {
    process.exitCode = status
  },
  (error: unknown) => {
    process.exitCode = fail(error, EX_MISUSE)
  },
)
