import { describe, expect, it } from 'vitest'
import type { Process } from '../../../src/uapi/process.ts'
import { tool, toolMachine } from './harness.ts'

/** A command with what the reference machine answered: output, complaints, status. */
type Case = readonly [command: string, stdout: string, stderr: string, status: number]

const CASES: readonly Case[] = [
  ['sleep', '', "sleep: missing operand\nTry 'sleep --help' for more information.\n", 1],
  ['sleep 1x', '', "sleep: invalid time interval '1x'\nTry 'sleep --help' for more information.\n", 1],
  ['sleep -1', '', "sleep: invalid option -- '1'\nTry 'sleep --help' for more information.\n", 1],
  [
    'sleep 1 y z',
    '',
    "sleep: invalid time interval 'y'\nsleep: invalid time interval 'z'\nTry 'sleep --help' for more information.\n",
    1,
  ],
  ['sleep 1e-2 0x10p-10 .01 1.s 0s 0m 0h 0d', '', '', 0],
  ['sleep nan', '', "sleep: invalid time interval 'nan'\nTry 'sleep --help' for more information.\n", 1],
  ['sleep --foo', '', "sleep: unrecognized option '--foo'\nTry 'sleep --help' for more information.\n", 1],
  ['/bin/true --foo', '', '', 0],
  ['false x', '', '', 1],
  ['env -i A=1 B=2', 'A=1\nB=2\n', '', 0],
  ['env A=1 printenv A', '1\n', '', 0],
  ['env - X=1', 'X=1\n', '', 0],
  ['env nosuch', '', "env: 'nosuch': No such file or directory\n", 127],
  ['env A=1 /tmp', '', "env: '/tmp': Permission denied\n", 126],
  ['env -C /nope pwd', '', "env: cannot change directory to '/nope': No such file or directory\n", 125],
  ['env -0 true', '', "env: cannot specify --null (-0) with command\nTry 'env --help' for more information.\n", 125],
  ['env -u A=B true', '', "env: cannot unset 'A=B': Invalid argument\n", 125],
  ['env -v A=1 true', '', "setenv:   A=1\nexecuting: true\n   arg[0]= 'true'\n", 0],
  ['env --default-signal=FOO true', '', "env: 'FOO': invalid signal\nTry 'env --help' for more information.\n", 125],
  ['env --ignore-signal=INT --list-signal-handling true', '', 'INT        ( 2): IGNORE\n', 0],
  ['printenv HOME NOPE', '/root\n', '', 1],
  ['timeout', '', "Try 'timeout --help' for more information.\n", 125],
  ['timeout x true', '', "timeout: invalid time interval 'x'\nTry 'timeout --help' for more information.\n", 125],
  ['timeout 1 nosuch', '', "timeout: failed to run command 'nosuch': No such file or directory\n", 127],
  ['timeout 1 /tmp', '', "timeout: failed to run command '/tmp': Permission denied\n", 126],
  ['timeout -s FOO 1 true', '', "timeout: 'FOO': invalid signal\nTry 'timeout --help' for more information.\n", 125],
  ['timeout 0.2 sleep 5', '', '', 124],
  ['timeout -v -s INT .1 sleep 1', '', "timeout: sending signal INT to command 'sleep'\n", 124],
  ['timeout -s KILL 0.2 sleep 5', '', '', 137],
  ['timeout --preserve-status 0.2 sleep 5', '', '', 143],
  ['timeout 5 false', '', '', 1],
  ['timeout 0 true', '', '', 0],
  ['nohup', '', "nohup: missing operand\nTry 'nohup --help' for more information.\n", 125],
  ['nohup nosuch', '', "nohup: failed to run command 'nosuch': No such file or directory\n", 127],
  ['id', 'uid=0(root) gid=0(root) groups=0(root)\n', '', 0],
  ['id nobody', 'uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)\n', '', 0],
  ['id -Gn nobody', 'nogroup\n', '', 0],
  ['id nosuch', '', "id: 'nosuch': no such user\n", 1],
  ['id -u -g', '', 'id: cannot print "only" of more than one choice\n', 1],
  ['id -n', '', 'id: cannot print only names or real IDs in default format\n', 1],
  ['whoami', 'root\n', '', 0],
  ['whoami x', '', "whoami: extra operand 'x'\nTry 'whoami --help' for more information.\n", 1],
  ['nproc', '2\n', '', 0],
  ['nproc --ignore=5', '1\n', '', 0],
  ['nproc --ignore=x', '', "nproc: invalid number: 'x'\n", 1],
  [
    'uname -a',
    'Linux debian 6.1.0-56-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16) x86_64 GNU/Linux\n',
    '',
    0,
  ],
  [
    'uname -ap',
    'Linux debian 6.1.0-56-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16) x86_64 GNU/Linux\n',
    '',
    0,
  ],
  ['uname -p', 'unknown\n', '', 0],
  ['uname -x', '', "uname: invalid option -- 'x'\nTry 'uname --help' for more information.\n", 1],
  ['hostname', 'debian\n', '', 0],
  ['hostname -f', '', 'hostname: Temporary failure in name resolution\n', 1],
  ['hostname a_b', '', 'hostname: the specified hostname is invalid\n', 1],
  ['hostname -F /nope', '', 'hostname: No such file or directory\n', 1],
  ['hostname -y', 'hostname: Local domain name not set\n', '', 1],
  ['domainname', '(none)\n', '', 0],
  ['dnsdomainname', '', 'dnsdomainname: Temporary failure in name resolution\n', 1],
  ['uptime -p', 'up 0 minutes\n', '', 0],
  ['uptime -s', '2026-11-25 16:04:24\n', '', 0],
  ['/bin/kill 99999', '', '/bin/kill: (99999): No such process\n', 1],
  ['/bin/kill abc', '', "/bin/kill: failed to parse argument: 'abc'\n", 1],
  [
    '/bin/kill -s TERM 99999 99998',
    '',
    '/bin/kill: (99999): No such process\n/bin/kill: (99998): No such process\n',
    1,
  ],
  ['/bin/kill -RTMIN+1 99999', '', '/bin/kill: (99999): No such process\n', 1],
  ['/bin/kill -l 9', 'KILL\n', '', 0],
  ['/bin/kill -l KILL', '9\n', '', 0],
  ['/bin/kill -l 137', '', '/bin/kill: unknown signal name 137\n', 0],
  [
    '/bin/kill -l',
    'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT\nCHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH POLL PWR SYS\n',
    '',
    0,
  ],
  ['nsenter -t 99999 -n true', '', 'nsenter: cannot open /proc/99999/ns/net: No such file or directory\n', 1],
  ['nsenter -t abc -n true', '', "nsenter: failed to parse pid: 'abc'\n", 1],
  ['nsenter -n true', '', 'nsenter: neither filename nor target pid supplied for ns/net\n', 1],
  ['nsenter --net=/etc/hostname true', '', "nsenter: reassociate to namespace 'ns/net' failed: Invalid argument\n", 1],
  ['nsenter --net=/proc/1/ns/uts true', '', "nsenter: reassociate to namespace 'ns/net' failed: Invalid argument\n", 1],
  ['nsenter -t 1 -m -u -n -i true', '', '', 0],
  ['nsenter -t 1 -n nosuch', '', 'nsenter: failed to execute nosuch: No such file or directory\n', 127],
  ['nsenter -a true', '', 'nsenter: no target PID specified for --all\n', 1],
  ['unshare -n nosuch', '', 'unshare: failed to execute nosuch: No such file or directory\n', 127],
  ['unshare -n /tmp', '', 'unshare: failed to execute /tmp: Permission denied\n', 126],
  ['unshare -n -w /nope true', '', "unshare: cannot chdir to '/nope': No such file or directory\n", 1],
  ['unshare --propagation foo true', '', 'unshare: unsupported propagation mode: foo\n', 1],
  ['unshare -fn false', '', '', 1],
  ['mount -t proc', 'proc on /proc type proc (rw,relatime)\n', '', 0],
  [
    'mount --bind /nope /mnt',
    '',
    'mount: /mnt: special device /nope does not exist.\n       dmesg(1) may have more information after failed mount system call.\n',
    32,
  ],
  ['mount /mnt', '', "mount: /mnt: can't find in /etc/fstab.\n", 1],
  ['umount', '', "umount: bad usage\nTry 'umount --help' for more information.\n", 1],
  ['umount /mnt', '', 'umount: /mnt: not mounted.\n', 32],
  ['umount /nope', '', 'umount: /nope: no mount point specified.\n', 32],
  ['mountpoint /tmp', '/tmp is a mountpoint\n', '', 0],
  ['mountpoint /etc', '/etc is not a mountpoint\n', '', 32],
  ['dmesg -l foo', '', "dmesg: unknown level 'foo'\n", 1],
  ['dmesg extra', '', "dmesg: bad usage\nTry 'dmesg --help' for more information.\n", 1],
  ['pgrep a b', '', "pgrep: only one pattern can be provided\nTry `pgrep --help' for more information.\n", 2],
  ['pkill nosuch', '', '', 1],
  ['killall nosuch', '', 'nosuch: no process found\n', 1],
  ['pidof nosuch', '', '', 1],
]

describe('process tools answer as on the reference machine:', () => {
  it.each(CASES)('%s', async (command, stdout, stderr, status) => {
    expect(await tool(command.split(' '))).toEqual({ stdout, stderr, status })
  })
})

const background = (proc: Process, ...argv: string[]): number => proc.fork(child => child.exec(argv[0]!, argv))

describe('timeout', () => {
  it('kills what ignores the first signal', async () => {
    const on = toolMachine()
    expect(
      (await tool(['timeout', '-k', '0.2', '0.2', 'env', '--ignore-signal=TERM', 'sleep', '9'], { on })).status,
    ).toBe(137)
    expect(on.kernel.clock.now).toBeLessThan(22e9)
  })

  it('ends after the time, not later', async () => {
    const on = toolMachine()
    await tool(['timeout', '2', 'sleep', '1000'], { on })
    expect(on.kernel.clock.now - 23e9).toBeLessThan(0.1e9)
  })
})

describe('ps', () => {
  it('lays its columns out, with headings of one’s own', async () => {
    const before = (proc: Process) => void background(proc, 'sleep', '50')
    const show = async (...words: string[]) => (await tool(['ps', ...words], { before })).stdout
    expect(await show('-C', 'sleep', '-o', 'pid,args,stat')).toBe(
      '  PID COMMAND                     STAT\n  313 sleep 50                    S\n',
    )
    expect(await show('-o', 'pid=X', '-o', 'comm=NAME', '-p', '313')).toBe('    X NAME\n  313 sleep\n')
    expect(await show('-o', 'user:3,pid', '-p', '313')).toBe('USER  PID\nro+   313\n')
    expect(await show('-o', 'pid=,ppid=', '-p', '313')).toBe('  313   312\n')
    expect(await show('-l', '-p', '313')).toBe(
      'F S   UID   PID  PPID  C PRI  NI ADDR SZ WCHAN  TTY          TIME CMD\n4 S     0   313   312  0  80   0 -   658 hrtime ?        00:00:00 sleep\n',
    )
    expect(await show('u', '-p', '313')).toBe(
      'USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\nroot       313  0.0  0.0   2632   896 ?        S    16:04   0:00 sleep 50\n',
    )
  })

  it('shows trees', async () => {
    const before = async (proc: Process) => {
      background(proc, 'timeout', '9', 'sleep', '8')
      await proc.nanosleep(1e9)
    }
    const { stdout } = await tool(['ps', '--forest', '-o', 'pid,args', '-C', 'test,timeout,sleep'], { before })
    expect(stdout).toBe('  PID COMMAND\n  312 test\n  313  \\_ timeout 9 sleep 8\n  314      \\_ sleep 8\n')
  })

  it('reads Unix, BSD and GNU options, and complains in its own way', async () => {
    expect((await tool(['ps', '-aux'])).stdout).toMatch(/^USER {7}PID %CPU/)
    expect((await tool(['ps', 'axo', 'pid,comm', '--sort=-pid'])).stdout.split('\n')[1]).toBe('  313 ps')
    const { stderr, status } = await tool(['ps', '-o', 'nope'])
    expect(stderr).toMatch(/^error: unknown user-defined format specifier "nope"\n\nUsage:\n ps \[options\]\n/)
    expect(status).toBe(1)
    expect((await tool(['ps', '-p', '99999'])).stdout).toBe('  PID TTY          TIME CMD\n')
  })
})

describe('pgrep and pkill', () => {
  it('find by name, command line and parent, and kill', async () => {
    const before = (proc: Process) => {
      background(proc, 'sleep', '77')
      background(proc, 'sleep', '78')
    }
    expect((await tool(['pgrep', '-c', 'sleep'], { before })).stdout).toBe('2\n')
    expect((await tool(['pgrep', '-a', '-f', 'sleep 78'], { before })).stdout).toBe('314 sleep 78\n')
    expect((await tool(['pgrep', '-n', '-l', '-P', '312', 'sleep'], { before })).stdout).toBe('314 sleep\n')
    expect((await tool(['pkill', '-e', '-f', 'sleep 77'], { before })).stdout).toBe('sleep killed (pid 313)\n')
    expect((await tool(['pidof', 'sleep'], { before })).stdout).toBe('314 313\n')
  })
})

describe('namespaces', () => {
  it('unshare makes one, nsenter enters it, and a file keeps it', async () => {
    const on = toolMachine()
    const before = async (proc: Process) => {
      proc.writeFile('/tmp/ns', '')
      await proc.waitpid(background(proc, 'unshare', '--net=/tmp/ns', 'true'))
      expect(proc.stat('/tmp/ns').ino).not.toBe(proc.stat('/proc/self/ns/net').ino)
    }
    expect((await tool(['mount', '-t', 'nsfs'], { on, before })).stdout).toBe('nsfs on /tmp/ns type nsfs (rw)\n')
    const script = (proc: Process) => background(proc, 'nsenter', '--net=/tmp/ns', 'sleep', '9')
    let link = ''
    await tool(['umount', '/tmp/ns'], {
      on,
      before: async proc => {
        const inside = script(proc)
        await proc.nanosleep(1e9)
        link = `${proc.readlink(`/proc/${inside}/ns/net`)} ${proc.stat('/tmp/ns').ino}`
      },
    })
    expect(link).toMatch(/^net:\[(\d+)\] \1$/)
  })
})

describe('mount and umount', () => {
  it('bind directories and say so', async () => {
    const on = toolMachine()
    expect(await tool(['mount', '-v', '--bind', '/etc', '/mnt'], { on })).toEqual({
      stdout: 'mount: /etc bound on /mnt.\n',
      stderr: '',
      status: 0,
    })
    expect((await tool(['umount', '-v', '/mnt'], { on })).stderr).toBe('umount: /mnt (overlay) unmounted\n')
  })
})

describe('dmesg', () => {
  it('shows records in every style, and clears them', async () => {
    const on = toolMachine()
    const before = (proc: Process) => {
      proc.writeFile('/dev/kmsg', '<3>an error\n')
      proc.writeFile('/dev/kmsg', 'plain\n')
    }
    expect((await tool(['dmesg', '-C'], { on })).status).toBe(0)
    const plain = await tool(['dmesg'], { on, before })
    expect(plain.stdout).toMatch(/^\[ {3}21\.\d{6}\] an error\n\[ {3}21\.\d{6}\] plain\n$/)
    expect((await tool(['dmesg', '-x', '-t'], { on })).stdout).toBe('user  :err   : an error\nuser  :warn  : plain\n')
    expect((await tool(['dmesg', '-l', 'err', '-r', '-t'], { on })).stdout).toBe('<3>an error\n')
    expect((await tool(['dmesg', '-T'], { on })).stdout).toMatch(/^\[Wed Nov 25 16:04:45 2026\] an error\n/)
    expect((await tool(['dmesg', '-J'], { on })).stdout).toMatch(
      /^\{\n {3}"dmesg": \[\n {6}\{\n {9}"pri": 3,\n {9}"time": {4}21\.\d{6},\n {9}"msg": "an error"\n {6}\},\{\n/,
    )
    expect((await tool(['dmesg', '-c'], { on })).stdout).toContain('plain')
    expect((await tool(['dmesg'], { on })).stdout).toBe('')
  })
})

describe('hostname', () => {
  it('sets and shortens names, also from a file', async () => {
    const on = toolMachine()
    await tool(['hostname', 'a.example.org'], { on })
    expect((await tool(['hostname', '-s'], { on })).stdout).toBe('a\n')
    await tool(['hostname', '-F', '/tmp/hn'], { on, before: proc => proc.writeFile('/tmp/hn', '#c\n\nname2\n') })
    expect((await tool(['uname', '-n'], { on })).stdout).toBe('name2\n')
    await tool(['domainname', 'lab'], { on })
    expect((await tool(['hostname', '-y'], { on })).stdout).toBe('lab\n')
  })
})
