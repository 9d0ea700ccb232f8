/** Prompts: the backslash escapes of bash(1) "PROMPTING", then the expansions of double quotes. */
import { encode } from '../../commands/coreutils/lib/bytes.ts'
import { strftime } from '../../commands/coreutils/lib/strftime.ts'
import { expandText } from './expand.ts'
import type { Shell } from './shell.ts'

/** Interprets the backslash escapes of a prompt. */
export function expandPrompt(sh: Shell, text: string): string {
  let out = ''
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (c !== '\\' || i + 1 >= text.length) {
      out += c
      continue
    }
    const e = text[++i]!
    switch (e) {
      case 'a':
        out += '\x07'
        break
      case 'd':
        out += time(sh, '%a %b %d')
        break
      case 'D': {
        const end = text.indexOf('}', i)
        if (text[i + 1] === '{' && end > 0) {
          const format = text.slice(i + 2, end)
          out += time(sh, format === '' ? '%X' : format)
          i = end
        } else out += '\\D'
        break
      }
      case 'e':
        out += '\x1b'
        break
      case 'h':
        out += hostname(sh).split('.')[0]!
        break
      case 'H':
        out += hostname(sh)
        break
      case 'j':
        out += String(sh.jobs.jobs.length)
        break
      case 'l':
        out += sh.terminal === undefined ? 'bash' : 'pts/0'
        break
      case 'n':
        out += '\n'
        break
      case 'r':
        out += '\r'
        break
      case 's':
        out += sh.name0.replace(/^-/, '').replace(/^.*\//, '')
        break
      case 't':
        out += time(sh, '%H:%M:%S')
        break
      case 'T':
        out += time(sh, '%I:%M:%S')
        break
      case '@':
        out += time(sh, '%I:%M %p')
        break
      case 'A':
        out += time(sh, '%H:%M')
        break
      case 'u':
        out += sh.passwd().find(entry => entry[2] === String(sh.proc.uid))?.[0] ?? 'I have no name!'
        break
      case 'v':
        out += '5.2'
        break
      case 'V':
        out += '5.2.15'
        break
      case 'w':
      case 'W':
        out += escapeExpansion(directory(sh, e === 'W'))
        break
      case '!':
      case '#':
        out += String(sh.history.length + 1)
        break
      case '$':
        out += sh.proc.uid === 0 ? '#' : '$'
        break
      case '[':
      case ']':
        break
      case '\\':
        out += '\\'
        break
      default: {
        const digits = /^[0-7]{1,3}/.exec(text.slice(i))?.[0]
        if (digits !== undefined) {
          out += String.fromCharCode(Number.parseInt(digits, 8) & 0xff)
          i += digits.length - 1
        } else out += `\\${e}`
      }
    }
  }
  return out
}

/** A directory's name is shown as it is, not expanded again. */
function escapeExpansion(text: string): string {
  return text.replace(/[\\$`"]/g, '\\$&')
}

function hostname(sh: Shell): string {
  return encode(sh.proc.gethostname())
}

function time(sh: Shell, format: string): string {
  return strftime(format, sh.proc.realtime(), sh.vars.get('TZ') ?? '')
}

function directory(sh: Shell, base: boolean): string {
  const home = sh.vars.get('HOME')
  const pwd = sh.vars.get('PWD') ?? sh.pwd
  if (home !== undefined && home !== '' && (pwd === home || (pwd.startsWith(`${home}/`) && !base))) {
    return `~${pwd.slice(home.length)}`
  }
  return base && pwd !== '/' ? pwd.slice(pwd.lastIndexOf('/') + 1) : pwd
}

/** @returns a prompt variable as it is shown */
export async function promptString(sh: Shell, text: string): Promise<string> {
  const decoded = expandPrompt(sh, text)
  return sh.options.has('promptvars') ? expandText(sh, decoded) : decoded
}
