/** echo and printf. */
import { unescapeText } from '../../../commands/coreutils/lib/escape.ts'
import { FormatError, format } from '../../../commands/coreutils/lib/format.ts'
import { toPlace } from '../parameter.ts'
import { backslashQuote } from '../quote.ts'
import type { Shell } from '../shell.ts'
import { fail, usage } from './usage.ts'

/** echo [-neE] [arg …] */
export async function echo(sh: Shell, words: readonly string[]): Promise<number> {
  let newline = true
  let escapes = sh.options.has('xpg_echo') || sh.setup.posix === true
  let i = 1
  for (; i < words.length; i++) {
    const word = words[i]!
    if (sh.setup.posix === true ? word !== '-n' : !/^-[neE]+$/.test(word)) break
    for (const letter of word.slice(1)) {
      if (letter === 'n') newline = false
      else escapes = letter === 'e'
    }
  }
  let text = words.slice(i).join(' ')
  if (escapes) {
    const result = unescapeText(text, 'echo', sh.utf8)
    text = result.text
    if (result.stop) newline = false
  }
  await sh.write(1, newline ? `${text}\n` : text)
  return 0
}

/** printf [-v var] format [arguments] */
export async function printf(sh: Shell, words: readonly string[]): Promise<number> {
  let i = 1
  let variable: string | undefined
  for (; i < words.length; i++) {
    const word = words[i]!
    if (word === '--') {
      i++
      break
    }
    if (word.startsWith('-v')) {
      variable = word.length > 2 ? word.slice(2) : words[++i]
      if (variable === undefined) {
        await fail(sh, 'printf', '-v: option requires an argument', 2)
        return usage(sh, 'printf')
      }
      if ((await toPlace(sh, variable)) === undefined)
        return fail(sh, 'printf', `\`${variable}': not a valid identifier`, 2)
      continue
    }
    if (word.length > 1 && word.startsWith('-')) {
      await fail(sh, 'printf', `${word.slice(0, 2)}: invalid option`, 2)
      return usage(sh, 'printf')
    }
    break
  }
  if (i >= words.length) return usage(sh, 'printf')
  const complaints: string[] = []
  let text = ''
  let bad: string | undefined
  try {
    text = format(words[i]!, words.slice(i + 1), {
      complain: message => complaints.push(message),
      quote: each => backslashQuote(each, sh.utf8),
      utf8: sh.utf8,
      clock: {
        now: sh.proc.realtime(),
        start: sh.proc.realtime() - (sh.proc.monotonic() - sh.secondsStart),
        tz: sh.vars.get('TZ') ?? '',
      },
      invalid: argument => `${argument}: invalid number`,
      partial: argument => `${argument}: invalid number`,
      range: argument => `warning: ${argument}: Numerical result out of range`,
    }).text
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    bad = error.message
  }
  for (const complaint of complaints) await sh.report(`printf: ${complaint}`)
  if (bad !== undefined) return fail(sh, 'printf', bad)
  if (variable !== undefined) sh.vars.setAt((await toPlace(sh, variable))!, text.replace(/\0[\s\S]*/, ''))
  else await sh.write(1, text)
  return complaints.some(complaint => !complaint.startsWith('warning')) ? 1 : 0
}
