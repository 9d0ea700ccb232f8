/**
 * Neighbours: which link-layer address a network address has on a device, and how sure we are of it (`neighbour`,
 * `neigh_table`). The states and timers are those of neighbour unreachability detection (RFC 4861 §7.3), which ARP
 * uses as well. A table is one per address family and kernel; entries belong to a device and through it to a namespace.
 *
 * For a family: make a `NeighTable` with its operations in the family's init, `neighParmsAlloc` for each device that
 * the family is brought up on, `tbl.lookup`/`neighCreate` for the next hop of a packet, `neighOutput` to send it there,
 * `neighUpdate` when a message of the resolution protocol comes in, `neighIfdown`/`neighChangeaddr`/`neighCarrierDown`
 * when the device changes.
 */
export * from './neigh_entry.ts'
export * from './neigh_nud.ts'
export * from './neigh_parms.ts'
export * from './neigh_proxy.ts'
export * from './neigh_table.ts'
export { neighAppNs } from './neighbour_rtnl.ts'
