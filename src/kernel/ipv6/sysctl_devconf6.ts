/**
 * /proc/sys/net/ipv6/conf: `all`, `default` and a directory for each device, over `Ipv6Devconf` (ip-sysctl). Most
 * entries only hold their value; those that set something in motion call `Ipv6ConfOps`.
 */
import { Errno } from '../../uapi/errno.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { type CtlTable, registerNetSysctl, unregisterNetSysctl } from '../core/sysctl.ts'
import {
  type CtlOptions,
  type CtlVar,
  procDointvec,
  procDointvecJiffies,
  procDointvecMsJiffies,
  procDou8vec,
  procDouintvec,
} from '../core/sysctl_handlers.ts'
import type { Kernel } from '../kernel.ts'
import { IPV6_DEVCONF_NAMES, type Ipv6Devconf, type Ipv6DevconfName, ipv6DevconfKey } from './devconf.ts'

/** What writes set in motion elsewhere in IPv6. `dev` is undefined for `all` and `default`. */
export interface Ipv6ConfOps {
  /** the device's configuration, or undefined where IPv6 has none for it */
  conf(dev: NetDevice): Ipv6Devconf | undefined
  /** The value has been stored; `old` was there before. @returns 0 or a negative error, which the writer gets */
  changed(net: Net, name: Ipv6DevconfName, conf: Ipv6Devconf, dev: NetDevice | undefined, old: number): number
}

type Handler = (name: string, v: CtlVar, options?: CtlOptions) => CtlTable

/** Entries that are not plain integers: their handler and limits. */
const SPECIAL: Partial<Record<Ipv6DevconfName, readonly [Handler, CtlOptions?]>> = {
  hop_limit: [procDointvec, { min: 1, max: 255 }],
  router_solicitations: [procDointvec, { min: -1 }],
  router_solicitation_interval: [procDointvecJiffies],
  router_solicitation_max_interval: [procDointvecJiffies],
  router_solicitation_delay: [procDointvecJiffies],
  router_probe_interval: [procDointvecJiffies],
  mldv1_unsolicited_report_interval: [procDointvecMsJiffies],
  mldv2_unsolicited_report_interval: [procDointvecMsJiffies],
  ra_defrtr_metric: [procDouintvec, { min: 1 }],
  mc_forwarding: [procDointvec, { mode: 0o444 }],
  disable_policy: [procDointvec],
  ioam6_enabled: [procDou8vec, { min: 0, max: 1 }],
  ioam6_id: [procDouintvec, { min: 0, max: 65535 }],
  ndisc_evict_nocarrier: [procDou8vec, { min: 0, max: 1 }],
  accept_untracked_na: [procDou8vec, { min: 0, max: 2 }],
}

/** Smallest IPv6 MTU, bytes (RFC 8200 section 5). */
const IPV6_MIN_MTU = 1280

/** Modes of addr_gen_mode: EUI-64, none, stable privacy, random. */
const ADDR_GEN_MODES = 4

function confTable(net: Net, ops: Ipv6ConfOps, conf: Ipv6Devconf, dev: NetDevice | undefined): CtlTable[] {
  const table = IPV6_DEVCONF_NAMES.map((name, index): CtlTable => {
    const v: CtlVar = {
      count: 1,
      get: () => conf.data[index]!,
      set: (_, value) => {
        conf.data[index] = value
      },
    }
    const [handler, options] = SPECIAL[name] ?? [procDointvec]
    const limits: CtlOptions =
      name === 'mtu' ? { min: IPV6_MIN_MTU, max: dev === undefined ? 0x7fffffff : dev.mtu } : (options ?? {})
    const entry = handler(name, v, limits)
    if (entry.write === undefined) return entry
    return {
      ...entry,
      write: text => {
        const old = conf.data[index]!
        // the limit follows the device's own mtu
        const write =
          name === 'mtu' && dev !== undefined
            ? handler(name, v, { min: IPV6_MIN_MTU, max: dev.mtu }).write!
            : entry.write!
        const rc = write(text)
        if (rc < 0) return rc
        if (name === 'addr_gen_mode' && (conf.data[index]! < 0 || conf.data[index]! >= ADDR_GEN_MODES)) {
          conf.data[index] = old
          return -Errno.EINVAL
        }
        return ops.changed(net, name, conf, dev, old)
      },
    }
  })
  table.push(stableSecret(net, ops, conf, dev), ioam6IdWide(conf))
  return table
}

/** The secret of stable-privacy addresses (RFC 7217): unreadable (EIO) until set; setting it selects that mode. */
function stableSecret(net: Net, ops: Ipv6ConfOps, conf: Ipv6Devconf, dev: NetDevice | undefined): CtlTable {
  return {
    procname: 'stable_secret',
    mode: 0o600,
    read: () => {
      const secret = conf.stableSecret
      if (secret === undefined) return -Errno.EIO
      const groups: string[] = []
      for (let i = 0; i < 16; i += 2) groups.push(((secret[i]! << 8) | secret[i + 1]!).toString(16).padStart(4, '0'))
      return `${groups.join(':')}\n`
    },
    write: text => {
      if (conf === net.at(ipv6DevconfKey).all) return -Errno.EIO
      const secret = parseSecret(text.trim())
      if (secret === undefined) return -Errno.EIO
      conf.stableSecret = secret
      const index = IPV6_DEVCONF_NAMES.indexOf('addr_gen_mode')
      const stable = 2
      const targets = dev === undefined ? devices(net, ops) : [conf]
      for (const target of targets) target.data[index] = stable
      return 0
    },
  }
}

function devices(net: Net, ops: Ipv6ConfOps): Ipv6Devconf[] {
  return [...net.devices.values()].map(dev => ops.conf(dev)).filter(conf => conf !== undefined)
}

/** Reads an IPv6 address in text. @returns 16 bytes, or undefined */
function parseSecret(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2 || !/^[0-9a-fA-F:]+$/.test(text)) return undefined
  const groups = (half: string | undefined): string[] => (half === undefined || half === '' ? [] : half.split(':'))
  const head = groups(halves[0])
  const tail = groups(halves[1])
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const all = [...head, ...Array.from({ length: halves.length === 1 ? 0 : missing }, () => '0'), ...tail]
  if (all.some(group => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  return Uint8Array.from(all.flatMap(group => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]))
}

function ioam6IdWide(conf: Ipv6Devconf): CtlTable {
  return procDouintvec('ioam6_id_wide', {
    count: 1,
    get: () => conf.ioam6IdWide,
    set: (_, value) => {
      conf.ioam6IdWide = value
    },
  })
}

/** Registers `all` and `default` of a namespace. */
export function addrconfSysctlInit(net: Net, ops: Ipv6ConfOps): void {
  const { all, dflt } = net.at(ipv6DevconfKey)
  registerNetSysctl(net, 'net/ipv6/conf/all', confTable(net, ops, all, undefined))
  registerNetSysctl(net, 'net/ipv6/conf/default', confTable(net, ops, dflt, undefined))
}

/** Registers a device's directory; called when it gets an inet6_dev. */
export function addrconfSysctlRegister(dev: NetDevice, ops: Ipv6ConfOps): void {
  const conf = ops.conf(dev)
  if (conf === undefined || dev.name === 'all' || dev.name === 'default') return
  registerNetSysctl(dev.net, `net/ipv6/conf/${dev.name}`, confTable(dev.net, ops, conf, dev))
}

/** Takes a device's directory out, by the name it was registered under. */
export function addrconfSysctlUnregister(net: Net, name: string): void {
  unregisterNetSysctl(net, `net/ipv6/conf/${name}`)
}

/**
 * Keeps the directories in step with the devices: they come and go with the device's inet6_dev (which an mtu below
 * 1280 takes away), and follow its name.
 */
export function addrconfSysctlFollow(kernel: Kernel, ops: Ipv6ConfOps): void {
  const names = new Map<NetDevice, { net: Net; name: string; conf: Ipv6Devconf }>()
  kernel.netdevChain.register((event, dev) => {
    const known = names.get(dev)
    const conf = event === 'UNREGISTER' ? undefined : ops.conf(dev)
    if (known !== undefined && (known.conf !== conf || known.name !== dev.name || known.net !== dev.net)) {
      addrconfSysctlUnregister(known.net, known.name)
      names.delete(dev)
    }
    if (conf !== undefined && !names.has(dev)) {
      addrconfSysctlRegister(dev, ops)
      names.set(dev, { net: dev.net, name: dev.name, conf })
    }
    return 0
  }, -10)
}
