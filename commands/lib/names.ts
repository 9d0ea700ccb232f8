/**
 * Names for numbers: routing tables, protocols, scopes, DS fields, realms, device groups. Built-in names are extended
 * and overridden by the files in /etc/iproute2, which are read on first use.
 */
import { isSysError } from '../../src/uapi/errno.ts'
import type { Process } from '../../src/uapi/process.ts'
import { scanInteger } from './number.ts'

/** Reasons of protodown have a folder only. */
const PROTODOWN_REASONS = 'protodown_reasons'

/** The files a table may come from. */
type FileReader = Pick<Process, 'readFile' | 'readdir'>

/** How a table reads and writes numbers. */
interface NameTableOptions {
  /** name in /etc/iproute2, also the folder NAME.d whose *.conf files are read */
  readonly file: string
  readonly folder?: boolean
  readonly builtin: readonly (readonly [number, string])[]
  /** largest number a word may be */
  readonly max: number
  /** how a number without a name is written */
  readonly format?: (id: number) => string
  /** base of numbers on the command line */
  readonly base?: number
}

/** One table of names. */
export class NameTable {
  private readonly options: NameTableOptions
  private readonly files: FileReader
  private readonly numeric: () => boolean
  private byId: Map<number, string> | undefined

  constructor(files: FileReader, numeric: () => boolean, options: NameTableOptions) {
    this.files = files
    this.numeric = numeric
    this.options = options
  }

  private load(): Map<number, string> {
    if (this.byId !== undefined) return this.byId
    const table = new Map(this.options.builtin)
    this.byId = table
    if (this.options.file !== PROTODOWN_REASONS) this.readTable(`/etc/iproute2/${this.options.file}`, table)
    if (this.options.folder === true) {
      const folder = `/etc/iproute2/${this.options.file}.d`
      for (const name of this.list(folder)) if (name.endsWith('.conf')) this.readTable(`${folder}/${name}`, table)
    }
    return table
  }

  private list(folder: string): string[] {
    try {
      return this.files.readdir(folder).map(entry => entry.name)
    } catch (error) {
      if (isSysError(error)) return []
      throw error
    }
  }

  private readTable(path: string, table: Map<number, string>): void {
    let text: string
    try {
      text = new TextDecoder().decode(this.files.readFile(path))
    } catch (error) {
      if (isSysError(error)) return
      throw error
    }
    for (const line of text.split('\n')) {
      const match = /^[ \t]*(0x[0-9a-fA-F]+|-?\d+)\s+(\S+)/.exec(line)
      if (match !== null) table.set(Number(match[1]), match[2]!)
    }
  }

  /** @returns the name of a number, or the number as text where it has none or -N was given */
  n2a(id: number): string {
    const name = this.numeric() ? undefined : this.load().get(id)
    return name ?? this.options.format?.(id) ?? String(id)
  }

  /** @returns the name of a number, or undefined */
  name(id: number): string | undefined {
    return this.load().get(id)
  }

  /** @returns the number a word names or is, or undefined */
  a2n(word: string): number | undefined {
    let found: number | undefined
    for (const [id, name] of this.load()) if (name === word && (found === undefined || id < found)) found = id
    if (found !== undefined) return found
    const { value, length } = scanInteger(word, this.options.base ?? 0)
    if (length === 0 || length !== word.length || value < 0n || value > BigInt(this.options.max)) return undefined
    return Number(value)
  }
}

/** All tables of names a tool of iproute2 uses. */
export interface NameTables {
  readonly rtTable: NameTable
  readonly rtProto: NameTable
  readonly rtScope: NameTable
  readonly rtDsfield: NameTable
  readonly rtRealm: NameTable
  readonly group: NameTable
  readonly nlProto: NameTable
  readonly protodownReason: NameTable
}

/** @param numeric whether -Numeric was given  @returns the tables, read lazily from the process's files */
export function createNameTables(files: FileReader, numeric: () => boolean): NameTables {
  const table = (options: NameTableOptions): NameTable => new NameTable(files, numeric, options)
  return {
    rtTable: table({
      file: 'rt_tables',
      folder: true,
      max: 0xffffffff,
      builtin: [
        [253, 'default'],
        [254, 'main'],
        [255, 'local'],
      ],
    }),
    rtProto: table({
      file: 'rt_protos',
      folder: true,
      max: 255,
      builtin: [
        [0, 'unspec'],
        [1, 'redirect'],
        [2, 'kernel'],
        [3, 'boot'],
        [4, 'static'],
        [8, 'gated'],
        [9, 'ra'],
        [10, 'mrt'],
        [11, 'zebra'],
        [12, 'bird'],
        [13, 'dnrouted'],
        [14, 'xorp'],
        [15, 'ntk'],
        [16, 'dhcp'],
        [18, 'keepalived'],
        [42, 'babel'],
        [186, 'bgp'],
        [187, 'isis'],
        [188, 'ospf'],
        [189, 'rip'],
        [192, 'eigrp'],
      ],
    }),
    rtScope: table({
      file: 'rt_scopes',
      max: 255,
      builtin: [
        [0, 'global'],
        [200, 'site'],
        [253, 'link'],
        [254, 'host'],
        [255, 'nowhere'],
      ],
    }),
    rtDsfield: table({
      file: 'rt_dsfield',
      max: 255,
      base: 16,
      builtin: [[0, '0']],
      format: id => `0x${id.toString(16).padStart(2, '0')}`,
    }),
    rtRealm: table({ file: 'rt_realms', max: 255, builtin: [[0, 'unknown']] }),
    group: table({ file: 'group', max: 0x7fffffff, builtin: [[0, 'default']] }),
    protodownReason: table({ file: PROTODOWN_REASONS, folder: true, max: 31, builtin: [] }),
    nlProto: table({
      file: 'nl_protos',
      max: 255,
      builtin: [
        [0, 'rtnl'],
        [1, 'unused'],
        [2, 'usersock'],
        [3, 'fw'],
        [4, 'tcpdiag'],
        [5, 'nflog'],
        [6, 'xfrm'],
        [7, 'selinux'],
        [8, 'iscsi'],
        [9, 'audit'],
        [10, 'fiblookup'],
        [11, 'connector'],
        [12, 'nft'],
        [13, 'ip6fw'],
        [14, 'dec-rt'],
        [15, 'uevent'],
        [16, 'genl'],
        [18, 'scsi-trans'],
        [19, 'ecryptfs'],
        [20, 'rdma'],
        [21, 'crypto'],
      ],
    }),
  }
}
