/**
 * Multicast groups of devices and IGMP's host side (RFC 3376, with RFC 2236 and RFC 1112 where such queriers are about).
 * Members want every source: filters by source are not modelled.
 */
import { Errno } from '../../uapi/errno.ts'
import { ARPHRD_ETHER } from '../../uapi/if.ts'
import { NSEC_PER_MSEC, NSEC_PER_SEC, TICK_NSEC, type Timer, USER_HZ } from '../core/clock.ts'
import { devMcAdd, devMcDel } from '../core/dev_addr_lists.ts'
import type { Net } from '../core/net_namespace.ts'
import { procCreateNet } from '../core/procfs.ts'
import { PACKET_BROADCAST, PACKET_MULTICAST, type SkBuff } from '../core/skbuff.ts'
import { softirqTimer } from '../core/softirq_timer.ts'
import type { Kernel } from '../kernel.ts'
import { ipComputeCsum } from './checksum.ts'
import {
  IPV4_DEVCONF_FORCE_IGMP_VERSION,
  IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL,
  IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL,
} from './devconf.ts'
import {
  type GroupRecord,
  IGMP_ALL_HOSTS,
  IGMP_HOST_LEAVE_MESSAGE,
  IGMP_HOST_MEMBERSHIP_QUERY,
  IGMP_HOST_MEMBERSHIP_REPORT,
  IGMPV2_HOST_MEMBERSHIP_REPORT,
  IGMPV3_CHANGE_TO_EXCLUDE,
  IGMPV3_CHANGE_TO_INCLUDE,
  IGMPV3_MODE_IS_EXCLUDE,
  igmpSendReport,
  igmpv3SendReport,
} from './igmp_msg.ts'
import { type InDevice, inDevGet, inDeviceFollowers, ipv4IsLocalMulticast, ipv4IsMulticast } from './in_device.ts'
import { get16, get32 } from './ip.ts'
import { ipv4Key } from './netns_ipv4.ts'
import type { NetProtocol } from './protocol.ts'
import type { Rtable } from './rtable.ts'

/** How often queriers ask where they do not say, and how long hosts may take to answer, ns. */
const IGMP_QUERY_INTERVAL = 125 * NSEC_PER_SEC
const IGMP_QUERY_RESPONSE_INTERVAL = 10 * NSEC_PER_SEC
/** Unit of response times in queries, ns. */
const IGMP_TIMER_UNIT = NSEC_PER_SEC / 10

/** A group of a device (`ip_mc_list`). */
class IpMcList {
  readonly multiaddr: number
  readonly timer: Timer
  users = 1
  /** the device's filter lets it in */
  loaded = false
  /** we were the last to report it */
  reporter = false
  /** unsolicited reports still to be sent, of versions 1 and 2 */
  unsolicitCount = 0
  /** state change records still to be sent */
  crcount = 0

  constructor(mc: InMc, multiaddr: number) {
    this.multiaddr = multiaddr
    this.timer = softirqTimer(mc.inDev.net.kernel, () => groupTimer(mc, this))
  }
}

/** IGMP on one device. */
class InMc {
  readonly inDev: InDevice
  /** newest first */
  list: IpMcList[] = []
  /** groups that were left, with reports still to be sent */
  readonly tomb = new Map<number, number>()
  /** until when queriers of old versions are about, ns since boot */
  v1Seen = 0
  v2Seen = 0
  /** robustness, and the querier's intervals, ns */
  qrv: number
  qi = IGMP_QUERY_INTERVAL
  qri = IGMP_QUERY_RESPONSE_INTERVAL
  maxdelay = 0
  /** rounds of state change reports still to come */
  ifcCount = 0
  readonly gqTimer: Timer
  readonly ifcTimer: Timer

  constructor(inDev: InDevice) {
    this.inDev = inDev
    this.qrv = inDev.net.at(ipv4Key).igmpQrv
    const { kernel } = inDev.net
    this.gqTimer = softirqTimer(kernel, () => generalQueryTimer(this))
    this.ifcTimer = softirqTimer(kernel, () => changeTimer(this))
  }
}

function mcOf(inDev: InDevice): InMc {
  return inDev.mc as InMc
}

/** @returns the version a device speaks now, by configuration or by the queriers it has heard */
function version(mc: InMc): 1 | 2 | 3 {
  const { inDev } = mc
  const now = inDev.net.kernel.clock.now
  const forced = inDev.all.data[IPV4_DEVCONF_FORCE_IGMP_VERSION]! || inDev.cnf.data[IPV4_DEVCONF_FORCE_IGMP_VERSION]!
  if (forced === 1 || (forced === 0 && now < mc.v1Seen)) return 1
  if (forced === 2 || (forced === 0 && now < mc.v2Seen)) return 2
  return 3
}

/** @returns whether a group is reported at all (igmp_link_local_mcast_reports) */
function reported(mc: InMc, group: number): boolean {
  if (group === IGMP_ALL_HOSTS) return false
  return !ipv4IsLocalMulticast(group) || mc.inDev.net.at(ipv4Key).igmpLinkLocalMcastReports !== 0
}

/** @returns the Ethernet address of a group (RFC 1112 §6.4) */
export function ipEthMcMap(group: number): Uint8Array {
  return Uint8Array.of(0x01, 0x00, 0x5e, (group >>> 16) & 0x7f, (group >>> 8) & 0xff, group & 0xff)
}

function filter(mc: InMc, group: number, on: boolean): void {
  const { dev } = mc.inDev
  // only Ethernet has addresses for groups; other devices broadcast
  if (dev.type !== ARPHRD_ETHER && dev.addrLen !== 6) return
  if (on) devMcAdd(dev, ipEthMcMap(group))
  else devMcDel(dev, ipEthMcMap(group))
}

/** Starts a timer that fires at random within `delay` ns, two ticks later at the latest. */
function randomTimer(mc: InMc, timer: Timer, delay: number): void {
  const { clock, random } = mc.inDev.net.kernel
  clock.mod(timer, clock.now + random.unit() * delay + 2 * TICK_NSEC)
}

function unsolicitedInterval(mc: InMc): number {
  const index =
    version(mc) < 3 ? IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL : IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL
  return mc.inDev.cnf.data[index]! * NSEC_PER_MSEC
}

/** Something changed: reports go out as often as robustness says (igmp_ifc_event). */
function changeEvent(mc: InMc): void {
  if (version(mc) < 3) return
  mc.ifcCount = mc.qrv
  randomTimer(mc, mc.ifcTimer, 0)
}

/** A group is in use on a device that is up (igmp_group_added). */
function groupAdded(mc: InMc, im: IpMcList): void {
  if (!im.loaded) {
    im.loaded = true
    filter(mc, im.multiaddr, true)
  }
  if (!reported(mc, im.multiaddr) || mc.inDev.dead) return
  im.unsolicitCount = mc.qrv
  if (version(mc) < 3) {
    randomTimer(mc, im.timer, 0)
    return
  }
  im.crcount = mc.qrv
  changeEvent(mc)
}

/** A group is no longer in use (igmp_group_dropped). */
function groupDropped(mc: InMc, im: IpMcList): void {
  if (im.loaded) {
    im.loaded = false
    filter(mc, im.multiaddr, false)
  }
  if (!reported(mc, im.multiaddr)) return
  const { reporter } = im
  stopTimer(mc, im)
  if (mc.inDev.dead) return
  const v = version(mc)
  if (v === 2 && reporter) igmpSendReport(mc.inDev.dev, IGMP_HOST_LEAVE_MESSAGE, im.multiaddr)
  if (v !== 3) return
  mc.tomb.set(im.multiaddr, mc.qrv)
  changeEvent(mc)
}

function stopTimer(mc: InMc, im: IpMcList): void {
  mc.inDev.net.kernel.clock.del(im.timer)
  im.reporter = false
  im.unsolicitCount = 0
}

/** Sends the state changes that are due (igmpv3_send_cr, igmp_ifc_timer_expire). */
function changeTimer(mc: InMc): void {
  const records: GroupRecord[] = []
  for (const [group, count] of mc.tomb) {
    records.push({ type: IGMPV3_CHANGE_TO_INCLUDE, group })
    if (count <= 1) mc.tomb.delete(group)
    else mc.tomb.set(group, count - 1)
  }
  for (const im of mc.list) {
    if (im.crcount === 0) continue
    records.push({ type: IGMPV3_CHANGE_TO_EXCLUDE, group: im.multiaddr })
    im.crcount--
  }
  if (records.length > 0) igmpv3SendReport(mc.inDev.dev, records)
  if (mc.ifcCount > 0) {
    mc.ifcCount--
    randomTimer(mc, mc.ifcTimer, unsolicitedInterval(mc))
  }
}

/** Answers a general query with all groups (igmp_gq_timer_expire). */
function generalQueryTimer(mc: InMc): void {
  const groups = mc.list.filter(im => reported(mc, im.multiaddr))
  igmpv3SendReport(
    mc.inDev.dev,
    groups.map(im => ({ type: IGMPV3_MODE_IS_EXCLUDE, group: im.multiaddr })),
  )
}

/** A group's own report is due (igmp_timer_expire). */
function groupTimer(mc: InMc, im: IpMcList): void {
  if (im.unsolicitCount > 0 && --im.unsolicitCount > 0) randomTimer(mc, im.timer, unsolicitedInterval(mc))
  im.reporter = true
  const v = version(mc)
  const { dev } = mc.inDev
  if (v === 3) igmpv3SendReport(dev, [{ type: IGMPV3_MODE_IS_EXCLUDE, group: im.multiaddr }])
  else igmpSendReport(dev, v === 1 ? IGMP_HOST_MEMBERSHIP_REPORT : IGMPV2_HOST_MEMBERSHIP_REPORT, im.multiaddr)
}

/** One more user of a group on a device (ip_mc_inc_group). */
export function ipMcIncGroup(inDev: InDevice, addr: number): void {
  const mc = mcOf(inDev)
  const known = mc.list.find(im => im.multiaddr === addr)
  if (known !== undefined) {
    known.users++
    return
  }
  const im = new IpMcList(mc, addr)
  mc.list.unshift(im)
  mc.tomb.delete(addr)
  groupAdded(mc, im)
}

/** One user less (ip_mc_dec_group). */
export function ipMcDecGroup(inDev: InDevice, addr: number): void {
  const mc = mcOf(inDev)
  const im = mc.list.find(each => each.multiaddr === addr)
  if (im === undefined || --im.users > 0) return
  mc.list.splice(mc.list.indexOf(im), 1)
  groupDropped(mc, im)
}

/** The device has come up (ip_mc_up): it listens to all-hosts, and reports its groups. */
export function ipMcUp(inDev: InDevice): void {
  const mc = mcOf(inDev)
  mc.qrv = inDev.net.at(ipv4Key).igmpQrv
  mc.qi = IGMP_QUERY_INTERVAL
  mc.qri = IGMP_QUERY_RESPONSE_INTERVAL
  ipMcIncGroup(inDev, IGMP_ALL_HOSTS)
  for (const im of mc.list) {
    mc.tomb.delete(im.multiaddr)
    groupAdded(mc, im)
  }
}

/** The device goes down (ip_mc_down). */
export function ipMcDown(inDev: InDevice): void {
  const mc = mcOf(inDev)
  const { clock } = inDev.net.kernel
  for (const im of mc.list) groupDropped(mc, im)
  mc.ifcCount = 0
  clock.del(mc.ifcTimer)
  clock.del(mc.gqTimer)
  ipMcDecGroup(inDev, IGMP_ALL_HOSTS)
}

/** IPv4 leaves the device (ip_mc_destroy_dev). */
function destroyDev(inDev: InDevice): void {
  const mc = mcOf(inDev)
  ipMcDown(inDev)
  const { clock } = inDev.net.kernel
  for (const im of mc.list) {
    groupDropped(mc, im)
    clock.del(im.timer)
  }
  mc.list = []
  mc.tomb.clear()
  clock.del(mc.ifcTimer)
}

/** @returns whether a device listens to a group (ip_check_mc_rcu) */
export function ipCheckMc(inDev: InDevice, group: number, _src: number, _proto: number): boolean {
  for (const im of mcOf(inDev).list) if (im.multiaddr === group) return true
  return false
}

/** @returns number of tenths of a second, or seconds, that a code of version 3 stands for (RFC 3376 §4.1.1) */
function floatingCode(code: number): number {
  return code < 128 ? code : ((code & 15) | 16) << (((code >> 4) & 7) + 3)
}

/** A querier asks (igmp_heard_query). `at` is where the message begins. */
function heardQuery(mc: InMc, skb: SkBuff, at: number, length: number): void {
  const { buf } = skb
  const { net } = mc.inDev
  const { clock } = net.kernel
  const now = clock.now
  const code = buf[at + 1]!
  let group = get32(buf, at + 4)
  let maxDelay: number
  if (length === 8) {
    const until = now + mc.qrv * mc.qi + mc.qri
    if (code === 0) {
      maxDelay = IGMP_QUERY_RESPONSE_INTERVAL
      mc.v1Seen = until
      group = 0
    } else {
      maxDelay = code * IGMP_TIMER_UNIT
      mc.v2Seen = until
    }
    mc.ifcCount = 0
    clock.del(mc.ifcTimer)
    mc.tomb.clear()
  } else if (length < 12) return
  else {
    const v = version(mc)
    maxDelay = v === 1 ? IGMP_QUERY_RESPONSE_INTERVAL : Math.max(floatingCode(code) * IGMP_TIMER_UNIT, TICK_NSEC)
    if (v === 1) group = 0
    if (v === 3) {
      mc.maxdelay = maxDelay
      mc.qrv = buf[at + 8]! & 7 || net.at(ipv4Key).igmpQrv
      mc.qi = floatingCode(buf[at + 9]!) * NSEC_PER_SEC || IGMP_QUERY_INTERVAL
      if (mc.qri >= mc.qi) mc.qri = mc.qi - NSEC_PER_SEC
      if (group === 0) {
        if (get16(buf, at + 10) === 0) soonest(mc, mc.gqTimer, maxDelay)
        return
      }
    }
  }
  for (const im of mc.list) {
    if ((group !== 0 && group !== im.multiaddr) || !reported(mc, im.multiaddr)) continue
    im.unsolicitCount = 0
    soonest(mc, im.timer, maxDelay)
  }
}

/** Starts a timer at random within `delay` ns unless it fires earlier anyway. */
function soonest(mc: InMc, timer: Timer, delay: number): void {
  const { clock, random } = mc.inDev.net.kernel
  const when = clock.now + random.unit() * delay + 2 * TICK_NSEC
  if (!timer.pending || when < timer.expires) clock.mod(timer, when)
}

/** Takes IGMP messages from IPv4 (igmp_rcv). */
function igmpRcv(skb: SkBuff): number {
  const inDev = inDevGet(skb.dev!)
  const { buf, data } = skb
  const { len } = skb
  if (inDev === undefined || len < 8 || ipComputeCsum(buf, data, len) !== 0) {
    skb.free('igmp_rcv')
    return 0
  }
  const mc = mcOf(inDev)
  switch (buf[data]!) {
    case IGMP_HOST_MEMBERSHIP_QUERY:
      heardQuery(mc, skb, data, len)
      break
    case IGMP_HOST_MEMBERSHIP_REPORT:
    case IGMPV2_HOST_MEMBERSHIP_REPORT: {
      // somebody else reports the group: we need not; our own reports come back as well
      if (!(skb.dst as Rtable).isInput) break
      if (skb.pktType !== PACKET_MULTICAST && skb.pktType !== PACKET_BROADCAST) break
      const im = mc.list.find(each => each.multiaddr === get32(buf, data + 4))
      if (im !== undefined && im.multiaddr !== IGMP_ALL_HOSTS) stopTimer(mc, im)
      break
    }
    default:
      break
  }
  skb.consume()
  return 0
}

/** IGMP above IPv4. */
export const igmpProtocol: NetProtocol = { handler: igmpRcv }

function hexAddress(addr: number): string {
  const swapped = (((addr & 0xff) << 24) | ((addr & 0xff00) << 8) | ((addr >>> 8) & 0xff00) | (addr >>> 24)) >>> 0
  return swapped.toString(16).toUpperCase().padStart(8, '0')
}

/** @returns /proc/net/igmp */
function procIgmp(net: Net): string {
  let text = 'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n'
  const now = net.kernel.clock.now
  for (const dev of net.devices.values()) {
    const inDev = inDevGet(dev)
    if (inDev === undefined) continue
    const mc = mcOf(inDev)
    if (mc.list.length === 0) continue
    const count = String(mc.list.length).padStart(5)
    text += `${dev.ifindex}\t${dev.name.padEnd(10)}: ${count} ${`V${version(mc)}`.padStart(7)}\n`
    for (const im of mc.list) {
      const running = im.timer.pending
      const left = running ? Math.max(0, Math.floor(((im.timer.expires - now) * USER_HZ) / NSEC_PER_SEC)) : 0
      const timer = `${running ? 1 : 0}:${left.toString(16).toUpperCase().padStart(8, '0')}`
      const users = String(im.users).padStart(5)
      text += `\t\t\t\t${hexAddress(im.multiaddr)} ${users} ${timer}\t\t${im.reporter ? 1 : 0}\n`
    }
  }
  return text
}

/** Registers IGMP with a kernel: it follows the devices that IPv4 is on. */
export function igmpInit(kernel: Kernel): void {
  inDeviceFollowers(kernel).push({
    init(inDev) {
      inDev.mc = new InMc(inDev)
    },
    destroy: destroyDev,
    up: ipMcUp,
    down: ipMcDown,
    autojoin(join, ifa) {
      if (!ipv4IsMulticast(ifa.address)) return -Errno.EINVAL
      if (join) ipMcIncGroup(ifa.inDev, ifa.address)
      else ipMcDecGroup(ifa.inDev, ifa.address)
      return 0
    },
  })
  kernel.registerPernet({
    init(net) {
      procCreateNet(net, 'igmp', () => procIgmp(net))
      procCreateNet(net, 'mcfilter', () => 'Idx Device        MCA        SRC    INC    EXC\n')
    },
  })
}
