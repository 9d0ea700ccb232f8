/** What a master offloads: what all its slaves do (bond_compute_features). */
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_ENCAP_ALL,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_LRO,
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
} from '../../core/features.ts'
import { IFF_XMIT_DST_RELEASE, IFF_XMIT_DST_RELEASE_PERM } from '../../core/net_device.ts'
import type { Bonding } from './bonding.ts'

/** Features that VLANs on a master can have. */
export const BOND_VLAN_FEATURES =
  NETIF_F_HW_CSUM | NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_GSO_SOFTWARE | NETIF_F_HIGHDMA | NETIF_F_LRO
export const BOND_VLAN_FEATURES2 = NETIF_F2_GSO_SOFTWARE

/** Recomputes what follows from the slaves: VLAN features, segmentation limits, headroom. */
export function bondComputeFeatures(bond: Bonding): void {
  const { dev, slaves } = bond
  let vlan = BOND_VLAN_FEATURES
  let vlan2 = BOND_VLAN_FEATURES2
  let release = IFF_XMIT_DST_RELEASE | IFF_XMIT_DST_RELEASE_PERM
  let { hardHeaderLen } = dev
  let tsoMaxSize = slaves.length === 0 ? 65536 : 0xffffffff
  let tsoMaxSegs = 65535
  for (const { dev: slave } of slaves) {
    vlan &= slave.vlanFeatures | NETIF_F_LRO
    vlan2 &= slave.vlanFeatures2
    release &= slave.privFlags
    hardHeaderLen = Math.max(hardHeaderLen, slave.hardHeaderLen)
    tsoMaxSize = Math.min(tsoMaxSize, slave.tsoMaxSize)
    tsoMaxSegs = Math.min(tsoMaxSegs, slave.tsoMaxSegs)
  }
  dev.hardHeaderLen = hardHeaderLen
  dev.vlanFeatures = vlan
  dev.vlanFeatures2 = vlan2
  dev.hwEncFeatures = vlan | NETIF_F_GSO_ENCAP_ALL
  dev.tsoMaxSize = tsoMaxSize
  dev.tsoMaxSegs = tsoMaxSegs
  dev.gsoMaxSize = Math.min(dev.gsoMaxSize, tsoMaxSize)
  dev.gsoMaxSegs = Math.min(dev.gsoMaxSegs, tsoMaxSegs)
  dev.privFlags &= ~IFF_XMIT_DST_RELEASE
  if ((release & IFF_XMIT_DST_RELEASE) !== 0 && (release & IFF_XMIT_DST_RELEASE_PERM) !== 0)
    dev.privFlags |= IFF_XMIT_DST_RELEASE
}
