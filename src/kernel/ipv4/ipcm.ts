/** What a message is sent with: the socket's values, and what its ancillary data says (`ipcm_cookie`). */
import { Errno } from '../../uapi/errno.ts'
import type { SendControl } from '../../uapi/socket.ts'
import type { InetSock } from './inet_sock.ts'
import { rtTos2priority } from './ip.ts'
import type { IpOptions } from './ip_options.ts'

/** What a message is sent with (`ipcm_cookie`): the socket's values, then what its ancillary data says. Reused. */
export class IpcmCookie {
  addr = 0
  oif = 0
  mark = 0
  priority = 0
  opt: IpOptions | null = null
  /** 0: the socket's */
  ttl = 0
  /** -1: the socket's */
  tos = -1

  /** Takes the socket's values over (ipcm_init_sk). */
  init(sk: InetSock): this {
    this.addr = sk.saddr
    this.oif = sk.boundDevIf
    this.mark = sk.mark
    this.priority = sk.priority
    this.opt = null
    this.ttl = 0
    this.tos = -1
    return this
  }

  /** Takes ancillary data over (ip_cmsg_send). @returns 0 or -EINVAL */
  send(control: SendControl): number {
    const { pktinfo, ttl, tos } = control
    if (pktinfo !== undefined) {
      if (pktinfo.ifindex !== 0) this.oif = pktinfo.ifindex
      this.addr = pktinfo.specDst ?? 0
    }
    if (ttl !== undefined) {
      if (ttl < 1 || ttl > 255) return -Errno.EINVAL
      this.ttl = ttl
    }
    if (tos !== undefined) {
      if (tos < 0 || tos > 255) return -Errno.EINVAL
      this.tos = tos
      this.priority = rtTos2priority(tos)
    }
    return 0
  }

  /** @returns the TOS bits that the route is looked up by (get_rttos) */
  rtTos(sk: InetSock): number {
    return (this.tos !== -1 ? this.tos : sk.tos) & 0x1e
  }
}
