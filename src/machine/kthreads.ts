/** The kernel's own threads, as ps shows them on the reference machine: pid, name, nice value, whether they idle. */

/** A kernel thread. */
export interface KernelThread {
  readonly pid: number
  readonly comm: string
  /** -20 for work queues, 0 for most */
  readonly nice: number
  /** state letter while it has nothing to do */
  readonly state: 'S' | 'I'
}

const WORKQUEUES =
  '3 rcu_gp 4 rcu_par_gp 5 slub_flushwq 6 netns 8 kworker/0:0H-events_highpri 10 mm_percpu_wq 23 kworker/1:0H-events_highpri 27 inet_frag_wq 33 writeback 37 kintegrityd 38 kblockd 39 blkcg_punt_bio 40 tpm_dev_wq 41 edac-poller 42 devfreq_wq 43 quota_events_un 44 kworker/1:1H 52 kthrotld 54 acpi_thermal_pm 56 mld 57 kworker/0:1H 58 ipv6_addrconf 63 kstrp 68 zswap-shrink 69 kworker/u5:0'
const IDLERS =
  '7 kworker/0:0-events 9 kworker/u4:0-events_unbound 11 rcu_tasks_kthread 12 rcu_tasks_rude_kthread 13 rcu_tasks_trace_kthread 15 rcu_preempt 17 kworker/0:1-events 22 kworker/1:0-rcu_gp 25 kworker/u4:1-events_unbound 29 kworker/1:1-events 32 kworker/u4:2-events_unbound 46 kworker/u4:3 55 kworker/1:2-events'
const SLEEPERS =
  '2 kthreadd 14 ksoftirqd/0 16 migration/0 18 cpuhp/0 19 cpuhp/1 20 migration/1 21 ksoftirqd/1 26 kdevtmpfs 28 kauditd 30 khungtaskd 31 oom_reaper 34 kcompactd0 45 kswapd0'

function parse(list: string, nice: number, state: 'S' | 'I'): KernelThread[] {
  const words = list.split(' ')
  const threads: KernelThread[] = []
  for (let i = 0; i < words.length; i += 2) threads.push({ pid: Number(words[i]), comm: words[i + 1]!, nice, state })
  return threads
}

/** The threads, by pid; the first is the parent of all others. */
export const KERNEL_THREADS: readonly KernelThread[] = [
  ...parse(WORKQUEUES, -20, 'I'),
  ...parse(IDLERS, 0, 'I'),
  ...parse(SLEEPERS, 0, 'S'),
  ...parse('35 ksmd', 5, 'S'),
  ...parse('36 khugepaged', 19, 'S'),
].sort((a, b) => a.pid - b.pid)
