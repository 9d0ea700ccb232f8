/** sysctl (procps 4.0.2): reads and writes kernel parameters through /proc/sys. See sysctl(8). */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import { S_IFDIR, S_IFMT } from '../../src/uapi/fs.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { globPaths, hasGlob } from './glob.ts'
import { parseOptions, type SysctlOptions } from './options.ts'
import { dotted, parseSettingLine, procPath, type Setting } from './settings.ts'
import { USAGE } from './usage.ts'

const PROC_SYS = '/proc/sys/'
/** shown only with --deprecated */
const DEPRECATED = new Set(['base_reachable_time', 'retrans_time'])
const SYSTEM_DIRS = ['/etc/sysctl.d', '/run/sysctl.d', '/usr/local/lib/sysctl.d', '/usr/lib/sysctl.d', '/lib/sysctl.d']
const DEFAULT_PRELOAD = '/etc/sysctl.conf'

/** One run: the options with the process, and how names are chosen. */
class Sysctl {
  private readonly proc: Process
  private readonly o: SysctlOptions
  private readonly matches: (text: string) => boolean

  constructor(proc: Process, o: SysctlOptions) {
    this.proc = proc
    this.o = o
    this.matches = patternOf(o.pattern)
  }

  private warn(text: string): void {
    this.proc.stderr.write(`sysctl: ${text}\n`)
  }

  /** Shows a variable, or all below it. @returns what is added to the exit status */
  read(name: string): number {
    if (name === '') {
      this.warn('"" is an unknown key')
      return -1
    }
    const path = procPath(name)
    let stat: ReturnType<Process['stat']>
    try {
      stat = this.proc.stat(path)
    } catch (error) {
      if (!isSysError(error)) throw error
      if (error.errno === Errno.ENOENT && this.o.ignoreError) return 0
      this.warn(`cannot stat ${path}: ${strerror(error.errno)}`)
      return 1
    }
    if (!isProcPath(path)) {
      this.warn(`Path is not under ${PROC_SYS}: ${path}`)
      return -1
    }
    if ((stat.mode & 0o400) === 0) return 0
    if ((stat.mode & S_IFMT) === S_IFDIR) return this.displayAll(`${path}/`)
    const shown = dotted(name)
    if (!this.matches(shown)) return 0
    return this.show(path, shown)
  }

  private show(path: string, shown: string): number {
    const { o, proc } = this
    if (o.nameOnly) {
      proc.stdout.write(`${shown}\n`)
      return 0
    }
    let text: string
    try {
      text = new TextDecoder().decode(proc.readFile(path))
    } catch (error) {
      if (!isSysError(error)) throw error
      switch (error.errno) {
        case Errno.EACCES:
          this.warn(`permission denied on key '${shown}'`)
          return 1
        case Errno.EIO: // no value yet, such as a stable_secret
          return 1
        default:
          this.warn(`reading key "${shown}": ${strerror(error.errno)}`)
          return 1
      }
    }
    const lines = text.replace(/\n$/, '').split('\n')
    for (const line of lines)
      proc.stdout.write((o.printName ? `${shown} = ` : '') + line + (o.printNewline ? '\n' : ''))
    return 0
  }

  /** Shows everything below a directory. @param dir path that ends with a slash */
  displayAll(dir: string): number {
    let rc = 0
    let entries: ReturnType<Process['readdir']>
    try {
      entries = this.proc.readdir(dir)
    } catch (error) {
      if (!isSysError(error)) throw error
      this.warn(`unable to open directory "${dir}"`)
      return -1
    }
    for (const { name } of entries) {
      const path = dir + name
      if (!this.o.deprecated && DEPRECATED.has(name)) continue
      const stat = this.proc.stat(path)
      if ((stat.mode & 0o400) === 0) continue
      if ((stat.mode & S_IFMT) === S_IFDIR) rc |= this.displayAll(`${path}/`)
      else {
        const shown = dotted(path.slice(PROC_SYS.length).replace(/^\/+/, ''))
        if (this.matches(shown)) rc |= this.show(path, shown)
      }
    }
    return rc
  }

  /** Reads a file of settings. @returns them, or an exit status */
  private async load(file: string): Promise<Setting[] | number> {
    let text: string
    try {
      if (file === '-') text = new TextDecoder().decode(await this.proc.stdin.readAll())
      else text = new TextDecoder().decode(this.proc.readFile(file))
    } catch (error) {
      if (!isSysError(error)) throw error
      if (error.errno === Errno.EISDIR) return []
      this.warn(`cannot open "${file}": ${strerror(error.errno)}`)
      return 1
    }
    const settings: Setting[] = []
    text.split('\n').forEach((line, i) => {
      const parsed = parseSettingLine(line, this.matches)
      if (parsed.kind === 'invalid') this.warn(`${file}(${i + 1}): invalid syntax, continuing...`)
      else if (parsed.kind === 'setting') settings.push(parsed.setting)
    })
    return settings
  }

  /** -p: files (patterns among them), or /etc/sysctl.conf. */
  async preload(files: readonly string[]): Promise<number> {
    let rc = 0
    const settings: Setting[] = []
    for (const name of files) {
      const found = hasGlob(name) ? globPaths(this.proc, name) : []
      for (const file of found.length > 0 ? found : [name]) {
        const loaded = await this.load(file)
        if (typeof loaded === 'number') rc |= loaded
        else settings.push(...loaded)
      }
    }
    return rc | this.writeAll(settings)
  }

  /** --system: the directories in their order of precedence, then /etc/sysctl.conf. */
  async system(): Promise<number> {
    const chosen = new Map<string, string>()
    for (const dir of SYSTEM_DIRS) {
      let entries: ReturnType<Process['readdir']>
      try {
        entries = this.proc.readdir(dir)
      } catch (error) {
        if (isSysError(error)) continue
        throw error
      }
      for (const { name } of entries)
        if (name.endsWith('.conf') && !chosen.has(name)) chosen.set(name, `${dir}/${name}`)
    }
    let rc = 0
    const settings: Setting[] = []
    const files = [...chosen.keys()].sort().map(name => chosen.get(name)!)
    if (this.proc.access(DEFAULT_PRELOAD, 0)) files.push(DEFAULT_PRELOAD)
    for (const file of files) {
      if (!this.o.quiet) this.proc.stdout.write(`* Applying ${file} ...\n`)
      const loaded = await this.load(file)
      if (typeof loaded === 'number') rc |= loaded
      else settings.push(...loaded)
    }
    return rc | this.writeAll(settings)
  }

  /** Variables on the command line: those with `=` are written after all others were shown. */
  variables(args: readonly string[]): number {
    let rc = 0
    const settings: Setting[] = []
    for (const arg of args) {
      if (!this.o.write && !arg.includes('=')) {
        rc += this.read(arg)
        continue
      }
      const parsed = parseSettingLine(arg, this.matches)
      if (parsed.kind === 'setting') settings.push(parsed.setting)
      else {
        if (parsed.kind === 'invalid') this.warn('command line(0): invalid syntax, continuing...')
        rc |= 1
      }
    }
    // patterns are for files: on the command line a name is a name
    for (const { key, path, value, exclude } of settings) if (!exclude) rc |= this.write(key, path, value)
    return rc
  }

  private writeAll(settings: readonly Setting[]): number {
    let rc = 0
    const excluded = new Set(settings.filter(setting => setting.exclude).map(setting => setting.path))
    const explicit = new Set(settings.filter(setting => !hasGlob(setting.path)).map(setting => setting.path))
    for (const setting of settings) {
      if (setting.exclude) continue
      if (!hasGlob(setting.path)) {
        rc |= this.write(setting.key, setting.path, setting.value)
        continue
      }
      for (const path of globPaths(this.proc, setting.path)) {
        // what has a line of its own is not set by a pattern
        if (excluded.has(path) || explicit.has(path)) continue
        rc |= this.write(dotted(path.slice(PROC_SYS.length)), path, setting.value)
      }
    }
    return rc
  }

  private write(key: string, path: string, value: string): number {
    const { o, proc } = this
    let stat: ReturnType<Process['stat']>
    try {
      stat = proc.stat(path)
    } catch (error) {
      if (!isSysError(error)) throw error
      if (o.ignoreError) return 0
      this.warn(`cannot stat ${path}: ${strerror(error.errno)}`)
      return 1
    }
    if (!isProcPath(path)) {
      this.warn(`Path is not under ${PROC_SYS}: ${path}`)
      return 1
    }
    if ((stat.mode & 0o200) === 0) {
      this.warn(`setting key "${key}": ${strerror(Errno.EINVAL)}`)
      return 0
    }
    if ((stat.mode & S_IFMT) === S_IFDIR) {
      this.warn(`setting key "${key}": ${strerror(Errno.EINVAL)}`)
      return 0
    }
    if (!o.dryRun) {
      try {
        proc.writeFile(path, `${value}\n`)
      } catch (error) {
        if (!isSysError(error)) throw error
        if (error.errno === Errno.EACCES) this.warn(`permission denied on key '${key}'`)
        else this.warn(`setting key "${key}": ${strerror(error.errno)}`)
        return 1
      }
    }
    if (!o.quiet || o.dryRun)
      proc.stdout.write((o.printName && !o.nameOnly ? `${key} = ` : '') + value + (o.printNewline ? '\n' : ''))
    return 0
  }
}

/** @returns whether a path that exists is one of /proc/sys's variables */
function isProcPath(path: string): boolean {
  return /^\/proc\/sys\/+[^/]/.test(path)
}

function patternOf(expression: string | undefined): (text: string) => boolean {
  if (expression === undefined) return () => true
  let regex: RegExp
  try {
    regex = new RegExp(expression)
  } catch {
    // an expression that does not compile matches nothing
    return () => false
  }
  return text => regex.test(text)
}

/** The program. */
export const main: Program = async proc => {
  if (proc.argv.length === 1) {
    proc.stderr.write(USAGE)
    return 1
  }
  const parsed = parseOptions(proc.argv)
  if ('kind' in parsed) {
    if (parsed.kind === 'version') proc.stdout.write('sysctl from procps-ng 4.0.2\n')
    else {
      if (parsed.kind === 'misuse') proc.stderr.write(`${parsed.message}\n`)
      proc.stdout.write(USAGE)
    }
    return 0
  }
  const sysctl = new Sysctl(proc, parsed)
  if (parsed.all) return sysctl.displayAll(PROC_SYS) & 255
  if (parsed.system) return (await sysctl.system()) & 255
  if (parsed.load) {
    const files = [...(parsed.loadFile === undefined ? [] : [parsed.loadFile]), ...parsed.args]
    return (await sysctl.preload(files.length > 0 ? files : [DEFAULT_PRELOAD])) & 255
  }
  if (parsed.args.length === 0) {
    proc.stderr.write("sysctl: no variables specified\nTry `sysctl --help' for more information.\n")
    return 1
  }
  return sysctl.variables(parsed.args) & 255
}
