/** The interactive loop: prompts, lines from the terminal, history. The editing of lines is the terminal's. */

import { decode, fromBytes } from '../../commands/coreutils/lib/bytes.ts'
import { Errno, isSysError } from '../uapi/errno.ts'
import type { LineEditing } from '../uapi/process.ts'
import { DiscardJump } from './control.ts'
import { Incomplete, ShellSyntaxError } from './lexer.ts'
import { promptString } from './prompt.ts'
import { readUnit } from './reader.ts'
import type { Shell } from './shell.ts'
import { notify, reap } from './waiting.ts'

/** Runs an interactive shell until its input ends or it exits. @returns its status */
export async function runInteractive(sh: Shell): Promise<number> {
  for (;;) {
    await reap(sh)
    await notify(sh)
    sh.traps.interrupted = false
    const command = sh.vars.elements('PROMPT_COMMAND')
    for (const each of command?.values ?? []) {
      const { lastStatus } = sh
      await sh.run(each)
      sh.lastStatus = lastStatus
    }
    const text = await readCommand(sh)
    if (text === 'interrupted') continue
    if (text === undefined) {
      await sh.errorText(sh.options.has('login_shell') ? 'logout\n' : 'exit\n')
      return sh.lastStatus
    }
    await runCommandText(sh, text)
  }
}

async function runCommandText(sh: Shell, text: string): Promise<void> {
  try {
    await sh.run(text)
  } catch (error) {
    if (!(error instanceof DiscardJump)) throw error
    sh.lastStatus = error.status
  }
}

/** Reads lines until they make a complete command. @returns undefined at the end of the input */
async function readCommand(sh: Shell): Promise<string | undefined | 'interrupted'> {
  let text = ''
  for (;;) {
    await sh.errorText(await promptString(sh, sh.vars.get(text === '' ? 'PS1' : 'PS2') ?? ''))
    const line = await terminalLine(sh)
    if (line === 'interrupted') {
      await sh.errorText('\n')
      sh.lastStatus = 130
      return line
    }
    if (line === undefined) {
      if (text === '') return undefined
      return text
    }
    const expanded = await historyExpansion(sh, line)
    if (expanded === undefined) return 'interrupted'
    text += expanded
    try {
      let pos = 0
      for (;;) {
        const unit = readUnit(text, pos, {
          final: false,
          extglob: sh.options.extglob,
          ...(sh.options.has('expand_aliases') ? { aliases: sh.aliases } : {}),
        })
        if (unit === undefined) break
        // aliases lengthen the text that positions refer to: one command a line is what people type
        if (sh.options.has('expand_aliases') && sh.aliases.size > 0) break
        pos = unit.end
      }
    } catch (error) {
      if (error instanceof Incomplete) continue
      if (!(error instanceof ShellSyntaxError)) throw error
    }
    const entry = text.replace(/\n+$/, '')
    if (entry.trim() !== '' && sh.options.on('history')) remember(sh, entry)
    return text
  }
}

/** Adds to the history, as HISTCONTROL says. */
function remember(sh: Shell, entry: string): void {
  const control = (sh.vars.get('HISTCONTROL') ?? '').split(':')
  if ((control.includes('ignorespace') || control.includes('ignoreboth')) && entry.startsWith(' ')) return
  if ((control.includes('ignoredups') || control.includes('ignoreboth')) && sh.history[sh.history.length - 1] === entry)
    return
  sh.history.push(entry)
}

/** What the shell can tell about names while its user types. */
function editing(sh: Shell): LineEditing {
  return {
    names: kind => (kind === 'variable' ? sh.vars.names() : [...sh.aliases.keys(), ...sh.functions.keys()]).map(decode),
  }
}

/** Reads a line from the terminal. */
async function terminalLine(sh: Shell): Promise<string | undefined | 'interrupted'> {
  let text = ''
  for (;;) {
    try {
      const data = await sh.proc.editLine(0, editing(sh))
      if (data.length === 0) return text === '' ? undefined : text
      text += fromBytes(data)
      if (text.endsWith('\n')) return text
    } catch (error) {
      if (isSysError(error, Errno.EIO)) return undefined
      if (!isSysError(error, Errno.EINTR)) throw error
      if (sh.traps.interrupted) {
        sh.traps.interrupted = false
        return 'interrupted'
      }
      await sh.traps.runPending(sh)
    }
  }
}

/** `!!`, `!n`, `!-n`, `!text`, `!$`: shown, then run. @returns undefined where there is no such event */
async function historyExpansion(sh: Shell, line: string): Promise<string | undefined> {
  if (!sh.options.on('histexpand') || !line.includes('!')) return line
  let quote = ''
  let out = ''
  let changed = false
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!
    if (c === '\\' && quote !== "'") {
      out += c + (line[++i] ?? '')
      continue
    }
    if ((c === "'" || c === '"') && (quote === '' || quote === c)) quote = quote === '' ? c : ''
    const next = line[i + 1] ?? ''
    if (c !== '!' || quote === "'" || /^[\s=("]?$/.test(next)) {
      out += c
      continue
    }
    const match = /^!(?:!|\$|-?\d+|\?[^?\n]+\??|[A-Za-z_./-][^\s;|&"']*)/.exec(line.slice(i))
    if (match === null) {
      out += c
      continue
    }
    const event = match[0].slice(1)
    const found = eventText(sh, event)
    if (found === undefined) {
      await sh.errorText(`bash: ${match[0]}: event not found\n`)
      return undefined
    }
    out += found
    changed = true
    i += match[0].length - 1
  }
  if (changed) await sh.errorText(out)
  return out
}

function eventText(sh: Shell, event: string): string | undefined {
  const { history } = sh
  const last = history[history.length - 1]
  if (event === '!') return last
  if (event === '$') return last?.trim().split(/\s+/).pop()
  if (/^-?\d+$/.test(event)) {
    const n = Number(event)
    return n < 0 ? history[history.length + n] : history[n - 1]
  }
  if (event.startsWith('?')) return history.findLast(entry => entry.includes(event.replace(/^\?|\?$/g, '')))
  return history.findLast(entry => entry.startsWith(event))
}
