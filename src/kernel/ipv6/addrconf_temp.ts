/** Temporary addresses (RFC 8981): made beside a public address of the same prefix, and replaced before they grow old. */
import { IFA_F_DEPRECATED, IFA_F_OPTIMISTIC, IFA_F_TEMPORARY, IFA_F_TENTATIVE } from '../../uapi/rtnetlink.ts'
import { NSEC_PER_SEC } from '../core/clock.ts'
import { NEIGH_VAR_RETRANS_TIME } from '../core/neigh_parms.ts'
import { ipv6AddAddr, ipv6AddrScope, ipv6IfaNotify } from './addrconf.ts'
import { addrconfDadStart } from './addrconf_dad.ts'
import { ipv6GenRandomIid } from './addrconf_iid.ts'
import {
  IPV6_DEVCONF_DAD_TRANSMITS,
  IPV6_DEVCONF_MAX_DESYNC_FACTOR,
  IPV6_DEVCONF_REGEN_MAX_RETRY,
  IPV6_DEVCONF_TEMP_PREFERED_LFT,
  IPV6_DEVCONF_TEMP_VALID_LFT,
  IPV6_DEVCONF_USE_TEMPADDR,
} from './devconf.ts'
import type { Inet6Dev, Inet6Ifaddr } from './if_inet6.ts'

/** Lifetimes are counted this much early, so that what happens together is done together. */
export const FUZZ_MINUS = NSEC_PER_SEC / 50

/** @returns how long before an address is deprecated its successor is made, seconds */
export function regenAdvance(idev: Inet6Dev): number {
  const { data } = idev.cnf
  const retrans = Math.max(idev.ndParms.data[NEIGH_VAR_RETRANS_TIME]!, NSEC_PER_SEC / 100)
  return Math.floor((data[IPV6_DEVCONF_REGEN_MAX_RETRY]! * data[IPV6_DEVCONF_DAD_TRANSMITS]! * retrans) / NSEC_PER_SEC)
}

/** Chooses by how much the device's temporary addresses are deprecated early, anew where it exceeds its limit. */
function desync(idev: Inet6Dev, advance: number): number {
  const max = Math.min(
    idev.cnf.data[IPV6_DEVCONF_MAX_DESYNC_FACTOR]!,
    idev.cnf.data[IPV6_DEVCONF_TEMP_PREFERED_LFT]! - advance,
  )
  if (idev.desyncFactor < 0 || idev.desyncFactor > max)
    idev.desyncFactor = max > 0 ? idev.dev.net.kernel.random.u32() % max : 0
  return idev.desyncFactor
}

/** Makes a temporary address for the prefix of a public one (ipv6_create_tempaddr). @returns whether it could */
export function ipv6CreateTempaddr(ifp: Inet6Ifaddr): boolean {
  const { idev } = ifp
  const { kernel } = idev.dev.net
  const { data } = idev.cnf
  for (;;) {
    if (data[IPV6_DEVCONF_USE_TEMPADDR]! <= 0) return false
    if (ifp.regenCount++ >= data[IPV6_DEVCONF_REGEN_MAX_RETRY]!) {
      data[IPV6_DEVCONF_USE_TEMPADDR] = -1
      kernel.log.print(6, 'IPv6: ipv6_create_tempaddr: regeneration time exceeded - disabled temporary address support')
      return false
    }
    const now = kernel.clock.now
    const addr = ifp.addr.slice()
    ipv6GenRandomIid(addr, idev)
    const age = Math.floor((now - ifp.tstamp) / NSEC_PER_SEC)
    const advance = regenAdvance(idev)
    const factor = desync(idev, advance)
    const validLft = Math.min(ifp.validLft, data[IPV6_DEVCONF_TEMP_VALID_LFT]! + age)
    const preferedLft = Math.min(ifp.preferedLft, data[IPV6_DEVCONF_TEMP_PREFERED_LFT]! + age - factor)
    const { tstamp } = ifp
    if (preferedLft <= advance + Math.floor((now - tstamp + FUZZ_MINUS) / NSEC_PER_SEC)) return false
    const ift = ipv6AddAddr(idev, {
      addr,
      plen: ifp.prefixLen,
      flags: IFA_F_TEMPORARY | (ifp.flags & IFA_F_OPTIMISTIC),
      scope: ipv6AddrScope(addr),
      validLft,
      preferedLft,
    })
    if (typeof ift === 'number') continue
    ift.ifpub = ifp
    ift.cstamp = now
    ift.tstamp = tstamp
    addrconfDadStart(ift)
    return true
  }
}

/**
 * A public address was made or has new lifetimes: its temporary addresses follow, within their limits, and where there
 * is none one is made (manage_tempaddrs).
 * @param validLft seconds @param preferedLft seconds @param now ns since boot
 */
export function manageTempaddrs(
  idev: Inet6Dev,
  ifp: Inet6Ifaddr,
  validLft: number,
  preferedLft: number,
  create: boolean,
  now: number,
): void {
  const { data } = idev.cnf
  let valid = validLft
  let prefered = preferedLft
  for (const ift of [...idev.tempaddrs]) {
    if (ift.ifpub !== ifp) continue
    const age = Math.floor((now - ift.cstamp) / NSEC_PER_SEC)
    const factor = Math.max(0, idev.desyncFactor)
    valid = Math.min(valid, Math.max(0, data[IPV6_DEVCONF_TEMP_VALID_LFT]! - age))
    prefered = Math.min(prefered, Math.max(0, data[IPV6_DEVCONF_TEMP_PREFERED_LFT]! - factor - age))
    ift.validLft = valid
    ift.preferedLft = prefered
    ift.tstamp = now
    if (prefered > 0) ift.flags &= ~IFA_F_DEPRECATED
    if ((ift.flags & IFA_F_TENTATIVE) === 0) ipv6IfaNotify(0, ift)
  }
  const wanted = create || (idev.tempaddrs.length === 0 && (valid !== 0 || prefered !== 0))
  if (wanted && data[IPV6_DEVCONF_USE_TEMPADDR]! > 0) ipv6CreateTempaddr(ifp)
}
