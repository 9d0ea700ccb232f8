/** Looking flows up: by the rules where there are any, else in main and default; and what kind of address an address is. */
import { Errno } from '../../uapi/errno.ts'
import { RT_TABLE_LOCAL, RTN_BROADCAST, RTN_MULTICAST, RTN_UNICAST } from '../../uapi/rtnetlink.ts'
import { l3mdevFibTable } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { FibResult } from './fib_info.ts'
import { fibRulesLookup4 } from './fib_rules.ts'
import { fibKey } from './fib_table.ts'
import { Flowi4 } from './flow.ts'
import { ipv4IsLbcast, ipv4IsMulticast, ipv4IsZeronet } from './in_device.ts'

/**
 * Looks a flow up (fib_lookup).
 * @param flags FIB_LOOKUP_… @returns 0 with `res` filled in, -ENETUNREACH where there is no route, or the route's error
 */
export function fibLookup(net: Net, fl4: Flowi4, res: FibResult, flags: number): number {
  const fib = net.at(fibKey)
  if (fib.hasCustomRules) return fibRulesLookup4(net, fib, fl4, res, flags)
  res.tclassid = 0
  let err = -Errno.ENETUNREACH as number
  if (fib.main !== undefined) {
    err = fib.main.lookup(fl4, res, flags)
    if (err === 0) return 0
  }
  if (fib.dflt !== undefined) err = fib.dflt.lookup(fl4, res, flags)
  return err === -Errno.EAGAIN ? -Errno.ENETUNREACH : err
}

const typeFlow = new Flowi4()
const typeRes = new FibResult()

function addrType(net: Net, dev: NetDevice | undefined, addr: number, tableId: number): number {
  if (ipv4IsZeronet(addr) || ipv4IsLbcast(addr)) return RTN_BROADCAST
  if (ipv4IsMulticast(addr)) return RTN_MULTICAST
  const table = net.at(fibKey).getTable(tableId)
  if (table === undefined) return RTN_BROADCAST
  typeFlow.clear().daddr = addr
  if (table.lookup(typeFlow, typeRes, 0) === 0) {
    if (dev === undefined || typeRes.nhc!.dev === dev) return typeRes.type
  }
  return RTN_UNICAST
}

/** @returns what an address is to this host: RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST or RTN_UNICAST (inet_addr_type_table) */
export function inetAddrType(net: Net, addr: number, table: number = RT_TABLE_LOCAL): number {
  return addrType(net, undefined, addr, table)
}

/** The same, with only the addresses of one device counting as local (inet_dev_addr_type). */
export function inetDevAddrType(net: Net, dev: NetDevice, addr: number): number {
  return addrType(net, dev, addr, l3mdevFibTable(dev) || RT_TABLE_LOCAL)
}

/** The same, in the table of the device's L3 master (inet_addr_type_dev_table). */
export function inetAddrTypeDevTable(net: Net, dev: NetDevice, addr: number): number {
  return addrType(net, undefined, addr, l3mdevFibTable(dev) || RT_TABLE_LOCAL)
}
