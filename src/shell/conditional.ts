/** [[ … ]]. The primaries are shared with `test`. */
import { decode, hasHighBytes } from '../../commands/coreutils/lib/bytes.ts'
import { toJsRegex } from '../../commands/coreutils/lib/regex.ts'
import { compareFiles } from '../../commands/coreutils/lib/test.ts'
import { ShellError } from './control.ts'
import { trace } from './execute.ts'
import { arithmetic, expandPattern, expandRegex, expandString } from './expand.ts'
import { matches } from './pattern.ts'
import { wordText } from './printer.ts'
import type { Shell } from './shell.ts'
import type { ConditionalNode } from './syntax.ts'
import { unaryTest } from './tests.ts'

/** Evaluates a conditional expression. @throws ShellError */
export async function conditional(sh: Shell, node: ConditionalNode): Promise<boolean> {
  switch (node.type) {
    case 'CondAnd':
      return (await conditional(sh, node.left)) && (await conditional(sh, node.right))
    case 'CondOr':
      return (await conditional(sh, node.left)) || (await conditional(sh, node.right))
    case 'CondNot':
      return !(await conditional(sh, node.operand))
    case 'CondGroup':
      return conditional(sh, node.expression)
    case 'CondWord': {
      const text = await expandString(sh, node.word)
      if (sh.options.xtrace) await trace(sh, `[[ -n ${shown(text)} ]]`)
      return text !== ''
    }
    case 'CondUnary': {
      if (node.operator === '-v' || node.operator === '-R') {
        const name = wordText(node.operand)
        const text = /[$`"'\\]/.test(name) && !name.includes('[') ? await expandString(sh, node.operand) : name
        if (sh.options.xtrace) await trace(sh, `[[ ${node.operator} ${shown(text)} ]]`)
        return unaryTest(sh, node.operator, text)
      }
      const text = await expandString(sh, node.operand)
      if (sh.options.xtrace) await trace(sh, `[[ ${node.operator} ${shown(text)} ]]`)
      return unaryTest(sh, node.operator, text)
    }
    case 'CondBinary':
      return binary(sh, node)
  }
}

function shown(text: string): string {
  return text === '' ? "''" : text
}

async function binary(sh: Shell, node: Extract<ConditionalNode, { type: 'CondBinary' }>): Promise<boolean> {
  const left = await expandString(sh, node.left)
  const options = { extglob: true, ignoreCase: sh.options.has('nocasematch') }
  switch (node.operator) {
    case '=':
    case '==':
    case '!=': {
      const pattern = await expandPattern(sh, node.right)
      if (sh.options.xtrace) await trace(sh, `[[ ${shown(left)} ${node.operator} ${shown(pattern)} ]]`)
      const wide = sh.utf8 && (hasHighBytes(left) || hasHighBytes(pattern))
      const equal = wide ? matches(decode(pattern), decode(left), options) : matches(pattern, left, options)
      return equal === (node.operator !== '!=')
    }
    case '=~':
      return regexMatch(sh, left, await expandRegex(sh, node.right))
  }
  const right = await expandString(sh, node.right)
  if (sh.options.xtrace) await trace(sh, `[[ ${shown(left)} ${node.operator} ${shown(right)} ]]`)
  switch (node.operator) {
    case '<':
      return left < right
    case '>':
      return left > right
    case '-nt':
    case '-ot':
    case '-ef':
      return compareFiles(sh.proc, decode(left), node.operator, decode(right))
  }
  let a: bigint
  let b: bigint
  try {
    a = await arithmetic(sh, left)
    b = await arithmetic(sh, right)
  } catch (error) {
    if (error instanceof ShellError && error.severity !== 'shell')
      throw new ShellError(`[[: ${error.message}`, 1, 'command')
    throw error
  }
  switch (node.operator) {
    case '-eq':
      return a === b
    case '-ne':
      return a !== b
    case '-lt':
      return a < b
    case '-le':
      return a <= b
    case '-gt':
      return a > b
    default:
      return a >= b
  }
}

/** =~ and BASH_REMATCH. A bad expression gives status 2. */
async function regexMatch(sh: Shell, text: string, pattern: string): Promise<boolean> {
  if (sh.options.xtrace) await trace(sh, `[[ ${shown(text)} =~ ${shown(pattern)} ]]`)
  let regex: RegExp
  try {
    regex = toJsRegex(pattern, sh.options.has('nocasematch'))
  } catch (error) {
    if (error instanceof SyntaxError) throw new ShellError('', 2, 'command')
    throw error
  }
  const match = regex.exec(text)
  sh.vars.assign('BASH_REMATCH', match === null ? [] : match.map(group => group ?? ''))
  return match !== null
}
