/** Results of handing a packet on, as functions of the transmit and receive paths return them. */

/** Result of `startXmit`: taken (or dropped by the driver), or the ring is full and the qdisc must keep the packet. */
export const NETDEV_TX_OK = 0
export const NETDEV_TX_BUSY = 0x10

/** Result of `devQueueXmit` beside negative errors. */
export const NET_XMIT_SUCCESS = 0
export const NET_XMIT_DROP = 1
export const NET_XMIT_CN = 2

/** Result of a receive path function. */
export const NET_RX_SUCCESS = 0
export const NET_RX_DROP = 1
