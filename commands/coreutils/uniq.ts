/** uniq(1) */
import { O_CREAT, O_TRUNC, O_WRONLY } from '../../src/uapi/fs.ts'
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { complain, LineReader, openInput, reason, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'count', short: 'c', long: 'count' },
  { key: 'repeated', short: 'd', long: 'repeated' },
  { key: 'allRepeated', short: 'D' },
  { key: 'allRepeated', long: 'all-repeated', arg: 'optional' },
  { key: 'skipFields', short: 'f', long: 'skip-fields', arg: 'required' },
  { key: 'group', long: 'group', arg: 'optional' },
  { key: 'ignoreCase', short: 'i', long: 'ignore-case' },
  { key: 'skipChars', short: 's', long: 'skip-chars', arg: 'required' },
  { key: 'unique', short: 'u', long: 'unique' },
  { key: 'checkChars', short: 'w', long: 'check-chars', arg: 'required' },
  { key: 'zero', short: 'z', long: 'zero-terminated' },
] as const

const ABOUT = {
  usage: '[OPTION]... [INPUT [OUTPUT]]',
  does: 'Filter adjacent matching lines from INPUT (or standard input), writing to OUTPUT (or standard output).',
  authors: 'Richard M. Stallman and David MacKenzie',
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const [input = '-', output, extra] = options.operands
  if (extra !== undefined) return usageError(proc, `${proc.argv[0]}: extra operand ${quote(extra)}`, 1)
  const numbers: Partial<Record<'skipFields' | 'skipChars' | 'checkChars', number>> = {}
  for (const [key, what] of [
    ['skipFields', 'fields to skip'],
    ['skipChars', 'bytes to skip'],
    ['checkChars', 'bytes to compare'],
  ] as const) {
    const text = options.value(key)
    if (text === undefined) continue
    if (!/^\d+$/.test(text)) return complain(proc, `${text}: invalid number of ${what}`)
    numbers[key] = Number(text)
  }
  const keyOf = (line: string): string => {
    let at = 0
    for (let n = numbers.skipFields ?? 0; n > 0 && at < line.length; n--) {
      while (at < line.length && /[ \t]/.test(line[at]!)) at++
      while (at < line.length && !/[ \t]/.test(line[at]!)) at++
    }
    at += numbers.skipChars ?? 0
    const text = line.slice(at, numbers.checkChars === undefined ? undefined : at + numbers.checkChars)
    return options.has('ignoreCase') ? text.toLowerCase() : text
  }
  const end = options.has('zero') ? '\0' : '\n'
  let fd: number
  try {
    fd = openInput(proc, input)
  } catch (error) {
    return complain(proc, `${input}: ${reason(error)}`)
  }
  if (output !== undefined && output !== '-') {
    try {
      const target = proc.open(output, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
      proc.dup2(target, 1)
      proc.close(target)
    } catch (error) {
      return complain(proc, `${output}: ${reason(error)}`)
    }
  }
  const writer = new Writer(proc)
  const all = options.has('allRepeated')
  const separate = options.value('allRepeated')
  const grouping = options.has('group') ? (options.value('group') ?? 'separate') : undefined
  let group: string[] = []
  let groups = 0
  const flush = (): void => {
    const [first] = group
    if (first === undefined) return
    const count = group.length
    const lines = group
    group = []
    if (grouping !== undefined) {
      if (groups > 0 || grouping === 'prepend' || grouping === 'both') writer.write(end)
      groups++
      writer.write(lines.map(line => line + end).join(''))
      return
    }
    if (all) {
      if (count < 2) return
      if ((separate === 'separate' && groups > 0) || separate === 'prepend') writer.write(end)
      groups++
      writer.write(lines.map(line => line + end).join(''))
      return
    }
    if (options.has('repeated') && count < 2) return
    if (options.has('unique') && count > 1) return
    writer.write(`${options.has('count') ? `${String(count).padStart(7)} ` : ''}${first}${end}`)
  }
  const reader = new LineReader(proc, fd, end)
  let key: string | undefined
  let kept = 0
  for (let line = await reader.next(); line !== undefined; line = await reader.next()) {
    const next = keyOf(line)
    if (next !== key) flush()
    key = next
    // only the first line and the number of the others matter, unless all are shown
    if (all || grouping !== undefined || group.length === 0) group.push(line)
    else group.length++
    kept++
    if (kept % 64 === 0) await writer.relax()
  }
  flush()
  if (groups > 0 && (grouping === 'append' || grouping === 'both')) writer.write(end)
  return 0
}
