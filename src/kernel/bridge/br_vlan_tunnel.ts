/** VLANs of a port that is a tunnel to many: which tunnel key the frames of each have (`bridge vlan … tunnel_info`). */
import { Errno } from '../../uapi/errno.ts'
import type { BridgeAfSpec } from '../../uapi/if_link.ts'
import { BR_VLAN_TUNNEL, type NetBridgePort } from './br.ts'
import { BRIDGE_VLAN_INFO_RANGE_BEGIN, BRIDGE_VLAN_INFO_RANGE_END, type VlanGroup } from './br_vlan_group.ts'

type Tunnels = NonNullable<BridgeAfSpec['tunnels']>

/** @returns the keys of a port's VLANs, rows of VLANs with rows of keys together */
export function tunnelsOf(group: VlanGroup): Tunnels {
  const out: Tunnels = []
  for (const { vid, tunnelId: id } of group.list()) {
    if (id === undefined) continue
    const last = out.at(-1)
    if (last !== undefined && (last.vidEnd ?? last.vid) + 1 === vid && (last.idEnd ?? last.id) + 1 === id) {
      last.vidEnd = vid
      last.idEnd = id
    } else out.push({ id, vid, flags: 0 })
  }
  return out
}

function addOne(group: VlanGroup, vid: number, id: number): number {
  const vlan = group.find(vid)
  if (vlan === undefined) return -Errno.EINVAL
  if (vlan.tunnelId !== undefined || group.list().some(each => each.tunnelId === id)) return -Errno.EEXIST
  vlan.tunnelId = id
  return 0
}

/** Gives VLANs of a port their keys, or takes them (br_process_vlan_tunnel_info). @returns 0, -EINVAL or -EEXIST */
export function changeTunnels(port: NetBridgePort | undefined, tunnels: Tunnels, add: boolean): number {
  const group = port?.vlans
  if (port === undefined || group === undefined || (port.flags & BR_VLAN_TUNNEL) === 0) return -Errno.EINVAL
  let begin: { readonly vid: number; readonly id: number } | undefined
  for (const tunnel of tunnels) {
    let { vid, id } = tunnel
    let { vidEnd = vid, idEnd = id } = tunnel
    if ((tunnel.flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) !== 0) {
      if (begin !== undefined) return -Errno.EINVAL
      begin = { vid, id }
      continue
    }
    if ((tunnel.flags & BRIDGE_VLAN_INFO_RANGE_END) !== 0) {
      if (begin === undefined) return -Errno.EINVAL
      vidEnd = vid
      idEnd = id
      ;({ vid, id } = begin)
      begin = undefined
    }
    if (vidEnd - vid !== idEnd - id) return -Errno.EINVAL
    for (let n = 0; n <= vidEnd - vid; n++) {
      if (add) {
        const rc = addOne(group, vid + n, id + n)
        if (rc < 0) return rc
      } else {
        const vlan = group.find(vid + n)
        if (vlan !== undefined) vlan.tunnelId = undefined
      }
    }
  }
  return 0
}

/** The port is no tunnel any more: its VLANs lose their keys (nbp_vlan_tunnel_info_flush). */
export function flushTunnels(group: VlanGroup | undefined): void {
  for (const vlan of group?.list() ?? []) vlan.tunnelId = undefined
}
