/** Sockets as user space sees them: families, types, options, addresses, messages. x86-64 Linux values. */

export const AF_UNSPEC = 0
export const AF_UNIX = 1
export const AF_INET = 2
export const AF_BRIDGE = 7
export const AF_INET6 = 10
export const AF_NETLINK = 16
export const AF_PACKET = 17
export const AF_MPLS = 28

export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_RDM = 4
export const SOCK_SEQPACKET = 5

export const IPPROTO_IP = 0
export const IPPROTO_ICMP = 1
export const IPPROTO_IGMP = 2
export const IPPROTO_IPIP = 4
export const IPPROTO_TCP = 6
export const IPPROTO_UDP = 17
export const IPPROTO_IPV6 = 41
export const IPPROTO_ROUTING = 43
export const IPPROTO_FRAGMENT = 44
export const IPPROTO_GRE = 47
export const IPPROTO_ESP = 50
export const IPPROTO_AH = 51
export const IPPROTO_ICMPV6 = 58
export const IPPROTO_NONE = 59
export const IPPROTO_DSTOPTS = 60
export const IPPROTO_HOPOPTS = 0
export const IPPROTO_SCTP = 132
export const IPPROTO_UDPLITE = 136
export const IPPROTO_RAW = 255

/** Levels of setsockopt(2). */
export const SOL_SOCKET = 1
export const SOL_IP = 0
export const SOL_IPV6 = 41
export const SOL_ICMPV6 = 58
export const SOL_RAW = 255
export const SOL_PACKET = 263

/** Options at SOL_SOCKET, see socket(7). */
export const SO_REUSEADDR = 2
export const SO_TYPE = 3
export const SO_ERROR = 4
export const SO_DONTROUTE = 5
export const SO_BROADCAST = 6
export const SO_SNDBUF = 7
export const SO_RCVBUF = 8
export const SO_KEEPALIVE = 9
export const SO_PRIORITY = 12
export const SO_LINGER = 13
export const SO_REUSEPORT = 15
export const SO_RCVTIMEO = 20
export const SO_SNDTIMEO = 21
export const SO_BINDTODEVICE = 25
export const SO_TIMESTAMP = 29
export const SO_ACCEPTCONN = 30
export const SO_SNDBUFFORCE = 32
export const SO_RCVBUFFORCE = 33
export const SO_MARK = 36
export const SO_PROTOCOL = 38
export const SO_DOMAIN = 39

/** Options at SOL_IP, see ip(7). */
export const IP_TOS = 1
export const IP_TTL = 2
export const IP_HDRINCL = 3
export const IP_OPTIONS = 4
export const IP_RECVOPTS = 6
export const IP_RETOPTS = 7
export const IP_PKTINFO = 8
export const IP_MTU_DISCOVER = 10
export const IP_RECVERR = 11
export const IP_RECVTTL = 12
export const IP_MTU = 14
export const IP_FREEBIND = 15
export const IP_TRANSPARENT = 19
export const IP_BIND_ADDRESS_NO_PORT = 24
export const IP_MULTICAST_IF = 32
export const IP_MULTICAST_TTL = 33
export const IP_MULTICAST_LOOP = 34
export const IP_ADD_MEMBERSHIP = 35
export const IP_DROP_MEMBERSHIP = 36

/** Values of IP_MTU_DISCOVER. */
export const IP_PMTUDISC_DONT = 0
export const IP_PMTUDISC_WANT = 1
export const IP_PMTUDISC_DO = 2
export const IP_PMTUDISC_PROBE = 3

/** Options at SOL_IPV6, see ipv6(7). */
export const IPV6_CHECKSUM = 7
export const IPV6_UNICAST_HOPS = 16
export const IPV6_MULTICAST_IF = 17
export const IPV6_MULTICAST_HOPS = 18
export const IPV6_MULTICAST_LOOP = 19
export const IPV6_JOIN_GROUP = 20
export const IPV6_LEAVE_GROUP = 21
export const IPV6_MTU_DISCOVER = 23
export const IPV6_MTU = 24
export const IPV6_RECVERR = 25
export const IPV6_V6ONLY = 26
export const IPV6_RECVPKTINFO = 49
export const IPV6_RECVHOPLIMIT = 51
export const IPV6_TCLASS = 67
export const IPV6_FLOWINFO_SEND = 33

/** Option at SOL_RAW: which ICMP types a raw socket does not want, a bit mask by type. */
export const ICMP_FILTER = 1
/** Option at SOL_ICMPV6: a 256-bit mask (32 bytes) of ICMPv6 types a raw socket does not want. */
export const ICMPV6_FILTER = 1

/** Flags of send(2) and recv(2). */
export const MSG_OOB = 0x1
export const MSG_PEEK = 0x2
export const MSG_DONTROUTE = 0x4
export const MSG_CTRUNC = 0x8
export const MSG_TRUNC = 0x20
export const MSG_DONTWAIT = 0x40
export const MSG_ERRQUEUE = 0x2000
export const MSG_NOSIGNAL = 0x4000
export const MSG_MORE = 0x8000
export const MSG_CONFIRM = 0x800

/** Directions of shutdown(2). */
export const SHUT_RD = 0
export const SHUT_WR = 1
export const SHUT_RDWR = 2

/** An IPv4 socket address. */
export interface SockaddrIn {
  readonly family: typeof AF_INET
  /** host order, as an unsigned 32-bit number: 10.0.0.1 is 0x0a000001 */
  readonly addr: number
  /** host order; for ping sockets the echo identifier */
  readonly port: number
}

/** An IPv6 socket address. */
export interface SockaddrIn6 {
  readonly family: typeof AF_INET6
  /** 16 bytes, network order */
  readonly addr: Uint8Array
  /** host order */
  readonly port: number
  readonly flowinfo?: number
  /** interface index for link-local addresses, else 0 */
  readonly scopeId?: number
}

/** A unix socket address; an abstract name begins with NUL. */
export interface SockaddrUn {
  readonly family: typeof AF_UNIX
  readonly path: string
}

/** A link-layer address, see packet(7). */
export interface SockaddrLl {
  readonly family: typeof AF_PACKET
  /** Ethernet type, host order */
  readonly protocol: number
  readonly ifindex: number
  readonly hatype?: number
  readonly pkttype?: number
  readonly addr?: Uint8Array
}

export type Sockaddr = SockaddrIn | SockaddrIn6 | SockaddrUn | SockaddrLl

/** An extended error as MSG_ERRQUEUE delivers it, see ip(7), IP_RECVERR. */
export interface SockExtendedErr {
  readonly errno: number
  readonly origin: 'none' | 'local' | 'icmp' | 'icmp6'
  readonly type: number
  readonly code: number
  /** for EMSGSIZE the discovered path MTU in bytes */
  readonly info: number
  /** who sent the ICMP error */
  readonly offender?: Sockaddr
}

/** Ancillary data of a received message, those the socket asked for. */
export interface AncillaryData {
  readonly ttl?: number
  readonly tos?: number
  readonly pktinfo?: { readonly ifindex: number; readonly specDst?: number; readonly addr: number | Uint8Array }
  readonly hoplimit?: number
  /** receive time, ns since the epoch (SO_TIMESTAMP) */
  readonly timestamp?: number
  /** the IP options of the received packet as bytes (IP_RECVOPTS) */
  readonly options?: Uint8Array
  readonly err?: SockExtendedErr
}

/** What recvmsg(2) gives. */
export interface ReceivedMessage {
  readonly data: Uint8Array
  /** the real length where MSG_TRUNC cut the data */
  readonly length: number
  readonly flags: number
  readonly from?: Sockaddr
  readonly control: AncillaryData
}

/** Ancillary data of a message to send. */
export interface SendControl {
  readonly pktinfo?: { readonly ifindex: number; readonly specDst?: number; readonly addr?: Uint8Array }
  readonly ttl?: number
  readonly tos?: number
  readonly hoplimit?: number
}
