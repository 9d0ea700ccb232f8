/** Ports of bonding masters: `type bond_slave`. */
import type { BondSlaveData } from '../../../src/uapi/if_link.ts'
import { invarg } from '../../lib/errors.ts'
import { llAddrN2a } from '../../lib/lladdr.ts'
import { getInteger } from '../../lib/number.ts'
import type { Printer } from '../../lib/printer.ts'
import { u16 } from '../../lib/values.ts'
import { type LinkKindOf, parseOptions } from './kind.ts'

const HELP = `Usage: ... bond_slave [ queue_id ID ] [ prio PRIORITY ]
`
const STATES = ['ACTIVE', 'BACKUP']
const MII_STATES = ['UP', 'GOING_DOWN', 'DOWN', 'GOING_BACK']

/** State bits of a LACP port, IEEE 802.1AX. */
const LACP_STATES: readonly (readonly [number, string])[] = [
  [0x01, 'active'],
  [0x02, 'short_timeout'],
  [0x04, 'aggregating'],
  [0x08, 'in_sync'],
  [0x10, 'collecting'],
  [0x20, 'distributing'],
  [0x40, 'defaulted'],
  [0x80, 'expired'],
]

function printPortState(out: Printer, key: string, state: number | undefined): void {
  if (state === undefined) return
  out.put(key, state, `${key} ${state} `)
  let rest = state
  out.openArray(`${key}_str`, `${key}_str <`)
  for (const [bit, name] of LACP_STATES) {
    if ((rest & bit) === 0) continue
    rest &= ~bit
    out.put(undefined, name, rest === 0 ? name : `${name},`)
  }
  if (rest !== 0) out.put(undefined, rest.toString(16), rest.toString(16))
  out.closeArray('> ')
}

export const bondSlave: LinkKindOf<BondSlaveData> = {
  kind: 'bond_slave',
  help: HELP,

  parse(ctx, args) {
    return parseOptions<BondSlaveData>(
      ctx,
      args,
      {},
      [
        { names: ['queue_id'], read: (data, word) => (data.queueId = u16(word, 'queue_id is invalid')) },
        { names: ['prio'], read: (data, word) => (data.prio = getInteger(word) ?? invarg('prio is invalid', word)) },
      ],
      HELP,
      word => `bond_slave: unknown option "${word}"?\n`,
    )
  },

  print(_ctx, out, data) {
    const number = (value: number | undefined, name: string): void => {
      if (value !== undefined) out.put(name, value, `${name} ${value} `)
    }
    if (data.state !== undefined) {
      const state = STATES[data.state]
      if (state === undefined) out.put('state_index', data.state, `state ${data.state} `)
      else out.put('state', state, `state ${state} `)
    }
    if (data.miiStatus !== undefined) {
      const status = MII_STATES[data.miiStatus]
      if (status === undefined) out.put('mii_status_index', data.miiStatus, `mii_status ${data.miiStatus} `)
      else out.put('mii_status', status, `mii_status ${status} `)
    }
    number(data.linkFailureCount, 'link_failure_count')
    if (data.permHwaddr !== undefined) {
      const address = llAddrN2a(data.permHwaddr, 0)
      out.put('perm_hwaddr', address, `perm_hwaddr ${address} `)
    }
    number(data.queueId, 'queue_id')
    number(data.prio, 'prio')
    number(data.adAggregatorId, 'ad_aggregator_id')
    printPortState(out, 'ad_actor_oper_port_state', data.adActorOperPortState)
    printPortState(out, 'ad_partner_oper_port_state', data.adPartnerOperPortState)
  },
}
