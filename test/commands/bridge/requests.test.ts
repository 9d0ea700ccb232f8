/** What `bridge` asks of the kernel, and what it prints of its notifications. */
import { describe, expect, it } from 'vitest'
import { main } from '../../../commands/bridge/main.ts'
import { type MdbMessage, NLM_F_BULK, type VlanDbMessage } from '../../../src/uapi/if_bridge.ts'
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST } from '../../../src/uapi/netlink.ts'
import {
  type LinkMessage,
  type NeighMessage,
  NTF_MASTER,
  NTF_SELF,
  NTF_STICKY,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  RTM_DELLINK,
  RTM_DELMDB,
  RTM_DELNEIGH,
  RTM_NEWMDB,
  RTM_NEWNEIGH,
  RTM_NEWVLAN,
  RTM_SETLINK,
  type RtMessage,
} from '../../../src/uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../../src/uapi/socket.ts'
import { link, runTool } from '../ip/fake.ts'

const links = ['lo', 'br0', 'v0', 'v2', 'vx0'].map((name, i) => link(i + 1, name))

/** @returns the one request a command sends, without the flags every request has */
async function asked(line: string): Promise<RtMessage> {
  const got = await runTool(main, ['bridge', ...line.split(' ')], { links })
  expect(got.stderr).toBe('')
  expect(got.sent).toHaveLength(1)
  const [message] = got.sent
  return { ...message!, flags: message!.flags & ~(NLM_F_REQUEST | NLM_F_ACK) } as RtMessage
}

const mac = Uint8Array.of(2, 0, 0, 0, 0, 0x11)
const port = { family: AF_BRIDGE, hatype: 0, index: 3, ifFlags: 0, change: 0 }
const fdb = { family: AF_BRIDGE, ifindex: 3, ndmType: 0 }

describe('ports', () => {
  it('are set by their attributes', async () => {
    const message: LinkMessage = {
      ...port,
      type: RTM_SETLINK,
      flags: 0,
      attrs: { protinfo: { cost: 7, priority: 9, state: 3, mode: 1, learning: 0, backupPort: 4 } },
    }
    expect(
      await asked('link set dev v0 cost 7 priority 9 state forwarding hairpin on learning off backup_port v2'),
    ).toEqual(message)
  })

  it('may be meant by master or self', async () => {
    const message = (await asked('link set dev v0 hwmode vepa self master')) as LinkMessage
    expect(message.attrs).toEqual({ protinfo: {}, afSpec: { bridge: { flags: 3, mode: 1 } } })
  })
})

describe('forwarding entries', () => {
  it('are permanent and of the device itself where nothing else is said', async () => {
    const message: NeighMessage = {
      ...fdb,
      type: RTM_NEWNEIGH,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      state: NUD_NOARP | NUD_PERMANENT,
      ndmFlags: NTF_SELF,
      attrs: { lladdr: mac },
    }
    expect(await asked('fdb add 02:0:00:00:00:11 dev v0')).toEqual(message)
  })

  it('have VLANs and destinations', async () => {
    expect(await asked('fdb replace to 02:00:00:00:00:11 dev v0 master vlan 5 dynamic sticky')).toMatchObject({
      flags: NLM_F_CREATE | NLM_F_REPLACE,
      state: NUD_REACHABLE,
      ndmFlags: NTF_MASTER | NTF_STICKY,
      attrs: { lladdr: mac, vlan: 5 },
    })
    expect(
      await asked('fdb del 02:00:00:00:00:11 dev vx0 dst 10.0.0.2 port 0x10 vni 7 src_vni 8 via v2'),
    ).toMatchObject({
      type: RTM_DELNEIGH,
      ifindex: 5,
      attrs: { dst: Uint8Array.of(10, 0, 0, 2), port: 16, vni: 7, srcVni: 8, ifindex: 4 },
    })
  })

  it('are flushed by what they are', async () => {
    const message: NeighMessage = {
      ...fdb,
      ifindex: 2,
      type: RTM_DELNEIGH,
      flags: NLM_F_BULK,
      state: NUD_NOARP,
      ndmFlags: NTF_SELF | NTF_STICKY,
      attrs: { ifindex: 3, vlan: 9, ndmFlagsMask: NTF_STICKY | 0x10, ndmStateMask: NUD_NOARP | NUD_PERMANENT },
    }
    expect(await asked('fdb flush dev br0 brport v0 vlan 9 static sticky noextern_learn')).toEqual(message)
  })
})

describe('VLANs', () => {
  it('are added and deleted, alone and in ranges', async () => {
    const add = (await asked('vlan add vid 10 dev v0 pvid untagged')) as LinkMessage
    expect(add).toMatchObject({
      type: RTM_SETLINK,
      index: 3,
      attrs: { afSpec: { bridge: { vlans: [{ flags: 6, vid: 10 }] } } },
    })
    const del = (await asked('vlan del vid 10-12 dev v0 self')) as LinkMessage
    expect(del.type).toBe(RTM_DELLINK)
    expect(del.attrs.afSpec).toEqual({ bridge: { flags: 2, vlans: [{ flags: 0, vid: 10, vidEnd: 12 }] } })
  })

  it('have tunnels', async () => {
    const message = (await asked('vlan add vid 20-25 dev vx0 tunnel_info id 200-205')) as LinkMessage
    expect(message.attrs.afSpec).toEqual({
      bridge: { tunnels: [{ vid: 20, vidEnd: 25, id: 200, idEnd: 205, flags: 0 }] },
    })
  })

  it('have states, and options as a whole', async () => {
    const set = (await asked('vlan set vid 5-7 dev v0 state blocking mcast_router 2')) as VlanDbMessage
    expect(set.type).toBe(RTM_NEWVLAN)
    expect(set.attrs).toEqual({ entries: [{ vid: 5, rangeEnd: 7, vlanFlags: 0, state: 4, mcastRouter: 2 }] })
    const global = (await asked(
      'vlan global set vid 1 dev br0 mcast_querier 1 mcast_query_interval 100',
    )) as VlanDbMessage
    expect(global.attrs).toEqual({ globalOptions: [{ vid: 1, mcastQuerier: 1, mcastQueryIntvl: 100 }] })
  })
})

describe('multicast entries', () => {
  it('have a group, a port and a source', async () => {
    const message = (await asked('mdb add dev br0 port v0 grp 239.1.1.1 src 10.0.0.1 permanent vid 3')) as MdbMessage
    expect(message).toEqual({
      type: RTM_NEWMDB,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      family: AF_BRIDGE,
      ifindex: 2,
      attrs: {
        setEntry: {
          port: 3,
          state: 'permanent',
          group: Uint8Array.of(239, 1, 1, 1),
          vid: 3,
          flags: 0,
          source: Uint8Array.of(10, 0, 0, 1),
        },
      },
    })
    expect(((await asked('mdb del dev br0 port v0 grp 1:2:3:4:5:6')) as MdbMessage).attrs.setEntry?.group).toHaveLength(
      6,
    )
  })
})

describe('monitors', () => {
  const entry = { port: 4, state: 'temp' as const, group: Uint8Array.of(239, 9, 9, 9), vid: 1, flags: 0 }
  const mdb = (type: MdbMessage['type'], attrs: MdbMessage['attrs']): MdbMessage => ({
    type,
    flags: 0,
    family: AF_BRIDGE,
    ifindex: 2,
    attrs,
  })
  const neighbour = (type: NeighMessage['type'], attrs: NeighMessage['attrs']): NeighMessage => ({
    ...fdb,
    type,
    flags: 0,
    state: NUD_PERMANENT,
    ndmFlags: 0,
    attrs: { lladdr: mac, master: 2, ...attrs },
  })
  const gone: LinkMessage = {
    ...link(4, 'v2', { mtu: 1500, master: 2 }),
    type: RTM_DELLINK,
    family: AF_BRIDGE,
    ifFlags: 0x1003,
  }
  const notifications: RtMessage[] = [
    mdb(RTM_NEWMDB, { entries: [entry] }),
    mdb(RTM_DELMDB, { entries: [entry] }),
    mdb(RTM_NEWMDB, { routerPorts: [{ port: 4, timer: 0, type: 2 }] }),
    {
      type: RTM_NEWVLAN,
      flags: 0,
      family: AF_BRIDGE,
      ifindex: 4,
      attrs: { entries: [{ vid: 7, vlanFlags: 0, state: 3, mcastRouter: 1 }] },
    },
    neighbour(RTM_NEWNEIGH, { vlan: 1 }),
    neighbour(RTM_DELNEIGH, {}),
    { ...neighbour(RTM_NEWNEIGH, {}), family: 2 },
    gone,
    { ...gone, family: 10 },
  ]

  it('print what the reference machine printed', async () => {
    let stdout = ''
    const quiet: Parameters<typeof runTool>[0] = async proc => {
      const write = proc.stdout.write.bind(proc.stdout)
      proc.stdout.write = data => {
        stdout += data
        write(data)
      }
      return main(proc)
    }
    await runTool(quiet, ['bridge', 'monitor', 'all'], { links, notifications }).catch(() => undefined)
    expect(stdout).toBe(`[MDB]dev br0 port v2 grp 239.9.9.9 temp vid 1
[MDB]Deleted dev br0 port v2 grp 239.9.9.9 temp vid 1
[MDB]router port dev v2 master br0
[VLAN]v2                7
                    state forwarding mcast_router 1 
[NEIGH]02:00:00:00:00:11 dev v0 vlan 1 master br0 permanent
[NEIGH]Deleted 02:00:00:00:00:11 dev v0 master br0 permanent
[LINK]Deleted 4: v2: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 master br0 
`)
  })
})
