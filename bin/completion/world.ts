/** What completion may look at: the names a process of the machine sees. Looking takes no virtual time. */
import type { Machine } from '../../src/machine/machine.ts'
import type { Task } from '../../src/machine/task.ts'
import { BUILTINS } from '../../src/shell/builtins/index.ts'
import { KEYWORDS } from '../../src/shell/builtins/lookup.ts'
import { isSysError } from '../../src/uapi/errno.ts'
import { S_IFDIR, S_IFLNK, S_IFMT } from '../../src/uapi/fs.ts'
import type { LineEditing } from '../../src/uapi/process.ts'
import { Signal } from '../../src/uapi/signal.ts'
import type { Source } from './grammar.ts'

/** Bytes of a file that are looked at. */
const FILE_MAX = 1 << 16

/** A name, and whether more may follow it in the same word. */
export interface Name {
  readonly text: string
  readonly open?: boolean
}

/** Gives names to choose from. */
export interface World {
  /** @param prefix what is typed already; a source may give more than begins with it */
  names(source: Source, prefix: string): readonly Name[]
}

/** A process's view. */
export class ProcessWorld implements World {
  private readonly machine: Machine
  private readonly task: Task
  private readonly editing: LineEditing

  constructor(machine: Machine, task: Task, editing: LineEditing) {
    this.machine = machine
    this.task = task
    this.editing = editing
  }

  names(source: Source, prefix: string): readonly Name[] {
    const plain = (names: Iterable<string>): Name[] => [...names].map(text => ({ text }))
    switch (source) {
      case 'DEV':
        return plain(this.task.net.devicesByName.keys())
      case 'NETNS':
        return plain(this.entries('/run/netns').map(entry => entry.name))
      case 'FILE':
        return this.files(prefix, false)
      case 'DIR':
        return this.files(prefix, true)
      case 'CMD':
      case 'PROGRAM':
        return prefix.includes('/')
          ? this.files(prefix, false)
          : plain([...this.programs(), ...this.editing.names('command', prefix)])
      case 'SYSCTL':
        return this.sysctls(prefix)
      case 'SIGNAL':
        return plain(Object.keys(Signal).map(name => name.slice(3)))
      case 'PID':
        return plain(this.machine.processes.all().map(task => String(task.pid)))
      case 'USER':
        return plain(this.fields('/etc/passwd', ':', fields => fields.slice(0, 1)))
      case 'HOST':
        return plain(this.fields('/etc/hosts', /\s+/, fields => fields.slice(1)))
      case 'VARIABLE':
        return plain(new Set([...this.task.env.keys(), ...this.editing.names('variable', prefix)]))
      case 'ANY':
        return []
    }
  }

  private entries(dir: string): { name: string; directory: boolean }[] {
    const { vfs } = this.machine
    try {
      return vfs.readdir(this.task, dir).map(entry => {
        const type = entry.type & S_IFMT
        if (type !== S_IFLNK) return { name: entry.name, directory: type === S_IFDIR }
        const target = vfs.find(this.task, `${dir}/${entry.name}`)
        return { name: entry.name, directory: typeof target !== 'number' && target.inode.isDirectory }
      })
    } catch (error) {
      if (isSysError(error)) return []
      throw error
    }
  }

  private files(prefix: string, directories: boolean): Name[] {
    const slash = prefix.lastIndexOf('/')
    const head = prefix.slice(0, slash + 1)
    const home = this.task.env.get('HOME') ?? '/root'
    const dir = head === '' ? '.' : /^~(?=\/)/.test(head) ? home + head.slice(1) : head
    return this.entries(dir)
      .filter(entry => !directories || entry.directory)
      .filter(entry => !entry.name.startsWith('.') || prefix.slice(slash + 1).startsWith('.'))
      .map(entry => ({ text: head + entry.name + (entry.directory ? '/' : ''), open: entry.directory }))
  }

  private programs(): Set<string> {
    const names = new Set([...BUILTINS.keys(), ...KEYWORDS])
    for (const dir of (this.task.env.get('PATH') ?? '').split(':'))
      for (const entry of this.entries(dir === '' ? '.' : dir)) if (!entry.directory) names.add(entry.name)
    return names
  }

  /** Keys of sysctl, a level at a time. */
  private sysctls(prefix: string): Name[] {
    const slashed = prefix.includes('/')
    const separator = slashed ? '/' : '.'
    const head = prefix.slice(0, prefix.lastIndexOf(separator) + 1)
    const dir = slashed ? head : head.replace(/[./]/g, c => (c === '.' ? '/' : '.'))
    return this.entries(`/proc/sys/${dir}`).map(({ name, directory }) => {
      const text = head + (slashed ? name : name.replaceAll('.', '/'))
      return directory ? { text: text + separator, open: true } : { text }
    })
  }

  /** Words of a file's lines, comments left out. @param which the fields of a line that count */
  private fields(path: string, separator: string | RegExp, which: (fields: string[]) => string[]): string[] {
    try {
      const file = this.machine.openFile(path)
      const data = file.read(this.task, FILE_MAX)
      file.put()
      if (typeof data === 'number') return []
      const lines = new TextDecoder().decode(data).split('\n')
      return lines.filter(line => line !== '' && !line.startsWith('#')).flatMap(line => which(line.split(separator)))
    } catch (error) {
      if (isSysError(error)) return []
      throw error
    }
  }
}
