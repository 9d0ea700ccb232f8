/** groups(1): the names of a user's groups. */
import type { Program } from '../../src/uapi/process.ts'
import { lookupGroup, lookupUser } from '../lib/accounts.ts'
import { COMMON_OPTIONS, complain, helpTail, onlyCommonOptions, quote, versionText } from '../lib/coreutils.ts'
import { Getopt } from '../lib/getopt.ts'

const HELP = `Usage: groups [OPTION]... [USERNAME]...
Print group memberships for each USERNAME or, if no USERNAME is specified, for
the current process (which may differ if the groups database has changed).
      --help        display this help and exit
      --version     output version information and exit
${helpTail('groups')}`

export const main: Program = proc => {
  const opts = new Getopt(proc.argv, COMMON_OPTIONS)
  const ended = onlyCommonOptions(
    proc,
    opts,
    { help: HELP, version: versionText('groups', 'David MacKenzie and James Youngman') },
    1,
  )
  if (ended !== undefined) return ended
  const name = (gid: number): string => lookupGroup(proc, gid) ?? String(gid)
  if (opts.operands.length === 0) {
    proc.stdout.write(`${name(proc.gid)}\n`)
    return 0
  }
  let status = 0
  const users = new TextDecoder().decode(proc.readFile('/etc/passwd')).split('\n')
  for (const word of opts.operands) {
    const fields = users.map(line => line.split(':')).find(user => user[0] === word)
    if (fields === undefined) status = complain(proc, `${quote(word)}: no such user`, 1)
    else proc.stdout.write(`${lookupUser(proc, Number(fields[2])) ?? word} : ${name(Number(fields[3]))}\n`)
  }
  return status
}
