/** ioctl(2) requests of IPv4 sockets about ARP's entries: what arp(8) speaks, see arp(7). */

export const SIOCDARP = 0x8953
export const SIOCGARP = 0x8954
export const SIOCSARP = 0x8955

/** Flags of an entry (ATF_…). */
export const ATF_COM = 0x02
export const ATF_PERM = 0x04
export const ATF_PUBL = 0x08
export const ATF_USETRAILERS = 0x10
export const ATF_NETMASK = 0x20
export const ATF_DONTPUB = 0x40

/** A request (arpreq). */
export interface ArpIoctl {
  readonly request: typeof SIOCDARP | typeof SIOCGARP | typeof SIOCSARP
  /** the IPv4 address, 4 bytes in network order */
  readonly pa: Uint8Array
  /** ARPHRD_… and the link-layer address; family 0: that of the device */
  readonly ha?: { readonly family: number; readonly addr: Uint8Array }
  /** ATF_… */
  readonly flags: number
  /** with ATF_NETMASK, 4 bytes */
  readonly netmask?: Uint8Array
  /** empty: by the route */
  readonly dev?: string
}

/** What SIOCGARP answers. */
export interface ArpAnswer {
  readonly ha: { readonly family: number; readonly addr: Uint8Array }
  readonly flags: number
  readonly dev: string
}
