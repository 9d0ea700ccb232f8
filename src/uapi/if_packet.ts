/** Packet sockets, see packet(7): options at SOL_PACKET, memberships, what comes with a received packet. */

export const PACKET_ADD_MEMBERSHIP = 1
export const PACKET_DROP_MEMBERSHIP = 2
export const PACKET_STATISTICS = 6
export const PACKET_AUXDATA = 8
export const PACKET_ORIGDEV = 9
export const PACKET_IGNORE_OUTGOING = 23

/** Attaches a classic BPF program, and takes it away; at SOL_SOCKET, see socket(7). */
export const SO_ATTACH_FILTER = 26
export const SO_DETACH_FILTER = 27

/** Kinds of membership. */
export const PACKET_MR_MULTICAST = 0
export const PACKET_MR_PROMISC = 1
export const PACKET_MR_ALLMULTI = 2
export const PACKET_MR_UNICAST = 3

/** Whom a frame was for, `SockaddrLl.pkttype`. */
export const PACKET_HOST = 0
export const PACKET_BROADCAST = 1
export const PACKET_MULTICAST = 2
export const PACKET_OTHERHOST = 3
export const PACKET_OUTGOING = 4

/** @returns the value of PACKET_ADD_MEMBERSHIP and PACKET_DROP_MEMBERSHIP (`struct packet_mreq`) */
export function packetMreq(ifindex: number, type: number, address: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setInt32(0, ifindex, true)
  view.setUint16(4, type, true)
  view.setUint16(6, address.length, true)
  bytes.set(address.subarray(0, 8), 8)
  return bytes
}

/** @returns the value of PACKET_STATISTICS as counters: packets that passed the filter (drops included), and drops */
export function packetStatistics(value: Uint8Array): { packets: number; drops: number } {
  const view = new DataView(value.buffer, value.byteOffset, value.length)
  return { packets: view.getUint32(0, true), drops: view.getUint32(4, true) }
}

/** One instruction of classic BPF (`struct sock_filter`). */
export interface SockFilter {
  readonly code: number
  readonly jt: number
  readonly jf: number
  readonly k: number
}

/** @returns a program as the value of SO_ATTACH_FILTER: eight bytes an instruction, little-endian */
export function sockFprog(program: readonly SockFilter[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8)
  const view = new DataView(bytes.buffer)
  program.forEach(({ code, jt, jf, k }, i) => {
    view.setUint16(i * 8, code, true)
    bytes[i * 8 + 2] = jt
    bytes[i * 8 + 3] = jf
    view.setUint32(i * 8 + 4, k, true)
  })
  return bytes
}

/** What PACKET_AUXDATA adds: the length before the filter cut it, and the VLAN tag that is not in the data. */
export interface PacketAuxdata {
  readonly len: number
  readonly snaplen: number
  readonly vlan?: { readonly tci: number; readonly tpid: number }
}

declare module './socket.ts' {
  interface AncillaryData {
    readonly packetAux?: PacketAuxdata
  }
}
