/** Bringing devices up and down, and their flags: those user space sets, those that are counted, those derived from state. */
import { Errno } from '../../uapi/errno.ts'
import {
  IFF_ALLMULTI,
  IFF_AUTOMEDIA,
  IFF_BROADCAST,
  IFF_DEBUG,
  IFF_DORMANT,
  IFF_DYNAMIC,
  IFF_ECHO,
  IFF_LOOPBACK,
  IFF_LOWER_UP,
  IFF_MASTER,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_NOTRAILERS,
  IFF_POINTOPOINT,
  IFF_PORTSEL,
  IFF_PROMISC,
  IFF_RUNNING,
  IFF_SLAVE,
  IFF_UP,
} from '../../uapi/if.ts'
import { RTM_NEWLINK } from '../../uapi/rtnetlink.ts'
import type { NetdevEventInfo } from '../kernel.ts'
import { devActivate, devDeactivate } from '../sched/sch_generic.ts'
import { devSetRxMode } from './dev_addr_lists.ts'
import { netifDormant, netifOperUp } from './link_watch.ts'
import { LINK_STATE_PRESENT, LINK_STATE_START, type NetDevice } from './net_device.ts'
import type { NetlinkExtAck } from './rtnetlink.ts'
import { rtmsgIfinfo } from './rtnl_link_fill.ts'

/** Flags that user space cannot change. */
export const IFF_VOLATILE =
  IFF_LOOPBACK |
  IFF_POINTOPOINT |
  IFF_BROADCAST |
  IFF_ECHO |
  IFF_MASTER |
  IFF_SLAVE |
  IFF_RUNNING |
  IFF_LOWER_UP |
  IFF_DORMANT

const SETTABLE = IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_DYNAMIC | IFF_MULTICAST | IFF_PORTSEL | IFF_AUTOMEDIA

/** @returns the flags as user space sees them: with IFF_RUNNING, IFF_LOWER_UP and IFF_DORMANT, and only the promiscuity it asked for (dev_get_flags) */
export function devGetFlags(dev: NetDevice): number {
  let flags =
    (dev.flags & ~(IFF_PROMISC | IFF_ALLMULTI | IFF_RUNNING | IFF_LOWER_UP | IFF_DORMANT)) |
    (dev.gflags & (IFF_PROMISC | IFF_ALLMULTI))
  if (dev.running) {
    if (netifOperUp(dev)) flags |= IFF_RUNNING
    if (dev.carrier) flags |= IFF_LOWER_UP
    if (netifDormant(dev)) flags |= IFF_DORMANT
  }
  return flags
}

function infoWith(extack: NetlinkExtAck | undefined): NetdevEventInfo {
  return extack === undefined ? {} : { extack }
}

function open(dev: NetDevice, extack: NetlinkExtAck | undefined): number {
  if ((dev.state & LINK_STATE_PRESENT) === 0) return -Errno.ENODEV
  let rc = dev.net.kernel.netdevChain.call('PRE_UP', dev, infoWith(extack))
  if (rc < 0) return rc
  dev.state |= LINK_STATE_START
  rc = dev.ops.validateAddr?.(dev) ?? 0
  if (rc === 0) rc = dev.ops.open?.(dev) ?? 0
  if (rc < 0) {
    dev.state &= ~LINK_STATE_START
    return rc
  }
  dev.flags |= IFF_UP
  devSetRxMode(dev)
  devActivate(dev)
  return 0
}

function close(dev: NetDevice): void {
  dev.net.kernel.netdevChain.call('GOING_DOWN', dev, {})
  dev.state &= ~LINK_STATE_START
  devDeactivate(dev)
  dev.queueStopped = false
  dev.ops.stop?.(dev)
  dev.flags &= ~IFF_UP
}

/** Brings a device up (dev_open). @returns 0 or the driver's error */
export function devOpen(dev: NetDevice, extack?: NetlinkExtAck): number {
  if ((dev.flags & IFF_UP) !== 0) return 0
  const rc = open(dev, extack)
  if (rc < 0) return rc
  rtmsgIfinfo(RTM_NEWLINK, dev, IFF_UP | IFF_RUNNING)
  dev.net.kernel.netdevChain.call('UP', dev, {})
  return 0
}

/** Takes a device down (dev_close). */
export function devClose(dev: NetDevice): void {
  if ((dev.flags & IFF_UP) === 0) return
  close(dev)
  rtmsgIfinfo(RTM_NEWLINK, dev, IFF_UP | IFF_RUNNING)
  dev.net.kernel.netdevChain.call('DOWN', dev, {})
}

/** Changes flags without telling anybody (__dev_change_flags); follow it with `devNotifyFlags`. */
export function devChangeFlagsQuietly(dev: NetDevice, flags: number, extack?: NetlinkExtAck): number {
  const old = dev.flags
  dev.flags = (flags & SETTABLE) | (dev.flags & (IFF_UP | IFF_VOLATILE | IFF_PROMISC | IFF_ALLMULTI))
  if (((old ^ flags) & IFF_MULTICAST) !== 0) changeRxFlags(dev, IFF_MULTICAST)
  devSetRxMode(dev)
  let rc = 0
  if (((old ^ flags) & IFF_UP) !== 0) {
    if ((old & IFF_UP) !== 0) close(dev)
    else rc = open(dev, extack)
  }
  if (((flags ^ dev.gflags) & IFF_PROMISC) !== 0) {
    const before = dev.flags
    dev.gflags ^= IFF_PROMISC
    setPromiscuity(dev, (flags & IFF_PROMISC) !== 0 ? 1 : -1, false)
    if (dev.flags !== before) devSetRxMode(dev)
  }
  if (((flags ^ dev.gflags) & IFF_ALLMULTI) !== 0) {
    dev.gflags ^= IFF_ALLMULTI
    setAllmulti(dev, (flags & IFF_ALLMULTI) !== 0 ? 1 : -1, false)
  }
  return rc
}

/** Tells of flags that changed (__dev_notify_flags). @param gchanges what listeners are told, 0 for nothing */
export function devNotifyFlags(dev: NetDevice, oldFlags: number, gchanges: number): void {
  const changes = dev.flags ^ oldFlags
  const chain = dev.net.kernel.netdevChain
  if (gchanges !== 0) rtmsgIfinfo(RTM_NEWLINK, dev, gchanges)
  if ((changes & IFF_UP) !== 0) chain.call((dev.flags & IFF_UP) !== 0 ? 'UP' : 'DOWN', dev, {})
  if ((dev.flags & IFF_UP) !== 0 && (changes & ~(IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_VOLATILE)) !== 0)
    chain.call('CHANGE', dev, { flagsChanged: changes })
}

/** Changes the flags user space may change, IFF_UP among them (dev_change_flags). @returns 0 or the error of coming up */
export function devChangeFlags(dev: NetDevice, flags: number, extack?: NetlinkExtAck): number {
  const { flags: oldFlags, gflags: oldGflags } = dev
  const rc = devChangeFlagsQuietly(dev, flags, extack)
  if (rc < 0) return rc
  devNotifyFlags(dev, oldFlags, (oldFlags ^ dev.flags) | (oldGflags ^ dev.gflags))
  return rc
}

function changeRxFlags(dev: NetDevice, flags: number): void {
  dev.ops.changeRxFlags?.(dev, flags)
}

/** Counts promiscuity without setting the receive mode (__dev_set_promiscuity). */
export function setPromiscuity(dev: NetDevice, inc: number, notify: boolean): void {
  const old = dev.flags
  dev.flags |= IFF_PROMISC
  dev.promiscuity += inc
  if (dev.promiscuity === 0) dev.flags &= ~IFF_PROMISC
  if (dev.flags !== old) {
    const verb = (dev.flags & IFF_PROMISC) !== 0 ? 'entered' : 'left'
    dev.net.kernel.log.print(6, `device ${dev.name} ${verb} promiscuous mode`)
    changeRxFlags(dev, IFF_PROMISC)
  }
  if (notify) devNotifyFlags(dev, old, IFF_PROMISC)
}

function setAllmulti(dev: NetDevice, inc: number, notify: boolean): void {
  const { flags: old, gflags: oldGflags } = dev
  dev.flags |= IFF_ALLMULTI
  dev.allmulti += inc
  if (dev.allmulti === 0) dev.flags &= ~IFF_ALLMULTI
  if (dev.flags === old) return
  changeRxFlags(dev, IFF_ALLMULTI)
  devSetRxMode(dev)
  if (notify) devNotifyFlags(dev, old, dev.gflags ^ oldGflags)
}

/** One listener to every frame more or less (dev_set_promiscuity). @param inc 1 or -1 */
export function devSetPromiscuity(dev: NetDevice, inc: number): void {
  const old = dev.flags
  setPromiscuity(dev, inc, true)
  if (dev.flags !== old) devSetRxMode(dev)
}

/** One listener to every multicast frame more or less (dev_set_allmulti). @param inc 1 or -1 */
export function devSetAllmulti(dev: NetDevice, inc: number): void {
  setAllmulti(dev, inc, true)
}
