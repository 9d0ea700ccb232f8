/** Virtual routing and forwarding: `type vrf`, and its ports. */
import type { VrfData } from '../../../src/uapi/if_link.ts'
import { invarg } from '../../lib/errors.ts'
import { type LinkKindOf, parseOptions } from './kind.ts'

const HELP = `Usage: ... vrf table TABLEID
`
export const vrf: LinkKindOf<VrfData> = {
  kind: 'vrf',
  help: HELP,

  parse(ctx, args) {
    return parseOptions<VrfData>(
      ctx,
      args,
      {},
      [
        {
          names: ['table'],
          read: (data, word) => (data.table = ctx.names.rtTable.a2n(word) ?? invarg('invalid table ID\n', word)),
        },
      ],
      HELP,
      word => `vrf: unknown option "${word}"?\n`,
    )
  },

  print(_ctx, out, data) {
    if (data.table !== undefined) out.put('table', data.table, `table ${data.table} `)
  },
}

/** Ports show the table of their VRF and have no options. */
export const vrfSlave: LinkKindOf<VrfData> = {
  kind: 'vrf_slave',
  help: '',

  print(_ctx, out, data) {
    if (data.table !== undefined) out.put('table', data.table, `table ${data.table} `)
  },
}
