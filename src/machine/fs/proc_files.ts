/** Files of /proc that describe the whole machine: time, load, memory, processors. */
import { NSEC_PER_SEC, USER_HZ } from '../../kernel/core/clock.ts'
import { IFF_UP } from '../../uapi/if.ts'
import type { Machine } from '../machine.ts'
import { BANNER, CMDLINE, MEM_TOTAL } from '../uts.ts'

/** Seconds with two decimals, truncated. */
function seconds(ns: number): string {
  const hundredths = Math.floor(ns / 1e7)
  return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}`
}

/** CPU time of all processes, ns. */
function cpuTime(machine: Machine): { user: number; system: number } {
  let user = 0
  let system = 0
  for (const task of machine.processes.all()) {
    user += task.utime + task.cutime
    system += task.stime + task.cstime
  }
  return { user, system }
}

function uptime(machine: Machine): string {
  const { now } = machine.kernel.clock
  const { user, system } = cpuTime(machine)
  return `${seconds(now)} ${seconds(Math.max(0, now * machine.cpus - user - system))}\n`
}

function loadavg(machine: Machine): string {
  const tasks = machine.processes.all().filter(task => task.ended === undefined)
  const running = Math.max(1, tasks.filter(task => task.state === 'R').length)
  return `0.00 0.00 0.00 ${running}/${tasks.length} ${machine.processes.lastPid}\n`
}

const MEMORY_ROWS: readonly (readonly [string, number])[] = [
  ['MemTotal', MEM_TOTAL],
  ['MemFree', 1_262_752],
  ['MemAvailable', 1_200_872],
  ['Buffers', 0],
  ['Cached', 126_304],
  ['SwapCached', 0],
  ['Active', 4696],
  ['Inactive', 121_928],
  ['Active(anon)', 1480],
  ['Inactive(anon)', 115_440],
  ['Active(file)', 3216],
  ['Inactive(file)', 6488],
  ['Unevictable', 0],
  ['Mlocked', 0],
  ['SwapTotal', 0],
  ['SwapFree', 0],
  ['Zswap', 0],
  ['Zswapped', 0],
  ['Dirty', 0],
  ['Writeback', 0],
  ['AnonPages', 408],
  ['Mapped', 2816],
  ['Shmem', 116_600],
  ['KReclaimable', 12_680],
  ['Slab', 23_896],
  ['SReclaimable', 12_680],
  ['SUnreclaim', 11_216],
  ['KernelStack', 904],
  ['PageTables', 88],
  ['SecPageTables', 0],
  ['NFS_Unstable', 0],
  ['Bounce', 0],
  ['WritebackTmp', 0],
  ['CommitLimit', MEM_TOTAL / 2],
  ['Committed_AS', 117_744],
  ['VmallocTotal', 13_743_895_347_199],
  ['VmallocUsed', 7160],
  ['VmallocChunk', 0],
  ['Percpu', 520],
  ['HardwareCorrupted', 0],
  ['AnonHugePages', 0],
  ['ShmemHugePages', 0],
  ['ShmemPmdMapped', 0],
  ['FileHugePages', 0],
  ['FilePmdMapped', 0],
]

function meminfo(): string {
  const row = (name: string, value: number, unit: string): string =>
    `${`${name}:`.padEnd(16)}${String(value).padStart(8)}${unit}\n`
  return (
    MEMORY_ROWS.map(([name, value]) => row(name, value, ' kB')).join('') +
    ['Total', 'Free', 'Rsvd', 'Surp'].map(name => row(`HugePages_${name}`, 0, '')).join('') +
    row('Hugepagesize', 2048, ' kB') +
    row('Hugetlb', 0, ' kB') +
    row('DirectMap4k', 40_832, ' kB') +
    row('DirectMap2M', 1_495_040, ' kB') +
    row('DirectMap1G', 0, ' kB')
  )
}

const CPU_FLAGS =
  'fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush acpi mmx fxsr sse sse2 ss ht syscall nx mmxext pdpe1gb rdtscp lm 3dnowext 3dnow rep_good nopl cpuid extd_apicid pni pclmulqdq monitor ssse3 fma cx16 sse4_1 sse4_2 movbe popcnt aes xsave avx f16c rdrand hypervisor lahf_lm'

function cpuinfo(machine: Machine): string {
  const one = (cpu: number): string =>
    (
      [
        ['processor\t', cpu],
        ['vendor_id\t', 'AuthenticAMD'],
        ['cpu family\t', 15],
        ['model\t\t', 107],
        ['model name\t', 'QEMU TCG CPU version 2.5+'],
        ['stepping\t', 1],
        ['microcode\t', '0x1000065'],
        ['cpu MHz\t\t', '2445.426'],
        ['cache size\t', '512 KB'],
        ['physical id\t', 0],
        ['siblings\t', machine.cpus],
        ['core id\t\t', cpu],
        ['cpu cores\t', machine.cpus],
        ['apicid\t\t', cpu],
        ['initial apicid\t', cpu],
        ['fpu\t\t', 'yes'],
        ['fpu_exception\t', 'yes'],
        ['cpuid level\t', 13],
        ['wp\t\t', 'yes'],
        ['flags\t\t', CPU_FLAGS],
        ['bugs\t\t', 'fxsave_leak sysret_ss_attrs null_seg swapgs_fence amd_e400 spectre_v1 spectre_v2'],
        ['bogomips\t', '4890.85'],
        ['TLB size\t', '1024 4K pages'],
        ['clflush size\t', 64],
        ['cache_alignment\t', 64],
        ['address sizes\t', '40 bits physical, 57 bits virtual'],
      ] as const
    )
      .map(([name, value]) => `${name}: ${value}\n`)
      .join('') + 'power management:\n\n'
  return Array.from({ length: machine.cpus }, (_, cpu) => one(cpu)).join('')
}

function stat(machine: Machine): string {
  const { now } = machine.kernel.clock
  const { user, system } = cpuTime(machine)
  const jiffies = (ns: number): number => Math.floor((ns * USER_HZ) / NSEC_PER_SEC)
  const line = (name: string, share: number): string => {
    const idle = Math.max(0, now * (machine.cpus / share) - (user + system) / share)
    return `${name} ${jiffies(user / share)} 0 ${jiffies(system / share)} ${jiffies(idle)} 0 0 0 0 0 0\n`
  }
  const tasks = machine.processes.all()
  const softirqs = machine.kernel.softirq.counts
  return (
    line('cpu ', 1) +
    Array.from({ length: machine.cpus }, (_, cpu) => line(`cpu${cpu}`, machine.cpus)).join('') +
    `intr ${jiffies(now)}\n` +
    `ctxt ${tasks.reduce((sum, task) => sum + task.voluntarySwitches, 0)}\n` +
    `btime ${Math.floor(machine.kernel.bootTime / NSEC_PER_SEC)}\n` +
    `processes ${machine.processes.forks}\n` +
    `procs_running ${Math.max(1, tasks.filter(task => task.state === 'R').length)}\n` +
    'procs_blocked 0\n' +
    `softirq ${softirqs[0]! + softirqs[1]!} 0 0 ${softirqs[0]} ${softirqs[1]} 0 0 0 0 0 0\n`
  )
}

/** One line of /proc/interrupts. */
interface IrqLine {
  readonly irq: number
  /** interrupt controller and trigger, such as `PCI-MSI 81920-edge` */
  readonly chip: string
  /** what it is for, such as `eth0-rx-0` */
  readonly name: string
  /** how often it came, by processor */
  readonly counts: readonly number[]
}

/** The vectors of a card of the e1000e's kind while it is up: receive, transmit, everything else. */
function cardIrqs(machine: Machine): IrqLine[] {
  const lines: IrqLine[] = []
  for (const dev of machine.kernel.initNet.devices.values()) {
    const slot = /^0000:00:([0-9a-f]{2})\.([0-7])$/.exec(dev.parentDevName ?? '')
    if (slot === null || (dev.flags & IFF_UP) === 0) continue
    const vector = ((Number.parseInt(slot[1]!, 16) << 3) | Number(slot[2])) << 11
    const counts = [dev.stats.rxPackets, dev.stats.txPackets, 1]
    ;['-rx-0', '-tx-0', ''].forEach((suffix, i) => {
      lines.push({
        irq: FIRST_MSI_IRQ + lines.length,
        chip: `PCI-MSI ${vector + i}-edge`,
        name: `${dev.name}${suffix}`,
        counts: [counts[i]!],
      })
    })
  }
  return lines
}

/** The first interrupt number that message-signalled interrupts get. */
const FIRST_MSI_IRQ = 28

const FIXED_IRQS: readonly IrqLine[] = [
  { irq: 0, chip: 'IO-APIC   2-edge', name: 'timer', counts: [203] },
  { irq: 1, chip: 'IO-APIC   1-edge', name: 'i8042', counts: [0, 9] },
  { irq: 4, chip: 'IO-APIC   4-edge', name: 'ttyS0', counts: [0, 1] },
  { irq: 8, chip: 'IO-APIC   8-edge', name: 'rtc0', counts: [1] },
  { irq: 9, chip: 'IO-APIC   9-fasteoi', name: 'acpi', counts: [] },
  { irq: 12, chip: 'IO-APIC  12-edge', name: 'i8042', counts: [3] },
]

function interrupts(machine: Machine): string {
  const { cpus, kernel } = machine
  const counts = (values: readonly number[]): string =>
    Array.from({ length: cpus }, (_, cpu) => `${String(values[cpu] ?? 0).padStart(10)} `).join('')
  const lines = [...FIXED_IRQS, ...cardIrqs(machine)].sort((a, b) => a.irq - b.irq)
  const localTimer = Array.from({ length: cpus }, () => Math.floor((kernel.clock.now * 250) / NSEC_PER_SEC))
  return (
    `           ${Array.from({ length: cpus }, (_, cpu) => `CPU${cpu}`.padEnd(11)).join('')}\n` +
    lines
      .map(line => `${String(line.irq).padStart(3)}: ${counts(line.counts)}  ${line.chip}      ${line.name}\n`)
      .join('') +
    `NMI: ${counts([])}  Non-maskable interrupts\n` +
    `LOC: ${counts(localTimer)}  Local timer interrupts\n` +
    `SPU: ${counts([])}  Spurious interrupts\n` +
    `RES: ${counts([])}  Rescheduling interrupts\n` +
    `CAL: ${counts([])}  Function call interrupts\n` +
    `TLB: ${counts([])}  TLB shootdowns\n` +
    'ERR:          0\nMIS:          0\n'
  )
}

const SOFTIRQS = ['HI', 'TIMER', 'NET_TX', 'NET_RX', 'BLOCK', 'IRQ_POLL', 'TASKLET', 'SCHED', 'HRTIMER', 'RCU'] as const

function softirqs(machine: Machine): string {
  const { cpus, kernel } = machine
  const [tx, rx] = kernel.softirq.counts
  const row = (name: (typeof SOFTIRQS)[number]): string => {
    const first = name === 'NET_TX' ? tx! : name === 'NET_RX' ? rx! : 0
    const columns = Array.from({ length: cpus }, (_, cpu) => String(cpu === 0 ? first : 0).padStart(11))
    return `${`${name}:`.padStart(13)}${columns.join('')}\n`
  }
  return `                    ${Array.from({ length: cpus }, (_, cpu) => `CPU${cpu}`.padEnd(11)).join('')}\n${SOFTIRQS.map(row).join('')}`
}

const FILESYSTEMS = [
  ...['sysfs', 'tmpfs', 'proc', 'cgroup', 'cgroup2', 'cpuset', 'devtmpfs', 'debugfs', 'tracefs', 'securityfs'],
  ...['sockfs', 'bpf', 'pipefs', 'ramfs', 'hugetlbfs', 'devpts', 'mqueue', 'pstore', '9p', 'overlay'],
]

/** Modules that boot has loaded: name, size, use count and users, newest first. */
export const MODULES = [
  'nf_conntrack 188416 0 -',
  'nf_defrag_ipv6 24576 1 nf_conntrack,',
  'nf_defrag_ipv4 16384 1 nf_conntrack,',
  'libcrc32c 16384 1 nf_conntrack,',
  'crc32c_generic 16384 0 -',
  'crc32c_intel 24576 1 -',
  'e1000e 315392 0 -',
]

const CHAR_DEVICES: readonly (readonly [number, string])[] = [
  [1, 'mem'],
  [4, '/dev/vc/0'],
  [4, 'tty'],
  [4, 'ttyS'],
  [5, '/dev/tty'],
  [5, '/dev/console'],
  [5, '/dev/ptmx'],
  [7, 'vcs'],
  [10, 'misc'],
  [13, 'input'],
  [128, 'ptm'],
  [136, 'pts'],
  [249, 'ptp'],
  [251, 'rtc'],
]

/** The files, by name. */
export const SYSTEM_FILES: ReadonlyMap<string, (machine: Machine) => string> = new Map([
  ['cmdline', () => `${CMDLINE}\n`],
  ['cpuinfo', cpuinfo],
  [
    'devices',
    () =>
      `Character devices:\n${CHAR_DEVICES.map(([n, name]) => `${String(n).padStart(3)} ${name}\n`).join('')}\nBlock devices:\n259 blkext\n`,
  ],
  ['diskstats', () => ''],
  ['filesystems', () => FILESYSTEMS.map(name => `nodev\t${name}\n`).join('')],
  ['interrupts', interrupts],
  ['loadavg', loadavg],
  ['meminfo', meminfo],
  ['modules', () => MODULES.map(module => `${module} Live 0x0000000000000000\n`).join('')],
  ['partitions', () => ''],
  ['softirqs', softirqs],
  ['stat', stat],
  ['swaps', () => 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n'],
  ['uptime', uptime],
  ['version', () => `${BANNER}\n`],
])
