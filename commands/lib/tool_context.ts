/**
 * What `ip` and `bridge` give every object of theirs: the process, the global options, rtnetlink, and the helpers all
 * share. commands/ip/context.ts says how an object is written.
 */
import type { NetlinkSocket } from '../../src/uapi/netlink.ts'
import type { Process } from '../../src/uapi/process.ts'
import type { RtMessage } from '../../src/uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../src/uapi/socket.ts'
import { EXIT_USAGE, nodev, ToolExit } from './errors.ts'
import { formatAddress } from './inet.ts'
import { LinkMap } from './link_map.ts'
import { createNameTables, type NameTables } from './names.ts'
import { NsidNames } from './netns.ts'
import { type ColorScheme, endListing, JsonPrinter, type Printer, startListing, TextPrinter } from './printer.ts'
import { HostNames } from './resolve.ts'
import { dump, talk } from './rtnl.ts'

/** The options before the object's name. Counts are how often an option was given. */
export interface ToolOptions {
  /** AF_…; AF_UNSPEC: none was asked for */
  family: number
  json: boolean
  pretty: boolean
  details: number
  stats: number
  oneline: boolean
  brief: boolean
  human: boolean
  /** -iec: powers of 1024 */
  iec: boolean
  numeric: boolean
  resolve: boolean
  color: ColorScheme
  /** -t, -ts: how monitors stamp their lines */
  timestamp: boolean
  timestampShort: boolean
  /** -loops: rounds of a flush, 0 means without limit */
  maxFlushLoops: number
  force: boolean
  batch: string | undefined
  all: boolean
  rcvbuf: number
}

/** @returns the options where none is given */
export function defaultOptions(): ToolOptions {
  return {
    family: AF_UNSPEC,
    json: false,
    pretty: false,
    details: 0,
    stats: 0,
    oneline: false,
    brief: false,
    human: false,
    iec: false,
    numeric: false,
    resolve: false,
    color: 'off',
    timestamp: false,
    timestampShort: false,
    maxFlushLoops: 10,
    force: false,
    batch: undefined,
    all: false,
    rcvbuf: 1024 * 1024,
  }
}

/** The context of one run of a tool. */
export interface ToolContext {
  readonly proc: Process
  readonly opts: ToolOptions
  /** a NETLINK_ROUTE socket in the namespace chosen by -n */
  readonly nl: NetlinkSocket
  readonly links: LinkMap
  readonly names: NameTables
  /** names of namespace ids */
  readonly nsidNames: NsidNames
  /** whether this command is a line of a batch */
  readonly batch: boolean
  /** Sends a request; CommandFailure (status 2 unless said otherwise) with the kernel's complaint. */
  talk(message: RtMessage, status?: number): RtMessage[]
  /** Dumps; CommandFailure, status 1 unless said otherwise, with the complaint and `Dump terminated`. */
  dump(message: RtMessage, terminated?: string, status?: number): RtMessage[]
  /** Runs `body` over a new listing: the opened JSON array, or text. */
  listing<T>(body: (out: Printer) => T): T
  /** A printer that always writes text, for monitors and special lines. */
  textPrinter(): Printer
  /** Writes a line (with its newline) to standard error; the command goes on. */
  warn(text: string): void
  /** Leaves with a help text on standard error, status 255. */
  usage(text: string): never
  /** Index of a device, or the failure `Cannot find device "x"`, status 1. */
  index(dev: string): number
  /** An address's text; with -r its host name where /etc/hosts has one (format_host). */
  formatHost(family: number, bytes: Uint8Array): string
}

/** @returns the context of a run of a tool in the process's present namespace */
export function createContext(proc: Process, opts: ToolOptions, nl: NetlinkSocket, batch: boolean): ToolContext {
  const links = new LinkMap(nl)
  const hosts = new HostNames(proc)
  const createPrinter = (): Printer =>
    opts.json ? new JsonPrinter(proc.stdout, opts.pretty) : new TextPrinter(proc.stdout, opts.oneline, opts.color)
  return {
    proc,
    opts,
    nl,
    links,
    names: createNameTables(proc, () => opts.numeric),
    nsidNames: new NsidNames(proc, nl),
    batch,
    talk: (message, status) => talk(nl, message, status),
    dump: (message, terminated, status) => dump(nl, message, terminated, status),
    listing(body) {
      const out = createPrinter()
      startListing(out)
      const result = body(out)
      endListing(out)
      return result
    },
    textPrinter: () => new TextPrinter(proc.stdout, opts.oneline, opts.color),
    warn: text => proc.stderr.write(text),
    usage(text) {
      throw new ToolExit(text, EXIT_USAGE)
    },
    index(dev) {
      const index = links.nameToIndex(dev)
      if (index === 0) throw nodev(dev)
      return index
    },
    formatHost: (family, bytes) =>
      (opts.resolve ? hosts.lookup(formatAddress(family, bytes)) : undefined) ?? formatAddress(family, bytes),
  }
}
