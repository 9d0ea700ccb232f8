/** All kinds of links `ip` knows. A new kind is one file and one line here. */
import { bond } from './bond.ts'
import { bondSlave } from './bond_slave.ts'
import { bridge } from './bridge.ts'
import { bridgeSlave } from './bridge_slave.ts'
import { can } from './can.ts'
import { geneve } from './geneve.ts'
import { erspan, gre, gretap } from './gre.ts'
import { ip6erspan, ip6gre, ip6gretap } from './gre6.ts'
import { ip6tnl } from './ip6tnl.ts'
import { ipip, sit } from './iptnl.ts'
import { ipvlan, ipvtap } from './ipvlan.ts'
import { asLinkKind, type LinkKind } from './kind.ts'
import { macsec } from './macsec.ts'
import { macvlan, macvtap } from './macvlan.ts'
import { OTHER_KINDS } from './other.ts'
import { PLAIN_KINDS } from './plain.ts'
import { tun } from './tun.ts'
import { veth, vxcan } from './veth.ts'
import { vlan } from './vlan.ts'
import { vrf, vrfSlave } from './vrf.ts'
import { vti, vti6 } from './vti.ts'
import { vxlan } from './vxlan.ts'

const KINDS: readonly LinkKind[] = [
  ...PLAIN_KINDS,
  ...OTHER_KINDS,
  asLinkKind(bond),
  asLinkKind(bondSlave),
  asLinkKind(bridge),
  asLinkKind(bridgeSlave),
  asLinkKind(can),
  asLinkKind(erspan),
  asLinkKind(geneve),
  asLinkKind(gre),
  asLinkKind(gretap),
  asLinkKind(ip6erspan),
  asLinkKind(ip6gre),
  asLinkKind(ip6gretap),
  asLinkKind(ip6tnl),
  asLinkKind(ipip),
  asLinkKind(ipvlan),
  asLinkKind(ipvtap),
  asLinkKind(macsec),
  asLinkKind(macvlan),
  asLinkKind(macvtap),
  asLinkKind(sit),
  asLinkKind(tun),
  asLinkKind(veth),
  asLinkKind(vlan),
  asLinkKind(vrf),
  asLinkKind(vrfSlave),
  asLinkKind(vti),
  asLinkKind(vti6),
  asLinkKind(vxcan),
  asLinkKind(vxlan),
]

const BY_NAME = new Map(KINDS.map(kind => [kind.kind, kind]))

/** @returns a kind by its name (`X_slave` for ports of a master of kind X), or undefined */
export function linkKind(name: string): LinkKind | undefined {
  return BY_NAME.get(name)
}
