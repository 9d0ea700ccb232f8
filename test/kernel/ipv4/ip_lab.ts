/** Hosts joined by veth pairs, sockets on them, and frames made by hand, for tests of the IPv4 data path. */
import type { DropReason } from '../../../src/kernel/core/dropreason.ts'
import type { NetDevice } from '../../../src/kernel/core/net_device.ts'
import type { Net } from '../../../src/kernel/core/net_namespace.ts'
import type { SkBuff } from '../../../src/kernel/core/skbuff.ts'
import type { Sock } from '../../../src/kernel/core/sock.ts'
import type { Cred } from '../../../src/kernel/core/socket.ts'
import { csumPartial, csumTcpudpMagic, ipComputeCsum } from '../../../src/kernel/ipv4/checksum.ts'
import { addrText } from '../../../src/kernel/ipv4/inet_addr.ts'
import { ipSendCheck, put16, put32 } from '../../../src/kernel/ipv4/ip.ts'
import { errnoName } from '../../../src/uapi/errno.ts'
import {
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
} from '../../../src/uapi/netlink.ts'
import {
  type NeighAttrs,
  type NeighMessage,
  NTF_PROXY,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from '../../../src/uapi/rtnetlink.ts'
import { AF_INET, type ReceivedMessage, SOCK_DGRAM, SOCK_RAW, type SockaddrIn } from '../../../src/uapi/socket.ts'
import { ip4, num4, RouteLab } from './route_lab.ts'

export { ip4, num4 } from './route_lab.ts'

const ROOT: Cred = { uid: 0, gid: 0, pid: 1, comm: 'test' }
export const USER: Cred = { uid: 1000, gid: 1000, pid: 2, comm: 'user' }

const STATES: readonly (readonly [number, string])[] = [
  [0x01, 'INCOMPLETE'],
  [0x02, 'REACHABLE'],
  [0x04, 'STALE'],
  [0x08, 'DELAY'],
  [0x10, 'PROBE'],
  [0x20, 'FAILED'],
  [0x40, 'NOARP'],
  [0x80, 'PERMANENT'],
]

/** @returns a NUD state's name */
export function nud(state: number): string {
  return STATES.find(([bit]) => bit === state)?.[1] ?? 'NONE'
}

/** A frame that passed a device, as a test looks at it. */
export interface Seen {
  readonly bytes: Uint8Array
  readonly at: number
}

/** The address of a socket. */
export function sin(addr: string, port: number): SockaddrIn {
  return { family: AF_INET, addr: num4(addr), port }
}

/** What an IPv4 packet made by hand may have. */
export interface PacketWords {
  src: string
  dst: string
  proto?: number
  ttl?: number
  tos?: number
  id?: number
  frag?: number
  options?: readonly number[]
  payload?: Uint8Array
}

/** An IPv4 packet with a right header. */
export function packet(words: PacketWords): Uint8Array {
  const { options = [], payload = new Uint8Array(0) } = words
  const hlen = 20 + ((options.length + 3) & ~3)
  const bytes = new Uint8Array(hlen + payload.length)
  bytes[0] = 0x40 | (hlen >> 2)
  bytes[1] = words.tos ?? 0
  put16(bytes, 2, bytes.length)
  put16(bytes, 4, words.id ?? 1)
  put16(bytes, 6, words.frag ?? 0)
  bytes[8] = words.ttl ?? 64
  bytes[9] = words.proto ?? 17
  put32(bytes, 12, num4(words.src))
  put32(bytes, 16, num4(words.dst))
  bytes.set(options, 20)
  bytes.set(payload, hlen)
  ipSendCheck(bytes, 0)
  return bytes
}

/** A UDP datagram with its checksum. */
export function datagram(src: string, sport: number, dst: string, dport: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + data.length)
  put16(bytes, 0, sport)
  put16(bytes, 2, dport)
  put16(bytes, 4, bytes.length)
  bytes.set(data, 8)
  put16(
    bytes,
    6,
    csumTcpudpMagic(num4(src), num4(dst), bytes.length, 17, csumPartial(bytes, 0, bytes.length, 0)) || 0xffff,
  )
  return bytes
}

/** An ICMP message with its checksum. */
export function icmp(type: number, code: number, word: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(8 + data.length)
  bytes[0] = type
  bytes[1] = code
  put32(bytes, 4, word)
  bytes.set(data, 8)
  put16(bytes, 2, ipComputeCsum(bytes, 0, bytes.length))
  return bytes
}

/** A lab with words for the data path. */
export class IpLab extends RouteLab {
  /** joins two namespaces: devices `a` and `b` with addresses, both up */
  wire(netA: Net, a: string, addrA: string, netB: Net, b: string, addrB: string): void {
    const fd = this.fd(netB)
    const peer = this.link(16, { ifname: b, netNsFd: fd })
    this.add(a, { kind: 'veth', data: { peer } }, {}, netA)
    this.addr(`${addrA}/24`, a, {}, netA)
    this.addr(`${addrB}/24`, b, {}, netB)
    this.up(a, netA)
    this.up(b, netB)
  }

  udp(net = this.net, cred = ROOT): Sock {
    return this.open(net, SOCK_DGRAM, 17, cred)
  }

  raw(net = this.net, protocol = 1, cred = ROOT): Sock {
    return this.open(net, SOCK_RAW, protocol, cred)
  }

  ping(net = this.net, cred = ROOT): Sock {
    return this.open(net, SOCK_DGRAM, 1, cred)
  }

  private open(net: Net, type: number, protocol: number, cred: Cred): Sock {
    const made = this.kernel.socket(net, AF_INET, type, protocol, cred)
    if (typeof made === 'number') throw new Error(`socket: ${errnoName(-made)}`)
    return made as Sock
  }

  setting(path: string, value: string | number, net = this.net): number {
    let node = this.kernel.procSys(net).lookup('net')
    for (const part of path.split('/')) node = node?.kind === 'dir' ? node.lookup(part) : undefined
    if (node?.kind !== 'file') throw new Error(`no ${path}`)
    return node.write?.(`${value}\n`) ?? -1
  }

  procText(path: string, net = this.net): string {
    let node = this.kernel.procNet(net) as ReturnType<ReturnType<typeof this.kernel.procNet>['lookup']>
    for (const part of path.split('/')) node = node?.kind === 'dir' ? node.lookup(part) : undefined
    if (node?.kind !== 'file') throw new Error(`no ${path}`)
    return String(node.read?.())
  }

  /** a counter of /proc/net/snmp or netstat, such as `IpInReceives` */
  counter(name: string, net = this.net): number {
    for (const file of ['snmp', 'netstat']) {
      const lines = this.procText(file, net).split('\n')
      for (let i = 0; i + 1 < lines.length; i += 2) {
        const group = lines[i]!.split(':')[0]!
        const at = lines[i]!.split(' ').indexOf(name.slice(group.length))
        if (name.startsWith(group) && at > 0) return Number(lines[i + 1]!.split(' ')[at])
      }
    }
    throw new Error(`no counter ${name}`)
  }

  /** the entries of a device, or of all: `10.0.0.2 REACHABLE` */
  neighs(net = this.net, filter: Partial<NeighMessage> = {}): string[] {
    return this.neighDump(net, filter).map(m => `${[...m.attrs.dst!].join('.')} ${nud(m.state)}`)
  }

  neighDump(net = this.net, filter: Partial<NeighMessage> = {}): NeighMessage[] {
    return this.request(
      {
        type: RTM_GETNEIGH,
        flags: NLM_F_REQUEST | NLM_F_DUMP,
        family: AF_INET,
        ifindex: 0,
        state: 0,
        ndmFlags: 0,
        ndmType: 0,
        attrs: {},
        ...filter,
      },
      net,
    ) as NeighMessage[]
  }

  /** `ip neigh VERB ADDRESS dev DEV …` */
  ipNeigh(
    verb: 'add' | 'replace' | 'change' | 'del' | 'get',
    addr: string,
    dev: string | undefined,
    words: { state?: number; flags?: number; attrs?: NeighAttrs; proxy?: boolean } = {},
    net = this.net,
  ): NeighMessage[] {
    const flags = {
      add: NLM_F_CREATE | NLM_F_EXCL,
      replace: NLM_F_CREATE | NLM_F_REPLACE,
      change: NLM_F_REPLACE,
      del: 0,
      get: 0,
    }[verb]
    return this.request(
      {
        type: verb === 'del' ? RTM_DELNEIGH : verb === 'get' ? RTM_GETNEIGH : RTM_NEWNEIGH,
        flags: NLM_F_REQUEST | NLM_F_ACK | flags,
        family: AF_INET,
        ifindex: dev === undefined ? 0 : this.dev(dev, net).ifindex,
        state: words.state ?? (verb === 'get' || verb === 'del' ? 0 : 0x80),
        ndmFlags: (words.flags ?? 0) | (words.proxy === true ? NTF_PROXY : 0),
        ndmType: 0,
        attrs: { dst: ip4(addr), ...words.attrs },
      },
      net,
    ) as NeighMessage[]
  }

  /** taps a device: frames that pass it, both ways */
  tap(dev: NetDevice): Seen[] {
    const seen: Seen[] = []
    dev.ptypeAll.push({
      type: 3,
      dev,
      net: dev.net,
      func: skb => {
        seen.push({ bytes: skb.buf.slice(Math.min(skb.data, skb.macHeader), skb.tail), at: this.kernel.clock.now })
        skb.consume()
        return 0
      },
    })
    return seen
  }

  /** lets a device receive a packet as if it came by its cable */
  inject(dev: NetDevice, bytes: Uint8Array, words: { protocol?: number; pktType?: number } = {}): void {
    const skb: SkBuff = this.kernel.skbs.alloc(64 + bytes.length)
    skb.reserve(64)
    skb.buf.set(bytes, skb.put(bytes.length))
    skb.dev = dev
    skb.protocol = words.protocol ?? 0x0800
    skb.pktType = words.pktType ?? 0
    skb.macHeader = skb.data - 14
    this.kernel.netcore.netifRx(skb)
    this.sleep(0.0001)
  }

  /** notes why and where packets are dropped */
  drops(): (readonly [location: string, reason: DropReason])[] {
    const seen: (readonly [string, DropReason])[] = []
    this.kernel.trace.kfreeSkb.probe((_skb, location, reason) => seen.push([location, reason]))
    return seen
  }
}

/** @returns the error's name of a result below zero, else the result */
export function outcome(rc: unknown): unknown {
  if (typeof rc === 'number' && rc < 0) return errnoName(-rc)
  return rc
}

/** @returns a received message as text: `data from ADDRESS:PORT`, or the error */
export function received(sk: Sock, flags = 0): string {
  const message = sk.recvmsg(65535, flags)
  if (typeof message === 'number') return String(outcome(message))
  return `${new TextDecoder().decode(message.data)} from ${fromText(message)}`
}

/** @returns the sender of a message */
export function fromText(message: ReceivedMessage): string {
  const { from } = message
  return from?.family === AF_INET ? `${addrText(from.addr)}:${from.port}` : 'nobody'
}

/** @returns text as bytes */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

/** A client, a router and a server in a row. */
export class RoutedLab extends IpLab {
  readonly router: Net
  readonly server: Net

  constructor() {
    super()
    this.router = this.createNet()
    this.server = this.createNet()
    this.wire(this.net, 'c0', '10.1.0.2', this.router, 'r0', '10.1.0.1')
    this.wire(this.router, 'r1', '10.2.0.1', this.server, 's0', '10.2.0.2')
    this.route('add', 'default', { via: '10.1.0.1' })
    this.route('add', 'default', { via: '10.2.0.1' }, this.server)
    this.setting('ipv4/ip_forward', 1, this.router)
    this.up('lo')
    this.up('lo', this.server)
    this.sleep(2)
  }
}
