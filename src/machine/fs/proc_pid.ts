/** /proc/PID: one process, see proc_pid_*(5). */

import { NSEC_PER_SEC, USER_HZ } from '../../kernel/core/clock.ts'
import type { KernfsFile } from '../../kernel/core/kernfs.ts'
import type { Machine } from '../machine.ts'
import type { Task } from '../task.ts'
import type { ViewDir, ViewNode } from './kernfs_inode.ts'
import type { Mount } from './mount.ts'
import { type Namespace, NsfsInode, SharedNsInode } from './nsfs.ts'
import { Path } from './path.ts'

/** Descriptor flags as fdinfo and the links' modes show them: which of read and write. */
function linkMode(readable: boolean, writable: boolean): number {
  return (readable ? 0o500 : 0) | (writable ? 0o300 : 0)
}

/** ns to clock ticks of user space. */
function ticks(ns: number): number {
  return Math.floor((ns * USER_HZ) / NSEC_PER_SEC)
}

/** Memory of a process: a fixed estimate, kB. A kernel thread has none. */
function memory(task: Task): { readonly size: number; readonly resident: number } {
  if (task.kthread) return { size: 0, resident: 0 }
  return task.comm === 'bash' || task.comm === 'sh' ? { size: 4064, resident: 3108 } : { size: 2632, resident: 896 }
}

/** The command's name: 15 characters, but for the kernel's threads the whole of it. */
function shownComm(task: Task): string {
  return task.kthread ? task.comm : task.comm.slice(0, 15)
}

function stat(task: Task): string {
  const { size, resident } = memory(task)
  const tty = task.tty === undefined ? 0 : task.tty.rdev
  const flags = task.kthread ? 0x200040 : 0x400000
  const exit =
    task.ended?.kind === 'exited' ? task.ended.status << 8 : task.ended?.kind === 'signaled' ? task.ended.signal : 0
  const fields = [
    task.pid,
    `(${shownComm(task)})`,
    task.state,
    task.parent?.pid ?? 0,
    task.kthread ? 0 : task.pgid,
    task.kthread ? 0 : task.sid,
    tty,
    task.tty?.foreground ?? -1,
    flags,
    ...[84, 0, 0, 0],
    ticks(task.utime),
    ticks(task.stime),
    ticks(task.cutime),
    ticks(task.cstime),
    20 + task.nice,
    task.nice,
    1,
    0,
    ticks(task.startTime),
    size * 1024,
    resident / 4,
    '18446744073709551615',
    ...[0, 0, 0, 0, 0],
    ...[0, 0, 0, 0],
    0,
    ...[0, 0, 17, 0, 0, 0, 0, 0, 0],
    ...[0, 0, 0, 0, 0, 0, 0],
    exit,
  ]
  return `${fields.join(' ')}\n`
}

/** A signal set as /proc shows it: bit N-1 for signal N. */
function signalSet(signals: Iterable<number>): string {
  let set = 0n
  for (const signal of signals) set |= 1n << BigInt(signal - 1)
  return set.toString(16).padStart(16, '0')
}

const STATE_TEXTS: Readonly<Record<Task['state'], string>> = {
  R: 'R (running)',
  S: 'S (sleeping)',
  T: 'T (stopped)',
  Z: 'Z (zombie)',
  I: 'I (idle)',
}

function status(task: Task, machine: Machine): string {
  const handled = [...task.handlers]
  const rows: [string, string | number][] = [
    ['Name', shownComm(task)],
    ['Umask', task.umask.toString(8).padStart(4, '0')],
    ['State', STATE_TEXTS[task.state]],
    ['Tgid', task.pid],
    ['Ngid', 0],
    ['Pid', task.pid],
    ['PPid', task.parent?.pid ?? 0],
    ['TracerPid', 0],
    ['Uid', Array(4).fill(task.uid).join('\t')],
    ['Gid', Array(4).fill(task.gid).join('\t')],
    ['FDSize', 256],
    ['Groups', ' '],
    ['NStgid', task.pid],
    ['NSpid', task.pid],
    ['NSpgid', task.pgid],
    ['NSsid', task.sid],
  ]
  if (!task.kthread && task.ended === undefined) {
    const { size, resident } = memory(task)
    const kb = (n: number): string => `${String(n).padStart(8)} kB`
    rows.push(
      ...(
        [
          ['VmPeak', size],
          ['VmSize', size],
          ['VmLck', 0],
          ['VmPin', 0],
          ['VmHWM', resident],
          ['VmRSS', resident],
          ['RssAnon', 92],
          ['RssFile', resident - 92],
          ['RssShmem', 0],
          ['VmData', 360],
          ['VmStk', 132],
          ['VmExe', 20],
          ['VmLib', 1528],
          ['VmPTE', 48],
          ['VmSwap', 0],
          ['HugetlbPages', 0],
        ] as const
      ).map(([name, n]): [string, string] => [name, kb(n)]),
      ['CoreDumping', 0],
      ['THP_enabled', 1],
    )
  }
  const capabilities = task.uid === 0 ? '000001ffffffffff' : '0000000000000000'
  rows.push(
    ['Threads', 1],
    ['SigQ', '0/5561'],
    ['SigPnd', signalSet([])],
    ['ShdPnd', signalSet(task.pending)],
    ['SigBlk', signalSet([])],
    ['SigIgn', signalSet(handled.filter(([, handler]) => handler === 'ignore').map(([signal]) => signal))],
    ['SigCgt', signalSet(handled.filter(([, handler]) => typeof handler === 'function').map(([signal]) => signal))],
    ['CapInh', '0000000000000000'],
    ['CapPrm', capabilities],
    ['CapEff', capabilities],
    ['CapBnd', '000001ffffffffff'],
    ['CapAmb', '0000000000000000'],
    ['NoNewPrivs', 0],
    ['Seccomp', 0],
    ['Seccomp_filters', 0],
    ['Speculation_Store_Bypass', 'not vulnerable'],
    ['SpeculationIndirectBranch', 'always enabled'],
    ['Cpus_allowed', ((1 << machine.cpus) - 1).toString(16)],
    ['Cpus_allowed_list', machine.cpus === 1 ? '0' : `0-${machine.cpus - 1}`],
    ['Mems_allowed', Array(32).fill('00000000').join(',').replace(/0$/, '1')],
    ['Mems_allowed_list', 0],
    ['voluntary_ctxt_switches', task.voluntarySwitches],
    ['nonvoluntary_ctxt_switches', 0],
  )
  return rows.map(([name, value]) => `${name}:\t${value}\n`).join('')
}

const LIMITS: readonly (readonly [string, string, string, string])[] = [
  ['Max cpu time', 'unlimited', 'unlimited', 'seconds'],
  ['Max file size', 'unlimited', 'unlimited', 'bytes'],
  ['Max data size', 'unlimited', 'unlimited', 'bytes'],
  ['Max stack size', '8388608', 'unlimited', 'bytes'],
  ['Max core file size', '0', 'unlimited', 'bytes'],
  ['Max resident set', 'unlimited', 'unlimited', 'bytes'],
  ['Max processes', '5561', '5561', 'processes'],
  ['Max open files', '1024', '4096', 'files'],
  ['Max locked memory', '8388608', '8388608', 'bytes'],
  ['Max address space', 'unlimited', 'unlimited', 'bytes'],
  ['Max file locks', 'unlimited', 'unlimited', 'locks'],
  ['Max pending signals', '5561', '5561', 'signals'],
  ['Max msgqueue size', '819200', '819200', 'bytes'],
  ['Max nice priority', '0', '0', ''],
  ['Max realtime priority', '0', '0', ''],
  ['Max realtime timeout', 'unlimited', 'unlimited', 'us'],
]

function limits(): string {
  const row = (name: string, soft: string, hard: string, units: string): string =>
    `${name.padEnd(26)}${soft.padEnd(21)}${hard.padEnd(21)}${units === '' ? '' : units.padEnd(10)}\n`
  return row('Limit', 'Soft Limit', 'Hard Limit', 'Units') + LIMITS.map(limit => row(...limit)).join('')
}

/** Characters that /proc/mounts writes in octal. */
function escapeField(text: string): string {
  return text.replace(/[ \t\n\\]/g, char => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

/** Mount and file system options in one, `rw` or `ro` once. */
function allOptions(mount: Mount): string {
  return [mount.writeProtected ? 'ro' : 'rw', ...mount.options, ...mount.sb.options].join(',')
}

function mounts(task: Task): string {
  return task.mnt
    .list()
    .map(
      mount => `${escapeField(mount.source)} ${escapeField(mount.target)} ${mount.fstype} ${allOptions(mount)} 0 0\n`,
    )
    .join('')
}

function mountinfo(task: Task): string {
  return task.mnt
    .list()
    .map(mount => {
      const { dev } = mount.root.fs
      const shared = mount.peers === undefined ? '' : `shared:${mount.peers.id} `
      const master = mount.master === undefined ? '' : `master:${mount.master.id} `
      return (
        `${mount.id} ${mount.parent?.id ?? 0} ${dev >> 8}:${dev & 0xff} ${escapeField(mount.rootPath)} ` +
        `${escapeField(mount.target)} ${mount.optionText} ${shared}${master}- ` +
        `${mount.fstype} ${escapeField(mount.source)} ${mount.superText}\n`
      )
    })
    .join('')
}

/** Namespaces of kinds that do not differ here: every process is in the first of each. */
const NAMESPACES = new Map([
  ['cgroup', 4026531835],
  ['ipc', 4026531839],
  ['pid', 4026531836],
  ['pid_for_children', 4026531836],
  ['time', 4026531834],
  ['time_for_children', 4026531834],
  ['user', 4026531837],
  ['uts', 4026531838],
])

function namespaces(task: Task): ViewDir {
  return {
    kind: 'dir',
    mode: 0o511,
    list: () => [...NAMESPACES.keys(), 'mnt', 'net'].sort(),
    lookup(name) {
      if (name === 'net' || name === 'mnt') {
        const { machine } = task
        const ns: Namespace = name === 'net' ? { kind: name, of: task.net } : { kind: name, of: task.mnt }
        const target = `${name}:[${ns.of.ino}]`
        return {
          kind: 'magic',
          target,
          follow: () => new Path(machine.nsfsMount, new NsfsInode(machine.nsfs, ns), null, target),
        }
      }
      const ino = NAMESPACES.get(name)
      if (ino === undefined) return undefined
      const { machine } = task
      const kind = name.replace('_for_children', '')
      const target = `${kind}:[${ino}]`
      return {
        kind: 'magic',
        target,
        follow: () => new Path(machine.nsfsMount, new SharedNsInode(machine.nsfs, kind, ino), null, target),
      }
    },
  }
}

function descriptors(task: Task): ViewDir {
  return {
    kind: 'dir',
    mode: 0o500,
    list: () => task.files.list().map(String),
    lookup(name) {
      const file = /^\d+$/.test(name) ? task.files.peek(Number(name)) : undefined
      if (file === undefined) return undefined
      return {
        kind: 'magic',
        target: file.link,
        mode: linkMode(file.readable, file.writable),
        follow: () => task.machine.pathOfFile(file),
      }
    },
  }
}

function file(mode: number, read: () => string | number, write?: (text: string) => number): KernfsFile {
  return { kind: 'file', mode, read, ...(write === undefined ? {} : { write }) }
}

/** The kernel function that a process sleeps in, by the call it waits in. */
const WAIT_CHANNELS: Readonly<Record<string, string>> = {
  accept: 'inet_csk_accept',
  connect: 'inet_wait_for_connect',
  nanosleep: 'hrtimer_nanosleep',
  poll: 'do_poll.constprop.0',
  recvmsg: '__skb_wait_for_more_packets',
  sendmsg: 'sock_wait_for_wmem',
  wait: 'do_wait',
}

function waitChannel(task: Task): string {
  if (task.kthread) {
    if (task.comm === 'kthreadd') return 'kthreadd'
    if (task.comm.startsWith('kworker/')) return 'worker_thread'
    return task.nice === -20 ? 'rescuer_thread' : 'smpboot_thread_fn'
  }
  if (task.pid === 1) return 'ep_poll'
  const call = task.waitsIn
  return call === undefined ? '0' : (WAIT_CHANNELS[call] ?? call)
}

/** What /proc/PID holds, by name. */
const ENTRIES = new Map<string, (task: Task, machine: Machine) => ViewNode | undefined>([
  ['cgroup', () => file(0o444, () => '0::/\n')],
  [
    'cmdline',
    task =>
      file(0o444, () => (task.kthread || task.ended !== undefined ? '' : task.argv.map(arg => `${arg}\0`).join(''))),
  ],
  [
    'comm',
    task =>
      file(
        0o644,
        () => `${shownComm(task)}\n`,
        text => {
          task.comm = text.replace(/\n$/, '').slice(0, 15)
          return text.length
        },
      ),
  ],
  ['cwd', task => ({ kind: 'magic', target: task.cwd.text, follow: () => task.cwd })],
  ['environ', task => file(0o400, () => [...task.env].map(([name, value]) => `${name}=${value}\0`).join(''))],
  ['exe', task => ({ kind: 'magic', target: task.exe, follow: () => undefined })],
  ['fd', task => descriptors(task)],
  [
    'fdinfo',
    task => ({
      kind: 'dir',
      mode: 0o555,
      list: () => task.files.list().map(String),
      lookup(name) {
        const open = /^\d+$/.test(name) ? task.files.peek(Number(name)) : undefined
        if (open === undefined) return undefined
        return file(
          0o444,
          () => `pos:\t0\nflags:\t0${(open.flags | 0o100000).toString(8)}\nmnt_id:\t15\nino:\t${open.stat().ino}\n`,
        )
      },
    }),
  ],
  [
    'io',
    task =>
      file(
        0o400,
        () =>
          `rchar: 0\nwchar: 0\nsyscr: ${task.voluntarySwitches}\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n`,
      ),
  ],
  ['limits', () => file(0o444, limits)],
  ['loginuid', () => file(0o644, () => '4294967295')],
  ['mountinfo', task => file(0o444, () => mountinfo(task))],
  ['mounts', task => file(0o444, () => mounts(task))],
  ['net', (task, machine) => machine.kernel.procNet(task.net)],
  ['ns', task => namespaces(task)],
  ['oom_adj', () => file(0o644, () => '0\n')],
  ['oom_score', () => file(0o444, () => '666\n')],
  ['oom_score_adj', () => file(0o644, () => '0\n')],
  ['root', task => ({ kind: 'magic', target: '/', follow: () => task.mnt.root })],
  ['sessionid', () => file(0o444, () => '4294967295')],
  ['stat', task => file(0o444, () => stat(task))],
  [
    'statm',
    task =>
      file(0o444, () => {
        const { size, resident } = memory(task)
        return `${size / 4} ${resident / 4} ${Math.floor(resident / 4) - 23} 5 0 123 0\n`
      }),
  ],
  ['status', (task, machine) => file(0o444, () => status(task, machine))],
  [
    'task',
    task => ({
      kind: 'dir',
      mode: 0o555,
      list: () => [String(task.pid)],
      lookup: name => (name === String(task.pid) ? pidDirectory(task) : undefined),
    }),
  ],
  ['wchan', task => file(0o444, () => waitChannel(task))],
])

/** @returns /proc/PID of a process */
export function pidDirectory(task: Task): ViewDir {
  return {
    kind: 'dir',
    mode: 0o555,
    owner: { uid: task.uid, gid: task.gid },
    list: () => ENTRIES.keys(),
    lookup(name) {
      if (task.ended !== undefined && name === 'ns')
        return { kind: 'dir', mode: 0o511, list: () => [], lookup: () => undefined }
      return ENTRIES.get(name)?.(task, task.machine)
    },
  }
}
