/** stat(1) */
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, type Stat } from '../../src/uapi/fs.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { lookupGroup, lookupUser } from '../lib/accounts.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { isLink } from './lib/files.ts'
import { complain, reason } from './lib/io.ts'
import { modeText } from './lib/mode.ts'
import { readOptions } from './lib/options.ts'
import { strftime } from './lib/strftime.ts'

const OPTIONS = [
  { key: 'dereference', short: 'L', long: 'dereference' },
  { key: 'fileSystem', short: 'f', long: 'file-system' },
  { key: 'cached', long: 'cached', arg: 'required' },
  { key: 'format', short: 'c', long: 'format', arg: 'required' },
  { key: 'printf', long: 'printf', arg: 'required' },
  { key: 'terse', short: 't', long: 'terse' },
] as const

const ABOUT = { usage: '[OPTION]... FILE...', does: 'Display file or file system status.', authors: 'Michael Meskes' }

function typeName(stat: Stat): string {
  switch (stat.mode & S_IFMT) {
    case S_IFDIR:
      return 'directory'
    case S_IFLNK:
      return 'symbolic link'
    case S_IFCHR:
      return 'character special file'
    case S_IFBLK:
      return 'block special file'
    case S_IFIFO:
      return 'fifo'
    case S_IFSOCK:
      return 'socket'
    case S_IFREG:
      return stat.size === 0 ? 'regular empty file' : 'regular file'
    default:
      return 'weird file'
  }
}

const BLOCK = 4096

const TIME = '%Y-%m-%d %H:%M:%S.%N %z'

/** The default format. */
function report(proc: Process, name: string, stat: Stat): string {
  const tz = proc.env.get('TZ') ?? ''
  const time = strftime(TIME, stat.mtime, tz)
  const link = isLink(stat) ? `${quote(name).slice(1, -1)} -> ${proc.readlink(name)}` : name
  const blocks = Math.ceil(stat.size / BLOCK) * 8
  const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0')
  const user = lookupUser(proc, stat.uid) ?? 'UNKNOWN'
  const group = lookupGroup(proc, stat.gid) ?? 'UNKNOWN'
  return `  File: ${link}
  Size: ${String(stat.size).padEnd(10)}\tBlocks: ${String(blocks).padEnd(10)} IO Block: ${String(BLOCK).padEnd(6)} ${typeName(stat)}
Device: ${stat.dev >> 8},${stat.dev & 0xff}\tInode: ${String(stat.ino).padEnd(11)} Links: ${stat.nlink}
Access: (${mode}/${modeText(stat.mode)})  Uid: (${String(stat.uid).padStart(5)}/${user.padStart(8)})   Gid: (${String(stat.gid).padStart(5)}/${group.padStart(8)})
Access: ${time}
Modify: ${time}
Change: ${time}
 Birth: ${time}
`
}

function formatted(proc: Process, spec: string, name: string, stat: Stat): string {
  const tz = proc.env.get('TZ') ?? ''
  return spec.replace(
    /%([-#0+ ]*)(\d*)(?:\.(\d*))?([a-zA-Z%])/g,
    (all, flags: string, width: string, precision: string | undefined, c: string) => {
      const seconds = (): string =>
        precision === undefined
          ? String(Math.floor(stat.mtime / 1e9))
          : (stat.mtime / 1e9).toFixed(precision === '' ? 9 : Number(precision))
      const value = ((): string | undefined => {
        switch (c) {
          case '%':
            return '%'
          case 'a':
            return (stat.mode & 0o7777).toString(8)
          case 'A':
            return modeText(stat.mode)
          case 'b':
            return String(Math.ceil(stat.size / BLOCK) * 8)
          case 'B':
            return '512'
          case 'd':
            return String(stat.dev)
          case 'D':
            return stat.dev.toString(16)
          case 'f':
            return stat.mode.toString(16)
          case 'F':
            return typeName(stat)
          case 'g':
            return String(stat.gid)
          case 'G':
            return lookupGroup(proc, stat.gid) ?? 'UNKNOWN'
          case 'h':
            return String(stat.nlink)
          case 'i':
            return String(stat.ino)
          case 'm':
            return '/'
          case 'n':
            return name
          case 'N':
            return isLink(stat) ? `${quote(name)} -> ${quote(proc.readlink(name))}` : quote(name)
          case 'o':
            return String(BLOCK)
          case 's':
            return String(stat.size)
          case 'u':
            return String(stat.uid)
          case 'U':
            return lookupUser(proc, stat.uid) ?? 'UNKNOWN'
          case 'w':
          case 'x':
          case 'y':
          case 'z':
            return strftime(TIME, stat.mtime, tz)
          case 'W':
          case 'X':
          case 'Y':
          case 'Z':
            return seconds()
          case 't':
          case 'T':
            return '0'
          default:
            return undefined
        }
      })()
      if (value === undefined) return all
      const shown = flags.includes('#') && c === 'a' ? `0${value}` : value
      const size = Number(width === '' ? 0 : width)
      return flags.includes('-') ? shown.padEnd(size) : shown.padStart(size, flags.includes('0') ? '0' : ' ')
    },
  )
}

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  if (options.operands.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  const format = options.list.findLast(option => option.key === 'format' || option.key === 'printf')
  let status = 0
  for (const name of options.operands) {
    try {
      const stat = name === '-' ? proc.fstat(0) : options.has('dereference') ? proc.stat(name) : proc.lstat(name)
      if (format === undefined)
        proc.stdout.write(
          options.has('terse')
            ? `${formatted(proc, '%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o', name, stat)}\n`
            : report(proc, name, stat),
        )
      else if (format.key === 'format') proc.stdout.write(`${formatted(proc, format.value!, name, stat)}\n`)
      else {
        const escapes: Readonly<Record<string, string>> = {
          n: '\n',
          t: '\t',
          '\\': '\\',
          '0': '\0',
          a: '\x07',
          r: '\r',
          '"': '"',
        }
        proc.stdout.write(
          formatted(
            proc,
            format.value!.replace(/\\(.)/gs, (all, e: string) => escapes[e] ?? all),
            name,
            stat,
          ),
        )
      }
    } catch (error) {
      const why = reason(error)
      status = complain(
        proc,
        options.has('fileSystem')
          ? `cannot read file system information for ${quote(name)}: ${why}`
          : `cannot ${options.has('dereference') ? 'stat' : 'statx'} ${quote(name)}: ${why}`,
      )
    }
  }
  return status
}
