/** Changing a link on request (do_setlink): every attribute a link may be given, in the kernel's order. */
import { Errno } from '../../uapi/errno.ts'
import { IFF_ALLMULTI, IFF_PROMISC } from '../../uapi/if.ts'
import type { LinkAttrs, LinkMessage } from '../../uapi/rtnetlink.ts'
import {
  devChangeCarrier,
  devChangeProtoDown,
  devChangeProtoDownReason,
  devChangeTxQueueLen,
  devSetAlias,
  devSetMacAddress,
  devSetMtu,
} from './dev_config.ts'
import { devChangeFlags } from './dev_flags.ts'
import { devChangeName } from './dev_name.ts'
import { devChangeNetNamespace } from './dev_netns.ts'
import { netdevStateChange, setOperstate } from './link_watch.ts'
import type { NetDevice } from './net_device.ts'
import type { NetlinkExtAck, RtnlContext } from './rtnetlink.ts'
import { rtnlLinkGetNet } from './rtnl_link_create.ts'
import { rtnlState } from './rtnl_state.ts'

/** Largest number of segments of one packet. */
export const GSO_MAX_SEGS = 65535

/** Something changed, and something listeners must be told of. */
const MODIFIED = 1
const NOTIFY = 3

/** Checks attributes against a device before anything is changed (validate_linkmsg). */
export function validateLinkmsg(dev: NetDevice, attrs: LinkAttrs, extack: NetlinkExtAck): number {
  if (attrs.address !== undefined && attrs.address.length < dev.addrLen) return -Errno.EINVAL
  if (attrs.broadcast !== undefined && attrs.broadcast.length < dev.addrLen) return -Errno.EINVAL
  if (attrs.afSpec !== undefined)
    for (const af of rtnlState(dev.net.kernel).afOps) {
      const rc = af.validateLinkAf?.(dev, attrs.afSpec, extack) ?? 0
      if (rc < 0) return rc
    }
  return 0
}

/** @returns the flags a request means: those in its mask from it, the others as they are (rtnl_dev_combine_flags) */
export function combineFlags(dev: NetDevice, msg: { ifFlags: number; change: number }): number {
  if (msg.change === 0) return msg.ifFlags
  const counted = IFF_PROMISC | IFF_ALLMULTI
  const now = (dev.flags & ~counted) | (dev.gflags & counted)
  return (msg.ifFlags & msg.change) | (now & ~msg.change)
}

/** Gives a device to a master, or with index 0 takes it from its master (do_set_master). */
export function doSetMaster(dev: NetDevice, index: number, extack: NetlinkExtAck): number {
  if (dev.master !== undefined) {
    const { master } = dev
    if (master.ifindex === index) return 0
    if (master.ops.delSlave === undefined) return -Errno.EOPNOTSUPP
    const rc = master.ops.delSlave(master, dev)
    if (rc < 0) return rc
  }
  if (index === 0) return 0
  const master = dev.net.devices.get(index)
  if (master === undefined) return -Errno.EINVAL
  if (master.ops.addSlave === undefined) return -Errno.EOPNOTSUPP
  return master.ops.addSlave(master, dev, extack)
}

function setProtoDown(dev: NetDevice, attrs: LinkAttrs, extack: NetlinkExtAck): number {
  if (!dev.changeProtoDown) return extack.fail(-Errno.EOPNOTSUPP, 'Protodown not supported by device')
  const { protoDown, protoDownReason } = attrs
  if (protoDownReason !== undefined) devChangeProtoDownReason(dev, protoDownReason.mask ?? 0, protoDownReason.value)
  if (protoDown === undefined) return 0
  if (protoDown === 0 && dev.protoDownReason !== 0)
    return extack.fail(-Errno.EBUSY, 'Cannot clear protodown, active reasons')
  return devChangeProtoDown(dev, protoDown !== 0)
}

/** Applies a request; `status` gathers what changed, also where a later attribute fails. */
class SetLink {
  status: number
  private readonly ctx: RtnlContext
  private readonly dev: NetDevice
  private readonly msg: LinkMessage

  constructor(ctx: RtnlContext, dev: NetDevice, msg: LinkMessage, status: number) {
    this.ctx = ctx
    this.dev = dev
    this.msg = msg
    this.status = status
  }

  run(): number {
    for (const step of [this.move, this.identity, this.flagsAndMaster, this.queues, this.states, this.families]) {
      const rc = step.call(this)
      if (rc < 0) return rc
    }
    return 0
  }

  private done(rc: number, status = MODIFIED): number {
    if (rc >= 0) this.status |= status
    return rc
  }

  private move(): number {
    const { attrs } = this.msg
    if (attrs.netNsPid === undefined && attrs.netNsFd === undefined && attrs.targetNetnsid === undefined) return 0
    const net = rtnlLinkGetNet(this.ctx, this.dev.net, attrs)
    if (typeof net === 'number') return net
    const pattern = attrs.ifname !== undefined && attrs.ifname !== '' ? attrs.ifname : undefined
    return this.done(devChangeNetNamespace(this.dev, net, pattern, attrs.newIfindex ?? 0))
  }

  private identity(): number {
    const { dev, msg } = this
    const { extack } = this.ctx
    const { attrs } = msg
    let rc = 0
    if (attrs.address !== undefined) rc = this.done(devSetMacAddress(dev, attrs.address, extack))
    if (rc >= 0 && attrs.mtu !== undefined) rc = this.done(devSetMtu(dev, attrs.mtu, extack))
    if (rc >= 0 && attrs.group !== undefined) {
      dev.group = attrs.group
      this.status |= NOTIFY
    }
    if (rc >= 0 && msg.index > 0 && attrs.ifname !== undefined && attrs.ifname !== '')
      rc = this.done(devChangeName(dev, attrs.ifname))
    if (rc >= 0 && attrs.ifalias !== undefined) rc = this.done(devSetAlias(dev, attrs.ifalias), NOTIFY)
    if (rc >= 0 && attrs.broadcast !== undefined) {
      dev.broadcast = attrs.broadcast.slice(0, dev.addrLen)
      dev.net.kernel.netdevChain.call('CHANGEADDR', dev, {})
    }
    return rc
  }

  private flagsAndMaster(): number {
    const { dev, msg } = this
    const { extack } = this.ctx
    const { attrs } = msg
    let rc = 0
    if (msg.ifFlags !== 0 || msg.change !== 0) rc = devChangeFlags(dev, combineFlags(dev, msg), extack)
    if (rc >= 0 && attrs.master !== undefined) rc = this.done(doSetMaster(dev, attrs.master, extack))
    if (rc >= 0 && attrs.carrier !== undefined) rc = this.done(devChangeCarrier(dev, attrs.carrier !== 0))
    return rc
  }

  private queues(): number {
    const { dev } = this
    const { attrs } = this.msg
    if (attrs.txqlen !== undefined) {
      const rc = this.done(devChangeTxQueueLen(dev, attrs.txqlen))
      if (rc < 0) return rc
    }
    if (attrs.gsoMaxSize !== undefined && attrs.gsoMaxSize > dev.tsoMaxSize) return -Errno.EINVAL
    if (attrs.gsoMaxSize !== undefined && attrs.gsoMaxSize !== dev.gsoMaxSize) {
      dev.gsoMaxSize = attrs.gsoMaxSize
      this.status |= MODIFIED
    }
    if (attrs.gsoMaxSegs !== undefined && attrs.gsoMaxSegs > Math.min(GSO_MAX_SEGS, dev.tsoMaxSegs))
      return -Errno.EINVAL
    if (attrs.gsoMaxSegs !== undefined && attrs.gsoMaxSegs !== dev.gsoMaxSegs) {
      dev.gsoMaxSegs = attrs.gsoMaxSegs
      this.status |= MODIFIED
    }
    if (attrs.groMaxSize !== undefined && attrs.groMaxSize !== dev.groMaxSize) {
      dev.groMaxSize = attrs.groMaxSize
      this.status |= MODIFIED
    }
    return 0
  }

  private states(): number {
    const { dev } = this
    const { attrs } = this.msg
    if (attrs.operstate !== undefined) setOperstate(dev, attrs.operstate)
    if (attrs.linkmode !== undefined) {
      if (attrs.linkmode !== dev.linkMode) this.status |= NOTIFY
      dev.linkMode = attrs.linkmode
    }
    return 0
  }

  private families(): number {
    const { dev } = this
    const { attrs } = this.msg
    const { extack } = this.ctx
    if (attrs.afSpec !== undefined)
      for (const af of rtnlState(dev.net.kernel).afOps) {
        const rc = this.done(af.setLinkAf?.(dev, attrs.afSpec, extack) ?? 0, NOTIFY)
        if (rc < 0) return rc
      }
    if (attrs.protoDown !== undefined || attrs.protoDownReason !== undefined)
      return this.done(setProtoDown(dev, attrs, extack), NOTIFY)
    return 0
  }
}

/** Changes a link (do_setlink). @param status 3 where the caller has changed something already @returns 0 or a negative error */
export function doSetlink(ctx: RtnlContext, dev: NetDevice, msg: LinkMessage, status = 0): number {
  const bad = validateLinkmsg(dev, msg.attrs, ctx.extack)
  if (bad < 0) return bad
  const change = new SetLink(ctx, dev, msg, status)
  const rc = change.run()
  if ((change.status & NOTIFY) === NOTIFY) netdevStateChange(dev)
  if (rc < 0 && change.status !== 0)
    dev.net.kernel.log.print(
      4,
      `A link change request failed with some changes committed already. Interface ${dev.name} may have been left with an inconsistent configuration, please check.`,
    )
  return Math.min(rc, 0)
}
