/**
 * /proc/sys/net/ipv4/conf: `all`, `default` and a directory for each device, over `Ipv4Devconf` (ip-sysctl,
 * /proc/sys/net/ipv4/conf). A write to `default` reaches the devices that nobody has set that value for.
 */
import { Errno } from '../../uapi/errno.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { type CtlTable, registerNetSysctl, unregisterNetSysctl } from '../core/sysctl.ts'
import { procDointvec, procDointvecMsJiffies } from '../core/sysctl_handlers.ts'
import type { Kernel } from '../kernel.ts'
import {
  IPV4_DEVCONF_ACCEPT_LOCAL,
  IPV4_DEVCONF_BC_FORWARDING,
  IPV4_DEVCONF_FORWARDING,
  IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL,
  IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL,
  IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN,
  IPV4_DEVCONF_MC_FORWARDING,
  IPV4_DEVCONF_NAMES,
  IPV4_DEVCONF_PROXY_ARP,
  IPV4_DEVCONF_ROUTE_LOCALNET,
  IPV4_DEVCONF_RP_FILTER,
  type Ipv4Devconf,
  ipv4DevconfKey,
} from './devconf.ts'

/** Entries whose change drops cached routes. */
const FLUSHES = new Set([IPV4_DEVCONF_ACCEPT_LOCAL, IPV4_DEVCONF_ROUTE_LOCALNET, IPV4_DEVCONF_BC_FORWARDING])
/** Entries whose change is told to netconf listeners. */
const NOTIFIES = new Set([IPV4_DEVCONF_RP_FILTER, IPV4_DEVCONF_PROXY_ARP, IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN])

/** What writes set in motion elsewhere in IPv4. */
export interface Ipv4ConfOps {
  /** the device's configuration, or undefined where IPv4 has none for it */
  conf(dev: NetDevice): Ipv4Devconf | undefined
  /** all.forwarding (ip_forward) has changed: every device follows, redirects are no longer accepted (inet_forward_change) */
  forwardChange(net: Net): void
  /** drops cached routes (rt_cache_flush) */
  cacheFlush(net: Net): void
  /** RTM_NEWNETCONF for `all` (-1), `default` (-2) or a device */
  netconfNotify(net: Net, ifindex: number, name: (typeof IPV4_DEVCONF_NAMES)[number]): void
}

const NETCONFA_ALL = -1
const NETCONFA_DEFAULT = -2

/** conf.default was written: devices without a value of their own take it (devinet_copy_dflt_conf). */
function copyDefault(net: Net, ops: Ipv4ConfOps, index: number): void {
  const { dflt } = net.at(ipv4DevconfKey)
  for (const dev of net.devices.values()) {
    const conf = ops.conf(dev)
    if (conf !== undefined && conf.isSet[index] === 0) conf.data[index] = dflt.data[index]!
  }
}

function confTable(net: Net, ops: Ipv4ConfOps, conf: Ipv4Devconf, ifindex: () => number): CtlTable[] {
  return IPV4_DEVCONF_NAMES.map((name, index) => {
    const v = {
      count: 1,
      get: () => conf.data[index]!,
      set: (_: number, value: number) => {
        conf.data[index] = value
      },
    }
    if (index === IPV4_DEVCONF_MC_FORWARDING) return procDointvec(name, v, { mode: 0o444 })
    if (index === IPV4_DEVCONF_FORWARDING) return forwardingEntry(net, ops, conf, ifindex)
    const ms =
      index === IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL ||
      index === IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL
    const entry = (ms ? procDointvecMsJiffies : procDointvec)(name, v)
    return {
      ...entry,
      write: (text: string) => {
        const old = conf.data[index]!
        const rc = entry.write!(text)
        conf.isSet[index] = 1
        if (conf === net.at(ipv4DevconfKey).dflt) copyDefault(net, ops, index)
        const value = conf.data[index]!
        if (value !== old) {
          if (FLUSHES.has(index)) ops.cacheFlush(net)
          if (NOTIFIES.has(index)) ops.netconfNotify(net, ifindex(), name)
        }
        return rc
      },
    }
  })
}

/** conf.*.forwarding: on `all` it is ip_forward itself (devinet_sysctl_forward). */
function forwardingEntry(
  net: Net,
  ops: Ipv4ConfOps,
  conf: Ipv4Devconf,
  ifindex: () => number,
  procname = 'forwarding',
): CtlTable {
  const entry = procDointvec(procname, {
    count: 1,
    get: () => conf.data[IPV4_DEVCONF_FORWARDING]!,
    set: (_, value) => {
      conf.data[IPV4_DEVCONF_FORWARDING] = value
    },
  })
  return {
    ...entry,
    write: text => {
      const old = conf.data[IPV4_DEVCONF_FORWARDING]!
      const rc = entry.write!(text)
      if (rc < 0 || conf.data[IPV4_DEVCONF_FORWARDING] === old) return rc
      const { all, dflt } = net.at(ipv4DevconfKey)
      if (conf === all) {
        ops.forwardChange(net)
        ops.cacheFlush(net)
      } else {
        if (conf !== dflt) conf.isSet[IPV4_DEVCONF_FORWARDING] = 1
        ops.netconfNotify(net, ifindex(), 'forwarding')
        if (conf !== dflt) ops.cacheFlush(net)
      }
      return rc
    },
  }
}

/** Registers `all`, `default` and net.ipv4.ip_forward of a namespace. */
export function devinetSysctlInit(net: Net, ops: Ipv4ConfOps): void {
  const { all, dflt } = net.at(ipv4DevconfKey)
  registerNetSysctl(
    net,
    'net/ipv4/conf/all',
    confTable(net, ops, all, () => NETCONFA_ALL),
  )
  registerNetSysctl(
    net,
    'net/ipv4/conf/default',
    confTable(net, ops, dflt, () => NETCONFA_DEFAULT),
  )
  registerNetSysctl(net, 'net/ipv4', [forwardingEntry(net, ops, all, () => NETCONFA_ALL, 'ip_forward')])
}

/** Registers a device's directory. @returns -EINVAL where the name cannot be one (devinet_sysctl_register) */
export function devinetSysctlRegister(dev: NetDevice, ops: Ipv4ConfOps): number {
  const conf = ops.conf(dev)
  if (conf === undefined) return 0
  if (dev.name === 'all' || dev.name === 'default') return -Errno.EINVAL
  registerNetSysctl(
    dev.net,
    `net/ipv4/conf/${dev.name}`,
    confTable(dev.net, ops, conf, () => dev.ifindex),
  )
  return 0
}

/** Takes a device's directory out, by the name it was registered under. */
export function devinetSysctlUnregister(net: Net, name: string): void {
  unregisterNetSysctl(net, `net/ipv4/conf/${name}`)
}

/** Keeps the directories in step with the devices: they come, are renamed, and go. */
export function devinetSysctlFollow(kernel: Kernel, ops: Ipv4ConfOps): void {
  const names = new Map<NetDevice, { net: Net; name: string }>()
  kernel.netdevChain.register((event, dev) => {
    const known = names.get(dev)
    if (event === 'UNREGISTER' || event === 'CHANGENAME') {
      if (known !== undefined) devinetSysctlUnregister(known.net, known.name)
      names.delete(dev)
    }
    if (event === 'REGISTER' || event === 'CHANGENAME') {
      if (devinetSysctlRegister(dev, ops) === 0 && ops.conf(dev) !== undefined)
        names.set(dev, { net: dev.net, name: dev.name })
    }
    return 0
  }, -10)
}
