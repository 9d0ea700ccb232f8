/**
 * Tab completion: what may stand where the cursor is. Commands, files and variables as in any shell; for the tools their
 * objects, verbs and keywords, with the names of devices, namespaces and sysctls where those are asked for.
 */
import type { Machine } from '../src/machine/machine.ts'
import type { LineEditing } from '../src/uapi/process.ts'
import type { Argument, Source, Tool, Words } from './completion/grammar.ts'
import { wordsOf } from './completion/grammar.ts'
import { type Cursor, readCursor } from './completion/line.ts'
import { TOOLS } from './completion/tools.ts'
import { type Name, ProcessWorld, type World } from './completion/world.ts'

/** Characters of a name that the shell would not take as they are. */
const SPECIAL = /[\s'"\\$`;&|<>()*?[\]#!{}]/g

/**
 * Completes a line.
 * @param line up to the cursor
 * @returns the candidates, and the end of the line that they stand for, as Node's readline wants them
 */
export function completeLine(world: World, line: string): [string[], string] {
  const cursor = readCursor(line)
  if (cursor.quote === '#') return [[], '']
  const { raw } = cursor
  const variable = cursor.quote === "'" ? null : /\$(\{?)([A-Za-z_]\w*)?$/.exec(raw)
  const names = variable === null ? candidates(world, cursor) : variableNames(world, variable[1] === '{')
  const typed = variable === null ? cursor.word : (variable[2] ?? '')
  const found = new Map<string, boolean>()
  for (const { text, open } of names)
    if (text.startsWith(typed) && text !== '') found.set(text, open === true || found.get(text) === true)
  const matches = [...found].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return [
    matches.map(([text, open]) => {
      const rest = text.slice(typed.length)
      const escaped =
        variable !== null
          ? rest
          : cursor.quote === ''
            ? rest.replace(SPECIAL, '\\$&')
            : rest.replaceAll(cursor.quote, '')
      return raw + escaped + (matches.length === 1 && !open ? `${cursor.quote} ` : '')
    }),
    raw,
  ]
}

/** Completes a line for a process of the machine, a shell, that knows names of its own. */
export function complete(machine: Machine, pid: number, line: string, editing: LineEditing): [string[], string] {
  const task = machine.processes.get(pid)
  return task === undefined ? [[], ''] : completeLine(new ProcessWorld(machine, task, editing), line)
}

function variableNames(world: World, braced: boolean): Name[] {
  const names = world.names('VARIABLE', '')
  return braced ? names.map(({ text }) => ({ text: `${text}}` })) : [...names]
}

function candidates(world: World, cursor: Cursor): readonly Name[] {
  if (cursor.redirected) return world.names('FILE', cursor.word)
  return commandWords(world, cursor.words, cursor.word)
}

/** @param words the command's words before the cursor, from its name on */
function commandWords(world: World, words: readonly string[], word: string): readonly Name[] {
  const [path, ...rest] = words
  if (path === undefined) return world.names('CMD', word)
  const name = path.slice(path.lastIndexOf('/') + 1)
  const tool = Object.hasOwn(TOOLS, name) ? TOOLS[name]! : undefined
  return tool === undefined ? world.names('FILE', word) : toolWords(world, tool, rest, word)
}

/** Completes after a tool's name. */
function toolWords(world: World, tool: Tool, before: readonly string[], word: string): readonly Name[] {
  const options = wordsOf(tool.options ?? '')
  let at = 0
  while (at < before.length && before[at]!.startsWith('-')) {
    const argument = options.keywords.get(before[at]!)
    at++
    if (argument === undefined) continue
    if (at === before.length) return argumentNames(world, argument, word)
    at++
  }
  const rest = before.slice(at)
  if (word.startsWith('-') && (rest.length === 0 || tool.objects === undefined)) return keywordNames(options)
  if (tool.objects === undefined)
    return follow(world, tool, wordsOf(tool.words ?? 'FILE FILE FILE'), rest, word, options)
  const [objectWord, verbWord, ...others] = rest
  if (objectWord === undefined) return texts(Object.keys(tool.objects))
  const object = abbreviated(tool.objects, objectWord)
  if (object === undefined) return []
  const verbs = Object.keys(object)
  if (verbWord === undefined) {
    // without a verb an object is listed: what a listing takes may follow at once
    const listing = object['show'] ?? object['list']
    return [
      ...texts(verbs),
      ...(listing === undefined || word === '' ? [] : follow(world, tool, wordsOf(listing), [], word)),
    ]
  }
  const verb = abbreviated(object, verbWord)
  if (verb !== undefined) return follow(world, tool, wordsOf(verb), others, word)
  return follow(world, tool, wordsOf(object['show'] ?? object['list'] ?? ''), rest.slice(1), word)
}

/** Completes among words whose order is free. */
function follow(
  world: World,
  tool: Tool,
  words: Words,
  before: readonly string[],
  word: string,
  options?: Words,
): readonly Name[] {
  let operand = 0
  let current = words
  let pending: Argument
  const used = new Set<string>()
  for (const [i, each] of before.entries()) {
    if (pending !== undefined) {
      const kinds: Readonly<Record<string, string>> = tool.kinds ?? {}
      if (before[i - 1] === 'type' && Object.hasOwn(kinds, each)) current = merge(words, wordsOf(kinds[each]!))
      pending = undefined
      continue
    }
    if (current.keywords.has(each) || options?.keywords.has(each) === true) {
      used.add(each)
      pending = current.keywords.get(each) ?? options?.keywords.get(each)
    } else if (current.operands[operand] === 'CMD') return commandWords(world, before.slice(i), word)
    else operand++
  }
  if (pending !== undefined) return argumentNames(world, pending, word)
  const next = current.operands[operand]
  const named = next === undefined || used.has('dev') ? [] : world.names(next, word)
  return [...named, ...keywordNames(current).filter(({ text }) => !used.has(text))]
}

function merge(a: Words, b: Words): Words {
  return { keywords: new Map([...a.keywords, ...b.keywords]), operands: a.operands }
}

function argumentNames(world: World, argument: NonNullable<Argument>, word: string): readonly Name[] {
  return typeof argument === 'string' ? world.names(argument satisfies Source, word) : texts(argument)
}

function keywordNames(words: Words): Name[] {
  return texts([...words.keywords.keys()])
}

function texts(words: readonly string[]): Name[] {
  return words.map(text => ({ text }))
}

/** @returns the entry of the first name that begins with a word */
function abbreviated<T>(entries: Readonly<Record<string, T>>, word: string): T | undefined {
  const name = Object.keys(entries).find(key => key === word) ?? Object.keys(entries).find(key => key.startsWith(word))
  return name === undefined ? undefined : entries[name]
}
