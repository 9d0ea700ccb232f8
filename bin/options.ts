/** Options that say what machine is booted. */
import { statSync } from 'node:fs'
import { UsageError } from './errors.ts'

/** As commander gives them. */
export interface BootOptions {
  readonly machine?: 'bare' | 'nic'
  readonly seed?: number
  readonly mount?: readonly string[]
  /** seconds on the wall */
  readonly timeout?: number
}

/** A host folder that the machine shows. */
export interface HostMount {
  readonly host: string
  readonly dir: string
  readonly writable: boolean
}

/** Reads `HOSTDIR:/DIR[:rw]`. @throws UsageError */
export function parseMount(text: string): HostMount {
  const match = /^(.+?):(\/[^:]*)(?::(rw|ro))?$/.exec(text)
  if (match === null) throw new UsageError(`--mount ${text}: it must be HOSTDIR:/DIR or HOSTDIR:/DIR:rw`)
  const host = match[1]!
  let folder = false
  try {
    folder = statSync(host).isDirectory()
  } catch {
    throw new UsageError(`--mount ${text}: there is no folder '${host}'`)
  }
  if (!folder) throw new UsageError(`--mount ${text}: '${host}' is not a folder`)
  return { host, dir: match[2]!, writable: match[3] === 'rw' }
}
