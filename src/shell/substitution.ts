/** Command and process substitution. */

import { decode, fromBytes } from '../../commands/coreutils/lib/bytes.ts'
import { isSysError } from '../uapi/errno.ts'
import { O_RDONLY } from '../uapi/fs.ts'
import { runStatements } from './execute.ts'
import { expandTarget } from './expand.ts'
import { sysMessage } from './redirect.ts'
import type { Shell } from './shell.ts'
import type { ScriptNode } from './syntax.ts'
import { waitPid } from './waiting.ts'

/** Bytes read from a substitution at a time. */
const CHUNK = 65_536

/** @returns the output of commands, without the newlines at its end */
export async function commandSubstitution(sh: Shell, script: ScriptNode, _legacy: boolean): Promise<string> {
  const file = await readsFile(sh, script)
  if (file !== undefined) return trimmed(sh, file)
  const [reader, writer] = sh.proc.pipe()
  const pid = sh.forkShell(async child => {
    child.proc.close(reader)
    if (writer !== 1) {
      child.proc.dup2(writer, 1)
      child.proc.close(writer)
    }
    child.inSubstitution = true
    child.traceDepth++
    if (!child.options.has('inherit_errexit') && child.setup.posix !== true) child.options.setOption('errexit', false)
    return runStatements(child, script.statements, true)
  })
  sh.proc.close(writer)
  const chunks: string[] = []
  for (;;) {
    try {
      const data = await sh.proc.read(reader, CHUNK)
      if (data.length === 0) break
      chunks.push(fromBytes(data))
    } catch (error) {
      // a handler ran: the trap waits for the end of the command
      if (!isSysError(error) || sysMessage(error) !== 'Interrupted system call') throw error
    }
  }
  sh.proc.close(reader)
  const status = await waitPid(sh, pid)
  sh.substitutionStatus = status
  sh.lastStatus = status
  return trimmed(sh, chunks.join(''))
}

function trimmed(sh: Shell, output: string): string {
  let text = output
  if (text.includes('\0')) {
    sh.warnings.push('warning: command substitution: ignored null byte in input')
    text = text.replaceAll('\0', '')
  }
  let end = text.length
  while (end > 0 && text[end - 1] === '\n') end--
  return text.slice(0, end)
}

/** `$(< file)` reads the file without a process. */
async function readsFile(sh: Shell, script: ScriptNode): Promise<string | undefined> {
  const [statement] = script.statements
  const [pipeline] = statement?.pipelines ?? []
  const [command] = pipeline?.commands ?? []
  if (script.statements.length !== 1 || statement?.pipelines.length !== 1 || pipeline?.commands.length !== 1)
    return undefined
  if (command?.type !== 'SimpleCommand' || command.name !== null || command.assignments.length > 0) return undefined
  const [redirection] = command.redirections
  if (command.redirections.length !== 1 || redirection?.operator !== '<' || redirection.target.type !== 'Word')
    return undefined
  const name = await expandTarget(sh, redirection.target)
  if (name === undefined) return undefined
  let fd: number
  try {
    fd = sh.proc.open(decode(name), O_RDONLY)
  } catch (error) {
    if (!isSysError(error)) throw error
    await sh.report(`${name}: ${sysMessage(error)}`)
    sh.substitutionStatus = 1
    sh.lastStatus = 1
    return ''
  }
  const chunks: string[] = []
  for (;;) {
    try {
      const data = await sh.proc.read(fd, CHUNK)
      if (data.length === 0) break
      chunks.push(fromBytes(data))
    } catch (error) {
      if (!isSysError(error)) throw error
      if (sysMessage(error) !== 'Interrupted system call') break
    }
  }
  sh.proc.close(fd)
  sh.substitutionStatus = 0
  sh.lastStatus = 0
  return chunks.join('')
}

/**
 * Starts commands at the other end of a pipe.
 * @returns the name under which a command opens this end, /dev/fd/N
 */
export async function processSubstitution(
  sh: Shell,
  script: ScriptNode,
  direction: 'input' | 'output',
): Promise<string> {
  const [reader, writer] = sh.proc.pipe()
  const [mine, theirs] = direction === 'input' ? [reader, writer] : [writer, reader]
  const pid = sh.forkShell(async child => {
    child.proc.close(mine)
    child.proc.dup2(theirs, direction === 'input' ? 1 : 0)
    child.proc.close(theirs)
    child.traceDepth++
    return runStatements(child, script.statements, true)
  })
  sh.proc.close(theirs)
  // high, out of the way of descriptors that scripts number themselves
  let fd = mine
  for (let at = 63; at > 9; at--) {
    if (!sh.proc.fds().includes(at)) {
      fd = sh.proc.dup2(mine, at)
      sh.proc.close(mine)
      break
    }
  }
  sh.substitutionFds.push(fd)
  sh.lastBackgroundPid = pid
  return `/dev/fd/${fd}`
}

/** Closes the ends that process substitutions left open for the command that has now run. */
export function closeSubstitutions(sh: Shell, from: number): void {
  for (const fd of sh.substitutionFds.splice(from)) sh.closeQuietly(fd)
}
