/** Telling listeners of routes whose next hop object has changed under them. */
import { NLM_F_REPLACE } from '../../uapi/netlink.ts'
import { RTM_NEWROUTE } from '../../uapi/rtnetlink.ts'
import type { Net } from '../core/net_namespace.ts'
import { rtmsgFib } from './fib_dump.ts'
import { fibKey } from './fib_table.ts'

/** Notifies of every route whose `fib_info` is marked as updated (fib_info_notify_update). */
export function fibInfoNotifyUpdate(net: Net): void {
  for (const table of net.at(fibKey).inOrder())
    table.each((key, fa) => {
      if (fa.info.nhUpdated) rtmsgFib(net, RTM_NEWROUTE, key, fa, table.id, NLM_F_REPLACE)
      return true
    })
}
