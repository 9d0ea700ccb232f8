/** The small files of a stock Debian 12 that programs and scripts look at, by path. */
import { RELEASE } from '../uts.ts'
import { IPROUTE2 } from './iproute2.ts'
import { ETHERTYPES, PROTOCOLS } from './protocols.ts'
import { SERVICES } from './services.ts'

/** A file that comes with the machine. */
export interface SeedFile {
  readonly text: () => string
  /** permission bits, 0644 where absent */
  readonly mode?: number
}

const PASSWD = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
sync:x:4:65534:sync:/bin:/bin/sync
games:x:5:60:games:/usr/games:/usr/sbin/nologin
man:x:6:12:man:/var/cache/man:/usr/sbin/nologin
lp:x:7:7:lp:/var/spool/lpd:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
news:x:9:9:news:/var/spool/news:/usr/sbin/nologin
uucp:x:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin
proxy:x:13:13:proxy:/bin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
backup:x:34:34:backup:/var/backups:/usr/sbin/nologin
list:x:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin
irc:x:39:39:ircd:/run/ircd:/usr/sbin/nologin
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
systemd-network:x:998:998:systemd Network Management:/:/usr/sbin/nologin
systemd-timesync:x:997:997:systemd Time Synchronization:/:/usr/sbin/nologin
messagebus:x:100:102::/nonexistent:/usr/sbin/nologin
tcpdump:x:102:105::/nonexistent:/usr/sbin/nologin
iperf3:x:103:107::/nonexistent:/usr/sbin/nologin
`

/** Groups: name and number. */
const GROUPS: readonly (readonly [string, number])[] = [
  ...([
    ['root', 0],
    ['daemon', 1],
    ['bin', 2],
    ['sys', 3],
    ['adm', 4],
    ['tty', 5],
    ['disk', 6],
    ['lp', 7],
  ] as const),
  ...([
    ['mail', 8],
    ['news', 9],
    ['uucp', 10],
    ['man', 12],
    ['proxy', 13],
    ['kmem', 15],
    ['dialout', 20],
  ] as const),
  ...([
    ['fax', 21],
    ['voice', 22],
    ['cdrom', 24],
    ['floppy', 25],
    ['tape', 26],
    ['sudo', 27],
    ['audio', 29],
  ] as const),
  ...([
    ['dip', 30],
    ['www-data', 33],
    ['backup', 34],
    ['operator', 37],
    ['list', 38],
    ['irc', 39],
    ['src', 40],
  ] as const),
  ...([
    ['shadow', 42],
    ['utmp', 43],
    ['video', 44],
    ['sasl', 45],
    ['plugdev', 46],
    ['staff', 50],
  ] as const),
  ...([
    ['games', 60],
    ['users', 100],
    ['nogroup', 65534],
    ['systemd-journal', 999],
  ] as const),
  ...([
    ['systemd-network', 998],
    ['systemd-timesync', 997],
    ['messagebus', 102],
    ['tcpdump', 105],
  ] as const),
  ...([['iperf3', 107]] as const),
]

const OS_RELEASE = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
SUPPORT_URL="https://www.debian.org/support"
BUG_REPORT_URL="https://bugs.debian.org/"
`

const NSSWITCH = `passwd:         files systemd
group:          files systemd
shadow:         files systemd
gshadow:        files systemd

hosts:          files dns
networks:       files

protocols:      db files
services:       db files
ethers:         db files
rpc:            db files

netgroup:       nis
`

const PROFILE = `PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export PATH

if [ "\${PS1-}" ]; then
  if [ "\${BASH-}" ] && [ "$BASH" != "/bin/sh" ]; then
    if [ -f /etc/bash.bashrc ]; then
      . /etc/bash.bashrc
    fi
  else
    PS1='# '
  fi
fi
`

const BASHRC = `[ -z "$PS1" ] && return
shopt -s checkwinsize
PS1='\\u@\\h:\\w\\$ '
`

const SYSCTL_CONF = '# Settings that sysctl applies at boot, one "name = value" a line; see sysctl.conf(5).\n'

/** /usr/lib/sysctl.d: what the packages set at boot. */
const SYSCTL_PIDS = 'kernel.pid_max = 4194304\n'
const SYSCTL_LINKS = `fs.protected_fifos = 1
fs.protected_hardlinks = 1
fs.protected_regular = 2
fs.protected_symlinks = 1
`

const text = (content: string, mode?: number): SeedFile => ({
  text: () => content,
  ...(mode === undefined ? {} : { mode }),
})

/** The files. @param hostname the machine's name */
export function seedFiles(hostname: string): Map<string, SeedFile> {
  const files = new Map<string, SeedFile>([
    ['/etc/bash.bashrc', text(BASHRC)],
    ['/etc/debian_version', text('12.11\n')],
    ['/etc/ethertypes', text(ETHERTYPES)],
    ['/etc/fstab', text('# UNCONFIGURED FSTAB FOR BASE SYSTEM\n')],
    ['/etc/group', { text: () => GROUPS.map(([name, gid]) => `${name}:x:${gid}:\n`).join('') }],
    ['/etc/host.conf', text('multi on\n')],
    ['/etc/hostname', text(`${hostname}\n`)],
    ['/etc/hosts', text('127.0.0.1 localhost\n')],
    ['/etc/issue', text('Debian GNU/Linux 12 \\n \\l\n\n')],
    ['/etc/issue.net', text('Debian GNU/Linux 12\n')],
    ['/etc/network/interfaces', text('source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n')],
    ['/etc/networks', text('default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n')],
    ['/etc/nsswitch.conf', text(NSSWITCH)],
    ['/etc/passwd', text(PASSWD)],
    ['/etc/profile', text(PROFILE)],
    ['/etc/protocols', text(PROTOCOLS)],
    ['/etc/resolv.conf', text('')],
    ['/etc/services', text(SERVICES)],
    ['/etc/shadow', text('root:*:20000:0:99999:7:::\n', 0o640)],
    ['/etc/shells', text('/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n')],
    ['/etc/sysctl.conf', text(SYSCTL_CONF)],
    ['/etc/timezone', text('Etc/UTC\n')],
    ['/root/.bashrc', text('')],
    ['/root/.profile', text('if [ "$BASH" ]; then\n  if [ -f ~/.bashrc ]; then\n    . ~/.bashrc\n  fi\nfi\n')],
    ['/usr/lib/os-release', text(OS_RELEASE)],
    ['/usr/lib/sysctl.d/50-pid-max.conf', text(SYSCTL_PIDS)],
    ['/usr/lib/sysctl.d/99-protect-links.conf', text(SYSCTL_LINKS)],
    [`/boot/config-${RELEASE}`, text('CONFIG_NET=y\nCONFIG_NET_NS=y\nCONFIG_HZ=250\n')],
  ])
  for (const [name, content] of Object.entries(IPROUTE2)) files.set(`/etc/iproute2/${name}`, text(content))
  return files
}

/** Symbolic links: path to target. */
export const SEED_LINKS: readonly (readonly [string, string])[] = [
  ['/bin', 'usr/bin'],
  ['/lib', 'usr/lib'],
  ['/lib64', 'usr/lib64'],
  ['/sbin', 'usr/sbin'],
  ['/etc/localtime', '/usr/share/zoneinfo/Etc/UTC'],
  ['/etc/mtab', '/proc/mounts'],
  ['/etc/os-release', '../usr/lib/os-release'],
  ['/etc/sysctl.d/99-sysctl.conf', '../sysctl.conf'],
  ['/var/lock', '/run/lock'],
  ['/var/run', '/run'],
]

/** Directories and their permission bits. */
export const SEED_DIRECTORIES: readonly (readonly [string, number])[] = [
  ...(['/boot', '/dev', '/etc', '/home', '/media', '/mnt', '/opt', '/srv', '/usr', '/var'] as const).map(
    (path): [string, number] => [path, 0o755],
  ),
  ['/proc', 0o555],
  ['/root', 0o700],
  ['/run', 0o1777],
  ['/sys', 0o555],
  ['/tmp', 0o1777],
  ...(
    [
      ...['/etc/default', '/etc/init.d', '/etc/iproute2', '/etc/iproute2/rt_protos.d', '/etc/iproute2/rt_tables.d'],
      ...['/etc/modprobe.d', '/etc/modules-load.d', '/etc/network', '/etc/network/interfaces.d', '/etc/profile.d'],
      ...['/etc/sysctl.d', '/usr/bin', '/usr/games', '/usr/include', '/usr/lib', '/usr/lib/sysctl.d', '/usr/lib64'],
      ...['/usr/local', '/usr/local/bin', '/usr/local/sbin', '/usr/sbin', '/usr/share', '/usr/src'],
      ...['/var/backups', '/var/cache', '/var/lib', '/var/lib/dhcp', '/var/lib/misc', '/var/local', '/var/log'],
      ...['/var/mail', '/var/opt', '/var/spool'],
    ] as const
  ).map((path): [string, number] => [path, 0o755]),
  ['/var/tmp', 0o1777],
]
