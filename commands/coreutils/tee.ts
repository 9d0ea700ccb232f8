/** tee(1) */
import { O_APPEND, O_CREAT, O_TRUNC, O_WRONLY } from '../../src/uapi/fs.ts'
import type { Program } from '../../src/uapi/process.ts'
import { Signal } from '../../src/uapi/signal.ts'
import { complain, reason } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'append', short: 'a', long: 'append' },
  { key: 'ignore', short: 'i', long: 'ignore-interrupts' },
  { key: 'p', short: 'p' },
  { key: 'outputError', long: 'output-error', arg: 'optional' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Copy standard input to each FILE, and also to standard output.',
  authors: 'Mike Parker, Richard M. Stallman, and David MacKenzie',
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  if (options.has('ignore')) proc.signal(Signal.SIGINT, 'ignore')
  if (options.has('p') || options.has('outputError')) proc.signal(Signal.SIGPIPE, 'ignore')
  const outputs = new Map<number, string>([[1, 'standard output']])
  let status = 0
  for (const name of options.operands) {
    try {
      outputs.set(proc.open(name, O_WRONLY | O_CREAT | (options.has('append') ? O_APPEND : O_TRUNC), 0o666), name)
    } catch (error) {
      status = complain(proc, `${name}: ${reason(error)}`)
    }
  }
  for (;;) {
    let data: Uint8Array
    try {
      data = await proc.read(0, 65_536)
    } catch (error) {
      return complain(proc, `read error: ${reason(error)}`)
    }
    if (data.length === 0) return status
    for (const [fd, name] of outputs) {
      try {
        await proc.write(fd, data)
      } catch (error) {
        status = complain(proc, `${name.includes(' ') ? `'${name}'` : name}: ${reason(error)}`)
        outputs.delete(fd)
      }
    }
  }
}
