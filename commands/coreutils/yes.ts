/** yes(1) */
import type { Program } from '../../src/uapi/process.ts'
import { readOptions } from './lib/options.ts'

const ABOUT = {
  usage: '[STRING]...',
  does: "Repeatedly output a line with all specified STRING(s), or 'y'.",
  authors: 'David MacKenzie',
}

export const main: Program = async proc => {
  const options = readOptions(proc, [], ABOUT)
  if (typeof options === 'number') return options
  const line = `${options.operands.length === 0 ? 'y' : options.operands.join(' ')}\n`
  const block = new TextEncoder().encode(line.repeat(Math.max(1, Math.floor(8192 / line.length))))
  for (;;) await proc.write(1, block)
}
