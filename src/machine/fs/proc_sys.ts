/** /proc/sys: the reader's namespace's net tree from the kernel, and what little of kernel, fs and vm a lab looks at. */
import { type KernfsFile, KernfsTable } from '../../kernel/core/kernfs.ts'
import { Errno } from '../../uapi/errno.ts'
import type { Machine } from '../machine.ts'
import { PID_MAX } from '../process_table.ts'
import { RELEASE, SYSNAME, VERSION } from '../uts.ts'
import type { ViewDir } from './kernfs_inode.ts'
import { overlayDirs } from './procfs.ts'

/** A sysctl whose value is a text of the machine. */
function textEntry(read: () => string, write?: (value: string) => void): KernfsFile {
  return {
    kind: 'file',
    mode: write === undefined ? 0o444 : 0o644,
    read: () => `${read()}\n`,
    ...(write === undefined
      ? {}
      : {
          write: (text: string) => {
            write(text.replace(/\n[^]*$/, ''))
            return text.length
          },
        }),
  }
}

/** Sysctls with one or several numbers: as many as the text of the start value has. */
function numberEntry(start: string): KernfsFile {
  let values = start.split('\t')
  return textEntry(
    () => values.join('\t'),
    text => {
      const words = text.trim().split(/\s+/)
      values = values.map((old, i) => (/^-?\d+$/.test(words[i] ?? '') ? String(Number(words[i])) : old))
    },
  )
}

/** Values of the reference machine that are neither the network's nor derived from the machine's state. */
const NUMBERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  fs: {
    'aio-max-nr': '65536',
    'aio-nr': '0',
    'dir-notify-enable': '1',
    'file-max': '9223372036854775807',
    'file-nr': '128\t0\t9223372036854775807',
    'lease-break-time': '45',
    'leases-enable': '1',
    'mount-max': '100000',
    nr_open: '1048576',
    overflowgid: '65534',
    overflowuid: '65534',
    'pipe-max-size': '1048576',
    'pipe-user-pages-hard': '0',
    'pipe-user-pages-soft': '16384',
    protected_fifos: '0',
    protected_hardlinks: '0',
    protected_regular: '0',
    protected_symlinks: '0',
    suid_dumpable: '0',
  },
  kernel: {
    acct: '4\t2\t30',
    'ctrl-alt-del': '0',
    dmesg_restrict: '1',
    kexec_load_disabled: '0',
    kptr_restrict: '0',
    modules_disabled: '0',
    msgmax: '8192',
    msgmnb: '16384',
    msgmni: '32000',
    ngroups_max: '65536',
    nmi_watchdog: '0',
    overflowgid: '65534',
    overflowuid: '65534',
    panic: '-1',
    panic_on_oops: '0',
    perf_event_paranoid: '3',
    printk: '4\t4\t1\t7',
    printk_delay: '0',
    printk_ratelimit: '5',
    printk_ratelimit_burst: '10',
    randomize_va_space: '2',
    sched_autogroup_enabled: '1',
    sched_child_runs_first: '0',
    sem: '32000\t1024000000\t500\t32000',
    shmall: '18446744073692774399',
    shmmax: '18446744073692774399',
    shmmni: '4096',
    sysrq: '438',
    tainted: '0',
    'threads-max': '11122',
    unprivileged_bpf_disabled: '2',
    unprivileged_userns_clone: '1',
    watchdog: '1',
    watchdog_thresh: '10',
  },
  vm: {
    dirty_background_bytes: '0',
    dirty_background_ratio: '10',
    dirty_bytes: '0',
    dirty_expire_centisecs: '3000',
    dirty_ratio: '20',
    dirty_writeback_centisecs: '500',
    laptop_mode: '0',
    max_map_count: '65530',
    min_free_kbytes: '4872',
    mmap_min_addr: '65536',
    nr_hugepages: '0',
    overcommit_kbytes: '0',
    overcommit_memory: '0',
    overcommit_ratio: '50',
    panic_on_oom: '0',
    stat_interval: '1',
    swappiness: '60',
    vfs_cache_pressure: '100',
  },
}

function kernelTable(machine: Machine, table: KernfsTable): void {
  const { random } = machine
  const uuid = (): string => {
    const hex = [...random.fill(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
  }
  const bootId = uuid()
  table.set('cap_last_cap', textEntry(() => '40'))
  table.set('core_pattern', textEntry(() => 'core', () => {}))
  table.set('domainname', textEntry(() => machine.domainname, value => void (machine.domainname = value.slice(0, 64))))
  table.set('hostname', textEntry(() => machine.hostname, value => void (machine.hostname = value.slice(0, 64))))
  table.set('modprobe', textEntry(() => '/sbin/modprobe', () => {}))
  table.set('ns_last_pid', textEntry(() => String(machine.processes.lastPid)))
  table.set('osrelease', textEntry(() => RELEASE))
  table.set('ostype', textEntry(() => SYSNAME))
  table.set('pid_max', textEntry(() => String(PID_MAX)))
  table.set('version', textEntry(() => VERSION))
  const randomDir = table.dir('random')
  randomDir.set('boot_id', textEntry(() => bootId))
  randomDir.set('entropy_avail', textEntry(() => '256'))
  randomDir.set('poolsize', textEntry(() => '256'))
  randomDir.set('uuid', textEntry(uuid))
}

/** @returns /proc/sys */
export function sysctlTree(machine: Machine): ViewDir {
  const own = new KernfsTable(true)
  for (const name of ['abi', 'crypto', 'debug', 'dev', 'user']) own.dir(name)
  for (const [dir, entries] of Object.entries(NUMBERS)) {
    const table = own.dir(dir)
    for (const [name, value] of Object.entries(entries)) table.set(name, numberEntry(value))
  }
  kernelTable(machine, own.dir('kernel'))
  own.dir('vm').set('drop_caches', {
    kind: 'file',
    mode: 0o200,
    write: text => (/^\s*[1-4]\s*$/.test(text) ? text.length : -Errno.EINVAL),
  })
  const view = (task: Parameters<ViewDir['lookup']>[1]): ViewDir => overlayDirs(machine.kernel.procSys(task.net), own)
  return {
    kind: 'dir',
    mode: 0o555,
    list: task => view(task).list(task),
    lookup: (name, task) => view(task).lookup(name, task),
  }
}
