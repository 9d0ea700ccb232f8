/**
 * Device features (`netdev_features_t`): what a driver offloads. Bits keep the reference kernel's numbers; the first 32
 * live in `NetDevice.features`, the others, shifted down, in `NetDevice.features2`.
 */

export const NETIF_F_SG = 1 << 0
export const NETIF_F_IP_CSUM = 1 << 1
export const NETIF_F_HW_CSUM = 1 << 3
export const NETIF_F_IPV6_CSUM = 1 << 4
export const NETIF_F_HIGHDMA = 1 << 5
export const NETIF_F_FRAGLIST = 1 << 6
export const NETIF_F_HW_VLAN_CTAG_TX = 1 << 7
export const NETIF_F_HW_VLAN_CTAG_RX = 1 << 8
export const NETIF_F_HW_VLAN_CTAG_FILTER = 1 << 9
export const NETIF_F_VLAN_CHALLENGED = 1 << 10
export const NETIF_F_GSO = 1 << 11
export const NETIF_F_LLTX = 1 << 12
/** bound to its namespace */
export const NETIF_F_NETNS_LOCAL = 1 << 13
export const NETIF_F_GRO = 1 << 14
export const NETIF_F_LRO = 1 << 15
export const NETIF_F_TSO = 1 << 16
export const NETIF_F_GSO_ROBUST = 1 << 17
export const NETIF_F_TSO_ECN = 1 << 18
export const NETIF_F_TSO_MANGLEID = 1 << 19
export const NETIF_F_TSO6 = 1 << 20
export const NETIF_F_FSO = 1 << 21
export const NETIF_F_GSO_GRE = 1 << 22
export const NETIF_F_GSO_GRE_CSUM = 1 << 23
export const NETIF_F_GSO_IPXIP4 = 1 << 24
export const NETIF_F_GSO_IPXIP6 = 1 << 25
export const NETIF_F_GSO_UDP_TUNNEL = 1 << 26
export const NETIF_F_GSO_UDP_TUNNEL_CSUM = 1 << 27
export const NETIF_F_GSO_PARTIAL = 1 << 28
export const NETIF_F_GSO_TUNNEL_REMCSUM = 1 << 29
export const NETIF_F_GSO_SCTP = 1 << 30
export const NETIF_F_GSO_ESP = 1 << 31

export const NETIF_F2_GSO_UDP = 1 << 0
export const NETIF_F2_GSO_UDP_L4 = 1 << 1
export const NETIF_F2_GSO_FRAGLIST = 1 << 2
export const NETIF_F2_FCOE_CRC = 1 << 3
export const NETIF_F2_SCTP_CRC = 1 << 4
export const NETIF_F2_FCOE_MTU = 1 << 5
export const NETIF_F2_NTUPLE = 1 << 6
export const NETIF_F2_RXHASH = 1 << 7
export const NETIF_F2_RXCSUM = 1 << 8
export const NETIF_F2_NOCACHE_COPY = 1 << 9
export const NETIF_F2_LOOPBACK = 1 << 10
export const NETIF_F2_RXFCS = 1 << 11
export const NETIF_F2_RXALL = 1 << 12
export const NETIF_F2_HW_VLAN_STAG_TX = 1 << 13
export const NETIF_F2_HW_VLAN_STAG_RX = 1 << 14
export const NETIF_F2_HW_VLAN_STAG_FILTER = 1 << 15
export const NETIF_F2_HW_L2FW_DOFFLOAD = 1 << 16
export const NETIF_F2_HW_TC = 1 << 17

/** Any form of transport checksum. */
export const NETIF_F_CSUM_MASK = NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM | NETIF_F_HW_CSUM
/** Every form of TCP segmentation. */
export const NETIF_F_ALL_TSO = NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN | NETIF_F_TSO_MANGLEID
/** Segmentations the stack can do itself, bits 0 to 31 and 32 to 63. */
export const NETIF_F_GSO_SOFTWARE = NETIF_F_ALL_TSO | NETIF_F_GSO_SCTP
export const NETIF_F2_GSO_SOFTWARE = NETIF_F2_GSO_UDP_L4 | NETIF_F2_GSO_FRAGLIST
/** Encapsulations that can be segmented. */
export const NETIF_F_GSO_ENCAP_ALL =
  NETIF_F_GSO_GRE |
  NETIF_F_GSO_GRE_CSUM |
  NETIF_F_GSO_IPXIP4 |
  NETIF_F_GSO_IPXIP6 |
  NETIF_F_GSO_UDP_TUNNEL |
  NETIF_F_GSO_UDP_TUNNEL_CSUM
/** What every device can switch on because the stack does it. */
export const NETIF_F_SOFT_FEATURES = NETIF_F_GSO | NETIF_F_GRO
