/** echo(1) */
import type { Program } from '../../src/uapi/process.ts'
import { encode } from './lib/bytes.ts'
import { unescapeText } from './lib/escape.ts'
import { Writer } from './lib/io.ts'

export const main: Program = proc => {
  let newline = true
  let escapes = false
  let i = 1
  for (; i < proc.argv.length && /^-[neE]+$/.test(proc.argv[i]!); i++) {
    for (const letter of proc.argv[i]!.slice(1)) {
      if (letter === 'n') newline = false
      else escapes = letter === 'e'
    }
  }
  let text = encode(proc.argv.slice(i).join(' '))
  if (escapes) {
    const result = unescapeText(text, 'echo', false)
    text = result.text
    if (result.stop) newline = false
  }
  new Writer(proc).write(text + (newline ? '\n' : ''))
  return 0
}
