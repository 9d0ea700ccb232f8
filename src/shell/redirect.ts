/** Redirections, bash(1) "REDIRECTION". */

import { decode, toBytes } from '../../commands/coreutils/lib/bytes.ts'
import { Errno, isSysError, type SysError, strerror } from '../uapi/errno.ts'
import { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, S_IFMT, S_IFREG } from '../uapi/fs.ts'
import { ShellError } from './control.ts'
import { expandQuoted, expandString, expandTarget } from './expand.ts'
import { wordText } from './printer.ts'
import type { Shell } from './shell.ts'
import type { HereDocNode, RedirectionNode } from './syntax.ts'

/** What redirections changed, for putting it back. */
export interface Saved {
  readonly entries: { readonly fd: number; readonly copy: number | undefined }[]
}

/** Where copies of descriptors go that are put back later. */
const SAVE_FROM = 10

/** @returns the text of a failed system call */
export function sysMessage(error: SysError): string {
  return strerror(error.errno)
}

/**
 * Performs redirections in order.
 * @param keep whether they stay (exec, a child about to run its command); then nothing is saved
 * @throws ShellError; what was already done is put back
 */
export async function redirect(sh: Shell, redirections: readonly RedirectionNode[], keep = false): Promise<Saved> {
  const saved: Saved = { entries: [] }
  try {
    for (const redirection of redirections) await perform(sh, redirection, keep ? undefined : saved)
  } catch (error) {
    restore(sh, saved)
    throw error
  }
  return saved
}

/** Puts back what `redirect` changed. */
export function restore(sh: Shell, saved: Saved): void {
  for (const { fd, copy } of saved.entries.reverse()) {
    if (copy === undefined) sh.closeQuietly(fd)
    else {
      sh.proc.dup2(copy, fd)
      sh.proc.close(copy)
      sh.savedFds.delete(copy)
    }
  }
  saved.entries.length = 0
}

/** Remembers a descriptor before it changes. */
function save(sh: Shell, fd: number, saved: Saved | undefined): void {
  if (saved === undefined || saved.entries.some(entry => entry.fd === fd)) return
  let copy: number | undefined
  try {
    copy = sh.proc.dup(fd, SAVE_FROM)
    sh.savedFds.add(copy)
  } catch (error) {
    if (!isSysError(error, Errno.EBADF)) throw error
  }
  saved.entries.push({ fd, copy })
}

async function perform(sh: Shell, redirection: RedirectionNode, saved: Saved | undefined): Promise<void> {
  const { operator, target } = redirection
  const writes =
    operator !== '<' &&
    operator !== '<<' &&
    operator !== '<<-' &&
    operator !== '<<<' &&
    operator !== '<&' &&
    operator !== '<>'
  const fd = redirection.fd ?? (writes ? 1 : 0)
  const variable = redirection.fdVariable
  if (target.type === 'HereDoc') {
    install(sh, hereDocument(sh, await hereDocText(sh, target)), fd, variable, saved)
    return
  }
  if (operator === '<<<') {
    install(sh, hereDocument(sh, `${await expandString(sh, target)}\n`), fd, variable, saved)
    return
  }
  const name = await expandTarget(sh, target)
  if (name === undefined) throw new ShellError(`${wordText(target)}: ambiguous redirect`, 1, 'command')
  switch (operator) {
    case '>&':
    case '<&':
      if (name === '-') {
        closeFd(sh, variable === undefined ? fd : numberIn(sh, variable), variable === undefined ? saved : undefined)
        return
      }
      if (/^\d+-?$/.test(name)) {
        duplicate(sh, name, fd, variable, saved)
        return
      }
      if (operator === '>&' && redirection.fd === null && variable === undefined) {
        openBoth(sh, name, O_TRUNC, saved)
        return
      }
      throw new ShellError(`${name === '' ? wordText(target) : name}: ambiguous redirect`, 1, 'command')
    case '&>':
      openBoth(sh, name, O_TRUNC, saved)
      return
    case '&>>':
      openBoth(sh, name, O_APPEND, saved)
      return
    case '<':
      install(sh, openFile(sh, name, O_RDONLY), fd, variable, saved)
      return
    case '<>':
      install(sh, openFile(sh, name, O_RDWR | O_CREAT), fd, variable, saved)
      return
    case '>>':
      install(sh, openFile(sh, name, O_WRONLY | O_CREAT | O_APPEND), fd, variable, saved)
      return
    case '>|':
      install(sh, openFile(sh, name, O_WRONLY | O_CREAT | O_TRUNC), fd, variable, saved)
      return
    default:
      install(sh, openOutput(sh, name), fd, variable, saved)
  }
}

function openBoth(sh: Shell, name: string, mode: number, saved: Saved | undefined): void {
  const opened = mode === O_TRUNC ? openOutput(sh, name) : openFile(sh, name, O_WRONLY | O_CREAT | O_APPEND)
  install(sh, opened, 1, undefined, saved)
  save(sh, 2, saved)
  sh.proc.dup2(1, 2)
}

/** `>`: under noclobber only a new file or one that is not regular. */
function openOutput(sh: Shell, name: string): number {
  if (!sh.options.on('noclobber')) return openFile(sh, name, O_WRONLY | O_CREAT | O_TRUNC)
  try {
    if ((sh.proc.stat(decode(name)).mode & S_IFMT) !== S_IFREG) return openFile(sh, name, O_WRONLY)
  } catch (error) {
    if (!isSysError(error)) throw error
    return openFile(sh, name, O_WRONLY | O_CREAT | O_EXCL)
  }
  throw new ShellError(
    sh.setup.posix === true ? `cannot create ${name}: File exists` : `${name}: cannot overwrite existing file`,
    1,
    'command',
  )
}

function openFile(sh: Shell, name: string, flags: number): number {
  try {
    return sh.proc.open(decode(name), flags, 0o666)
  } catch (error) {
    if (!isSysError(error)) throw error
    if (sh.setup.posix === true) {
      const missing = error.errno === Errno.ENOENT
      const creating = (flags & O_CREAT) !== 0
      const text = missing ? (creating ? 'Directory nonexistent' : 'No such file') : sysMessage(error)
      throw new ShellError(`cannot ${creating ? 'create' : 'open'} ${name}: ${text}`, 2, 'command')
    }
    throw new ShellError(`${name}: ${sysMessage(error)}`, 1, 'command')
  }
}

/** Gives an opened file its descriptor: the number asked for, or a free one from 10 on whose number goes to a variable. */
function install(sh: Shell, opened: number, fd: number, variable: string | undefined, saved: Saved | undefined): void {
  if (variable !== undefined) {
    const high = sh.proc.dup(opened, SAVE_FROM)
    sh.proc.close(opened)
    sh.vars.set(variable, String(high))
    return
  }
  if (opened === fd) {
    // nothing was there: it is closed again afterwards
    saved?.entries.push({ fd, copy: undefined })
    return
  }
  save(sh, fd, saved)
  sh.proc.dup2(opened, fd)
  sh.proc.close(opened)
}

function closeFd(sh: Shell, fd: number, saved: Saved | undefined): void {
  save(sh, fd, saved)
  sh.closeQuietly(fd)
}

function numberIn(sh: Shell, variable: string): number {
  const value = sh.vars.get(variable) ?? ''
  if (!/^\d+$/.test(value)) throw new ShellError(`${variable}: ambiguous redirect`, 1, 'command')
  return Number(value)
}

/** `>&N`, and `>&N-`, which closes N. */
function duplicate(sh: Shell, name: string, fd: number, variable: string | undefined, saved: Saved | undefined): void {
  const move = name.endsWith('-')
  const from = Number(move ? name.slice(0, -1) : name)
  try {
    if (variable !== undefined) {
      const high = sh.proc.dup(from, SAVE_FROM)
      sh.vars.set(variable, String(high))
    } else if (from !== fd) {
      // checked before the target is saved
      sh.proc.fstat(from)
      save(sh, fd, saved)
      sh.proc.dup2(from, fd)
    } else sh.proc.fstat(from)
  } catch (error) {
    if (!isSysError(error)) throw error
    throw new ShellError(`${from}: ${sysMessage(error)}`, sh.setup.posix === true ? 2 : 1, 'command')
  }
  if (move && from !== fd) closeFd(sh, from, saved)
}

/** @returns a descriptor from which a text can be read: of a file without a name, so that any length does */
function hereDocument(sh: Shell, text: string): number {
  const name = `/tmp/sh-thd.${sh.proc.pid}.${++sh.temporaryFiles}`
  sh.proc.writeFile(name, toBytes(text))
  const fd = sh.proc.open(name, O_RDONLY)
  sh.proc.unlink(name)
  return fd
}

async function hereDocText(sh: Shell, doc: HereDocNode): Promise<string> {
  if (!doc.stripTabs) return expandQuoted(sh, doc.content)
  // tabs at the beginning of lines go, but not those that an expansion brings
  let lineStart = true
  const parts = doc.content.parts.map(part => {
    if (part.type !== 'Literal') {
      lineStart = false
      return part
    }
    let value = part.value.replace(/\n\t+/g, '\n')
    if (lineStart) value = value.replace(/^\t+/, '')
    lineStart = value.endsWith('\n')
    return { ...part, value }
  })
  return expandQuoted(sh, { type: 'Word', parts })
}
