/** tcptraceroute and lft: other programs' command lines, translated for traceroute, as its package brings them. */
import type { Process, Program } from '../../src/uapi/process.ts'
import { ToolExit } from '../lib/errors.ts'
import { shortOptions } from '../lib/shortopt.ts'

const TCPTRACEROUTE_USAGE = (name: string): string => `Usage: ${name} [-hvnFSAE] [-i dev] [-f furst_ttl] [-l length]
\t[-q nqueries] [-t tos] [-m max_ttl] [-p src_port] [-s src_addr]
\t[-w wait_time]  host  [dest_port]  [length]
`

const LFT_USAGE = (name: string): string => `Usage: ${name} [-ACEFINRSTUVbehinpruvz] [-d dport] [-s sport]
\t[-m retry min] [-M retry max] [-a ahead] [-c scatter ms] [-t timeout ms]
\t[-l min ttl] [-H max ttl] [-L length] [-q ISN] [-D device] [--help]
\t[gateway ...]  target:dport
`

/** The path that a script knows itself by. */
function scriptName(proc: Process): string {
  const name = proc.argv[0] ?? ''
  return name.includes('/') ? name : (proc.which(name) ?? name)
}

/** Reads options as getopt(1) does for scripts. */
function getopt(proc: Process, letters: string): { options: [string, string][]; operands: readonly string[] } {
  const { options, operands } = shortOptions(['getopt', ...proc.argv.slice(1)], letters)
  const found: [string, string][] = []
  for (const option of options) {
    if (option.error !== undefined) throw new ToolExit(`${option.error}\n`, 2)
    found.push([option.letter, option.value])
  }
  return { options: found, operands }
}

function tcptracerouteWords(proc: Process): string[] {
  const words = ['-T', '-O', 'info']
  const { options, operands } = getopt(proc, 'hvdnNi:l:f:Fm:p:q:w:s:t:SAE')
  let length: string | undefined
  for (const [letter, value] of options) {
    if ('dnF'.includes(letter)) words.push(`-${letter}`)
    else if ('ifmqwst'.includes(letter)) words.push(`-${letter}`, value)
    else if (letter === 'l') length = value
    else if (letter === 'p') words.push(`--sport=${value}`)
    else if (letter === 'S') words.push('-O', 'syn')
    else if (letter === 'A') words.push('-O', 'ack')
    else if (letter === 'E') words.push('-O', 'ecn')
    else if (letter === 'h') throw new ToolExit(TCPTRACEROUTE_USAGE(scriptName(proc)), 0)
    else if (letter === 'v') throw new ToolExit('"tcptraceroute"-compatible wrapper for new Linux Traceroute\n', 0)
  }
  const [host, port, size] = operands
  if (host === undefined) throw new ToolExit(TCPTRACEROUTE_USAGE(scriptName(proc)), 2)
  if (port !== undefined) words.push('-p', port)
  const last = size ?? length
  proc.stderr.write(`Running:\n\ttraceroute ${words.join(' ')} ${host} ${last ?? ''}\n`)
  return [...words, host, ...(last === undefined ? [] : [last])]
}

function lftWords(proc: Process): string[] {
  const name = scriptName(proc)
  if (proc.argv.includes('--help')) throw new ToolExit(LFT_USAGE(name), 0)
  const { options, operands } = getopt(proc, 'ACEFINRSTUVbehinpruvzd:s:m:M:a:c:t:l:H:L:q:D:')
  const words: string[] = []
  let [method, dport, sport, length] = ['-T', '', '', '']
  let [queries, ahead, scatter, timeout] = ['2', '5', '20', '1000']
  for (const [letter, value] of options) {
    if (letter === 'd') dport = value
    else if (letter === 's') sport = value
    else if (letter === 'z') sport = ''
    else if (letter === 'm') queries = value
    else if (letter === 'a') ahead = value
    else if (letter === 'c') scatter = value
    else if (letter === 't') timeout = value
    else if (letter === 'l') words.push('-f', value)
    else if (letter === 'L') length = value
    else if (letter === 'D') words.push(/^[0-9]/.test(value) ? '-s' : '-i', value)
    else if (letter === 'H') words.push('-m', value)
    else if (letter === 'I') words.push('-t', '0x10')
    else if (letter === 'n') words.push('-n')
    else if (letter === 'F') words.push('-O', 'fin')
    else if (letter === 'u') method = '-U'
    else if (letter === 'p') method = '-I'
    else if ('NA'.includes(letter)) words.push('-A')
    else if (letter === 'v') throw new ToolExit('"lft"-compatible wrapper for new Linux Traceroute\n', 0)
    else if ('ieErCTUVMq'.includes(letter))
      proc.stderr.write(`${name}: Option '-${letter}' is not implemented in this wrapper\n`)
  }
  const target = operands.at(-1)
  if (target === undefined) throw new ToolExit(LFT_USAGE(name), 2)
  for (const gateway of operands.slice(0, -1)) words.push('-g', gateway)
  const [, host = target, port] = /^([^:]*):([^:]*)$/.exec(target) ?? []
  dport = port ?? dport
  if (dport !== '') words.push('-p', dport)
  if (sport !== '') words.push(`--sport=${sport}`)
  words.push('-q', queries, '-N', String(Number(ahead) * Number(queries)), '-z', scatter)
  const padded = timeout.padStart(4, '0')
  words.push('-w', `${padded.slice(0, -3)}.${padded.slice(-3)}`)
  return [method, ...words, host, ...(length === '' ? [] : [length])]
}

function wrapper(words: (proc: Process) => string[]): Program {
  return proc => {
    try {
      return proc.exec('traceroute', ['traceroute', ...words(proc)])
    } catch (error) {
      if (!(error instanceof ToolExit)) throw error
      proc.stderr.write(error.text)
      return error.status
    }
  }
}

export const tcptraceroute: Program = wrapper(tcptracerouteWords)
export const lft: Program = wrapper(lftWords)
