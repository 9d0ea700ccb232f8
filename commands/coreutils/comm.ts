/** comm(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { complain, LineReader, openInput, reason, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'no1', short: '1' },
  { key: 'no2', short: '2' },
  { key: 'no3', short: '3' },
  { key: 'check', long: 'check-order' },
  { key: 'nocheck', long: 'nocheck-order' },
  { key: 'delimiter', long: 'output-delimiter', arg: 'required' },
  { key: 'total', long: 'total' },
  { key: 'zero', short: 'z', long: 'zero-terminated' },
] as const

const ABOUT = {
  usage: '[OPTION]... FILE1 FILE2',
  does: 'Compare sorted files FILE1 and FILE2 line by line.',
  authors: 'Richard M. Stallman and David MacKenzie',
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const { operands } = options
  if (operands.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  if (operands.length === 1) return usageError(proc, `${proc.argv[0]}: missing operand after ${quote(operands[0]!)}`, 1)
  if (operands.length > 2) return usageError(proc, `${proc.argv[0]}: extra operand ${quote(operands[2]!)}`, 1)
  const end = options.has('zero') ? '\0' : '\n'
  const readers: LineReader[] = []
  for (const name of operands) {
    try {
      readers.push(new LineReader(proc, openInput(proc, name), end))
    } catch (error) {
      return complain(proc, `${name}: ${reason(error)}`)
    }
  }
  const delimiter = options.value('delimiter') ?? '\t'
  const show = [!options.has('no1'), !options.has('no2'), !options.has('no3')]
  const writer = new Writer(proc)
  const totals = [0, 0, 0]
  const print = (column: number, line: string): void => {
    totals[column]!++
    if (!show[column]) return
    const before = show.slice(0, column).filter(shown => shown).length
    writer.write(delimiter.repeat(before) + line + end)
  }
  const warned = [false, false]
  const previous: (string | undefined)[] = [undefined, undefined]
  let disorder = false
  const next = async (i: number): Promise<string | undefined> => {
    const line = await readers[i]!.next()
    if (
      line !== undefined &&
      previous[i] !== undefined &&
      line < previous[i]! &&
      !warned[i] &&
      !options.has('nocheck')
    ) {
      warned[i] = true
      disorder = true
      complain(proc, `file ${i + 1} is not in sorted order`)
    }
    previous[i] = line
    return line
  }
  let a = await next(0)
  let b = await next(1)
  while (a !== undefined || b !== undefined) {
    if (b === undefined || (a !== undefined && a < b)) {
      print(0, a!)
      a = await next(0)
    } else if (a === undefined || b < a) {
      print(1, b)
      b = await next(1)
    } else {
      print(2, a)
      a = await next(0)
      b = await next(1)
    }
    await writer.relax()
  }
  if (options.has('total')) writer.write(`${totals.join(delimiter)}${delimiter}total${end}`)
  if (disorder) return complain(proc, 'input is not in sorted order')
  return 0
}
