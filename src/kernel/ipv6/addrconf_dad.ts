/** Duplicate address detection (RFC 4862 §5.4, enhanced by RFC 7527), and what follows once an address is unique. */
import { ARPHRD_TUNNEL, IFF_LOOPBACK, IFF_NOARP } from '../../uapi/if.ts'
import {
  IFA_F_DADFAILED,
  IFA_F_NODAD,
  IFA_F_OPTIMISTIC,
  IFA_F_PERMANENT,
  IFA_F_STABLE_PRIVACY,
  IFA_F_TEMPORARY,
  IFA_F_TENTATIVE,
  RTM_NEWADDR,
} from '../../uapi/rtnetlink.ts'
import { NSEC_PER_SEC, TICK_NSEC, Timer } from '../core/clock.ts'
import { NEIGH_VAR_RETRANS_TIME } from '../core/neigh_parms.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { softirqTimer } from '../core/softirq_timer.ts'
import {
  addrEqual,
  addrText,
  IN6ADDR_ANY,
  IN6ADDR_LINKLOCAL_ALLNODES,
  IN6ADDR_LINKLOCAL_ALLROUTERS,
  IPV6_ADDR_LINKLOCAL,
  in6,
  solicitedNode,
} from './addr.ts'
import { ipv6AddAddr, ipv6DelAddr, ipv6IfaNotify } from './addrconf.ts'
import { addrconfIfdown } from './addrconf_dev.ts'
import { ipv6GenerateEui64, ipv6GenerateStableAddress } from './addrconf_iid.ts'
import { ipv6CreateTempaddr } from './addrconf_temp.ts'
import { addrconfVerify } from './addrconf_verify.ts'
import {
  IPV6_DEVCONF_ACCEPT_DAD,
  IPV6_DEVCONF_ACCEPT_RA,
  IPV6_DEVCONF_DAD_TRANSMITS,
  IPV6_DEVCONF_DISABLE_IPV6,
  IPV6_DEVCONF_ENHANCED_DAD,
  IPV6_DEVCONF_FORWARDING,
  IPV6_DEVCONF_MAX_ADDRESSES,
  IPV6_DEVCONF_NDISC_NOTIFY,
  IPV6_DEVCONF_OPTIMISTIC_DAD,
  IPV6_DEVCONF_ROUTER_SOLICITATION_DELAY,
  IPV6_DEVCONF_ROUTER_SOLICITATION_INTERVAL,
  IPV6_DEVCONF_ROUTER_SOLICITATION_MAX_INTERVAL,
  IPV6_DEVCONF_ROUTER_SOLICITATIONS,
  IPV6_DEVCONF_USE_OPTIMISTIC,
  ipv6DevconfKey,
} from './devconf.ts'
import { IF_RA_RCVD, IF_READY, IF_RS_SENT, type Inet6Dev, type Inet6Ifaddr } from './if_inet6.ts'
import { ipv6GetLladdr } from './inet6_addr.ts'
import { fib6Key } from './ip6_fib.ts'
import { addrconfJoinSolict, ipv6McDadComplete, randomBelow } from './mcast.ts'
import { ndiscSendNa, ndiscSendNs, ndiscSendRs } from './ndisc_send.ts'
import { ipv6Key } from './netns_ipv6.ts'

function clockOf(ifp: Inet6Ifaddr): Inet6Dev['dev']['net']['kernel']['clock'] {
  return ifp.idev.dev.net.kernel.clock
}

function schedule(ifp: Inet6Ifaddr, delay: number): void {
  const clock = clockOf(ifp)
  clock.mod(ifp.dadTimer, clock.now + delay)
}

/** @returns whether a setting is on for all devices or for this one */
function either(idev: Inet6Dev, index: number): boolean {
  return idev.dev.net.at(ipv6DevconfKey).all.data[index] !== 0 || idev.cnf.data[index] !== 0
}

/** @returns whether optimistic addresses are allowed on a device (RFC 4429) */
export function allowOptimisticDad(idev: Inet6Dev): boolean {
  return either(idev, IPV6_DEVCONF_OPTIMISTIC_DAD)
}

/** @returns the time between solicitations of a device, ns */
function retransTime(idev: Inet6Dev): number {
  return Math.max(idev.ndParms.data[NEIGH_VAR_RETRANS_TIME]!, NSEC_PER_SEC / 100)
}

/** Starts detection, in a moment (addrconf_dad_start). */
export function addrconfDadStart(ifp: Inet6Ifaddr): void {
  if (ifp.state === 'dead') return
  ifp.state = 'preDad'
  schedule(ifp, 0)
}

/** The timer of an address (addrconf_dad_work). */
function dadWork(ifp: Inet6Ifaddr): void {
  const { idev } = ifp
  if (ifp.state === 'preDad') {
    ifp.state = 'dad'
    dadBegin(ifp)
    return
  }
  if (ifp.state === 'errDad') {
    ifp.state = 'postDad'
    const disable = duplicateOfOwnMac(ifp)
    dadStop(ifp, true)
    if (disable) addrconfIfdown(idev.dev, false)
    return
  }
  if (ifp.dadProbes === 0) {
    if (ifp.state !== 'dad') return
    ifp.state = 'postDad'
  }
  if (idev.dead || (idev.ifFlags & IF_READY) === 0 || (ifp.state as string) === 'dead') return
  if (ifp.dadProbes === 0) {
    const sendNa = (ifp.flags & IFA_F_TENTATIVE) !== 0 && (ifp.flags & IFA_F_OPTIMISTIC) === 0
    ifp.flags &= ~(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED)
    dadCompleted(ifp, sendNa)
    return
  }
  ifp.dadProbes--
  schedule(ifp, retransTime(idev))
  ndiscSendNs(idev.dev, ifp.addr, solicitedNode(ifp.addr), IN6ADDR_ANY, ifp.dadNonce)
}

/** @returns whether accept_dad is 2 and the address is the link-local one made of the MAC: IPv6 then leaves the device */
function duplicateOfOwnMac(ifp: Inet6Ifaddr): boolean {
  const { idev } = ifp
  const { all } = idev.dev.net.at(ipv6DevconfKey)
  const strict = all.data[IPV6_DEVCONF_ACCEPT_DAD]! > 1 || idev.cnf.data[IPV6_DEVCONF_ACCEPT_DAD]! > 1
  if (!strict || idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] !== 0) return false
  if ((ifp.flags & IFA_F_STABLE_PRIVACY) !== 0) return false
  const own = in6(0xfe80)
  if (!ipv6GenerateEui64(own, idev.dev) || !addrEqual(own, ifp.addr)) return false
  idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] = 1
  idev.dev.net.kernel.log.print(6, `IPv6: ${idev.dev.name}: IPv6 being disabled!`)
  return true
}

function dadBegin(ifp: Inet6Ifaddr): void {
  const { idev } = ifp
  const { dev } = idev
  const { net } = dev
  addrconfJoinSolict(dev, ifp.addr)
  const { all } = net.at(ipv6DevconfKey)
  if (
    (dev.flags & (IFF_NOARP | IFF_LOOPBACK)) !== 0 ||
    (all.data[IPV6_DEVCONF_ACCEPT_DAD]! < 1 && idev.cnf.data[IPV6_DEVCONF_ACCEPT_DAD]! < 1) ||
    (ifp.flags & IFA_F_TENTATIVE) === 0 ||
    (ifp.flags & IFA_F_NODAD) !== 0
  ) {
    const sendNa = (ifp.flags & IFA_F_TENTATIVE) !== 0 && (ifp.flags & IFA_F_OPTIMISTIC) === 0
    ifp.flags &= ~(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED)
    dadCompleted(ifp, sendNa)
    return
  }
  if ((idev.ifFlags & IF_READY) === 0) {
    dadStop(ifp, false)
    return
  }
  let notify = false
  if ((ifp.flags & IFA_F_OPTIMISTIC) !== 0) {
    // an optimistic address receives at once
    if (ifp.rt !== undefined) net.at(fib6Key).add(ifp.rt, { flags: undefined })
    notify = either(idev, IPV6_DEVCONF_OPTIMISTIC_DAD) && either(idev, IPV6_DEVCONF_USE_OPTIMISTIC)
  }
  addrconfDadKick(ifp)
  if (notify) ipv6IfaNotify(RTM_NEWADDR, ifp)
}

/** The solicitations begin after a random delay (addrconf_dad_kick). */
function addrconfDadKick(ifp: Inet6Ifaddr): void {
  const { idev } = ifp
  const { random } = idev.dev.net.kernel
  const delay =
    (ifp.flags & IFA_F_OPTIMISTIC) !== 0
      ? 0
      : randomBelow(idev, idev.cnf.data[IPV6_DEVCONF_ROUTER_SOLICITATION_DELAY]! * NSEC_PER_SEC)
  ifp.dadNonce = either(idev, IPV6_DEVCONF_ENHANCED_DAD) ? random.fill(new Uint8Array(6)) : undefined
  ifp.dadProbes = idev.cnf.data[IPV6_DEVCONF_DAD_TRANSMITS]!
  schedule(ifp, delay)
}

/** The link is ready: waiting addresses go on (addrconf_dad_run). @param restart all addresses begin anew */
export function addrconfDadRun(idev: Inet6Dev, restart: boolean): void {
  for (const ifp of idev.addrs) {
    if (!(((ifp.flags & IFA_F_TENTATIVE) !== 0 && ifp.state === 'dad') || restart)) continue
    if (restart) ifp.state = 'preDad'
    addrconfDadKick(ifp)
  }
}

/** Detection ends without a result, or with a duplicate found (addrconf_dad_stop). */
function dadStop(ifp: Inet6Ifaddr, failed: boolean): void {
  if (failed) ifp.flags |= IFA_F_DADFAILED
  if ((ifp.flags & IFA_F_TEMPORARY) !== 0) {
    if (ifp.ifpub !== undefined) ipv6CreateTempaddr(ifp.ifpub)
    ipv6DelAddr(ifp)
  } else if ((ifp.flags & IFA_F_PERMANENT) !== 0 || !failed) {
    clockOf(ifp).del(ifp.dadTimer)
    ifp.flags |= IFA_F_TENTATIVE
    if (failed) {
      ifp.flags &= ~IFA_F_OPTIMISTIC
      ipv6IfaNotify(0, ifp)
    }
  } else ipv6DelAddr(ifp)
}

/** Somebody else has the address (addrconf_dad_failure). @param skb what told so */
export function addrconfDadFailure(skb: SkBuff, ifp: Inet6Ifaddr): void {
  const { idev } = ifp
  const { net } = idev.dev
  if (ifp.state !== 'dad') return
  ifp.state = 'postDad'
  const at = skb.macHeader + 6
  const mac = skb.macHeader < 0 ? [] : Array.from(skb.buf.subarray(at, at + 6))
  const who = mac.map(byte => byte.toString(16).padStart(2, '0')).join(':')
  net.kernel.log.print(
    6,
    `IPv6: ${idev.dev.name}: IPv6 duplicate address ${addrText(ifp.addr)} used by ${who} detected!`,
  )
  if ((ifp.flags & IFA_F_STABLE_PRIVACY) !== 0) stablePrivacyRetry(ifp)
  ifp.state = 'errDad'
  schedule(ifp, 0)
}

/** A stable opaque address is taken: the next one is tried (RFC 7217 §6). */
function stablePrivacyRetry(ifp: Inet6Ifaddr): void {
  const { idev } = ifp
  const { net } = idev.dev
  const ns = net.at(ipv6Key)
  const retry = ifp.stablePrivacyRetry + 1
  if (retry > ns.idgenRetries) {
    net.kernel.log.print(
      6,
      `IPv6: ${idev.dev.name}: privacy stable address generation failed because of DAD conflicts!`,
    )
    return
  }
  const addr = ifp.addr.slice()
  if (!ipv6GenerateStableAddress(addr, retry, idev)) return
  const max = idev.cnf.data[IPV6_DEVCONF_MAX_ADDRESSES]!
  if (max !== 0 && idev.addrs.length >= max) return
  const next = ipv6AddAddr(idev, {
    addr,
    plen: ifp.prefixLen,
    flags: ifp.flags & ~(IFA_F_DADFAILED | IFA_F_TENTATIVE),
    proto: ifp.proto,
    scope: ifp.scope,
    validLft: ifp.validLft,
    preferedLft: ifp.preferedLft,
  })
  if (typeof next === 'number') return
  next.stablePrivacyRetry = retry
  next.state = 'preDad'
  schedule(next, ns.idgenDelay * NSEC_PER_SEC)
}

/** @returns whether there is no other usable link-local address on the device (ipv6_lonely_lladdr) */
function lonelyLladdr(ifp: Inet6Ifaddr): boolean {
  const { addrs } = ifp.idev
  const relevant = IFA_F_PERMANENT | IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED
  for (let i = addrs.length - 1; i >= 0; i--) {
    const other = addrs[i]!
    if (other.scope > IPV6_ADDR_LINKLOCAL) break
    if (other !== ifp && other.scope === IPV6_ADDR_LINKLOCAL && (other.flags & relevant) === IFA_F_PERMANENT)
      return false
  }
  return true
}

/** @returns whether router advertisements are accepted on a device (ipv6_accept_ra) */
export function ipv6AcceptRa(idev: Inet6Dev): boolean {
  const accept = idev.cnf.data[IPV6_DEVCONF_ACCEPT_RA]!
  return idev.cnf.data[IPV6_DEVCONF_FORWARDING] !== 0 ? accept === 2 : accept !== 0
}

/** An address may be used: its routes come, routers are asked for (addrconf_dad_completed). */
function dadCompleted(ifp: Inet6Ifaddr, sendNa: boolean): void {
  const { idev } = ifp
  const { dev } = idev
  const { net } = dev
  clockOf(ifp).del(ifp.dadTimer)
  ipv6IfaNotify(RTM_NEWADDR, ifp)
  const first = ifp.scope === IPV6_ADDR_LINKLOCAL && lonelyLladdr(ifp)
  const sendRs =
    first &&
    ipv6AcceptRa(idev) &&
    idev.cnf.data[IPV6_DEVCONF_ROUTER_SOLICITATIONS] !== 0 &&
    (dev.flags & IFF_LOOPBACK) === 0 &&
    dev.type !== ARPHRD_TUNNEL
  if (first) ipv6McDadComplete(idev)
  if (sendNa && either(idev, IPV6_DEVCONF_NDISC_NOTIFY)) {
    const router = idev.cnf.data[IPV6_DEVCONF_FORWARDING] !== 0
    ndiscSendNa(dev, IN6ADDR_LINKLOCAL_ALLNODES, ifp.addr, router, false, true, true)
  }
  if (sendRs) {
    const lladdr = ipv6GetLladdr(dev, IFA_F_TENTATIVE)
    if (lladdr === undefined) return
    startRs(idev, lladdr)
  }
  net.at(fib6Key).sernum++
  if ((ifp.flags & IFA_F_TEMPORARY) !== 0) addrconfVerify(net)
}

/** Sends the first router solicitation and sets the timer for more (RFC 4861 §6.3.7, RFC 7559). */
export function startRs(idev: Inet6Dev, lladdr: Uint8Array): void {
  ndiscSendRs(idev.dev, lladdr, IN6ADDR_LINKLOCAL_ALLROUTERS)
  idev.rsInterval = jitter(idev, idev.cnf.data[IPV6_DEVCONF_ROUTER_SOLICITATION_INTERVAL]! * NSEC_PER_SEC, 900000)
  idev.rsProbes = 1
  idev.ifFlags |= IF_RS_SENT
  const { clock } = idev.dev.net.kernel
  clock.mod(idev.rsTimer, clock.now + idev.rsInterval)
}

/** @returns `ns` times a random factor from `low` millionths to 0.2 more, in whole ticks (RFC 3315 §14) */
function jitter(idev: Inet6Dev, ns: number, low: number): number {
  const factor = (low + idev.dev.net.kernel.random.below(200001)) / 1e6
  return Math.floor((ns * factor) / TICK_NSEC) * TICK_NSEC
}

/** The timer of router solicitations (addrconf_rs_timer). */
function rsTimer(idev: Inet6Dev): void {
  if (idev.dead || (idev.ifFlags & IF_READY) === 0 || !ipv6AcceptRa(idev)) return
  if ((idev.ifFlags & IF_RA_RCVD) !== 0) return
  const max = idev.cnf.data[IPV6_DEVCONF_ROUTER_SOLICITATIONS]!
  if (idev.rsProbes++ >= max && max >= 0) return
  const lladdr = ipv6GetLladdr(idev.dev, IFA_F_TENTATIVE)
  if (lladdr === undefined) return
  ndiscSendRs(idev.dev, lladdr, IN6ADDR_LINKLOCAL_ALLROUTERS)
  const longest = idev.cnf.data[IPV6_DEVCONF_ROUTER_SOLICITATION_MAX_INTERVAL]! * NSEC_PER_SEC
  let next = jitter(idev, idev.rsInterval, 1900000)
  if (next > longest) next = jitter(idev, longest, 900000)
  idev.rsInterval = next
  const { clock } = idev.dev.net.kernel
  const wait = idev.rsProbes === max ? idev.cnf.data[IPV6_DEVCONF_ROUTER_SOLICITATION_DELAY]! * NSEC_PER_SEC : next
  clock.mod(idev.rsTimer, clock.now + wait)
}

/** Makes the timers of a fresh device. */
export function addrconfTimersInit(idev: Inet6Dev): void {
  idev.rsTimer = softirqTimer(idev.dev.net.kernel, () => rsTimer(idev))
}

/** @returns the timer of a fresh address */
export function makeDadTimer(ifp: Inet6Ifaddr): Timer {
  return new Timer(() => dadWork(ifp))
}
