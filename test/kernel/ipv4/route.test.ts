import { beforeEach, describe, expect, it } from 'vitest'
import type { NetDevice } from '../../../src/kernel/core/net_device.ts'
import type { SkBuff } from '../../../src/kernel/core/skbuff.ts'
import { Flowi4 } from '../../../src/kernel/ipv4/flow.ts'
import { addrText } from '../../../src/kernel/ipv4/inet_addr.ts'
import {
  ipRouteInput,
  ipRouteOutputKey,
  ipRtUpdatePmtu,
  ipv4Redirect,
  RTAX_MTU,
  type Rtable,
} from '../../../src/kernel/ipv4/route.ts'
import { errnoName } from '../../../src/uapi/errno.ts'
import { RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST, RTN_UNICAST, RTN_UNREACHABLE } from '../../../src/uapi/rtnetlink.ts'
import { mac } from '../core/net_lab.ts'
import { ip4, num4, RouteLab } from './route_lab.ts'

let lab: RouteLab
beforeEach(() => {
  lab = new RouteLab()
  lab.up('lo')
  lab.veth('a', 'b')
  lab.up('a')
  lab.up('b')
  lab.addr('10.0.0.1/24', 'a', { attrs: { broadcast: ip4('10.0.0.255') } })
  lab.dummy('d0', '10.0.1.1/24')
  lab.route('add', 'default', { via: '10.0.0.254' })
})

const flow = (daddr: string, more: Partial<Flowi4> = {}): Flowi4 => {
  const fl4 = new Flowi4()
  fl4.daddr = num4(daddr)
  return Object.assign(fl4, more)
}

function output(daddr: string, more: Partial<Flowi4> = {}): Rtable {
  const rt = ipRouteOutputKey(lab.net, flow(daddr, more))
  if (typeof rt === 'number') throw new Error(errnoName(-rt))
  return rt
}

/** a packet with nothing but an IPv4 header */
function packet(daddr: string, saddr: string, dev: NetDevice): SkBuff {
  const skb = lab.kernel.skbs.alloc(256)
  skb.reserve(64)
  skb.dev = dev
  skb.iif = dev.ifindex
  skb.protocol = 0x0800
  skb.macHeader = skb.data - 14
  skb.resetNetworkHeader()
  const at = skb.put(20)
  skb.buf.fill(0, at, at + 20)
  skb.buf[at] = 0x45
  skb.buf[at + 9] = 17
  skb.buf.set(ip4(saddr), at + 12)
  skb.buf.set(ip4(daddr), at + 16)
  return skb
}

/** what becomes of a received packet: its kind of route and the device it leaves by, or the error */
function input(daddr: string, saddr: string, dev = 'a'): string {
  const skb = packet(daddr, saddr, lab.dev(dev))
  const err = ipRouteInput(skb, num4(daddr), num4(saddr), 0, lab.dev(dev))
  if (err !== 0) return errnoName(-err)
  const rt = skb.dst as Rtable
  const kinds = new Map([
    [RTN_LOCAL, 'local'],
    [RTN_UNICAST, 'forward'],
    [RTN_BROADCAST, 'broadcast'],
    [RTN_MULTICAST, 'multicast'],
    [RTN_UNREACHABLE, `unreachable ${errnoName(-rt.error)}`],
  ])
  return `${kinds.get(rt.type)} ${rt.dev.name}`
}

describe('a route for an own packet', () => {
  it('has source, device and gateway', () => {
    const fl4 = flow('9.9.9.9')
    const rt = ipRouteOutputKey(lab.net, fl4) as Rtable
    expect([addrText(fl4.saddr), rt.dev.name, addrText(rt.gateway), rt.usesGateway]).toEqual([
      '10.0.0.1',
      'a',
      '10.0.0.254',
      true,
    ])
    expect(output('10.0.0.7').gateway).toBe(0)
  })

  it('is the same for the next packet, until the tables change', () => {
    const first = output('9.9.9.9')
    expect(output('8.8.8.8')).toBe(first)
    lab.route('add', '20.0.0.0/8', { dev: 'd0' })
    expect(first.obsolete).toBe(true)
    expect(output('9.9.9.9')).not.toBe(first)
  })

  it('goes to oneself by the loopback device', () => {
    const rt = output('10.0.0.1')
    expect([rt.type, rt.dev.name]).toEqual([RTN_LOCAL, 'lo'])
  })

  it('is refused where the source is not ours, or nothing leads there', () => {
    expect(() => output('9.9.9.9', { saddr: num4('1.2.3.4') })).toThrow('ENETUNREACH')
    expect(() => output('9.9.9.9', { saddr: num4('224.0.0.1') })).toThrow('EINVAL')
    lab.route('del', 'default')
    expect(() => output('9.9.9.9')).toThrow('ENETUNREACH')
    expect(() => output('9.9.9.9', { oif: 99 })).toThrow('ENODEV')
  })

  it('is taken to be on the link of a device that is asked for', () => {
    lab.route('del', 'default')
    expect(output('9.9.9.9', { oif: lab.dev('d0').ifindex }).dev.name).toBe('d0')
  })

  it('is a broadcast or multicast one', () => {
    expect(output('10.0.0.255').type).toBe(RTN_BROADCAST)
    expect(output('255.255.255.255', { oif: lab.dev('a').ifindex }).type).toBe(RTN_BROADCAST)
    expect(output('224.0.0.5', { oif: lab.dev('a').ifindex }).type).toBe(RTN_MULTICAST)
  })
})

describe('a route for a received packet', () => {
  beforeEach(() => {
    for (const conf of ['all', 'a']) lab.sysctl(`net/ipv4/conf/${conf}/rp_filter`, 0)
  })

  it('leads here for an own address, on whatever device it came', () => {
    expect(input('10.0.0.1', '10.0.0.9')).toBe('local lo')
    expect(input('10.0.1.1', '10.0.0.9')).toBe('local lo')
  })

  it('leads on only where forwarding is on', () => {
    expect(input('10.0.1.7', '10.0.0.9')).toBe('unreachable EHOSTUNREACH lo')
    lab.sysctl('net/ipv4/ip_forward', 1)
    expect(input('10.0.1.7', '10.0.0.9')).toBe('forward d0')
    lab.route('del', 'default')
    expect(input('99.0.0.1', '10.0.0.9')).toBe('unreachable ENETUNREACH lo')
  })

  it('is the same object for the next packet', () => {
    lab.sysctl('net/ipv4/ip_forward', 1)
    const take = (dst: string): unknown => {
      const skb = packet(dst, '10.0.0.9', lab.dev('a'))
      ipRouteInput(skb, num4(dst), num4('10.0.0.9'), 0, lab.dev('a'))
      return skb.dst
    }
    expect(take('10.0.1.7')).toBe(take('10.0.1.8'))
    expect(take('10.0.0.1')).toBe(take('10.0.0.1'))
    expect(take('10.0.0.1')).not.toBe(take('10.0.1.7'))
  })

  it('is none for martians', () => {
    for (const [daddr, saddr] of [
      ['10.0.0.1', '224.0.0.1'],
      ['10.0.0.1', '255.255.255.255'],
      ['10.0.0.1', '0.0.0.1'],
      ['10.0.0.1', '127.0.0.1'],
      ['127.0.0.1', '10.0.0.9'],
      ['0.0.0.1', '10.0.0.9'],
      ['10.0.0.1', '10.0.0.1'],
    ] as const)
      expect([daddr, saddr, input(daddr, saddr)]).toEqual([daddr, saddr, 'EINVAL'])
  })

  it('says so in the log where that is asked for, but not too often', () => {
    lab.sysctl('net/ipv4/conf/all/log_martians', 1)
    for (let i = 0; i < 30; i++) input('10.0.0.1', '127.0.0.1')
    const lines = lab.kernel.log
      .read()
      .map(line => line.text)
      .filter(text => text.includes('martian source'))
    expect(lines[0]).toBe('IPv4: martian source 10.0.0.1 from 127.0.0.1, on dev a')
    expect(lines).toHaveLength(10)
  })

  it('takes own addresses as sources where accept_local is on, and 127/8 with route_localnet', () => {
    lab.sysctl('net/ipv4/conf/a/accept_local', 1)
    expect(input('10.0.0.1', '10.0.1.1')).toBe('local lo')
    lab.sysctl('net/ipv4/conf/a/route_localnet', 1)
    expect(input('127.0.0.1', '10.0.0.9')).toBe('local lo')
  })

  it('is refused by the reverse path: strictly, or where no device leads back at all', () => {
    lab.sysctl('net/ipv4/conf/a/rp_filter', 1)
    expect(input('10.0.0.1', '10.0.1.9')).toBe('EXDEV')
    expect(input('10.0.0.1', '10.0.0.9')).toBe('local lo')
    lab.sysctl('net/ipv4/conf/a/rp_filter', 2)
    expect(input('10.0.0.1', '10.0.1.9')).toBe('local lo')
    lab.route('del', 'default')
    expect(input('10.0.0.1', '99.0.0.1')).toBe('EXDEV')
  })

  it('is a broadcast’s, or a multicast’s that somebody listens to', () => {
    expect(input('10.0.0.255', '10.0.0.9')).toBe('broadcast lo')
    expect(input('255.255.255.255', '0.0.0.0')).toBe('broadcast lo')
    expect(input('224.0.0.1', '10.0.0.9')).toBe('multicast lo')
    expect(input('224.0.0.77', '10.0.0.9')).toBe('EINVAL')
  })
})

describe('a path’s MTU', () => {
  const learn = (daddr: string, mtu: number): void => {
    const fl4 = flow(daddr)
    ipRtUpdatePmtu(ipRouteOutputKey(lab.net, fl4) as Rtable, fl4, mtu)
  }

  it('is kept for the destination and for its time', () => {
    learn('9.9.9.9', 1400)
    expect(output('9.9.9.9').mtu()).toBe(1400)
    expect(output('8.8.8.8').mtu()).toBe(1500)
    lab.sleep(601)
    expect(output('9.9.9.9').mtu()).toBe(1500)
  })

  it('only shrinks, and makes the shared route stale', () => {
    const shared = output('9.9.9.9')
    learn('9.9.9.9', 1400)
    expect(shared.obsolete).toBe(true)
    learn('9.9.9.9', 1450)
    expect(output('9.9.9.9').mtu()).toBe(1400)
    learn('9.9.9.9', 1300)
    expect(output('9.9.9.9').mtu()).toBe(1300)
  })

  it('is not believed below min_pmtu', () => {
    learn('9.9.9.9', 300)
    const rt = output('9.9.9.9')
    expect([rt.mtu(), rt.mtuLocked, rt.metricLocked(RTAX_MTU)]).toEqual([552, true, true])
  })

  it('is not learned on a route whose MTU is locked', () => {
    lab.route('replace', 'default', { via: '10.0.0.254', attrs: { metrics: { mtu: 1480, lock: 1 << RTAX_MTU } } })
    learn('9.9.9.9', 1300)
    expect(output('9.9.9.9').mtu()).toBe(1480)
  })

  it('is forgotten when the cache is flushed', () => {
    learn('9.9.9.9', 1400)
    lab.sysctl('net/ipv4/route/flush', 1)
    expect(output('9.9.9.9').mtu()).toBe(1500)
  })

  it('is shown by route get and in the cache', () => {
    learn('9.9.9.9', 1400)
    const { attrs } = lab.getMessage('9.9.9.9')
    expect(attrs.metrics?.mtu).toBe(1400)
    expect(lab.routes(254, lab.net, 0x200)).toEqual(['9.9.9.9 via 10.0.0.254 dev a mtu 1400'])
  })
})

describe('a redirect', () => {
  /** an ICMP redirect from the gateway that quotes a packet of ours */
  const redirect = (from: string, to: string, daddr: string): void => {
    const skb = lab.kernel.skbs.alloc(256)
    skb.reserve(64)
    skb.dev = lab.dev('a')
    skb.resetNetworkHeader()
    const at = skb.put(48)
    const { buf } = skb
    buf.fill(0, at, at + 48)
    buf[at] = buf[at + 28] = 0x45
    buf.set(ip4(from), at + 12)
    buf[at + 20] = 5
    buf[at + 21] = 1
    buf.set(ip4(to), at + 24)
    buf.set(ip4('10.0.0.1'), at + 40)
    buf.set(ip4(daddr), at + 44)
    skb.transportHeader = at + 20
    skb.pull(28)
    ipv4Redirect(skb, lab.net, 0, 17)
  }
  const gateway = (daddr: string): string => addrText(output(daddr).gateway)

  beforeEach(() => {
    lab.neigh('10.0.0.253', 'a', mac('02:00:00:00:00:fd'))
  })

  it('from the gateway in use sends one destination by the better one', () => {
    redirect('10.0.0.254', '10.0.0.253', '9.9.9.9')
    expect([gateway('9.9.9.9'), gateway('8.8.8.8')]).toEqual(['10.0.0.253', '10.0.0.254'])
  })

  it('from somebody else, or to a gateway off the link, is not believed', () => {
    redirect('10.0.0.77', '10.0.0.253', '9.9.9.9')
    redirect('10.0.0.254', '224.0.0.1', '9.9.9.9')
    redirect('10.0.0.254', '10.0.0.1', '9.9.9.9')
    lab.sysctl('net/ipv4/conf/all/shared_media', 0)
    lab.sysctl('net/ipv4/conf/a/shared_media', 0)
    redirect('10.0.0.254', '10.5.0.1', '9.9.9.9')
    expect(gateway('9.9.9.9')).toBe('10.0.0.254')
  })

  it('is not believed where redirects are off', () => {
    lab.sysctl('net/ipv4/conf/all/accept_redirects', 0)
    lab.sysctl('net/ipv4/conf/a/accept_redirects', 0)
    redirect('10.0.0.254', '10.0.0.253', '9.9.9.9')
    expect(gateway('9.9.9.9')).toBe('10.0.0.254')
  })
})
