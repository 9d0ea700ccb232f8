/** What packet sockets ask of devices: to listen to every frame, to groups, to further addresses. */
import { Errno } from '../../uapi/errno.ts'
import { PACKET_MR_ALLMULTI, PACKET_MR_MULTICAST, PACKET_MR_PROMISC, PACKET_MR_UNICAST } from '../../uapi/if_packet.ts'
import { devMcAdd, devMcDel, devUcAdd, devUcDel, hwAddrKey } from '../core/dev_addr_lists.ts'
import { devSetAllmulti, devSetPromiscuity } from '../core/dev_flags.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'

interface Membership {
  readonly dev: NetDevice
  readonly type: number
  readonly address: Uint8Array
  count: number
}

/** Applies a membership to its device, or takes it back (packet_dev_mc). */
function apply({ dev, type, address }: Membership, inc: 1 | -1): number {
  switch (type) {
    case PACKET_MR_MULTICAST:
      if (address.length !== dev.addrLen) return -Errno.EINVAL
      return inc > 0 ? devMcAdd(dev, address) : devMcDel(dev, address)
    case PACKET_MR_PROMISC:
      devSetPromiscuity(dev, inc)
      return 0
    case PACKET_MR_ALLMULTI:
      devSetAllmulti(dev, inc)
      return 0
    case PACKET_MR_UNICAST:
      if (address.length !== dev.addrLen) return -Errno.EINVAL
      return inc > 0 ? devUcAdd(dev, address) : devUcDel(dev, address)
    default:
      return 0
  }
}

/** The memberships of one socket. */
export class PacketMemberships {
  private readonly net: Net
  private readonly list: Membership[] = []

  constructor(net: Net) {
    this.net = net
  }

  private parse(mreq: Uint8Array): Omit<Membership, 'count'> | number {
    if (mreq.length < 8) return -Errno.EINVAL
    const view = new DataView(mreq.buffer, mreq.byteOffset, mreq.length)
    const dev = this.net.devByIndex(view.getInt32(0, true))
    if (dev === undefined) return -Errno.ENODEV
    const alen = view.getUint16(6, true)
    if (mreq.length < 8 + alen || alen > dev.addrLen) return -Errno.EINVAL
    return { dev, type: view.getUint16(4, true), address: mreq.slice(8, 8 + alen) }
  }

  private find(wanted: Omit<Membership, 'count'>): Membership | undefined {
    const address = hwAddrKey(wanted.address)
    return this.list.find(
      each => each.dev === wanted.dev && each.type === wanted.type && hwAddrKey(each.address) === address,
    )
  }

  /** @param mreq `struct packet_mreq` @returns 0, -ENODEV, -EINVAL */
  add(mreq: Uint8Array): number {
    const wanted = this.parse(mreq)
    if (typeof wanted === 'number') return wanted
    const known = this.find(wanted)
    if (known !== undefined) {
      known.count++
      return 0
    }
    const membership = { ...wanted, count: 1 }
    const rc = apply(membership, 1)
    if (rc === 0) this.list.push(membership)
    return rc
  }

  /** Takes one back; one that is not there does not matter. */
  drop(mreq: Uint8Array): number {
    const wanted = this.parse(mreq)
    if (typeof wanted === 'number') return wanted === -Errno.ENODEV ? 0 : wanted
    const known = this.find(wanted)
    if (known !== undefined && --known.count === 0) {
      this.list.splice(this.list.indexOf(known), 1)
      apply(known, -1)
    }
    return 0
  }

  /** A device goes: so do its memberships. */
  forget(dev: NetDevice): void {
    for (const each of this.list.filter(membership => membership.dev === dev)) {
      this.list.splice(this.list.indexOf(each), 1)
      apply(each, -1)
    }
  }

  /** The socket is closed. */
  dropAll(): void {
    for (const each of this.list.splice(0)) apply(each, -1)
  }
}
