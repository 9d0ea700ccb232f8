/**
 * Flow labels (RFC 6437): chosen by the kernel from a hash of the flow, or leased by a program (IPV6_FLOWLABEL_MGR), so
 * that no other program uses the same.
 */
import { Errno } from '../../uapi/errno.ts'
import { IPPROTO_TCP } from '../../uapi/socket.ts'
import { NSEC_PER_SEC, Timer } from '../core/clock.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { addrHash, addrHex, addrType, type In6Addr, IPV6_ADDR_ANY, IPV6_ADDR_MAPPED } from './addr.ts'
import type { Flowi6 } from './flowi6.ts'
import { fib6Key } from './ip6_fib.ts'
import { ipv6Key } from './netns_ipv6.ts'
import type { Inet6Sock, Ipv6Pinfo } from './pinfo.ts'

/** Marks labels that no state was negotiated for, see net.ipv6.flowlabel_state_ranges. */
const STATELESS = 0x80000
/** The label's bits of the header's first word. */
export const IPV6_FLOWLABEL_MASK = 0xfffff
/** Traffic class and label. */
export const IPV6_FLOWINFO_MASK = 0xfffffff

/** Values of net.ipv6.auto_flowlabels. */
export const AUTO_FLOW_LABEL_OFF = 0
export const AUTO_FLOW_LABEL_OPTOUT = 1
export const AUTO_FLOW_LABEL_OPTIN = 2
export const AUTO_FLOW_LABEL_FORCED = 3

/** @returns whether a socket that has not said otherwise labels its packets (ip6_default_np_autolabel) */
export function defaultAutolabel(net: Net): boolean {
  const mode = net.at(ipv6Key).autoFlowlabels
  return mode === AUTO_FLOW_LABEL_OPTOUT || mode === AUTO_FLOW_LABEL_FORCED
}

/**
 * @param wanted whether the socket wants labels @returns a label for a flow, 0 for none (ip6_make_flowlabel)
 */
export function ip6AutoFlowlabel(net: Net, fl6: Flowi6, wanted: boolean = defaultAutolabel(net)): number {
  const ns = net.at(ipv6Key)
  if (ns.autoFlowlabels === AUTO_FLOW_LABEL_OFF) return 0
  if (!wanted && ns.autoFlowlabels !== AUTO_FLOW_LABEL_FORCED) return 0
  let hash = net.at(fib6Key).hashSeed ^ addrHash(fl6.saddr) ^ Math.imul(addrHash(fl6.daddr), 0x85ebca6b)
  hash = Math.imul(hash ^ fl6.proto, 0x9e3779b1) ^ Math.imul((fl6.sport << 16) ^ fl6.dport, 0xc2b2ae35)
  hash = (hash ^ (hash >>> 15)) >>> 0
  const label = ((hash << 16) | (hash >>> 16)) & IPV6_FLOWLABEL_MASK
  return (label === 0 ? 1 : label) | (ns.flowlabelStateRanges !== 0 ? STATELESS : 0)
}

/** Values of a lease's sharing. */
const IPV6_FL_S_EXCL = 1
const IPV6_FL_S_PROCESS = 2
const IPV6_FL_S_USER = 3
const IPV6_FL_S_ANY = 255

/** Actions and flags of a request (`in6_flowlabel_req`). */
const IPV6_FL_A_GET = 0
const IPV6_FL_A_PUT = 1
const IPV6_FL_A_RENEW = 2
const IPV6_FL_F_CREATE = 1
const IPV6_FL_F_EXCL = 2
const IPV6_FL_F_REFLECT = 4
const IPV6_FL_F_REMOTE = 8
const REQUEST_LENGTH = 32

/** Limits of leases, s. */
const FL_MIN_LINGER = 6
const FL_MAX_LINGER = 60
/** How many leases there may be, and how many a socket without privilege may have. */
const FL_MAX_SIZE = 4096
const FL_MAX_PER_SOCK = 32

/** A leased label (`ip6_flowlabel`). Times in ns. */
export class Ip6Flowlabel {
  readonly label: number
  readonly share: number
  /** process or user, as it is shared */
  readonly owner: number
  readonly dst: In6Addr
  users = 0
  linger: number
  expires = 0
  lastuse = 0

  constructor(label: number, share: number, owner: number, dst: In6Addr, now: number) {
    this.label = label
    this.share = share
    this.owner = owner
    this.dst = dst
    this.linger = 0
    this.expires = now
    this.lastuse = now
  }

  /** Extends it (fl6_renew). @param linger,expires s */
  renew(linger: number, expires: number, now: number): void {
    this.lastuse = now
    this.linger = Math.max(this.linger, linger * NSEC_PER_SEC)
    this.expires = Math.max(this.expires, now + Math.max(expires * NSEC_PER_SEC, this.linger))
  }
}

/** The leases of a namespace. */
class FlowlabelTable {
  readonly labels = new Map<number, Ip6Flowlabel>()
  /** somebody has leased one for itself: sockets may only use what is theirs */
  exclusive = false
  readonly gc: Timer

  constructor(net: Net) {
    const { clock } = net.kernel
    this.gc = new Timer(() => {
      let next = Number.POSITIVE_INFINITY
      for (const [label, fl] of this.labels) {
        if (fl.users > 0) continue
        const at = Math.max(fl.expires, fl.lastuse + fl.linger)
        if (at <= clock.now) this.labels.delete(label)
        else next = Math.min(next, at)
      }
      if (next !== Number.POSITIVE_INFINITY) clock.mod(this.gc, next)
    })
  }
}

const key = pernetKey<FlowlabelTable>('ip6_flowlabel')

/** Makes a namespace's table. */
export function ip6FlowlabelNetInit(net: Net): void {
  net.set(key, new FlowlabelTable(net))
}

/** Ends its timer. */
export function ip6FlowlabelNetExit(net: Net): void {
  net.kernel.clock.del(net.at(key).gc)
}

/** @returns whether a socket may send with the label of `flowinfo` (fl6_sock_lookup) */
export function flowlabelAllowed(net: Net, np: Ipv6Pinfo, flowinfo: number): boolean {
  const label = flowinfo & IPV6_FLOWLABEL_MASK
  if (label === 0 || !net.at(key).exclusive) return true
  const fl = np.flList.find(own => own.label === label)
  if (fl === undefined) return false
  fl.lastuse = net.kernel.clock.now
  return true
}

/** @returns seconds within the limits, undefined where only the privileged may ask for so many (check_linger) */
function checkLinger(sk: Inet6Sock, seconds: number): number | undefined {
  if (seconds < FL_MIN_LINGER) return FL_MIN_LINGER
  return seconds > FL_MAX_LINGER && !sk.nsCapable ? undefined : seconds
}

/** Gives up a socket's hold of a lease, which then ends in time. */
function release(sk: Inet6Sock, fl: Ip6Flowlabel): void {
  const { clock } = sk.net.kernel
  fl.lastuse = clock.now
  if (--fl.users > 0) return
  fl.expires = Math.max(fl.expires, clock.now + fl.linger)
  const { gc } = sk.net.at(key)
  if (!gc.pending || gc.expires > fl.expires) clock.mod(gc, fl.expires)
}

/** Gives up all: the socket is closed (fl6_free_socklist). */
export function fl6FreeSocklist(sk: Inet6Sock): void {
  for (const fl of sk.pinet6.flList.splice(0)) release(sk, fl)
}

/** IPV6_FLOWLABEL_MGR (ipv6_flowlabel_opt). @returns 0 or a negative error */
export function ipv6FlowlabelOpt(sk: Inet6Sock, request: Uint8Array): number {
  if (request.length < REQUEST_LENGTH) return -Errno.EINVAL
  const view = new DataView(request.buffer, request.byteOffset, request.length)
  const label = view.getUint32(16)
  const action = request[20]!
  const flags = view.getUint16(22, true)
  switch (action) {
    case IPV6_FL_A_GET:
      return get(sk, request, label, flags)
    case IPV6_FL_A_PUT:
      return put(sk, label, flags)
    case IPV6_FL_A_RENEW:
      return renew(sk, label, view.getUint16(26, true), view.getUint16(24, true))
    default:
      return -Errno.EINVAL
  }
}

function put(sk: Inet6Sock, label: number, flags: number): number {
  const np = sk.pinet6
  if ((flags & IPV6_FL_F_REFLECT) !== 0) {
    if (sk.protocol !== IPPROTO_TCP) return -Errno.ENOPROTOOPT
    if (!np.repflow) return -Errno.ESRCH
    np.flowLabel = 0
    np.repflow = false
    return 0
  }
  const at = np.flList.findIndex(fl => fl.label === label)
  if (at < 0) return -Errno.ESRCH
  if (label === (np.flowLabel & IPV6_FLOWLABEL_MASK)) np.flowLabel &= ~IPV6_FLOWLABEL_MASK
  release(sk, np.flList.splice(at, 1)[0]!)
  return 0
}

function renew(sk: Inet6Sock, label: number, linger: number, expires: number): number {
  const { now } = sk.net.kernel.clock
  const own = sk.pinet6.flList.find(fl => fl.label === label)
  const shared = own === undefined && sk.nsCapable ? sk.net.at(key).labels.get(label) : undefined
  const fl = own ?? (shared?.share === IPV6_FL_S_ANY ? shared : undefined)
  if (fl === undefined) return -Errno.ESRCH
  const l = checkLinger(sk, linger)
  const e = checkLinger(sk, expires)
  if (l === undefined || e === undefined) return -Errno.EPERM
  fl.renew(l, e, now)
  return 0
}

function get(sk: Inet6Sock, request: Uint8Array, label: number, flags: number): number {
  const np = sk.pinet6
  const { net } = sk
  const ns = net.at(ipv6Key)
  const table = net.at(key)
  if ((flags & IPV6_FL_F_REFLECT) !== 0) {
    if (ns.flowlabelConsistency !== 0) return -Errno.EPERM
    if (sk.protocol !== IPPROTO_TCP) return -Errno.ENOPROTOOPT
    np.repflow = true
    return 0
  }
  if ((flags & IPV6_FL_F_REMOTE) !== 0) return -Errno.ENOENT
  if (label > IPV6_FLOWLABEL_MASK) return -Errno.EINVAL
  if (ns.flowlabelStateRanges !== 0 && (label & STATELESS) !== 0) return -Errno.ERANGE
  const fresh = create(sk, request, label)
  if (typeof fresh === 'number') return fresh
  if (label !== 0) {
    const own = np.flList.find(fl => fl.label === label)
    if (own !== undefined && (flags & IPV6_FL_F_EXCL) !== 0) return -Errno.EEXIST
    const known = own ?? table.labels.get(label)
    if (known !== undefined) {
      if ((flags & IPV6_FL_F_EXCL) !== 0) return -Errno.EEXIST
      if (known.share === IPV6_FL_S_EXCL || known.share !== fresh.share || known.owner !== fresh.owner)
        return -Errno.EPERM
      known.linger = Math.max(known.linger, fresh.linger)
      known.expires = Math.max(known.expires, fresh.expires)
      known.users++
      np.flList.unshift(known)
      return 0
    }
  }
  if ((flags & IPV6_FL_F_CREATE) === 0) return -Errno.ENOENT
  const room = FL_MAX_SIZE - table.labels.size
  if (room <= 0) return -Errno.ENOBUFS
  if (!sk.nsCapable && (np.flList.length >= FL_MAX_PER_SOCK || room < FL_MAX_SIZE / 4)) return -Errno.ENOBUFS
  let chosen = label
  while (chosen === 0 || (label === 0 && table.labels.has(chosen))) {
    chosen = net.kernel.random.below(IPV6_FLOWLABEL_MASK + 1)
    if (ns.flowlabelStateRanges !== 0) chosen &= ~STATELESS
  }
  const fl = chosen === label ? fresh : named(fresh, chosen, net.kernel.clock.now)
  fl.users = 1
  table.labels.set(chosen, fl)
  if (fl.share === IPV6_FL_S_EXCL || fl.share === IPV6_FL_S_PROCESS || fl.share === IPV6_FL_S_USER)
    table.exclusive = true
  np.flList.unshift(fl)
  // the program learns which label it got
  new DataView(request.buffer, request.byteOffset, request.length).setUint32(16, chosen)
  return 0
}

function named(fl: Ip6Flowlabel, label: number, now: number): Ip6Flowlabel {
  const copy = new Ip6Flowlabel(label, fl.share, fl.owner, fl.dst, now)
  copy.linger = fl.linger
  copy.expires = fl.expires
  return copy
}

/** @returns the lease that a request describes (fl_create), or an error */
function create(sk: Inet6Sock, request: Uint8Array, label: number): Ip6Flowlabel | number {
  const view = new DataView(request.buffer, request.byteOffset, request.length)
  const { now } = sk.net.kernel.clock
  const expires = checkLinger(sk, view.getUint16(24, true))
  const linger = checkLinger(sk, view.getUint16(26, true))
  if (expires === undefined || linger === undefined) return -Errno.EPERM
  const dst = request.slice(0, 16)
  const type = addrType(dst)
  if (type === IPV6_ADDR_ANY || (type & IPV6_ADDR_MAPPED) !== 0) return -Errno.EINVAL
  const share = request[21]!
  let owner = 0
  if (share === IPV6_FL_S_PROCESS) owner = sk.cred.pid
  else if (share === IPV6_FL_S_USER) owner = sk.cred.uid
  else if (share !== IPV6_FL_S_EXCL && share !== IPV6_FL_S_ANY) return -Errno.EINVAL
  const fl = new Ip6Flowlabel(label, share, owner, dst, now)
  fl.renew(linger, expires, now)
  return fl
}

/** /proc/net/ip6_flowlabel */
export function ip6FlowlabelShow(net: Net): string {
  const { now } = net.kernel.clock
  let text = 'Label S Owner  Users  Linger Expires  Dst                              Opt\n'
  for (const fl of net.at(key).labels.values()) {
    const label = fl.label.toString(16).toUpperCase().padStart(5, '0')
    const users = String(fl.users).padEnd(6)
    const linger = String(Math.floor(fl.linger / NSEC_PER_SEC)).padEnd(6)
    const left = String(Math.trunc((fl.expires - now) / NSEC_PER_SEC)).padEnd(8)
    const owner = String(fl.owner).padEnd(6)
    text += `${label} ${String(fl.share).padEnd(1)} ${owner} ${users} ${linger} ${left} ${addrHex(fl.dst)} ${'0'.padEnd(4)}\n`
  }
  return text
}
