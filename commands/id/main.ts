/** id(1) */
import type { Process, Program } from '../../src/uapi/process.ts'
import { lookupGroup, lookupUser } from '../lib/accounts.ts'
import { COMMON_OPTIONS, complain, helpTail, quote, usageError, versionText } from '../lib/coreutils.ts'
import { Getopt } from '../lib/getopt.ts'

const HELP = `Usage: id [OPTION]... [USER]...
Print user and group information for each specified USER,
or (when USER omitted) for the current process.

  -a             ignore, for compatibility with other versions
  -Z, --context  print only the security context of the process
  -g, --group    print only the effective group ID
  -G, --groups   print all group IDs
  -n, --name     print a name instead of a number, for -ugG
  -r, --real     print the real ID instead of the effective ID, with -ugG
  -u, --user     print only the effective user ID
  -z, --zero     delimit entries with NUL characters, not whitespace;
                   not permitted in default format
      --help        display this help and exit
      --version     output version information and exit

Without any OPTION, print some useful set of identified information.
${helpTail('id')}`

const OPTIONS = [
  ...COMMON_OPTIONS,
  { key: 'a', short: 'a' },
  { key: 'context', short: 'Z', long: 'context' },
  { key: 'group', short: 'g', long: 'group' },
  { key: 'groups', short: 'G', long: 'groups' },
  { key: 'name', short: 'n', long: 'name' },
  { key: 'real', short: 'r', long: 'real' },
  { key: 'user', short: 'u', long: 'user' },
  { key: 'zero', short: 'z', long: 'zero' },
] as const

/** A user: numbers, and all groups with the first in front. */
interface User {
  readonly uid: number
  readonly groups: readonly number[]
}

/** @returns the fields of each line of an account file */
function records(proc: Process, path: string): string[][] {
  const text = new TextDecoder().decode(proc.readFile(path))
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => line.split(':'))
}

/** @returns the user of a name, or of a number (`+0` always is one); undefined where there is none */
function findUser(proc: Process, word: string): User | undefined {
  const users = records(proc, '/etc/passwd')
  let fields = word.startsWith('+') ? undefined : users.find(user => user[0] === word)
  if (fields === undefined && /^\+?\d+$/.test(word)) fields = users.find(user => user[2] === String(Number(word)))
  if (fields === undefined) return undefined
  const gid = Number(fields[3])
  const others = records(proc, '/etc/group')
    .filter(group => group[3]?.split(',').includes(fields[0]!) === true)
    .map(group => Number(group[2]))
  return { uid: Number(fields[2]), groups: [gid, ...others.filter(other => other !== gid)] }
}

/** A number with its name in brackets, if it has one. */
function named(number: number, name: string | undefined): string {
  return name === undefined ? String(number) : `${number}(${name})`
}

export const main: Program = proc => {
  const opts = new Getopt(proc.argv, OPTIONS)
  const given = new Set<string>()
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return usageError(proc, found.error, 1)
    if (found.key === 'help' || found.key === 'version') {
      proc.stdout.write(found.key === 'help' ? HELP : versionText('id', 'Arnold Robbins and David MacKenzie'))
      return 0
    }
    if (found.key === 'context') return complain(proc, '--context (-Z) works only on an SELinux-enabled kernel', 1)
    given.add(found.key)
  }
  const kinds = ['user', 'group', 'groups'].filter(kind => given.has(kind))
  if (kinds.length > 1) return complain(proc, 'cannot print "only" of more than one choice', 1)
  const kind = kinds[0]
  if (kind === undefined && (given.has('real') || given.has('name')))
    return complain(proc, 'cannot print only names or real IDs in default format', 1)
  if (kind === undefined && given.has('zero')) return complain(proc, 'option --zero not permitted in default format', 1)
  let status = 0
  const users: User[] = []
  if (opts.operands.length === 0) users.push({ uid: proc.uid, groups: [proc.gid] })
  for (const word of opts.operands) {
    const user = findUser(proc, word)
    if (user !== undefined) users.push(user)
    else status = complain(proc, `${quote(word)}: no such user${word === '' ? ': No such file or directory' : ''}`, 1)
  }
  const names = given.has('name')
  const end = given.has('zero') ? '\0' : '\n'
  const groupText = (gid: number): string => (names ? lookupGroup(proc, gid) : undefined) ?? String(gid)
  for (const user of users) {
    const [gid = 0] = user.groups
    let text: string
    if (kind === 'user') text = (names ? lookupUser(proc, user.uid) : undefined) ?? String(user.uid)
    else if (kind === 'group') text = groupText(gid)
    else if (kind === 'groups') text = user.groups.map(groupText).join(given.has('zero') ? '\0' : ' ')
    else
      text = `uid=${named(user.uid, lookupUser(proc, user.uid))} gid=${named(gid, lookupGroup(proc, gid))} groups=${user.groups
        .map(group => named(group, lookupGroup(proc, group)))
        .join(',')}`
    proc.stdout.write(text + end)
  }
  return status
}
