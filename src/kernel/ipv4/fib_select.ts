/**
 * Choosing among several ways: the leg of a multipath route by a hash of the flow (fib_multipath_hash_policy), one of
 * several default routes by whether its gateway answers, and the source address by the result.
 */
import { NUD_INCOMPLETE, NUD_REACHABLE, RT_SCOPE_LINK, RTN_UNICAST, RTNH_F_DEAD } from '../../uapi/rtnetlink.ts'
import { AF_INET, IPPROTO_ICMP } from '../../uapi/socket.ts'
import { NUD_VALID } from '../core/neighbour.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import type { FibAlias } from './fib_alias.ts'
import type { FibInfo, FibNh, FibResult } from './fib_info.ts'
import { neighState4, neighState6 } from './fib_neigh.ts'
import { fibResultPrefsrc } from './fib_nh.ts'
import { fibInfoNhc, fibInfoNumPath } from './fib_semantics.ts'
import { fibKey } from './fib_table.ts'
import type { Flowi4 } from './flow.ts'
import { FlowKeys, flowDissect } from './flow_keys.ts'
import { get16, get32, IP_HLEN, IP_OFFSET, OFF_DADDR, OFF_FRAG_OFF, OFF_PROTOCOL, OFF_SADDR } from './ip.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { nexthopPathFibResult } from './nexthop.ts'

/** Bits of net.ipv4.fib_multipath_hash_fields. */
const FIELD_SRC_IP = 1 << 0
const FIELD_DST_IP = 1 << 1
const FIELD_IP_PROTO = 1 << 2
const FIELD_SRC_PORT = 1 << 4
const FIELD_DST_PORT = 1 << 5
const FIELD_INNER_SRC_IP = 1 << 6
const FIELD_INNER_DST_IP = 1 << 7
const FIELD_INNER_IP_PROTO = 1 << 8
const FIELD_INNER_FLOWLABEL = 1 << 9
const FIELD_INNER_SRC_PORT = 1 << 10
const FIELD_INNER_DST_PORT = 1 << 11
const FIELDS_OUTER = 0x3f
const FIELDS_INNER = 0xfc0

/** ICMP types that quote the packet they are about: unreachable, source quench, redirect, time exceeded, parameter problem. */
const ICMP_ERRORS = new Set([3, 4, 5, 11, 12])

function mix(hash: number, value: number): number {
  let k = Math.imul(value, 0xcc9e2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  const h = hash ^ k
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

function finish(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Hashes keys so that both directions of a flow come out the same (flow_hash_from_keys). @returns 32 bits */
function hashKeys(seed: number, keys: FlowKeys): number {
  let { src, dst, sport, dport } = keys
  if (dst < src || (dst === src && dport < sport)) {
    ;[src, dst] = [dst, src]
    ;[sport, dport] = [dport, sport]
  }
  let hash = mix(seed, src)
  hash = mix(hash, dst)
  hash = mix(hash, (sport << 16) | dport)
  hash = mix(hash, keys.proto)
  return finish(mix(hash, keys.flowlabel))
}

const keys = new FlowKeys()

function keysFromFlow(fl4: Flowi4, ports: boolean): void {
  keys.clear()
  keys.src = fl4.saddr >>> 0
  keys.dst = fl4.daddr >>> 0
  if (!ports) return
  keys.proto = fl4.proto
  keys.sport = fl4.sport
  keys.dport = fl4.dport
}

/** Layer 3 keys of a packet: of the packet that an ICMP error quotes, so that it takes the same way (ip_multipath_l3_keys). */
function keysL3(skb: SkBuff): void {
  keys.clear()
  const { buf, networkHeader: at, tail } = skb
  let ip = at
  if (buf[at + OFF_PROTOCOL] === IPPROTO_ICMP && (get16(buf, at + OFF_FRAG_OFF) & IP_OFFSET) === 0) {
    const icmp = at + (buf[at]! & 15) * 4
    if (icmp + 8 + IP_HLEN <= tail && ICMP_ERRORS.has(buf[icmp]!)) ip = icmp + 8
  }
  keys.src = get32(buf, ip + OFF_SADDR)
  keys.dst = get32(buf, ip + OFF_DADDR)
}

function keepFields(fields: number, inner: boolean): void {
  if ((fields & (inner ? FIELD_INNER_SRC_IP : FIELD_SRC_IP)) === 0) keys.src = 0
  if ((fields & (inner ? FIELD_INNER_DST_IP : FIELD_DST_IP)) === 0) keys.dst = 0
  if ((fields & (inner ? FIELD_INNER_IP_PROTO : FIELD_IP_PROTO)) === 0) keys.proto = 0
  if ((fields & (inner ? FIELD_INNER_SRC_PORT : FIELD_SRC_PORT)) === 0) keys.sport = 0
  if ((fields & (inner ? FIELD_INNER_DST_PORT : FIELD_DST_PORT)) === 0) keys.dport = 0
  if (!inner || (fields & FIELD_INNER_FLOWLABEL) === 0) keys.flowlabel = 0
}

/** A hash of the fields that the administrator has chosen (policy 3). */
function customHash(seed: number, fields: number, fl4: Flowi4 | undefined, skb: SkBuff | undefined): number {
  let outer = 0
  if ((fields & FIELDS_OUTER) !== 0) {
    if (skb !== undefined) flowDissect(skb, keys, false)
    else keysFromFlow(fl4!, true)
    keepFields(fields, false)
    outer = hashKeys(seed, keys)
  }
  if (skb === undefined) return outer
  let inner = 0
  if ((fields & FIELDS_INNER) !== 0 && flowDissect(skb, keys, true) && keys.encapsulated) {
    keepFields(fields, true)
    inner = hashKeys(seed, keys)
  }
  return finish(mix(outer, inner))
}

/**
 * Hashes a flow for multipath routes (fib_multipath_hash).
 * @param fl4 an own packet's flow @param skb a packet to forward @returns 31 bits
 */
export function fibMultipathHash(net: Net, fl4: Flowi4 | undefined, skb: SkBuff | undefined): number {
  const ns = net.at(ipv4Key)
  const seed = net.at(fibKey).hashSeed
  let hash: number
  switch (ns.fibMultipathHashPolicy) {
    case 1:
      if (skb !== undefined) flowDissect(skb, keys, false)
      else keysFromFlow(fl4!, true)
      keys.flowlabel = 0
      hash = hashKeys(seed, keys)
      break
    case 2:
      if (skb === undefined) keysFromFlow(fl4!, false)
      else if (flowDissect(skb, keys, true) && keys.encapsulated) {
        keys.sport = keys.dport = 0
        if (keys.family === AF_INET) keys.proto = 0
      } else keysL3(skb)
      hash = hashKeys(seed, keys)
      break
    case 3:
      hash = customHash(seed, ns.fibMultipathHashFields, fl4, skb)
      break
    default:
      if (skb !== undefined) keysL3(skb)
      else keysFromFlow(fl4!, false)
      hash = hashKeys(seed, keys)
  }
  if (fl4 !== undefined && fl4.multipathHash !== 0) hash = finish(mix(hash, fl4.multipathHash))
  return hash >>> 1
}

function goodNh(nh: FibNh): boolean {
  if (nh.scope !== RT_SCOPE_LINK || nh.dev === undefined) return true
  const state = nh.gwFamily === AF_INET ? neighState4(nh.dev, nh.gw4) : neighState6(nh.dev, nh.gw6)
  return ((state ?? NUD_REACHABLE) & NUD_VALID) !== 0
}

/** Takes the leg of a multipath route whose share of the hash space a flow falls into (fib_select_multipath). */
export function fibSelectMultipath(res: FibResult, hash: number): void {
  const fi = res.fi!
  if (fi.nh !== undefined) {
    nexthopPathFibResult(res, hash)
    return
  }
  const useNeigh = fi.net.at(ipv4Key).fibMultipathUseNeigh !== 0
  let first = true
  for (let i = 0; i < fi.nhs.length; i++) {
    const nh = fi.nhs[i]!
    if (useNeigh) {
      if (!goodNh(nh)) continue
      if (first) {
        res.nhSel = i
        res.nhc = nh
        first = false
      }
    }
    if (hash > nh.upperBound) continue
    res.nhSel = i
    res.nhc = nh
    return
  }
}

/** What a look at default routes' gateways has found so far. */
const death = { last: undefined as FibInfo | undefined, index: -1 }

/** @returns whether a default route's gateway does not answer (fib_detect_death) */
function detectDeath(fi: FibInfo, order: number, dflt: number): boolean {
  const nhc = fibInfoNhc(fi, 0)
  if (nhc.dev === undefined) return false
  const state =
    nhc.gwFamily === AF_INET
      ? neighState4(nhc.dev, nhc.gw4)
      : nhc.gwFamily !== 0
        ? neighState6(nhc.dev, nhc.gw6)
        : undefined
  if (state === undefined || state === NUD_REACHABLE) return false
  if ((state & NUD_VALID) !== 0 && order !== dflt) return false
  if ((state & NUD_VALID) !== 0 || (death.index < 0 && order > dflt && state !== NUD_INCOMPLETE)) {
    death.last = fi
    death.index = order
  }
  return true
}

/** Takes another of several equal default routes where the first one's gateway does not answer (fib_select_default). */
function fibSelectDefault(fl4: Flowi4, res: FibResult): void {
  const table = res.table!
  const slen = 32 - res.prefixlen
  let fi: FibInfo | undefined
  let first: FibAlias | undefined
  let order = -1
  let lastPrio = res.fi!.priority
  let lastTos = 0
  death.last = undefined
  death.index = -1
  for (const fa of res.table!.trie.findNode(res.prefix)?.aliases ?? []) {
    const next = fa.info
    if (fa.slen !== slen || (fa.tos !== 0 && fa.tos !== fl4.tos) || fa.tbId !== table.id) continue
    if (next.priority > lastPrio && fa.tos === lastTos) {
      if (lastTos !== 0) continue
      break
    }
    if ((next.flags & RTNH_F_DEAD) !== 0) continue
    lastTos = fa.tos
    lastPrio = next.priority
    if (next.scope !== res.scope || fa.type !== RTN_UNICAST) continue
    const nhc = fibInfoNhc(next, 0)
    if (nhc.gwFamily === 0 || nhc.scope !== RT_SCOPE_LINK) continue
    fa.accessed = true
    if (fi === undefined) {
      if (next !== res.fi) break
      first = fa
    } else if (!detectDeath(fi, order, first!.dflt)) {
      res.assign(fi, fibInfoNhc(fi, 0))
      first!.dflt = order
      return
    }
    fi = next
    order++
  }
  if (order <= 0 || fi === undefined) {
    if (first !== undefined) first.dflt = -1
    return
  }
  if (!detectDeath(fi, order, first!.dflt)) {
    res.assign(fi, fibInfoNhc(fi, 0))
    first!.dflt = order
    return
  }
  if (death.index >= 0) res.assign(death.last!, fibInfoNhc(death.last!, 0))
  first!.dflt = death.index
}

/** Settles an own packet's way and source address (fib_select_path). */
export function fibSelectPath(net: Net, res: FibResult, fl4: Flowi4, skb: SkBuff | undefined): void {
  if (fl4.oif === 0) {
    if (fibInfoNumPath(res.fi!) > 1) fibSelectMultipath(res, fibMultipathHash(net, fl4, skb))
    else if (res.prefixlen === 0 && res.type === RTN_UNICAST && res.table!.numDefault > 1) fibSelectDefault(fl4, res)
  }
  if (fl4.saddr === 0) fl4.saddr = fibResultPrefsrc(net, res)
}
