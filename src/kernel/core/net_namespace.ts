/**
 * `struct net`: a network namespace, and what every subsystem keeps in each (pernet state).
 * A subsystem makes a key once (`pernetKey`), registers its operations with the kernel, and reads its part of a
 * namespace by `net.at(key)`, which is an array access.
 */
import type { Kernel } from '../kernel.ts'
import type { NetDevice } from './net_device.ts'

/** Names one subsystem's part of a namespace, of type `T`. */
export interface PernetKey<T> {
  readonly id: number
  readonly name: string
  /** only for the type checker */
  readonly type?: T
}

let keys = 0

/** Makes a key; call it once, at module level. */
export function pernetKey<T>(name: string): PernetKey<T> {
  return { id: keys++, name }
}

/** What a subsystem does when a namespace is set up and taken down (`pernet_operations`). */
export interface PernetOperations {
  /** Fills in the subsystem's part (`net.set`); called in order of registration. */
  init(net: Net): void
  /** Gives it back; called in reverse order, after the namespace's devices have gone. */
  exit?(net: Net): void
  /** Called before devices are moved out or deleted. */
  preExit?(net: Net): void
}

/** A network namespace. */
export class Net {
  readonly kernel: Kernel
  /** inode number of its nsfs file, as in `net:[4026531840]` */
  readonly ino: number
  /** devices by index, in ascending order of index */
  readonly devices = new Map<number, NetDevice>()
  /** devices by name, alternative names included */
  readonly devicesByName = new Map<string, NetDevice>()
  /** the last index given out */
  ifindex = 0
  /** the loopback device; set while the namespace is set up */
  loopback!: NetDevice
  /** ids that this namespace has for others (peer netns ids), by namespace */
  readonly nsids = new Map<Net, number>()
  /** generation counter of device lists, `dev_base_seq` */
  devBaseSeq = 1
  /** true once it is being taken down: nothing new may appear in it */
  dying = false
  private refs = 1
  private readonly slots: unknown[] = []

  /** Used by Kernel. */
  constructor(kernel: Kernel, ino: number) {
    this.kernel = kernel
    this.ino = ino
  }

  /** @returns a subsystem's part */
  at<T>(key: PernetKey<T>): T {
    return this.slots[key.id] as T
  }

  /** Sets a subsystem's part. */
  set<T>(key: PernetKey<T>, value: T): void {
    while (this.slots.length <= key.id) this.slots.push(undefined)
    this.slots[key.id] = value
  }

  /** One more user (a process, an nsfs mount or an open file). */
  get(): this {
    this.refs++
    return this
  }

  /** One user less; after the last the namespace is taken down (cleanup_net, a moment later, as in Linux). */
  put(): void {
    if (--this.refs === 0) this.kernel.cleanupNet(this)
  }

  /** @returns whether anybody still uses it */
  get alive(): boolean {
    return this.refs > 0
  }

  /** @returns a device by name or alternative name */
  devByName(name: string): NetDevice | undefined {
    return this.devicesByName.get(name)
  }

  /** @returns a device by index */
  devByIndex(index: number): NetDevice | undefined {
    return this.devices.get(index)
  }
}
