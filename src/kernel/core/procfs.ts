/** /proc/net: files that subsystems register per namespace. */
import { type KernfsDir, type KernfsNode, KernfsTable, kernfsText } from './kernfs.ts'
import { type Net, pernetKey } from './net_namespace.ts'

const key = pernetKey<KernfsTable>('proc_net')

/** Makes the empty directory of a namespace. */
export function procNetInit(net: Net): void {
  net.set(key, new KernfsTable())
}

/** @returns the namespace's /proc/net */
export function procNet(net: Net): KernfsDir {
  return net.at(key)
}

/** Registers `/proc/net/NAME` (slashes make directories) whose text is made on reading (proc_create_net). */
export function procCreateNet(net: Net, name: string, read: () => string | number, mode = 0o444): void {
  procSetNet(net, name, kernfsText(read, mode))
}

/** Registers any node as `/proc/net/NAME`. */
export function procSetNet(net: Net, name: string, node: KernfsNode): void {
  const parts = name.split('/')
  const last = parts.pop()!
  let dir = net.at(key)
  for (const part of parts) dir = dir.dir(part)
  dir.set(last, node)
}
