/** The attribute files that every directory in /sys/class/net has. */
import { Errno } from '../../uapi/errno.ts'
import { IF_OPER_DOWN } from '../../uapi/if.ts'
import { devChangeCarrier, devChangeProtoDown, devChangeTxQueueLen, devSetAlias, devSetMtu } from './dev_config.ts'
import { devChangeFlags } from './dev_flags.ts'
import { type KernfsNode, kernfsText } from './kernfs.ts'
import { kstrtoul } from './kstrtox.ts'
import { devGetIflink, netifDormant } from './link_watch.ts'
import { LINK_STATE_TESTING, NET_NAME_UNKNOWN, type NetDevice } from './net_device.ts'

const OPERSTATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up']
const INT_MAX = 0x7fffffff
const UEVENT_ACTIONS = ['add', 'remove', 'change', 'move', 'online', 'offline', 'bind', 'unbind']

type Attribute = readonly [string, KernfsNode]

function show(name: string, read: () => string | number): Attribute {
  return [name, kernfsText(() => line(read()))]
}

function line(value: string | number): string | number {
  return typeof value === 'string' ? `${value}\n` : value
}

/** A number in decimal; errors are negative and pass as they are, so callers give text for what may be negative. */
function text(value: number): string {
  return String(value)
}

/** A file that shows a value and, on writing a number, has it set. */
function store(name: string, read: () => string | number, set: (value: number) => number): Attribute {
  return [
    name,
    {
      kind: 'file',
      mode: 0o644,
      read: () => line(read()),
      write(data) {
        const value = kstrtoul(data)
        if (value < 0) return value
        const rc = set(value)
        return rc < 0 ? rc : data.length
      },
    },
  ]
}

function colonHex(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(':')
}

function whileRunning(dev: NetDevice, read: () => string): () => string | number {
  return () => (dev.running ? read() : -Errno.EINVAL)
}

/** Assigns and reports success. */
function assign(fn: () => void): number {
  fn()
  return 0
}

function carrierFile(dev: NetDevice): Attribute {
  const [name, node] = store(
    'carrier',
    whileRunning(dev, () => (dev.carrier ? '1' : '0')),
    value => (dev.running ? devChangeCarrier(dev, value !== 0) : -Errno.EINVAL),
  )
  if (node.kind !== 'file' || node.write === undefined) return [name, node]
  const { write } = node
  return [name, { ...node, write: data => (dev.ops.changeCarrier === undefined ? -Errno.EOPNOTSUPP : write(data)) }]
}

function aliasFile(dev: NetDevice): Attribute {
  return [
    'ifalias',
    {
      kind: 'file',
      mode: 0o644,
      read: () => (dev.ifalias === '' ? '' : `${dev.ifalias}\n`),
      write(data) {
        const rc = devSetAlias(dev, data.endsWith('\n') ? data.slice(0, -1) : data)
        return rc < 0 ? rc : data.length
      },
    },
  ]
}

function uevent(dev: NetDevice): Attribute {
  return [
    'uevent',
    {
      kind: 'file',
      mode: 0o644,
      read: () =>
        `${dev.devType === undefined ? '' : `DEVTYPE=${dev.devType}\n`}INTERFACE=${dev.name}\nIFINDEX=${dev.ifindex}\n`,
      write: data => (UEVENT_ACTIONS.includes(data.trim().split(' ')[0] ?? '') ? data.length : -Errno.EINVAL),
    },
  ]
}

/** @returns the files of a device by name */
export function netDeviceAttributes(dev: NetDevice): Attribute[] {
  const settings = (): ReturnType<NonNullable<NetDevice['ops']['getLinkKsettings']>> =>
    dev.running ? dev.ops.getLinkKsettings?.(dev) : undefined
  return [
    show('addr_assign_type', () => text(dev.addrAssignType)),
    show('addr_len', () => text(dev.addrLen)),
    show('address', () => colonHex(dev.devAddr)),
    show('broadcast', () => colonHex(dev.broadcast)),
    carrierFile(dev),
    show('carrier_changes', () => text(dev.carrierUpCount + dev.carrierDownCount)),
    show('carrier_down_count', () => text(dev.carrierDownCount)),
    show('carrier_up_count', () => text(dev.carrierUpCount)),
    show('dev_id', () => '0x0'),
    show('dev_port', () => '0'),
    show(
      'dormant',
      whileRunning(dev, () => (netifDormant(dev) ? '1' : '0')),
    ),
    show('duplex', () => settings()?.duplex ?? -Errno.EINVAL),
    store(
      'flags',
      () => `0x${dev.flags.toString(16)}`,
      value => devChangeFlags(dev, value),
    ),
    store(
      'gro_flush_timeout',
      () => text(dev.groFlushTimeout),
      value => assign(() => (dev.groFlushTimeout = value)),
    ),
    aliasFile(dev),
    show('ifindex', () => text(dev.ifindex)),
    show('iflink', () => text(devGetIflink(dev))),
    show('link_mode', () => text(dev.linkMode)),
    store(
      'mtu',
      () => text(dev.mtu),
      value => devSetMtu(dev, value | 0),
    ),
    show('name_assign_type', () =>
      dev.nameAssignType === NET_NAME_UNKNOWN ? -Errno.EINVAL : text(dev.nameAssignType),
    ),
    store(
      'napi_defer_hard_irqs',
      () => text(dev.napiDeferHardIrqs),
      value => (value > INT_MAX ? -Errno.ERANGE : assign(() => (dev.napiDeferHardIrqs = value))),
    ),
    store(
      'netdev_group',
      () => text(dev.group),
      value => assign(() => (dev.group = value)),
    ),
    show('operstate', () => OPERSTATES[dev.running ? dev.operstate : IF_OPER_DOWN] ?? -Errno.EINVAL),
    show('phys_port_id', () => -Errno.EOPNOTSUPP),
    show('phys_port_name', () => -Errno.EOPNOTSUPP),
    show('phys_switch_id', () => -Errno.EOPNOTSUPP),
    store(
      'proto_down',
      () => (dev.protoDown ? '1' : '0'),
      value => devChangeProtoDown(dev, value !== 0),
    ),
    show('speed', () => {
      const link = settings()
      return link === undefined ? -Errno.EINVAL : text(link.speed)
    }),
    show(
      'testing',
      whileRunning(dev, () => ((dev.state & LINK_STATE_TESTING) !== 0 ? '1' : '0')),
    ),
    store(
      'threaded',
      () => (dev.napiThreaded ? '1' : '0'),
      value => {
        if (!dev.hasNapi) return -Errno.EOPNOTSUPP
        if (value > 1) return -Errno.EOPNOTSUPP
        return assign(() => (dev.napiThreaded = value === 1))
      },
    ),
    store(
      'tx_queue_len',
      () => text(dev.txQueueLen),
      value => devChangeTxQueueLen(dev, value),
    ),
    show('type', () => text(dev.type)),
    uevent(dev),
  ]
}
