/** Options of a whole VLAN of a bridge: multicast snooping in it (`bridge vlan global`). */
import { Errno } from '../../uapi/errno.ts'
import type { VlanGlobalOptions } from '../../uapi/if_bridge.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import { clockToJiffies, jiffiesToClock, type NetBridge } from './br.ts'
import { brMulticastSetIgmpVersion, brMulticastSetMldVersion, brSetQueryInterval } from './br_multicast.ts'
import { MDB_RTR_TYPE_PERM, type VlanSnoopValues } from './br_multicast_ctx.ts'
import type { BridgeVlan } from './br_vlan_group.ts'

const VLAN_VID_MASK = 0xfff

function options(vid: number, values: VlanSnoopValues): VlanGlobalOptions {
  return {
    vid,
    mcastSnooping: values.enabled ? 1 : 0,
    mcastQuerier: values.querier ? 1 : 0,
    mcastIgmpVersion: values.igmpVersion,
    mcastMldVersion: values.mldVersion,
    mcastLastMemberCnt: values.lastMemberCount,
    mcastLastMemberIntvl: jiffiesToClock(values.lastMemberInterval),
    mcastStartupQueryCnt: values.startupQueryCount,
    mcastStartupQueryIntvl: jiffiesToClock(values.startupQueryInterval),
    mcastMembershipIntvl: jiffiesToClock(values.membershipInterval),
    mcastQuerierIntvl: jiffiesToClock(values.querierInterval),
    mcastQueryIntvl: jiffiesToClock(values.queryInterval),
    mcastQueryResponseIntvl: jiffiesToClock(values.queryResponseInterval),
  }
}

function routerPorts(br: NetBridge, vid: number): NonNullable<VlanGlobalOptions['routerPorts']> {
  return br.ports
    .filter(port => port.vlans?.find(vid)?.mcastRouter === MDB_RTR_TYPE_PERM)
    .map(port => ({ port: port.dev.ifindex, timer: 0, type: MDB_RTR_TYPE_PERM }))
}

/** @returns the options of all VLANs of a bridge, alike neighbours together (br_vlan_global_opts_fill) */
export function globalOptionsOf(br: NetBridge): VlanGlobalOptions[] {
  const out: VlanGlobalOptions[] = []
  let last: BridgeVlan | undefined
  for (const vlan of br.vlans.list()) {
    const routers = routerPorts(br, vlan.vid)
    const range = out.at(-1)
    if (
      range !== undefined &&
      last !== undefined &&
      last.vid + 1 === vlan.vid &&
      range.routerPorts === undefined &&
      routers.length === 0 &&
      last.snooping.same(vlan.snooping)
    )
      range.rangeEnd = vlan.vid
    else {
      const entry = options(vlan.vid, vlan.snooping)
      if (routers.length > 0) entry.routerPorts = routers
      out.push(entry)
    }
    last = vlan
  }
  return out
}

function changeOne(br: NetBridge, values: VlanSnoopValues, wanted: VlanGlobalOptions): number {
  const steps: (readonly [number | undefined, (value: number) => number | undefined])[] = [
    [wanted.mcastSnooping, value => void (values.enabled = value !== 0)],
    [wanted.mcastIgmpVersion, value => brMulticastSetIgmpVersion(values, value)],
    [wanted.mcastMldVersion, value => brMulticastSetMldVersion(values, value)],
    [wanted.mcastLastMemberCnt, value => void (values.lastMemberCount = value)],
    [wanted.mcastStartupQueryCnt, value => void (values.startupQueryCount = value)],
    [wanted.mcastLastMemberIntvl, value => void (values.lastMemberInterval = clockToJiffies(value))],
    [wanted.mcastMembershipIntvl, value => void (values.membershipInterval = clockToJiffies(value))],
    [wanted.mcastQuerierIntvl, value => void (values.querierInterval = clockToJiffies(value))],
    [wanted.mcastQueryIntvl, value => brSetQueryInterval(br, 'queryInterval', value, values)],
    [wanted.mcastQueryResponseIntvl, value => void (values.queryResponseInterval = clockToJiffies(value))],
    [wanted.mcastStartupQueryIntvl, value => brSetQueryInterval(br, 'startupQueryInterval', value, values)],
    [wanted.mcastQuerier, value => void (values.querier = value !== 0)],
  ]
  for (const [value, set] of steps) {
    const rc = value === undefined ? 0 : set(value)
    if (rc !== undefined && rc < 0) return rc
  }
  return 0
}

/** Changes options of the VLANs of a range (br_vlan_rtm_process_global_options). */
export function changeGlobalOptions(br: NetBridge, wanted: VlanGlobalOptions, extack: NetlinkExtAck): number {
  const fail = (errno: number, text: string): number => extack.fail(-errno, `bridge: ${text}`)
  const { vid: first, rangeEnd: last = wanted.vid } = wanted
  const valid = (vid: number): boolean => vid > 0 && vid < VLAN_VID_MASK
  if (!valid(first) || !valid(last)) return fail(Errno.EINVAL, 'Vlan id is invalid')
  if (wanted.rangeEnd !== undefined && last <= first)
    return fail(Errno.EINVAL, 'End vlan id is less than or equal to start vlan id')
  for (let vid = first; vid <= last; vid++) {
    const vlan = br.vlans.find(vid)
    if (vlan === undefined) return fail(Errno.ENOENT, "Vlan in range doesn't exist, can't process global options")
    const rc = changeOne(br, vlan.snooping, wanted)
    if (rc < 0) return rc
  }
  return 0
}
