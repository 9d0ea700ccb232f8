import { describe, expect, it } from 'vitest'
import { ethHeaderOps } from '../../../src/kernel/core/ethernet.ts'
import type { Net } from '../../../src/kernel/core/net_namespace.ts'
import { IF_OPER_DOWN, IF_OPER_UNKNOWN, IF_OPER_UP, IFF_LOWER_UP } from '../../../src/uapi/if.ts'
import type { BridgeData, BridgePortAttrs } from '../../../src/uapi/if_link.ts'
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST } from '../../../src/uapi/netlink.ts'
import {
  type LinkMessage,
  type NeighMessage,
  NTF_MASTER,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  RTEXT_FILTER_BRVLAN,
  RTM_DELNEIGH,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_SETLINK,
} from '../../../src/uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../../src/uapi/socket.ts'
import { failure, Lab, mac, macText } from '../core/net_lab.ts'

function bridge(lab: Lab, name: string, data?: BridgeData, attrs = {}): void {
  lab.add(name, { kind: 'bridge', ...(data === undefined ? {} : { data }) }, attrs)
}

function info(lab: Lab, name: string): BridgeData {
  return lab.show(name).attrs.linkinfo?.data as BridgeData
}

function port(lab: Lab, name: string): BridgePortAttrs {
  return lab.show(name).attrs.linkinfo?.slaveData as BridgePortAttrs
}

function enslave(lab: Lab, name: string, master: string): void {
  lab.set(name, { master: lab.dev(master).ifindex })
}

function setBridge(lab: Lab, name: string, data: BridgeData): string {
  return failure(() => lab.set(name, { linkinfo: { kind: 'bridge', data } }))
}

function setPort(lab: Lab, name: string, slaveData: BridgePortAttrs): string {
  return failure(() => lab.set(name, { linkinfo: { slaveKind: 'bridge', slaveData } }))
}

/** A bridge with `count` hosts, each in a namespace of its own, all up. */
function switchWith(lab: Lab, count: number, data?: BridgeData): Net[] {
  bridge(lab, 'br0', data, { address: mac('02:00:00:00:00:ff') })
  lab.up('br0')
  const nets: Net[] = []
  for (let i = 1; i <= count; i++) {
    const net = lab.createNet()
    nets.push(net)
    const peer = lab.link(RTM_NEWLINK, { ifname: 'eth0', address: mac(`02:00:00:00:00:a${i}`), netNsFd: lab.fd(net) })
    lab.add(`p${i}`, { kind: 'veth', data: { peer } }, { address: mac(`02:00:00:00:01:0${i}`) })
    enslave(lab, `p${i}`, 'br0')
    lab.up(`p${i}`)
    lab.up('eth0', net)
  }
  lab.sleep(2)
  return nets
}

/** Sends a frame out of a host's eth0. */
function send(lab: Lab, net: Net, to: string, tci = -1): void {
  const dev = lab.dev('eth0', net)
  const skb = lab.kernel.skbs.alloc(256)
  skb.reserve(64)
  skb.put(50)
  skb.dev = dev
  skb.protocol = 0x1234
  if (tci >= 0) {
    skb.vlanProto = 0x8100
    skb.vlanTci = tci
  }
  ethHeaderOps.create(skb, dev, 0x1234, mac(to), undefined, 50)
  lab.kernel.netcore.queueXmit(skb)
}

/** Notes every frame of the test protocol by the namespace and device that got it. */
function watch(lab: Lab, nets: Net[]): string[] {
  const seen: string[] = []
  lab.kernel.netcore.addPack({
    type: 0x1234,
    dev: undefined,
    net: undefined,
    func(skb, dev) {
      const i = nets.indexOf(dev.net)
      if (skb.pktType !== 3) seen.push(i < 0 ? dev.name : `h${i + 1}`)
      skb.consume()
      return 0
    },
  })
  return seen
}

function take(seen: string[]): string[] {
  return seen.splice(0).sort()
}

function fdb(lab: Lab, name: string): NeighMessage[] {
  return lab
    .request({
      type: RTM_GETNEIGH,
      flags: NLM_F_REQUEST | NLM_F_DUMP,
      family: AF_BRIDGE,
      ifindex: lab.dev(name).ifindex,
      state: 0,
      ndmFlags: 0,
      ndmType: 0,
      attrs: {},
    })
    .filter((msg): msg is NeighMessage => msg.type === RTM_NEWNEIGH)
    .filter(msg => msg.attrs.master !== undefined)
}

function neigh(lab: Lab, type: 28 | 29, name: string, lladdr: string, state: number, flags = 0): string {
  return failure(() =>
    lab.request({
      type,
      flags: NLM_F_REQUEST | flags,
      family: AF_BRIDGE,
      ifindex: lab.dev(name).ifindex,
      state,
      ndmFlags: NTF_MASTER,
      ndmType: 0,
      attrs: { lladdr: mac(lladdr) },
    }),
  )
}

const ADD = NLM_F_CREATE | NLM_F_EXCL

describe('a bridge device', () => {
  it('has a carrier without ports, unless it was given an address', () => {
    const lab = new Lab()
    bridge(lab, 'br0')
    bridge(lab, 'br1', undefined, { address: mac('02:00:00:00:00:03') })
    lab.up('br0')
    lab.up('br1')
    lab.sleep(2)
    expect(lab.show('br0').attrs.operstate).toBe(IF_OPER_UNKNOWN)
    expect(lab.show('br0').ifFlags & IFF_LOWER_UP).toBe(IFF_LOWER_UP)
    expect(lab.show('br1').attrs.operstate).toBe(IF_OPER_DOWN)
  })

  it('takes the lowest address of its ports until it is given one', () => {
    const lab = new Lab()
    bridge(lab, 'br0')
    lab.add('d1', { kind: 'dummy' }, { address: mac('02:00:00:00:00:20') })
    lab.add('d2', { kind: 'dummy' }, { address: mac('02:00:00:00:00:10') })
    const address = (): string => macText(lab.show('br0').attrs.address)
    enslave(lab, 'd1', 'br0')
    expect(address()).toBe('02:00:00:00:00:20')
    enslave(lab, 'd2', 'br0')
    expect(address()).toBe('02:00:00:00:00:10')
    lab.set('br0', { address: mac('02:00:00:00:00:99') })
    lab.set('d2', { master: 0 })
    expect(address()).toBe('02:00:00:00:00:99')
    lab.add('br1', { kind: 'bridge' })
    enslave(lab, 'd1', 'br1')
    lab.set('d1', { master: 0 })
    expect(macText(lab.show('br1').attrs.address)).toBe('00:00:00:00:00:00')
  })

  it('shows its defaults and refuses values out of range', () => {
    const lab = new Lab()
    bridge(lab, 'br0')
    expect(info(lab, 'br0')).toMatchObject({
      forwardDelay: 1500,
      helloTime: 200,
      maxAge: 2000,
      ageingTime: 30000,
      priority: 32768,
      vlanDefaultPvid: 1,
      mcastStartupQueryIntvl: 3124,
      mcastMembershipIntvl: 26000,
      mcastHashMax: 4096,
    })
    expect(setBridge(lab, 'br0', { forwardDelay: 100 })).toBe('ok')
    expect(setBridge(lab, 'br0', { stpState: 1 })).toBe('ok')
    expect(info(lab, 'br0').forwardDelay).toBe(200)
    expect(setBridge(lab, 'br0', { forwardDelay: 100 })).toBe('ERANGE')
    expect(setBridge(lab, 'br0', { groupFwdMask: 1 })).toBe('EINVAL')
    expect(setBridge(lab, 'br0', { vlanProtocol: 0x800 })).toBe('EPROTONOSUPPORT')
  })

  it('refuses bridges, loopback and ports of others as ports, and other devices as masters', () => {
    const lab = new Lab()
    bridge(lab, 'br0')
    bridge(lab, 'br1')
    lab.veth('a', 'b')
    const to = (name: string, master: string): string => failure(() => enslave(lab, name, master))
    expect(to('br1', 'br0')).toBe('ELOOP: Can not enslave a bridge to a bridge')
    expect(to('lo', 'br0')).toBe('EINVAL')
    expect(to('a', 'b')).toBe('EOPNOTSUPP')
    expect(to('a', 'br0')).toBe('ok')
    expect(to('a', 'br1')).toBe('ok')
    expect(lab.show('a').attrs.master).toBe(lab.dev('br1').ifindex)
    lab.del('br1')
    expect(lab.show('a').attrs.master).toBeUndefined()
    expect(lab.show('a').attrs.promiscuity).toBe(0)
    expect(setPort(lab, 'a', { cost: 5 })).toBe('EOPNOTSUPP')
  })

  it('keeps the mtu of its smallest port until it is set', () => {
    const lab = new Lab()
    bridge(lab, 'br0')
    lab.veth('a', 'b')
    lab.set('a', { mtu: 1400 })
    enslave(lab, 'a', 'br0')
    expect(lab.show('br0').attrs.mtu).toBe(1400)
    lab.set('a', { mtu: 9000 })
    expect(lab.show('br0').attrs.mtu).toBe(9000)
    lab.set('br0', { mtu: 1300 })
    lab.set('a', { mtu: 1500 })
    expect(lab.show('br0').attrs.mtu).toBe(1300)
  })
})

describe('ports', () => {
  it('forward when their link is up, and carry the bridge', () => {
    const lab = new Lab()
    bridge(lab, 'br0', undefined, { address: mac('02:00:00:00:00:01') })
    lab.up('br0')
    lab.veth('a', 'b')
    enslave(lab, 'a', 'br0')
    lab.sleep(2)
    lab.up('a')
    expect(port(lab, 'a')).toMatchObject({ state: 0, priority: 32, cost: 2, id: 0x8001, no: 1, designatedPort: 32769 })
    lab.up('b')
    lab.sleep(2)
    expect(port(lab, 'a').state).toBe(3)
    expect(lab.show('br0').attrs.operstate).toBe(IF_OPER_UP)
    expect(lab.show('a').attrs).toMatchObject({ promiscuity: 1, allmulti: 1 })
    lab.down('b')
    lab.sleep(2)
    expect(port(lab, 'a').state).toBe(0)
    expect(lab.show('br0').attrs.operstate).toBe(IF_OPER_DOWN)
  })

  it('have settings with their limits', () => {
    const lab = new Lab()
    switchWith(lab, 1)
    expect(setPort(lab, 'p1', { cost: 50, priority: 10, mode: 1 })).toBe('ok')
    expect(port(lab, 'p1')).toMatchObject({ cost: 50, priority: 10, mode: 1, id: 0x2801 })
    expect(setPort(lab, 'p1', { cost: 0 })).toBe('ERANGE')
    expect(setPort(lab, 'p1', { priority: 64 })).toBe('ERANGE')
    expect(setPort(lab, 'p1', { state: 4 })).toBe('ok')
    expect(port(lab, 'p1').state).toBe(3)
    setBridge(lab, 'br0', { stpState: 1 })
    expect(setPort(lab, 'p1', { state: 4 })).toBe('EBUSY')
  })
})

describe('forwarding', () => {
  it('floods what it does not know and learns where senders are', () => {
    const lab = new Lab()
    const nets = switchWith(lab, 3)
    const seen = watch(lab, nets)
    send(lab, nets[0]!, 'ff:ff:ff:ff:ff:ff')
    expect(take(seen)).toEqual(['br0', 'h2', 'h3'])
    expect(fdb(lab, 'p1').map(e => `${macText(e.attrs.lladdr)} ${e.state}`)).toContain(
      `02:00:00:00:00:a1 ${NUD_REACHABLE}`,
    )
    const received = (): number => lab.show('eth0', nets[2]!).attrs.stats64!.rxPackets
    const before = received()
    send(lab, nets[1]!, '02:00:00:00:00:a1')
    expect(take(seen)).toEqual(['h1'])
    expect(received()).toBe(before)
    send(lab, nets[1]!, '02:00:00:00:00:ff')
    expect(take(seen)).toEqual(['br0'])
    expect(lab.kernel.skbs.inUse).toBe(0)
  })

  it('keeps isolated ports apart', () => {
    const lab = new Lab()
    const nets = switchWith(lab, 3)
    const seen = watch(lab, nets)
    setPort(lab, 'p1', { isolated: 1 })
    setPort(lab, 'p2', { isolated: 1 })
    send(lab, nets[0]!, 'ff:ff:ff:ff:ff:ff')
    expect(take(seen)).toEqual(['br0', 'h3'])
    send(lab, nets[0]!, '02:00:00:00:00:a2')
    expect(take(seen)).toEqual([])
  })

  it('forgets what it has not heard of for the ageing time', () => {
    const lab = new Lab()
    const nets = switchWith(lab, 2)
    setBridge(lab, 'br0', { ageingTime: 200 })
    send(lab, nets[0]!, 'ff:ff:ff:ff:ff:ff')
    expect(fdb(lab, 'p1').some(e => e.state === NUD_REACHABLE)).toBe(true)
    lab.sleep(3)
    expect(fdb(lab, 'p1').some(e => e.state !== NUD_PERMANENT)).toBe(false)
  })
})

describe('the forwarding database', () => {
  it('lists addresses of ports per VLAN, newest first', () => {
    const lab = new Lab()
    switchWith(lab, 1)
    expect(fdb(lab, 'p1').map(e => [macText(e.attrs.lladdr), e.attrs.vlan])).toEqual([
      ['02:00:00:00:01:01', 1],
      ['02:00:00:00:01:01', undefined],
    ])
    expect(fdb(lab, 'br0').map(e => [macText(e.attrs.lladdr), e.attrs.vlan])).toEqual([
      ['02:00:00:00:00:ff', 1],
      ['02:00:00:00:00:ff', undefined],
    ])
  })

  it('takes entries from user space', () => {
    const lab = new Lab()
    switchWith(lab, 1)
    lab.veth('down', 'x')
    enslave(lab, 'down', 'br0')
    expect(neigh(lab, RTM_NEWNEIGH, 'p1', '02:00:00:00:00:55', NUD_NOARP, ADD)).toBe('ok')
    expect(neigh(lab, RTM_NEWNEIGH, 'p1', '02:00:00:00:00:55', NUD_NOARP, ADD)).toBe('EEXIST')
    expect(neigh(lab, RTM_NEWNEIGH, 'down', '02:00:00:00:00:57', NUD_REACHABLE, ADD)).toBe('EPERM')
    expect(
      fdb(lab, 'p1')
        .slice(0, 2)
        .map(e => [macText(e.attrs.lladdr), e.attrs.vlan, e.state]),
    ).toEqual([
      ['02:00:00:00:00:55', 1, NUD_NOARP],
      ['02:00:00:00:00:55', undefined, NUD_NOARP],
    ])
    expect(neigh(lab, RTM_DELNEIGH, 'p1', '02:00:00:00:00:55', 0)).toBe('ok')
    expect(neigh(lab, RTM_DELNEIGH, 'p1', '02:00:00:00:00:55', 0)).toBe('ENOENT')
  })
})

describe('VLAN filtering', () => {
  function vlan(lab: Lab, name: string, vid: number, flags = 0, type: 19 | 17 = RTM_SETLINK, target = 0): string {
    return failure(() =>
      lab.request(
        lab.link(
          type,
          { afSpec: { bridge: { flags: target, vlans: [{ flags, vid }] } } },
          {
            family: AF_BRIDGE,
            index: lab.dev(name).ifindex,
          },
        ),
      ),
    )
  }

  function vlans(lab: Lab, name: string): (readonly [number, number])[] {
    const messages = lab.request(
      lab.link(RTM_GETLINK, { extMask: RTEXT_FILTER_BRVLAN }, { flags: NLM_F_REQUEST | NLM_F_DUMP, family: AF_BRIDGE }),
    ) as LinkMessage[]
    const own = messages.find(msg => msg.attrs.ifname === name)
    return (own?.attrs.afSpec?.bridge?.vlans ?? []).map(each => [each.vid, each.flags] as const)
  }

  it('shows and changes the VLANs of ports and of the bridge', () => {
    const lab = new Lab()
    switchWith(lab, 1)
    expect(vlans(lab, 'p1')).toEqual([[1, 6]])
    vlan(lab, 'p1', 20, 6)
    expect(vlans(lab, 'p1')).toEqual([
      [1, 4],
      [20, 6],
    ])
    expect(vlan(lab, 'p1', 1, 0, 17)).toBe('ok')
    expect(vlan(lab, 'p1', 77, 0, 17)).toBe('ok')
    expect(vlans(lab, 'p1')).toEqual([[20, 6]])
    expect(vlan(lab, 'p1', 4095)).toBe('EINVAL: bridge: Vlan id is invalid')
    expect(vlan(lab, 'lo', 4)).toBe('EOPNOTSUPP')
    expect(vlan(lab, 'br0', 40, 0, RTM_SETLINK, 2)).toBe('ok')
    expect(vlans(lab, 'br0')).toEqual([
      [1, 6],
      [40, 0],
    ])
  })

  it('keeps VLANs apart and tags where a port is a trunk', () => {
    const lab = new Lab()
    const nets = switchWith(lab, 3, { vlanFiltering: 1 })
    const seen = watch(lab, nets)
    vlan(lab, 'p1', 10, 6)
    send(lab, nets[0]!, 'ff:ff:ff:ff:ff:ff')
    expect(take(seen)).toEqual([])
    vlan(lab, 'p2', 10, 6)
    send(lab, nets[0]!, 'ff:ff:ff:ff:ff:ff')
    expect(take(seen)).toEqual(['h2'])
    vlan(lab, 'p3', 10, 0)
    lab.add('eth0.10', { kind: 'vlan', data: { id: 10 } }, { link: lab.dev('eth0', nets[2]!).ifindex }, nets[2]!)
    lab.up('eth0.10', nets[2]!)
    send(lab, nets[0]!, 'ff:ff:ff:ff:ff:ff')
    expect(take(seen)).toEqual(['h2', 'h3'])
    send(lab, nets[2]!, 'ff:ff:ff:ff:ff:ff', 10)
    expect(take(seen)).toEqual(['h1', 'h2'])
    send(lab, nets[2]!, 'ff:ff:ff:ff:ff:ff', 11)
    expect(take(seen)).toEqual([])
    expect(fdb(lab, 'p3').find(e => e.state === NUD_REACHABLE)?.attrs.vlan).toBe(10)
    expect(lab.kernel.skbs.inUse).toBe(0)
  })
})

describe('the spanning tree', () => {
  it('blocks one port of a loop and passes through the states', () => {
    const lab = new Lab()
    bridge(lab, 'br0', { stpState: 1, forwardDelay: 400 }, { address: mac('02:00:00:00:00:01') })
    bridge(lab, 'br1', { stpState: 1, forwardDelay: 400 }, { address: mac('02:00:00:00:00:02') })
    for (const i of [1, 2]) {
      lab.veth(`a${i}`, `b${i}`)
      enslave(lab, `a${i}`, 'br0')
      enslave(lab, `b${i}`, 'br1')
    }
    for (const name of ['br0', 'br1', 'a1', 'b1', 'a2', 'b2']) lab.up(name)
    lab.sleep(1)
    expect(port(lab, 'a1').state).toBe(1)
    lab.sleep(4)
    expect(port(lab, 'a1').state).toBe(2)
    lab.sleep(8)
    expect([port(lab, 'a1').state, port(lab, 'a2').state]).toEqual([3, 3])
    expect([port(lab, 'b1').state, port(lab, 'b2').state]).toEqual([3, 4])
    expect(info(lab, 'br1')).toMatchObject({ rootPort: 1, rootPathCost: 2 })
    expect(macText(info(lab, 'br1').rootId?.address)).toBe('02:00:00:00:00:01')
    lab.down('a1')
    lab.sleep(20)
    expect(port(lab, 'b2').state).toBe(3)
    expect(info(lab, 'br1').rootPort).toBe(2)
  })
})

describe('sysfs', () => {
  it('shows bridges and ports', () => {
    const lab = new Lab()
    switchWith(lab, 1)
    const read = (...path: string[]): string | number | undefined => {
      let node: ReturnType<ReturnType<typeof lab.kernel.sysClassNet>['lookup']> = lab.kernel.sysClassNet(lab.net)
      for (const part of path) node = node?.kind === 'dir' ? node.lookup(part) : undefined
      return node?.kind === 'file' ? node.read?.() : node?.kind === 'link' ? node.target : undefined
    }
    expect(read('br0', 'bridge', 'bridge_id')).toBe('8000.0200000000ff\n')
    expect(read('br0', 'brif', 'p1')).toBe('../../p1/brport')
    expect(read('p1', 'brport', 'port_id')).toBe('0x8001\n')
    expect(read('p1', 'brport', 'bridge')).toBe('../../br0')
    expect(read('p1', 'master')).toBe('../br0')
    expect(read('br0', 'lower_p1')).toBe('../p1')
    expect(read('p1', 'speed')).toBe('10000\n')
    expect(read('lo', 'carrier')).toBe(-22)
  })
})
