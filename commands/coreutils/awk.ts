/** awk(1): mawk, as Debian has it. */
import type { Program } from '../../src/uapi/process.ts'
import { AwkSyntaxError, parseAwk } from './awk/parse.ts'
import { Awk, AwkError } from './awk/run.ts'
import { encode, fromBytes } from './lib/bytes.ts'
import { reason } from './lib/io.ts'

const USAGE = 'Usage: mawk [Options] [Program] [file ...]\n'

export const main: Program = async proc => {
  const words = proc.argv.slice(1)
  const fail = (message: string): number => {
    proc.stderr.write(`mawk: ${message}\n`)
    return 2
  }
  const sources: string[] = []
  const assignments: [string, string][] = []
  let separator: string | undefined
  let i = 0
  for (; i < words.length; i++) {
    const word = words[i]!
    if (word === '--') {
      i++
      break
    }
    if (!/^-./.test(word)) break
    const letter = word[1]!
    const value = (): string | undefined => (word.length > 2 ? word.slice(2) : words[++i])
    if (letter === 'f') {
      const file = value()
      if (file === undefined) return fail('option -f lacks argument')
      try {
        sources.push(file === '-' ? fromBytes(await proc.stdin.readAll()) : fromBytes(proc.readFile(file)))
      } catch (error) {
        return fail(
          `couldn't open file ${file}: ${reason(error)}`
            .replace("couldn't open file", 'cannot open')
            .replace(/: ([^:]*)$/, ' ($1)'),
        )
      }
    } else if (letter === 'F') {
      const text = value()
      if (text === undefined) return fail('option -F lacks argument')
      separator = text === 't' ? 't' : text
    } else if (letter === 'v') {
      const text = value()
      const match = /^([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/.exec(text ?? '')
      if (match === null) return fail(`improper assignment: -v ${text ?? ''}`)
      assignments.push([match[1]!, match[2]!])
    } else if (letter === 'W') {
      const option = value() ?? ''
      if (/^v(?:e(?:r.*)?)?$/.test(option)) {
        proc.stdout.write(
          'mawk 1.3.4 20200120\nCopyright 2008-2019,2020, Thomas E. Dickey\nCopyright 1991-1996,2014, Michael D. Brennan\n',
        )
        return 0
      }
    } else if (word === '--version') {
      proc.stdout.write('mawk 1.3.4 20200120\n')
      return 0
    } else return fail(`not an option: ${word}`)
  }
  let operands = words.slice(i)
  if (sources.length === 0) {
    const [text] = operands
    if (text === undefined) {
      proc.stderr.write(USAGE)
      return 2
    }
    sources.push(encode(text))
    operands = operands.slice(1)
  }
  try {
    const awk = new Awk(proc, parseAwk(sources.join('\n')), [proc.argv[0] ?? 'awk', ...operands])
    if (separator !== undefined) awk.assign('FS', encode(separator))
    for (const [name, value] of assignments) awk.assign(name, encode(value))
    return await awk.run()
  } catch (error) {
    if (error instanceof AwkSyntaxError || error instanceof AwkError) {
      await proc.stdout.flush()
      return fail(error.message)
    }
    throw error
  }
}
