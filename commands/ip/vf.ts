/** `ip link set DEVICE vf NUM …`: settings of virtual functions. */

import { ETH_P_8021AD, ETH_P_8021Q } from '../../src/uapi/if.ts'
import type { VfInfo } from '../../src/uapi/if_link.ts'
import type { LinkMessage } from '../../src/uapi/rtnetlink.ts'
import type { Args } from '../lib/args.ts'
import { CommandFailure, incompleteCommand, invarg } from '../lib/errors.ts'
import { parseLlProto } from '../lib/ll_proto.ts'
import { llAddrA2n } from '../lib/lladdr.ts'
import { getUnsigned, scanInteger } from '../lib/number.ts'
import { linkMessage } from '../lib/rtnl.ts'
import { parseOnOff } from '../lib/values.ts'
import type { IpContext } from './context.ts'

const LINK_STATES = ['auto', 'enable', 'disable']
const VLAN_MAX = 4095

/** Moves to the next word if it abbreviates `name`. */
function nextIs(args: Args, name: string): boolean {
  if (args.peek() === undefined) return false
  args.next()
  if (args.matches(name)) return true
  args.back()
  return false
}

function parseVlan(args: Args, info: VfInfo): void {
  const word = args.next()
  const vlan = getUnsigned(word)
  if (vlan === undefined || vlan > VLAN_MAX) invarg('Invalid "vlan" value\n', word)
  info.vlan = { vlan, qos: 0, protocol: ETH_P_8021Q }
  if (nextIs(args, 'qos')) {
    const qos = args.next()
    info.vlan.qos = getUnsigned(qos) ?? invarg('Invalid "qos" value\n', qos)
  }
  if (nextIs(args, 'proto')) {
    const name = args.next()
    const protocol = parseLlProto(name) ?? invarg('protocol is invalid\n', name)
    if (protocol !== ETH_P_8021Q && protocol !== ETH_P_8021AD) {
      invarg('Invalid "vlan protocol" value - supported 802.1Q, 802.1ad\n', name)
    }
    info.vlan.protocol = protocol
  }
}

function parseMac(ctx: IpContext, args: Args, info: VfInfo, dev: string): void {
  const mac = llAddrA2n(args.next())
  const index = ctx.links.nameToIndex(dev)
  const [answer] = index === 0 ? [] : ctx.talk(linkMessage({ index }))
  const expected = (answer as LinkMessage | undefined)?.attrs.address?.length
  if (expected !== undefined && expected !== mac.length) {
    throw new CommandFailure(`Invalid address length ${mac.length} - must be ${expected} bytes\n`, 1)
  }
  info.mac = mac
}

/** Reads an identifier of 64 bits: 8 bytes in hexadecimal, or one hexadecimal number. */
function parseGuid(word: string): bigint {
  const { value, length } = scanInteger(word.includes(':') ? word.replaceAll(':', '') : word, 16)
  if (length === 0 || value < 0n || value >> 64n !== 0n) invarg('Invalid GUID format\n', word)
  return value
}

/**
 * Reads the words after `vf NUM` into the message; stops before a word that is none of them.
 * @param dev the device named so far
 */
export function parseVf(ctx: IpContext, args: Args, message: LinkMessage, vf: number, dev: string): void {
  const info: VfInfo = { vf }
  const rate = (key: string): number => {
    const word = args.next()
    return getUnsigned(word) ?? invarg(`Invalid "${key}" value\n`, word)
  }
  const start = args.pos
  while (args.peek() !== undefined) {
    args.next()
    if (args.matches('mac')) parseMac(ctx, args, info, dev)
    else if (args.matches('vlan')) parseVlan(args, info)
    else if (args.matches('rate')) info.txRate = rate('rate')
    else if (args.matches('max_tx_rate')) {
      info.rate = { minTxRate: info.rate?.minTxRate ?? 0, maxTxRate: rate('max tx rate') }
    } else if (args.matches('min_tx_rate')) {
      info.rate = { minTxRate: rate('min tx rate'), maxTxRate: info.rate?.maxTxRate ?? 0 }
    } else if (args.matches('spoofchk')) info.spoofchk = parseOnOff('spoofchk', args.next())
    else if (args.matches('query_rss')) info.rssQueryEn = parseOnOff('query_rss', args.next())
    else if (args.matches('trust')) info.trust = parseOnOff('trust', args.next())
    else if (args.matches('state')) {
      const word = args.next()
      const state = LINK_STATES.findIndex(name => name.startsWith(word) && word !== '')
      info.linkState = state < 0 ? invarg('Invalid "state" value\n', word) : state
    } else if (args.matches('node_guid')) info.nodeGuid = parseGuid(args.next())
    else if (args.matches('port_guid')) info.portGuid = parseGuid(args.next())
    else {
      args.back()
      break
    }
  }
  if (info.rate !== undefined && info.rate.maxTxRate !== 0 && info.rate.minTxRate > info.rate.maxTxRate) {
    const { minTxRate, maxTxRate } = info.rate
    throw new CommandFailure(`Invalid min_tx_rate ${minTxRate} - must be <= max_tx_rate ${maxTxRate}\n`, 1)
  }
  if (args.pos === start) incompleteCommand()
  message.attrs.vfinfoList = [...(message.attrs.vfinfoList ?? []), info]
}
