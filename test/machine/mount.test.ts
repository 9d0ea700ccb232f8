import { describe, expect, it } from 'vitest'
import { Errno } from '../../src/uapi/errno.ts'
import { O_CREAT, O_RDONLY, O_WRONLY } from '../../src/uapi/fs.ts'
import {
  MNT_DETACH,
  MS_BIND,
  MS_MOVE,
  MS_NODEV,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_REMOUNT,
  MS_SHARED,
  MS_SLAVE,
} from '../../src/uapi/mount.ts'
import { CLONE_NEWNET, CLONE_NEWNS, type Process } from '../../src/uapi/process.ts'
import { errnoOf, machine, run, text } from './harness.ts'

/** Runs checks as a process; a failing expectation fails the test. */
async function check(checks: (proc: Process) => void | Promise<void>, on = machine()): Promise<void> {
  let failure: unknown
  on.onCrash = (_comm, error) => {
    failure = error
  }
  await run(
    async proc => {
      await checks(proc)
      return 0
    },
    { on },
  )
  if (failure !== undefined) throw failure
}

/** @returns the last line of mountinfo without its numbers */
function last(proc: Process): string {
  const lines = text(proc, '/proc/self/mountinfo').trimEnd().split('\n')
  return lines.at(-1)!.split(' ').slice(2).join(' ')
}

/** Runs a child to its end. */
async function child(proc: Process, main: (child: Process) => void): Promise<void> {
  await proc.waitpid(
    proc.fork(inside => {
      main(inside)
      return 0
    }),
  )
}

describe('mount', () => {
  it('lays an empty tmpfs over a directory until it is taken away', () =>
    check(proc => {
      proc.mkdir('/tmp/m')
      proc.writeFile('/tmp/m/below', 'x')
      proc.mount('tmpfs', '/tmp/m', 'tmpfs', MS_NOSUID | MS_NODEV, 'size=1m,mode=700')
      expect(proc.readdir('/tmp/m')).toEqual([])
      expect(proc.stat('/tmp/m').mode & 0o7777).toBe(0o700)
      expect(last(proc)).toBe('0:34 / /tmp/m rw,nosuid,nodev,relatime - tmpfs tmpfs rw,size=1024k,mode=700,inode64')
      proc.writeFile('/tmp/m/above', 'y')
      proc.umount('/tmp/m')
      expect(proc.readdir('/tmp/m').map(entry => entry.name)).toEqual(['below'])
      expect(errnoOf(() => proc.umount('/tmp/m'))).toBe(Errno.EINVAL)
    }))

  it('refuses what Linux refuses', () =>
    check(proc => {
      proc.mkdir('/tmp/m')
      proc.writeFile('/tmp/f', '')
      const fails = (source: string, target: string, type: string, flags: number, data = ''): number =>
        errnoOf(() => proc.mount(source, target, type, flags, data))
      expect(fails('x', '/tmp/m', 'ext4', 0)).toBe(Errno.ENODEV)
      expect(fails('x', '/tmp/m', '', 0)).toBe(Errno.EINVAL)
      expect(fails('x', '/tmp/none', 'tmpfs', 0)).toBe(Errno.ENOENT)
      expect(fails('x', '/tmp/f', 'tmpfs', 0)).toBe(Errno.ENOTDIR)
      expect(fails('x', '/tmp/m', 'tmpfs', 0, 'bogus')).toBe(Errno.EINVAL)
      expect(fails('x', '/tmp/m', 'tmpfs', 0, 'size=abc')).toBe(Errno.EINVAL)
      expect(fails('proc', '/proc', 'proc', 0)).toBe(Errno.EBUSY)
      expect(fails('/tmp/f', '/tmp/m', '', MS_BIND)).toBe(Errno.ENOTDIR)
      expect(fails('', '/tmp/m', '', MS_REMOUNT)).toBe(Errno.EINVAL)
      expect(fails('', '/tmp/m', '', MS_SHARED)).toBe(Errno.EINVAL)
      expect(fails('', '/tmp', '', MS_SHARED | MS_SLAVE)).toBe(Errno.EINVAL)
      proc.setuid(1000)
      expect(fails('x', '/tmp/m', 'tmpfs', 0)).toBe(Errno.EPERM)
    }))

  it('shows a directory elsewhere, there read-only if asked', () =>
    check(proc => {
      proc.mkdir('/tmp/a')
      proc.mkdir('/tmp/b')
      proc.writeFile('/tmp/a/file', 'text')
      proc.mount('/tmp/a', '/tmp/b', '', MS_BIND)
      proc.mount('', '/tmp/b', '', MS_BIND | MS_REMOUNT | MS_RDONLY | MS_RELATIME)
      expect(text(proc, '/tmp/b/file')).toBe('text')
      expect(errnoOf(() => proc.writeFile('/tmp/b/file', ''))).toBe(Errno.EROFS)
      expect(errnoOf(() => proc.mkdir('/tmp/b/x'))).toBe(Errno.EROFS)
      proc.writeFile('/tmp/a/file', 'new')
      expect(text(proc, '/tmp/b/file')).toBe('new')
      expect(last(proc)).toBe('0:32 /a /tmp/b ro,relatime - tmpfs tmpfs rw,inode64')
      proc.mkdir('/tmp/a/sub')
      proc.mount('tmpfs', '/tmp/a/sub', 'tmpfs', 0)
      proc.mkdir('/tmp/c')
      proc.mount('/tmp/a', '/tmp/c', '', MS_BIND | MS_REC)
      proc.writeFile('/tmp/a/sub/x', 'deep')
      expect(text(proc, '/tmp/c/sub/x')).toBe('deep')
    }))

  it('moves', () =>
    check(proc => {
      proc.mkdir('/tmp/a')
      proc.mkdir('/tmp/b')
      proc.mount('one', '/tmp/a', 'tmpfs', 0)
      proc.writeFile('/tmp/a/x', '')
      proc.mount('/tmp/a', '/tmp/b', '', MS_MOVE)
      expect(proc.access('/tmp/a/x', 0)).toBe(false)
      expect(proc.access('/tmp/b/x', 0)).toBe(true)
      expect(last(proc)).toContain(' /tmp/b rw,relatime - tmpfs one ')
    }))

  it('is busy while somebody is in it or has a file of it open, and lets go lazily', () =>
    check(proc => {
      proc.mkdir('/tmp/m')
      proc.mount('tmpfs', '/tmp/m', 'tmpfs', 0)
      const fd = proc.open('/tmp/m/f', O_WRONLY | O_CREAT)
      expect(errnoOf(() => proc.umount('/tmp/m'))).toBe(Errno.EBUSY)
      proc.close(fd)
      proc.chdir('/tmp/m')
      expect(errnoOf(() => proc.umount('/tmp/m'))).toBe(Errno.EBUSY)
      proc.chdir('/')
      proc.mkdir('/tmp/m/sub')
      proc.mount('tmpfs', '/tmp/m/sub', 'tmpfs', 0)
      expect(errnoOf(() => proc.umount('/tmp/m'))).toBe(Errno.EBUSY)
      proc.umount('/tmp/m', MNT_DETACH)
      expect(proc.readdir('/tmp/m')).toEqual([])
      expect(text(proc, '/proc/mounts')).not.toContain('/tmp/m')
    }))
})

describe('mount namespaces', () => {
  it('are copies whose mounts nobody else sees, once they are private', () =>
    check(async proc => {
      proc.mkdir('/tmp/m')
      proc.chdir('/tmp/m')
      const own = proc.readlink('/proc/self/ns/mnt')
      await child(proc, inside => {
        inside.unshare(CLONE_NEWNS)
        inside.mount('none', '/', '', MS_PRIVATE | MS_REC)
        expect(inside.readlink('/proc/self/ns/mnt')).not.toBe(own)
        expect(inside.cwd).toBe('/tmp/m')
        inside.mount('tmpfs', '/tmp', 'tmpfs', 0)
        expect(inside.readdir('/tmp')).toEqual([])
      })
      expect(proc.readdir('/tmp').map(entry => entry.name)).toEqual(['m'])
      expect(proc.readlink('/proc/self/ns/mnt')).toBe(own)
    }))

  it('are entered through the files of their processes', () =>
    check(async proc => {
      proc.mkdir('/tmp/m')
      const other = proc.fork(async inside => {
        inside.unshare(CLONE_NEWNS)
        inside.mount('inner', '/tmp/m', 'tmpfs', 0)
        await inside.nanosleep(1e9)
        return 0
      })
      await proc.nanosleep(1e6)
      await child(proc, inside => {
        inside.setns(inside.open(`/proc/${other}/ns/mnt`, O_RDONLY))
        expect(inside.cwd).toBe('/')
        expect(text(inside, '/proc/mounts')).toContain('inner /tmp/m')
      })
      expect(text(proc, '/proc/mounts')).not.toContain('inner /tmp/m')
    }))

  it('receive what is mounted below what they share, slaves only one way', () =>
    check(async proc => {
      proc.mkdir('/tmp/m')
      proc.mount('/tmp/m', '/tmp/m', '', MS_BIND)
      proc.mount('', '/tmp/m', '', MS_SHARED)
      proc.mkdir('/tmp/m/up')
      proc.mkdir('/tmp/m/down')
      const slave = proc.fork(async inside => {
        inside.unshare(CLONE_NEWNS)
        inside.mount('', '/', '', MS_SLAVE | MS_REC)
        inside.mount('own', '/tmp/m/down', 'tmpfs', 0)
        await inside.nanosleep(2e9)
        expect(text(inside, '/proc/mounts')).toContain('late /tmp/m/up')
        await inside.nanosleep(2e9)
        expect(text(inside, '/proc/mounts')).not.toContain('late /tmp/m/up')
        expect(text(inside, '/proc/mounts')).toContain('own /tmp/m/down')
        return 0
      })
      await proc.nanosleep(1e9)
      proc.mount('late', '/tmp/m/up', 'tmpfs', 0)
      expect(last(proc)).toContain(' shared:')
      await proc.nanosleep(2e9)
      proc.umount('/tmp/m/up')
      expect(text(proc, '/proc/mounts')).not.toContain('own /tmp/m/down')
      expect(await proc.waitpid(slave)).toMatchObject({ status: 0 })
    }))

  it('lose the mounts over a file that is removed elsewhere', () =>
    check(async proc => {
      proc.writeFile('/tmp/f', '')
      const other = proc.fork(async inside => {
        inside.unshare(CLONE_NEWNS)
        inside.mount('/etc/hostname', '/tmp/f', '', MS_BIND)
        await inside.nanosleep(2e9)
        expect(text(inside, '/proc/mounts')).not.toContain('/tmp/f')
        return 0
      })
      await proc.nanosleep(1e9)
      proc.unlink('/tmp/f')
      expect(await proc.waitpid(other)).toMatchObject({ status: 0 })
    }))

  it('give their numbers and their hold on network namespaces back', async () => {
    const on = machine()
    await check(async proc => {
      await child(proc, inside => {
        inside.unshare(CLONE_NEWNS | CLONE_NEWNET)
        inside.writeFile('/tmp/ns', '')
        inside.mount('/proc/self/ns/net', '/tmp/ns', '', MS_BIND)
      })
      await proc.nanosleep(1e9)
      expect(on.kernel.nets.size).toBe(2)
      const before = proc.readlink('/proc/self/ns/mnt')
      const seen = new Set<string>()
      for (let n = 0; n < 3; n++)
        await child(proc, inside => {
          inside.unshare(CLONE_NEWNS)
          seen.add(inside.readlink('/proc/self/ns/mnt'))
        })
      expect(seen.size).toBe(1)
      expect(seen.has(before)).toBe(false)
    }, on)
  })
})

describe('sysfs', () => {
  it('shows the namespace that it was mounted in, not that of the reader', () =>
    check(async proc => {
      const names = (of: Process): string[] => of.readdir('/sys/class/net').map(entry => entry.name)
      const outside = proc.stat('/sys/class/net/lo/ifindex')
      await child(proc, inside => {
        inside.unshare(CLONE_NEWNS | CLONE_NEWNET)
        expect(names(inside)).toEqual(['lo'])
        expect(inside.stat('/sys/class/net/lo/ifindex').dev).toBe(outside.dev)
        inside.umount('/sys', MNT_DETACH)
        inside.mount('a', '/sys', 'sysfs', 0)
        expect(inside.stat('/sys/class/net/lo/ifindex').dev).not.toBe(outside.dev)
      })
    }))
})
