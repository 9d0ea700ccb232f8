/** Spanning tree messages on the wire (IEEE 802.1D clause 9), in LLC frames to the bridge group address. */
import { ETH_P_802_2, IFF_UP } from '../../uapi/if.ts'
import { HZ } from '../core/clock.ts'
import { ETH_HLEN, etherAddrEqual } from '../core/ethernet.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { BR_BPDU_GUARD, BR_KERNEL_STP, BR_STATE_DISABLED, type NetBridgePort, portOf } from './br.ts'
import { BridgeId } from './br_id.ts'
import { brReceivedConfigBpdu, brReceivedTcnBpdu } from './br_stp.ts'
import { brStpDisablePort } from './br_stp_if.ts'

/** Times on the wire are counted in 1/256 s. */
const STP_HZ = 256
const BPDU_TYPE_CONFIG = 0x00
const BPDU_TYPE_TCN = 0x80
/** LLC service access point of the spanning tree, and the control field of unnumbered information. */
const LLC_SAP_BSPAN = 0x42
const LLC_UI = 0x03
const LLC_LEN = 3
const CONFIG_LEN = 35
const TCN_LEN = 4
/** Priority of control traffic (TC_PRIO_CONTROL). */
const PRIO_CONTROL = 7

/** A configuration message; times in jiffies. */
export interface ConfigBpdu {
  readonly topologyChange: boolean
  readonly topologyChangeAck: boolean
  readonly root: BridgeId
  readonly rootPathCost: number
  readonly bridgeId: BridgeId
  readonly portId: number
  readonly messageAge: number
  readonly maxAge: number
  readonly helloTime: number
  readonly forwardDelay: number
}

function send(port: NetBridgePort, payload: Uint8Array): void {
  const { dev, br } = port
  const { kernel } = dev.net
  const length = LLC_LEN + payload.length
  const room = dev.llReserved + ETH_HLEN
  const skb = kernel.skbs.alloc(room + length)
  skb.reserve(room)
  const at = skb.put(length)
  skb.buf[at] = LLC_SAP_BSPAN
  skb.buf[at + 1] = LLC_SAP_BSPAN
  skb.buf[at + 2] = LLC_UI
  skb.buf.set(payload, at + LLC_LEN)
  skb.dev = dev
  skb.protocol = ETH_P_802_2
  skb.priority = PRIO_CONTROL
  skb.resetNetworkHeader()
  const header = skb.push(ETH_HLEN)
  skb.buf.set(br.groupAddr, header)
  skb.buf.set(dev.devAddr, header + 6)
  skb.buf[header + 12] = length >> 8
  skb.buf[header + 13] = length & 0xff
  kernel.netcore.queueXmit(skb)
}

function putId(bytes: Uint8Array, at: number, id: BridgeId): void {
  bytes[at] = id.priority >> 8
  bytes[at + 1] = id.priority & 0xff
  bytes.set(id.address, at + 2)
}

function getId(bytes: Uint8Array, at: number): BridgeId {
  return new BridgeId((bytes[at]! << 8) | bytes[at + 1]!, bytes.subarray(at + 2, at + 8))
}

/** Sends a configuration message (br_send_config_bpdu). */
export function sendConfigBpdu(port: NetBridgePort, bpdu: ConfigBpdu): void {
  if (port.br.stpEnabled !== BR_KERNEL_STP) return
  const bytes = new Uint8Array(CONFIG_LEN)
  const view = new DataView(bytes.buffer)
  bytes[3] = BPDU_TYPE_CONFIG
  bytes[4] = (bpdu.topologyChange ? 0x01 : 0) | (bpdu.topologyChangeAck ? 0x80 : 0)
  putId(bytes, 5, bpdu.root)
  view.setUint32(13, bpdu.rootPathCost)
  putId(bytes, 17, bpdu.bridgeId)
  view.setUint16(25, bpdu.portId)
  const ticks = (at: number, jiffies: number): void => view.setUint16(at, Math.floor((STP_HZ * jiffies) / HZ))
  ticks(27, bpdu.messageAge)
  ticks(29, bpdu.maxAge)
  ticks(31, bpdu.helloTime)
  ticks(33, bpdu.forwardDelay)
  send(port, bytes)
}

/** Sends a topology change notification (br_send_tcn_bpdu). */
export function sendTcnBpdu(port: NetBridgePort): void {
  if (port.br.stpEnabled !== BR_KERNEL_STP) return
  const bytes = new Uint8Array(TCN_LEN)
  bytes[3] = BPDU_TYPE_TCN
  send(port, bytes)
}

/** Takes a message that came in on a port (br_stp_rcv). */
function receive(port: NetBridgePort, bytes: Uint8Array, destination: Uint8Array): void {
  const { br } = port
  if (bytes.length < TCN_LEN || bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== 0) return
  if (br.stpEnabled !== BR_KERNEL_STP || (br.dev.flags & IFF_UP) === 0 || port.state === BR_STATE_DISABLED) return
  if (!etherAddrEqual(destination, br.groupAddr)) return
  if ((port.flags & BR_BPDU_GUARD) !== 0) {
    br.log(5, `BPDU received on blocked port ${port.portNo}(${port.dev.name})`)
    brStpDisablePort(port)
    return
  }
  if (bytes[3] === BPDU_TYPE_TCN) brReceivedTcnBpdu(port)
  if (bytes[3] !== BPDU_TYPE_CONFIG || bytes.length < CONFIG_LEN) return
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const jiffies = (at: number): number => Math.ceil((view.getUint16(at) * HZ) / STP_HZ)
  const bpdu: ConfigBpdu = {
    topologyChange: (bytes[4]! & 0x01) !== 0,
    topologyChangeAck: (bytes[4]! & 0x80) !== 0,
    root: getId(bytes, 5),
    rootPathCost: view.getUint32(13),
    bridgeId: getId(bytes, 17),
    portId: view.getUint16(25),
    messageAge: jiffies(27),
    maxAge: jiffies(29),
    helloTime: jiffies(31),
    forwardDelay: jiffies(33),
  }
  if (bpdu.messageAge > bpdu.maxAge) return
  brReceivedConfigBpdu(port, bpdu)
}

/** Receives LLC frames (llc_rcv): only those of the spanning tree mean anything here. */
export function llcRcv(skb: SkBuff, dev: NetDevice): number {
  const port = portOf(dev)
  const { buf, data } = skb
  if (port !== undefined && skb.len >= LLC_LEN + TCN_LEN && buf[data] === LLC_SAP_BSPAN && buf[data + 2] === LLC_UI) {
    const length = (buf[data - 2]! << 8) | buf[data - 1]!
    const end = Math.min(skb.tail, data + length)
    receive(port, buf.slice(data + LLC_LEN, end), buf.slice(skb.macHeader, skb.macHeader + 6))
  }
  skb.consume()
  return 0
}
