/**
 * IPv4 on devices: when it comes and goes, their addresses — primary and secondary, with lifetimes, labels and peers —
 * and who is told. See ip-address(8) and rtnetlink(7). Messages are in devinet_rtnl.ts, choosing addresses in
 * devinet_select.ts.
 */
import { Errno } from '../../uapi/errno.ts'
import { IFF_LOOPBACK, IFF_UP, IFNAMSIZ } from '../../uapi/if.ts'
import {
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_HOMEADDRESS,
  IFA_F_MANAGETEMPADDR,
  IFA_F_NODAD,
  IFA_F_OPTIMISTIC,
  IFA_F_PERMANENT,
  IFA_F_SECONDARY,
  IFA_F_STABLE_PRIVACY,
  IFA_F_TENTATIVE,
  RT_SCOPE_HOST,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_GETNETCONF,
  RTM_NEWADDR,
} from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import { NSEC_PER_MSEC, NSEC_PER_SEC, Timer } from '../core/clock.ts'
import type { NetDevice } from '../core/net_device.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { NotifierChain } from '../core/notifier.ts'
import { coreGlobals } from '../core/sysctl_net_core.ts'
import type { Kernel, NetdevEvent } from '../kernel.ts'
import { IPV4_DEVCONF_DISABLE_POLICY, IPV4_DEVCONF_DISABLE_XFRM, Ipv4Devconf, ipv4DevconfKey } from './devconf.ts'
import { ipv4ConfOps, netconfDump, netconfGet, netconfNotify } from './devinet_netconf.ts'
import { inetDumpIfaddr, inetRtmDeladdr, inetRtmNewaddr, rtmsgIfa } from './devinet_rtnl.ts'
import { inetAddrHashKey } from './devinet_select.ts'
import { fibAddIfaddr, fibDelIfaddr } from './fib_ifaddr.ts'
import {
  INFINITY_LIFE_TIME,
  InDevice,
  InIfaddr,
  inDevArpNotify,
  inDevGet,
  inDeviceFollowers,
  inDevPromoteSecondaries,
  inetMakeMask,
  ipv4DevconfSetall,
  ipv4IsLoopback,
} from './in_device.ts'
import { IPV4_MIN_MTU } from './rtable.ts'
import {
  devinetSysctlFollow,
  devinetSysctlInit,
  devinetSysctlRegister,
  devinetSysctlUnregister,
} from './sysctl_devconf.ts'

export * from './devinet_select.ts'
export * from './in_device.ts'

const INADDR_LOOPBACK = 0x7f000001

/** Flags that mean something only to IPv6. */
const IPV6ONLY_FLAGS =
  IFA_F_NODAD |
  IFA_F_OPTIMISTIC |
  IFA_F_DADFAILED |
  IFA_F_HOMEADDRESS |
  IFA_F_TENTATIVE |
  IFA_F_MANAGETEMPADDR |
  IFA_F_STABLE_PRIVACY

/** Lifetimes are looked at this much early, and not more often than once in this time, ns. */
const FUZZ = 20 * NSEC_PER_MSEC
const FUZZ_MAX = NSEC_PER_SEC

/** Addresses that come ('UP') and go ('DOWN'). */
export type InetaddrChain = NotifierChain<[event: 'UP' | 'DOWN', ifa: InIfaddr]>

const chains = new WeakMap<Kernel, InetaddrChain>()

/** @returns the chain on which a kernel's parts hear of addresses (inetaddr_chain) */
export function inetaddrChain(kernel: Kernel): InetaddrChain {
  let chain = chains.get(kernel)
  if (chain === undefined) {
    chain = new NotifierChain()
    chains.set(kernel, chain)
  }
  return chain
}

/** The timer that looks after lifetimes in a namespace. */
const lifetimeKey = pernetKey<Timer>('inet_addr_lifetimes')

/** @returns whether IPv4 works with an MTU */
export function inetdevValidMtu(mtu: number): boolean {
  return mtu >= IPV4_MIN_MTU
}

function hashInsert(net: Net, ifa: InIfaddr): void {
  const hash = net.at(inetAddrHashKey)
  const list = hash.get(ifa.local)
  if (list === undefined) hash.set(ifa.local, [ifa])
  else list.unshift(ifa)
}

function hashRemove(net: Net, ifa: InIfaddr): void {
  const hash = net.at(inetAddrHashKey)
  const list = hash.get(ifa.local)
  const at = list?.indexOf(ifa) ?? -1
  if (at < 0) return
  list!.splice(at, 1)
  if (list!.length === 0) hash.delete(ifa.local)
}

/**
 * Puts an address on its device: behind its primary where there is one in the same subnet, and tells listeners
 * (__inet_insert_ifa). 0.0.0.0 is taken and forgotten.
 * @returns 0, -EEXIST, or -EINVAL where another of the subnet has another scope
 */
export function inetInsertIfa(ifa: InIfaddr): number {
  if (ifa.local === 0) return 0
  const { inDev } = ifa
  const list = inDev.ifaList
  const { net } = inDev
  ifa.flags &= ~(IFA_F_SECONDARY | IPV6ONLY_FLAGS)
  let place = 0
  for (let i = 0; i < list.length; i++) {
    const other = list[i]!
    if ((other.flags & IFA_F_SECONDARY) === 0 && ifa.scope <= other.scope) place = i + 1
    if (other.mask === ifa.mask && other.matches(ifa.address)) {
      if (other.local === ifa.local) return -Errno.EEXIST
      if (other.scope !== ifa.scope) return -Errno.EINVAL
      ifa.flags |= IFA_F_SECONDARY
    }
  }
  list.splice((ifa.flags & IFA_F_SECONDARY) !== 0 ? list.length : place, 0, ifa)
  hashInsert(net, ifa)
  checkLifetimesSoon(net)
  rtmsgIfa(RTM_NEWADDR, ifa)
  inetaddrChain(net.kernel).call('UP', ifa)
  return 0
}

/**
 * Takes an address off its device; secondaries of a primary go with it, or one of them is promoted
 * (promote_secondaries; __inet_del_ifa).
 */
export function inetDelIfa(ifa1: InIfaddr): void {
  const { inDev } = ifa1
  const list = inDev.ifaList
  const { net } = inDev
  const chain = inetaddrChain(net.kernel)
  const sameSubnet = (ifa: InIfaddr): boolean => ifa.mask === ifa1.mask && ifa.matches(ifa1.address)
  let promote: InIfaddr | undefined
  let lastPrim: InIfaddr | undefined = list[0]
  let passed = false
  if (!inDev.dead) {
    if ((ifa1.flags & IFA_F_SECONDARY) === 0) {
      const doPromote = inDevPromoteSecondaries(inDev)
      for (let i = list.indexOf(ifa1) + 1; i < list.length; ) {
        const ifa = list[i]!
        const secondary = (ifa.flags & IFA_F_SECONDARY) !== 0
        if (!secondary && ifa1.scope <= ifa.scope) lastPrim = ifa
        if (!secondary || !sameSubnet(ifa)) {
          passed = true
          i++
          continue
        }
        if (doPromote) {
          promote = ifa
          break
        }
        hashRemove(net, ifa)
        list.splice(i, 1)
        rtmsgIfa(RTM_DELADDR, ifa)
        chain.call('DOWN', ifa)
      }
    }
    // a promotion changes the source of all routes of the subnet: take them out now, with every address still in place
    if (promote !== undefined)
      for (let i = list.indexOf(promote); i < list.length; i++) if (sameSubnet(list[i]!)) fibDelIfaddr(list[i]!, ifa1)
  }
  list.splice(list.indexOf(ifa1), 1)
  hashRemove(net, ifa1)
  rtmsgIfa(RTM_DELADDR, ifa1)
  chain.call('DOWN', ifa1)
  if (promote === undefined) return
  const at = list.indexOf(promote)
  const rest = list.slice(at + 1)
  if (passed) {
    list.splice(at, 1)
    list.splice(lastPrim === undefined ? 0 : list.indexOf(lastPrim) + 1, 0, promote)
  }
  promote.flags &= ~IFA_F_SECONDARY
  rtmsgIfa(RTM_NEWADDR, promote)
  chain.call('UP', promote)
  for (const ifa of rest) if (sameSubnet(ifa)) fibAddIfaddr(ifa)
}

/** Sets an address's lifetimes, seconds from now (set_ifa_lifetime). */
export function setIfaLifetime(ifa: InIfaddr, valid: number, preferred: number): void {
  const { now } = ifa.inDev.net.kernel.clock
  ifa.flags &= ~(IFA_F_PERMANENT | IFA_F_DEPRECATED)
  if (valid === INFINITY_LIFE_TIME) ifa.flags |= IFA_F_PERMANENT
  else ifa.validLft = valid
  if (preferred !== INFINITY_LIFE_TIME) {
    if (preferred === 0) ifa.flags |= IFA_F_DEPRECATED
    ifa.preferredLft = preferred
  }
  ifa.tstamp = now
  if (ifa.cstamp < 0) ifa.cstamp = now
}

/** Lets lifetimes be looked at right after this: one has come or changed. */
export function checkLifetimesSoon(net: Net): void {
  const { clock } = net.kernel
  clock.mod(net.at(lifetimeKey), clock.now)
}

/** Deletes addresses whose time is over, marks those whose preference has ended, and sets the timer (check_lifetime). */
function checkLifetimes(net: Net): void {
  const { clock } = net.kernel
  const { now } = clock
  let next = Number.POSITIVE_INFINITY
  for (const list of [...net.at(inetAddrHashKey).values()])
    for (const ifa of [...list]) {
      if ((ifa.flags & IFA_F_PERMANENT) !== 0 || !ifa.inDev.ifaList.includes(ifa)) continue
      const age = Math.floor((now - ifa.tstamp + FUZZ) / NSEC_PER_SEC)
      if (ifa.validLft !== INFINITY_LIFE_TIME && age >= ifa.validLft) {
        inetDelIfa(ifa)
        continue
      }
      if (ifa.preferredLft === INFINITY_LIFE_TIME) continue
      if (age < ifa.preferredLft) next = Math.min(next, ifa.tstamp + ifa.preferredLft * NSEC_PER_SEC)
      else {
        next = Math.min(next, ifa.tstamp + ifa.validLft * NSEC_PER_SEC)
        if ((ifa.flags & IFA_F_DEPRECATED) === 0) {
          ifa.flags |= IFA_F_DEPRECATED
          rtmsgIfa(RTM_NEWADDR, ifa)
        }
      }
    }
  if (next !== Number.POSITIVE_INFINITY) clock.mod(net.at(lifetimeKey), Math.max(next, now + FUZZ_MAX))
}

/** Brings IPv4 to a device (inetdev_init). */
function inetdevInit(dev: NetDevice): InDevice {
  const inDev = new InDevice(dev)
  const followers = inDeviceFollowers(dev.net.kernel)
  for (const follower of followers) follower.init?.(inDev)
  if ((dev.flags & IFF_UP) !== 0) for (const follower of followers) follower.up?.(inDev)
  dev.ipPtr = inDev
  netconfNotify(dev.net, dev.ifindex, 'all')
  return inDev
}

/** Takes IPv4 off a device, with its addresses (inetdev_destroy). */
function inetdevDestroy(inDev: InDevice): void {
  inDev.dead = true
  const { dev } = inDev
  const followers = inDeviceFollowers(dev.net.kernel)
  while (inDev.ifaList.length > 0) inetDelIfa(inDev.ifaList[0]!)
  dev.ipPtr = undefined
  for (const follower of followers) follower.destroy?.(inDev)
  netconfNotify(dev.net, dev.ifindex, 'gone')
}

/** Labels follow the device's name: the first becomes the name, others keep what is behind the colon (inetdev_changename). */
function changeName(inDev: InDevice): void {
  const { name } = inDev.dev
  inDev.ifaList.forEach((ifa, i) => {
    const old = ifa.label
    ifa.label = name
    if (i > 0) {
      const colon = old.indexOf(':')
      const suffix = colon < 0 ? `:${i + 1}` : old.slice(colon)
      ifa.label =
        suffix.length + name.length < IFNAMSIZ ? name + suffix : name.slice(0, IFNAMSIZ - suffix.length - 1) + suffix
    }
    rtmsgIfa(RTM_NEWADDR, ifa)
  })
}

/** The loopback device gets 127.0.0.1/8 when it comes up. */
function addLoopbackAddress(inDev: InDevice): void {
  const ifa = new InIfaddr(inDev)
  ifa.local = ifa.address = INADDR_LOOPBACK
  ifa.prefixlen = 8
  ifa.mask = inetMakeMask(8)
  ifa.scope = RT_SCOPE_HOST
  ifa.label = inDev.dev.name
  setIfaLifetime(ifa, INFINITY_LIFE_TIME, INFINITY_LIFE_TIME)
  ipv4DevconfSetall(inDev)
  inetInsertIfa(ifa)
}

function inetdevEvent(event: NetdevEvent, dev: NetDevice): void {
  const inDev = inDevGet(dev)
  if (inDev === undefined) {
    if (event === 'REGISTER') {
      const fresh = inetdevInit(dev)
      if ((dev.flags & IFF_LOOPBACK) !== 0) {
        fresh.cnf.set(IPV4_DEVCONF_DISABLE_XFRM, 1)
        fresh.cnf.set(IPV4_DEVCONF_DISABLE_POLICY, 1)
      }
    } else if (event === 'CHANGEMTU' && inetdevValidMtu(dev.mtu)) {
      inetdevInit(dev)
      devinetSysctlRegister(dev, ipv4ConfOps)
    }
    return
  }
  const followers = inDeviceFollowers(dev.net.kernel)
  const notifyPeers = (): void => {
    for (const follower of followers) follower.notifyPeers?.(inDev)
  }
  switch (event) {
    case 'UP':
      if (!inetdevValidMtu(dev.mtu)) return
      if ((dev.flags & IFF_LOOPBACK) !== 0) addLoopbackAddress(inDev)
      for (const follower of followers) follower.up?.(inDev)
      if (inDevArpNotify(inDev)) notifyPeers()
      return
    case 'CHANGEADDR':
      if (inDevArpNotify(inDev)) notifyPeers()
      return
    case 'NOTIFY_PEERS':
      notifyPeers()
      return
    case 'DOWN':
      for (const follower of followers) follower.down?.(inDev)
      return
    case 'CHANGEMTU':
      if (inetdevValidMtu(dev.mtu)) return
      inetdevDestroy(inDev)
      devinetSysctlUnregister(dev.net, dev.name)
      return
    case 'UNREGISTER':
      inetdevDestroy(inDev)
      return
    case 'CHANGENAME':
      changeName(inDev)
      return
    default:
      return
  }
}

/** Sets an address as SIOCSIFADDR does: the device's configuration is its own from now on (inet_set_ifa). */
export function inetSetIfa(ifa: InIfaddr): number {
  ipv4DevconfSetall(ifa.inDev)
  if (ipv4IsLoopback(ifa.local)) ifa.scope = RT_SCOPE_HOST
  return inetInsertIfa(ifa)
}

/** Gives a namespace its `all` and `default`: a copy of the initial namespace's, or fresh ones (devinet_init_net). */
function devconfNetInit(net: Net): void {
  const { kernel } = net
  const first = kernel.initNet as Net | undefined
  if (first === undefined || coreGlobals(kernel).devconfInheritInitNet === 2) {
    net.set(ipv4DevconfKey, { all: Ipv4Devconf.all(), dflt: new Ipv4Devconf() })
    return
  }
  const from = first.at(ipv4DevconfKey)
  const copy = (conf: Ipv4Devconf): Ipv4Devconf => {
    const made = new Ipv4Devconf(conf)
    made.isSet.set(conf.isSet)
    return made
  }
  net.set(ipv4DevconfKey, { all: copy(from.all), dflt: copy(from.dflt) })
}

/** Registers IPv4 on devices with a kernel (devinet_init). */
export function devinetInit(kernel: Kernel): void {
  kernel.registerPernet({
    init(net) {
      devconfNetInit(net)
      net.set(inetAddrHashKey, new Map())
      net.set(lifetimeKey, new Timer(() => checkLifetimes(net)))
      devinetSysctlInit(net, ipv4ConfOps)
    },
    exit: net => {
      kernel.clock.del(net.at(lifetimeKey))
    },
  })
  kernel.netdevChain.register((event, dev) => {
    inetdevEvent(event, dev)
    return 0
  })
  devinetSysctlFollow(kernel, ipv4ConfOps)
  const { rtnl } = kernel
  rtnl.register(AF_INET, RTM_NEWADDR, { doit: inetRtmNewaddr })
  rtnl.register(AF_INET, RTM_DELADDR, { doit: inetRtmDeladdr })
  rtnl.register(AF_INET, RTM_GETADDR, { dumpit: inetDumpIfaddr })
  rtnl.register(AF_INET, RTM_GETNETCONF, { doit: netconfGet, dumpit: netconfDump })
}
