/** One ICMP echo, for tests of devices that only IPv4 can show to work. */
import type { Net } from '../../../src/kernel/core/net_namespace.ts'
import { AF_INET, SOCK_RAW } from '../../../src/uapi/socket.ts'
import type { Lab } from '../core/net_lab.ts'

const IPPROTO_ICMP = 1
const MSG_DONTWAIT = 0x40

/** An echo request with identifier 0x1234, its checksum right. */
const REQUEST = Uint8Array.of(8, 0, 0xe5, 0xca, 0x12, 0x34, 0, 1)

/** @param boundTo a device the socket is bound to @returns whether an answer came within three seconds */
export function pingOnce(lab: Lab, net: Net, address: string, boundTo?: string): boolean {
  const sk = lab.kernel.socket(net, AF_INET, SOCK_RAW, IPPROTO_ICMP, { uid: 0, gid: 0, pid: 1, comm: 'test' })
  if (typeof sk === 'number') throw new Error(`socket: ${sk}`)
  if (boundTo !== undefined) sk.setsockopt(1, 25, boundTo)
  const addr = address.split('.').reduce((n, byte) => n * 256 + Number(byte), 0)
  sk.sendmsg(REQUEST, 0, { family: AF_INET, addr, port: 0 }, undefined)
  lab.sleep(3)
  let answered = false
  for (;;) {
    const message = sk.recvmsg(2000, MSG_DONTWAIT)
    if (typeof message === 'number') break
    const { data } = message
    if (data[20] === 0 && data[24] === 0x12) answered = true
  }
  sk.release()
  return answered
}
