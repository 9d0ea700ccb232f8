/** Packet sockets: frames as they come from and go to devices, see packet(7). */
import { Errno } from '../../uapi/errno.ts'
import { IFF_UP } from '../../uapi/if.ts'
import {
  PACKET_ADD_MEMBERSHIP,
  PACKET_AUXDATA,
  PACKET_DROP_MEMBERSHIP,
  PACKET_IGNORE_OUTGOING,
  PACKET_ORIGDEV,
  PACKET_STATISTICS,
  SO_ATTACH_FILTER,
  SO_DETACH_FILTER,
} from '../../uapi/if_packet.ts'
import {
  AF_PACKET,
  type AncillaryData,
  MSG_PEEK,
  MSG_TRUNC,
  type ReceivedMessage,
  type SendControl,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_PACKET,
  SOL_SOCKET,
  type Sockaddr,
  type SockaddrLl,
} from '../../uapi/socket.ts'
import type { PacketType } from '../core/dev.ts'
import { BpfProgram } from '../core/filter.ts'
import { NET_XMIT_CN, type NetDevice } from '../core/net_device.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { procCreateNet } from '../core/procfs.ts'
import { PACKET_LOOPBACK, PACKET_OUTGOING, type SkBuff } from '../core/skbuff.ts'
import { type OptionResult, optionNumber, Sock } from '../core/sock.ts'
import type { Cred, OptionValue } from '../core/socket.ts'
import type { Kernel } from '../kernel.ts'
import { PacketMemberships } from './memberships.ts'

/** Bytes of a VLAN tag, which a frame may be longer by. */
const VLAN_HLEN = 4

const key = pernetKey<Set<PacketSock>>('packet')

/** @returns the packet sockets of a namespace, oldest first */
export function packetSockets(net: Net): ReadonlySet<PacketSock> {
  return net.at(key)
}

/** A packet socket. */
export class PacketSock extends Sock {
  /** the protocol it receives, host order; 0 none, ETH_P_ALL all */
  num: number
  /** the device it is bound to: 0 any, -1 one that has gone */
  ifindex = 0
  /** it receives */
  running = false
  private hook: PacketType | undefined
  private filter: BpfProgram | undefined
  private auxdata = false
  private origdev = false
  private ignoreOutgoing = false
  private packets = 0
  private lost = 0
  readonly memberships: PacketMemberships

  /** @param protocol host order */
  constructor(net: Net, type: number, protocol: number, cred: Cred) {
    super(net, AF_PACKET, type, protocol, cred, 'PACKET')
    this.num = protocol
    this.memberships = new PacketMemberships(net)
    net.at(key).add(this)
    this.inuseAdd(1)
    if (protocol !== 0) this.register()
  }

  private get boundDev(): NetDevice | undefined {
    return this.ifindex > 0 ? this.net.devByIndex(this.ifindex) : undefined
  }

  private register(): void {
    if (this.running) return
    this.hook = {
      type: this.num,
      dev: this.boundDev,
      net: this.net,
      ignoreOutgoing: this.ignoreOutgoing,
      owner: this,
      name: 'packet_rcv',
      func: (skb, dev, origDev) => this.rcv(skb, dev, origDev),
    }
    this.net.kernel.netcore.addPack(this.hook)
    this.running = true
  }

  private unregister(): void {
    if (this.hook !== undefined) this.net.kernel.netcore.removePack(this.hook)
    this.hook = undefined
    this.running = false
  }

  private fail(errno: number): void {
    this.err = errno
    this.errorReport()
  }

  /** Follows what happens to the device it is bound to (packet_notifier). */
  deviceEvent(event: 'UP' | 'DOWN' | 'UNREGISTER', dev: NetDevice): void {
    if (event === 'UNREGISTER') this.memberships.forget(dev)
    if (dev.ifindex !== this.ifindex) return
    if (event === 'UP') {
      if (this.num !== 0) this.register()
      return
    }
    if (this.running) {
      this.unregister()
      this.fail(Errno.ENETDOWN)
    }
    if (event === 'UNREGISTER') this.ifindex = -1
  }

  /** Takes a frame from a device (packet_rcv). */
  private rcv(skb: SkBuff, dev: NetDevice, origDev: NetDevice): number {
    if (skb.pktType === PACKET_LOOPBACK) {
      skb.consume()
      return 0
    }
    skb.dev = dev
    if (dev.headerOps !== undefined) {
      if (this.type !== SOCK_DGRAM) skb.push(skb.data - skb.macHeader)
      else if (skb.pktType === PACKET_OUTGOING) skb.pull(skb.networkHeader - skb.data)
    }
    const { len } = skb
    let keep = len
    if (this.filter !== undefined) {
      keep = Math.min(len, this.filter.run(skb))
      if (keep === 0) {
        skb.consume()
        return 0
      }
    }
    if (this.rmemAlloc >= this.rcvbuf) {
      this.lost++
      this.drops++
      skb.free('packet_rcv', 'SOCKET_RCVBUFF')
      return 0
    }
    this.packets++
    skb.trim(keep)
    // what recvmsg tells of it
    skb.cbIif = (this.origdev ? origDev : dev).ifindex
    skb.cbFlags = dev.type
    skb.cbPktLen = len
    skb.cbFragMaxSize = dev.headerOps === undefined ? 0 : dev.addrLen
    skb.nfct?.put()
    skb.nfct = null
    skb.dev = null
    this.chargeRcv(skb)
    return 0
  }

  bind(address: Sockaddr): number {
    if (address.family !== AF_PACKET) return -Errno.EINVAL
    const dev = address.ifindex === 0 ? undefined : this.net.devByIndex(address.ifindex)
    if (address.ifindex !== 0 && dev === undefined) return -Errno.ENODEV
    this.unregister()
    this.num = address.protocol === 0 ? this.num : address.protocol
    this.ifindex = address.ifindex
    if (this.num === 0) return 0
    if (dev === undefined || (dev.flags & IFF_UP) !== 0) this.register()
    else this.fail(Errno.ENETDOWN)
    return 0
  }

  connect(): number {
    return -Errno.EOPNOTSUPP
  }

  /** Sends a frame (SOCK_RAW), or a payload to a link address (SOCK_DGRAM) (packet_snd). */
  sendmsg(data: Uint8Array, _flags: number, to: Sockaddr | undefined, _control: SendControl | undefined): number {
    let dev: NetDevice | undefined
    let protocol = this.num
    if (to === undefined) dev = this.boundDev
    else {
      if (to.family !== AF_PACKET) return -Errno.EINVAL
      protocol = to.protocol
      dev = this.net.devByIndex(to.ifindex)
      if (dev !== undefined && this.type === SOCK_DGRAM && (to.addr?.length ?? 0) < dev.addrLen) return -Errno.EINVAL
    }
    if (dev === undefined) return -Errno.ENXIO
    if ((dev.flags & IFF_UP) === 0) return -Errno.ENETDOWN
    const raw = this.type === SOCK_RAW
    if (data.length > dev.mtu + (raw ? dev.hardHeaderLen : 0) + VLAN_HLEN) return -Errno.EMSGSIZE
    if (data.length === 0 || (raw && data.length < dev.hardHeaderLen)) return -Errno.EINVAL
    const wait = this.mayAllocSend()
    if (wait !== 0) return wait
    const skb = this.build(data, dev, protocol, raw ? undefined : (to as SockaddrLl | undefined)?.addr)
    if (skb === undefined) return -Errno.EINVAL
    const rc = dev.net.kernel.netcore.queueXmit(skb)
    if (rc < 0) return rc
    return rc === 0 || rc === NET_XMIT_CN ? data.length : -Errno.ENOBUFS
  }

  private build(data: Uint8Array, dev: NetDevice, protocol: number, to: Uint8Array | undefined): SkBuff | undefined {
    const { kernel } = this.net
    const skb = kernel.skbs.alloc(dev.llReserved + data.length)
    skb.reserve(dev.llReserved)
    skb.buf.set(data, skb.put(data.length))
    skb.resetNetworkHeader()
    if (this.type === SOCK_DGRAM) {
      const header = dev.headerOps?.create(skb, dev, protocol, to, undefined, data.length) ?? 0
      if (header < 0) {
        skb.free('packet_snd')
        return undefined
      }
    } else skb.networkHeader = skb.data + dev.hardHeaderLen
    const inFrame = dev.hardHeaderLen === 14 ? (skb.buf[skb.data + 12]! << 8) | skb.buf[skb.data + 13]! : 0
    skb.protocol = protocol !== 0 && protocol !== 3 ? protocol : inFrame
    skb.dev = dev
    skb.priority = this.priority
    skb.mark = this.mark
    this.setOwnerW(skb)
    return skb
  }

  recvmsg(max: number, flags: number): ReceivedMessage | number {
    const peek = (flags & MSG_PEEK) !== 0
    const skb = this.recvSkb(peek)
    if (typeof skb === 'number') return skb
    const length = Math.min(max, skb.len)
    const { buf, data } = skb
    const from: SockaddrLl = {
      family: AF_PACKET,
      protocol: skb.protocol,
      ifindex: skb.cbIif,
      hatype: skb.cbFlags,
      pkttype: skb.pktType,
      addr: buf.slice(skb.macHeader + 6, skb.macHeader + 6 + skb.cbFragMaxSize),
    }
    const control: AncillaryData = {
      ...(this.timestamp ? { timestamp: this.net.kernel.bootTime + skb.tstamp } : {}),
      ...(this.auxdata
        ? {
            packetAux: {
              len: skb.cbPktLen,
              snaplen: skb.len,
              ...(skb.vlanProto === 0 ? {} : { vlan: { tci: skb.vlanTci, tpid: skb.vlanProto } }),
            },
          }
        : {}),
    }
    const message: ReceivedMessage = {
      data: buf.slice(data, data + length),
      length: skb.len,
      flags: length < skb.len ? MSG_TRUNC : 0,
      from,
      control,
    }
    if (!peek) skb.consume()
    return message
  }

  override setsockopt(level: number, option: number, value: OptionValue): number {
    if (level === SOL_SOCKET && option === SO_ATTACH_FILTER) {
      if (!(value instanceof Uint8Array)) return -Errno.EINVAL
      const program = BpfProgram.load(value)
      if (typeof program === 'number') return program
      this.filter = program
      return 0
    }
    if (level === SOL_SOCKET && option === SO_DETACH_FILTER) {
      if (this.filter === undefined) return -Errno.ENOENT
      this.filter = undefined
      return 0
    }
    if (level !== SOL_PACKET) return super.setsockopt(level, option, value)
    if (option === PACKET_ADD_MEMBERSHIP || option === PACKET_DROP_MEMBERSHIP) {
      if (!(value instanceof Uint8Array)) return -Errno.EINVAL
      return option === PACKET_ADD_MEMBERSHIP ? this.memberships.add(value) : this.memberships.drop(value)
    }
    const number = optionNumber(value)
    if (number === undefined) return -Errno.EINVAL
    switch (option) {
      case PACKET_AUXDATA:
        this.auxdata = number !== 0
        return 0
      case PACKET_ORIGDEV:
        this.origdev = number !== 0
        return 0
      case PACKET_IGNORE_OUTGOING:
        if (number < 0 || number > 1) return -Errno.EINVAL
        this.ignoreOutgoing = number === 1
        if (this.running) {
          this.unregister()
          this.register()
        }
        return 0
      default:
        return -Errno.ENOPROTOOPT
    }
  }

  override getsockopt(level: number, option: number): OptionResult {
    if (level !== SOL_PACKET) return super.getsockopt(level, option)
    switch (option) {
      case PACKET_STATISTICS: {
        const bytes = new Uint8Array(8)
        const view = new DataView(bytes.buffer)
        view.setUint32(0, this.packets + this.lost, true)
        view.setUint32(4, this.lost, true)
        // reading starts them anew
        this.packets = 0
        this.lost = 0
        return bytes
      }
      case PACKET_AUXDATA:
        return this.auxdata ? 1 : 0
      case PACKET_ORIGDEV:
        return this.origdev ? 1 : 0
      case PACKET_IGNORE_OUTGOING:
        return this.ignoreOutgoing ? 1 : 0
      default:
        return { errno: Errno.ENOPROTOOPT }
    }
  }

  getsockname(): Sockaddr {
    const dev = this.boundDev
    return {
      family: AF_PACKET,
      protocol: this.num,
      ifindex: this.ifindex,
      pkttype: 0,
      hatype: dev?.type ?? 0,
      addr: dev?.devAddr.slice() ?? new Uint8Array(0),
    }
  }

  getpeername(): number {
    return -Errno.EOPNOTSUPP
  }

  protected destroy(): void {
    this.net.at(key).delete(this)
    this.inuseAdd(-1)
    this.unregister()
    this.memberships.dropAll()
  }
}

function create(net: Net, type: number, protocol: number, cred: Cred): PacketSock | number {
  if (cred.uid !== 0) return -Errno.EPERM
  if (type !== SOCK_DGRAM && type !== SOCK_RAW) return -Errno.ESOCKTNOSUPPORT
  return new PacketSock(net, type, protocol, cred)
}

function procPacket(net: Net): string {
  let text = 'sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n'
  for (const sk of packetSockets(net))
    text +=
      `${sk.ino.toString(16).padStart(16, '0')} ${'3'.padEnd(6)} ${String(sk.type).padEnd(4)} ` +
      `${sk.num.toString(16).padStart(4, '0')}   ${String(sk.ifindex).padEnd(5)} ${sk.running ? 1 : 0} ` +
      `${String(sk.rmemAlloc).padEnd(6)} ${String(sk.cred.uid).padEnd(6)} ${String(sk.ino).padEnd(6)}\n`
  return text
}

/** Registers this subsystem with a kernel. */
export function packetInit(kernel: Kernel): void {
  kernel.families.set(AF_PACKET, create)
  kernel.registerPernet({
    init(net) {
      net.set(key, new Set())
      procCreateNet(net, 'packet', () => procPacket(net))
    },
  })
  kernel.netdevChain.register((event, dev) => {
    if (event === 'UP' || event === 'DOWN' || event === 'UNREGISTER')
      for (const sk of [...packetSockets(dev.net)]) sk.deviceEvent(event, dev)
    return 0
  })
}
