/** which(1), as Debian has it. */
import { isSysError } from '../../src/uapi/errno.ts'
import { S_IFMT, S_IFREG } from '../../src/uapi/fs.ts'
import type { Process, Program } from '../../src/uapi/process.ts'

function executable(proc: Process, path: string): boolean {
  try {
    return (proc.stat(path).mode & S_IFMT) === S_IFREG && proc.access(path, 1)
  } catch (error) {
    if (isSysError(error)) return false
    throw error
  }
}

export const main: Program = proc => {
  let all = false
  let silent = false
  let i = 1
  for (; i < proc.argv.length && /^-./.test(proc.argv[i]!); i++) {
    if (proc.argv[i] === '--') {
      i++
      break
    }
    for (const letter of proc.argv[i]!.slice(1)) {
      if (letter === 'a') all = true
      else if (letter === 's') silent = true
      else {
        proc.stderr.write(`Illegal option -${letter}\n`)
        proc.stdout.write(`Usage: ${proc.argv[0]} [-as] args\n`)
        return 2
      }
    }
  }
  const names = proc.argv.slice(i)
  if (names.length === 0) return 1
  let status = 0
  for (const name of names) {
    const dirs = (proc.env.get('PATH') ?? '').split(':')
    const candidates = name.includes('/') ? [name] : dirs.map(dir => `${dir === '' ? '.' : dir}/${name}`)
    const found = candidates.filter(path => executable(proc, path))
    if (found.length === 0) status = 1
    if (!silent) for (const path of all ? found : found.slice(0, 1)) proc.stdout.write(`${path}\n`)
  }
  return status
}
