/** A process whose kernel is a function: enough of it to run `ip` and `bridge` on scripted answers. */

import { main } from '../../../commands/ip/main.ts'
import { Errno, SysError } from '../../../src/uapi/errno.ts'
import type { NetlinkSocket } from '../../../src/uapi/netlink.ts'
import type { Process, Program } from '../../../src/uapi/process.ts'
import { type LinkMessage, RTM_GETLINK, RTM_NEWLINK, type RtMessage } from '../../../src/uapi/rtnetlink.ts'

/** Answers one request; throws NetlinkError to refuse it. */
export type Kernel = (message: RtMessage) => RtMessage[]

/** What a run of `ip` left behind. */
export interface Outcome {
  readonly stdout: string
  readonly stdoutBytes: Uint8Array
  readonly stderr: string
  readonly status: number
  /** every request but those about links */
  readonly sent: RtMessage[]
}

/** Further parts of the fake machine. */
export interface Options {
  readonly links?: readonly LinkMessage[]
  readonly files?: Readonly<Record<string, string>>
  readonly stdin?: Uint8Array | string
  readonly kernel?: Kernel
  /** whether the kernel also answers requests about links, and `sent` has them; else `links` does */
  readonly kernelHasLinks?: boolean
  /** notifications that `receive` gives one after the other; then the program is ended by EINTR */
  readonly notifications?: readonly RtMessage[]
}

/** @returns a link as a dump shows it */
export function link(index: number, ifname: string, attrs: Partial<LinkMessage['attrs']> = {}): LinkMessage {
  return {
    type: RTM_NEWLINK,
    flags: 0,
    family: 0,
    hatype: 1,
    index,
    ifFlags: 1,
    change: 0,
    attrs: { ifname, ...attrs },
  }
}

/** lo, d0, d1 */
export const LINKS: readonly LinkMessage[] = [link(1, 'lo'), link(2, 'd0'), link(3, 'd1')]

function answerLinks(links: readonly LinkMessage[], request: LinkMessage): RtMessage[] {
  const { ifname } = request.attrs
  if (ifname === undefined && request.index === 0) return [...links]
  const found = links.find(item => (ifname === undefined ? item.index === request.index : item.attrs.ifname === ifname))
  if (found === undefined) throw new SysError(Errno.ENODEV)
  return [found]
}

/** Runs `ip` with a command line of words. */
export function runIp(line: string | readonly string[], options: Options = {}): Promise<Outcome> {
  const words = typeof line === 'string' ? line.split(' ').filter(word => word !== '') : line
  return runTool(main, ['ip', ...words], options)
}

/** Runs a program. */
export async function runTool(program: Program, argv: readonly string[], options: Options = {}): Promise<Outcome> {
  const sent: RtMessage[] = []
  const out: Uint8Array[] = []
  let stderr = ''
  const links = options.links ?? LINKS
  const pending = [...(options.notifications ?? [])]
  const bytesOf = (data: string | Uint8Array): Uint8Array =>
    typeof data === 'string' ? new TextEncoder().encode(data) : data
  const socket: NetlinkSocket = {
    request(message) {
      if (message.type === RTM_GETLINK && options.kernelHasLinks !== true) {
        return answerLinks(links, message as LinkMessage)
      }
      sent.push(message)
      return options.kernel?.(message) ?? []
    },
    subscribe() {},
    listenAllNsid() {},
    async receive() {
      const next = pending.shift()
      if (next === undefined) throw new SysError(Errno.EINTR)
      return next
    },
    close() {},
  }
  const parts: Partial<Process> = {
    pid: 100,
    uid: 0,
    argv,
    env: new Map(),
    stdin: { fd: 0, readLine: async () => undefined, readAll: async () => bytesOf(options.stdin ?? '') },
    stdout: { fd: 1, write: data => void out.push(bytesOf(data)), flush: async () => {} },
    stderr: { fd: 2, write: data => void (stderr += data), flush: async () => {} },
    readFile(path) {
      const text = options.files?.[path]
      if (text === undefined) throw new SysError(Errno.ENOENT)
      return bytesOf(text)
    },
    readdir() {
      throw new SysError(Errno.ENOENT)
    },
    open() {
      throw new SysError(Errno.ENOENT)
    },
    isatty: () => false,
    monotonic: () => 0,
    realtime: () => 1_795_622_716_925_243_000,
    netlink: () => socket,
    loadCode: load => load(),
  }
  const proc = new Proxy(parts as Process, {
    get(target, key, receiver) {
      if (!(key in target)) throw new Error(`the fake process has no ${String(key)}`)
      return Reflect.get(target, key, receiver) as unknown
    },
  })
  const status = await program(proc)
  const stdoutBytes = Uint8Array.from(out.flatMap(piece => [...piece]))
  return { stdout: new TextDecoder().decode(stdoutBytes), stdoutBytes, stderr, status, sent }
}

/** A command of a transcript with what it answered. */
export interface Step {
  readonly command: string
  readonly stdout: string
  readonly stderr: string
  readonly status: number
}

/** Reads a transcript (test/reference/FORMAT.md). */
export function readTranscript(text: string): Step[] {
  const steps: { command: string; stdout: string; stderr: string; status: number }[] = []
  for (const line of text.replace(/\n$/, '').split('\n')) {
    if (line.startsWith('$ ')) {
      steps.push({ command: line.slice(2), stdout: '', stderr: '', status: 0 })
      continue
    }
    const step = steps.at(-1)
    if (step === undefined) continue
    if (line.startsWith('| ') || line === '|') step.stdout += line.slice(2) + '\n'
    else if (line.startsWith('! ') || line === '!') step.stderr += line.slice(2) + '\n'
    else if (line.startsWith('? ')) step.status = Number(line.slice(2))
    else if (line === '\\') step.stdout = step.stdout.replace(/\n$/, '')
  }
  return steps
}
