/** What the rest of the driver knows of LACP (IEEE 802.1AX): ports and aggregators. */
import type { SkBuff } from '../../core/skbuff.ts'
import type { BondSlave } from './bonding.ts'

/** Where LACPDUs go. */
export const LACPDU_ADDRESS: Uint8Array = Uint8Array.of(0x01, 0x80, 0xc2, 0x00, 0x00, 0x02)

/** A set of ports that work as one link. */
export interface AdAggregator {
  readonly id: number
  readonly numPorts: number
  readonly actorKey: number
  readonly partnerKey: number
  readonly partnerSystem: Uint8Array
  /** @returns ports whose link is up */
  activePorts(): number
}

/** Who speaks, as a LACPDU carries it. */
export interface AdParty {
  systemPriority: number
  system: Uint8Array
  key: number
  portPriority: number
  portNumber: number
  /** LACP_STATE_… */
  state: number
}

/** A slave's port. */
export interface AdSlave {
  readonly aggregator: AdAggregator | undefined
  readonly actor: AdParty
  readonly partner: AdParty
  /** 0 monitoring, 1 churned, 2 none */
  readonly actorChurn: number
  readonly partnerChurn: number
  readonly actorChurnCount: number
  readonly partnerChurnCount: number
}

/** The LACP machines of a master. */
export interface AdBond {
  readonly systemPriority: number
  readonly system: Uint8Array
  bind(slave: BondSlave): void
  unbind(slave: BondSlave): void
  portOf(slave: BondSlave): AdSlave | undefined
  activeAggregator(): AdAggregator | undefined
  handleLinkChange(slave: BondSlave): void
  speedDuplexChanged(slave: BondSlave): void
  receive(skb: SkBuff, slave: BondSlave): boolean
  run(): void
  open(): void
  updateLacpRate(): void
  updateActorSettings(): void
}
