/**
 * ioctl(2) requests of IPv4 sockets that change addresses and routes: what ifconfig(8) and route(8) speak, see
 * netdevice(7) and rtentry in <net/route.h>. Addresses are four bytes in network order.
 */

export const SIOCADDRT = 0x890b
export const SIOCDELRT = 0x890c
export const SIOCSIFFLAGS = 0x8914
export const SIOCSIFADDR = 0x8916
export const SIOCSIFDSTADDR = 0x8918
export const SIOCSIFBRDADDR = 0x891a
export const SIOCSIFNETMASK = 0x891c

/** Flags of a route as /proc/net/route and route(8) have them (RTF_…). */
export const RTF_UP = 0x0001
export const RTF_GATEWAY = 0x0002
export const RTF_HOST = 0x0004
export const RTF_REINSTATE = 0x0008
export const RTF_DYNAMIC = 0x0010
export const RTF_MODIFIED = 0x0020
export const RTF_MTU = 0x0040
export const RTF_WINDOW = 0x0080
export const RTF_IRTT = 0x0100
export const RTF_REJECT = 0x0200

/** SIOCADDRT, SIOCDELRT: a route (rtentry). */
export interface RouteIoctl {
  readonly request: typeof SIOCADDRT | typeof SIOCDELRT
  readonly dst: Uint8Array
  /** absent: not given, which only RTF_HOST allows for prefixes other than /32 */
  readonly genmask?: Uint8Array
  readonly gateway?: Uint8Array
  /** RTF_… */
  readonly flags: number
  /** one more than the metric; 0 none */
  readonly metric: number
  /** a device, or a label such as `eth0:1` whose address is to be the source */
  readonly dev?: string
  /** with RTF_MTU, RTF_WINDOW, RTF_IRTT: bytes, bytes, hundredths of a second */
  readonly mtu?: number
  readonly window?: number
  readonly irtt?: number
}

/** SIOCSIF…: a device, or a label such as `eth0:1`, and what it is to have. */
export type AddressIoctl =
  | {
      readonly request: typeof SIOCSIFADDR | typeof SIOCSIFDSTADDR | typeof SIOCSIFBRDADDR | typeof SIOCSIFNETMASK
      readonly ifname: string
      readonly address: Uint8Array
    }
  /** flags are IFF_…; on a label only IFF_UP counts: without it the address goes */
  | { readonly request: typeof SIOCSIFFLAGS; readonly ifname: string; readonly flags: number }

/** Any of them. */
export type InetIoctl = RouteIoctl | AddressIoctl
