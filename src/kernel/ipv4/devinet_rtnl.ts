/** IPv4 addresses as rtnetlink has them: RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR. */
import { Errno } from '../../uapi/errno.ts'
import { NLM_F_EXCL, NLM_F_MULTI, NLM_F_REPLACE } from '../../uapi/netlink.ts'
import {
  type AddrMessage,
  IFA_F_MCAUTOJOIN,
  IFA_F_PERMANENT,
  type RTM_DELADDR,
  RTM_NEWADDR,
  RTNLGRP_IPV4_IFADDR,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import { NSEC_PER_SEC, TICK_NSEC } from '../core/clock.ts'
import type { RtnlContext } from '../core/rtnetlink.ts'
import { checkLifetimesSoon, inetDelIfa, inetInsertIfa, setIfaLifetime } from './devinet.ts'
import { fibModifyPrefixMetric } from './fib_ifaddr.ts'
import {
  INFINITY_LIFE_TIME,
  InIfaddr,
  inDevGet,
  inDeviceFollowers,
  inetdevByIndex,
  inetMakeMask,
  ipv4DevconfSetall,
  ipv4IsMulticast,
} from './in_device.ts'
import { addrFromBytes, addrToBytes } from './inet_addr.ts'

/** @returns hundredths of a second since boot, counted in whole ticks (cstamp_delta) */
function stamp(ns: number): number {
  return Math.floor((Math.floor(ns / TICK_NSEC) * TICK_NSEC) / (NSEC_PER_SEC / 100))
}

/** @returns an address as netlink shows it (inet_fill_ifaddr) */
export function inetFillIfaddr(
  ifa: InIfaddr,
  type: typeof RTM_NEWADDR | typeof RTM_DELADDR,
  flags: number,
): AddrMessage {
  const { dev } = ifa.inDev
  let prefered = INFINITY_LIFE_TIME
  let valid = INFINITY_LIFE_TIME
  if ((ifa.flags & IFA_F_PERMANENT) === 0) {
    prefered = ifa.preferredLft
    valid = ifa.validLft
    if (prefered !== INFINITY_LIFE_TIME) {
      const age = Math.floor((dev.net.kernel.clock.now - ifa.tstamp) / NSEC_PER_SEC)
      prefered = Math.max(0, prefered - age)
      if (valid !== INFINITY_LIFE_TIME) valid = Math.max(0, valid - age)
    }
  }
  return {
    type,
    flags,
    family: AF_INET,
    prefixlen: ifa.prefixlen,
    ifaFlags: ifa.flags & 0xff,
    scope: ifa.scope,
    index: dev.ifindex,
    attrs: {
      ...(ifa.address !== 0 ? { address: addrToBytes(ifa.address) } : {}),
      ...(ifa.local !== 0 ? { local: addrToBytes(ifa.local) } : {}),
      ...(ifa.broadcast !== 0 ? { broadcast: addrToBytes(ifa.broadcast) } : {}),
      ...(ifa.label !== '' ? { label: ifa.label } : {}),
      ...(ifa.proto !== 0 ? { proto: ifa.proto } : {}),
      flags: ifa.flags,
      ...(ifa.rtPriority !== 0 ? { rtPriority: ifa.rtPriority } : {}),
      cacheinfo: { prefered, valid, cstamp: stamp(Math.max(0, ifa.cstamp)), tstamp: stamp(ifa.tstamp) },
    },
  }
}

/** Tells listeners of an address (rtmsg_ifa). */
export function rtmsgIfa(type: typeof RTM_NEWADDR | typeof RTM_DELADDR, ifa: InIfaddr): void {
  const { net } = ifa.inDev
  net.kernel.rtnl.notify(net, RTNLGRP_IPV4_IFADDR, () => inetFillIfaddr(ifa, type, 0))
}

function autojoin(join: boolean, ifa: InIfaddr): number {
  for (const follower of inDeviceFollowers(ifa.inDev.net.kernel)) {
    const rc = follower.autojoin?.(join, ifa) ?? 0
    if (rc < 0) return rc
  }
  return 0
}

/** Reads an address from a request (rtm_to_ifaddr). @returns a negative error */
function ifaFromMessage(ctx: RtnlContext, msg: AddrMessage): InIfaddr | number {
  const { attrs } = msg
  if (msg.prefixlen > 32 || attrs.local === undefined) return -Errno.EINVAL
  const dev = ctx.net.devByIndex(msg.index)
  if (dev === undefined) return -Errno.ENODEV
  const inDev = inDevGet(dev)
  if (inDev === undefined) return -Errno.ENOBUFS
  ipv4DevconfSetall(inDev)
  const ifa = new InIfaddr(inDev)
  ifa.prefixlen = msg.prefixlen
  ifa.mask = inetMakeMask(msg.prefixlen)
  ifa.flags = attrs.flags ?? msg.ifaFlags
  ifa.scope = msg.scope
  ifa.local = addrFromBytes(attrs.local)
  ifa.address = addrFromBytes(attrs.address ?? attrs.local)
  ifa.broadcast = addrFromBytes(attrs.broadcast)
  ifa.label = attrs.label ?? dev.name
  ifa.rtPriority = attrs.rtPriority ?? 0
  ifa.proto = attrs.proto ?? 0
  const ci = attrs.cacheinfo
  if (ci !== undefined && (ci.valid === 0 || ci.prefered > ci.valid)) return -Errno.EINVAL
  return ifa
}

/** RTM_NEWADDR: adds an address, or with NLM_F_REPLACE changes the lifetimes and metric of one that is there. */
export function inetRtmNewaddr(ctx: RtnlContext, msg: RtMessage): number {
  const request = msg as AddrMessage
  const ifa = ifaFromMessage(ctx, request)
  if (typeof ifa === 'number') return ifa
  const { inDev } = ifa
  const valid = request.attrs.cacheinfo?.valid ?? INFINITY_LIFE_TIME
  const preferred = request.attrs.cacheinfo?.prefered ?? INFINITY_LIFE_TIME
  const old =
    ifa.local === 0
      ? undefined
      : inDev.ifaList.find(it => it.mask === ifa.mask && it.matches(ifa.address) && it.local === ifa.local)
  if (old === undefined) {
    setIfaLifetime(ifa, valid, preferred)
    if ((ifa.flags & IFA_F_MCAUTOJOIN) !== 0) {
      const rc = autojoin(true, ifa)
      if (rc < 0) {
        ctx.extack.msg = 'Multicast auto join failed'
        return rc
      }
    }
    return inetInsertIfa(ifa)
  }
  if ((request.flags & NLM_F_EXCL) !== 0 || (request.flags & NLM_F_REPLACE) === 0) return -Errno.EEXIST
  if (old.rtPriority !== ifa.rtPriority) {
    fibModifyPrefixMetric(old, ifa.rtPriority)
    old.rtPriority = ifa.rtPriority
  }
  old.proto = ifa.proto
  setIfaLifetime(old, valid, preferred)
  checkLifetimesSoon(ctx.net)
  rtmsgIfa(RTM_NEWADDR, old)
  return 0
}

/** RTM_DELADDR: deletes the first address that the request describes. */
export function inetRtmDeladdr(ctx: RtnlContext, msg: RtMessage): number {
  const { attrs, index, prefixlen } = msg as AddrMessage
  const inDev = inetdevByIndex(ctx.net, index)
  if (inDev === undefined) return -Errno.ENODEV
  const ifa = inDev.ifaList.find(
    it =>
      (attrs.local === undefined || it.local === addrFromBytes(attrs.local)) &&
      (attrs.label === undefined || it.label === attrs.label) &&
      (attrs.address === undefined || (it.prefixlen === prefixlen && it.matches(addrFromBytes(attrs.address)))),
  )
  if (ifa === undefined) return -Errno.EADDRNOTAVAIL
  if (ipv4IsMulticast(ifa.address)) autojoin(false, ifa)
  inetDelIfa(ifa)
  return 0
}

/** RTM_GETADDR: all addresses, device by device; of one device where the request names it. */
export function inetDumpIfaddr(ctx: RtnlContext, msg: RtMessage): RtMessage[] | number {
  const { index } = msg as AddrMessage
  const out: RtMessage[] = []
  if (index !== 0 && ctx.net.devByIndex(index) === undefined) return -Errno.ENODEV
  for (const dev of ctx.net.devices.values()) {
    if (index !== 0 && dev.ifindex !== index) continue
    for (const ifa of inDevGet(dev)?.ifaList ?? []) out.push(inetFillIfaddr(ifa, RTM_NEWADDR, NLM_F_MULTI))
  }
  return out
}
