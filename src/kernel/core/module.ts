/**
 * Modules: parts of the kernel that come in when somebody asks for what they provide, as the reference machine's do.
 * Until then their files, fallback devices and handlers are not there.
 */
import type { Kernel } from '../kernel.ts'
import type { PernetOperations } from './net_namespace.ts'

/** A module: what it is called, what it answers to, what it brings. */
export interface KernelModule {
  /** as lsmod shows it */
  readonly name: string
  /** what it is asked for by, such as `rtnl-link-vlan` */
  readonly aliases: readonly string[]
  /** modules it needs first */
  readonly depends?: readonly string[]
  init(kernel: Kernel): void
}

class ModuleTable {
  readonly byAlias = new Map<string, KernelModule>()
  readonly byName = new Map<string, KernelModule>()
  readonly loaded = new Set<string>()
}

const TABLES = new WeakMap<Kernel, ModuleTable>()

function tableOf(kernel: Kernel): ModuleTable {
  let table = TABLES.get(kernel)
  if (table === undefined) {
    table = new ModuleTable()
    TABLES.set(kernel, table)
  }
  return table
}

/** Makes a module known; it is loaded when first asked for. */
export function registerModule(kernel: Kernel, module: KernelModule): void {
  const table = tableOf(kernel)
  table.byName.set(module.name, module)
  for (const alias of module.aliases) table.byAlias.set(alias, module)
}

/** Loads a module and what it needs (request_module). @param name its name or an alias @returns whether there is one */
export function requestModule(kernel: Kernel, name: string): boolean {
  const table = tableOf(kernel)
  const module = table.byName.get(name) ?? table.byAlias.get(name)
  if (module === undefined) return false
  if (table.loaded.has(module.name)) return true
  table.loaded.add(module.name)
  for (const needed of module.depends ?? []) requestModule(kernel, needed)
  module.init(kernel)
  return true
}

/** @returns the names of loaded modules, in the order of loading */
export function loadedModules(kernel: Kernel): readonly string[] {
  return [...tableOf(kernel).loaded]
}

/** Registers pernet operations at any time: namespaces that exist already are set up at once (register_pernet_subsys). */
export function registerPernetLate(kernel: Kernel, ops: PernetOperations): void {
  kernel.registerPernet(ops)
  for (const net of kernel.nets) if (!net.dying) ops.init(net)
}
