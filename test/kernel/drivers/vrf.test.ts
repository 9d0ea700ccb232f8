import { describe, expect, it } from 'vitest'
import { IF_OPER_UP } from '../../../src/uapi/if.ts'
import type { LinkInfo } from '../../../src/uapi/if_link.ts'
import { NLM_F_DUMP, NLM_F_REQUEST } from '../../../src/uapi/netlink.ts'
import { RTM_GETRULE, RTM_NEWADDR, type RuleMessage } from '../../../src/uapi/rtnetlink.ts'
import { AF_INET } from '../../../src/uapi/socket.ts'
import { failure, Lab } from '../core/net_lab.ts'
import { pingOnce } from './ping_once.ts'

function kind(table?: number): LinkInfo {
  return { kind: 'vrf', data: table === undefined ? {} : { table } }
}

function address(lab: Lab, name: string, last: number, net = lab.net): void {
  const local = Uint8Array.of(10, 0, 0, last)
  const index = lab.dev(name, net).ifindex
  const attrs = { local, address: local }
  lab.request(
    { type: RTM_NEWADDR, flags: 0x605, family: AF_INET, prefixlen: 24, ifaFlags: 0, scope: 0, index, attrs },
    net,
  )
}

function rules(lab: Lab): number[] {
  const request: RuleMessage = {
    type: RTM_GETRULE,
    flags: NLM_F_REQUEST | NLM_F_DUMP,
    family: AF_INET,
    dstLen: 0,
    srcLen: 0,
    tos: 0,
    table: 0,
    action: 0,
    ruleFlags: 0,
    attrs: {},
  }
  return lab.request(request).map(each => (each as RuleMessage).attrs.priority ?? 0)
}

describe('vrf', () => {
  it('needs a table, and brings the rule that finds it', () => {
    const lab = new Lab()
    expect(failure(() => lab.add('red', kind()))).toBe('EINVAL: VRF table id is missing')
    expect(failure(() => lab.add('red', kind(0)))).toBe('EINVAL: Invalid VRF table id')
    expect(rules(lab)).toEqual([0, 32766, 32767])
    lab.add('red', kind(100))
    expect(rules(lab)).toEqual([0, 1000, 32766, 32767])
    lab.add('blue', kind(101))
    expect(rules(lab)).toEqual([0, 1000, 32766, 32767])
    expect(failure(() => lab.set('red', { linkinfo: kind(5) }))).toBe('EOPNOTSUPP')
    lab.up('red')
    expect(lab.show('red').attrs).toMatchObject({ mtu: 65575, minMtu: 1280, operstate: IF_OPER_UP })
  })

  it('takes no loopback and no other vrf as a port, and stays in its namespace', () => {
    const lab = new Lab()
    lab.add('red', kind(100))
    lab.add('blue', kind(101))
    const master = lab.dev('red').ifindex
    expect(failure(() => lab.set('blue', { master }))).toBe('EINVAL: Can not enslave an L3 master device to a VRF')
    expect(failure(() => lab.set('lo', { master }))).toBe('EOPNOTSUPP: Can not enslave loopback device to a VRF')
    expect(failure(() => lab.set('red', { netNsFd: lab.fd(lab.createNet()) }))).toBe('EINVAL')
    lab.add('d0', { kind: 'dummy' })
    lab.set('d0', { master })
    expect(lab.show('d0').attrs.linkinfo).toMatchObject({ slaveKind: 'vrf', slaveData: { table: 100 } })
    lab.del('red')
    expect(lab.show('d0').attrs.master).toBeUndefined()
  })

  it('keeps its ports’ routes to those who are bound to it', () => {
    const lab = new Lab()
    const outside = lab.createNet()
    lab.veth('e0', 'e1')
    lab.set('e1', { netNsFd: lab.fd(outside) })
    lab.up('e1', outside)
    address(lab, 'e1', 254, outside)
    lab.add('red', kind(100))
    lab.up('red')
    lab.set('e0', { master: lab.dev('red').ifindex })
    address(lab, 'e0', 1)
    lab.up('e0')
    lab.sleep(2)
    expect(pingOnce(lab, lab.net, '10.0.0.254')).toBe(false)
    expect(pingOnce(lab, lab.net, '10.0.0.254', 'red')).toBe(true)
    expect(pingOnce(lab, lab.net, '10.0.0.1', 'red')).toBe(true)
    expect(pingOnce(lab, outside, '10.0.0.1')).toBe(true)
    expect(lab.show('red').attrs.stats64?.rxPackets).toBeGreaterThan(0)
  })
})
