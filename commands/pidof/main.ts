/** pidof(8): the pids of a running program, newest first. */
import { isSysError } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import { allProcesses, type ProcInfo } from '../lib/procps.ts'

const OPTIONS: readonly Option[] = [
  { key: 'single', short: 's' },
  { key: 'root', short: 'c' },
  { key: 'quiet', short: 'q' },
  { key: 'zombies', short: 'z' },
  { key: 'scripts', short: 'x' },
  { key: 'separator', short: 'd', arg: 'required' },
  { key: 'omit', short: 'o', arg: 'required' },
  { key: 'noNetwork', short: 'n' },
]

function base(path: string): string {
  return path.replace(/^.*\//, '')
}

/** @returns whether a process runs the program, by its file, its name or argv[0] */
function runs(proc: Process, info: ProcInfo, program: string): boolean {
  if (info.args.length === 0) return false
  if (program.includes('/'))
    try {
      return proc.readlink(`/proc/${info.pid}/exe`) === program
    } catch (error) {
      if (isSysError(error)) return false
      throw error
    }
  return info.comm === program.slice(0, 15) || base(info.args[0]!) === program
}

export const main: Program = proc => {
  const flags = new Set<string>()
  const omitted = new Set<string>()
  let separator = ' '
  const opts = new Getopt(proc.argv, OPTIONS)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) {
      proc.stderr.write(`${found.error}\n`)
      return 1
    }
    flags.add(found.key)
    if (found.key === 'separator') separator = found.value!
    if (found.key === 'omit')
      for (const word of found.value!.split(',')) omitted.add(word === '%PPID' ? String(proc.ppid) : word)
  }
  const everything = allProcesses(proc).reverse()
  const pids: number[] = []
  for (const program of opts.operands)
    for (const info of everything) {
      if (info.pid === proc.pid || omitted.has(String(info.pid))) continue
      if (info.state === 'Z' && !flags.has('zombies')) continue
      const script = flags.has('scripts') && info.args[1] !== undefined && base(info.args[1]) === base(program)
      if (runs(proc, info, program) || script) pids.push(info.pid)
      if (flags.has('single') && pids.length > 0) break
    }
  if (pids.length > 0 && !flags.has('quiet')) proc.stdout.write(`${pids.join(separator)}\n`)
  return pids.length > 0 ? 0 : 1
}
