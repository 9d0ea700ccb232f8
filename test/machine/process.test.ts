import { describe, expect, it } from 'vitest'
import { Errno } from '../../src/uapi/errno.ts'
import { O_CLOEXEC, O_CREAT, O_WRONLY } from '../../src/uapi/fs.ts'
import type { Process, WaitStatus } from '../../src/uapi/process.ts'
import { Signal } from '../../src/uapi/signal.ts'
import { errnoOf, machine, program, rejection, run, text } from './harness.ts'

const sleeper = async (proc: Process): Promise<number> => {
  await proc.nanosleep(1000e9)
  return 0
}

describe('wait statuses', () => {
  it('are the exit status, cut to a byte, or the signal', async () => {
    const seen: (WaitStatus | undefined)[] = []
    await run(async proc => {
      seen.push(await proc.waitpid(proc.fork(() => 7)))
      seen.push(await proc.waitpid(proc.fork(() => 256 + 3)))
      seen.push(await proc.waitpid(proc.fork(child => child.exit(5))))
      const victim = proc.fork(sleeper)
      proc.kill(victim, Signal.SIGTERM)
      seen.push(await proc.waitpid(victim))
      return 0
    })
    expect(seen.map(status => status && { ...status, pid: 0 })).toEqual([
      { pid: 0, kind: 'exited', status: 7 },
      { pid: 0, kind: 'exited', status: 3 },
      { pid: 0, kind: 'exited', status: 5 },
      { pid: 0, kind: 'signaled', signal: Signal.SIGTERM },
    ])
  })

  it('ECHILD without children, nothing with nohang while they live', async () => {
    const seen: unknown[] = []
    await run(async proc => {
      seen.push(await rejection(proc.waitpid(-1)))
      const child = proc.fork(sleeper)
      seen.push(await proc.waitpid(child, { nohang: true }))
      seen.push(await rejection(proc.waitpid(child + 1)))
      return 0
    })
    expect(seen).toEqual([Errno.ECHILD, undefined, Errno.ECHILD])
  })

  it('stay with a zombie until the parent asks', async () => {
    let state = ''
    await run(async proc => {
      const child = proc.fork(() => 0)
      await proc.nanosleep(1e9)
      state = text(proc, `/proc/${child}/status`).split('\n')[2]!
      expect(text(proc, `/proc/${child}/cmdline`)).toBe('')
      await proc.waitpid(child)
      expect(errnoOf(() => proc.stat(`/proc/${child}`))).toBe(Errno.ENOENT)
      return 0
    })
    expect(state).toBe('State:\tZ (zombie)')
  })

  it('tell of stopped and continued children', async () => {
    const kinds: (string | undefined)[] = []
    await run(async proc => {
      const child = proc.fork(sleeper)
      proc.kill(child, Signal.SIGSTOP)
      kinds.push((await proc.waitpid(child, { untraced: true }))?.kind)
      kinds.push(text(proc, `/proc/${child}/stat`).split(' ')[2])
      proc.kill(child, Signal.SIGCONT)
      kinds.push((await proc.waitpid(child, { untraced: true }))?.kind)
      return 0
    })
    expect(kinds).toEqual(['stopped', 'T', 'continued'])
  })
})

describe('processes', () => {
  it('get pids in order, a parent, a group; orphans go to init', async () => {
    const { stdout } = await run(async proc => {
      proc.stdout.write(`${proc.pid} ${proc.ppid} ${proc.pgid}\n`)
      await proc.stdout.flush()
      const middle = proc.fork(async child => {
        child.fork(async grandchild => {
          await grandchild.nanosleep(2e9)
          grandchild.stdout.write(`orphan of ${grandchild.ppid}, group ${grandchild.pgid}\n`)
          return 0
        })
        return 0
      })
      await proc.waitpid(middle)
      await proc.nanosleep(5e9)
      return 0
    })
    expect(stdout).toBe('312 1 312\norphan of 1, group 312\n')
  })

  it('start with the descriptors that fork names', async () => {
    let fds: number[] = []
    await run(async proc => {
      const file = proc.open('/tmp/out', O_CREAT | O_WRONLY)
      const child = proc.fork(
        inner => {
          fds = inner.fds()
          inner.stdout.write('to file\n')
          return 0
        },
        { fds: new Map([[1, file]]) },
      )
      await proc.waitpid(child)
      expect(text(proc, '/tmp/out')).toBe('to file\n')
      return 0
    })
    expect(fds).toEqual([1])
  })

  it('share offsets of inherited files', async () => {
    await run(async proc => {
      const file = proc.open('/tmp/log', O_CREAT | O_WRONLY)
      await proc.write(file, 'one ')
      await proc.waitpid(
        proc.fork(async child => {
          await child.write(file, 'two ')
          return 0
        }),
      )
      await proc.write(file, 'three')
      expect(text(proc, '/tmp/log')).toBe('one two three')
      return 0
    })
  })

  it('flush their output at the end, but not when killed', async () => {
    const { stdout } = await run(async proc => {
      await proc.waitpid(
        proc.fork(child => {
          child.stdout.write('kept')
          return 0
        }),
      )
      const lost = proc.fork(async child => {
        child.stdout.write('lost')
        await child.pause()
        return 0
      })
      await proc.nanosleep(1e9)
      proc.kill(lost, Signal.SIGKILL)
      return 0
    })
    expect(stdout).toBe('kept')
  })

  it('do nothing more once killed, whatever they catch', async () => {
    let steps = 0
    await run(async proc => {
      const child = proc.fork(async inner => {
        for (;;)
          try {
            steps++
            await inner.nanosleep(1e9)
          } catch {
            steps += 1000
          }
      })
      await proc.nanosleep(2.5e9)
      proc.kill(child, Signal.SIGKILL)
      await proc.nanosleep(10e9)
      return 0
    })
    expect(steps).toBe(3)
  })

  it('tell of a program that throws, with a status of its own', async () => {
    const { status, stderr } = await run(() => {
      throw new Error('a bug')
    })
    expect(status).toMatchObject({ kind: 'exited', status: 70 })
    expect(stderr).toBe('test: internal error: a bug\n')
  })

  it('account CPU time to the parent once waited for', async () => {
    await run(async proc => {
      await proc.waitpid(
        proc.fork(async child => {
          for (let n = 0; n < 100; n++) await child.yield()
          return 0
        }),
      )
      expect(proc.times().childUser).toBeGreaterThanOrEqual(100 * 20_000)
      return 0
    })
  })
})

describe('exec', () => {
  const echo = program(
    '/usr/bin/echo',
    proc => {
      proc.stdout.write(`${proc.argv.join('|')} ${proc.pid}\n`)
      return 4
    },
    ['/usr/bin/say'],
  )

  it('finds programs in PATH, keeps the pid, never returns', async () => {
    const { stdout } = await run(
      async proc => {
        const status = await proc.waitpid(
          proc.fork(async child => {
            await child.exec('echo', ['echo', 'a', 'b'])
            child.stdout.write('never')
            return 0
          }),
        )
        proc.stdout.write(JSON.stringify(status))
        return 0
      },
      { on: machine({ programs: [echo] }) },
    )
    expect(stdout).toBe('echo|a|b 313\n{"pid":313,"kind":"exited","status":4}')
  })

  it('runs scripts through their interpreter', async () => {
    const { stdout } = await run(
      async proc => {
        proc.writeFile('/tmp/s', '#! /usr/bin/echo -x y \nignored\n')
        proc.chmod('/tmp/s', 0o755)
        await proc.waitpid(proc.fork(child => child.exec('/tmp/s', ['s', 'arg'])))
        return 0
      },
      { on: machine({ programs: [echo] }) },
    )
    expect(stdout).toMatch(/^\/usr\/bin\/echo\|-x y\|\/tmp\/s\|arg /)
  })

  it('runs a copy of a program, and one under another name', async () => {
    const { stdout } = await run(
      async proc => {
        const image = proc.readFile('/bin/echo')
        expect([...image.subarray(0, 4)]).toEqual([0x7f, 0x45, 0x4c, 0x46])
        proc.writeFile('/tmp/copy', image)
        proc.chmod('/tmp/copy', 0o755)
        await proc.waitpid(proc.fork(child => child.exec('/tmp/copy', ['copy'])))
        await proc.waitpid(proc.fork(child => child.exec('say', ['say'])))
        return 0
      },
      { on: machine({ programs: [echo] }) },
    )
    expect(stdout).toMatch(/^copy \d+\nsay \d+\n$/)
  })

  it('fails with ENOENT, EACCES and ENOEXEC before anything is replaced', async () => {
    const errors: number[] = []
    await run(
      async proc => {
        proc.writeFile('/tmp/data', 'no program\n')
        errors.push(await rejection(proc.exec('nosuch', ['nosuch'])))
        errors.push(await rejection(proc.exec('/tmp/data', ['data'])))
        proc.chmod('/tmp/data', 0o755)
        errors.push(await rejection(proc.exec('/tmp/data', ['data'])))
        errors.push(await rejection(proc.exec('/tmp', ['tmp'])))
        return 0
      },
      { on: machine({ programs: [echo] }) },
    )
    expect(errors).toEqual([Errno.ENOENT, Errno.EACCES, Errno.ENOEXEC, Errno.EACCES])
  })

  it('closes what is close-on-exec and resets handlers, but not what is ignored', async () => {
    let seen = ''
    const probe = program('/usr/bin/probe', async proc => {
      seen = `${proc.fds().join(',')}`
      proc.kill(proc.pid, Signal.SIGHUP)
      proc.kill(proc.pid, Signal.SIGUSR1)
      return 0
    })
    const { status } = await run(
      async proc => {
        proc.open('/etc/hostname', O_CLOEXEC)
        proc.open('/etc/hostname', 0)
        proc.signal(Signal.SIGHUP, 'ignore')
        proc.signal(Signal.SIGUSR1, () => {})
        return proc.exec('probe', ['probe'])
      },
      { on: machine({ programs: [probe] }) },
    )
    expect(seen).toBe('0,1,2,4')
    expect(status).toMatchObject({ kind: 'signaled', signal: Signal.SIGUSR1 })
  })
})
