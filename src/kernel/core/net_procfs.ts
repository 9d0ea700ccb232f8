/** /proc/net/dev, dev_mcast, ptype and softnet_stat, see proc(5). */
import { ETH_P_ALL } from '../../uapi/if.ts'
import type { Kernel } from '../kernel.ts'
import type { PacketType } from './dev.ts'
import { hwAddrKey } from './dev_addr_lists.ts'
import { devGetStats } from './dev_config.ts'
import type { NetDevice } from './net_device.ts'
import type { Net } from './net_namespace.ts'
import { procCreateNet } from './procfs.ts'
import { devicesInDumpOrder } from './rtnl_link.ts'

const DEV_HEADER =
  'Inter-|   Receive                                                |  Transmit\n' +
  ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n'
/** Widths of the sixteen columns. */
const DEV_WIDTHS = [7, 7, 4, 4, 4, 5, 10, 9, 8, 7, 4, 4, 4, 5, 7, 10]

function devLine(dev: NetDevice): string {
  const s = devGetStats(dev)
  const columns = [
    s.rxBytes,
    s.rxPackets,
    s.rxErrors,
    s.rxDropped + s.rxMissedErrors,
    s.rxFifoErrors,
    s.rxLengthErrors + s.rxOverErrors + s.rxCrcErrors + s.rxFrameErrors,
    s.rxCompressed,
    s.multicast,
    s.txBytes,
    s.txPackets,
    s.txErrors,
    s.txDropped,
    s.txFifoErrors,
    s.collisions,
    s.txCarrierErrors + s.txAbortedErrors + s.txWindowErrors + s.txHeartbeatErrors,
    s.txCompressed,
  ]
  return `${dev.name.padStart(6)}: ${columns.map((value, i) => String(value).padStart(DEV_WIDTHS[i]!)).join(' ')}\n`
}

function devMcast(net: Net): string {
  let text = ''
  for (const dev of devicesInDumpOrder(net))
    for (const entry of dev.mc.entries.values())
      text +=
        `${String(dev.ifindex).padEnd(4)} ${dev.name.padEnd(15)} ${String(entry.refs).padEnd(5)} ` +
        `${(entry.global ? '1' : '0').padEnd(5)} ${hwAddrKey(entry.address)}\n`
  return text
}

function ptypeLine(pt: PacketType): string {
  const type = pt.type === ETH_P_ALL ? 'ALL ' : pt.type.toString(16).padStart(4, '0')
  return `${type} ${(pt.dev?.name ?? '').padEnd(8)} ${pt.name}\n`
}

function ptype(net: Net): string {
  let text = 'Type Device      Function\n'
  for (const pt of net.kernel.netcore.packetTypes(net)) if (pt.name !== undefined) text += ptypeLine(pt)
  return text
}

function softnetStat(kernel: Kernel): string {
  const { processed, dropped, timeSqueeze } = kernel.netcore.softnet
  let text = ''
  for (let cpu = 0; cpu < kernel.cpus; cpu++) {
    const own = cpu === 0 ? [processed, dropped, timeSqueeze] : [0, 0, 0]
    const columns = [...own, 0, 0, 0, 0, 0, 0, 0, 0, cpu === 0 ? kernel.netcore.backlogLength : 0, cpu]
    text += `${columns.map(value => (value >>> 0).toString(16).padStart(8, '0')).join(' ')}\n`
  }
  return text
}

/** Registers the files in every namespace. */
export function netProcfsInit(kernel: Kernel): void {
  kernel.registerPernet({
    init(net) {
      procCreateNet(net, 'dev', () => DEV_HEADER + devicesInDumpOrder(net).map(devLine).join(''))
      procCreateNet(net, 'dev_mcast', () => devMcast(net))
      procCreateNet(net, 'ptype', () => ptype(net))
      procCreateNet(net, 'softnet_stat', () => softnetStat(kernel))
      procCreateNet(net, 'psched', () => '000003e8 00000040 000f4240 3b9aca00\n')
    },
  })
}
