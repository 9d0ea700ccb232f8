/** A kernel and a few words to speak rtnetlink with it, for tests of devices. */

import type { KernfsNode } from '../../../src/kernel/core/kernfs.ts'
import type { NetDevice } from '../../../src/kernel/core/net_device.ts'
import type { Net } from '../../../src/kernel/core/net_namespace.ts'
import type { RtnlSocket } from '../../../src/kernel/core/rtnetlink.ts'
import { Kernel } from '../../../src/kernel/kernel.ts'
import { errnoName } from '../../../src/uapi/errno.ts'
import type { LinkInfo } from '../../../src/uapi/if_link.ts'
import {
  NetlinkError,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
} from '../../../src/uapi/netlink.ts'
import {
  type LinkAttrs,
  type LinkMessage,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  type RtMessage,
} from '../../../src/uapi/rtnetlink.ts'

/** One second, ns. */
export const SECOND = 1e9

/** Bytes of an address written with colons. */
export function mac(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), byte => Number.parseInt(byte, 16))
}

/** An address written with colons. */
export function macText(bytes: Uint8Array | undefined): string {
  return [...(bytes ?? [])].map(byte => byte.toString(16).padStart(2, '0')).join(':')
}

/** A kernel with its namespaces under test. */
export class Lab {
  readonly kernel = new Kernel({ seed: 1, bootTime: 0, cpus: 2, nics: [] })
  readonly net: Net
  private readonly fds = new Map<number, Net>()
  private nextFd = 100

  constructor() {
    this.net = this.createNet()
  }

  /** A namespace without IPv6, whose own traffic would disturb counters. */
  createNet(): Net {
    const net = this.kernel.createNet()
    for (const which of ['all', 'default']) {
      let node: KernfsNode | undefined = this.kernel.procSys(net)
      for (const part of ['net', 'ipv6', 'conf', which, 'disable_ipv6'])
        node = node?.kind === 'dir' ? node.lookup(part) : undefined
      if (node?.kind === 'file') node.write?.('1\n')
    }
    return net
  }

  /** a number that stands for a namespace in messages */
  fd(net: Net): number {
    const fd = this.nextFd++
    this.fds.set(fd, net)
    return fd
  }

  socket(net = this.net): RtnlSocket {
    return this.kernel.netlinkRoute({
      net,
      cred: { uid: 0, gid: 0, pid: 1, comm: 'test' },
      netByFd: fd => this.fds.get(fd),
      netByPid: () => undefined,
    })
  }

  request(msg: RtMessage, net = this.net): RtMessage[] {
    return this.socket(net).request(msg)
  }

  link(type: LinkMessage['type'], attrs: LinkAttrs, rest: Partial<LinkMessage> = {}): LinkMessage {
    return {
      type,
      flags: NLM_F_REQUEST | NLM_F_ACK,
      family: 0,
      hatype: 0,
      index: 0,
      ifFlags: 0,
      change: 0,
      attrs,
      ...rest,
    }
  }

  /** `ip link add` */
  add(name: string | undefined, linkinfo: LinkInfo, attrs: LinkAttrs = {}, net = this.net, index = 0): void {
    const flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
    const named = name === undefined ? {} : { ifname: name }
    this.request(this.link(RTM_NEWLINK, { ...named, linkinfo, ...attrs }, { flags, index }), net)
  }

  /** `ip link set NAME …` */
  set(name: string, attrs: LinkAttrs, rest: Partial<LinkMessage> = {}, net = this.net): void {
    this.request(this.link(RTM_NEWLINK, attrs, { index: this.dev(name, net).ifindex, ...rest }), net)
  }

  up(name: string, net = this.net): void {
    this.set(name, {}, { ifFlags: 1, change: 1 }, net)
  }

  down(name: string, net = this.net): void {
    this.set(name, {}, { ifFlags: 0, change: 1 }, net)
  }

  del(name: string, net = this.net): void {
    this.request(this.link(RTM_DELLINK, {}, { index: this.dev(name, net).ifindex }), net)
  }

  /** `ip link show NAME` */
  show(name: string, net = this.net): LinkMessage {
    return this.request(this.link(RTM_GETLINK, { ifname: name }), net)[0] as LinkMessage
  }

  /** `ip link show` */
  list(net = this.net, attrs: LinkAttrs = {}): LinkMessage[] {
    const flags = NLM_F_REQUEST | NLM_F_DUMP
    return this.request(this.link(RTM_GETLINK, attrs, { flags }), net) as LinkMessage[]
  }

  names(net = this.net): string[] {
    return this.list(net).map(each => each.attrs.ifname ?? '')
  }

  dev(name: string, net = this.net): NetDevice {
    const dev = net.devByName(name)
    if (dev === undefined) throw new Error(`no ${name}`)
    return dev
  }

  veth(a: string, b: string, net = this.net): void {
    const peer = this.link(RTM_NEWLINK, { ifname: b })
    this.add(a, { kind: 'veth', data: { peer } }, {}, net)
  }

  /** lets virtual time pass, s */
  sleep(seconds: number): void {
    this.kernel.clock.runUntil(this.kernel.clock.now + seconds * SECOND)
  }
}

/** @returns what a request failed with, such as `EINVAL` or `EINVAL: text` */
export function failure(fn: () => unknown): string {
  try {
    fn()
  } catch (thrown) {
    if (!(thrown instanceof NetlinkError)) throw thrown
    const name = errnoName(thrown.errno)
    return thrown.extack === undefined ? name : `${name}: ${thrown.extack}`
  }
  return 'ok'
}

/** @returns what reading a file of a tree gives, `-> TARGET` for a link, the names in a directory, undefined where there is none */
export function readNode(root: KernfsNode, path: string): string | number | readonly string[] | undefined {
  const node = nodeAt(root, path)
  if (node === undefined) return undefined
  if (node.kind === 'link') return `-> ${node.target}`
  if (node.kind === 'dir') return [...node.list()]
  return node.read?.()
}

/** Writes a file of a tree. @returns bytes taken, or a negative error */
export function writeNode(root: KernfsNode, path: string, text: string): number {
  const node = nodeAt(root, path)
  if (node?.kind !== 'file' || node.write === undefined) throw new Error(`cannot write ${path}`)
  return node.write(text)
}

function nodeAt(root: KernfsNode, path: string): KernfsNode | undefined {
  let node: KernfsNode | undefined = root
  for (const part of path.split('/')) node = node?.kind === 'dir' ? node.lookup(part) : undefined
  return node
}
