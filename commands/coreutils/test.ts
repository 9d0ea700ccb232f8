/** test(1), also called [ */
import type { Program } from '../../src/uapi/process.ts'
import { quote } from '../lib/coreutils.ts'
import { complain } from './lib/io.ts'
import { compareFiles, evaluateTest, fileTest, TestError } from './lib/test.ts'

/** Exit status of a wrong expression. */
const FAILURE = 2

export const main: Program = proc => {
  let args = proc.argv.slice(1)
  if (/(?:^|\/)\[$/.test(proc.argv[0] ?? '')) {
    if (args[args.length - 1] !== ']') {
      complain(proc, "missing ']'")
      return FAILURE
    }
    args = args.slice(0, -1)
  }
  try {
    const value = evaluateTest(args, {
      unaries: 'bcdefghknoprstuwxzGLNOS',
      unary: (operator, operand) =>
        operator === '-n' ? operand !== '' : operator === '-z' ? operand === '' : fileTest(proc, operator, operand),
      files: (left, operator, right) => compareFiles(proc, left, operator, right),
      integer: text => {
        if (!/^[ \t]*[+-]?\d+[ \t]*$/.test(text)) throw new TestError(`invalid integer ${quote(text)}`)
        return BigInt(text.trim().replace(/^\+/, ''))
      },
      binaryExpected: word => `${quote(word)}: binary operator expected`,
      unaryExpected: word => `${quote(word)}: unary operator expected`,
      argumentExpected: after => `missing argument after ${quote(after)}`,
      extra: word => `extra argument ${quote(word)}`,
      closeExpected: found => (found === undefined ? "')' expected" : `')' expected, found ${quote(found)}`),
    })
    return value ? 0 : 1
  } catch (error) {
    if (!(error instanceof TestError)) throw error
    complain(proc, error.message)
    return FAILURE
  }
}
