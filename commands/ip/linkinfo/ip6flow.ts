/** Options of tunnels over IPv6: hop limit, encapsulation limit, traffic class, flow label (RFC 2473). */
import { AF_INET6 } from '../../../src/uapi/socket.ts'
import type { Args } from '../../lib/args.ts'
import { invarg } from '../../lib/errors.ts'
import { getAddr } from '../../lib/inet.ts'
import { getU8, getU32 } from '../../lib/number.ts'
import type { Printer } from '../../lib/printer.ts'

/** IP6_TNL_F_…: how a tunnel fills its outer header. */
export const IP6_TNL_F_IGN_ENCAP_LIMIT = 0x01
export const IP6_TNL_F_USE_ORIG_TCLASS = 0x02
export const IP6_TNL_F_USE_ORIG_FLOWLABEL = 0x04
export const IP6_TNL_F_RCV_DSCP_COPY = 0x10
export const IP6_TNL_F_USE_ORIG_FWMARK = 0x20
export const IP6_TNL_F_ALLOW_LOCAL_REMOTE = 0x40

/** Traffic class and flow label inside the flow information. */
const TCLASS_MASK = 0x0ff00000
const FLOWLABEL_MASK = 0x000fffff

/** The attributes these options set. */
export interface Ip6FlowData {
  ttl?: number
  encapLimit?: number
  flowinfo?: number
  flags?: number
}

function setFlag(data: Ip6FlowData, flag: number, on: boolean): void {
  const flags = data.flags ?? 0
  data.flags = on ? flags | flag : flags & ~flag
}

/** Reads an IPv6 endpoint as 16 bytes; `any` is all zeroes. */
export function parseEndpoint6(word: string): Uint8Array {
  const { data } = getAddr(word, AF_INET6)
  return data.length === 16 ? data : new Uint8Array(16)
}

/** Reads one of the options. @returns whether the current word was one */
export function parseIp6FlowWord(args: Args, data: Ip6FlowData): boolean {
  if (args.is('ttl', 'hoplimit', 'hlim')) {
    const word = args.next()
    data.ttl = word === 'inherit' ? 0 : (getU8(word) ?? invarg('invalid HLIM\n', word))
  } else if (args.is('encaplimit')) {
    const word = args.next()
    if (word === 'none') {
      setFlag(data, IP6_TNL_F_IGN_ENCAP_LIMIT, true)
    } else {
      data.encapLimit = getU8(word) ?? invarg('invalid ELIM', word)
      setFlag(data, IP6_TNL_F_IGN_ENCAP_LIMIT, false)
    }
  } else if (args.is('tos', 'tclass', 'tc', 'dsfield') || args.matches('dsfield')) {
    const word = args.next()
    data.flowinfo = ((data.flowinfo ?? 0) & ~TCLASS_MASK) >>> 0
    if (word === 'inherit') {
      setFlag(data, IP6_TNL_F_USE_ORIG_TCLASS, true)
    } else {
      const tclass = getU8(word, 16) ?? invarg('invalid TClass', word)
      data.flowinfo = (data.flowinfo | (tclass << 20)) >>> 0
      setFlag(data, IP6_TNL_F_USE_ORIG_TCLASS, false)
    }
  } else if (args.is('flowlabel', 'fl')) {
    const word = args.next()
    data.flowinfo = ((data.flowinfo ?? 0) & ~FLOWLABEL_MASK) >>> 0
    if (word === 'inherit') {
      setFlag(data, IP6_TNL_F_USE_ORIG_FLOWLABEL, true)
    } else {
      const label = getU32(word, 16)
      if (label === undefined || label > FLOWLABEL_MASK) invarg('invalid Flowlabel', word)
      data.flowinfo = (data.flowinfo | label) >>> 0
      setFlag(data, IP6_TNL_F_USE_ORIG_FLOWLABEL, false)
    }
  } else if (args.is('dscp')) {
    const word = args.next()
    if (word !== 'inherit') invarg('not inherit', word)
    setFlag(data, IP6_TNL_F_RCV_DSCP_COPY, true)
  } else if (args.is('allow-localremote')) {
    setFlag(data, IP6_TNL_F_ALLOW_LOCAL_REMOTE, true)
  } else if (args.is('noallow-localremote')) {
    setFlag(data, IP6_TNL_F_ALLOW_LOCAL_REMOTE, false)
  } else {
    return false
  }
  return true
}

/** Reads `fwmark MARK|inherit`. */
export function parseFwmark6(word: string, data: Ip6FlowData & { fwmark?: number }): void {
  if (word === 'inherit') {
    setFlag(data, IP6_TNL_F_USE_ORIG_FWMARK, true)
    data.fwmark = 0
    return
  }
  data.fwmark = getU32(word) ?? invarg('invalid fwmark\n', word)
  setFlag(data, IP6_TNL_F_USE_ORIG_FWMARK, false)
}

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`

/** Prints the options. */
export function printIp6Flow(out: Printer, data: Ip6FlowData): void {
  const flags = data.flags ?? 0
  if (data.ttl !== undefined) {
    if (data.ttl !== 0) out.put('ttl', data.ttl, `hoplimit ${data.ttl} `)
    else out.put('ttl', 0, 'hoplimit inherit ')
  }
  if ((flags & IP6_TNL_F_IGN_ENCAP_LIMIT) !== 0) out.put('ip6_tnl_f_ign_encap_limit', true, 'encaplimit none ')
  else if (data.encapLimit !== undefined) out.put('encap_limit', data.encapLimit, `encaplimit ${data.encapLimit} `)
  const flowinfo = data.flowinfo ?? 0
  if ((flags & IP6_TNL_F_USE_ORIG_TCLASS) !== 0) {
    out.put('ip6_tnl_f_use_orig_tclass', true, 'tclass inherit ')
  } else if (data.flowinfo !== undefined) {
    const tclass = hex((flowinfo & TCLASS_MASK) >>> 20, 2)
    out.put('tclass', tclass, `tclass ${tclass} `)
  }
  if ((flags & IP6_TNL_F_USE_ORIG_FLOWLABEL) !== 0) {
    out.put('ip6_tnl_f_use_orig_flowlabel', true, 'flowlabel inherit ')
  } else if (data.flowinfo !== undefined) {
    const label = hex(flowinfo & FLOWLABEL_MASK, 5)
    out.put('flowlabel', label, `flowlabel ${label} `)
  }
  if ((flags & IP6_TNL_F_RCV_DSCP_COPY) !== 0) out.put('ip6_tnl_f_rcv_dscp_copy', true, 'dscp inherit ')
  if ((flags & IP6_TNL_F_ALLOW_LOCAL_REMOTE) !== 0) {
    out.put('ip6_tnl_f_allow_local_remote', true, 'allow-localremote ')
  }
}

/** Prints the mark, `inherit` where the inner packet's is used. */
export function printFwmark6(out: Printer, data: Ip6FlowData & { fwmark?: number }): void {
  if (((data.flags ?? 0) & IP6_TNL_F_USE_ORIG_FWMARK) !== 0) {
    out.put('ip6_tnl_f_use_orig_fwmark', true, 'fwmark inherit ')
  } else if (data.fwmark !== undefined && data.fwmark !== 0) {
    const mark = `0x${data.fwmark.toString(16)}`
    out.put('fwmark', mark, `fwmark ${mark} `)
  }
}
