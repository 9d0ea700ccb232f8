/** Bonding masters: `type bond`. Times are in ms. */
import type { BondData } from '../../../src/uapi/if_link.ts'
import { AF_INET6 } from '../../../src/uapi/socket.ts'
import { invarg } from '../../lib/errors.ts'
import { formatIpv4, formatIpv6, getAddr, getAddr32 } from '../../lib/inet.ts'
import { llAddrA2n, llAddrN2a } from '../../lib/lladdr.ts'
import { getInteger } from '../../lib/number.ts'
import type { Printer } from '../../lib/printer.ts'
import { u8, u16, u32 } from '../../lib/values.ts'
import { type KindOption, kindFailure, type LinkKindOf } from './kind.ts'

const HELP = `Usage: ... bond [ mode BONDMODE ] [ active_slave SLAVE_DEV ]
                [ clear_active_slave ] [ miimon MIIMON ]
                [ updelay UPDELAY ] [ downdelay DOWNDELAY ]
                [ peer_notify_delay DELAY ]
                [ use_carrier USE_CARRIER ]
                [ arp_interval ARP_INTERVAL ]
                [ arp_validate ARP_VALIDATE ]
                [ arp_all_targets ARP_ALL_TARGETS ]
                [ arp_ip_target [ ARP_IP_TARGET, ... ] ]
                [ ns_ip6_target [ NS_IP6_TARGET, ... ] ]
                [ primary SLAVE_DEV ]
                [ primary_reselect PRIMARY_RESELECT ]
                [ fail_over_mac FAIL_OVER_MAC ]
                [ xmit_hash_policy XMIT_HASH_POLICY ]
                [ resend_igmp RESEND_IGMP ]
                [ num_grat_arp|num_unsol_na NUM_GRAT_ARP|NUM_UNSOL_NA ]
                [ all_slaves_active ALL_SLAVES_ACTIVE ]
                [ min_links MIN_LINKS ]
                [ lp_interval LP_INTERVAL ]
                [ packets_per_slave PACKETS_PER_SLAVE ]
                [ tlb_dynamic_lb TLB_DYNAMIC_LB ]
                [ lacp_rate LACP_RATE ]
                [ lacp_active LACP_ACTIVE]
                [ ad_select AD_SELECT ]
                [ ad_user_port_key PORTKEY ]
                [ ad_actor_sys_prio SYSPRIO ]
                [ ad_actor_system LLADDR ]
                [ arp_missed_max MISSED_MAX ]

BONDMODE := balance-rr|active-backup|balance-xor|broadcast|802.3ad|balance-tlb|balance-alb
ARP_VALIDATE := none|active|backup|all|filter|filter_active|filter_backup
ARP_ALL_TARGETS := any|all
PRIMARY_RESELECT := always|better|failure
FAIL_OVER_MAC := none|active|follow
XMIT_HASH_POLICY := layer2|layer2+3|layer3+4|encap2+3|encap3+4|vlan+srcmac
LACP_ACTIVE := off|on
LACP_RATE := slow|fast
AD_SELECT := stable|bandwidth|count
`
const MODES = ['balance-rr', 'active-backup', 'balance-xor', 'broadcast', '802.3ad', 'balance-tlb', 'balance-alb']
const ARP_VALIDATE = ['none', 'active', 'backup', 'all', 'filter', 'filter_active', 'filter_backup']
const ARP_ALL_TARGETS = ['any', 'all']
const PRIMARY_RESELECT = ['always', 'better', 'failure']
const FAIL_OVER_MAC = ['none', 'active', 'follow']
const XMIT_HASH_POLICY = ['layer2', 'layer3+4', 'layer2+3', 'encap2+3', 'encap3+4', 'vlan+srcmac']
const LACP_ACTIVE = ['off', 'on']
const LACP_RATE = ['slow', 'fast']
const AD_SELECT = ['stable', 'bandwidth', 'count']

/** Longest list of probe targets. */
const BOND_MAX_TARGETS = 16

/** Reads a name of a table or its number. */
function indexOf(table: readonly string[], word: string, name: string): number {
  const number = getInteger(word, 10)
  if (number !== undefined && number >= 0 && number < table.length) return number
  const place = table.indexOf(word)
  return place < 0 ? invarg(`invalid ${name}`, word) : place
}

const OPTIONS: readonly KindOption<BondData>[] = [
  { names: ['mode'], read: (data, word) => (data.mode = indexOf(MODES, word, 'mode')) },
  { names: ['active_slave'], read: (data, word, ctx) => (data.activeSlave = ctx.index(word)) },
  { names: ['miimon'], read: (data, word) => (data.miimon = u32(word, 'invalid miimon')) },
  { names: ['updelay'], read: (data, word) => (data.updelay = u32(word, 'invalid updelay')) },
  { names: ['downdelay'], read: (data, word) => (data.downdelay = u32(word, 'invalid downdelay')) },
  {
    names: ['peer_notify_delay'],
    read: (data, word) => (data.peerNotifDelay = u32(word, 'invalid peer_notify_delay')),
  },
  { names: ['use_carrier'], read: (data, word) => (data.useCarrier = u8(word, 'invalid use_carrier')) },
  { names: ['arp_interval'], read: (data, word) => (data.arpInterval = u32(word, 'invalid arp_interval')) },
  {
    names: ['arp_validate'],
    read: (data, word) => (data.arpValidate = indexOf(ARP_VALIDATE, word, 'arp_validate')),
  },
  {
    names: ['arp_all_targets'],
    read: (data, word) => (data.arpAllTargets = indexOf(ARP_ALL_TARGETS, word, 'arp_all_targets')),
  },
  { names: ['primary'], read: (data, word, ctx) => (data.primary = ctx.index(word)) },
  {
    names: ['primary_reselect'],
    read: (data, word) => (data.primaryReselect = indexOf(PRIMARY_RESELECT, word, 'primary_reselect')),
  },
  {
    names: ['fail_over_mac'],
    read: (data, word) => (data.failOverMac = indexOf(FAIL_OVER_MAC, word, 'fail_over_mac')),
  },
  {
    names: ['xmit_hash_policy'],
    read: (data, word) => (data.xmitHashPolicy = indexOf(XMIT_HASH_POLICY, word, 'xmit_hash_policy')),
  },
  { names: ['resend_igmp'], read: (data, word) => (data.resendIgmp = u32(word, 'invalid resend_igmp')) },
  {
    names: ['num_grat_arp', 'num_unsol_na'],
    read: (data, word) => (data.numPeerNotif = u8(word, 'invalid num_grat_arp|num_unsol_na')),
  },
  {
    names: ['all_slaves_active'],
    read: (data, word) => (data.allSlavesActive = u8(word, 'invalid all_slaves_active')),
  },
  { names: ['min_links'], read: (data, word) => (data.minLinks = u32(word, 'invalid min_links')) },
  { names: ['lp_interval'], read: (data, word) => (data.lpInterval = u32(word, 'invalid lp_interval')) },
  {
    names: ['packets_per_slave'],
    read: (data, word) => (data.packetsPerSlave = u32(word, 'invalid packets_per_slave')),
  },
  { names: ['lacp_rate'], read: (data, word) => (data.adLacpRate = indexOf(LACP_RATE, word, 'lacp_rate')) },
  {
    names: ['lacp_active'],
    read: (data, word) => (data.adLacpActive = indexOf(LACP_ACTIVE, word, 'lacp_active')),
  },
  { names: ['ad_select'], read: (data, word) => (data.adSelect = indexOf(AD_SELECT, word, 'ad_select')) },
  {
    names: ['ad_user_port_key'],
    read: (data, word) => (data.adUserPortKey = u16(word, 'invalid ad_user_port_key')),
  },
  {
    names: ['ad_actor_sys_prio'],
    read: (data, word) => (data.adActorSysPrio = u16(word, 'invalid ad_actor_sys_prio')),
  },
  { names: ['ad_actor_system'], read: (data, word) => (data.adActorSystem = llAddrA2n(word)) },
  { names: ['tlb_dynamic_lb'], read: (data, word) => (data.tlbDynamicLb = u8(word, 'invalid tlb_dynamic_lb')) },
  { names: ['arp_missed_max'], read: (data, word) => (data.missedMax = u8(word, 'invalid arp_missed_max')) },
]

export const bond: LinkKindOf<BondData> = {
  kind: 'bond',
  help: HELP,

  parse(ctx, args) {
    const data: BondData = {}
    const targets = (): string[] => {
      if (args.peek() === undefined) return []
      return args
        .next()
        .split(',')
        .filter(part => part !== '')
        .slice(0, BOND_MAX_TARGETS)
    }
    for (; args.more; args.skip()) {
      const option = OPTIONS.find(({ names }) => names.some(name => args.matches(name)))
      if (args.matches('clear_active_slave')) data.activeSlave = 0
      else if (args.matches('arp_ip_target')) data.arpIpTarget = targets().map(getAddr32)
      else if (args.matches('ns_ip6_target')) {
        data.nsIp6Target = targets().map(word => getAddr(word, AF_INET6).data)
      } else if (option !== undefined) option.read(data, args.next(), ctx)
      else if (args.matches('help')) throw kindFailure('', HELP)
      else throw kindFailure(`bond: unknown command "${args.word}"?\n`, HELP)
    }
    return data
  },

  print(ctx, out, data) {
    const number = (value: number | undefined, name: string, key = name): void => {
      if (value !== undefined) out.put(key, value, `${name} ${value} `)
    }
    const name = (value: number | undefined, table: readonly string[], key: string, label = key): void => {
      if (value === undefined) return
      const word = table[value] ?? 'unknown'
      out.put(key, word, `${label} ${word} `)
    }
    const device = (index: number | undefined, key: string): void => {
      if (index === undefined || index === 0) return
      const dev = ctx.links.indexToName(index)
      out.put(key, dev, `${key} ${dev} `)
    }
    name(data.mode, MODES, 'mode')
    device(data.activeSlave, 'active_slave')
    number(data.miimon, 'miimon')
    number(data.updelay, 'updelay')
    number(data.downdelay, 'downdelay')
    number(data.peerNotifDelay, 'peer_notify_delay')
    number(data.useCarrier, 'use_carrier')
    number(data.arpInterval, 'arp_interval')
    number(data.missedMax, 'arp_missed_max')
    printTargets(out, 'arp_ip_target', data.arpIpTarget, formatIpv4)
    printTargets(out, 'ns_ip6_target', data.nsIp6Target, formatIpv6)
    if (data.arpValidate === 0) out.put('arp_validate', null, 'arp_validate none ')
    else name(data.arpValidate, ARP_VALIDATE, 'arp_validate')
    name(data.arpAllTargets, ARP_ALL_TARGETS, 'arp_all_targets')
    device(data.primary, 'primary')
    name(data.primaryReselect, PRIMARY_RESELECT, 'primary_reselect')
    name(data.failOverMac, FAIL_OVER_MAC, 'fail_over_mac')
    name(data.xmitHashPolicy, XMIT_HASH_POLICY, 'xmit_hash_policy')
    number(data.resendIgmp, 'resend_igmp')
    number(data.numPeerNotif, 'num_grat_arp', 'num_peer_notif')
    number(data.allSlavesActive, 'all_slaves_active')
    number(data.minLinks, 'min_links')
    number(data.lpInterval, 'lp_interval')
    number(data.packetsPerSlave, 'packets_per_slave')
    name(data.adLacpActive, LACP_ACTIVE, 'ad_lacp_active', 'lacp_active')
    name(data.adLacpRate, LACP_RATE, 'ad_lacp_rate', 'lacp_rate')
    name(data.adSelect, AD_SELECT, 'ad_select')
    if (data.adInfo !== undefined) {
      const { aggregator, numPorts, actorKey, partnerKey, partnerMac } = data.adInfo
      out.openObject('ad_info')
      number(aggregator, 'ad_aggregator', 'aggregator')
      number(numPorts, 'ad_num_ports', 'num_ports')
      number(actorKey, 'ad_actor_key', 'actor_key')
      number(partnerKey, 'ad_partner_key', 'partner_key')
      const mac = llAddrN2a(partnerMac, 0)
      out.put('partner_mac', mac, `ad_partner_mac ${mac} `)
      out.closeObject()
    }
    number(data.adActorSysPrio, 'ad_actor_sys_prio')
    number(data.adUserPortKey, 'ad_user_port_key')
    if (data.adActorSystem !== undefined) {
      const system = llAddrN2a(data.adActorSystem, 1)
      out.put('ad_actor_system', system, `ad_actor_system ${system} `)
    }
    number(data.tlbDynamicLb, 'tlb_dynamic_lb')
  },
}

function printTargets(
  out: Printer,
  key: string,
  targets: readonly Uint8Array[] | undefined,
  format: (address: Uint8Array) => string,
): void {
  if (targets === undefined || targets.length === 0) return
  out.openArray(key, `${key} `)
  for (const [i, target] of targets.entries()) {
    const text = format(target)
    out.put(undefined, text, i === 0 ? text : `,${text}`)
  }
  out.closeArray(' ')
}
