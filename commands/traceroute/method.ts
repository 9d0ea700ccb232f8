/** What a way of tracing consists of: one entry in METHODS for each. */
import type { Process } from '../../src/uapi/process.ts'
import type { Sockaddr } from '../../src/uapi/socket.ts'
import type { ClifOption } from './clif.ts'
import type { Tracer } from './tracer.ts'

/** One probe. */
export interface Probe {
  done: boolean
  /** the way ends with its hop */
  final: boolean
  /** who answered */
  from: Sockaddr | undefined
  /** ns since the epoch; 0: not sent, or no answer */
  sendTime: number
  recvTime: number
  /** TTL or hop limit of the answer, 0 unknown */
  recvTtl: number
  /** its own socket, -1 none */
  fd: number
  /** what the method knows it by, 0 none */
  seq: number
  /** printed in angle brackets after the address */
  ext: string | undefined
  /** printed after the time */
  error: string
}

/** What -O sets, for all methods together. */
export interface MethodSettings {
  readonly proc: Process
  raw: boolean
  dgram: boolean
  coverage: number
  protocol: number
  /** TCP flags, and whether they were given as a number */
  tcpFlags: number
  tcpExact: boolean
  ecn: boolean
  sack: boolean
  timestamps: boolean
  windowScaling: boolean
  sysctl: boolean
  reuse: boolean
  mss: number
  info: boolean
}

/** Finds the probe that a message answers. @param err the message is a quoted one, from the error queue */
export type CheckReply = (fd: number, err: boolean, from: Sockaddr | undefined, data: Uint8Array) => Probe | undefined

/** A way of tracing at work. */
export interface Method {
  /** Sends a probe: sets its `sendTime`, unless it is to be tried again later. */
  send(probe: Probe, ttl: number): Promise<void>
  receive(fd: number, events: number): Promise<void>
}

/** A way of tracing that can be chosen. */
export interface MethodEntry {
  /** bytes between the IP header and the data; 0 where the method makes them itself */
  readonly headerLen: number
  /** one probe at a time: answers cannot be told apart */
  readonly onePerTime?: boolean
  readonly options?: readonly ClifOption<MethodSettings>[]
  /** Opens what it needs. It may change `tracer.dataLen`. */
  readonly start: (tracer: Tracer, settings: MethodSettings) => Promise<Method>
}
