/** ls(1), dir and vdir. */
import { isSysError } from '../../src/uapi/errno.ts'
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFSOCK, type Stat } from '../../src/uapi/fs.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { lookupGroup, lookupUser } from '../lib/accounts.ts'
import { quote } from '../lib/coreutils.ts'
import { fnmatch } from '../lib/fnmatch.ts'
import { compareVersion } from './lib/compare.ts'
import { isDirectory, isLink, statOf, within } from './lib/files.ts'
import { reason } from './lib/io.ts'
import { modeText } from './lib/mode.ts'
import { readOptions } from './lib/options.ts'
import { strftime } from './lib/strftime.ts'

const OPTIONS = [
  { key: 'all', short: 'a', long: 'all' },
  { key: 'almostAll', short: 'A', long: 'almost-all' },
  { key: 'author', long: 'author' },
  { key: 'escape', short: 'b', long: 'escape' },
  { key: 'blockSize', long: 'block-size', arg: 'required' },
  { key: 'ignoreBackups', short: 'B', long: 'ignore-backups' },
  { key: 'changeTime', short: 'c' },
  { key: 'columns', short: 'C' },
  { key: 'color', long: 'color', arg: 'optional' },
  { key: 'directory', short: 'd', long: 'directory' },
  { key: 'f', short: 'f' },
  { key: 'classify', short: 'F', long: 'classify', arg: 'optional' },
  { key: 'fileType', long: 'file-type' },
  { key: 'fullTime', long: 'full-time' },
  { key: 'noOwner', short: 'g' },
  { key: 'directoriesFirst', long: 'group-directories-first' },
  { key: 'noGroup', short: 'G', long: 'no-group' },
  { key: 'human', short: 'h', long: 'human-readable' },
  { key: 'si', long: 'si' },
  { key: 'dereferenceCommand', short: 'H', long: 'dereference-command-line' },
  { key: 'hide', long: 'hide', arg: 'required' },
  { key: 'indicator', long: 'indicator-style', arg: 'required' },
  { key: 'inode', short: 'i', long: 'inode' },
  { key: 'ignore', short: 'I', long: 'ignore', arg: 'required' },
  { key: 'kibibytes', short: 'k', long: 'kibibytes' },
  { key: 'long', short: 'l' },
  { key: 'dereference', short: 'L', long: 'dereference' },
  { key: 'commas', short: 'm' },
  { key: 'numeric', short: 'n', long: 'numeric-uid-gid' },
  { key: 'literal', short: 'N', long: 'literal' },
  { key: 'o', short: 'o' },
  { key: 'slash', short: 'p' },
  { key: 'hideControl', short: 'q', long: 'hide-control-chars' },
  { key: 'showControl', long: 'show-control-chars' },
  { key: 'quoteName', short: 'Q', long: 'quote-name' },
  { key: 'quoting', long: 'quoting-style', arg: 'required' },
  { key: 'reverse', short: 'r', long: 'reverse' },
  { key: 'recursive', short: 'R', long: 'recursive' },
  { key: 'size', short: 's', long: 'size' },
  { key: 'sortSize', short: 'S' },
  { key: 'sort', long: 'sort', arg: 'required' },
  { key: 'time', long: 'time', arg: 'required' },
  { key: 'timeStyle', long: 'time-style', arg: 'required' },
  { key: 'sortTime', short: 't' },
  { key: 'tabSize', short: 'T', long: 'tabsize', arg: 'required' },
  { key: 'accessTime', short: 'u' },
  { key: 'unsorted', short: 'U' },
  { key: 'sortVersion', short: 'v' },
  { key: 'width', short: 'w', long: 'width', arg: 'required' },
  { key: 'rows', short: 'x' },
  { key: 'sortExtension', short: 'X' },
  { key: 'context', short: 'Z', long: 'context' },
  { key: 'zero', long: 'zero' },
  { key: 'one', short: '1' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'List information about the FILEs (the current directory by default).',
  authors: 'Richard M. Stallman and David MacKenzie',
  status: 2,
}

type Key = (typeof OPTIONS)[number]['key']

interface Entry {
  readonly name: string
  readonly path: string
  /** absent where it could not be read and is not needed */
  readonly stat: Stat | undefined
  /** where a link leads */
  readonly target: string | undefined
  readonly targetStat: Stat | undefined
}

type Layout = 'long' | 'one' | 'columns' | 'rows' | 'commas'

interface Style {
  readonly layout: Layout
  readonly hidden: 'none' | 'almost' | 'all'
  readonly directory: boolean
  readonly recursive: boolean
  readonly sort: 'name' | 'size' | 'time' | 'version' | 'extension' | 'none'
  readonly reverse: boolean
  readonly directoriesFirst: boolean
  readonly human: boolean
  readonly si: boolean
  readonly inode: boolean
  readonly blocks: boolean
  readonly numeric: boolean
  readonly owner: boolean
  readonly group: boolean
  readonly indicator: 'none' | 'slash' | 'file-type' | 'classify'
  readonly dereference: boolean
  readonly timeFormat: string | undefined
  readonly color: boolean
  readonly quote: 'none' | 'shell' | 'c' | 'escape'
  readonly width: number
  readonly ignore: readonly string[]
  readonly end: string
}

/** Exit status of trouble with an operand. */
const EXIT_SERIOUS = 2

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const terminal = isTerminal(proc)
  const style = styleOf(proc, options.list, terminal)
  return new Listing(proc, style).run(options.operands.length === 0 ? ['.'] : options.operands)
}

function isTerminal(proc: Process): boolean {
  try {
    return proc.isatty(1)
  } catch (error) {
    if (isSysError(error)) return false
    throw error
  }
}

function styleOf(
  proc: Process,
  list: readonly { readonly key: Key; readonly value: string | undefined }[],
  terminal: boolean,
): Style {
  const has = (key: Key): boolean => list.some(option => option.key === key)
  const value = (key: Key): string | undefined => list.findLast(option => option.key === key)?.value
  const called = (proc.argv[0] ?? '').replace(/^.*\//, '')
  let layout: Layout = called === 'vdir' ? 'long' : called === 'dir' || terminal ? 'columns' : 'one'
  let sort: Style['sort'] = 'name'
  let long = layout === 'long'
  for (const { key, value: text } of list) {
    if (key === 'long' || key === 'noOwner' || key === 'o' || key === 'numeric' || key === 'fullTime') {
      layout = 'long'
      long = true
    } else if (key === 'one' && !long) layout = 'one'
    else if (key === 'columns') layout = 'columns'
    else if (key === 'rows') layout = 'rows'
    else if (key === 'commas') layout = 'commas'
    else if (key === 'sortSize') sort = 'size'
    else if (key === 'sortTime') sort = 'time'
    else if (key === 'sortVersion') sort = 'version'
    else if (key === 'sortExtension') sort = 'extension'
    else if (key === 'unsorted' || key === 'f') sort = 'none'
    else if (key === 'sort')
      sort = (['name', 'size', 'time', 'version', 'extension', 'none'] as const).find(each => each === text) ?? 'name'
  }
  const color = value('color')
  const indicator = value('indicator')
  let width = 80
  try {
    if (terminal) width = proc.winsize(1).columns
  } catch (error) {
    if (!isSysError(error)) throw error
  }
  width = Number(value('width') ?? proc.env.get('COLUMNS') ?? width)
  const timeStyle = value('timeStyle') ?? proc.env.get('TIME_STYLE')
  return {
    layout,
    hidden: has('all') || has('f') ? 'all' : has('almostAll') ? 'almost' : 'none',
    directory: has('directory'),
    recursive: has('recursive'),
    sort: (has('changeTime') || has('accessTime')) && layout !== 'long' && sort === 'name' ? 'time' : sort,
    reverse: has('reverse'),
    directoriesFirst: has('directoriesFirst'),
    human: has('human'),
    si: has('si'),
    inode: has('inode'),
    blocks: has('size'),
    numeric: has('numeric'),
    owner: !has('noOwner'),
    group: !has('o') && !has('noGroup'),
    indicator:
      indicator === 'slash' || indicator === 'file-type' || indicator === 'classify'
        ? indicator
        : has('classify') && (value('classify') ?? 'always') !== 'never' && (value('classify') !== 'auto' || terminal)
          ? 'classify'
          : has('fileType')
            ? 'file-type'
            : has('slash')
              ? 'slash'
              : 'none',
    dereference: has('dereference'),
    timeFormat:
      has('fullTime') || timeStyle === 'full-iso'
        ? '%Y-%m-%d %H:%M:%S.%N %z'
        : timeStyle === 'long-iso'
          ? '%Y-%m-%d %H:%M'
          : timeStyle?.startsWith('+') === true
            ? timeStyle.slice(1)
            : timeStyle === 'iso'
              ? '%m-%d %H:%M'
              : undefined,
    color:
      has('color') && (color === undefined || color === 'always' || color === 'yes' || (color === 'auto' && terminal)),
    quote: has('quoteName') ? 'c' : has('escape') ? 'escape' : has('literal') || !terminal ? 'none' : 'shell',
    width: width > 0 ? width : Number.POSITIVE_INFINITY,
    ignore: list
      .filter(option => option.key === 'ignore' || option.key === 'hide')
      .map(option => option.value!)
      .concat(has('ignoreBackups') ? ['*~'] : []),
    end: has('zero') ? '\0' : '\n',
  }
}

class Listing {
  private readonly proc: Process
  private readonly style: Style
  private status = 0
  private readonly users = new Map<number, string>()
  private readonly groups = new Map<number, string>()
  private printed = false

  constructor(proc: Process, style: Style) {
    this.proc = proc
    this.style = style
  }

  run(operands: readonly string[]): number {
    const { style } = this
    const files: Entry[] = []
    const directories: Entry[] = []
    for (const path of operands) {
      const entry = this.operand(path)
      if (entry === undefined) continue
      if (
        !style.directory &&
        (isDirectory(entry.stat) || (isLink(entry.stat) && style.layout !== 'long' && isDirectory(entry.targetStat)))
      )
        directories.push(entry)
      else files.push(entry)
    }
    if (files.length > 0) {
      this.print(this.sorted(files))
      this.printed = true
    }
    const titled = directories.length > 1 || files.length > 0 || style.recursive || operands.length > 1
    for (const entry of this.sorted(directories)) this.directory(entry.path, titled, true)
    return this.status
  }

  private operand(path: string): Entry | undefined {
    const { proc, style } = this
    try {
      let stat =
        style.dereference || style.layout !== 'long' || path.endsWith('/') ? this.followed(path) : proc.lstat(path)
      if (style.directory && !style.dereference) stat = proc.lstat(path)
      return this.entry(path, path, stat)
    } catch (error) {
      proc.stderr.write(`${proc.argv[0]}: cannot access ${quote(path)}: ${reason(error)}\n`)
      this.status = EXIT_SERIOUS
      return undefined
    }
  }

  /** A link that leads nowhere is shown as itself. */
  private followed(path: string): Stat {
    return statOf(this.proc, path) ?? this.proc.lstat(path)
  }

  private entry(name: string, path: string, stat: Stat | undefined): Entry {
    const link = isLink(stat)
    return {
      name,
      path,
      stat,
      target: link ? this.proc.readlink(path) : undefined,
      targetStat: link ? statOf(this.proc, path) : undefined,
    }
  }

  private directory(path: string, titled: boolean, operand: boolean): void {
    const { proc, style } = this
    let names: string[]
    try {
      names = proc.readdir(path).map(entry => entry.name)
    } catch (error) {
      proc.stderr.write(`${proc.argv[0]}: cannot open directory ${quote(path)}: ${reason(error)}\n`)
      this.status = operand ? EXIT_SERIOUS : 1
      return
    }
    if (titled) {
      proc.stdout.write(`${this.printed ? '\n' : ''}${this.quoted(path)}:\n`)
    }
    this.printed = true
    if (style.hidden === 'all') names.push('.', '..')
    else if (style.hidden === 'none') names = names.filter(name => !name.startsWith('.'))
    names = names.filter(name => !style.ignore.some(pattern => fnmatch(pattern, name)))
    const entries: Entry[] = []
    for (const name of names) {
      const full = path === '.' && !titled ? name : within(path, name)
      try {
        entries.push(this.entry(name, full, style.dereference ? this.followed(full) : proc.lstat(full)))
      } catch (error) {
        // a process may be gone from /proc by now
        proc.stderr.write(`${proc.argv[0]}: cannot access ${quote(full)}: ${reason(error)}\n`)
        this.status = 1
      }
    }
    const sorted = this.sorted(entries)
    if (style.layout === 'long' || style.blocks) {
      const blocks = entries.reduce((sum, entry) => sum + blocksOf(entry.stat), 0)
      proc.stdout.write(`total ${style.human || style.si ? this.size(blocks * 1024) : blocks}${style.end}`)
    }
    this.print(sorted)
    if (!style.recursive) return
    for (const entry of sorted) {
      if (entry.name !== '.' && entry.name !== '..' && isDirectory(entry.stat))
        this.directory(within(path, entry.name), true, false)
    }
  }

  private sorted(entries: readonly Entry[]): Entry[] {
    const { style } = this
    const byName = (a: Entry, b: Entry): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
    const extension = (name: string): string => (name.includes('.') ? name.slice(name.lastIndexOf('.')) : '')
    const order = (a: Entry, b: Entry): number => {
      switch (style.sort) {
        case 'size':
          return (b.stat?.size ?? 0) - (a.stat?.size ?? 0) || byName(a, b)
        case 'time':
          return (b.stat?.mtime ?? 0) - (a.stat?.mtime ?? 0) || byName(a, b)
        case 'version':
          return compareVersion(a.name, b.name) || byName(a, b)
        case 'extension': {
          const x = extension(a.name)
          const y = extension(b.name)
          return x < y ? -1 : x > y ? 1 : byName(a, b)
        }
        case 'none':
          return 0
        default:
          return byName(a, b)
      }
    }
    const list = [...entries]
    if (style.sort !== 'none') list.sort((a, b) => (style.reverse ? -order(a, b) : order(a, b)))
    else if (style.reverse) list.reverse()
    if (style.directoriesFirst)
      list.sort((a, b) => Number(isDirectory(b.targetStat ?? b.stat)) - Number(isDirectory(a.targetStat ?? a.stat)))
    return list
  }

  private print(entries: readonly Entry[]): void {
    const { proc, style } = this
    if (entries.length === 0) return
    if (style.layout === 'long') {
      this.printLong(entries)
      return
    }
    const cells = entries.map(entry => this.prefix(entries, entry) + this.shownName(entry))
    const widths = entries.map(entry => this.prefix(entries, entry).length + this.plainName(entry).length)
    if (style.layout === 'one') {
      for (const cell of cells) proc.stdout.write(cell + style.end)
      return
    }
    if (style.layout === 'commas') {
      let line = ''
      let column = 0
      cells.forEach((cell, i) => {
        const last = i === cells.length - 1
        if (column > 0 && column + widths[i]! + (last ? 0 : 1) > style.width) {
          line += '\n'
          column = 0
        } else if (i > 0) {
          line += ' '
          column++
        }
        line += cell + (last ? '' : ',')
        column += widths[i]! + 1
      })
      proc.stdout.write(`${line}\n`)
      return
    }
    proc.stdout.write(columnsOf(cells, widths, style.width, style.layout === 'rows'))
  }

  /** Inode and blocks, where wanted. */
  private prefix(entries: readonly Entry[], entry: Entry): string {
    const { style } = this
    let out = ''
    if (style.inode) {
      const width = Math.max(...entries.map(each => String(each.stat?.ino ?? '?').length))
      out += `${String(entry.stat?.ino ?? '?').padStart(width)} `
    }
    if (style.blocks) {
      const shown = (each: Entry): string =>
        style.human ? this.size(blocksOf(each.stat) * 1024) : String(blocksOf(each.stat))
      const width = Math.max(...entries.map(each => shown(each).length))
      out += `${shown(entry).padStart(width)} `
    }
    return out
  }

  private quoted(name: string): string {
    switch (this.style.quote) {
      case 'shell':
        if (/^[A-Za-z0-9_./:@%+,=^{}~-]+$/.test(name) && !/^[~#]/.test(name)) return name
        return name.includes("'") && !/["$`\\]/.test(name) ? `"${name}"` : `'${name.replaceAll("'", "'\\''")}'`
      case 'c':
        return `"${name.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`
      case 'escape':
        return name.replace(/[\\ ]/g, '\\$&').replaceAll('\n', '\\n')
      default:
        return name
    }
  }

  private indicatorOf(stat: Stat | undefined): string {
    const { indicator } = this.style
    if (indicator === 'none' || stat === undefined) return ''
    switch (stat.mode & S_IFMT) {
      case S_IFDIR:
        return '/'
      case S_IFLNK:
        return indicator === 'slash' ? '' : '@'
      case S_IFIFO:
        return indicator === 'slash' ? '' : '|'
      case S_IFSOCK:
        return indicator === 'slash' ? '' : '='
      default:
        return indicator === 'classify' && stat.mode & 0o111 ? '*' : ''
    }
  }

  private plainName(entry: Entry): string {
    return this.quoted(entry.name) + this.indicatorOf(entry.stat)
  }

  private shownName(entry: Entry): string {
    const name = this.quoted(entry.name)
    return (this.style.color ? colored(name, entry.stat, entry.targetStat) : name) + this.indicatorOf(entry.stat)
  }

  private user(uid: number): string {
    if (this.style.numeric) return String(uid)
    let name = this.users.get(uid)
    if (name === undefined) {
      name = lookupUser(this.proc, uid) ?? String(uid)
      this.users.set(uid, name)
    }
    return name
  }

  private groupName(gid: number): string {
    if (this.style.numeric) return String(gid)
    let name = this.groups.get(gid)
    if (name === undefined) {
      name = lookupGroup(this.proc, gid) ?? String(gid)
      this.groups.set(gid, name)
    }
    return name
  }

  private size(bytes: number): string {
    const base = this.style.si ? 1000 : 1024
    if (bytes < base) return String(bytes)
    let n = bytes
    let unit = -1
    while (n >= base && unit < 5) {
      n /= base
      unit++
    }
    const rounded = n < 10 ? Math.ceil(n * 10) / 10 : Math.ceil(n)
    const text = n < 10 && rounded < 10 ? rounded.toFixed(1) : String(Math.ceil(rounded))
    return text + 'KMGTPE'[unit]!.replace('K', this.style.si ? 'k' : 'K')
  }

  private printLong(entries: readonly Entry[]): void {
    const { proc, style } = this
    const now = proc.realtime()
    const tz = proc.env.get('TZ') ?? ''
    const rows = entries.map(entry => {
      const { stat } = entry
      const device = stat !== undefined && ((stat.mode & S_IFMT) === S_IFCHR || (stat.mode & S_IFMT) === S_IFBLK)
      return {
        entry,
        links: String(stat?.nlink ?? '?'),
        owner: stat === undefined ? '?' : this.user(stat.uid),
        group: stat === undefined ? '?' : this.groupName(stat.gid),
        size:
          stat === undefined
            ? '?'
            : device
              ? deviceNumber(stat)
              : style.human || style.si
                ? this.size(stat.size)
                : String(stat.size),
        time: stat === undefined ? '?' : this.time(stat.mtime, now, tz),
      }
    })
    const width = (key: 'links' | 'owner' | 'group' | 'size' | 'time'): number =>
      Math.max(...rows.map(row => row[key].length))
    const widths = {
      links: width('links'),
      owner: width('owner'),
      group: width('group'),
      size: width('size'),
      time: width('time'),
    }
    for (const row of rows) {
      const { entry } = row
      let line = this.prefix(entries, entry)
      line += `${entry.stat === undefined ? '??????????' : modeText(entry.stat.mode)} ${row.links.padStart(widths.links)} `
      if (style.owner)
        line += style.numeric ? `${row.owner.padStart(widths.owner)} ` : `${row.owner.padEnd(widths.owner)} `
      if (style.group)
        line += style.numeric ? `${row.group.padStart(widths.group)} ` : `${row.group.padEnd(widths.group)} `
      line += `${row.size.padStart(widths.size)} ${row.time.padStart(widths.time)} `
      const name = this.quoted(entry.name)
      line += style.color ? colored(name, entry.stat, entry.targetStat) : name
      if (entry.target !== undefined) {
        const target = this.quoted(entry.target)
        line += ` -> ${style.color ? colored(target, entry.targetStat, undefined) : target}${this.indicatorOf(entry.targetStat)}`
      } else line += this.indicatorOf(entry.stat)
      proc.stdout.write(line + style.end)
    }
  }

  /** Times older than half a year, or in the future, show the year. */
  private time(mtime: number, now: number, tz: string): string {
    if (this.style.timeFormat !== undefined) return strftime(this.style.timeFormat, mtime, tz)
    const recent = mtime > now - 15_778_476e9 && mtime <= now
    return strftime(recent ? '%b %e %H:%M' : '%b %e  %Y', mtime, tz)
  }
}

/** Blocks of 1 KiB. */
function blocksOf(stat: Stat | undefined): number {
  if (stat === undefined) return 0
  const type = stat.mode & S_IFMT
  if (type === S_IFLNK || type === S_IFCHR || type === S_IFBLK || type === S_IFIFO || type === S_IFSOCK) return 0
  return type === S_IFDIR ? 0 : Math.ceil(stat.size / 4096) * 4
}

/** Major and minor number, where the kernel tells them. */
function deviceNumber(stat: Stat): string {
  const rdev = 'rdev' in stat && typeof stat.rdev === 'number' ? stat.rdev : 0
  return `${rdev >> 8}, ${String(rdev & 0xff).padStart(3)}`
}

function colored(name: string, stat: Stat | undefined, target: Stat | undefined): string {
  if (stat === undefined) return name
  const type = stat.mode & S_IFMT
  let code: string | undefined
  if (type === S_IFDIR) code = (stat.mode & 0o1002) === 0o1002 ? '30;42' : stat.mode & 0o0002 ? '34;42' : '01;34'
  else if (type === S_IFLNK) code = target === undefined ? '40;31;01' : '01;36'
  else if (type === S_IFIFO) code = '40;33'
  else if (type === S_IFSOCK) code = '01;35'
  else if (type === S_IFCHR || type === S_IFBLK) code = '40;33;01'
  else if (stat.mode & 0o4000) code = '37;41'
  else if (stat.mode & 0o111) code = '01;32'
  return code === undefined ? name : `\x1b[0m\x1b[${code}m${name}\x1b[0m`
}

/** Arranges cells in as many columns as fit, each as wide as it needs to be. */
function columnsOf(cells: readonly string[], widths: readonly number[], lineWidth: number, byRows: boolean): string {
  const count = cells.length
  let best = 1
  let bestWidths: number[] = [Math.max(...widths)]
  for (let columns = Math.min(count, Math.floor(lineWidth / 3) || 1); columns > 1; columns--) {
    const rows = Math.ceil(count / columns)
    const columnWidths = Array.from({ length: columns }, () => 0)
    for (let i = 0; i < count; i++) {
      const column = byRows ? i % columns : Math.floor(i / rows)
      if (column < columns)
        columnWidths[column] = Math.max(columnWidths[column]!, widths[i]! + (column === columns - 1 ? 0 : 2))
    }
    const used = byRows ? columns : Math.ceil(count / rows)
    if (columnWidths.slice(0, used).reduce((sum, width) => sum + width, 0) < lineWidth + 1) {
      best = columns
      bestWidths = columnWidths
      break
    }
  }
  const rows = Math.ceil(count / best)
  let out = ''
  for (let row = 0; row < rows; row++) {
    let line = ''
    let at = 0
    let column = 0
    for (;;) {
      const index = byRows ? row * best + column : column * rows + row
      if (index >= count || column >= best) break
      line += cells[index]!
      const next = byRows ? row * best + column + 1 : (column + 1) * rows + row
      if (next >= count || column + 1 >= best) break
      at += widths[index]!
      const stop = bestWidths.slice(0, column + 1).reduce((sum, width) => sum + width, 0)
      line += ' '.repeat(stop - at)
      at = stop
      column++
    }
    out += `${line}\n`
  }
  return out
}
