/** `bridge` prints what the reference machine printed of the same bridges. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { main } from '../../../commands/bridge/main.ts'
import {
  BRIDGE_VLANDB_DUMPF_GLOBAL,
  BRIDGE_VLANDB_DUMPF_STATS,
  MCAST_EXCLUDE,
  MCAST_INCLUDE,
  type MdbEntry,
  type MdbMessage,
  type VlanDbEntry,
  type VlanDbMessage,
  type VlanGlobalOptions,
} from '../../../src/uapi/if_bridge.ts'
import type { BridgeAfSpec, BridgePortAttrs } from '../../../src/uapi/if_link.ts'
import {
  type LinkAttrs,
  type LinkMessage,
  type NeighMessage,
  NTF_SELF,
  NUD_PERMANENT,
  RTEXT_FILTER_BRVLAN,
  RTEXT_FILTER_BRVLAN_COMPRESSED,
  RTM_GETLINK,
  RTM_GETMDB,
  RTM_GETNEIGH,
  RTM_GETVLAN,
  RTM_NEWMDB,
  RTM_NEWNEIGH,
  RTM_NEWVLAN,
  type RtMessage,
} from '../../../src/uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../../src/uapi/socket.ts'
import { type Kernel, link, readTranscript, runTool } from '../ip/fake.ts'

const recorded = (name: string) =>
  readTranscript(readFileSync(new URL(`./recorded/${name}.transcript`, import.meta.url), 'utf8'))

const UP = 0x11043
const BROADCAST_MULTICAST = 0x1002
const ZERO = { rxBytes: 0, rxPackets: 0, txBytes: 0, txPackets: 0 }

function device(index: number, ifname: string, ifFlags: number, attrs: LinkAttrs = {}): LinkMessage {
  return { ...link(index, ifname, { mtu: 1500, ...attrs }), ifFlags }
}

const PORT: BridgePortAttrs = {
  state: 3,
  priority: 32,
  cost: 2,
  mode: 0,
  guard: 0,
  protect: 0,
  fastLeave: 0,
  learning: 1,
  unicastFlood: 1,
  mcastFlood: 1,
  bcastFlood: 1,
  multicastRouter: 1,
  mcastToUcast: 0,
  neighSuppress: 0,
  vlanTunnel: 0,
  isolated: 0,
  locked: 0,
}

/** A bridge or port with its VLANs. */
interface Member {
  readonly link: LinkMessage
  readonly port?: BridgePortAttrs
  readonly vlans: readonly VlanDbEntry[]
  readonly tunnels?: BridgeAfSpec['tunnels']
}

const entry = (vid: number, vlanFlags = 0, rangeEnd?: number): VlanDbEntry => ({
  vid,
  vlanFlags,
  state: 3,
  mcastRouter: 1,
  ...(rangeEnd === undefined ? {} : { rangeEnd }),
})
const single = (list: readonly VlanDbEntry[]): VlanDbEntry[] =>
  list.flatMap(({ rangeEnd, ...vlan }) =>
    Array.from({ length: (rangeEnd ?? vlan.vid) - vlan.vid + 1 }, (_, i) => ({ ...vlan, vid: vlan.vid + i })),
  )
const DEFAULT = entry(1, 6)

/** What the kernel says of a member in a listing of AF_BRIDGE. */
function bridgeLink({ link: message, port, vlans, tunnels }: Member, extMask: number): LinkMessage {
  const list = (extMask & RTEXT_FILTER_BRVLAN) !== 0 ? single(vlans) : vlans
  const bridge: BridgeAfSpec = {
    vlans: list.map(({ vid, vlanFlags, rangeEnd }) => ({
      flags: vlanFlags,
      vid,
      ...(rangeEnd === undefined ? {} : { vidEnd: rangeEnd }),
    })),
    ...(tunnels === undefined ? {} : { tunnels }),
  }
  const withVlans = (extMask & (RTEXT_FILTER_BRVLAN | RTEXT_FILTER_BRVLAN_COMPRESSED)) !== 0
  return {
    ...message,
    family: AF_BRIDGE,
    attrs: {
      ...message.attrs,
      ...(port === undefined ? {} : { protinfo: port }),
      ...(withVlans ? { afSpec: { bridge } } : {}),
    },
  }
}

/** What a fake kernel has of bridges. */
interface State {
  readonly others: readonly LinkMessage[]
  readonly members: readonly Member[]
  readonly fdb?: readonly NeighMessage[]
  readonly mdb?: MdbMessage['attrs']
  readonly global?: readonly VlanGlobalOptions[]
}

function answerLinks(state: State, request: LinkMessage): RtMessage[] {
  const { extMask = 0, ifname } = request.attrs
  const ports = state.members.filter(member => member.port !== undefined || (extMask & 6) !== 0)
  if (request.family === AF_BRIDGE) return ports.map(member => bridgeLink(member, extMask))
  const all = [...state.others, ...state.members.map(member => member.link)]
  if (ifname !== undefined) return all.filter(item => item.attrs.ifname === ifname)
  return request.index === 0 ? all : all.filter(item => item.index === request.index)
}

function answerVlans(state: State, { dumpFlags = 0 }: VlanDbMessage['attrs']): RtMessage[] {
  const message = (ifindex: number, attrs: VlanDbMessage['attrs']): VlanDbMessage => ({
    type: RTM_NEWVLAN,
    flags: 0,
    family: AF_BRIDGE,
    ifindex,
    attrs,
  })
  if ((dumpFlags & BRIDGE_VLANDB_DUMPF_GLOBAL) !== 0) return [message(2, { globalOptions: [...(state.global ?? [])] })]
  const stats = (dumpFlags & BRIDGE_VLANDB_DUMPF_STATS) !== 0
  return state.members.map(member =>
    message(member.link.index, {
      entries: stats ? single(member.vlans).map(vlan => ({ ...vlan, stats: ZERO })) : [...member.vlans],
    }),
  )
}

function kernelOf(state: State): Kernel {
  return request => {
    switch (request.type) {
      case RTM_GETLINK:
        return answerLinks(state, request as LinkMessage)
      case RTM_GETNEIGH: {
        const { ifindex, attrs } = request as NeighMessage
        const inBridge = (index: number): boolean => state.members.some(member => member.link.index === index)
        return (state.fdb ?? []).filter(
          item => (ifindex === 0 || item.ifindex === ifindex) && (attrs.master === undefined || inBridge(item.ifindex)),
        )
      }
      case RTM_GETVLAN:
        return answerVlans(state, (request as VlanDbMessage).attrs)
      case RTM_GETMDB:
        return [{ type: RTM_NEWMDB, flags: 0, family: AF_BRIDGE, ifindex: 2, attrs: state.mdb ?? {} }]
      default:
        return []
    }
  }
}

const mac = (text: string): Uint8Array => Uint8Array.from(text.split(':'), byte => Number.parseInt(byte, 16))

/** Entries of the forwarding database: of a bridge's port (the VLAN, 0 none), or of the device itself. */
function fdbEntry(ifindex: number, address: string, vlan?: number): NeighMessage {
  return {
    type: RTM_NEWNEIGH,
    flags: 0,
    family: AF_BRIDGE,
    ifindex,
    state: NUD_PERMANENT,
    ndmFlags: vlan === undefined ? NTF_SELF : 0,
    ndmType: 0,
    attrs: {
      lladdr: mac(address),
      ...(vlan === undefined
        ? {}
        : {
            master: 2,
            cacheinfo: { confirmed: 0, used: 1070, updated: 1099, refcnt: 0 },
            ...(vlan > 0 ? { vlan } : {}),
          }),
    },
  }
}

const fdbOf = (ifindex: number, own: string | undefined, groups: readonly string[]): NeighMessage[] => [
  ...(own === undefined ? [] : [fdbEntry(ifindex, own, 1), fdbEntry(ifindex, own, 0)]),
  ...groups.map(group => fdbEntry(ifindex, group)),
]
const ALL_NODES = '33:33:00:00:00:01'
const ALL_HOSTS = '01:00:5e:00:00:01'

const br0 = device(2, 'br0', UP)
const two: State = {
  others: [link(1, 'lo'), device(3, 'v1', UP), device(5, 'v3', BROADCAST_MULTICAST), device(7, 'd0', 0x82)],
  members: [
    { link: br0, vlans: [DEFAULT] },
    { link: device(4, 'v0', UP, { link: 3, master: 2 }), port: PORT, vlans: [DEFAULT] },
    {
      link: device(6, 'v2', BROADCAST_MULTICAST, { link: 5, master: 2 }),
      port: { ...PORT, state: 0 },
      vlans: [DEFAULT],
    },
  ],
  fdb: [
    ...[ALL_NODES, '01:00:5e:00:00:6a', '33:33:00:00:00:6a', ALL_HOSTS].map(group => fdbEntry(2, group)),
    ...fdbOf(2, '02:00:00:00:00:10', []),
    ...fdbOf(3, undefined, [ALL_NODES, ALL_HOSTS]),
    ...fdbOf(4, '02:00:00:00:00:01', [ALL_NODES, ALL_HOSTS]),
    ...fdbOf(5, undefined, [ALL_NODES]),
    ...fdbOf(6, '02:00:00:00:00:03', [ALL_NODES]),
    ...fdbOf(7, undefined, [ALL_NODES]),
  ],
}

const group = (port: number, address: readonly number[], fields: Partial<MdbEntry> = {}): MdbEntry => ({
  port,
  state: 'temp',
  group: Uint8Array.from(address),
  vid: 1,
  flags: 0,
  rtprot: 4,
  groupMode: MCAST_EXCLUDE,
  ...fields,
})
const GLOBAL: VlanGlobalOptions = {
  vid: 1,
  mcastSnooping: 1,
  mcastQuerier: 0,
  mcastIgmpVersion: 2,
  mcastMldVersion: 1,
  mcastLastMemberCnt: 2,
  mcastLastMemberIntvl: 100,
  mcastStartupQueryCnt: 2,
  mcastStartupQueryIntvl: 3124,
  mcastMembershipIntvl: 26000,
  mcastQuerierIntvl: 25500,
  mcastQueryIntvl: 12500,
  mcastQueryResponseIntvl: 1000,
}
const port = (index: number, name: string): Member => ({
  link: device(index, name, UP, { master: 2 }),
  port: PORT,
  vlans: [DEFAULT],
})
const groups: State = {
  others: [link(1, 'lo'), device(3, 'v1', UP), device(5, 'v3', UP)],
  members: [
    { link: br0, vlans: [DEFAULT] },
    port(4, 'v0'),
    port(6, 'v2'),
    {
      ...port(7, 'vx1'),
      vlans: [DEFAULT, entry(10), entry(13, 0, 15), entry(20, 0, 25), entry(30)],
      tunnels: [
        { vid: 10, id: 100, flags: 0 },
        { vid: 20, vidEnd: 25, id: 200, idEnd: 205, flags: 0 },
        { vid: 30, id: 16777215, flags: 0 },
      ],
    },
  ],
  mdb: {
    entries: [
      group(4, new Array(16).fill(0)),
      group(6, [0xff, 0x0e, ...new Array<number>(13).fill(0), 1], { state: 'permanent' }),
      group(4, [239, 1, 1, 1], { source: Uint8Array.of(10, 0, 0, 5), state: 'permanent', groupMode: MCAST_INCLUDE }),
      group(4, [239, 1, 1, 1]),
    ],
    routerPorts: [
      { port: 6, timer: 0, type: 2 },
      { port: 4, timer: 0, type: 2 },
    ],
  },
  global: [
    {
      ...GLOBAL,
      mcastQuerier: 1,
      mcastIgmpVersion: 3,
      mcastMldVersion: 2,
      mcastLastMemberCnt: 3,
      mcastLastMemberIntvl: 150,
      mcastStartupQueryCnt: 4,
      mcastStartupQueryIntvl: 3000,
      mcastMembershipIntvl: 27000,
      mcastQuerierIntvl: 26000,
      mcastQueryIntvl: 13000,
      mcastQueryResponseIntvl: 900,
    },
    { ...GLOBAL, vid: 10, mcastQuerier: 1 },
    { ...GLOBAL, vid: 13 },
    { ...GLOBAL, vid: 14, routerPorts: [{ port: 7, timer: 0, type: 2 }] },
    { ...GLOBAL, vid: 15 },
    { ...GLOBAL, vid: 20, rangeEnd: 25 },
    { ...GLOBAL, vid: 30 },
  ],
}

describe.each([
  ['listings', two],
  ['groups-and-tunnels', groups],
])('%s of the reference machine', (name, state) => {
  for (const step of recorded(name)) {
    it(step.command, async () => {
      const got = await runTool(main, step.command.split(' '), { kernel: kernelOf(state), kernelHasLinks: true })
      expect(got.stderr).toBe(step.stderr)
      expect(got.stdout).toBe(step.stdout)
      expect(got.status).toBe(step.status)
    })
  }
})
