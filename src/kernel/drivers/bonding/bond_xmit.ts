/** The data path of a master: by which slave a frame goes out, and whose frames come in. */
import { ETH_P_8021Q, ETH_P_IP, ETH_P_IPV6 } from '../../../uapi/if.ts'
import {
  NETDEV_TX_OK,
  type NetDevice,
  RX_HANDLER_ANOTHER,
  RX_HANDLER_CONSUMED,
  RX_HANDLER_EXACT,
  RX_HANDLER_PASS,
} from '../../core/net_device.ts'
import type { SkBuff } from '../../core/skbuff.ts'
import {
  BOND_LINK_UP,
  BOND_MODE_ACTIVEBACKUP,
  BOND_MODE_ALB,
  BOND_MODE_BROADCAST,
  BOND_MODE_ROUNDROBIN,
  BOND_STATE_ACTIVE,
  BOND_XMIT_POLICY_ENCAP23,
  BOND_XMIT_POLICY_ENCAP34,
  BOND_XMIT_POLICY_LAYER2,
  BOND_XMIT_POLICY_LAYER23,
  BOND_XMIT_POLICY_LAYER34,
  BOND_XMIT_POLICY_VLAN_SRCMAC,
  type Bonding,
  type BondSlave,
} from './bonding.ts'

const IPPROTO_IGMP = 2
const IPPROTO_TCP = 6
const IPPROTO_UDP = 17
const IPPROTO_ICMP = 1

function drop(skb: SkBuff, bond: Bonding): number {
  bond.dev.stats.txDropped++
  skb.free('bond_tx_drop')
  return NETDEV_TX_OK
}

function sendBy(skb: SkBuff, slave: BondSlave): number {
  skb.dev = slave.dev
  slave.lastTx = slave.dev.net.kernel.clock.now
  slave.dev.net.kernel.netcore.queueXmit(skb)
  return NETDEV_TX_OK
}

/** The slave with this number, or the next after it that can send (bond_get_slave_by_id). */
function slaveById(bond: Bonding, id: number): BondSlave | undefined {
  const { slaves } = bond
  for (let i = 0; i < slaves.length; i++) {
    const slave = slaves[(id + i) % slaves.length]!
    if (slave.canTx) return slave
  }
  return undefined
}

function roundRobin(skb: SkBuff, bond: Bonding): BondSlave | undefined {
  const { buf, data } = skb
  // groups are joined where the answers are awaited
  if (ethType(skb) === ETH_P_IP && buf[data + 14 + 9] === IPPROTO_IGMP) return bond.currActive ?? slaveById(bond, 0)
  const { slaves, params } = bond
  if (slaves.length === 0) return undefined
  const { packetsPerSlave } = params
  let id: number
  if (packetsPerSlave === 0) id = bond.dev.net.kernel.random.below(0x7fffffff)
  else {
    id = packetsPerSlave === 1 ? bond.rrCounter : Math.floor(bond.rrCounter / packetsPerSlave)
    bond.rrCounter = (bond.rrCounter + 1) >>> 0
  }
  return slaveById(bond, id % slaves.length)
}

function ethType(skb: SkBuff): number {
  const { buf, data } = skb
  return (buf[data + 12]! << 8) | buf[data + 13]!
}

function layer2Hash(skb: SkBuff): number {
  const { buf, data } = skb
  return buf[data + 5]! ^ buf[data + 11]! ^ ethType(skb)
}

/** XOR of the words of two addresses. */
function addressHash(skb: SkBuff, at: number, words: number): number {
  const { buf } = skb
  let hash = 0
  for (let i = 0; i < words * 4; i += 4)
    hash ^= buf[at + i]! | (buf[at + i + 1]! << 8) | (buf[at + i + 2]! << 16) | (buf[at + i + 3]! << 24)
  return hash
}

/** Hash of addresses and, with `ports`, ports (bond_xmit_hash's flow part); undefined where the frame has none. */
function flowHash(skb: SkBuff, ports: boolean): number | undefined {
  const { buf } = skb
  let at = skb.data + 14
  let type = ethType(skb)
  if (type === ETH_P_8021Q) {
    type = (buf[at + 2]! << 8) | buf[at + 3]!
    at += 4
  }
  let hash: number
  let proto: number
  let transport = -1
  if (type === ETH_P_IP && at + 20 <= skb.tail) {
    hash = addressHash(skb, at + 12, 2)
    proto = buf[at + 9]!
    if ((((buf[at + 6]! << 8) | buf[at + 7]!) & 0x3fff) === 0) transport = at + (buf[at]! & 15) * 4
  } else if (type === ETH_P_IPV6 && at + 40 <= skb.tail) {
    hash = addressHash(skb, at + 8, 8)
    proto = buf[at + 6]!
    transport = at + 40
  } else return undefined
  let flow = ports ? 0 : layer2Hash(skb)
  if (ports && transport >= 0 && transport + 4 <= skb.tail) {
    if (proto === IPPROTO_TCP || proto === IPPROTO_UDP) flow = addressHash(skb, transport, 1)
    else if (proto === IPPROTO_ICMP && transport + 8 <= skb.tail)
      flow = buf[transport + 4]! | (buf[transport + 5]! << 8)
  }
  flow ^= hash
  flow ^= flow >>> 16
  flow ^= flow >>> 8
  return ports ? flow >>> 1 : flow >>> 0
}

/** @returns the number by which the policy spreads a frame (bond_xmit_hash) */
export function bondXmitHash(skb: SkBuff, bond: Bonding): number {
  const policy = bond.params.xmitPolicy
  switch (policy) {
    case BOND_XMIT_POLICY_LAYER2:
      return layer2Hash(skb)
    case BOND_XMIT_POLICY_LAYER23:
    case BOND_XMIT_POLICY_ENCAP23:
      return flowHash(skb, false) ?? layer2Hash(skb)
    case BOND_XMIT_POLICY_LAYER34:
    case BOND_XMIT_POLICY_ENCAP34:
      return flowHash(skb, true) ?? layer2Hash(skb)
    case BOND_XMIT_POLICY_VLAN_SRCMAC: {
      const { buf, data } = skb
      const vendor = (buf[data + 6]! << 16) | (buf[data + 7]! << 8) | buf[data + 8]!
      const station = (buf[data + 9]! << 16) | (buf[data + 10]! << 8) | buf[data + 11]!
      return ((skb.vlanProto !== 0 ? skb.vlanTci & 0xfff : 0) ^ vendor ^ station) >>> 0
    }
    default:
      return layer2Hash(skb)
  }
}

function byHash(skb: SkBuff, bond: Bonding): BondSlave | undefined {
  const { usable } = bond
  return usable.length === 0 ? undefined : usable[bondXmitHash(skb, bond) % usable.length]
}

/** Copies to every slave that can send; the last takes the frame itself. */
function broadcast(skb: SkBuff, bond: Bonding): number {
  let last: BondSlave | undefined
  for (const slave of bond.slaves) {
    if (!slave.isUp || slave.link !== BOND_LINK_UP) continue
    if (last !== undefined) sendBy(skb.copy(), last)
    last = slave
  }
  return last === undefined ? drop(skb, bond) : sendBy(skb, last)
}

/** Balanced by load: unicast IP by the hash, everything else by the active slave (bond_tlb_xmit, bond_alb_xmit). */
function balanced(skb: SkBuff, bond: Bonding): BondSlave | undefined {
  const type = ethType(skb)
  const unicast = (skb.buf[skb.data]! & 1) === 0
  const slave =
    unicast && (type === ETH_P_IP || type === ETH_P_IPV6) ? (byHash(skb, bond) ?? bond.currActive) : bond.currActive
  if (slave !== undefined && slave !== bond.currActive) {
    skb.unshare()
    skb.buf.set(slave.dev.devAddr, skb.data + 6)
  }
  return slave
}

/** `startXmit` of a master. */
export function bondStartXmit(skb: SkBuff, dev: NetDevice): number {
  const bond = dev.priv as Bonding
  let slave: BondSlave | undefined
  switch (bond.params.mode) {
    case BOND_MODE_ROUNDROBIN:
      slave = roundRobin(skb, bond)
      break
    case BOND_MODE_ACTIVEBACKUP:
      slave = byQueue(skb, bond) ?? bond.currActive
      break
    case BOND_MODE_BROADCAST:
      return broadcast(skb, bond)
    default:
      slave = bond.isLb ? balanced(skb, bond) : byHash(skb, bond)
  }
  return slave === undefined ? drop(skb, bond) : sendBy(skb, slave)
}

/** A queue that a slave was bound to (bond_slave_override). */
function byQueue(skb: SkBuff, bond: Bonding): BondSlave | undefined {
  if (skb.queueMapping === 0) return undefined
  for (const slave of bond.slaves)
    if (slave.queueId === skb.queueMapping) return slave.isUp && slave.link === BOND_LINK_UP ? slave : undefined
  return undefined
}

/** Bridges and protocols at this address (01:80:c2:00:00:00 to 0f) speak to one link, not to the master. */
function isLinkLocal(skb: SkBuff): boolean {
  const { buf, macHeader: at } = skb
  return (
    buf[at] === 1 &&
    buf[at + 1] === 0x80 &&
    buf[at + 2] === 0xc2 &&
    buf[at + 3] === 0 &&
    buf[at + 4] === 0 &&
    (buf[at + 5]! & 0xf0) === 0
  )
}

function deliverExact(skb: SkBuff, slave: BondSlave): boolean {
  if (!slave.inactive || (slave.bond.isLb && slave.backup === BOND_STATE_ACTIVE && (skb.buf[skb.macHeader]! & 1) === 0))
    return false
  return !(slave.bond.params.mode === BOND_MODE_ALB && (skb.buf[skb.macHeader]! & 1) === 0)
}

/** The rx handler of slaves (bond_handle_frame). */
export function bondHandleFrame(skb: SkBuff): number {
  const slave = skb.dev!.rxHandlerData as BondSlave
  const { bond } = slave
  slave.lastRx = bond.dev.net.kernel.clock.now
  if (bond.recvProbe?.(skb, slave) === true) {
    skb.consume()
    return RX_HANDLER_CONSUMED
  }
  if (deliverExact(skb, slave)) return isLinkLocal(skb) ? RX_HANDLER_PASS : RX_HANDLER_EXACT
  skb.dev = bond.dev
  return RX_HANDLER_ANOTHER
}
