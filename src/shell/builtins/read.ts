/** read and mapfile. */
import { fromBytes } from '../../../commands/coreutils/lib/bytes.ts'
import { Errno, isSysError } from '../../uapi/errno.ts'
import { POLLIN } from '../../uapi/fs.ts'
import { toPlace } from '../parameter.ts'
import { singleQuote } from '../quote.ts'
import { readUntil } from '../read_line.ts'
import { sysMessage } from '../redirect.ts'
import type { Shell } from '../shell.ts'
import { Attr, type Place } from '../variables.ts'
import { fail, integer, options } from './usage.ts'

/** Status of a read that timed out: 128 + SIGALRM. */
const TIMED_OUT = 142

/** read [-ers] [-a array] [-d delim] [-i text] [-n nchars] [-N nchars] [-p prompt] [-t timeout] [-u fd] [name …] */
export async function read(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'ersa:d:i:n:N:p:t:u:')
  let fd = 0
  const fdText = found.value('u')
  if (fdText !== undefined) {
    const value = integer(fdText)
    if (value === undefined || value < 0) return fail(sh, 'read', `${fdText}: invalid file descriptor specification`)
    fd = value
    try {
      sh.proc.fstat(fd)
    } catch (error) {
      if (!isSysError(error)) throw error
      return fail(sh, 'read', `${fd}: invalid file descriptor: ${sysMessage(error)}`)
    }
  }
  let timeout: number | undefined
  const timeoutText = found.value('t') ?? sh.vars.get('TMOUT')
  if (timeoutText !== undefined && timeoutText !== '') {
    if (!/^\d*\.?\d*$/.test(timeoutText) || timeoutText === '.') {
      if (found.value('t') !== undefined) return fail(sh, 'read', `${timeoutText}: invalid timeout specification`)
    } else timeout = Number(timeoutText) * 1e9
  }
  if (timeout === 0 && found.value('t') !== undefined) {
    const [events] = await sh.proc.poll([{ fd, events: POLLIN }], 0)
    return (events ?? 0) !== 0 ? 0 : 1
  }
  if (found.value('t') === undefined && timeout === 0) timeout = undefined
  const exact = found.value('N')
  const countText = exact ?? found.value('n')
  const count = countText === undefined ? undefined : integer(countText)
  if (countText !== undefined && (count === undefined || count < 0))
    return fail(sh, 'read', `${countText}: invalid number`)
  const names = found.rest
  for (const name of names) {
    if ((await toPlace(sh, name)) === undefined) return fail(sh, 'read', `\`${name}': not a valid identifier`)
  }
  const prompt = found.value('p')
  if (prompt !== undefined && sh.isTerminal(fd)) await sh.errorText(prompt)
  const delimiter = found.value('d')
  let input: Awaited<ReturnType<typeof readUntil>>
  try {
    input = await readUntil(sh, fd, {
      delimiter:
        exact !== undefined ? undefined : delimiter === undefined ? '\n' : delimiter === '' ? '\0' : delimiter[0],
      ...(count === undefined ? {} : { count }),
      ...(timeout === undefined ? {} : { timeout }),
      backslash: !found.has('r'),
    })
  } catch (error) {
    if (!isSysError(error)) throw error
    return fail(sh, 'read', `read error: ${fd}: ${sysMessage(error)}`)
  }
  const status = input.end === 'timeout' ? TIMED_OUT : input.end === 'signal' ? 130 : input.end === 'eof' ? 1 : 0
  const array = found.value('a')
  if (array !== undefined) {
    const items = splitFields(input.text, input.escaped, sh.ifs, Number.POSITIVE_INFINITY)
    sh.vars.setArray(
      array,
      items.map(value => ({ value })),
      false,
    )
    return status
  }
  if (names.length === 0) {
    sh.vars.set('REPLY', input.text)
    return status
  }
  const places: Place[] = []
  for (const name of names) places.push((await toPlace(sh, name))!)
  const values = exact !== undefined ? [input.text] : splitFields(input.text, input.escaped, sh.ifs, names.length)
  places.forEach((place, i) => {
    sh.vars.setAt(place, values[i] ?? '')
  })
  return status
}

/** Splits a line at IFS as read does: the last of `max` fields takes the rest of the line. */
export function splitFields(text: string, escaped: readonly boolean[], ifs: string, max: number): string[] {
  const isDelimiter = (i: number): boolean => i < text.length && escaped[i] !== true && ifs.includes(text[i]!)
  const isBlank = (i: number): boolean => isDelimiter(i) && ' \t\n'.includes(text[i]!)
  const fields: string[] = []
  let i = 0
  while (isBlank(i)) i++
  while (i < text.length) {
    if (fields.length === max - 1) {
      let end = text.length
      while (end > i && isBlank(end - 1)) end--
      // a single delimiter after the last field goes, as it would with one more name
      let field = i
      while (field < end && !isDelimiter(field)) field++
      let after = field
      while (isBlank(after)) after++
      if (after < end && isDelimiter(after) && !isBlank(after)) after++
      while (isBlank(after)) after++
      fields.push(after >= end ? text.slice(i, field) : text.slice(i, end))
      return fields
    }
    let end = i
    while (end < text.length && !isDelimiter(end)) end++
    fields.push(text.slice(i, end))
    i = end
    while (isBlank(i)) i++
    if (isDelimiter(i)) {
      i++
      while (isBlank(i)) i++
    }
  }
  return fields
}

/** mapfile [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [-C callback] [-c quantum] [array] */
export async function mapfile(sh: Shell, words: readonly string[]): Promise<number> {
  const name = words[0]!
  const found = await options(sh, words, 'd:u:n:O:tC:c:s:')
  const number = async (letter: string, what: string, low: number): Promise<number | undefined> => {
    const text = found.value(letter)
    if (text === undefined) return undefined
    const value = integer(text)
    if (value === undefined || value < low) {
      await fail(sh, name, `${text}: ${what}`)
      return Number.NaN
    }
    return value
  }
  const fd = await number('u', 'invalid file descriptor specification', 0)
  const limit = await number('n', 'invalid line count', 0)
  const origin = await number('O', 'invalid array origin', 0)
  const skip = await number('s', 'invalid line count', 0)
  const quantum = await number('c', 'invalid callback quantum', 1)
  if ([fd, limit, origin, skip, quantum].some(value => Number.isNaN(value))) return 1
  const array = found.rest[0] ?? 'MAPFILE'
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(array)) return fail(sh, name, `\`${array}': not a valid identifier`)
  const variable = sh.vars.lookup(array)
  if (variable !== undefined && variable.attrs & Attr.Assoc) return fail(sh, name, `${array}: not an indexed array`)
  const delimiter = found.value('d')?.[0] ?? (found.value('d') === '' ? '\0' : '\n')
  const strip = found.has('t')
  const callback = found.value('C')
  if (origin === undefined) sh.vars.setArray(array, [], false)
  let index = origin ?? 0
  let lines: string[]
  const max = limit === undefined || limit === 0 ? Number.POSITIVE_INFINITY : limit + (skip ?? 0)
  try {
    lines =
      max === Number.POSITIVE_INFINITY
        ? await allLines(sh, fd ?? 0, delimiter)
        : await someLines(sh, fd ?? 0, delimiter, max)
  } catch (error) {
    if (!isSysError(error)) throw error
    return fail(sh, name, `${fd ?? 0}: invalid file descriptor: ${sysMessage(error)}`)
  }
  let count = 0
  const items: { subscript: string; value: string }[] = []
  const store = (): void => {
    if (items.length > 0) sh.vars.setArray(array, items.splice(0), true)
  }
  for (const line of lines.slice(skip ?? 0)) {
    const value = strip && line.endsWith(delimiter) ? line.slice(0, -1) : line
    count++
    if (callback !== undefined && count % (quantum ?? 5000) === 0) {
      store()
      await sh.run(`${callback} ${index} ${singleQuote(value)}`, { line: sh.line })
    }
    items.push({ subscript: String(index++), value: value.replaceAll('\0', '') })
  }
  store()
  return 0
}

async function allLines(sh: Shell, fd: number, delimiter: string): Promise<string[]> {
  let text = ''
  for (;;) {
    try {
      const data = await sh.proc.read(fd, 65_536)
      if (data.length === 0) break
      text += fromBytes(data)
    } catch (error) {
      if (!isSysError(error, Errno.EINTR)) throw error
    }
  }
  const lines: string[] = []
  let start = 0
  for (;;) {
    const end = text.indexOf(delimiter, start)
    if (end < 0) break
    lines.push(text.slice(start, end + 1))
    start = end + 1
  }
  if (start < text.length) lines.push(text.slice(start))
  return lines
}

async function someLines(sh: Shell, fd: number, delimiter: string, max: number): Promise<string[]> {
  const lines: string[] = []
  while (lines.length < max) {
    const { text, end } = await readUntil(sh, fd, { delimiter })
    if (end === 'eof') {
      if (text !== '') lines.push(text)
      break
    }
    lines.push(text + delimiter)
  }
  return lines
}
