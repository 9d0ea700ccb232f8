/** Copying files and trees, for cp, mv and install. */
import {
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  type Stat,
} from '../../../src/uapi/fs.ts'
import type { Process } from '../../../src/uapi/process.ts'
import { quote } from '../../lib/coreutils.ts'
import { confirm, isDirectory, isLink, statOf, within } from './files.ts'
import { complain, reason } from './io.ts'

export interface CopyOptions {
  readonly recursive: boolean
  /** links are copied as links: never, only below the operands, always */
  readonly follow: 'all' | 'command' | 'none'
  readonly preserve: boolean
  readonly force: boolean
  readonly interactive: boolean
  readonly noClobber: boolean
  readonly update: boolean
  readonly verbose: boolean
  readonly symbolic: boolean
  readonly hard: boolean
}

/** Copies `from` to the name `to`. @returns whether all went well; what did not is told */
export async function copy(
  proc: Process,
  from: string,
  to: string,
  options: CopyOptions,
  top = true,
): Promise<boolean> {
  const follow = options.follow === 'all' || (options.follow === 'command' && top)
  let source: Stat
  try {
    source = follow ? proc.stat(from) : proc.lstat(from)
  } catch (error) {
    complain(proc, `cannot stat ${quote(from)}: ${reason(error)}`)
    return false
  }
  const target = statOf(proc, to)
  if (isDirectory(source)) {
    if (!options.recursive) {
      complain(proc, `-r not specified; omitting directory ${quote(from)}`)
      return false
    }
    return copyTree(proc, from, to, source, target, options)
  }
  if (target !== undefined && isDirectory(target)) {
    complain(proc, `cannot overwrite directory ${quote(to)} with non-directory`)
    return false
  }
  if (
    target !== undefined &&
    target.ino === source.ino &&
    target.dev === source.dev &&
    !options.hard &&
    !options.symbolic
  ) {
    complain(proc, `${quote(from)} and ${quote(to)} are the same file`)
    return false
  }
  if (target !== undefined) {
    if (options.noClobber) return true
    if (options.update && target.mtime >= source.mtime) return true
    if (options.interactive && !(await confirm(proc, `overwrite ${quote(to)}?`))) return true
  }
  try {
    if (options.symbolic || options.hard) {
      if (statOf(proc, to, false) !== undefined) {
        if (!options.force) {
          complain(
            proc,
            `cannot create ${options.hard ? 'hard' : 'symbolic'} link ${quote(to)}${options.hard ? ` to ${quote(from)}` : ''}: File exists`,
          )
          return false
        }
        proc.unlink(to)
      }
      if (options.hard) proc.link(from, to)
      else proc.symlink(from, to)
    } else if (isLink(source)) {
      if (statOf(proc, to, false) !== undefined) proc.unlink(to)
      proc.symlink(proc.readlink(from), to)
    } else if ((source.mode & S_IFMT) === S_IFIFO && options.recursive) proc.mkfifo(to, source.mode & 0o7777)
    else if (!(await copyData(proc, from, to, source, options))) return false
  } catch (error) {
    complain(
      proc,
      `cannot create ${isLink(source) || options.symbolic ? 'symbolic link' : 'regular file'} ${quote(to)}: ${reason(error)}`,
    )
    return false
  }
  if (options.verbose) proc.stdout.write(`${quote(from)} -> ${quote(to)}\n`)
  return true
}

async function copyData(proc: Process, from: string, to: string, source: Stat, options: CopyOptions): Promise<boolean> {
  let input: number
  try {
    input = proc.open(from, O_RDONLY)
  } catch (error) {
    complain(proc, `cannot open ${quote(from)} for reading: ${reason(error)}`)
    return false
  }
  let output: number
  const existed = statOf(proc, to) !== undefined
  try {
    output = existed
      ? proc.open(to, O_WRONLY | O_TRUNC)
      : proc.open(to, O_WRONLY | O_CREAT | O_EXCL, source.mode & 0o777)
  } catch (error) {
    if (existed && options.force) {
      proc.unlink(to)
      output = proc.open(to, O_WRONLY | O_CREAT | O_EXCL, source.mode & 0o777)
    } else {
      proc.close(input)
      complain(proc, `cannot create regular file ${quote(to)}: ${reason(error)}`)
      return false
    }
  }
  try {
    for (;;) {
      const data = await proc.read(input, 131_072)
      if (data.length === 0) break
      await proc.write(output, data)
    }
  } catch (error) {
    complain(proc, `error reading ${quote(from)}: ${reason(error)}`)
    return false
  } finally {
    proc.close(input)
    proc.close(output)
  }
  if (options.preserve && (source.mode & S_IFMT) === S_IFREG) {
    proc.chmod(to, source.mode & 0o7777)
    proc.utimes(to, source.mtime)
  }
  return true
}

async function copyTree(
  proc: Process,
  from: string,
  to: string,
  source: Stat,
  target: Stat | undefined,
  options: CopyOptions,
): Promise<boolean> {
  if (target !== undefined && !isDirectory(target)) {
    complain(proc, `cannot overwrite non-directory ${quote(to)} with directory ${quote(from)}`)
    return false
  }
  const inside = `${proc.cwd}/`
  const absolute = (path: string): string => (path.startsWith('/') ? path : inside + path).replace(/\/+$/, '')
  if (`${absolute(to)}/`.startsWith(`${absolute(from)}/`)) {
    complain(proc, `cannot copy a directory, ${quote(from)}, into itself, ${quote(to)}`)
    return false
  }
  try {
    if (target === undefined) {
      proc.mkdir(to, source.mode & 0o777)
      if (options.verbose) proc.stdout.write(`${quote(from)} -> ${quote(to)}\n`)
    }
  } catch (error) {
    complain(proc, `cannot create directory ${quote(to)}: ${reason(error)}`)
    return false
  }
  let ok = true
  try {
    for (const entry of proc.readdir(from)) {
      if (!(await copy(proc, within(from, entry.name), within(to, entry.name), options, false))) ok = false
    }
  } catch (error) {
    complain(proc, `cannot access ${quote(from)}: ${reason(error)}`)
    return false
  }
  if (options.preserve) {
    proc.chmod(to, source.mode & 0o7777)
    proc.utimes(to, source.mtime)
  }
  return ok
}
