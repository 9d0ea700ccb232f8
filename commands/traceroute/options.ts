/** The command line of traceroute(8), version 2.1.2. */
import { isSysError } from '../../src/uapi/errno.ts'
import type { Process } from '../../src/uapi/process.ts'
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { strtod } from '../lib/coreutils.ts'
import { ToolExit } from '../lib/errors.ts'
import { getaddrinfo, type HostAddress } from '../lib/getaddrinfo.ts'
import { scanInteger } from '../lib/number.ts'
import { Clif, type ClifArgument, type ClifOption } from './clif.ts'
import { METHODS } from './methods/index.ts'
import { leadingUnsigned } from './numbers.ts'

const VERSION = `Modern traceroute for Linux, version 2.1.2
Copyright (c) 2016  Dmitry Butskoy,   License: GPL v2 or any later
`

export const MAX_HOPS = 255
export const MAX_PROBES = 10
export const MAX_PACKET_LEN = 65_000
const MAX_GATEWAYS = 127
const MAX_METHOD_OPTIONS = 15

/** What the command line asks for. */
export interface TracerouteOptions {
  readonly proc: Process
  family: number
  debug: boolean
  dontFragment: boolean
  firstHop: number
  gateways: string[]
  method: string
  device: string | undefined
  maxHops: number
  /** probes under way at once */
  simProbes: number
  numeric: boolean
  /** destination port or first sequence number, 0: the method's own */
  port: number
  tos: number
  flowLabel: number
  /** s */
  waitMax: number
  hereFactor: number
  nearFactor: number
  probesPerHop: number
  dontRoute: boolean
  source: HostAddress | undefined
  sourcePort: number
  /** s */
  sendWait: number
  extensions: boolean
  asLookups: boolean
  methodOptions: string[]
  fwmark: number
  mtuDiscovery: boolean
  backward: boolean
  host: HostAddress | undefined
  hostName: string
  /** bytes, -1: not given */
  packetLen: number
}

/** What traceroute does where nothing is asked for. */
export function defaults(proc: Process): TracerouteOptions {
  const name = (proc.argv[0] ?? '').replace(/^.*\//, '')
  return {
    proc,
    family: name.endsWith('6') ? AF_INET6 : name.endsWith('4') ? AF_INET : AF_UNSPEC,
    debug: false,
    dontFragment: false,
    firstHop: 1,
    gateways: [],
    method: name.startsWith('tcp') ? 'tcp' : name.startsWith('tracert') ? 'icmp' : 'default',
    device: undefined,
    maxHops: 30,
    simProbes: 16,
    numeric: false,
    port: 0,
    tos: 0,
    flowLabel: 0,
    waitMax: 5,
    hereFactor: 3,
    nearFactor: 10,
    probesPerHop: 3,
    dontRoute: false,
    source: undefined,
    sourcePort: 0,
    sendWait: 0,
    extensions: false,
    asLookups: false,
    methodOptions: [],
    fwmark: 0,
    mtuDiscovery: false,
    backward: false,
    host: undefined,
    hostName: '',
    packetLen: -1,
  }
}

/** Looks a host up; complains where there is none. IPv4 is preferred where both would do. */
export async function findHost(proc: Process, name: string, family: number): Promise<HostAddress | undefined> {
  const found = await getaddrinfo(proc, name, family)
  if (typeof found === 'string') {
    proc.stderr.write(`${name}: ${found}\n`)
    return undefined
  }
  return found.find(host => host.family === (family === AF_UNSPEC ? AF_INET : family)) ?? found[0]
}

/** A port's number by its name in /etc/services. */
function servicePort(proc: Process, name: string): number | undefined {
  let text: string
  try {
    text = new TextDecoder().decode(proc.readFile('/etc/services'))
  } catch (error) {
    if (isSysError(error)) return undefined
    throw error
  }
  for (const line of text.split('\n')) {
    const [first, port, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (port !== undefined && (first === name || aliases.includes(name))) return Number.parseInt(port, 10)
  }
  return undefined
}

type Option = ClifOption<TracerouteOptions>

/** Makes a handler of one that always succeeds. */
function flag(set: (opts: TracerouteOptions) => void): Option['handle'] {
  return opts => {
    set(opts)
    return true
  }
}

/** Makes a handler of an unsigned number. */
function uint(set: (opts: TracerouteOptions, value: number) => void): Option['handle'] {
  return (opts, arg) => {
    const value = leadingUnsigned(arg)
    if (value !== undefined) set(opts, value)
    return value !== undefined
  }
}

/** Makes a handler of a port, by number or name. */
function port(set: (opts: TracerouteOptions, value: number) => void): Option['handle'] {
  return (opts, arg) => {
    const value = leadingUnsigned(arg) ?? servicePort(opts.proc, arg)
    if (value !== undefined) set(opts, value)
    return value !== undefined
  }
}

/** -w MAX,HERE,NEAR: what is absent counts as 0. */
function setWait(opts: TracerouteOptions, arg: string): boolean {
  opts.hereFactor = opts.nearFactor = 0
  const max = strtod(arg)
  if (max === undefined) return false
  opts.waitMax = max.value
  if (max.rest === '') return true
  const here = strtod(max.rest.slice(1))
  if (here === undefined) return false
  opts.hereFactor = here.value
  if (here.rest === '') return true
  const near = strtod(here.rest.slice(1))
  if (near === undefined || near.rest !== '') return false
  opts.nearFactor = near.value
  return true
}

function addMethodOption(opts: TracerouteOptions, arg: string): boolean {
  if (arg === 'help') {
    const list = METHODS[opts.method]?.options
    if (list === undefined) throw new ToolExit(`No options for module \`${opts.method}'\n`, 0)
    throw new ToolExit(new Clif([], list, undefined, true, () => {}).optionsHelp(), 0)
  }
  if (opts.methodOptions.length >= MAX_METHOD_OPTIONS) {
    opts.proc.stderr.write('Too many module options\n')
    return false
  }
  opts.methodOptions.push(arg)
  return true
}

const OPTIONS: readonly Option[] = [
  { short: '4', help: 'Use IPv4', handle: flag(opts => (opts.family = AF_INET)), extra: true },
  { short: '6', help: 'Use IPv6', handle: flag(opts => (opts.family = AF_INET6)) },
  { short: 'd', long: 'debug', help: 'Enable socket level debugging', handle: flag(opts => (opts.debug = true)) },
  {
    short: 'F',
    long: 'dont-fragment',
    help: 'Do not fragment packets',
    handle: flag(opts => (opts.dontFragment = true)),
    abbrev: true,
  },
  {
    short: 'f',
    long: 'first',
    arg: 'first_ttl',
    help: 'Start from the %s hop (instead from 1)',
    handle: uint((opts, value) => (opts.firstHop = value)),
  },
  {
    short: 'g',
    long: 'gateway',
    arg: 'gate',
    help: 'Route packets through the specified gateway (maximum 8 for IPv4 and 127 for IPv6)',
    handle: (opts, arg) => {
      if (opts.gateways.length >= MAX_GATEWAYS) {
        opts.proc.stderr.write('Too many gateways specified.')
        return false
      }
      opts.gateways.push(arg)
      return true
    },
    several: true,
  },
  { short: 'I', long: 'icmp', help: 'Use ICMP ECHO for tracerouting', handle: flag(opts => (opts.method = 'icmp')) },
  {
    short: 'T',
    long: 'tcp',
    help: 'Use TCP SYN for tracerouting (default port is 80)',
    handle: flag(opts => (opts.method = 'tcp')),
  },
  {
    short: 'i',
    long: 'interface',
    arg: 'device',
    help: 'Specify a network interface to operate with',
    handle: (opts, arg) => {
      opts.device = arg
      return true
    },
  },
  {
    short: 'm',
    long: 'max-hops',
    arg: 'max_ttl',
    help: 'Set the max number of hops (max TTL to be reached). Default is 30',
    handle: uint((opts, value) => (opts.maxHops = value)),
  },
  {
    short: 'N',
    long: 'sim-queries',
    arg: 'squeries',
    help: 'Set the number of probes to be tried simultaneously (default is 16)',
    handle: uint((opts, value) => (opts.simProbes = value)),
  },
  {
    short: 'n',
    help: 'Do not resolve IP addresses to their domain names',
    handle: flag(opts => (opts.numeric = true)),
  },
  {
    short: 'p',
    long: 'port',
    arg: 'port',
    help:
      'Set the destination port to use. It is either initial udp port value for "default" method (incremented by ' +
      'each probe, default is 33434), or initial seq for "icmp" (incremented as well, default from 1), or some ' +
      'constant destination port for other methods (with default of 80 for "tcp", 53 for "udp", etc.)',
    handle: port((opts, value) => (opts.port = value)),
  },
  {
    short: 't',
    long: 'tos',
    arg: 'tos',
    help: 'Set the TOS (IPv4 type of service) or TC (IPv6 traffic class) value for outgoing packets',
    handle: uint((opts, value) => (opts.tos = value)),
  },
  {
    short: 'l',
    long: 'flowlabel',
    arg: 'flow_label',
    help: 'Use specified %s for IPv6 packets',
    handle: uint((opts, value) => (opts.flowLabel = value)),
  },
  {
    short: 'w',
    long: 'wait',
    arg: 'MAX,HERE,NEAR',
    help:
      'Wait for a probe no more than HERE (default 3) times longer than a response from the same hop, or no more ' +
      'than NEAR (default 10) times than some next hop, or MAX (default 5.0) seconds (float point values allowed too)',
    handle: setWait,
  },
  {
    short: 'q',
    long: 'queries',
    arg: 'nqueries',
    help: 'Set the number of probes per each hop. Default is 3',
    handle: uint((opts, value) => (opts.probesPerHop = value)),
  },
  {
    short: 'r',
    help: 'Bypass the normal routing and send directly to a host on an attached network',
    handle: flag(opts => (opts.dontRoute = true)),
  },
  {
    short: 's',
    long: 'source',
    arg: 'src_addr',
    help: 'Use source %s for outgoing packets',
    handle: async (opts, arg) => {
      opts.source = await findHost(opts.proc, arg, opts.family)
      return opts.source !== undefined
    },
  },
  {
    short: 'z',
    long: 'sendwait',
    arg: 'sendwait',
    help:
      'Minimal time interval between probes (default 0). If the value is more than 10, then it specifies a number ' +
      'in milliseconds, else it is a number of seconds (float point values allowed too)',
    handle: (opts, arg) => {
      const number = strtod(arg)
      opts.sendWait = number?.value ?? 0
      return number !== undefined
    },
  },
  {
    short: 'e',
    long: 'extensions',
    help: 'Show ICMP extensions (if present), including MPLS',
    handle: flag(opts => (opts.extensions = true)),
    abbrev: true,
  },
  {
    short: 'A',
    long: 'as-path-lookups',
    help: 'Perform AS path lookups in routing registries and print results directly after the corresponding addresses',
    handle: flag(opts => (opts.asLookups = true)),
  },
  {
    short: 'M',
    long: 'module',
    arg: 'name',
    help: "Use specified module (either builtin or external) for traceroute operations. Most methods have their shortcuts (`-I' means `-M icmp' etc.)",
    handle: (opts, arg) => {
      opts.method = arg
      return true
    },
    extra: true,
  },
  {
    short: 'O',
    long: 'options',
    arg: 'OPTS',
    help:
      'Use module-specific option %s for the traceroute module. Several %s allowed, separated by comma. If %s is ' +
      '"help", print info about available options',
    handle: addMethodOption,
    several: true,
    extra: true,
  },
  {
    long: 'sport',
    arg: 'num',
    help: "Use source port %s for outgoing packets. Implies `-N 1'",
    handle: port((opts, value) => (opts.sourcePort = value)),
    extra: true,
  },
  {
    long: 'fwmark',
    arg: 'num',
    help: 'Set firewall mark for outgoing packets',
    handle: uint((opts, value) => (opts.fwmark = value)),
  },
  {
    short: 'U',
    long: 'udp',
    help: 'Use UDP to particular port for tracerouting (instead of increasing the port per each probe), default port is 53',
    handle: flag(opts => (opts.method = 'udp')),
    extra: true,
  },
  {
    long: 'UL',
    help: 'Use UDPLITE for tracerouting (default dest port is 53)',
    handle: flag(opts => (opts.method = 'udplite')),
    oneDash: true,
    extra: true,
  },
  {
    short: 'D',
    long: 'dccp',
    help: 'Use DCCP Request for tracerouting (default port is 33434)',
    handle: flag(opts => (opts.method = 'dccp')),
    extra: true,
  },
  {
    short: 'P',
    long: 'protocol',
    arg: 'prot',
    help: 'Use raw packet of protocol %s for tracerouting',
    handle: (opts, arg) => {
      opts.method = 'raw'
      return addMethodOption(opts, `protocol=${arg}`)
    },
    extra: true,
  },
  {
    long: 'mtu',
    help: "Discover MTU along the path being traced. Implies `-F -N 1'",
    handle: flag(opts => (opts.mtuDiscovery = true)),
    extra: true,
  },
  {
    long: 'back',
    help: 'Guess the number of hops in the backward path and print if it differs',
    handle: flag(opts => (opts.backward = true)),
    extra: true,
  },
  {
    short: 'V',
    long: 'version',
    help: 'Print version info and exit',
    handle: opts => {
      opts.proc.stderr.write(VERSION)
      return true
    },
    extra: true,
    exit: true,
  },
  {
    long: 'help',
    help: 'Read this help and exit',
    handle: opts => {
      opts.proc.stderr.write(commandLine(opts.proc).help())
      return true
    },
    extra: true,
    exit: true,
  },
]

const ARGUMENTS: readonly ClifArgument<TracerouteOptions>[] = [
  {
    name: 'host',
    help: 'The host to traceroute to',
    strict: true,
    handle: async (opts, arg) => {
      opts.host = await findHost(opts.proc, arg, opts.family)
      if (opts.host === undefined) return false
      opts.hostName = arg
      if (opts.family === AF_UNSPEC) opts.family = opts.host.family
      return true
    },
  },
  {
    name: 'packetlen',
    help:
      'The full packet length (default is the length of an IP header plus 40). Can be ignored or increased to a ' +
      'minimal allowed value',
    handle: (opts, arg) => {
      const { value, length } = scanInteger(arg, 0)
      opts.packetLen = Number(BigInt.asIntN(32, value))
      return length > 0
    },
  },
]

function commandLine(proc: Process): Clif<TracerouteOptions> {
  return new Clif(proc.argv, OPTIONS, ARGUMENTS, false, line => proc.stderr.write(`${line}\n`))
}

/** Reads the command line; wrong words, and options that only inform, end the program. */
export async function parseOptions(proc: Process): Promise<TracerouteOptions> {
  const opts = defaults(proc)
  const line = commandLine(proc)
  if (proc.argv.length <= 1) throw new ToolExit(line.help(), 0)
  const result = await line.parse(opts)
  if (result !== 'go on') throw new ToolExit('', result === 'exit' ? 0 : 2)
  return opts
}
