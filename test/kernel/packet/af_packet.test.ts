import { describe, expect, it } from 'vitest'
import type { Net } from '../../../src/kernel/core/net_namespace.ts'
import { type PacketSock, packetSockets } from '../../../src/kernel/packet/af_packet.ts'
import { Errno } from '../../../src/uapi/errno.ts'
import {
  PACKET_ADD_MEMBERSHIP,
  PACKET_AUXDATA,
  PACKET_MR_PROMISC,
  PACKET_STATISTICS,
  packetMreq,
  packetStatistics,
  SO_ATTACH_FILTER,
  sockFprog,
} from '../../../src/uapi/if_packet.ts'
import { AF_PACKET, SOCK_DGRAM, SOCK_RAW, SOL_PACKET, SOL_SOCKET, type SockaddrLl } from '../../../src/uapi/socket.ts'
import { Lab, mac, macText } from '../core/net_lab.ts'

const ROOT = { uid: 0, gid: 0, pid: 1, comm: 'test' }

function open(lab: Lab, type: number, protocol: number, net: Net = lab.net): PacketSock {
  const sk = lab.kernel.socket(net, AF_PACKET, type, protocol, ROOT)
  if (typeof sk === 'number') throw new Error(`socket: ${sk}`)
  return sk as PacketSock
}

function pair(): Lab {
  const lab = new Lab()
  lab.veth('a', 'b')
  lab.set('b', { address: mac('02:00:00:00:00:02') })
  lab.set('a', { address: mac('02:00:00:00:00:01') })
  lab.up('a')
  lab.up('b')
  lab.sleep(1)
  return lab
}

function to(lab: Lab, name: string, protocol: number, addr?: string): SockaddrLl {
  const base = { family: AF_PACKET, protocol, ifindex: lab.dev(name).ifindex } as const
  return addr === undefined ? base : { ...base, addr: mac(addr) }
}

describe('packet sockets', () => {
  it('send payloads with a link header of the kernel’s, and receive them without', () => {
    const lab = pair()
    const rx = open(lab, SOCK_DGRAM, 0x1234)
    const tx = open(lab, SOCK_DGRAM, 0)
    expect(rx.recvmsg(100, 0)).toBe(-Errno.EAGAIN)
    expect(tx.sendmsg(new Uint8Array([1, 2, 3]), 0, to(lab, 'a', 0x1234, '02:00:00:00:00:02'), undefined)).toBe(3)
    const message = rx.recvmsg(100, 0)
    if (typeof message === 'number') throw new Error(String(message))
    expect([...message.data]).toEqual([1, 2, 3])
    const from = message.from as SockaddrLl
    expect([from.ifindex, from.protocol, from.pkttype, from.hatype, macText(from.addr)]).toEqual([
      lab.dev('b').ifindex,
      0x1234,
      0,
      1,
      '02:00:00:00:00:01',
    ])
    rx.release()
    tx.release()
    expect(lab.kernel.skbs.inUse).toBe(0)
    expect(packetSockets(lab.net).size).toBe(0)
  })

  it('see frames in both directions, whole, but not their own', () => {
    const lab = pair()
    const tap = open(lab, SOCK_RAW, 3)
    tap.bind(to(lab, 'a', 3))
    const frame = new Uint8Array(60)
    frame.set(mac('02:00:00:00:00:02'))
    frame.set(mac('02:00:00:00:00:01'), 6)
    frame.set([0x12, 0x34], 12)
    const tx = open(lab, SOCK_RAW, 0)
    expect(tx.sendmsg(frame, 0, to(lab, 'a', 0), undefined)).toBe(60)
    expect(tx.sendmsg(frame, 0, to(lab, 'b', 0), undefined)).toBe(60)
    const first = tap.recvmsg(1000, 0)
    const second = tap.recvmsg(20, 0)
    if (typeof first === 'number' || typeof second === 'number') throw new Error('no frame')
    expect([first.length, (first.from as SockaddrLl).pkttype]).toEqual([60, 4])
    expect([second.data.length, second.length, (second.from as SockaddrLl).pkttype]).toEqual([20, 60, 3])
    expect(tap.sendmsg(frame, 0, undefined, undefined)).toBe(60)
    expect(tap.recvmsg(1000, 0)).toBe(-Errno.EAGAIN)
    expect(packetStatistics(tap.getsockopt(SOL_PACKET, PACKET_STATISTICS) as Uint8Array)).toEqual({
      packets: 2,
      drops: 0,
    })
  })

  it('refuse what cannot be sent', () => {
    const lab = pair()
    const tx = open(lab, SOCK_RAW, 0)
    expect(tx.sendmsg(new Uint8Array(60), 0, undefined, undefined)).toBe(-Errno.ENXIO)
    expect(tx.sendmsg(new Uint8Array(2000), 0, to(lab, 'a', 0), undefined)).toBe(-Errno.EMSGSIZE)
    expect(tx.sendmsg(new Uint8Array(5), 0, to(lab, 'a', 0), undefined)).toBe(-Errno.EINVAL)
    lab.down('a')
    expect(tx.sendmsg(new Uint8Array(60), 0, to(lab, 'a', 0), undefined)).toBe(-Errno.ENETDOWN)
    expect(lab.kernel.socket(lab.net, AF_PACKET, SOCK_RAW, 0, { ...ROOT, uid: 1000 })).toBe(-Errno.EPERM)
  })

  it('filter with classic BPF and keep as many bytes as it says', () => {
    const lab = pair()
    const rx = open(lab, SOCK_RAW, 3)
    // keep 20 bytes of frames with type 0x1234
    const program = [
      { code: 0x28, jt: 0, jf: 0, k: 12 },
      { code: 0x15, jt: 0, jf: 1, k: 0x1234 },
      { code: 0x06, jt: 0, jf: 0, k: 20 },
      { code: 0x06, jt: 0, jf: 0, k: 0 },
    ]
    expect(rx.setsockopt(SOL_SOCKET, SO_ATTACH_FILTER, sockFprog(program))).toBe(0)
    expect(rx.setsockopt(SOL_SOCKET, SO_ATTACH_FILTER, sockFprog(program.slice(0, 2)))).toBe(-Errno.EINVAL)
    rx.bind(to(lab, 'b', 3))
    const tx = open(lab, SOCK_DGRAM, 0)
    tx.sendmsg(new Uint8Array(50), 0, to(lab, 'a', 0x1235, '02:00:00:00:00:02'), undefined)
    tx.sendmsg(new Uint8Array(50), 0, to(lab, 'a', 0x1234, '02:00:00:00:00:02'), undefined)
    const message = rx.recvmsg(1000, 0)
    expect(typeof message === 'number' ? message : message.data.length).toBe(20)
    expect(rx.recvmsg(1000, 0)).toBe(-Errno.EAGAIN)
  })

  it('make a device promiscuous while they are open, and learn that it went down', () => {
    const lab = pair()
    const sk = open(lab, SOCK_RAW, 3)
    sk.bind(to(lab, 'a', 3))
    sk.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, packetMreq(lab.dev('a').ifindex, PACKET_MR_PROMISC))
    expect(lab.show('a').attrs.promiscuity).toBe(1)
    expect(lab.show('a').ifFlags & 0x100).toBe(0)
    lab.down('a')
    expect(sk.recvmsg(100, 0)).toBe(-Errno.ENETDOWN)
    sk.release()
    expect(lab.show('a').attrs.promiscuity).toBe(0)
  })

  it('get the tag of a VLAN beside the frame', () => {
    const lab = pair()
    lab.add('a.7', { kind: 'vlan', data: { id: 7 } }, { link: lab.dev('a').ifindex })
    lab.up('a.7')
    const rx = open(lab, SOCK_RAW, 3)
    rx.bind(to(lab, 'b', 3))
    rx.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    open(lab, SOCK_DGRAM, 0).sendmsg(new Uint8Array(46), 0, to(lab, 'a.7', 0x1234, '02:00:00:00:00:02'), undefined)
    const message = rx.recvmsg(1000, 0)
    if (typeof message === 'number') throw new Error(String(message))
    expect(message.data.length).toBe(60)
    expect(message.control.packetAux).toEqual({ len: 60, snaplen: 60, vlan: { tci: 7, tpid: 0x8100 } })
  })
})
