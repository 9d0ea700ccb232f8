/** tail(1) */
import type { Process, Program } from '../../src/uapi/process.ts'
import { quote } from '../lib/coreutils.ts'
import { fromBytes } from './lib/bytes.ts'
import { closeInput, complain, openInput, readAll, reason, Writer } from './lib/io.ts'
import { parseSize } from './lib/number.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'bytes', short: 'c', long: 'bytes', arg: 'required' },
  { key: 'follow', short: 'f' },
  { key: 'follow', long: 'follow', arg: 'optional' },
  { key: 'followName', short: 'F' },
  { key: 'lines', short: 'n', long: 'lines', arg: 'required' },
  { key: 'pid', long: 'pid', arg: 'required' },
  { key: 'quiet', short: 'q', long: 'quiet' },
  { key: 'quiet', long: 'silent' },
  { key: 'retry', long: 'retry' },
  { key: 'interval', short: 's', long: 'sleep-interval', arg: 'required' },
  { key: 'verbose', short: 'v', long: 'verbose' },
  { key: 'zero', short: 'z', long: 'zero-terminated' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Print the last 10 lines of each FILE to standard output.',
  authors: 'Paul Rubin, David MacKenzie, Ian Lance Taylor,\nand Jim Meyering',
}

/** A file that is followed. */
interface Followed {
  readonly name: string
  fd: number | undefined
  offset: number
  inode: number
}

export const main: Program = async proc => {
  const argv = proc.argv.map((word, i) => (i === 1 && /^[-+]\d+$/.test(word) ? `-n${word.replace(/^-/, '')}` : word))
  const options = readOptions(proc, OPTIONS, ABOUT, argv)
  if (typeof options === 'number') return options
  let count = 10
  let bytes = false
  let fromStart = false
  for (const { key, value } of options.list) {
    if (key !== 'bytes' && key !== 'lines') continue
    bytes = key === 'bytes'
    fromStart = value!.startsWith('+')
    const size = parseSize(value!.replace(/^[-+]/, ''))
    if (size === undefined) return complain(proc, `invalid number of ${bytes ? 'bytes' : 'lines'}: ${quote(value!)}`)
    count = size
  }
  const intervalText = options.value('interval')
  const interval = intervalText === undefined ? 1 : Number(intervalText)
  if (!(interval >= 0)) return complain(proc, `invalid number of seconds: ${quote(intervalText!)}`)
  const byName = options.has('followName') || options.value('follow') === 'name'
  const follow = options.has('follow') || options.has('followName')
  const names = options.operands.length === 0 ? ['-'] : options.operands
  const titles = options.has('verbose') || (names.length > 1 && !options.has('quiet'))
  const delimiter = options.has('zero') ? '\0' : '\n'
  const writer = new Writer(proc)
  const followed: Followed[] = []
  let status = 0
  let last: string | undefined
  const title = (name: string): void => {
    if (titles && last !== name)
      writer.write(`${last === undefined ? '' : '\n'}==> ${name === '-' ? 'standard input' : name} <==\n`)
    last = name
  }
  for (const name of names) {
    let fd: number
    try {
      fd = openInput(proc, name)
    } catch (error) {
      status = complain(proc, `cannot open ${quote(name)} for reading: ${reason(error)}`)
      if (follow && (byName || options.has('retry'))) followed.push({ name, fd: undefined, offset: 0, inode: 0 })
      continue
    }
    title(name)
    try {
      const text = fromStart
        ? await skipFirst(proc, fd, writer, count, bytes, delimiter, follow)
        : await readAll(proc, fd)
      if (!fromStart)
        writer.write(bytes ? text.slice(Math.max(0, text.length - count)) : lastLines(text, count, delimiter))
      if (follow) {
        const { ino } = proc.fstat(fd)
        followed.push({ name, fd, offset: position(proc, fd), inode: ino })
      } else closeInput(proc, fd)
    } catch (error) {
      status = complain(proc, `error reading ${quote(name === '-' ? 'standard input' : name)}: ${reason(error)}`)
    }
  }
  if (!follow || followed.length === 0) {
    if (follow && status !== 0) complain(proc, 'no files remaining')
    return status
  }
  const pid = options.value('pid')
  for (;;) {
    await proc.stdout.flush()
    if (pid !== undefined && !alive(proc, Number(pid))) return status
    await proc.nanosleep(interval * 1e9)
    for (const file of followed) await update(proc, file, byName, writer, title)
  }
}

function alive(proc: Process, pid: number): boolean {
  try {
    proc.kill(pid, 0)
    return true
  } catch (error) {
    reason(error)
    return false
  }
}

function position(proc: Process, fd: number): number {
  try {
    return proc.lseek(fd, 0, 'cur')
  } catch (error) {
    reason(error)
    return 0
  }
}

/** Shows what has been added to a file, and notices when it was truncated or replaced. */
async function update(
  proc: Process,
  file: Followed,
  byName: boolean,
  writer: Writer,
  title: (name: string) => void,
): Promise<void> {
  if (byName) reopen(proc, file)
  if (file.fd === undefined) return
  const { size } = proc.fstat(file.fd)
  if (size < file.offset) {
    complain(proc, `${file.name}: file truncated`)
    proc.lseek(file.fd, 0, 'set')
    file.offset = 0
  }
  if (size === file.offset && file.fd !== 0) return
  const text = await readAll(proc, file.fd)
  if (text === '') return
  file.offset += text.length
  title(file.name)
  writer.write(text)
}

function reopen(proc: Process, file: Followed): void {
  let ino: number | undefined
  try {
    ino = proc.stat(file.name).ino
  } catch (error) {
    const why = reason(error)
    if (file.fd !== undefined) {
      complain(proc, `${quote(file.name)} has become inaccessible: ${why}`)
      closeInput(proc, file.fd)
      file.fd = undefined
    }
    return
  }
  if (file.fd !== undefined && ino === file.inode) return
  const known = file.fd !== undefined
  if (file.fd !== undefined) closeInput(proc, file.fd)
  try {
    file.fd = openInput(proc, file.name)
    file.inode = ino
    file.offset = 0
    complain(
      proc,
      known
        ? `${quote(file.name)} has been replaced;  following new file`
        : `${quote(file.name)} has appeared;  following new file`,
    )
  } catch (error) {
    reason(error)
    file.fd = undefined
  }
}

/** @returns the last lines of a text */
function lastLines(text: string, count: number, delimiter: string): string {
  if (count === 0) return ''
  let at = text.length
  // a newline at the very end ends the last line, it does not begin another
  if (text.endsWith(delimiter)) at--
  for (let n = 0; n < count; n++) {
    if (at <= 0) return text
    at = text.lastIndexOf(delimiter, at - 1)
    if (at < 0) return text
  }
  return text.slice(at + 1)
}

/** tail -n +N and -c +N: from a place on to the end, as it comes. */
async function skipFirst(
  proc: Process,
  fd: number,
  writer: Writer,
  count: number,
  bytes: boolean,
  delimiter: string,
  follow: boolean,
): Promise<string> {
  let left = Math.max(0, count - 1)
  for (;;) {
    const data = await proc.read(fd, 65_536)
    if (data.length === 0) return ''
    let text = fromBytes(data)
    if (left > 0) {
      if (bytes) {
        const skipped = Math.min(left, text.length)
        left -= skipped
        text = text.slice(skipped)
      } else {
        let at = 0
        while (left > 0) {
          const end = text.indexOf(delimiter, at)
          if (end < 0) {
            at = text.length
            break
          }
          at = end + 1
          left--
        }
        text = text.slice(at)
      }
    }
    writer.write(text)
    if (!follow) await writer.relax()
  }
}
