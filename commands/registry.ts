/** The emulated tools: where each is in the machine's file system, and its code, loaded on first use. One entry each. */
import type { ProgramFile } from '../src/uapi/process.ts'

export const PROGRAMS: readonly ProgramFile[] = [
  // iproute2
  { path: '/usr/bin/ip', links: ['/usr/sbin/ip'], load: () => import('./ip/main.ts').then(m => m.main) },
  { path: '/usr/bin/bridge', links: ['/usr/sbin/bridge'], load: () => import('./bridge/main.ts').then(m => m.main) },
  { path: '/usr/bin/nstat', links: ['/usr/sbin/nstat'], load: () => import('./nstat/main.ts').then(m => m.main) },
  // iputils
  {
    path: '/usr/bin/ping',
    links: ['/usr/bin/ping4', '/usr/bin/ping6'],
    load: () => import('./ping/main.ts').then(m => m.main),
  },
  { path: '/usr/bin/arping', links: ['/usr/sbin/arping'], load: () => import('./arping/main.ts').then(m => m.main) },
  { path: '/usr/bin/tracepath', load: () => import('./tracepath/main.ts').then(m => m.main) },
  // traceroute
  {
    path: '/usr/bin/traceroute',
    links: ['traceroute6', 'traceroute.db', 'traceroute6.db'].map(name => `/usr/bin/${name}`),
    load: () => import('./traceroute/main.ts').then(m => m.main),
  },
  {
    path: '/usr/sbin/tcptraceroute',
    links: ['/usr/sbin/tcptraceroute.db'],
    load: () => import('./traceroute/wrappers.ts').then(m => m.tcptraceroute),
  },
  { path: '/usr/bin/lft', links: ['/usr/bin/lft.db'], load: () => import('./traceroute/wrappers.ts').then(m => m.lft) },
  // procps
  { path: '/usr/sbin/sysctl', load: () => import('./sysctl/main.ts').then(m => m.main) },
  {
    path: '/usr/bin/pgrep',
    links: ['/usr/bin/pkill'],
    load: () => import('./pgrep/main.ts').then(m => m.main),
  },
  { path: '/usr/bin/ps', load: () => import('./ps/main.ts').then(m => m.main) },
  { path: '/usr/bin/kill', load: () => import('./kill/main.ts').then(m => m.main) },
  { path: '/usr/bin/uptime', load: () => import('./uptime/main.ts').then(m => m.main) },
  { path: '/usr/bin/watch', load: () => import('./watch/main.ts').then(m => m.main) },
  // coreutils
  { path: '/usr/bin/arch', load: () => import('./arch/main.ts').then(m => m.main) },
  { path: '/usr/bin/env', load: () => import('./env/main.ts').then(m => m.main) },
  { path: '/usr/bin/false', load: () => import('./false/main.ts').then(m => m.main) },
  { path: '/usr/bin/groups', load: () => import('./groups/main.ts').then(m => m.main) },
  { path: '/usr/bin/id', load: () => import('./id/main.ts').then(m => m.main) },
  { path: '/usr/bin/nohup', load: () => import('./nohup/main.ts').then(m => m.main) },
  { path: '/usr/bin/nproc', load: () => import('./nproc/main.ts').then(m => m.main) },
  { path: '/usr/bin/printenv', load: () => import('./printenv/main.ts').then(m => m.main) },
  { path: '/usr/bin/sleep', load: () => import('./sleep/main.ts').then(m => m.main) },
  { path: '/usr/bin/timeout', load: () => import('./timeout/main.ts').then(m => m.main) },
  { path: '/usr/bin/true', load: () => import('./true/main.ts').then(m => m.main) },
  { path: '/usr/bin/uname', load: () => import('./uname/main.ts').then(m => m.main) },
  { path: '/usr/bin/whoami', load: () => import('./whoami/main.ts').then(m => m.main) },
  // util-linux
  { path: '/usr/bin/dmesg', load: () => import('./dmesg/main.ts').then(m => m.main) },
  { path: '/usr/bin/mount', load: () => import('./mount/main.ts').then(m => m.main) },
  { path: '/usr/bin/mountpoint', load: () => import('./mountpoint/main.ts').then(m => m.main) },
  { path: '/usr/bin/nsenter', load: () => import('./nsenter/main.ts').then(m => m.main) },
  { path: '/usr/bin/umount', load: () => import('./umount/main.ts').then(m => m.main) },
  { path: '/usr/bin/unshare', load: () => import('./unshare/main.ts').then(m => m.main) },
  // psmisc, sysvinit
  { path: '/usr/bin/killall', load: () => import('./killall/main.ts').then(m => m.main) },
  { path: '/usr/bin/pidof', load: () => import('./pidof/main.ts').then(m => m.main) },
  // hostname
  {
    path: '/usr/bin/hostname',
    links: ['domainname', 'dnsdomainname', 'nisdomainname', 'ypdomainname'].map(name => `/usr/bin/${name}`),
    load: () => import('./hostname/main.ts').then(m => m.main),
  },
]

/** Tools that the reference machine does not have: for interactive sessions, in which hands type them unasked. */
export const CONVENIENCES: readonly ProgramFile[] = [
  { path: '/usr/bin/sudo', load: () => import('./sudo/main.ts').then(m => m.main) },
]
