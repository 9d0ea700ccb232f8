/**
 * ioctl(2) requests that some tools still need because rtnetlink has no counterpart: multicast lists of links, and the
 * devices of tun(4). Numbers are those of x86-64 Linux.
 */

export const SIOCADDMULTI = 0x8931
export const SIOCDELMULTI = 0x8932
export const TUNSETIFF = 0x400454ca
export const TUNSETPERSIST = 0x400454cb
export const TUNSETOWNER = 0x400454cc
export const TUNSETGROUP = 0x400454ce

/** Flags of TUNSETIFF, as in `/sys/class/net/NAME/tun_flags`. */
export const IFF_TUN = 0x0001
export const IFF_TAP = 0x0002
export const IFF_MULTI_QUEUE = 0x0100
export const IFF_PERSIST = 0x0800
export const IFF_NO_PI = 0x1000
export const IFF_ONE_QUEUE = 0x2000
export const IFF_VNET_HDR = 0x4000
export const IFF_TUN_EXCL = 0x8000

/** A request with its argument. */
export type IoctlRequest =
  /** on a socket of any family: adds an address to, or removes one from, a link's multicast list */
  | {
      readonly request: typeof SIOCADDMULTI | typeof SIOCDELMULTI
      readonly ifname: string
      readonly hwaddr: Uint8Array
    }
  /** on `/dev/net/tun`: makes the descriptor one of device `ifname` (empty: the next free name), making it if need be */
  | { readonly request: typeof TUNSETIFF; readonly ifname: string; readonly flags: number }
  /** on a descriptor after TUNSETIFF: 1 keeps the device when the descriptor is closed, 0 does not */
  | { readonly request: typeof TUNSETPERSIST | typeof TUNSETOWNER | typeof TUNSETGROUP; readonly value: number }
