/** find(1) */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, type Stat } from '../../src/uapi/fs.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { groupId, lookupGroup, lookupUser, userId } from '../lib/accounts.ts'
import { fnmatch } from '../lib/fnmatch.ts'
import { encode } from './lib/bytes.ts'
import { baseName, confirm, isDirectory, isLink, statOf } from './lib/files.ts'
import { reason } from './lib/io.ts'
import { changeMode, modeText } from './lib/mode.ts'
import { compileRegex, type Regex } from './lib/regex.ts'
import { strftime } from './lib/strftime.ts'

class FindError extends Error {}

/** A file on the way. */
interface Visit {
  readonly path: string
  readonly stat: Stat
  readonly depth: number
  /** the operand it was found under */
  readonly top: string
  prune: boolean
}

type Test = (visit: Visit) => Promise<boolean> | boolean

interface Plan {
  maxDepth: number
  minDepth: number
  depthFirst: boolean
  follow: 'P' | 'H' | 'L'
  xdev: boolean
  ignoreReaddirRace: boolean
}

const TYPES: Readonly<Record<string, number>> = {
  f: S_IFREG,
  d: S_IFDIR,
  l: S_IFLNK,
  p: S_IFIFO,
  s: S_IFSOCK,
  c: S_IFCHR,
  b: S_IFBLK,
}

/** Reads +n, -n and n. */
function compareNumber(text: string, name: string): (value: number) => boolean {
  const match = /^([+-]?)(\d+(?:\.\d+)?)$/.exec(text)
  if (match === null) throw new FindError(`invalid argument \`${text}' to \`${name}'`)
  const n = Number(match[2])
  return match[1] === '+' ? value => value > n : match[1] === '-' ? value => value < n : value => value === n
}

class Compiler {
  readonly plan: Plan = {
    maxDepth: Number.POSITIVE_INFINITY,
    minDepth: 0,
    depthFirst: false,
    follow: 'P',
    xdev: false,
    ignoreReaddirRace: false,
  }
  /** things to do at the end: the last batch of -exec … + */
  readonly finish: (() => Promise<void>)[] = []
  status = 0
  quit = false
  private readonly proc: Process
  private readonly words: readonly string[]
  private pos = 0
  private acts = false
  private readonly now: number

  constructor(proc: Process, words: readonly string[]) {
    this.proc = proc
    this.words = words
    this.now = proc.realtime()
  }

  compile(): Test {
    if (this.words.length === 0) return this.printing(() => true)
    const test = this.list()
    if (this.pos < this.words.length) {
      if (this.words[this.pos] === ')') throw new FindError("invalid expression; you have too many ')'")
      throw new FindError(`paths must precede expression: \`${this.words[this.pos]}'`)
    }
    return this.acts ? test : this.printing(test)
  }

  private printing(test: Test): Test {
    return async visit => {
      if (!(await test(visit))) return false
      this.proc.stdout.write(`${visit.path}\n`)
      return true
    }
  }

  private list(): Test {
    let left = this.or()
    while (this.words[this.pos] === ',') {
      this.pos++
      const first = left
      const second = this.or()
      left = async visit => {
        await first(visit)
        return second(visit)
      }
    }
    return left
  }

  private or(): Test {
    let left = this.and()
    while (this.words[this.pos] === '-o' || this.words[this.pos] === '-or') {
      this.pos++
      const first = left
      const second = this.and()
      left = async visit => (await first(visit)) || second(visit)
    }
    return left
  }

  private and(): Test {
    let left = this.primary()
    for (;;) {
      const word = this.words[this.pos]
      if (word === undefined || word === ')' || word === '-o' || word === '-or' || word === ',') return left
      if (word === '-a' || word === '-and') this.pos++
      const first = left
      const second = this.primary()
      left = async visit => (await first(visit)) && second(visit)
    }
  }

  private argument(name: string): string {
    const word = this.words[this.pos++]
    if (word === undefined) throw new FindError(`missing argument to \`${name}'`)
    return word
  }

  private primary(): Test {
    const word = this.words[this.pos++]
    if (word === undefined) throw new FindError(`expected an expression after \`${this.words[this.pos - 2] ?? ''}'`)
    const { proc, plan, now } = this
    switch (word) {
      case '!':
      case '-not': {
        const test = this.primary()
        return async visit => !(await test(visit))
      }
      case '(': {
        if (this.words[this.pos] === ')') throw new FindError('invalid expression; empty parentheses are not allowed.')
        const test = this.list()
        if (this.words[this.pos++] !== ')')
          throw new FindError("invalid expression; I was expecting to find a ')' somewhere but did not see one.")
        return test
      }
      case '-true':
        return () => true
      case '-false':
        return () => false
      case '-name':
      case '-iname': {
        const pattern = this.argument(word)
        const fold = word === '-iname'
        return visit =>
          fold
            ? fnmatch(pattern.toLowerCase(), baseName(visit.path).toLowerCase())
            : fnmatch(pattern, baseName(visit.path))
      }
      case '-path':
      case '-wholename':
      case '-ipath': {
        const pattern = this.argument(word)
        return visit =>
          word === '-ipath' ? fnmatch(pattern.toLowerCase(), visit.path.toLowerCase()) : fnmatch(pattern, visit.path)
      }
      case '-lname': {
        const pattern = this.argument(word)
        return visit => isLink(visit.stat) && fnmatch(pattern, proc.readlink(visit.path))
      }
      case '-regex':
      case '-iregex': {
        const pattern = this.argument(word)
        let regex: Regex
        try {
          regex = compileRegex(`^\\(${encode(pattern)}\\)$`, {
            extended: this.regexExtended,
            ignoreCase: word === '-iregex',
          })
          if (this.regexExtended)
            regex = compileRegex(`^(${encode(pattern)})$`, { extended: true, ignoreCase: word === '-iregex' })
        } catch (error) {
          throw new FindError(error instanceof Error ? error.message : String(error))
        }
        return visit => regex.test(encode(visit.path))
      }
      case '-regextype':
        this.regexExtended = /extended|egrep|awk/.test(this.argument(word))
        return () => true
      case '-type':
      case '-xtype': {
        const letters = this.argument(word).split(',')
        for (const letter of letters)
          if (TYPES[letter] === undefined) throw new FindError(`Unknown argument to ${word}: ${letter}`)
        return visit => {
          const stat = word === '-xtype' ? (statOf(proc, visit.path) ?? visit.stat) : visit.stat
          return letters.some(letter => (stat.mode & S_IFMT) === TYPES[letter])
        }
      }
      case '-size': {
        const text = this.argument(word)
        const match = /^([+-]?\d+)([cwbkMG]?)$/.exec(text)
        if (match === null) throw new FindError(`Invalid argument \`${text}' to -size`)
        const unit = { c: 1, w: 2, b: 512, '': 512, k: 1024, M: 1024 ** 2, G: 1024 ** 3 }[match[2] as 'c']
        const compare = compareNumber(match[1]!, word)
        return visit => compare(Math.ceil(visit.stat.size / unit))
      }
      case '-empty':
        return visit => {
          if (isDirectory(visit.stat)) {
            try {
              return proc.readdir(visit.path).length === 0
            } catch (error) {
              reason(error)
              return false
            }
          }
          return (visit.stat.mode & S_IFMT) === S_IFREG && visit.stat.size === 0
        }
      case '-mtime':
      case '-atime':
      case '-ctime': {
        const compare = compareNumber(this.argument(word), word)
        return visit => compare(Math.floor((now - visit.stat.mtime) / 86_400e9))
      }
      case '-mmin':
      case '-amin':
      case '-cmin': {
        const compare = compareNumber(this.argument(word), word)
        return visit => compare(Math.ceil((now - visit.stat.mtime) / 60e9))
      }
      case '-newer':
      case '-anewer':
      case '-cnewer': {
        const reference = this.argument(word)
        const stat = statOf(proc, reference)
        if (stat === undefined) throw new FindError(`'${reference}': No such file or directory`)
        return visit => visit.stat.mtime > stat.mtime
      }
      case '-perm': {
        const text = this.argument(word)
        const kind = /^[-/]/.exec(text)?.[0] ?? ''
        const mode = changeMode(text.slice(kind.length), 0, false, 0)
        if (mode === undefined) throw new FindError(`invalid mode \`${text}'`)
        return visit => {
          const bits = visit.stat.mode & 0o7777
          return kind === '-'
            ? (bits & mode) === mode
            : kind === '/'
              ? mode === 0 || (bits & mode) !== 0
              : bits === mode
        }
      }
      case '-user':
      case '-uid': {
        const name = this.argument(word)
        const uid = /^\d+$/.test(name) ? Number(name) : userId(proc, name)
        if (uid === undefined) throw new FindError(`'${name}' is not the name of a known user`)
        return visit => visit.stat.uid === uid
      }
      case '-group':
      case '-gid': {
        const name = this.argument(word)
        const gid = /^\d+$/.test(name) ? Number(name) : groupId(proc, name)
        if (gid === undefined) throw new FindError(`'${name}' is not the name of an existing group`)
        return visit => visit.stat.gid === gid
      }
      case '-links': {
        const compare = compareNumber(this.argument(word), word)
        return visit => compare(visit.stat.nlink)
      }
      case '-inum': {
        const compare = compareNumber(this.argument(word), word)
        return visit => compare(visit.stat.ino)
      }
      case '-samefile': {
        const stat = statOf(proc, this.argument(word))
        return visit => stat !== undefined && visit.stat.ino === stat.ino && visit.stat.dev === stat.dev
      }
      case '-readable':
        return visit => proc.access(visit.path, 4)
      case '-writable':
        return visit => proc.access(visit.path, 2)
      case '-executable':
        return visit => proc.access(visit.path, 1)
      case '-maxdepth':
      case '-mindepth': {
        const text = this.argument(word)
        if (!/^\d+$/.test(text))
          throw new FindError(`Expected a positive decimal integer argument to ${word}, but got \`${text}'`)
        if (word === '-maxdepth') plan.maxDepth = Number(text)
        else plan.minDepth = Number(text)
        return () => true
      }
      case '-depth':
      case '-d':
        plan.depthFirst = true
        return () => true
      case '-mount':
      case '-xdev':
        plan.xdev = true
        return () => true
      case '-follow':
        plan.follow = 'L'
        return () => true
      case '-daystart':
      case '-noleaf':
      case '-warn':
      case '-nowarn':
        return () => true
      case '-ignore_readdir_race':
        plan.ignoreReaddirRace = true
        return () => true
      case '-prune':
        return visit => {
          visit.prune = !plan.depthFirst
          return true
        }
      case '-quit':
        this.acts = true
        return () => {
          this.quit = true
          return true
        }
      case '-print':
        this.acts = true
        return visit => {
          proc.stdout.write(`${visit.path}\n`)
          return true
        }
      case '-print0':
        this.acts = true
        return visit => {
          proc.stdout.write(`${visit.path}\0`)
          return true
        }
      case '-printf': {
        this.acts = true
        const spec = this.argument(word)
        return visit => {
          proc.stdout.write(formatted(proc, spec, visit))
          return true
        }
      }
      case '-ls':
        this.acts = true
        return visit => {
          const { stat } = visit
          const time = strftime(
            stat.mtime > now - 15_778_476e9 ? '%b %e %H:%M' : '%b %e  %Y',
            stat.mtime,
            proc.env.get('TZ') ?? '',
          )
          const user = lookupUser(proc, stat.uid) ?? String(stat.uid)
          const group = lookupGroup(proc, stat.gid) ?? String(stat.gid)
          const link = isLink(stat) ? ` -> ${proc.readlink(visit.path)}` : ''
          proc.stdout.write(
            `${String(stat.ino).padStart(9)} ${String(Math.ceil(stat.size / 4096) * 4).padStart(6)} ${modeText(stat.mode)} ${String(stat.nlink).padStart(3)} ${user.padEnd(8)} ${group.padEnd(8)} ${String(stat.size).padStart(8)} ${time} ${visit.path}${link}\n`,
          )
          return true
        }
      case '-delete':
        this.acts = true
        plan.depthFirst = true
        return visit => {
          if (visit.path === '.') return true
          try {
            if (isDirectory(visit.stat)) proc.rmdir(visit.path)
            else proc.unlink(visit.path)
            return true
          } catch (error) {
            this.complain(`cannot delete '${visit.path}': ${reason(error)}`)
            return false
          }
        }
      case '-exec':
      case '-execdir':
      case '-ok':
      case '-okdir':
        this.acts = true
        return this.exec(word)
    }
    if (word.startsWith('-') && word.length > 1) throw new FindError(`unknown predicate \`${word}'`)
    throw new FindError(`paths must precede expression: \`${word}'`)
  }

  private regexExtended = false

  complain(message: string): void {
    this.proc.stderr.write(`${this.proc.argv[0]}: ${message}\n`)
    this.status = 1
  }

  private exec(name: string): Test {
    const command: string[] = []
    let batch = false
    for (;;) {
      const word = this.words[this.pos++]
      if (word === undefined) throw new FindError(`missing argument to \`${name}'`)
      if (word === ';') break
      if (word === '+' && command[command.length - 1] === '{}') {
        batch = true
        command.pop()
        break
      }
      command.push(word)
    }
    if (command.length === 0) throw new FindError(`invalid argument \`;' to \`${name}'`)
    const inDirectory = name.endsWith('dir')
    const asks = name.startsWith('-ok')
    if (batch) {
      let paths: string[] = []
      const flush = async (): Promise<void> => {
        if (paths.length === 0) return
        const list = paths
        paths = []
        if ((await this.spawn([...command, ...list], undefined)) !== 0) this.status = 1
      }
      this.finish.push(flush)
      return async visit => {
        paths.push(visit.path)
        if (paths.length >= 1000) await flush()
        return true
      }
    }
    return async visit => {
      const dir = inDirectory ? visit.path.replace(/[^/]*\/*$/, '') || '.' : undefined
      const shown = inDirectory ? `./${baseName(visit.path)}` : visit.path
      const words = command.map(word => word.replaceAll('{}', shown))
      if (asks && !(await confirm(this.proc, `< ${words[0]} ... ${visit.path} > ?`))) return false
      return (await this.spawn(words, dir)) === 0
    }
  }

  private async spawn(words: readonly string[], dir: string | undefined): Promise<number> {
    const { proc } = this
    await proc.stdout.flush()
    const pid = proc.fork(async child => {
      if (dir !== undefined) child.chdir(dir)
      try {
        return await child.exec(words[0]!, words)
      } catch (error) {
        if (!isSysError(error)) throw error
        if (error.errno === Errno.ENOEXEC)
          return child.exec('/bin/sh', ['sh', child.which(words[0]!) ?? words[0]!, ...words.slice(1)])
        child.stderr.write(`${proc.argv[0]}: '${words[0]}': ${strerror(error.errno)}\n`)
        return 1
      }
    })
    const status = await proc.waitpid(pid)
    return status?.kind === 'exited' ? status.status : 1
  }
}

function formatted(proc: Process, spec: string, visit: Visit): string {
  const { stat, path } = visit
  const tz = proc.env.get('TZ') ?? ''
  const escapes: Readonly<Record<string, string>> = {
    n: '\n',
    t: '\t',
    '\\': '\\',
    '0': '\0',
    a: '\x07',
    b: '\b',
    f: '\f',
    r: '\r',
    v: '\v',
  }
  return spec.replace(
    /\\([0-7]{3}|.)|%([-0+ #]*)(\d*)(?:\.(\d+))?([a-zA-Z%])(?:(?<=[ACT])(.))?/gs,
    (
      all,
      sequence: string | undefined,
      flags: string,
      width: string,
      precision: string | undefined,
      c: string,
      extra: string | undefined,
    ) => {
      if (sequence !== undefined)
        return (
          escapes[sequence] ?? (/^[0-7]{3}$/.test(sequence) ? String.fromCharCode(Number.parseInt(sequence, 8)) : all)
        )
      const value = ((): string | undefined => {
        switch (c) {
          case '%':
            return '%'
          case 'p':
            return path
          case 'f':
            return baseName(path)
          case 'h': {
            const slash = path.replace(/\/+$/, '').lastIndexOf('/')
            return slash < 0 ? '.' : slash === 0 ? '' : path.slice(0, slash)
          }
          case 'P':
            return path === visit.top ? '' : path.slice(visit.top.length).replace(/^\/+/, '')
          case 'H':
            return visit.top
          case 's':
            return String(stat.size)
          case 'd':
            return String(visit.depth)
          case 'm':
            return (stat.mode & 0o7777).toString(8)
          case 'M':
            return modeText(stat.mode)
          case 'u':
            return lookupUser(proc, stat.uid) ?? String(stat.uid)
          case 'g':
            return lookupGroup(proc, stat.gid) ?? String(stat.gid)
          case 'U':
            return String(stat.uid)
          case 'G':
            return String(stat.gid)
          case 'i':
            return String(stat.ino)
          case 'n':
            return String(stat.nlink)
          case 'b':
            return String(Math.ceil(stat.size / 4096) * 8)
          case 'k':
            return String(Math.ceil(stat.size / 4096) * 4)
          case 'l':
            return isLink(stat) ? proc.readlink(path) : ''
          case 'y':
            return Object.entries(TYPES).find(([, type]) => type === (stat.mode & S_IFMT))?.[0] ?? '?'
          case 'a':
          case 'c':
          case 't':
            return strftime('%a %b %e %H:%M:%S.%N0 %Y', stat.mtime, tz)
          case 'A':
          case 'C':
          case 'T':
            return extra === undefined
              ? undefined
              : extra === '@'
                ? `${(stat.mtime / 1e9).toFixed(9)}0`
                : extra === '+'
                  ? strftime('%Y-%m-%d+%H:%M:%S.%N0', stat.mtime, tz)
                  : strftime(`%${extra}`, stat.mtime, tz)
          default:
            return undefined
        }
      })()
      if (value === undefined) return all
      const cut = precision === undefined ? value : value.slice(0, Number(precision))
      const size = Number(width === '' ? 0 : width)
      return flags.includes('-') ? cut.padEnd(size) : cut.padStart(size, flags.includes('0') ? '0' : ' ')
    },
  )
}

export const main: Program = async proc => {
  const words = proc.argv.slice(1)
  let follow: Plan['follow'] = 'P'
  let i = 0
  for (; i < words.length && /^-[PHLO]/.test(words[i]!); i++) {
    const letter = words[i]![1]!
    if (letter === 'P' || letter === 'H' || letter === 'L') follow = letter
  }
  const tops: string[] = []
  while (
    i < words.length &&
    !/^-./.test(words[i]!) &&
    words[i] !== '(' &&
    words[i] !== '!' &&
    words[i] !== ',' &&
    words[i] !== ')'
  )
    tops.push(words[i++]!)
  const compiler = new Compiler(proc, words.slice(i))
  compiler.plan.follow = follow
  let test: Test
  try {
    test = compiler.compile()
  } catch (error) {
    if (!(error instanceof FindError)) throw error
    proc.stderr.write(`${proc.argv[0]}: ${error.message}\n`)
    return 1
  }
  for (const top of tops.length === 0 ? ['.'] : tops) {
    await visit(proc, compiler, test, top, top, 0, undefined)
    if (compiler.quit) break
  }
  for (const finish of compiler.finish) await finish()
  return compiler.status
}

async function visit(
  proc: Process,
  compiler: Compiler,
  test: Test,
  path: string,
  top: string,
  depth: number,
  device: number | undefined,
): Promise<void> {
  const { plan } = compiler
  let stat: Stat
  try {
    const follow = plan.follow === 'L' || (plan.follow === 'H' && depth === 0)
    stat = follow ? (statOf(proc, path) ?? proc.lstat(path)) : proc.lstat(path)
  } catch (error) {
    // what vanished on the way is no concern below the operands
    const why = reason(error)
    if (!(depth > 0 && why === 'No such file or directory')) compiler.complain(`'${path}': ${why}`)
    return
  }
  const file: Visit = { path, stat, depth, top, prune: false }
  const apply = async (): Promise<void> => {
    if (depth >= plan.minDepth) await test(file)
  }
  if (!plan.depthFirst) {
    await apply()
    if (compiler.quit) return
  }
  if (
    isDirectory(stat) &&
    !file.prune &&
    depth < plan.maxDepth &&
    !(plan.xdev && device !== undefined && stat.dev !== device)
  ) {
    let names: string[] = []
    try {
      names = proc.readdir(path).map(entry => entry.name)
    } catch (error) {
      compiler.complain(`'${path}': ${reason(error)}`)
    }
    await proc.yield()
    for (const name of names) {
      await visit(
        proc,
        compiler,
        test,
        path.endsWith('/') ? path + name : `${path}/${name}`,
        top,
        depth + 1,
        device ?? stat.dev,
      )
      if (compiler.quit) return
    }
  }
  if (plan.depthFirst) await apply()
}
