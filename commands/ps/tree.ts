/** Processes as trees: each after its parent, with branches (`f`, --forest) or indented (-H). */
import type { ProcInfo } from '../lib/procps.ts'

/**
 * @param prefixes gets what is shown before each command's name
 * @returns the processes in the order of the trees; a process whose parent is not among them begins one
 */
export function arrange(processes: readonly ProcInfo[], branches: boolean, prefixes: Map<number, string>): ProcInfo[] {
  const known = new Set(processes.map(info => info.pid))
  const children = new Map<number, ProcInfo[]>()
  const roots: ProcInfo[] = []
  for (const info of processes)
    if (known.has(info.ppid) && info.ppid !== info.pid) {
      const siblings = children.get(info.ppid)
      if (siblings === undefined) children.set(info.ppid, [info])
      else siblings.push(info)
    } else roots.push(info)
  // the kernel's threads come first, as process 2 is listed before process 1
  roots.sort((a, b) => Number(b.pid === 2) - Number(a.pid === 2))
  const ordered: ProcInfo[] = []
  const visit = (info: ProcInfo, depth: number, last: boolean, bars: string): void => {
    ordered.push(info)
    if (branches) prefixes.set(info.pid, depth === 0 ? '' : `${bars} \\_ `)
    else prefixes.set(info.pid, '  '.repeat(depth))
    const below = children.get(info.pid) ?? []
    below.forEach((child, i) => {
      const trunk = depth === 0 ? '' : bars + (last ? '    ' : ' |  ')
      visit(child, depth + 1, i === below.length - 1, trunk)
    })
  }
  for (const root of roots) visit(root, 0, true, '')
  return ordered
}
