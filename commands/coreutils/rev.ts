/** rev(1) */
import type { Program } from '../../src/uapi/process.ts'
import { eachLine } from './lib/filter.ts'
import { Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const ABOUT = {
  usage: '[options] [<file> ...]',
  does: 'Reverse lines characterwise.',
  authors: 'the util-linux authors',
}

export const main: Program = proc => {
  const options = readOptions(proc, [], ABOUT)
  if (typeof options === 'number') return options
  const writer = new Writer(proc)
  return eachLine(proc, options.operands, writer, (line, terminated) => {
    writer.write([...line].reverse().join('') + (terminated ? '\n' : ''))
  })
}
