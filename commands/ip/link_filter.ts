/** What `ip link show`, `ip address show` and `ip address flush` select. */
import type { InetPrefix } from '../lib/inet.ts'

/** A selection of links and addresses; the empty one selects all. */
export interface LinkFilter {
  /** AF_…; 0 any, AF_PACKET links only */
  family: number
  /** 0 any */
  ifindex: number
  /** show `qlen` */
  showQueue: boolean
  oneline: boolean
  /** only links that are up */
  up: boolean
  /** shell pattern of the address label */
  label: string | undefined
  /** -1 any */
  group: number
  /** index of the master; 0 any, -1 none */
  master: number
  kind: string | undefined
  slaveKind: string | undefined
  prefix: InetPrefix | undefined
  scope: number
  scopeMask: number
  flags: number
  flagMask: number
  /** whether addresses are printed to be flushed: with their interface first */
  flushing: boolean
}

/** @returns a filter that selects everything */
export function linkFilter(oneline: boolean, family = 0): LinkFilter {
  return {
    family,
    ifindex: 0,
    showQueue: false,
    oneline,
    up: false,
    label: undefined,
    group: -1,
    master: 0,
    kind: undefined,
    slaveKind: undefined,
    prefix: undefined,
    scope: 0,
    scopeMask: 0,
    flags: 0,
    flagMask: 0,
    flushing: false,
  }
}
