/** Network interfaces as user space sees them: flags, operational states, hardware types. x86-64 Linux values. */

/** Interface flags, see netdevice(7). */
export const IFF_UP = 0x1
export const IFF_BROADCAST = 0x2
export const IFF_DEBUG = 0x4
export const IFF_LOOPBACK = 0x8
export const IFF_POINTOPOINT = 0x10
export const IFF_NOTRAILERS = 0x20
export const IFF_RUNNING = 0x40
export const IFF_NOARP = 0x80
export const IFF_PROMISC = 0x100
export const IFF_ALLMULTI = 0x200
export const IFF_MASTER = 0x400
export const IFF_SLAVE = 0x800
export const IFF_MULTICAST = 0x1000
export const IFF_PORTSEL = 0x2000
export const IFF_AUTOMEDIA = 0x4000
export const IFF_DYNAMIC = 0x8000
export const IFF_LOWER_UP = 0x10000
export const IFF_DORMANT = 0x20000
export const IFF_ECHO = 0x40000

/** RFC 2863 operational states, the numbers of IFLA_OPERSTATE. */
export const IF_OPER_UNKNOWN = 0
export const IF_OPER_NOTPRESENT = 1
export const IF_OPER_DOWN = 2
export const IF_OPER_LOWERLAYERDOWN = 3
export const IF_OPER_TESTING = 4
export const IF_OPER_DORMANT = 5
export const IF_OPER_UP = 6

/** IFLA_LINKMODE: whether user space takes part in declaring the link up. */
export const IF_LINK_MODE_DEFAULT = 0
export const IF_LINK_MODE_DORMANT = 1
export const IF_LINK_MODE_TESTING = 2

/** Hardware types, see RFC 826 and the kernel's if_arp. */
export const ARPHRD_ETHER = 1
export const ARPHRD_PPP = 512
export const ARPHRD_TUNNEL = 768
export const ARPHRD_TUNNEL6 = 769
export const ARPHRD_LOOPBACK = 772
export const ARPHRD_SIT = 776
export const ARPHRD_IPGRE = 778
export const ARPHRD_IP6GRE = 823
export const ARPHRD_NONE = 0xfffe
export const ARPHRD_VOID = 0xffff

/** Ethernet protocol numbers, host order. */
export const ETH_P_LOOP = 0x0060
export const ETH_P_IP = 0x0800
export const ETH_P_ARP = 0x0806
export const ETH_P_RARP = 0x8035
export const ETH_P_8021Q = 0x8100
export const ETH_P_IPV6 = 0x86dd
export const ETH_P_8021AD = 0x88a8
export const ETH_P_MPLS_UC = 0x8847
export const ETH_P_ALL = 0x0003
export const ETH_P_802_2 = 0x0004
export const ETH_P_TEB = 0x6558

/** Longest interface name with its terminator, bytes. */
export const IFNAMSIZ = 16
/** Longest alternative name with its terminator, bytes. */
export const ALTIFNAMSIZ = 128
/** Longest interface alias with its terminator, bytes. */
export const IFALIASZ = 256
