/** IPv6's part of a network device (`inet6_dev`): configuration, addresses, multicast and anycast memberships. */
import type { Timer } from '../core/clock.ts'
import type { NeighParms } from '../core/neighbour.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { In6Addr } from './addr.ts'
import type { Ipv6Devconf } from './devconf.ts'
import type { Fib6Info } from './ip6_fib.ts'
import { Snmp6 } from './snmp.ts'

/** Flags of `Inet6Dev.ifFlags`; RA_… and RS_SENT are what IFLA_INET6_FLAGS shows. */
export const IF_RS_SENT = 0x10
export const IF_RA_RCVD = 0x20
export const IF_RA_MANAGED = 0x40
export const IF_RA_OTHERCONF = 0x80
export const IF_READY = 0x80000000

/** How far duplicate address detection of an address has come. */
export type IfaState = 'preDad' | 'dad' | 'postDad' | 'errDad' | 'dead'

/** Address generation modes (IFLA_INET6_ADDR_GEN_MODE). */
export const IN6_ADDR_GEN_MODE_EUI64 = 0
export const IN6_ADDR_GEN_MODE_NONE = 1
export const IN6_ADDR_GEN_MODE_STABLE_PRIVACY = 2
export const IN6_ADDR_GEN_MODE_RANDOM = 3

/** A lifetime without an end, seconds. */
export const INFINITY_LIFE_TIME = 0xffffffff

/** An address of a device (`inet6_ifaddr`). */
export class Inet6Ifaddr {
  readonly idev: Inet6Dev
  readonly addr: In6Addr
  prefixLen: number
  /** the other end of a point-to-point address; :: for none */
  peerAddr: In6Addr
  /** metric of its prefix route, 0 the default one */
  rtPriority = 0
  /** seconds from `tstamp` on */
  validLft = INFINITY_LIFE_TIME
  preferedLft = INFINITY_LIFE_TIME
  /** IPV6_ADDR_… with the scope, see addrType */
  scope = 0
  /** IFA_F_… */
  flags = 0
  proto = 0
  state: IfaState = 'preDad'
  /** solicitations still to be sent */
  dadProbes = 0
  /** what tells own solicitations from others' (RFC 7527), 6 bytes */
  dadNonce: Uint8Array | undefined
  dadTimer!: Timer
  /** what the timer does next */
  dadAction: 'begin' | 'step' | 'abort' = 'step'
  stablePrivacyRetry = 0
  /** creation and last change, ns since boot */
  cstamp = 0
  tstamp = 0
  /** made from the interface token */
  tokenized = false
  /** temporary addresses: the public address they belong to */
  ifpub: Inet6Ifaddr | undefined
  regenCount = 0
  /** its entry in the local table */
  rt: Fib6Info | undefined

  constructor(idev: Inet6Dev, addr: In6Addr, prefixLen: number, peerAddr: In6Addr) {
    this.idev = idev
    this.addr = addr
    this.prefixLen = prefixLen
    this.peerAddr = peerAddr
  }
}

/** A multicast group of a device (`ifmcaddr6`). Members want every source: filters by source are not modelled. */
export class Ifmcaddr6 {
  readonly addr: In6Addr
  users = 1
  /** MAF_… */
  flags: number
  /** state change reports still to be sent */
  crcount = 0
  timer!: Timer
  /** creation and last change, ns since boot */
  readonly cstamp: number
  tstamp: number

  constructor(addr: In6Addr, flags: number, now: number) {
    this.addr = addr
    this.flags = flags
    this.cstamp = this.tstamp = now
  }
}

/** An anycast address of a device (`ifacaddr6`). */
export interface Ifacaddr6 {
  readonly addr: In6Addr
  users: number
  rt: Fib6Info | undefined
}

/** IPv6 on one device. */
export class Inet6Dev {
  readonly dev: NetDevice
  readonly cnf: Ipv6Devconf
  readonly ndParms: NeighParms
  readonly stats = new Snmp6()
  /** addresses, widest scope first, newest first within a scope */
  readonly addrs: Inet6Ifaddr[] = []
  /** temporary addresses, newest first */
  readonly tempaddrs: Inet6Ifaddr[] = []
  /** groups, newest first */
  readonly mcList: Ifmcaddr6[] = []
  /** groups that were left and of which a report is still due, newest first */
  mcTomb: Ifmcaddr6[] = []
  /** robustness, and the intervals that queriers announce, ns */
  mcQrv = 2
  mcQi = 0
  mcQri = 0
  mcMaxdelay = 0
  /** until when an MLDv1 querier is about, ns since boot; 0 none */
  mcV1Seen = 0
  mcIfcCount = 0
  mcDadCount = 0
  mcGqRunning = false
  mcGqTimer!: Timer
  mcIfcTimer!: Timer
  mcDadTimer!: Timer
  readonly acList: Ifacaddr6[] = []
  ifFlags = 0
  dead = false
  /** solicitation of routers: timer, how often it was sent, interval in ns */
  rsTimer!: Timer
  rsProbes = 0
  rsInterval = 0
  /** interface identifier that user space chose (RFC 7217's neighbour, `ip token`) */
  token: In6Addr = new Uint8Array(16)
  raMtu = 0
  /** random part of temporary addresses' preferred lifetime, seconds; -1 not chosen */
  desyncFactor = -1
  /** last change, ns since boot */
  tstamp = 0

  constructor(dev: NetDevice, cnf: Ipv6Devconf, ndParms: NeighParms) {
    this.dev = dev
    this.cnf = cnf
    this.ndParms = ndParms
  }
}

/** @returns IPv6's part of a device, undefined where IPv6 is not on it */
export function in6Dev(dev: NetDevice): Inet6Dev | undefined {
  return dev.ip6Ptr as Inet6Dev | undefined
}
