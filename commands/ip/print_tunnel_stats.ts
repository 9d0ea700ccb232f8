/** Counters of tunnels, for `ip -s tunnel show`. */
import type { LinkStats } from '../../src/uapi/rtnetlink.ts'
import type { Printer } from '../lib/printer.ts'

const RX_HEADING = 'RX: Packets    Bytes        Errors CsumErrs OutOfSeq Mcasts'
const TX_HEADING = 'TX: Packets    Bytes        Errors DeadLoop NoRoute  NoBufs'

const columns = (values: readonly (readonly [number, number])[]): string =>
  values.map(([value, width]) => String(value).padEnd(width)).join(' ')

/** Prints the counters after a tunnel's line. */
export function printTunnelStats(out: Printer, s: LinkStats): void {
  out.nl()
  out.text(RX_HEADING)
  out.nl()
  const rx = columns([
    [s.rxPackets, 10],
    [s.rxBytes, 12],
    [s.rxErrors, 6],
    [s.rxCrcErrors, 8],
    [s.rxFifoErrors, 8],
    [s.multicast, 8],
  ])
  out.text(`    ${rx}`)
  out.nl()
  out.text(TX_HEADING)
  out.nl()
  const tx = columns([
    [s.txPackets, 10],
    [s.txBytes, 12],
    [s.txErrors, 6],
    [s.collisions, 8],
    [s.txCarrierErrors, 8],
    [s.txDropped, 6],
  ])
  out.text(`    ${tx}`)
}
