/** /proc/sys: the reader's namespace's net tree from the kernel, and the machine's own sysctls beside it. */
import { type KernfsFile, KernfsTable } from '../../kernel/core/kernfs.ts'
import type { CtlTable } from '../../kernel/core/sysctl.ts'
import { procDointvec, vector } from '../../kernel/core/sysctl_handlers.ts'
import { Errno } from '../../uapi/errno.ts'
import type { Machine } from '../machine.ts'
import { PID_MAX } from '../process_table.ts'
import type { Task } from '../task.ts'
import { RELEASE, SYSNAME, VERSION } from '../uts.ts'
import type { ViewDir } from './kernfs_inode.ts'
import { overlayDirs } from './procfs.ts'
import { SYSCTL_VALUES } from './sysctl_values.ts'

/** Characters of a host or domain name that count (__NEW_UTS_LEN). */
const UTS_MAX = 64

/** A sysctl whose value is a text: what is written up to the first newline. */
function textEntry(read: () => string, write?: (value: string) => void, mode?: number): KernfsFile {
  return {
    kind: 'file',
    mode: mode ?? (write === undefined ? 0o444 : 0o644),
    read: () => `${read()}\n`,
    ...(write === undefined
      ? {}
      : {
          write: (text: string) => {
            write(text.replace(/\n.*$/s, ''))
            return text.length
          },
        }),
  }
}

/** Makes a file of what the kernel's sysctl handlers make. */
function tableEntry(entry: CtlTable): KernfsFile {
  return {
    kind: 'file',
    mode: entry.mode,
    read: () => entry.read?.() ?? -Errno.EIO,
    write: text => {
      const result = entry.write?.(text) ?? -Errno.EINVAL
      return result < 0 ? result : text.length
    },
  }
}

/** A sysctl that starts with the given text, as numbers where it consists of such. */
function valueEntry(name: string, mode: number, start: string): KernfsFile {
  const words = start.split('\t')
  const values = words.map(Number)
  if (words.every(word => /^-?\d+$/.test(word)) && values.every(value => Math.abs(value) <= 0x7fffffff))
    return tableEntry(procDointvec(name, vector({ values }, 'values'), { mode }))
  let value = start
  if ((mode & 0o222) === 0) return textEntry(() => value, undefined, mode)
  return textEntry(
    () => value,
    text => {
      value = text
    },
    mode,
  )
}

/** A sysctl that only takes a number, to make the kernel do something. */
function actionEntry(mode: number): KernfsFile {
  return { kind: 'file', mode, write: text => (/^\s*\d+\s*$/.test(text) ? text.length : -Errno.EINVAL) }
}

function fill(root: KernfsTable): void {
  for (const line of SYSCTL_VALUES.trimEnd().split('\n')) {
    const [path = '', bits = '', ...value] = line.split(' ')
    const parts = path.split('/')
    const name = parts.pop()!
    let dir = root
    for (const part of parts) dir = dir.dir(part)
    const mode = Number.parseInt(bits, 8)
    dir.set(name, (mode & 0o444) === 0 ? actionEntry(mode) : valueEntry(name, mode, value.join(' ')))
  }
}

/** Sysctls that show what the machine is. */
function identity(machine: Machine, table: KernfsTable): void {
  const uuid = (): string => {
    const bytes = machine.random.fill(new Uint8Array(16))
    const hex = [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
  }
  let bootId: string | undefined
  table.set(
    'ns_last_pid',
    textEntry(() => String(machine.processes.lastPid)),
  )
  table.set(
    'osrelease',
    textEntry(() => RELEASE),
  )
  table.set(
    'ostype',
    textEntry(() => SYSNAME),
  )
  table.set(
    'pid_max',
    textEntry(() => String(PID_MAX)),
  )
  table.set(
    'version',
    textEntry(() => VERSION),
  )
  const random = table.dir('random')
  random.set(
    'boot_id',
    textEntry(() => (bootId ??= uuid())),
  )
  random.set('uuid', textEntry(uuid))
}

/** The names that belong to the reader's UTS namespace. */
function utsEntries(task: Task): KernfsTable {
  const table = new KernfsTable(true)
  const kernel = table.dir('kernel')
  for (const name of ['domainname', 'hostname'] as const)
    kernel.set(
      name,
      textEntry(
        () => task.uts[name],
        text => {
          task.uts[name] = text.slice(0, UTS_MAX)
        },
      ),
    )
  return table
}

/** @returns /proc/sys */
export function sysctlTree(machine: Machine): ViewDir {
  let own: KernfsTable | undefined
  const view = (task: Task): ViewDir => {
    if (own === undefined) {
      own = new KernfsTable(true)
      fill(own)
      identity(machine, own.dir('kernel'))
    }
    return overlayDirs(machine.kernel.procSys(task.net), overlayDirs(utsEntries(task), own))
  }
  return {
    kind: 'dir',
    mode: 0o555,
    list: task => view(task).list(task),
    lookup: (name, task) => view(task).lookup(name, task),
  }
}
