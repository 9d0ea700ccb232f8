/** The kernel's log ring: what dmesg reads. */

/** One record. */
export interface LogRecord {
  /** ns since boot */
  readonly time: number
  /** 0 emergency to 7 debug */
  readonly level: number
  readonly text: string
}

/** The log; old records give way to new ones. */
export class KernelLog {
  private records: LogRecord[] = []
  private readonly now: () => number

  /** @param now gives ns since boot */
  constructor(now: () => number) {
    this.now = now
  }

  /** Appends a record (printk). */
  print(level: number, text: string): void {
    this.records.push({ time: this.now(), level, text })
    if (this.records.length > 8192) this.records = this.records.slice(-4096)
  }

  /** @returns what is there, oldest first */
  read(): readonly LogRecord[] {
    return this.records
  }

  /** Forgets everything (dmesg -C). */
  clear(): void {
    this.records = []
  }
}
