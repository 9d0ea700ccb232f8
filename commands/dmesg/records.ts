/** Kernel log records, from /dev/kmsg or from a file of dmesg's own output. */
import { Errno, isSysError } from '../../src/uapi/errno.ts'
import { O_NONBLOCK, O_RDONLY } from '../../src/uapi/fs.ts'
import type { Process } from '../../src/uapi/process.ts'

/** One message. */
export interface LogRecord {
  readonly facility: number
  /** 0 emergency to 7 debug */
  readonly level: number
  /** µs since boot */
  readonly time: number
  readonly text: string
}

export const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'] as const
export const FACILITIES = ['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news'] as const

const decoder = new TextDecoder()

/** The open kernel log. */
export class KernelLog {
  private readonly proc: Process
  private readonly fd: number

  /** Throws SysError where it cannot be opened. */
  constructor(proc: Process) {
    this.proc = proc
    this.fd = proc.open('/dev/kmsg', O_RDONLY | O_NONBLOCK)
  }

  /** @returns the records that have come since the last call */
  async read(): Promise<LogRecord[]> {
    const records: LogRecord[] = []
    for (;;) {
      let line: string
      try {
        line = decoder.decode(await this.proc.read(this.fd, 8192))
      } catch (error) {
        if (isSysError(error, Errno.EAGAIN)) return records
        throw error
      }
      const match = /^(\d+),\d+,(\d+),[^;]*;(.*)\n$/s.exec(line)
      if (match === null) continue
      const priority = Number(match[1])
      records.push({
        facility: priority >> 3,
        level: priority & 7,
        time: Number(match[2]),
        text: match[3]!.replace(/\n /g, '\n'),
      })
    }
  }

  /** Forgets all records. */
  clear(): void {
    this.proc.ftruncate(this.fd, 0)
  }
}

/** Reads records as syslog(2) writes them, `<6>[    1.234567] text` a line; both parts may be missing. */
export function parseFile(text: string): LogRecord[] {
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const match = /^(?:<(\d+)>)?(?:\[ *(\d+)\.(\d{6})\] )?(.*)$/s.exec(line)!
      const priority = Number(match[1] ?? 0)
      return {
        facility: priority >> 3,
        level: priority & 7,
        time: Number(match[2] ?? 0) * 1e6 + Number(match[3] ?? 0),
        text: match[4] ?? '',
      }
    })
}
