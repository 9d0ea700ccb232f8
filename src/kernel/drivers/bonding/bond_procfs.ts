/** /proc/net/bonding/MASTER. */
import { type KernfsDir, kernfsText } from '../../core/kernfs.ts'
import { registerPernetLate } from '../../core/module.ts'
import type { Net } from '../../core/net_namespace.ts'
import { procSetNet } from '../../core/procfs.ts'
import type { Kernel } from '../../kernel.ts'
import type { AdSlave } from './bond_3ad_types.ts'
import {
  BOND_AD_SELECT_WORDS,
  BOND_FAIL_OVER_MAC_WORDS,
  BOND_OPTIONS,
  BOND_PRIMARY_RESELECT_WORDS,
  BOND_XMIT_HASH_WORDS,
} from './bond_options.ts'
import {
  BOND_FOM_NONE,
  BOND_MODE_8023AD,
  BOND_MODE_ACTIVEBACKUP,
  BOND_MODE_XOR,
  type Bonding,
  type BondSlave,
  bondOf,
} from './bonding.ts'

/** Release of the kernel that the driver says it belongs to. */
const RELEASE = '6.1.0-56-amd64'

const MODE_TEXT = [
  'load balancing (round-robin)',
  'fault-tolerance (active-backup)',
  'load balancing (xor)',
  'fault-tolerance (broadcast)',
  'IEEE 802.3ad Dynamic link aggregation',
  'transmit load balancing',
  'adaptive load balancing',
]
const LINK_TEXT = ['up', 'going down', 'down', 'going back']
const CHURN_TEXT = ['monitoring', 'churned', 'none']

/** @returns an address in hex pairs */
export function macText(address: Uint8Array): string {
  return Array.from(address, byte => byte.toString(16).padStart(2, '0')).join(':')
}

function targets(name: string, list: readonly Uint8Array[], format: (address: Uint8Array) => string): string {
  return `${name}:${list.map((each, i) => `${i > 0 ? ',' : ''} ${format(each)}`).join('')}\n`
}

function ip6Text(address: Uint8Array): string {
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(((address[i]! << 8) | address[i + 1]!).toString(16))
  return groups.join(':').replace(/(^|:)0(:0)+(:|$)/, '::')
}

function adInfo(bond: Bonding): string {
  const { params, ad } = bond
  let text = '\n802.3ad info\n'
  text += `LACP active: ${BOND_OPTIONS.lacpActive.words![params.lacpActive]}\n`
  text += `LACP rate: ${BOND_OPTIONS.lacpFast.words![params.lacpFast]}\n`
  text += `Min links: ${params.minLinks}\n`
  text += `Aggregator selection policy (ad_select): ${BOND_AD_SELECT_WORDS[params.adSelect]}\n`
  text += `System priority: ${ad?.systemPriority ?? 0}\n`
  text += `System MAC address: ${macText(ad?.system ?? new Uint8Array(6))}\n`
  const active = ad?.activeAggregator()
  if (active === undefined) return `${text}bond ${bond.dev.name} has no active aggregator\n`
  text += 'Active Aggregator Info:\n'
  text += `\tAggregator ID: ${active.id}\n`
  text += `\tNumber of ports: ${active.numPorts}\n`
  text += `\tActor Key: ${active.actorKey}\n`
  text += `\tPartner Key: ${active.partnerKey}\n`
  return `${text}\tPartner Mac Address: ${macText(active.partnerSystem)}\n`
}

function masterText(bond: Bonding): string {
  const { params, dev } = bond
  const { mode } = params
  let text = `Bonding Mode: ${MODE_TEXT[mode]}`
  if (mode === BOND_MODE_ACTIVEBACKUP && params.failOverMac !== BOND_FOM_NONE)
    text += ` (fail_over_mac ${BOND_FAIL_OVER_MAC_WORDS[params.failOverMac]})`
  text += '\n'
  if (mode === BOND_MODE_XOR || mode === BOND_MODE_8023AD)
    text += `Transmit Hash Policy: ${BOND_XMIT_HASH_WORDS[params.xmitPolicy]} (${params.xmitPolicy})\n`
  if (bond.usesPrimary) {
    const { primary } = bond
    text += `Primary Slave: ${primary?.dev.name ?? 'None'}`
    if (primary !== undefined) text += ` (primary_reselect ${BOND_PRIMARY_RESELECT_WORDS[params.primaryReselect]})`
    text += `\nCurrently Active Slave: ${bond.currActive?.dev.name ?? 'None'}\n`
  }
  text += `MII Status: ${dev.carrier ? 'up' : 'down'}\n`
  text += `MII Polling Interval (ms): ${params.miimon}\n`
  text += `Up Delay (ms): ${params.updelay * params.miimon}\n`
  text += `Down Delay (ms): ${params.downdelay * params.miimon}\n`
  text += `Peer Notification Delay (ms): ${params.peerNotifDelay * params.miimon}\n`
  if (params.arpInterval > 0) {
    text += `ARP Polling Interval (ms): ${params.arpInterval}\n`
    text += `ARP Missed Max: ${params.missedMax}\n`
    text += targets('ARP IP target/s (n.n.n.n form)', params.arpTargets, each => each.join('.'))
    text += targets('NS IPv6 target/s (xx::xx form)', params.nsTargets, ip6Text)
  }
  return mode === BOND_MODE_8023AD ? text + adInfo(bond) : text
}

function portText(port: AdSlave): string {
  const { actor, partner } = port
  let text = `Actor Churn State: ${CHURN_TEXT[port.actorChurn]}\n`
  text += `Partner Churn State: ${CHURN_TEXT[port.partnerChurn]}\n`
  text += `Actor Churned Count: ${port.actorChurnCount}\n`
  text += `Partner Churned Count: ${port.partnerChurnCount}\n`
  text += 'details actor lacp pdu:\n'
  text += `    system priority: ${actor.systemPriority}\n    system mac address: ${macText(actor.system)}\n`
  text += `    port key: ${actor.key}\n    port priority: ${actor.portPriority}\n`
  text += `    port number: ${actor.portNumber}\n    port state: ${actor.state}\n`
  text += 'details partner lacp pdu:\n'
  text += `    system priority: ${partner.systemPriority}\n    system mac address: ${macText(partner.system)}\n`
  text += `    oper key: ${partner.key}\n    port priority: ${partner.portPriority}\n`
  return `${text}    port number: ${partner.portNumber}\n    port state: ${partner.state}\n`
}

function slaveText(slave: BondSlave): string {
  let text = `\nSlave Interface: ${slave.dev.name}\n`
  text += `MII Status: ${LINK_TEXT[slave.link]}\n`
  text += slave.speed === -1 ? 'Speed: Unknown\n' : `Speed: ${slave.speed} Mbps\n`
  text += slave.duplex === 'unknown' ? 'Duplex: Unknown\n' : `Duplex: ${slave.duplex}\n`
  text += `Link Failure Count: ${slave.linkFailureCount}\n`
  text += `Permanent HW addr: ${macText(slave.permHwaddr)}\n`
  text += `Slave queue ID: ${slave.queueId}\n`
  const port = slave.bond.ad?.portOf(slave)
  if (port === undefined) return text
  if (port.aggregator === undefined) return `${text}Aggregator ID: N/A\n`
  return `${text}Aggregator ID: ${port.aggregator.id}\n${portText(port)}`
}

/** @returns a master's file */
export function bondProcText(bond: Bonding): string {
  return `Ethernet Channel Bonding Driver: v${RELEASE}\n\n${masterText(bond)}` + bond.slaves.map(slaveText).join('')
}

/** @returns the masters of a namespace, newest last */
export function bondsOf(net: Net): Bonding[] {
  const bonds: Bonding[] = []
  for (const dev of net.devices.values()) {
    const bond = bondOf(dev)
    if (bond !== undefined) bonds.push(bond)
  }
  return bonds
}

function bondingDir(net: Net): KernfsDir {
  return {
    kind: 'dir',
    mode: 0o555,
    list: () => bondsOf(net).map(bond => bond.dev.name),
    lookup(name) {
      const bond = bondsOf(net).find(each => each.dev.name === name)
      return bond === undefined ? undefined : kernfsText(() => bondProcText(bond))
    },
  }
}

/** Registers the directory in every namespace. */
export function bondProcInit(kernel: Kernel): void {
  registerPernetLate(kernel, { init: net => procSetNet(net, 'bonding', bondingDir(net)) })
}
