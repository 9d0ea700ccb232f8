/** The command line of ping(8). */
import type { Process } from '../../src/uapi/process.ts'
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  IP_PMTUDISC_DO,
  IP_PMTUDISC_DONT,
  IP_PMTUDISC_WANT,
  SOCK_DGRAM,
  SOCK_RAW,
} from '../../src/uapi/socket.ts'
import { strtod } from '../lib/coreutils.ts'
import { ToolExit } from '../lib/errors.ts'
import { ipv4Number } from '../lib/getaddrinfo.ts'
import { parseDottedQuad, parseIpv6 } from '../lib/inet.ts'
import { type Console, INT_MAX, MAX_LONG, versionText } from '../lib/iputils.ts'
import { scanInteger } from '../lib/number.ts'
import { shortOptions } from '../lib/shortopt.ts'
import { USAGE } from './help.ts'
import { NodeInfo } from './node_info.ts'

const LETTERS = 'h?4bRT:6F:N:aABc:CdDe:fi:I:l:Lm:M:nOp:qQ:rs:S:t:UvVw:W:'

/** How many sequence numbers are told apart. */
export const MAX_DUP_CHK = 0x10000
/** Bytes of data where -s is absent. */
const DEFAULT_DATALEN = 56
/** How long to wait for the last answer where -W is absent, ms. */
const MAX_WAIT = 10_000
const MAX_TOS = 255
const FLOW_LABEL_MASK = 0xfffff

/** Kinds of the IP timestamp option, the numbers on the wire. */
export const TS_ONLY = 0
export const TS_AND_ADDR = 1
export const TS_PRESPEC = 3
const TIMESTAMP_TYPES: Readonly<Record<string, number>> = {
  tsonly: TS_ONLY,
  tsandaddr: TS_AND_ADDR,
  tsprespec: TS_PRESPEC,
}

const PMTUDISC: Readonly<Record<string, number>> = {
  do: IP_PMTUDISC_DO,
  dont: IP_PMTUDISC_DONT,
  want: IP_PMTUDISC_WANT,
}

/** What the command line asks for. */
export interface PingOptions {
  family: number
  /** what kind of socket to try first */
  socktype: number
  hosts: readonly string[]
  audible: boolean
  adaptive: boolean
  broadcast: boolean
  /** -B, or a source address */
  strictSource: boolean
  /** packets to send, 0 without end */
  count: number
  connect: boolean
  debug: boolean
  timestamps: boolean
  /** echo identifier, host order; -1: not given */
  ident: number
  flood: boolean
  flowlabel: number | undefined
  /** ms */
  interval: number
  intervalGiven: boolean
  device: string | undefined
  /** source addresses, unspecified where not given */
  source4: number
  source6: Uint8Array
  preload: number
  noLoop: boolean
  mark: number | undefined
  /** IP_PMTUDISC_…, -1: not given */
  pmtudisc: number
  numeric: boolean
  nodeInfo: NodeInfo
  outstanding: boolean
  pattern: string | undefined
  quiet: boolean
  tos: number
  recordRoute: boolean
  dontRoute: boolean
  datalen: number
  sndbuf: number
  timestampType: number | undefined
  ttl: number | undefined
  latency: boolean
  verbose: boolean
  /** s, 0 none */
  deadline: number
  /** ms, 0 for ever */
  linger: number
}

function defaults(argv0: string): PingOptions {
  return {
    family: argv0.endsWith('4') ? AF_INET : argv0.endsWith('6') ? AF_INET6 : AF_UNSPEC,
    socktype: SOCK_DGRAM,
    hosts: [],
    audible: false,
    adaptive: false,
    broadcast: false,
    strictSource: false,
    count: 0,
    connect: false,
    debug: false,
    timestamps: false,
    ident: -1,
    flood: false,
    flowlabel: undefined,
    interval: 1000,
    intervalGiven: false,
    device: undefined,
    source4: 0,
    source6: new Uint8Array(16),
    preload: 1,
    noLoop: false,
    mark: undefined,
    pmtudisc: -1,
    numeric: false,
    nodeInfo: new NodeInfo(),
    outstanding: false,
    pattern: undefined,
    quiet: false,
    tos: 0,
    recordRoute: false,
    dontRoute: false,
    datalen: DEFAULT_DATALEN,
    sndbuf: 0,
    timestampType: undefined,
    ttl: undefined,
    latency: false,
    verbose: false,
    deadline: 0,
    linger: MAX_WAIT,
  }
}

/** Ends the program with the usage. */
export function usage(): never {
  throw new ToolExit(USAGE, 2)
}

/** What an option does to the request. */
type Action = (opts: PingOptions, value: string, console: Console, proc: Process) => void | Promise<void>

const ACTIONS: Readonly<Record<string, Action>> = {
  '4': (opts, _value, console) => chooseFamily(opts, AF_INET, console),
  '6': (opts, _value, console) => chooseFamily(opts, AF_INET6, console),
  a: opts => void (opts.audible = true),
  A: opts => void (opts.adaptive = true),
  b: opts => void (opts.broadcast = true),
  B: opts => void (opts.strictSource = true),
  c: (opts, value, console) => void (opts.count = console.number(value, 1, MAX_LONG)),
  C: opts => void (opts.connect = true),
  d: opts => void (opts.debug = true),
  D: opts => void (opts.timestamps = true),
  e: (opts, value, console) => void (opts.ident = console.number(value, 0, 0xffff)),
  f: (opts, _value, console) => {
    opts.flood = true
    opts.numeric = true
    console.unbuffered = true
  },
  F: (opts, value, console) => void (opts.flowlabel = parseFlow(value, console)),
  i: async (opts, value, console) => {
    const seconds = await decimal(value, 'bad timing interval', console)
    if (seconds > INT_MAX / 1000) console.fail(2, `bad timing interval: ${value}`)
    opts.interval = Math.trunc(seconds * 1000)
    opts.intervalGiven = true
  },
  I: parseSource,
  l: (opts, value, console, proc) => {
    opts.preload = console.number(value, 1, MAX_DUP_CHK)
    if (proc.uid !== 0 && opts.preload > 3)
      console.fail(2, `cannot set preload to value greater than 3: ${opts.preload}`)
  },
  L: opts => void (opts.noLoop = true),
  m: (opts, value, console) => void (opts.mark = console.number(value, 0, 0xffffffff)),
  M: (opts, value, console) =>
    void (opts.pmtudisc = PMTUDISC[value] ?? console.fail(2, `invalid -M argument: ${value}`)),
  n: opts => void (opts.numeric = true),
  N: async (opts, value, console, proc) => {
    if (!(await opts.nodeInfo.option(proc, console, value))) usage()
    opts.socktype = SOCK_RAW
  },
  O: opts => void (opts.outstanding = true),
  p: (opts, value) => void (opts.pattern = value),
  q: opts => void (opts.quiet = true),
  Q: (opts, value, console) => void (opts.tos = parseTos(value, console)),
  r: opts => void (opts.dontRoute = true),
  R: (opts, _value, console) => {
    if (opts.timestampType !== undefined) console.fail(2, 'only one of -T or -R may be used')
    opts.recordRoute = true
  },
  s: (opts, value, console) => void (opts.datalen = console.number(value, 0, INT_MAX)),
  S: (opts, value, console) => void (opts.sndbuf = console.number(value, 1, INT_MAX)),
  t: (opts, value, console) => void (opts.ttl = console.number(value, 0, 255)),
  T: (opts, value, console) => {
    if (opts.recordRoute) console.fail(2, 'only one of -T or -R may be used')
    opts.timestampType = TIMESTAMP_TYPES[value] ?? console.fail(2, `invalid timestamp type: ${value}`)
  },
  U: opts => void (opts.latency = true),
  v: opts => void (opts.verbose = true),
  V: (_opts, _value, _console, proc) => {
    proc.stdout.write(versionText('ping'))
    throw new ToolExit('', 0)
  },
  w: (opts, value, console) => void (opts.deadline = console.number(value, 0, INT_MAX)),
  W: async (opts, value, console) => {
    const seconds = await decimal(value, 'bad linger time', console)
    if (seconds < 0 || seconds > INT_MAX / 1000) console.fail(2, `bad linger time: ${value}`)
    opts.linger = Math.trunc(seconds * 1000)
  },
}

function chooseFamily(opts: PingOptions, family: number, console: Console): void {
  if (opts.family !== AF_UNSPEC && opts.family !== family) console.fail(2, 'only one -4 or -6 option may be specified')
  opts.family = family
}

/** A number by strtod(3); what follows it is only complained about. */
async function decimal(word: string, message: string, console: Console): Promise<number> {
  if (word === '') console.fail(2, `${message}: ${word}`)
  const number = strtod(word)
  const rest = number === undefined ? word : number.rest
  if (rest !== '') {
    await console.warn(`option argument contains garbage: ${rest}`)
    await console.warn('this will become fatal error in the future')
  }
  const value = number?.value ?? 0
  if (!Number.isFinite(value)) console.fail(2, `${message}: ${word}: Numerical result out of range`)
  return value
}

/** Reads a number that is decimal, or hexadecimal after 0x. @returns undefined where anything follows it */
function hexOrDecimal(word: string): number | undefined {
  const hex = /^0[xX]/.test(word)
  const digits = hex ? word.slice(2) : word
  const { value, length } = scanInteger(digits, hex ? 16 : 10)
  return length === digits.length ? Number(BigInt.asIntN(32, value)) : undefined
}

function parseFlow(word: string, console: Console): number {
  const value = hexOrDecimal(word) ?? console.fail(2, `bad value for flowinfo: ${word}`)
  if ((value & ~FLOW_LABEL_MASK) !== 0) console.fail(2, `flow value is greater than 20 bits: ${word}`)
  return value
}

function parseTos(word: string, console: Console): number {
  const value = hexOrDecimal(word) ?? console.fail(2, `bad TOS value: ${word}`)
  if (value > MAX_TOS) console.fail(2, `the decimal value of TOS bits must be in range 0-255: ${value}`)
  return value
}

/** -I: an address of either family, or an interface. */
function parseSource(opts: PingOptions, value: string, console: Console): void {
  if (value.includes(':')) {
    const percent = value.indexOf('%')
    if (percent >= 0) opts.device = value.slice(percent + 1)
    const address = parseIpv6(percent < 0 ? value : value.slice(0, percent))
    opts.source6 = address ?? console.fail(2, `invalid source address: ${value}`)
    opts.strictSource = true
    return
  }
  const address = parseDottedQuad(value)
  if (address === undefined) {
    opts.device = value
    return
  }
  opts.source4 = ipv4Number(address)
  opts.strictSource = true
}

/** Reads the command line; wrong words end the program. */
export async function parseOptions(proc: Process, console: Console): Promise<PingOptions> {
  const opts = defaults(proc.argv[0] ?? '')
  const { options, operands } = shortOptions(proc.argv, LETTERS)
  for (const found of options) {
    if (found.error !== undefined) {
      proc.stderr.write(`${found.error}\n`)
      usage()
    }
    await (ACTIONS[found.letter] ?? usage)(opts, found.value, console, proc)
  }
  opts.hosts = operands
  return opts
}
