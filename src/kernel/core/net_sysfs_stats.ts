/** /sys/class/net/DEV/statistics: one file per counter. */
import type { LinkStats } from '../../uapi/rtnetlink.ts'
import { devGetStats } from './dev_config.ts'
import { type KernfsDir, KernfsTable, kernfsText } from './kernfs.ts'
import type { NetDevice } from './net_device.ts'

const COUNTERS: readonly (readonly [string, keyof LinkStats])[] = [
  ['collisions', 'collisions'],
  ['multicast', 'multicast'],
  ['rx_bytes', 'rxBytes'],
  ['rx_compressed', 'rxCompressed'],
  ['rx_crc_errors', 'rxCrcErrors'],
  ['rx_dropped', 'rxDropped'],
  ['rx_errors', 'rxErrors'],
  ['rx_fifo_errors', 'rxFifoErrors'],
  ['rx_frame_errors', 'rxFrameErrors'],
  ['rx_length_errors', 'rxLengthErrors'],
  ['rx_missed_errors', 'rxMissedErrors'],
  ['rx_nohandler', 'rxNohandler'],
  ['rx_over_errors', 'rxOverErrors'],
  ['rx_packets', 'rxPackets'],
  ['tx_aborted_errors', 'txAbortedErrors'],
  ['tx_bytes', 'txBytes'],
  ['tx_carrier_errors', 'txCarrierErrors'],
  ['tx_compressed', 'txCompressed'],
  ['tx_dropped', 'txDropped'],
  ['tx_errors', 'txErrors'],
  ['tx_fifo_errors', 'txFifoErrors'],
  ['tx_heartbeat_errors', 'txHeartbeatErrors'],
  ['tx_packets', 'txPackets'],
  ['tx_window_errors', 'txWindowErrors'],
]

/** @returns the directory of a device */
export function statisticsDir(dev: NetDevice): KernfsDir {
  const table = new KernfsTable(false, 0o755)
  for (const [name, key] of COUNTERS)
    table.set(
      name,
      kernfsText(() => `${devGetStats(dev)[key]}\n`),
    )
  return table
}
