/**
 * `forward`: 64-byte UDP datagrams from a socket in a client namespace, routed by a router namespace, received by a
 * socket in a server namespace: client – router – server over two veth pairs, with ARP, routes and checksums as always.
 */
import type { Net } from '../src/kernel/core/net_namespace.ts'
import type { Cred, Socket } from '../src/kernel/core/socket.ts'
import { Kernel } from '../src/kernel/kernel.ts'
import { IFF_UP } from '../src/uapi/if.ts'
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST } from '../src/uapi/netlink.ts'
import {
  type LinkAttrs,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
  RTN_UNICAST,
  RTPROT_BOOT,
  type RtMessage,
} from '../src/uapi/rtnetlink.ts'
import { AF_INET, AF_UNSPEC, IPPROTO_UDP, SOCK_DGRAM } from '../src/uapi/socket.ts'

const ROOT: Cred = { uid: 0, gid: 0, pid: 1, comm: 'bench' }
const CHANGE = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
/** UDP payload: with its headers a datagram of 64 bytes. */
const PAYLOAD = 64 - 20 - 8
const PORT = 9
/** Datagrams sent before the receiver reads: what fits its buffer. */
const BATCH = 64

/** What a run found. */
export interface ForwardResult {
  readonly packetsPerSecond: number
  readonly received: number
  /** bytes by which the heap grew over the run */
  readonly heapGrowth: number
}

const address = (text: string): Uint8Array => Uint8Array.from(text.split('.').map(Number))
const number = (text: string): number => address(text).reduce((all, byte) => all * 256 + byte, 0)

function request(net: Net, message: RtMessage): void {
  net.kernel.netlinkRoute({ net, cred: ROOT, netByFd: () => undefined, netByPid: () => undefined }).request(message)
}

function link(name: string, attrs: LinkAttrs, flags: number, change = 0): RtMessage {
  return {
    type: RTM_NEWLINK,
    flags,
    family: AF_UNSPEC,
    hatype: 0,
    index: 0,
    ifFlags: change,
    change,
    attrs: { ifname: name, ...attrs },
  }
}

/** Makes a veth pair between two namespaces and brings it up with an address at each end. */
function wire(
  kernel: Kernel,
  a: { net: Net; name: string; addr: string },
  b: { net: Net; name: string; addr: string },
): void {
  const nets = [a.net, b.net]
  const make = link(
    a.name,
    { linkinfo: { kind: 'veth', data: { peer: link(b.name, { netNsFd: 1 }, 0) as never } } },
    CHANGE,
  )
  kernel.netlinkRoute({ net: a.net, cred: ROOT, netByFd: fd => nets[fd], netByPid: () => undefined }).request(make)
  for (const { net, name, addr } of [a, b]) {
    const index = net.devByName(name)!.ifindex
    request(net, {
      type: RTM_NEWADDR,
      flags: CHANGE,
      family: AF_INET,
      prefixlen: 24,
      ifaFlags: 0,
      scope: RT_SCOPE_UNIVERSE,
      index,
      attrs: { local: address(addr), address: address(addr) },
    })
    request(net, link(name, {}, NLM_F_REQUEST | NLM_F_ACK, IFF_UP))
  }
}

function defaultRoute(net: Net, gateway: string): void {
  request(net, {
    type: RTM_NEWROUTE,
    flags: CHANGE,
    family: AF_INET,
    dstLen: 0,
    srcLen: 0,
    tos: 0,
    table: RT_TABLE_MAIN,
    protocol: RTPROT_BOOT,
    scope: RT_SCOPE_UNIVERSE,
    rtType: RTN_UNICAST,
    rtmFlags: 0,
    attrs: { gateway: address(gateway) },
  })
}

/** Writes a sysctl of a namespace. */
function sysctl(net: Net, path: string, value: string): void {
  let node = net.kernel.procSys(net).lookup('net')
  for (const part of path.split('/')) node = node?.kind === 'dir' ? node.lookup(part) : undefined
  if (node?.kind !== 'file' || node.write === undefined || node.write(value) < 0)
    throw new Error(`cannot set net/${path}`)
}

function udp(net: Net): Socket {
  const socket = net.kernel.socket(net, AF_INET, SOCK_DGRAM, IPPROTO_UDP, ROOT)
  if (typeof socket === 'number') throw new Error(`socket: ${socket}`)
  return socket
}

function check(what: string, rc: number): void {
  if (rc < 0) throw new Error(`${what}: ${rc}`)
}

/** Sends `count` datagrams through the network. */
export async function forward(count: number): Promise<ForwardResult> {
  const kernel = new Kernel({ seed: 1, bootTime: 0, cpus: 2, nics: [] })
  const client = kernel.createNet()
  const router = kernel.createNet()
  const server = kernel.createNet()
  wire(kernel, { net: client, name: 'c0', addr: '10.1.0.2' }, { net: router, name: 'r0', addr: '10.1.0.1' })
  wire(kernel, { net: router, name: 'r1', addr: '10.2.0.1' }, { net: server, name: 's0', addr: '10.2.0.2' })
  defaultRoute(client, '10.1.0.1')
  defaultRoute(server, '10.2.0.1')
  sysctl(router, 'ipv4/ip_forward', '1\n')
  kernel.clock.runUntil(kernel.clock.now + 5e9)

  const sink = udp(server)
  check('bind', sink.bind({ family: AF_INET, addr: 0, port: PORT }))
  const source = udp(client)
  check('connect', source.connect({ family: AF_INET, addr: number('10.2.0.2'), port: PORT }))
  const payload = new Uint8Array(PAYLOAD)
  let received = 0
  const drain = (): void => {
    for (;;) {
      const message = sink.recvmsg(2048, 0)
      if (typeof message === 'number') return
      if (message.data.length === PAYLOAD) received++
    }
  }
  const run = (packets: number): void => {
    for (let sent = 0; sent < packets; sent++) {
      check('send', source.sendmsg(payload, 0, undefined, undefined))
      if (sent % BATCH === BATCH - 1) {
        drain()
        // timers that fell due meanwhile run, as they would between two system calls
        while (kernel.clock.nextTime() <= kernel.clock.now) kernel.clock.runNext()
      }
    }
    drain()
  }

  run(Math.min(20_000, count))
  if (received === 0) throw new Error('no datagram arrived')
  received = 0
  globalThis.gc?.()
  const heap = process.memoryUsage().heapUsed
  const from = performance.now()
  run(count)
  const seconds = (performance.now() - from) / 1000
  globalThis.gc?.()
  const heapGrowth = process.memoryUsage().heapUsed - heap
  if (received !== count) throw new Error(`${count - received} of ${count} datagrams were lost`)
  return { packetsPerSecond: count / seconds, received, heapGrowth }
}
