/** A device as an RTM_NEWLINK message: for requests, dumps and notifications (rtnl_fill_ifinfo). */
import { IF_OPER_DOWN } from '../../uapi/if.ts'
import type { LinkInfo } from '../../uapi/if_link.ts'
import {
  type LinkAttrs,
  type LinkMessage,
  RTEXT_FILTER_SKIP_STATS,
  type RTM_DELLINK,
  type RTM_NEWLINK,
  RTNLGRP_LINK,
} from '../../uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../uapi/socket.ts'
import { devGetStats } from './dev_config.ts'
import { devGetFlags } from './dev_flags.ts'
import { devGetIflink } from './link_watch.ts'
import type { NetDevice } from './net_device.ts'
import type { Net } from './net_namespace.ts'
import { peernet2idAlloc } from './rtnl_nsid.ts'
import { rtnlState } from './rtnl_state.ts'

/** What a message may say beside the device's state. */
export interface FillOptions {
  /** IFLA_EXT_MASK of the request */
  readonly extMask?: number
  /** IFLA_EVENT */
  readonly event?: number
  /** the device moves: the id of its new namespace here, and its index there */
  readonly newNsid?: number
  readonly newIfindex?: number
  /** the namespace whose ids the message uses; the device's own where absent */
  readonly srcNet?: Net
  readonly targetNetnsid?: number
}

function linkInfo(dev: NetDevice): LinkInfo | undefined {
  const ops = dev.linkOps
  const masterOps = dev.master?.linkOps
  const slaveData = masterOps?.fillSlaveInfo?.(dev.master!, dev)
  if (ops === undefined && slaveData === undefined) return undefined
  const info: LinkInfo = {}
  if (ops !== undefined) {
    info.kind = ops.kind
    const data = ops.fillInfo?.(dev)
    if (data !== undefined) info.data = data
    const xstats = ops.fillXstats?.(dev)
    if (xstats !== undefined) info.xstats = xstats
  }
  if (masterOps !== undefined) {
    info.slaveKind = masterOps.kind
    if (slaveData !== undefined) info.slaveData = slaveData
  }
  return info
}

function isZero(address: Uint8Array): boolean {
  for (let i = 0; i < address.length; i++) if (address[i] !== 0) return false
  return true
}

/**
 * @param type RTM_NEWLINK or RTM_DELLINK @param change ifi_change: which flags are said to have changed
 * @returns the message
 */
export function rtnlFillIfinfo(
  dev: NetDevice,
  type: typeof RTM_NEWLINK | typeof RTM_DELLINK,
  change: number,
  options: FillOptions = {},
): LinkMessage {
  const attrs: LinkAttrs = {
    ifname: dev.name,
    txqlen: dev.txQueueLen,
    operstate: dev.running ? dev.operstate : IF_OPER_DOWN,
    linkmode: dev.linkMode,
    mtu: dev.mtu,
    minMtu: dev.minMtu,
    maxMtu: dev.maxMtu,
    group: dev.group,
    promiscuity: dev.promiscuity,
    allmulti: dev.allmulti,
    numTxQueues: dev.numTxQueues,
    numRxQueues: dev.numRxQueues,
    gsoMaxSize: dev.gsoMaxSize,
    gsoMaxSegs: dev.gsoMaxSegs,
    groMaxSize: dev.groMaxSize,
    tsoMaxSize: dev.tsoMaxSize,
    tsoMaxSegs: dev.tsoMaxSegs,
    carrier: dev.carrier ? 1 : 0,
    qdisc: dev.qdisc.kind,
    carrierChanges: dev.carrierUpCount + dev.carrierDownCount,
    carrierUpCount: dev.carrierUpCount,
    carrierDownCount: dev.carrierDownCount,
    protoDown: dev.protoDown ? 1 : 0,
    xdp: { attached: 0 },
  }
  if (options.targetNetnsid !== undefined) attrs.targetNetnsid = options.targetNetnsid
  if (dev.protoDownReason !== 0) attrs.protoDownReason = { value: dev.protoDownReason }
  if (dev.master !== undefined) attrs.master = dev.master.ifindex
  if (dev.ifalias !== '') attrs.ifalias = dev.ifalias
  if (options.event !== undefined && options.event !== 0) attrs.event = options.event
  if (dev.addrLen > 0) {
    attrs.address = dev.devAddr.slice()
    attrs.broadcast = dev.broadcast.slice()
    if (!isZero(dev.permAddr)) attrs.permAddress = dev.permAddr.slice()
  }
  if (((options.extMask ?? 0) & RTEXT_FILTER_SKIP_STATS) === 0) attrs.stats64 = devGetStats(dev)
  const info = linkInfo(dev)
  if (info !== undefined) attrs.linkinfo = info
  const linkNet = dev.linkOps?.getLinkNet?.(dev)
  let force = false
  if (linkNet !== undefined && linkNet !== dev.net) {
    attrs.linkNetnsid = peernet2idAlloc(options.srcNet ?? dev.net, linkNet)
    force = true
  }
  const iflink = devGetIflink(dev)
  if (force || iflink !== dev.ifindex) attrs.link = iflink
  if (options.newNsid !== undefined) attrs.newNetnsid = options.newNsid
  if (options.newIfindex !== undefined && options.newIfindex !== 0) attrs.newIfindex = options.newIfindex
  if (dev.altnames.length > 0) attrs.propList = [...dev.altnames]
  if (dev.parentDevName !== undefined) attrs.parentDevName = dev.parentDevName
  if (dev.parentDevBusName !== undefined) attrs.parentDevBusName = dev.parentDevBusName
  const afSpec: NonNullable<LinkAttrs['afSpec']> = {}
  for (const af of rtnlState(dev.net.kernel).afOps) af.fillLinkAf(dev, afSpec, options.extMask ?? 0)
  attrs.afSpec = afSpec
  return {
    type,
    flags: 0,
    family: AF_UNSPEC,
    hatype: dev.type,
    index: dev.ifindex,
    ifFlags: devGetFlags(dev),
    change: change >>> 0,
    attrs,
  }
}

/** Tells the listeners of links about a device (rtmsg_ifinfo). */
export function rtmsgIfinfo(
  type: typeof RTM_NEWLINK | typeof RTM_DELLINK,
  dev: NetDevice,
  change: number,
  options?: FillOptions,
): void {
  if (dev.regState !== 'registered') return
  dev.net.kernel.rtnl.notify(dev.net, RTNLGRP_LINK, () => rtnlFillIfinfo(dev, type, change, options))
}
