/** sudo(8), as far as a machine on which everybody is root already has a use for it: runs a command as another user. */
import type { Program } from '../../src/uapi/process.ts'
import { lookupUser, userId } from '../lib/accounts.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import { execCommand } from '../lib/run.ts'

const OPTIONS: readonly Option[] = [
  { key: 'background', short: 'b', long: 'background' },
  { key: 'preserve', short: 'E', long: 'preserve-env', arg: 'none' },
  { key: 'login', short: 'i', long: 'login' },
  { key: 'nonInteractive', short: 'n', long: 'non-interactive' },
  { key: 'shell', short: 's', long: 'shell' },
  { key: 'user', short: 'u', long: 'user', arg: 'required' },
  { key: 'version', short: 'V', long: 'version' },
]

const USAGE = 'usage: sudo [-EinsV] [-u user] [VAR=value] [command [arg ...]]\n'

export const main: Program = async proc => {
  let user = 'root'
  const flags = new Set<string>()
  const opts = new Getopt(proc.argv, OPTIONS, true)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) {
      proc.stderr.write(`${found.error}\n${USAGE}`)
      return 1
    }
    flags.add(found.key)
    if (found.key === 'user') user = found.value!
  }
  if (flags.has('version')) {
    proc.stdout.write('Sudo version 1.9.13p3\n')
    return 0
  }
  const uid = user.startsWith('#') ? Number(user.slice(1)) : userId(proc, user)
  if (uid === undefined || !Number.isInteger(uid)) {
    proc.stderr.write(`sudo: unknown user ${user}\nsudo: error initializing audit plugin sudoers_audit\n`)
    return 1
  }
  const command = opts.operands
  while (/^[A-Za-z_]\w*=/.test(command[0] ?? '')) {
    const [word] = command.splice(0, 1)
    proc.env.set(word!.slice(0, word!.indexOf('=')), word!.slice(word!.indexOf('=') + 1))
  }
  if (command.length === 0) {
    if (!flags.has('shell') && !flags.has('login')) {
      proc.stderr.write(USAGE)
      return 1
    }
    command.push(proc.env.get('SHELL') ?? '/bin/bash')
  }
  proc.env.set('SUDO_COMMAND', command.join(' '))
  proc.env.set('SUDO_USER', lookupUser(proc, proc.uid) ?? String(proc.uid))
  proc.env.set('SUDO_UID', String(proc.uid))
  proc.env.set('SUDO_GID', String(proc.gid))
  if (uid !== proc.uid) {
    if (proc.uid !== 0) {
      proc.stderr.write('sudo: a password is required\n')
      return 1
    }
    proc.setuid(uid)
  }
  if (command[0]!.includes('/') || proc.which(command[0]!) !== undefined)
    return execCommand(proc, command, reason => `sudo: unable to execute ${command[0]}: ${reason}\n`)
  proc.stderr.write(`sudo: ${command[0]}: command not found\n`)
  return 1
}
