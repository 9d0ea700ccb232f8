/**
 * A process whose network is a script, in virtual time: enough of sockets to run ping and its kin. Packets that are
 * sent go to the script, which schedules what comes back.
 */
import { Errno, SysError } from '../../src/uapi/errno.ts'
import { POLLERR, POLLIN, POLLOUT } from '../../src/uapi/fs.ts'
import { NLM_F_DUMP } from '../../src/uapi/netlink.ts'
import type { Process, Program, SignalHandler } from '../../src/uapi/process.ts'
import {
  type AddrMessage,
  type LinkMessage,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
  type RtMessage,
} from '../../src/uapi/rtnetlink.ts'
import {
  AF_INET,
  AF_INET6,
  AF_PACKET,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  MSG_PEEK,
  type ReceivedMessage,
  SO_BINDTODEVICE,
  SO_ERROR,
  SO_RCVTIMEO,
  SOL_SOCKET,
  type Sockaddr,
  type SockExtendedErr,
} from '../../src/uapi/socket.ts'

/** An open socket of the fake. */
export interface FakeSocket {
  readonly fd: number
  readonly domain: number
  readonly type: number
  readonly protocol: number
  readonly queue: ReceivedMessage[]
  readonly errors: ReceivedMessage[]
  /** pending error, 0 none */
  err: number
  rcvtimeo: number
  /** options that were set, by `level/option` */
  readonly options: Map<string, unknown>
  bound: Sockaddr | undefined
  peer: Sockaddr | undefined
}

/** What the script may decide; each throws SysError to fail the call. */
export interface Script {
  /** a packet is sent */
  send?: (net: FakeNet, sock: FakeSocket, data: Uint8Array, to: Sockaddr | undefined) => void
  socket?: (domain: number, type: number, protocol: number) => void
  connect?: (net: FakeNet, sock: FakeSocket, to: Sockaddr) => void
  bind?: (sock: FakeSocket, address: Sockaddr) => void
  setsockopt?: (sock: FakeSocket, level: number, option: number, value: unknown) => void
  getsockopt?: (sock: FakeSocket, level: number, option: number) => number | undefined
  files?: Readonly<Record<string, string>>
  links?: readonly LinkMessage[]
  addresses?: readonly AddrMessage[]
  uid?: number
}

/** What a run left behind. */
export interface Outcome {
  readonly stdout: string
  readonly stderr: string
  readonly status: number
  readonly net: FakeNet
}

interface Event {
  readonly at: number
  readonly run: () => void
}

/** ns since the epoch at boot: 2023-11-14 22:13:20 UTC */
const BOOT = 1_700_000_000 * 1e9

export const MS = 1e6

/** @returns a link as a dump shows it */
export function link(index: number, ifname: string, fields: Partial<LinkMessage> = {}): LinkMessage {
  const attrs = { ifname, address: Uint8Array.of(2, 0, 0, 0, 0, index), broadcast: new Uint8Array(6).fill(255) }
  return {
    type: RTM_NEWLINK,
    flags: 0,
    family: 0,
    hatype: 1,
    index,
    ifFlags: 0x1043,
    change: 0,
    ...fields,
    attrs: { ...attrs, ...fields.attrs },
  }
}

/** @returns an address as a dump shows it */
export function address(index: number, family: number, addr: readonly number[], label?: string): AddrMessage {
  const bytes = Uint8Array.from(addr)
  return {
    type: RTM_NEWADDR,
    flags: 0,
    family,
    prefixlen: 24,
    ifaFlags: 0,
    scope: 0,
    index,
    attrs: { address: bytes, local: bytes, ...(label === undefined ? {} : { label }) },
  }
}

/** The fake network and its process. */
export class FakeNet {
  readonly script: Script
  /** ns since boot */
  now = 1e9
  readonly sockets = new Map<number, FakeSocket>()
  /** every packet that was sent, with the time in ns */
  readonly sent: { readonly at: number; readonly data: Uint8Array; readonly to: Sockaddr | undefined }[] = []
  /** local addresses that the kernel would choose */
  source4 = 0x0a000001
  source6 = Uint8Array.from([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  private events: Event[] = []
  private handlers = new Map<number, SignalHandler>()
  private interrupted = false
  private nextFd = 3
  private out = ''
  private err = ''
  private readonly argv: readonly string[]

  constructor(argv: readonly string[], script: Script) {
    this.argv = argv
    this.script = script
  }

  /** Lets something happen later. @param delay ns */
  after(delay: number, run: () => void): void {
    this.events.push({ at: this.now + delay, run })
    this.events.sort((a, b) => a.at - b.at)
  }

  /** Sends the process a signal later. */
  signalAfter(delay: number, signal: number): void {
    this.after(delay, () => {
      const handler = this.handlers.get(signal)
      if (typeof handler === 'function') {
        handler(signal)
        this.interrupted = true
      }
    })
  }

  /** A message arrives on a socket later. */
  deliver(sock: FakeSocket, delay: number, message: Partial<ReceivedMessage> & { readonly data: Uint8Array }): void {
    this.after(delay, () =>
      sock.queue.push({
        length: message.data.length,
        flags: 0,
        ...message,
        control: { timestamp: BOOT + this.now, ...message.control },
      }),
    )
  }

  /** An error arrives in a socket's error queue later. @param pending also sets the socket's pending error */
  fail(
    sock: FakeSocket,
    delay: number,
    err: SockExtendedErr,
    data: Uint8Array,
    from: Sockaddr,
    pending = true,
    control: ReceivedMessage['control'] = {},
  ): void {
    this.after(delay, () => {
      sock.errors.push({
        data,
        length: data.length,
        flags: MSG_ERRQUEUE,
        from,
        control: { timestamp: BOOT + this.now, ...control, err },
      })
      if (pending) sock.err = err.errno
    })
  }

  /** Advances to a time, or to the next event before it. @returns whether there was an event */
  private step(deadline: number): boolean {
    const [event] = this.events
    if (event === undefined || event.at > deadline) {
      if (!Number.isFinite(deadline)) throw new Error('the process waits for ever')
      this.now = Math.max(this.now, deadline)
      return false
    }
    this.events.shift()
    this.now = Math.max(this.now, event.at)
    event.run()
    return true
  }

  private catchUp(): void {
    while (this.events[0] !== undefined && this.events[0].at <= this.now) this.step(this.now)
  }

  /** Waits until `ready` gives something, a signal comes, or the time is up. */
  private waitFor<T>(deadline: number, ready: () => T | undefined): T | undefined {
    this.catchUp()
    for (;;) {
      const result = ready()
      if (result !== undefined) return result
      if (this.interrupted) {
        this.interrupted = false
        throw new SysError(Errno.EINTR)
      }
      if (!this.step(deadline) && this.now >= deadline) return ready()
    }
  }

  private sock(fd: number): FakeSocket {
    const sock = this.sockets.get(fd)
    if (sock === undefined) throw new SysError(Errno.EBADF)
    return sock
  }

  private netlink(request: RtMessage): RtMessage[] {
    const { links = [], addresses = [] } = this.script
    if (request.type === RTM_GETADDR) return [...addresses]
    if (request.type !== RTM_GETLINK) throw new SysError(Errno.EOPNOTSUPP)
    const { index, attrs, flags } = request as LinkMessage
    if ((flags & NLM_F_DUMP) === NLM_F_DUMP) return [...links]
    const found = links.find(item =>
      attrs.ifname === undefined ? item.index === index : item.attrs.ifname === attrs.ifname,
    )
    if (found === undefined) throw new SysError(Errno.ENODEV)
    return [found]
  }

  private recv(fd: number, max: number, flags: number): ReceivedMessage {
    const sock = this.sock(fd)
    if ((flags & MSG_ERRQUEUE) !== 0) {
      this.catchUp()
      const error = sock.errors.shift()
      if (error === undefined) throw new SysError(Errno.EAGAIN)
      sock.err = sock.errors[0]?.control.err?.errno ?? 0
      return { ...error, data: error.data.slice(0, max) }
    }
    const deadline =
      (flags & MSG_DONTWAIT) !== 0
        ? this.now
        : sock.rcvtimeo === 0
          ? Number.POSITIVE_INFINITY
          : this.now + sock.rcvtimeo
    const message = this.waitFor(deadline, () => {
      if (sock.err !== 0) {
        const { err } = sock
        sock.err = 0
        throw new SysError(err)
      }
      return (flags & MSG_PEEK) !== 0 ? sock.queue[0] : sock.queue.shift()
    })
    if (message === undefined) throw new SysError(Errno.EAGAIN)
    return { ...message, data: message.data.slice(0, max) }
  }

  private events4(sock: FakeSocket, wanted: number): number {
    let events = (wanted & POLLOUT) !== 0 && sock.options.get('writable') !== false ? POLLOUT : 0
    if (sock.queue.length > 0) events |= POLLIN
    if (sock.errors.length > 0 || sock.err !== 0) events |= POLLERR
    return events
  }

  /** @returns the process, to be given to a program */
  process(): Process {
    const part = {
      argv: this.argv,
      pid: 4321,
      uid: this.script.uid ?? 0,
      gid: 0,
      env: new Map<string, string>(),
      stdout: {
        fd: 1,
        write: (data: string | Uint8Array) => {
          this.out += typeof data === 'string' ? data : new TextDecoder().decode(data)
        },
        flush: async () => {},
      },
      stderr: {
        fd: 2,
        write: (data: string | Uint8Array) => {
          this.err += typeof data === 'string' ? data : new TextDecoder().decode(data)
        },
        flush: async () => {},
      },
      isatty: () => false,
      realtime: () => BOOT + this.now,
      monotonic: () => this.now,
      nanosleep: async (ns: number) => {
        this.waitFor(this.now + ns, () => undefined)
      },
      yield: async () => {
        this.step(this.now + 1000)
      },
      signal: (signal: number, handler: SignalHandler) => {
        this.handlers.set(signal, handler)
      },
      readFile: (path: string) => {
        const text = this.script.files?.[path]
        if (text === undefined) throw new SysError(Errno.ENOENT)
        return new TextEncoder().encode(text)
      },
      netlink: () => ({
        request: (message: RtMessage) => this.netlink(message),
        subscribe: () => {},
        listenAllNsid: () => {},
        receive: () => Promise.reject(new SysError(Errno.EINTR)),
        close: () => {},
      }),
      socket: (domain: number, type: number, protocol: number) => {
        this.script.socket?.(domain, type, protocol)
        const fd = this.nextFd++
        this.sockets.set(fd, {
          fd,
          domain,
          type,
          protocol,
          queue: [],
          errors: [],
          err: 0,
          rcvtimeo: 0,
          options: new Map(),
          bound: undefined,
          peer: undefined,
        })
        return fd
      },
      close: (fd: number) => {
        this.sockets.delete(fd)
        if (fd === this.nextFd - 1) this.nextFd--
      },
      bind: (fd: number, to: Sockaddr) => {
        this.script.bind?.(this.sock(fd), to)
        this.sock(fd).bound = to
      },
      connect: async (fd: number, to: Sockaddr) => {
        this.script.connect?.(this, this.sock(fd), to)
        this.sock(fd).peer = to
      },
      getsockname: (fd: number): Sockaddr => {
        const { domain, bound } = this.sock(fd)
        if (bound !== undefined && bound.family !== AF_PACKET && bound.family !== AF_INET && bound.family !== AF_INET6)
          return bound
        if (domain === AF_INET)
          return {
            family: AF_INET,
            addr: bound?.family === AF_INET && bound.addr !== 0 ? bound.addr : this.source4,
            port: bound?.family === AF_INET && bound.port !== 0 ? bound.port : 40_000 + fd,
          }
        if (domain === AF_INET6) return { family: AF_INET6, addr: this.source6, port: 40_000 + fd }
        if (bound?.family === AF_PACKET) {
          const entry = this.script.links?.find(item => item.index === bound.ifindex)
          return { ...bound, hatype: entry?.hatype ?? 0, addr: entry?.attrs.address ?? new Uint8Array(0) }
        }
        throw new SysError(Errno.EINVAL)
      },
      setsockopt: (fd: number, level: number, option: number, value: unknown) => {
        const sock = this.sock(fd)
        this.script.setsockopt?.(sock, level, option, value)
        if (level === SOL_SOCKET && option === SO_RCVTIMEO && typeof value === 'number') sock.rcvtimeo = value
        if (level === SOL_SOCKET && option === SO_BINDTODEVICE && typeof value === 'string' && value !== '')
          if (!this.script.links?.some(item => item.attrs.ifname === value)) throw new SysError(Errno.ENODEV)
        sock.options.set(`${level}/${option}`, value)
      },
      getsockopt: (fd: number, level: number, option: number) => {
        const sock = this.sock(fd)
        const scripted = this.script.getsockopt?.(sock, level, option)
        if (scripted !== undefined) return scripted
        if (level === SOL_SOCKET && option === SO_ERROR) {
          const { err } = sock
          sock.err = 0
          return err
        }
        const value = sock.options.get(`${level}/${option}`)
        return typeof value === 'number' ? value * 2 : 0
      },
      sendto: async (fd: number, data: Uint8Array, _flags: number, to?: Sockaddr) => {
        const sock = this.sock(fd)
        if (sock.err !== 0) {
          const { err } = sock
          sock.err = 0
          throw new SysError(err)
        }
        const copy = data.slice()
        this.script.send?.(this, sock, copy, to ?? sock.peer)
        this.sent.push({ at: this.now, data: copy, to: to ?? sock.peer })
        return data.length
      },
      recvmsg: async (fd: number, max: number, flags: number) => this.recv(fd, max, flags),
      poll: async (fds: readonly { fd: number; events: number }[], timeout: number) => {
        const look = (): number[] | undefined => {
          const found = fds.map(({ fd, events }) => this.events4(this.sock(fd), events))
          return found.some(events => events !== 0) ? found : undefined
        }
        return this.waitFor(this.now + timeout, look) ?? fds.map(() => 0)
      },
    }
    return part as unknown as Process
  }

  /** Runs a program to its end. */
  async run(main: Program): Promise<Outcome> {
    const status = await main(this.process())
    return { stdout: this.out, stderr: this.err, status, net: this }
  }
}
