/**
 * The sysctl tree: /proc/sys as seen from a namespace. Subsystems register tables of entries under a path; the typed
 * handlers that parse, check and print values are in sysctl_handlers.ts.
 */
import { type KernfsDir, type KernfsNode, KernfsTable } from './kernfs.ts'
import { type Net, pernetKey } from './net_namespace.ts'

/** One entry (`ctl_table`). */
export interface CtlTable {
  readonly procname: string
  /** permission bits: 0o644, 0o444 read-only, 0o200 write-only, 0o600 secret */
  readonly mode: number
  /** @returns the text with its newline, or a negative error */
  read?(): string | number
  /** @returns 0 or a negative error */
  write?(text: string): number
}

const key = pernetKey<KernfsTable>('sysctl')

/** Makes the empty tree of a namespace. Called before any other subsystem's init. */
export function sysctlNetInit(net: Net): void {
  net.set(key, new KernfsTable(true))
}

/** @returns the tree whose top holds `net`, `kernel` … */
export function sysctlRoot(net: Net): KernfsDir {
  return net.at(key)
}

/**
 * Registers entries under a path of a namespace's tree.
 * @param path such as `net/ipv4/conf/eth0`
 */
export function registerNetSysctl(net: Net, path: string, table: readonly CtlTable[]): void {
  let dir = net.at(key)
  for (const part of path.split('/')) dir = dir.dir(part, true)
  for (const entry of table) dir.set(entry.procname, ctlNode(entry))
}

/** Takes a whole directory out of a namespace's tree, such as that of a device that has gone. */
export function unregisterNetSysctl(net: Net, path: string): void {
  const parts = path.split('/')
  const last = parts.pop()!
  let dir: KernfsNode | undefined = net.at(key)
  for (const part of parts) {
    if (!(dir instanceof KernfsTable)) return
    dir = dir.lookup(part)
  }
  if (dir instanceof KernfsTable) dir.delete(last)
}

function ctlNode(entry: CtlTable): KernfsNode {
  const { write } = entry
  return {
    kind: 'file',
    mode: entry.mode,
    ...(entry.read === undefined ? {} : { read: () => entry.read!() }),
    ...(write === undefined
      ? {}
      : {
          write: (text: string) => {
            const rc = write.call(entry, text)
            return rc < 0 ? rc : text.length
          },
        }),
  }
}
