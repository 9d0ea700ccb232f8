/**
 * Next hop exceptions: what was learned about single destinations behind a next hop — a smaller path MTU (RFC 1191) or
 * a better gateway (ICMP redirect) — and how routes take it over.
 */
import type { FibNh } from './fib_info.ts'
import { RTCF_REDIRECTED, type Rtable, rtStateKey } from './rtable.ts'

/** Exceptions a next hop keeps at most; the oldest gives way. */
const MAX_EXCEPTIONS = 2048 * 5

/** What is known of one destination (`fib_nh_exception`). */
export class FibNhException {
  readonly daddr: number
  genid: number
  /** bytes; 0 none */
  pmtu = 0
  mtuLocked = false
  /** host order; 0 none */
  gw = 0
  /** ns since boot; 0 never */
  expires = 0
  rthInput: Rtable | undefined
  rthOutput: Rtable | undefined

  constructor(daddr: number, genid: number) {
    this.daddr = daddr
    this.genid = genid
  }
}

/** The exceptions of a next hop, by destination, oldest first. */
export type FnheTable = Map<number, FibNhException>

/** @returns what is known of a destination behind a next hop, if it still holds (find_exception) */
export function findException(nhc: FibNh, daddr: number): FibNhException | undefined {
  const { exceptions } = nhc
  if (exceptions === undefined) return undefined
  const fnhe = exceptions.get(daddr)
  if (fnhe === undefined) return undefined
  if (fnhe.expires !== 0 && nhc.dev!.net.kernel.clock.now > fnhe.expires) {
    flushRoutes(fnhe)
    exceptions.delete(daddr)
    return undefined
  }
  return fnhe
}

function flushRoutes(fnhe: FibNhException): void {
  fnhe.rthInput?.kill()
  fnhe.rthOutput?.kill()
  fnhe.rthInput = fnhe.rthOutput = undefined
}

function fillRoute(rt: Rtable, fnhe: FibNhException): void {
  rt.pmtu = fnhe.pmtu
  rt.mtuLocked = fnhe.mtuLocked
  rt.expires = fnhe.expires
  if (fnhe.gw !== 0) {
    rt.rtFlags |= RTCF_REDIRECTED
    rt.usesGateway = true
    rt.gateway = fnhe.gw
    rt.gateway6 = undefined
  }
}

/**
 * Notes what was learned of a destination (update_or_create_fnhe).
 * @param gw a better gateway, or 0 @param pmtu the path's MTU in bytes, or 0
 * @param lock the MTU is too small to believe: fragment, and do not tell transports @param expires ns since boot
 */
export function updateOrCreateFnhe(
  nhc: FibNh,
  daddr: number,
  gw: number,
  pmtu: number,
  lock: boolean,
  expires: number,
): void {
  const genid = nhc.dev!.net.at(rtStateKey).fnheGenid
  const table = (nhc.exceptions ??= new Map())
  let fnhe = table.get(daddr)
  if (fnhe !== undefined) {
    fnhe.genid = genid
    if (gw !== 0) fnhe.gw = gw
    if (pmtu !== 0) {
      fnhe.pmtu = pmtu
      fnhe.mtuLocked = lock
    }
    fnhe.expires = Math.max(1, expires)
    if (fnhe.rthInput !== undefined) fillRoute(fnhe.rthInput, fnhe)
    if (fnhe.rthOutput !== undefined) fillRoute(fnhe.rthOutput, fnhe)
    return
  }
  if (table.size >= MAX_EXCEPTIONS) {
    const oldest = table.values().next().value!
    flushRoutes(oldest)
    table.delete(oldest.daddr)
  }
  fnhe = new FibNhException(daddr, genid)
  fnhe.gw = gw
  fnhe.pmtu = pmtu
  fnhe.mtuLocked = lock
  fnhe.expires = Math.max(1, expires)
  table.set(daddr, fnhe)
  // holders of the shared routes must look again: the exception may be for them
  nhc.rthInput?.kill()
  nhc.rthOutput?.kill()
}

/**
 * Lets a fresh route take over what is known of its destination (rt_bind_exception).
 * @returns whether it is kept there for the next packet
 */
export function rtBindException(rt: Rtable, fnhe: FibNhException, daddr: number, doCache: boolean): boolean {
  const genid = rt.net.at(rtStateKey).fnheGenid
  if (fnhe.genid !== genid) {
    fnhe.genid = genid
    fnhe.gw = 0
    fnhe.pmtu = 0
    fnhe.expires = 0
    fnhe.mtuLocked = false
    flushRoutes(fnhe)
  }
  fillRoute(rt, fnhe)
  if (rt.gateway === 0 && rt.gateway6 === undefined) rt.gateway = daddr
  if (!doCache) return false
  if (rt.isInput) {
    fnhe.rthInput?.kill()
    fnhe.rthInput = rt
  } else {
    fnhe.rthOutput?.kill()
    fnhe.rthOutput = rt
  }
  return true
}

/** A device's MTU has changed: learned path MTUs that it limited, or that are larger now, follow (fib_nhc_update_mtu). */
export function fnheUpdateMtu(nhc: FibNh, mtu: number, orig: number): void {
  for (const fnhe of nhc.exceptions?.values() ?? []) {
    if (fnhe.mtuLocked) {
      if (mtu <= fnhe.pmtu) {
        fnhe.pmtu = mtu
        fnhe.mtuLocked = false
      }
    } else if (mtu < fnhe.pmtu || orig === fnhe.pmtu) fnhe.pmtu = mtu
  }
}
