/** ARP's neighbour table, reachable from a namespace by an array access. */
import type { NeighTable } from '../core/neighbour.ts'
import { pernetKey } from '../core/net_namespace.ts'

/** Names the kernel's table: `net.at(arpTblKey)`. */
export const arpTblKey = pernetKey<NeighTable>('arp_tbl')
