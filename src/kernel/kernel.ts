/**
 * One kernel: its clock, its namespaces, and the registries through which its parts find each other.
 * Everything the machine asks of it goes through here.
 */
import { Errno } from '../uapi/errno.ts'
import { Clock, NSEC_PER_MSEC } from './core/clock.ts'
import { NetCore } from './core/dev.ts'
import type { KernfsDir } from './core/kernfs.ts'
import { KernelLog } from './core/log.ts'
import type { NetDevice } from './core/net_device.ts'
import { Net, type PernetOperations } from './core/net_namespace.ts'
import { NotifierChain } from './core/notifier.ts'
import { NumberPool } from './core/number_pool.ts'
import { procNet, procNetInit } from './core/procfs.ts'
import { Random } from './core/random.ts'
import { Rtnetlink, type RtnlContext, type RtnlSocket } from './core/rtnetlink.ts'
import { SkbPool } from './core/skbuff.ts'
import type { Cred, Socket } from './core/socket.ts'
import { Softirq } from './core/softirq.ts'
import { sysctlNetInit, sysctlRoot } from './core/sysctl.ts'
import { Tracepoints } from './core/trace.ts'
import { INITCALLS } from './init.ts'

/** Events of devices that subsystems hear of. */
export type NetdevEvent =
  | 'REGISTER'
  | 'POST_INIT'
  | 'UNREGISTER'
  | 'PRE_UP'
  | 'UP'
  | 'GOING_DOWN'
  | 'DOWN'
  | 'CHANGE'
  | 'PRE_CHANGEADDR'
  | 'CHANGEADDR'
  | 'CHANGENAME'
  | 'PRECHANGEMTU'
  | 'CHANGEMTU'
  | 'PRECHANGEUPPER'
  | 'CHANGEUPPER'
  | 'FEAT_CHANGE'
  | 'CHANGEINFODATA'
  | 'NOTIFY_PEERS'
  | 'RESEND_IGMP'
  | 'CHANGE_TX_QUEUE_LEN'

/** What goes with an event. */
export interface NetdevEventInfo {
  /** CHANGE: which IFF_ flags changed */
  flagsChanged?: number
  /** PRECHANGEMTU: the new mtu; CHANGEMTU: the old one */
  mtu?: number
  /** CHANGEUPPER: the device above, and whether it is linked or unlinked */
  upper?: NetDevice
  linking?: boolean
  master?: boolean
  /** where a veto may leave its reason */
  extack?: { msg: string | undefined }
}

/** Creates sockets of one family (`net_proto_family`). */
export type SocketFamily = (net: Net, type: number, protocol: number, cred: Cred) => Socket | number

/** What a kernel is started with. */
export interface KernelOptions {
  /** seed of all randomness */
  readonly seed: number
  /** wall time at boot, ns since the epoch */
  readonly bootTime: number
  /** processors */
  readonly cpus: number
  /** network cards in the initial namespace: their driver's name and MAC address */
  readonly nics: readonly { readonly driver: string; readonly name: string; readonly mac: Uint8Array }[]
}

/** Inode number of the initial namespace, and the first that boot leaves for further ones. */
const INIT_NET_INO = 4026531840
const FIRST_INO = 4026532162
/** Files that a namespace adds to /proc: each takes a number too. */
const PROC_NET_FILES = 54

/** A running kernel. */
export class Kernel {
  readonly options: KernelOptions
  readonly clock = new Clock()
  readonly bootTime: number
  readonly cpus: number
  readonly random: Random
  readonly trace = new Tracepoints()
  readonly skbs: SkbPool
  readonly softirq = new Softirq(this.clock)
  readonly netcore: NetCore
  readonly rtnl = new Rtnetlink()
  readonly log: KernelLog
  /** devices: see NetdevEvent; a negative result vetoes the PRE… events and UP's PRE_UP */
  readonly netdevChain = new NotifierChain<[event: NetdevEvent, dev: NetDevice, info: NetdevEventInfo]>()
  /** socket families by AF_… */
  readonly families = new Map<number, SocketFamily>()
  /** living namespaces, oldest first */
  readonly nets = new Set<Net>()
  readonly initNet: Net
  private readonly pernet: PernetOperations[] = []
  /** inode numbers of namespaces and of files in /proc (proc_inum_ida) */
  readonly inos = new NumberPool(FIRST_INO)
  private readonly procInos = new WeakMap<Net, readonly number[]>()
  private sockIno = 20000

  constructor(options: KernelOptions) {
    this.options = options
    this.bootTime = options.bootTime
    this.cpus = options.cpus
    this.random = new Random(options.seed)
    this.skbs = new SkbPool(this.trace)
    this.log = new KernelLog(() => this.clock.now)
    this.netcore = new NetCore(this)
    this.registerPernet({ init: sysctlNetInit })
    this.registerPernet({ init: procNetInit })
    for (const init of INITCALLS) init(this)
    this.initNet = this.setupNet(INIT_NET_INO)
  }

  /** Registers what a subsystem does with every namespace; only while the kernel is being built. */
  registerPernet(ops: PernetOperations): void {
    this.pernet.push(ops)
  }

  /** Makes a namespace with one user (copy_net_ns). */
  createNet(): Net {
    const net = this.setupNet(this.inos.allocate())
    this.procInos.set(
      net,
      Array.from({ length: PROC_NET_FILES }, () => this.inos.allocate()),
    )
    return net
  }

  private setupNet(ino: number): Net {
    const net = new Net(this, ino)
    this.nets.add(net)
    for (const ops of this.pernet) ops.init(net)
    return net
  }

  /** Used by Net.put: takes a namespace down, a moment later (the cleanup work waits for a grace period). */
  cleanupNet(net: Net): void {
    net.dying = true
    this.clock.after(50 * NSEC_PER_MSEC, () => {
      for (const other of this.nets) this.netIdGone?.(other, net)
      for (const ops of this.pernet) ops.preExit?.(net)
      for (const ops of [...this.pernet].reverse()) ops.exit?.(net)
      this.nets.delete(net)
      for (const ino of [net.ino, ...(this.procInos.get(net) ?? [])]) this.inos.free(ino)
      for (const other of this.nets) other.nsids.delete(net)
      this.softirq.flush()
    })
  }

  /** set by rtnetlink's nsid code: tells listeners that an id ends */
  netIdGone: ((net: Net, gone: Net) => void) | undefined

  /** Opens a socket (sock_create). @returns a negative error */
  socket(net: Net, domain: number, type: number, protocol: number, cred: Cred): Socket | number {
    const family = this.families.get(domain)
    if (family === undefined) return -Errno.EAFNOSUPPORT
    return family(net, type, protocol, cred)
  }

  /** Opens a NETLINK_ROUTE socket. */
  netlinkRoute(ctx: Omit<RtnlContext, 'extack'>): RtnlSocket {
    return this.rtnl.open(ctx)
  }

  /** @returns the next socket inode number */
  nextSockIno(): number {
    return this.sockIno++
  }

  /** @returns /proc/net of a namespace */
  procNet(net: Net): KernfsDir {
    return procNet(net)
  }

  /** @returns /proc/sys as seen from a namespace */
  procSys(net: Net): KernfsDir {
    return sysctlRoot(net)
  }

  /** /sys/class/net of a namespace; set by net-sysfs */
  sysClassNet: (net: Net) => KernfsDir = () => ({ kind: 'dir', mode: 0o555, list: () => [], lookup: () => undefined })

  /** wall time now, ns since the epoch */
  get realtime(): number {
    return this.bootTime + this.clock.now
  }
}
