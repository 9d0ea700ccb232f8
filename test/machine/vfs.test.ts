import { describe, expect, it } from 'vitest'
import { Errno } from '../../src/uapi/errno.ts'
import {
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  S_IFCHR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
} from '../../src/uapi/fs.ts'
import type { Process } from '../../src/uapi/process.ts'
import { errnoOf, machine, program, rejection, run, text } from './harness.ts'

/** Runs checks as a process; a failing expectation fails the test. */
async function check(checks: (proc: Process) => void | Promise<void>, options: Parameters<typeof run>[1] = {}) {
  let failure: unknown
  const on = options.on ?? machine()
  on.onCrash = (_comm, error) => {
    failure = error
  }
  await run(
    async proc => {
      await checks(proc)
      return 0
    },
    { ...options, on },
  )
  if (failure !== undefined) throw failure
}

describe('files', () => {
  it('keep bytes that are no UTF-8', () =>
    check(proc => {
      const bytes = Uint8Array.of(0, 0xff, 0xfe, 0x80, 0x41, 0)
      proc.writeFile('/tmp/b', bytes)
      expect(proc.readFile('/tmp/b')).toEqual(bytes)
    }))

  it('append, truncate, seek past the end and read holes as zeros', () =>
    check(async proc => {
      proc.writeFile('/tmp/f', 'one')
      proc.writeFile('/tmp/f', ' two', true)
      expect(text(proc, '/tmp/f')).toBe('one two')
      const fd = proc.open('/tmp/f', O_RDWR)
      expect(proc.lseek(fd, 3, 'end')).toBe(10)
      await proc.write(fd, 'x')
      expect([...proc.readFile('/tmp/f').subarray(6)]).toEqual([0x6f, 0, 0, 0, 0x78])
      proc.ftruncate(fd, 2)
      expect(text(proc, '/tmp/f')).toBe('on')
      proc.ftruncate(fd, 4)
      expect([...proc.readFile('/tmp/f')]).toEqual([0x6f, 0x6e, 0, 0])
      const log = proc.open('/tmp/f', O_WRONLY | O_APPEND)
      proc.lseek(log, 0, 'set')
      await proc.write(log, '!')
      expect(proc.stat('/tmp/f').size).toBe(5)
      proc.close(proc.open('/tmp/f', O_WRONLY | O_TRUNC))
      expect(proc.stat('/tmp/f').size).toBe(0)
    }))

  it('answer wrong paths as Linux does', () =>
    check(proc => {
      proc.writeFile('/tmp/file', '')
      proc.mkdir('/tmp/dir')
      proc.writeFile('/tmp/dir/x', '')
      const cases: [number, () => unknown][] = [
        [Errno.ENOENT, () => proc.open('/tmp/nope', O_RDONLY)],
        [Errno.ENOENT, () => proc.open('', O_RDONLY)],
        [Errno.ENOENT, () => proc.open('/nope/x', O_CREAT | O_WRONLY)],
        [Errno.EEXIST, () => proc.open('/tmp/file', O_CREAT | O_EXCL | O_WRONLY)],
        [Errno.EISDIR, () => proc.open('/tmp', O_WRONLY)],
        [Errno.EISDIR, () => proc.writeFile('/tmp', 'x')],
        [Errno.ENOTDIR, () => proc.open('/tmp/file', O_DIRECTORY)],
        [Errno.ENOTDIR, () => proc.stat('/tmp/file/')],
        [Errno.ENOTDIR, () => proc.stat('/tmp/file/x')],
        [Errno.ENOTDIR, () => proc.readdir('/tmp/file')],
        [Errno.EEXIST, () => proc.mkdir('/tmp')],
        [Errno.ENOENT, () => proc.mkdir('/tmp/a/b')],
        [Errno.ENOTEMPTY, () => proc.rmdir('/tmp/dir')],
        [Errno.ENOTDIR, () => proc.rmdir('/tmp/file')],
        [Errno.EBUSY, () => proc.rmdir('/tmp')],
        [Errno.EBUSY, () => proc.rmdir('/')],
        [Errno.EISDIR, () => proc.unlink('/tmp/dir')],
        [Errno.EINVAL, () => proc.rename('/tmp/dir', '/tmp/dir/sub')],
        [Errno.EISDIR, () => proc.rename('/tmp/file', '/tmp/dir')],
        [Errno.ENOTDIR, () => proc.rename('/tmp/dir', '/tmp/file')],
        [Errno.EXDEV, () => proc.rename('/tmp/file', '/etc/file')],
        [Errno.EXDEV, () => proc.link('/tmp/file', '/etc/file')],
        [Errno.EPERM, () => proc.link('/tmp/dir', '/tmp/dir2')],
        [Errno.EINVAL, () => proc.readlink('/tmp/file')],
        [Errno.ENAMETOOLONG, () => proc.stat(`/tmp/${'n'.repeat(256)}`)],
        [Errno.EBADF, () => proc.close(77)],
        [Errno.ENXIO, () => proc.open('/dev/tty', O_RDONLY)],
      ]
      for (const [errno, call] of cases) expect([String(call), errnoOf(call)]).toEqual([String(call), errno])
    }))

  it('follow symbolic links, up to a limit, and create through dangling ones', () =>
    check(proc => {
      proc.symlink('/etc/hostname', '/tmp/l')
      expect(text(proc, '/tmp/l')).toBe('debian\n')
      expect(proc.lstat('/tmp/l').mode & S_IFMT).toBe(S_IFLNK)
      proc.symlink('loop', '/tmp/loop')
      expect(errnoOf(() => proc.stat('/tmp/loop'))).toBe(Errno.ELOOP)
      proc.symlink('made', '/tmp/dangling')
      proc.writeFile('/tmp/dangling', 'x')
      expect(text(proc, '/tmp/made')).toBe('x')
      proc.symlink('../tmp', '/tmp/up')
      expect(text(proc, '/tmp/up/up/made')).toBe('x')
      expect(text(proc, '/var/run/../etc/hostname')).toBe('debian\n')
    }))

  it('count hard links, and live on while open', () =>
    check(async proc => {
      proc.writeFile('/tmp/a', 'shared')
      proc.link('/tmp/a', '/tmp/b')
      expect(proc.stat('/tmp/a').nlink).toBe(2)
      const fd = proc.open('/tmp/a', O_RDONLY)
      proc.unlink('/tmp/a')
      proc.unlink('/tmp/b')
      expect(proc.readlink(`/proc/self/fd/${fd}`)).toBe('/tmp/a (deleted)')
      expect(new TextDecoder().decode(await proc.read(fd, 100))).toBe('shared')
      expect(text(proc, `/proc/self/fd/${fd}`)).toBe('shared')
    }))

  it('take their mode from the umask, their times from the virtual clock, and bind other users', () =>
    check(async proc => {
      expect(proc.umask(0o077)).toBe(0o022)
      proc.writeFile('/tmp/u', '')
      proc.mkdir('/tmp/ud')
      proc.umask(0o022)
      expect((proc.stat('/tmp/u').mode & 0o777).toString(8)).toBe('600')
      expect((proc.stat('/tmp/ud').mode & 0o777).toString(8)).toBe('700')
      const before = proc.stat('/tmp/u').mtime
      await proc.nanosleep(5e9)
      proc.writeFile('/tmp/u', 'x')
      expect(Math.round((proc.stat('/tmp/u').mtime - before) / 1e9)).toBe(5)
      const errors: number[] = []
      await proc.waitpid(
        proc.fork(child => {
          child.setuid(65_534)
          errors.push(errnoOf(() => child.readFile('/tmp/u')))
          errors.push(errnoOf(() => child.writeFile('/etc/x', '')))
          errors.push(errnoOf(() => child.readFile('/etc/hostname')))
          errors.push(errnoOf(() => child.unlink('/etc/hostname')))
          return 0
        }),
      )
      expect(errors).toEqual([Errno.EACCES, Errno.EACCES, 0, Errno.EACCES])
    }))

  it('list a directory newest first', () =>
    check(proc => {
      for (const name of ['a', 'b', 'c']) proc.writeFile(`/tmp/${name}`, '')
      expect(proc.readdir('/tmp').map(entry => entry.name)).toEqual(['c', 'b', 'a'])
    }))
})

describe('devices', () => {
  it('null, zero, full and random do what they are for', () =>
    check(async proc => {
      const full = proc.open('/dev/full', O_RDWR)
      expect(await rejection(proc.write(full, 'x'))).toBe(Errno.ENOSPC)
      expect(await proc.read(full, 3)).toEqual(new Uint8Array(3))
      const none = proc.open('/dev/null', O_RDWR)
      expect(await proc.write(none, 'abc')).toBe(3)
      expect((await proc.read(none, 10)).length).toBe(0)
      const random = proc.open('/dev/urandom', O_RDONLY)
      expect(new Set(await proc.read(random, 64)).size).toBeGreaterThan(8)
      expect(proc.stat('/dev/null').mode).toBe(S_IFCHR | 0o666)
      proc.mkfifo('/tmp/p')
      expect(proc.stat('/tmp/p').mode & S_IFMT).toBe(S_IFIFO)
      for (const absent of ['/dev/stdin', '/dev/fd', '/dev/pts']) expect(proc.access(absent, 0)).toBe(false)
    }))

  it('kmsg shows and takes kernel messages', () =>
    check(async proc => {
      proc.writeFile('/dev/kmsg', '<3>hello\n')
      const fd = proc.open('/dev/kmsg', O_RDONLY)
      const records: string[] = []
      for (;;) {
        const fail = await proc.read(fd, 8192).then(
          data => {
            records.push(new TextDecoder().decode(data))
            return 0
          },
          (error: { errno: number }) => error.errno,
        )
        if (fail !== 0) {
          expect(fail).toBe(Errno.EAGAIN)
          break
        }
      }
      expect(records.at(-1)).toMatch(/^11,\d+,\d+,-;hello\n$/)
    }))
})

describe('procfs', () => {
  it('describes processes', () =>
    check(proc => {
      const stat = text(proc, '/proc/self/stat').split(' ')
      expect(stat.slice(0, 6)).toEqual([String(proc.pid), '(test)', 'R', '1', String(proc.pid), String(proc.pid)])
      expect(stat.length).toBe(52)
      expect(text(proc, '/proc/self/cmdline')).toBe('test\0')
      expect(text(proc, '/proc/self/cgroup')).toBe('0::/\n')
      expect(text(proc, '/proc/2/comm')).toBe('kthreadd\n')
      expect(proc.readlink('/proc/self')).toBe(String(proc.pid))
      expect(proc.readlink('/proc/net')).toBe('self/net')
      expect(proc.readlink('/proc/self/cwd')).toBe('/')
      const [reader] = proc.pipe()
      expect(proc.readlink(`/proc/self/fd/${reader}`)).toMatch(/^pipe:\[\d+\]$/)
      expect(errnoOf(() => proc.readlink('/proc/2/exe'))).toBe(Errno.ENOENT)
      expect(text(proc, '/proc/uptime')).toMatch(/^21\.\d\d \d+\.\d\d\n$/)
      expect(text(proc, '/proc/cpuinfo').match(/^processor/gm)?.length).toBe(2)
    }))

  it('gives each namespace its own net and sys/net', async () => {
    const on = machine()
    await check(
      async proc => {
        const own = proc.readlink('/proc/self/ns/net')
        expect(own).toBe(`net:[${on.net.ino}]`)
        let other = ''
        await proc.waitpid(
          proc.fork(child => {
            child.unshare(0x40000000)
            other = child.readlink('/proc/self/ns/net')
            return 0
          }),
        )
        expect(other).toMatch(/^net:\[\d+\]$/)
        expect(other).not.toBe(own)
        expect(proc.readlink('/proc/1/ns/net')).toBe('net:[4026531840]')
      },
      { on },
    )
  })

  it('refuses changes', () =>
    check(proc => {
      expect(errnoOf(() => proc.writeFile('/proc/x', ''))).toBe(Errno.ENOENT)
      expect(errnoOf(() => proc.mkdir('/proc/x'))).toBe(Errno.ENOENT)
      expect(errnoOf(() => proc.unlink('/proc/uptime'))).toBe(Errno.EPERM)
      expect(errnoOf(() => proc.writeFile('/sys/x', ''))).toBe(Errno.EACCES)
      expect(errnoOf(() => proc.mkdir('/sys/x'))).toBe(Errno.EPERM)
      expect(errnoOf(() => proc.rmdir('/sys/class/net'))).toBe(Errno.EPERM)
      expect(errnoOf(() => proc.unlink('/proc/sys/kernel/hostname'))).toBe(Errno.EACCES)
    }))

  it('has sysctls that are written and checked', () =>
    check(proc => {
      proc.writeFile('/proc/sys/kernel/hostname', 'renamed\n')
      expect(proc.gethostname()).toBe('renamed')
      expect(errnoOf(() => proc.writeFile('/proc/sys/kernel/osrelease', 'x'))).toBe(Errno.EACCES)
      expect(errnoOf(() => proc.readFile('/proc/sys/vm/drop_caches'))).toBe(Errno.EACCES)
      proc.writeFile('/proc/sys/vm/swappiness', '10\n')
      expect(text(proc, '/proc/sys/vm/swappiness')).toBe('10\n')
      expect(errnoOf(() => proc.writeFile('/proc/sys/vm/swappiness', 'many\n'))).toBe(Errno.EINVAL)
      expect(text(proc, '/proc/sys/kernel/printk')).toBe('4\t4\t1\t7\n')
    }))
})

describe('program files', () => {
  it('are executable files with links, found by which', () =>
    check(
      proc => {
        expect(proc.stat('/usr/sbin/tool').mode & 0o7777).toBe(0o755)
        expect(proc.which('tool')).toBe('/usr/sbin/tool')
        expect(proc.access('/sbin/tool', 1)).toBe(true)
        expect(proc.which('nothing')).toBeUndefined()
        expect(proc.access('/etc/hostname', 1)).toBe(false)
      },
      { on: machine({ programs: [program('/usr/sbin/tool', () => 0)] }) },
    ))
})
