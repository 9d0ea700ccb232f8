import { describe, expect, it } from 'vitest'
import { Errno } from '../../src/uapi/errno.ts'
import { O_CREAT, O_EXCL, O_RDONLY } from '../../src/uapi/fs.ts'
import { MNT_DETACH, MS_BIND } from '../../src/uapi/mount.ts'
import { CLONE_NEWNET, type Process } from '../../src/uapi/process.ts'
import { errnoOf, machine, run, text } from './harness.ts'

/** What `ip netns add` does. */
async function addNetns(proc: Process, name: string): Promise<void> {
  if (!proc.access('/run/netns', 0)) {
    proc.mkdir('/run/netns')
    proc.mount('/run/netns', '/run/netns', 'none', MS_BIND)
  }
  proc.close(proc.open(`/run/netns/${name}`, O_RDONLY | O_CREAT | O_EXCL, 0))
  await proc.waitpid(
    proc.fork(child => {
      child.unshare(CLONE_NEWNET)
      child.mount('/proc/self/ns/net', `/run/netns/${name}`, 'none', MS_BIND)
      return 0
    }),
  )
}

describe('nsfs mounts', () => {
  it('keep a namespace alive until they are taken away', async () => {
    const on = machine()
    const before = on.kernel.nets.size
    const sizes: number[] = []
    await run(
      async proc => {
        await addNetns(proc, 'a')
        await proc.nanosleep(1e9)
        sizes.push(on.kernel.nets.size - before)
        expect(text(proc, '/proc/mounts')).toContain('nsfs /run/netns/a nsfs rw 0 0\n')
        expect(proc.stat('/run/netns/a').mode.toString(8)).toBe('100444')
        expect(errnoOf(() => proc.unlink('/run/netns/a'))).toBe(Errno.EBUSY)
        expect(errnoOf(() => proc.readFile('/run/netns/a'))).toBe(Errno.EINVAL)
        proc.umount('/run/netns/a')
        proc.unlink('/run/netns/a')
        await proc.nanosleep(1e9)
        sizes.push(on.kernel.nets.size - before)
        return 0
      },
      { on },
    )
    expect(sizes).toEqual([1, 0])
  })

  it('let processes enter, which then keep it alive as well, as open files do', async () => {
    const on = machine()
    const before = on.kernel.nets.size
    const sizes: number[] = []
    let failure: unknown
    on.onCrash = (_comm, error) => {
      failure = error
    }
    await run(
      async proc => {
        await addNetns(proc, 'a')
        const ino = proc.stat('/run/netns/a').ino
        const inside = proc.fork(async child => {
          child.setns(child.open('/run/netns/a', O_RDONLY))
          await child.nanosleep(10e9)
          return 0
        })
        await proc.nanosleep(1e9)
        expect(proc.readlink(`/proc/${inside}/ns/net`)).toBe(`net:[${ino}]`)
        expect(errnoOf(() => proc.umount('/run/netns/a'))).toBe(Errno.EBUSY)
        proc.umount('/run/netns/a', MNT_DETACH)
        await proc.nanosleep(1e9)
        sizes.push(on.kernel.nets.size - before)
        const fd = proc.open(`/proc/${inside}/ns/net`, O_RDONLY)
        await proc.waitpid(inside)
        await proc.nanosleep(1e9)
        sizes.push(on.kernel.nets.size - before)
        expect(proc.fstat(fd).ino).toBe(ino)
        expect(proc.readlink(`/proc/self/fd/${fd}`)).toBe(`net:[${ino}]`)
        proc.setns(fd)
        expect(proc.readlink('/proc/self/ns/net')).toBe(`net:[${ino}]`)
        proc.setns(proc.open('/proc/1/ns/net', O_RDONLY))
        proc.close(fd)
        await proc.nanosleep(1e9)
        sizes.push(on.kernel.nets.size - before)
        return 0
      },
      { on },
    )
    if (failure !== undefined) throw failure
    // in the end the namespace that the first process was started in has lost its only process, but the machine holds it
    expect(sizes).toEqual([1, 1, 0])
  })

  it('are the only files that setns takes', async () => {
    let errno = 0
    await run(proc => {
      errno = errnoOf(() => proc.setns(proc.open('/etc/hostname', O_RDONLY)))
      return 0
    })
    expect(errno).toBe(Errno.EINVAL)
  })

  it('may lie over themselves and are unmounted one at a time', async () => {
    const errors: number[] = []
    await run(proc => {
      proc.mkdir('/run/netns')
      proc.mount('/run/netns', '/run/netns', 'none', MS_BIND)
      proc.writeFile('/run/netns/x', '')
      errors.push(errnoOf(() => proc.rmdir('/run/netns')))
      proc.umount('/run/netns')
      errors.push(errnoOf(() => proc.stat('/run/netns/x')))
      errors.push(errnoOf(() => proc.umount('/run/netns')))
      errors.push(errnoOf(() => proc.mount('/run/netns', '/run/netns/x', 'none', MS_BIND)))
      return 0
    })
    expect(errors).toEqual([Errno.EBUSY, 0, Errno.EINVAL, Errno.ENOTDIR])
  })

  it('of the UTS kind have a host name of their own', async () => {
    const names: string[] = []
    await run(async proc => {
      await proc.waitpid(
        proc.fork(child => {
          child.unshare(0x04000000)
          child.sethostname('inner')
          names.push(child.gethostname(), text(child, '/proc/sys/kernel/hostname'))
          return 0
        }),
      )
      names.push(proc.gethostname())
      return 0
    })
    expect(names).toEqual(['inner', 'inner\n', 'debian'])
  })

  it('belong to root', async () => {
    const errors: number[] = []
    await run(proc => {
      proc.setuid(1000)
      errors.push(errnoOf(() => proc.unshare(CLONE_NEWNET)))
      errors.push(errnoOf(() => proc.mount('/tmp', '/mnt', 'none', MS_BIND)))
      errors.push(errnoOf(() => proc.sethostname('x')))
      return 0
    })
    expect(errors).toEqual([Errno.EPERM, Errno.EPERM, Errno.EPERM])
  })
})

describe('profiles', () => {
  it('have the mount table of the reference machine', async () => {
    const table = async (profile: 'bare' | 'nic') => {
      let lines: string[] = []
      await run(
        proc => {
          lines = text(proc, '/proc/self/mountinfo')
            .trimEnd()
            .split('\n')
            .map(line => line.split(' ').slice(0, 5).join(' '))
          return 0
        },
        { on: machine({ profile }) },
      )
      return lines
    }
    expect(await table('nic')).toEqual([
      '22 29 0:20 / /proc',
      '23 29 0:21 / /sys',
      '24 29 0:5 / /dev',
      '29 1 0:24 / /',
      '30 29 0:27 / /run',
      '31 29 0:28 / /tmp',
      '33 23 0:30 / /sys/fs/cgroup',
    ])
    expect((await table('bare')).slice(-4)).toEqual([
      '43 37 0:28 / /tmp',
      '45 42 0:31 / /run',
      '46 43 0:32 / /tmp',
      '47 39 0:33 / /sys',
    ])
  })

  it('bare starts in a namespace of its own, nic in the first', async () => {
    for (const profile of ['bare', 'nic'] as const) {
      const on = machine({ profile })
      let same = false
      let cgroup: string[] = []
      await run(
        proc => {
          same = proc.readlink('/proc/self/ns/net') === proc.readlink('/proc/1/ns/net')
          cgroup = proc.readdir('/sys/fs/cgroup').map(entry => entry.name)
          return 0
        },
        { on },
      )
      expect(same).toBe(profile === 'nic')
      expect(cgroup.includes('cgroup.procs')).toBe(profile === 'nic')
    }
  })
})
