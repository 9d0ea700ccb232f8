/** The kernel's counters in /proc/net/{snmp,snmp6,netstat}, under the names nstat gives them. */
import { isSysError } from '../../src/uapi/errno.ts'
import type { Process } from '../../src/uapi/process.ts'

/** One counter. */
export interface Counter {
  readonly name: string
  readonly value: number
}

/** Settings and gauges that stand among the counters. */
const NO_COUNTERS = new Set([
  'IpForwarding',
  'IpDefaultTTL',
  'TcpRtoAlgorithm',
  'TcpRtoMin',
  'TcpRtoMax',
  'TcpMaxConn',
  'TcpCurrEstab',
])

/** Reads a file of line pairs: `Ip: name name …` and `Ip: value value …`. */
function pairs(text: string): Counter[] {
  const lines = text.split('\n')
  const counters: Counter[] = []
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [prefix = '', ...names] = lines[i]!.split(' ')
    const [, ...values] = lines[i + 1]!.split(' ')
    names.forEach((name, n) => {
      counters.push({ name: prefix.replace(':', '') + name, value: Number(values[n]) })
    })
  }
  return counters
}

/** Reads a file of one counter a line. */
function columns(text: string): Counter[] {
  return text
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .filter(words => words.length === 2)
    .map(([name = '', value]) => ({ name, value: Number(value) }))
}

function read(proc: Process, path: string): string {
  try {
    return new TextDecoder().decode(proc.readFile(path))
  } catch (error) {
    // a kernel without that protocol has no such file
    if (isSysError(error)) return ''
    throw error
  }
}

/** @returns every counter, in the order nstat lists them */
export function readCounters(proc: Process): Counter[] {
  return [
    ...pairs(read(proc, '/proc/net/snmp')),
    ...columns(read(proc, '/proc/net/snmp6')),
    ...pairs(read(proc, '/proc/net/netstat')),
  ].filter(({ name, value }) => !NO_COUNTERS.has(name) && Number.isFinite(value) && value >= 0)
}
