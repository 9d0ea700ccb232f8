/** /sys/class/net/BRIDGE/bridge and brif, and /sys/class/net/PORT/brport. */
import { Errno } from '../../uapi/errno.ts'
import type { KernfsNode } from '../core/kernfs.ts'
import { kstrtoul } from '../core/kstrtox.ts'
import type { NetDevice } from '../core/net_device.ts'
import { sysfsDir } from '../core/net_sysfs.ts'
import { bridgeOf, type NetBridge, type NetBridgePort, portOf } from './br.ts'
import { bridgeAttributes } from './br_sysfs_bridge.ts'
import { portAttributes } from './br_sysfs_port.ts'

/** A file of a bridge or port. */
export type BrAttribute = readonly [string, KernfsNode]

/** A file to read. */
export function showAttribute(name: string, read: () => string): BrAttribute {
  return [name, { kind: 'file', mode: 0o444, read: () => `${read()}\n` }]
}

/** A file to read and to write a number to. @param set 0 or a negative error */
export function storeAttribute(name: string, read: () => string, set: (value: number) => number): BrAttribute {
  return [name, { kind: 'file', mode: 0o644, read: () => `${read()}\n`, write: text => store(text, set) }]
}

/** A file to write only. */
export function flushAttribute(name: string, run: () => void): BrAttribute {
  return [
    name,
    {
      kind: 'file',
      mode: 0o200,
      write: text =>
        store(text, () => {
          run()
          return 0
        }),
    },
  ]
}

function store(text: string, set: (value: number) => number): number {
  const value = kstrtoul(text)
  if (value < 0) return -Errno.EINVAL
  const rc = set(value)
  return rc < 0 ? rc : text.length
}

const BRIDGES = new WeakMap<NetBridge, readonly BrAttribute[]>()
const PORTS = new WeakMap<NetBridgePort, readonly BrAttribute[]>()

function cached<K extends object>(
  map: WeakMap<K, readonly BrAttribute[]>,
  key: K,
  make: (key: K) => readonly BrAttribute[],
): readonly BrAttribute[] {
  let attributes = map.get(key)
  if (attributes === undefined) {
    attributes = make(key)
    map.set(key, attributes)
  }
  return attributes
}

/** The forwarding table as binary records of 16 bytes (`struct __fdb_entry`). */
function brforward(br: NetBridge): string {
  const { now } = br.dev.net.kernel.clock
  let text = ''
  for (const entry of br.fdb.list()) {
    if (entry.dst === undefined) continue
    const bytes = new Uint8Array(16)
    bytes.set(entry.address)
    bytes[6] = entry.dst.portNo & 0xff
    bytes[7] = entry.local ? 1 : 0
    if (!entry.isStatic) new DataView(bytes.buffer).setUint32(8, Math.floor((now - entry.updated) / 1e7), true)
    bytes[12] = entry.dst.portNo >> 8
    text += String.fromCharCode(...bytes)
  }
  return text
}

/** @returns what bridges and their ports add to a device's directory */
export function bridgeSysfs(dev: NetDevice): BrAttribute[] {
  const br = bridgeOf(dev)
  const port = portOf(dev)
  const out: BrAttribute[] = []
  if (br !== undefined)
    out.push(
      ['brforward', { kind: 'file', mode: 0o444, read: () => brforward(br) }],
      ['bridge', sysfsDir(() => cached(BRIDGES, br, bridgeAttributes))],
      [
        'brif',
        sysfsDir(() =>
          br.ports.map(each => [each.dev.name, { kind: 'link', target: `../../${each.dev.name}/brport` }] as const),
        ),
      ],
    )
  if (port !== undefined)
    out.push([
      'brport',
      sysfsDir(() => [
        ...cached(PORTS, port, portAttributes),
        ['bridge', { kind: 'link', target: `../../${port.br.dev.name}` }] as const,
      ]),
    ])
  return out
}
