import { beforeEach, describe, expect, it } from 'vitest'
import { inetIoctl } from '../../../src/kernel/ipv4/inet_ioctl.ts'
import { errnoName } from '../../../src/uapi/errno.ts'
import {
  type AddressIoctl,
  type InetIoctl,
  type RouteIoctl,
  RTF_GATEWAY,
  RTF_HOST,
  RTF_REJECT,
  RTF_UP,
  SIOCADDRT,
  SIOCDELRT,
  SIOCSIFADDR,
  SIOCSIFBRDADDR,
  SIOCSIFFLAGS,
  SIOCSIFNETMASK,
} from '../../../src/uapi/ioctl_inet.ts'
import { ip4, RouteLab } from './route_lab.ts'

let lab: RouteLab
beforeEach(() => {
  lab = new RouteLab()
  lab.dummy('d0', '10.1.2.3/24')
})

function ioctl(request: InetIoctl, capable = true): string {
  const rc = inetIoctl(lab.net, capable, request)
  return rc === 0 ? 'ok' : errnoName(-rc)
}

describe('routes by ioctl', () => {
  const route = (words: Partial<RouteIoctl> & { net?: string; mask?: string; gw?: string }): RouteIoctl => ({
    request: SIOCADDRT,
    dst: ip4(words.net ?? '10.88.0.0'),
    genmask: ip4(words.mask ?? '255.255.0.0'),
    flags: RTF_UP | (words.gw === undefined ? 0 : RTF_GATEWAY),
    metric: 0,
    ...(words.gw !== undefined && { gateway: ip4(words.gw) }),
    ...words,
  })
  const found = (): string[] => lab.routes().filter(text => text.includes('10.88.'))

  it('are added and deleted', () => {
    expect(ioctl(route({ dev: 'd0' }))).toBe('ok')
    expect(found()).toEqual(['10.88.0.0/16 dev d0 scope link'])
    expect(ioctl(route({ dev: 'd0', request: SIOCDELRT }))).toBe('ok')
    expect(ioctl(route({ gw: '10.1.2.9', metric: 8 }))).toBe('ok')
    expect(found()).toEqual(['10.88.0.0/16 via 10.1.2.9 dev d0 metric 7'])
    expect(ioctl(route({ request: SIOCDELRT }))).toBe('ok')
    expect(ioctl(route({ request: SIOCDELRT }))).toBe('ESRCH')
  })

  it('are refused with an error', () => {
    expect(ioctl(route({ gw: '99.0.0.1' }))).toBe('ENETUNREACH')
    expect(ioctl(route({ dev: 'nope' }))).toBe('ENODEV')
    expect(ioctl(route({ dev: 'd0:1' }))).toBe('ENODEV')
    expect(ioctl(route({ dev: 'd0', net: '10.88.1.0' }))).toBe('EINVAL')
    expect(ioctl(route({ dev: 'd0', mask: '255.0.255.0' }))).toBe('EINVAL')
    expect(ioctl(route({ dev: 'd0', flags: RTF_UP | RTF_GATEWAY }))).toBe('EINVAL')
    expect(ioctl(route({ dev: 'd0' }), false)).toBe('EPERM')
    ioctl(route({ dev: 'd0' }))
    expect(ioctl(route({ dev: 'd0' }))).toBe('EEXIST')
  })

  it('may be to a host, or an error', () => {
    ioctl(route({ net: '10.88.0.7', flags: RTF_UP | RTF_HOST, dev: 'd0' }))
    ioctl(route({ flags: RTF_UP | RTF_REJECT }))
    expect(found()).toEqual(['unreachable 10.88.0.0/16 scope host', '10.88.0.7 dev d0 scope link'])
  })
})

describe('addresses by ioctl', () => {
  const set = (
    request: Exclude<AddressIoctl['request'], typeof SIOCSIFFLAGS>,
    address: string,
    ifname = 'd0',
  ): string => ioctl({ request, ifname, address: ip4(address) })

  it('get mask and broadcast address by their class, and others when asked', () => {
    expect(set(SIOCSIFADDR, '192.168.7.1')).toBe('ok')
    expect(lab.addrs('d0')).toEqual(['192.168.7.1/24 brd 192.168.7.255'])
    expect(set(SIOCSIFNETMASK, '255.255.0.0')).toBe('ok')
    expect(lab.addrs('d0')).toEqual(['192.168.7.1/16 brd 192.168.255.255'])
    expect(set(SIOCSIFBRDADDR, '192.168.0.9')).toBe('ok')
    expect(lab.addrs('d0')).toEqual(['192.168.7.1/16 brd 192.168.0.9'])
  })

  it('are further ones under labels, and go with the label', () => {
    set(SIOCSIFADDR, '172.16.0.1', 'd0:1')
    expect(lab.addrs('d0')).toEqual(['10.1.2.3/24', '172.16.0.1/16 brd 172.16.255.255 label d0:1'])
    expect(ioctl({ request: SIOCSIFFLAGS, ifname: 'd0:1', flags: 0 })).toBe('ok')
    expect(lab.addrs('d0')).toEqual(['10.1.2.3/24'])
  })

  it('are refused with an error', () => {
    expect(set(SIOCSIFADDR, '224.0.0.1')).toBe('EINVAL')
    expect(set(SIOCSIFNETMASK, '255.0.255.0')).toBe('EINVAL')
    expect(set(SIOCSIFNETMASK, '255.0.0.0', 'd0:9')).toBe('EADDRNOTAVAIL')
    expect(set(SIOCSIFADDR, '10.0.0.1', 'nope')).toBe('ENODEV')
  })
})
