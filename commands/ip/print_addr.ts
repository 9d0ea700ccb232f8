/** Listing of addresses: the address lines of `ip address show`, flushes, and `ip monitor address`. */
import {
  type AddrMessage,
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_HOMEADDRESS,
  IFA_F_MANAGETEMPADDR,
  IFA_F_MCAUTOJOIN,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_OPTIMISTIC,
  IFA_F_PERMANENT,
  IFA_F_SECONDARY,
  IFA_F_STABLE_PRIVACY,
  IFA_F_TENTATIVE,
  RTM_DELADDR,
} from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6 } from '../../src/uapi/socket.ts'
import { fnmatch } from '../lib/fnmatch.ts'
import { familyName, prefixContains } from '../lib/inet.ts'
import type { Color, Printer } from '../lib/printer.ts'
import type { IpContext } from './context.ts'
import type { LinkFilter } from './link_filter.ts'

/** A flag of addresses: its word, whether users may set it, whether only IPv6 has it. */
export interface IfaFlag {
  readonly name: string
  readonly mask: number
  readonly readonly: boolean
  readonly v6only: boolean
}

const flag = (name: string, mask: number, readonly: boolean, v6only: boolean): IfaFlag => ({
  name,
  mask,
  readonly,
  v6only,
})

/** The flags in the order they are listed. */
export const IFA_FLAGS: readonly IfaFlag[] = [
  flag('secondary', IFA_F_SECONDARY, true, false),
  flag('temporary', IFA_F_SECONDARY, true, false),
  flag('nodad', IFA_F_NODAD, false, true),
  flag('optimistic', IFA_F_OPTIMISTIC, false, true),
  flag('dadfailed', IFA_F_DADFAILED, true, true),
  flag('home', IFA_F_HOMEADDRESS, false, true),
  flag('deprecated', IFA_F_DEPRECATED, true, true),
  flag('tentative', IFA_F_TENTATIVE, true, true),
  flag('permanent', IFA_F_PERMANENT, true, true),
  flag('mngtmpaddr', IFA_F_MANAGETEMPADDR, false, true),
  flag('noprefixroute', IFA_F_NOPREFIXROUTE, false, false),
  flag('autojoin', IFA_F_MCAUTOJOIN, false, false),
  flag('stable-privacy', IFA_F_STABLE_PRIVACY, true, true),
]

const INFINITY_LIFE_TIME = 0xffffffff

/** @returns the flags of an address: all 32 bits where the message has them */
export function ifaFlags(message: AddrMessage): number {
  return message.attrs.flags ?? message.ifaFlags
}

/** Whether a filter selects an address, apart from its link. */
export function selectsAddress(ctx: IpContext, filter: LinkFilter, message: AddrMessage): boolean {
  const { attrs } = message
  if (filter.family !== 0 && filter.family !== message.family) return false
  if (((filter.scope ^ message.scope) & filter.scopeMask) !== 0) return false
  if (((filter.flags ^ ifaFlags(message)) & filter.flagMask) !== 0) return false
  if (filter.label !== undefined && !fnmatch(filter.label, attrs.label ?? ctx.links.indexToName(message.index))) {
    return false
  }
  return filter.prefix === undefined || prefixContains(filter.prefix, attrs.local ?? attrs.address)
}

function addressColor(family: number): Color {
  return family === AF_INET ? 'inet' : family === AF_INET6 ? 'inet6' : 'none'
}

function printFlags(out: Printer, family: number, all: number): void {
  let flags = all
  for (const { name, mask } of IFA_FLAGS) {
    if (mask === IFA_F_PERMANENT) {
      if ((flags & mask) === 0) out.put('dynamic', true, 'dynamic ')
    } else if ((flags & mask) !== 0) {
      const word = mask === IFA_F_SECONDARY && family === AF_INET6 ? 'temporary' : name
      out.put(word, true, `${word} `)
    }
    flags &= ~mask
  }
  if (flags === 0) return
  const rest = (flags >>> 0).toString(16).padStart(2, '0')
  out.put('ifa_flags', rest, `flags ${rest} `)
}

function printLifetime(out: Printer, key: string, seconds: number, signed: boolean): void {
  if (seconds === INFINITY_LIFE_TIME) out.put(key, INFINITY_LIFE_TIME, 'forever')
  else {
    const shown = signed ? seconds | 0 : seconds
    out.put(key, shown, `${shown}sec`)
  }
}

/** Prints one address (RTM_NEWADDR or RTM_DELADDR) if the filter selects it. @returns whether it did */
export function printAddress(ctx: IpContext, out: Printer, message: AddrMessage, filter: LinkFilter): boolean {
  if (filter.ifindex !== 0 && filter.ifindex !== message.index) return false
  if (!selectsAddress(ctx, filter, message)) return false
  printAddressLine(ctx, out, message, filter)
  return true
}

/** Prints one address. */
export function printAddressLine(ctx: IpContext, out: Printer, message: AddrMessage, filter: LinkFilter): void {
  const { attrs, family } = message
  const local = attrs.local ?? attrs.address
  const address = attrs.address ?? attrs.local
  if (message.type === RTM_DELADDR) out.put('deleted', true, 'Deleted ')
  if (!ctx.opts.brief) {
    if (filter.oneline || filter.flushing) {
      const dev = ctx.links.indexToName(message.index)
      out.json('index', message.index)
      out.json('dev', dev)
      out.text(`${message.index}: ${dev}`)
    }
    const name = familyName(family)
    if (name.startsWith('?')) out.put('family_index', family, `    family ${family} `)
    else out.put('family', name, `    ${name} `)
  }
  const color = addressColor(family)
  const host = (bytes: Uint8Array): string => ctx.formatHost(family, bytes)
  if (local !== undefined) {
    out.put('local', host(local), host(local), color)
    if (address?.some((byte, i) => byte !== local[i])) {
      out.text(' peer ')
      out.put('address', host(address), host(address), color)
    }
    out.put('prefixlen', message.prefixlen, `/${message.prefixlen} `)
    if (attrs.rtPriority !== undefined) out.put('metric', attrs.rtPriority, `metric ${attrs.rtPriority} `)
  }
  if (ctx.opts.brief) return
  if (attrs.broadcast !== undefined) {
    out.text('brd ')
    out.put('broadcast', host(attrs.broadcast), `${host(attrs.broadcast)} `, color)
  }
  if (attrs.anycast !== undefined) {
    out.text('any ')
    out.put('anycast', host(attrs.anycast), `${host(attrs.anycast)} `, color)
  }
  const scope = ctx.names.rtScope.n2a(message.scope)
  out.put('scope', scope, `scope ${scope} `)
  const flags = ifaFlags(message)
  printFlags(out, family, flags)
  if (attrs.label !== undefined) out.put('label', attrs.label, attrs.label)
  if (attrs.cacheinfo !== undefined) {
    out.nl()
    out.text('       valid_lft ')
    printLifetime(out, 'valid_life_time', attrs.cacheinfo.valid, false)
    out.text(' preferred_lft ')
    printLifetime(out, 'preferred_life_time', attrs.cacheinfo.prefered, (flags & IFA_F_DEPRECATED) !== 0)
  }
  out.text('\n')
}
