/** traceroute 2.1.2: finds the way to a host by packets that die on it. */
import type { Process, Program } from '../../src/uapi/process.ts'
import { AF_INET } from '../../src/uapi/socket.ts'
import { ToolExit } from '../lib/errors.ts'
import type { HostAddress } from '../lib/getaddrinfo.ts'
import { formatG, scanInteger } from '../lib/number.ts'
import { Clif } from './clif.ts'
import type { MethodEntry, MethodSettings } from './method.ts'
import { METHODS } from './methods/index.ts'
import { findHost, MAX_HOPS, MAX_PACKET_LEN, MAX_PROBES, parseOptions, type TracerouteOptions } from './options.ts'
import { Tracer } from './tracer.ts'

const EXIT_WRONG = 2
/** Bytes after the IP header where no length is given. */
const DATA_LEN = 40
const MAX_GATEWAYS = 8
const IPPROTO_EXPERIMENT = 253

function wrong(text: string): never {
  throw new ToolExit(`${text}\n`, EXIT_WRONG)
}

/** Refuses numbers that make no sense. */
function checkNumbers(opts: TracerouteOptions): void {
  if (opts.firstHop === 0 || opts.firstHop > opts.maxHops) wrong('first hop out of range')
  if (opts.maxHops > MAX_HOPS) wrong(`max hops cannot be more than ${MAX_HOPS}`)
  if (opts.probesPerHop === 0 || opts.probesPerHop > MAX_PROBES) wrong(`no more than ${MAX_PROBES} probes per hop`)
  const waits = [opts.waitMax, opts.hereFactor, opts.nearFactor]
  if (waits.some(value => value < 0))
    wrong(`bad wait specifications \`${waits.map(value => formatG(value)).join(',')}' used`)
  if (opts.packetLen > MAX_PACKET_LEN) wrong(`too big packetlen ${opts.packetLen} specified`)
  if (opts.source !== undefined && opts.source.family !== opts.family)
    wrong('IP version mismatch in addresses specified')
  if (opts.sendWait < 0) wrong(`bad sendtime \`${formatG(opts.sendWait)}' specified`)
  if (opts.sendWait >= 10) opts.sendWait /= 1000
}

/** Makes IP options, or a routing header, of the gateways of -g. @returns undefined where there are none */
async function routing(opts: TracerouteOptions, host: HostAddress): Promise<Uint8Array | undefined> {
  const names = [...opts.gateways]
  if (names.length === 0) return undefined
  const four = host.family === AF_INET
  let type = 2
  const number = scanInteger(names[0]!, 0)
  if (!four && names.length > 1 && number.length === names[0]!.length) {
    type = Number(number.value)
    names.shift()
  }
  if (four && names.length > MAX_GATEWAYS) wrong(`Too many gateways specified. No more than ${MAX_GATEWAYS}`)
  const addresses: number[] = []
  for (const name of names) {
    const gateway = (await findHost(opts.proc, name, opts.family)) ?? wrong('')
    if (gateway.family !== host.family) wrong('IP versions mismatch in gateway addresses')
    addresses.push(...gateway.addr)
  }
  if (four) return Uint8Array.from([1, 131, (names.length + 1) * 4 + 3, 4, ...addresses, ...host.addr])
  return Uint8Array.from([0, 2 * names.length, type, names.length, 0, 0, 0, 0, ...addresses])
}

/** Reads the options of -O. */
async function methodSettings(opts: TracerouteOptions, entry: MethodEntry): Promise<MethodSettings> {
  const { proc } = opts
  const settings: MethodSettings = {
    proc,
    raw: false,
    dgram: false,
    coverage: 0,
    protocol: IPPROTO_EXPERIMENT,
    tcpFlags: 0,
    tcpExact: false,
    ecn: false,
    sack: false,
    timestamps: false,
    windowScaling: false,
    sysctl: false,
    reuse: false,
    mss: 0,
    info: false,
  }
  if (entry.options === undefined || opts.methodOptions.length === 0) return settings
  const words = [opts.method, ...opts.methodOptions]
  const line = new Clif(words, entry.options, undefined, true, text => proc.stderr.write(`${text}\n`))
  if ((await line.parse(settings)) !== 'go on') throw new ToolExit('', EXIT_WRONG)
  return settings
}

async function run(proc: Process): Promise<void> {
  const opts = await parseOptions(proc)
  const entry = METHODS[opts.method] ?? wrong(`Unknown traceroute module ${opts.method}`)
  checkNumbers(opts)
  if (opts.sourcePort !== 0 || entry.onePerTime === true) {
    opts.simProbes = 1
    opts.hereFactor = opts.nearFactor = 0
  }
  const host = opts.host ?? wrong('')
  const route = await routing(opts, host)
  const headerLen = (host.family === AF_INET ? 20 : 40) + (route?.length ?? 0) + entry.headerLen
  if (opts.mtuDiscovery) {
    opts.dontFragment = true
    opts.simProbes = 1
    if (opts.packetLen < 0) opts.packetLen = MAX_PACKET_LEN
  }
  const dataLen = opts.packetLen < 0 ? Math.max(0, DATA_LEN - entry.headerLen) : Math.max(0, opts.packetLen - headerLen)
  const settings = await methodSettings(opts, entry)
  const tracer = new Tracer(proc, opts, host, headerLen, entry.headerLen, dataLen, route)
  const method = await entry.start(tracer, settings)
  await tracer.run(method)
}

export const main: Program = async proc => {
  try {
    await run(proc)
    return 0
  } catch (error) {
    if (!(error instanceof ToolExit)) throw error
    proc.stderr.write(error.text)
    return error.status
  }
}
