/** Devices of tun(4), listed only: `ip tuntap` makes them. */
import type { TunData } from '../../../src/uapi/if_link.ts'
import { lookupGroup, lookupUser } from '../../lib/accounts.ts'
import type { LinkKindOf } from './kind.ts'

const IFF_TUN = 1
const IFF_TAP = 2

export const tun: LinkKindOf<TunData> = {
  kind: 'tun',
  help: '',

  print(ctx, out, data) {
    const onOff = (key: string, value: number | undefined): void => {
      if (value !== undefined) out.put(key, value !== 0, `${key} ${value !== 0 ? 'on' : 'off'} `)
    }
    if (data.type !== undefined) {
      const name = data.type === IFF_TUN ? 'tun' : data.type === IFF_TAP ? 'tap' : 'UNKNOWN'
      out.put('type', name, `type ${name} `)
    }
    onOff('pi', data.pi)
    onOff('vnet_hdr', data.vnetHdr)
    if (data.multiQueue !== undefined) {
      if (data.multiQueue !== 0) out.put('multi_queue', true, 'multi_queue ')
      else out.json('multi_queue', false)
      if (data.numQueues !== undefined) out.put('numqueues', data.numQueues, `numqueues ${data.numQueues} `)
      if (data.numDisabledQueues !== undefined) {
        out.put('numdisabled', data.numDisabledQueues, `numdisabled ${data.numDisabledQueues} `)
      }
    }
    onOff('persist', data.persist)
    if (data.owner !== undefined) {
      const user = lookupUser(ctx.proc, data.owner)
      if (user === undefined) out.put('user', data.owner, `user ${data.owner} `)
      else out.put('user', user, `user ${user} `)
    }
    if (data.group !== undefined) {
      const group = lookupGroup(ctx.proc, data.group)
      if (group === undefined) out.put('group', data.group, `group ${data.group} `)
      else out.put('group', group, `group ${group} `)
    }
  },
}
