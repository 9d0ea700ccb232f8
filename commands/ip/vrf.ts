/** `ip vrf`: virtual routing and forwarding devices and the processes bound to them. See ip-vrf(8). */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import { linkData } from '../../src/uapi/if_link.ts'
import { type LinkMessage, RTM_NEWLINK } from '../../src/uapi/rtnetlink.ts'
import { matches } from '../lib/args.ts'
import { CommandFailure, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { getUnsigned } from '../lib/number.ts'
import { linkMessage } from '../lib/rtnl.ts'
import type { IpContext, IpObject } from './context.ts'
import { VRF_USAGE } from './help/vrf.ts'
import { vrfIndex, vrfTable } from './vrf_table.ts'

const CGROUP_VRF = '/sys/fs/cgroup/vrf'
const HEADING = `${'Name'.padEnd(16)}  Table\n${'-'.repeat(23)}\n`

function show(ctx: IpContext, words: readonly string[]): number {
  if (words.length > 1) ctx.usage(VRF_USAGE)
  const wanted = words[0]
  if (wanted !== undefined) {
    const table = vrfTable(ctx, wanted)
    if (table === 0) throw new CommandFailure('Invalid VRF\n', EXIT_USAGE)
    ctx.proc.stdout.write(`${wanted} ${table}\n`)
    return 0
  }
  const request = linkMessage()
  request.attrs.linkinfo = { kind: 'vrf' }
  const links = (ctx.dump(request) as LinkMessage[]).filter(link => link.type === RTM_NEWLINK)
  return ctx.listing(out => {
    out.text(HEADING)
    let count = 0
    for (const link of links) {
      const table = linkData(link.attrs.linkinfo, 'vrf')?.table
      const name = link.attrs.ifname
      if (table === undefined || name === undefined) continue
      out.openObject()
      out.put('name', name, name.padEnd(16), 'ifname')
      out.put('table', table, `  ${String(table).padStart(5)}\n`)
      out.closeObject()
      count++
    }
    if (count === 0) out.text('No VRF has been configured\n')
    return 0
  })
}

/** The VRF of a process by its control group, '' where it has none. */
function vrfOfProcess(ctx: IpContext, pid: number): string {
  let text: string
  try {
    text = new TextDecoder().decode(ctx.proc.readFile(`/proc/${pid}/cgroup`))
  } catch (error) {
    if (!isSysError(error)) throw error
    throw new CommandFailure(`Failed to lookup vrf association: ${strerror(error.errno)}\n`, 1)
  }
  return /\/vrf\/([^/\n]+)/.exec(text)?.[1] ?? ''
}

function identify(ctx: IpContext, words: readonly string[]): number {
  if (words[1] !== undefined) invarg('Extra arguments specified\n', words[1])
  const word = words[0]
  const pid = word === undefined ? ctx.proc.pid : (getUnsigned(word) ?? invarg('Invalid pid\n', word))
  const vrf = vrfOfProcess(ctx, pid)
  if (vrf !== '') ctx.proc.stdout.write(`${vrf}\n`)
  return 0
}

function pids(ctx: IpContext, words: readonly string[]): number {
  const name = words[0]
  if (name === undefined || words.length > 1) throw new CommandFailure('Invalid arguments\n', 1)
  if (name !== 'default' && vrfIndex(ctx, name) === 0) throw new CommandFailure('Invalid VRF name\n', 1)
  for (const entry of ctx.proc.readdir('/proc')) {
    if (!/^\d+$/.test(entry.name)) continue
    if (cgroupVrf(ctx, Number(entry.name)) !== name) continue
    const comm = new TextDecoder().decode(ctx.proc.readFile(`/proc/${entry.name}/comm`)).trim()
    ctx.proc.stdout.write(`${entry.name.padStart(5)}  ${comm}\n`)
  }
  return 0
}

/** The VRF of a process that may be gone. */
function cgroupVrf(ctx: IpContext, pid: number): string {
  try {
    return vrfOfProcess(ctx, pid)
  } catch (error) {
    if (error instanceof CommandFailure) return ''
    throw error
  }
}

/** Binds the process to a VRF's control group, then runs a command. The group needs cgroup2, mounted. */
async function exec(ctx: IpContext, words: readonly string[]): Promise<number> {
  const [name, ...argv] = words
  if (name === undefined) throw new CommandFailure('No VRF name specified\n', 1)
  if (argv.length === 0) throw new CommandFailure('No command specified\n', 1)
  const { proc } = ctx
  if (name !== 'default' && vrfIndex(ctx, name) === 0) throw new CommandFailure('Invalid VRF name\n', EXIT_USAGE)
  for (const path of [CGROUP_VRF, `${CGROUP_VRF}/${name}`]) {
    try {
      proc.mkdir(path, 0o755)
    } catch (error) {
      if (!isSysError(error)) throw error
      const text = `mkdir failed for ${path}: ${strerror(error.errno)}\nFailed to setup vrf cgroup2 directory\n`
      throw new CommandFailure(text, EXIT_USAGE)
    }
  }
  proc.writeFile(`${CGROUP_VRF}/${name}/cgroup.procs`, `${proc.pid}\n`)
  await proc.stdout.flush()
  try {
    return await proc.exec(argv[0]!, argv)
  } catch (error) {
    if (!isSysError(error)) throw error
    throw new CommandFailure(`exec of "${argv[0]}" failed: ${strerror(error.errno)}\n`, 1)
  }
}

export const run: IpObject = async (ctx, words) => {
  const command = words[0]
  const rest = words.slice(1)
  if (command === undefined) return show(ctx, [])
  const is = (...names: string[]): boolean => names.some(name => matches(command, name))
  if (is('identify')) return identify(ctx, rest)
  if (is('pids')) return pids(ctx, rest)
  if (is('exec')) return exec(ctx, rest)
  if (is('show', 'lst', 'list')) return show(ctx, rest)
  if (is('help')) ctx.usage(VRF_USAGE)
  throw new ToolExit(`Command "${command}" is unknown, try "ip vrf help".\n`, EXIT_USAGE)
}
