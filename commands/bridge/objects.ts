/** The objects of `bridge`, in the order abbreviations are tried. */
import type { BridgeObject } from './context.ts'

/** An object and how to get at its code, which is loaded when it is first used. */
export interface ObjectEntry {
  readonly name: string
  load(): Promise<{ readonly run: BridgeObject }>
}

/** @see ObjectEntry */
export const OBJECTS: readonly ObjectEntry[] = [
  { name: 'link', load: () => import('./link.ts') },
  { name: 'fdb', load: () => import('./fdb.ts') },
  { name: 'mdb', load: () => import('./mdb.ts') },
  { name: 'vlan', load: () => import('./vlan.ts') },
  { name: 'vni', load: () => import('./vni.ts') },
  { name: 'monitor', load: () => import('./monitor.ts') },
]
