import { describe, expect, it } from 'vitest'
import { Deadlock } from '../../src/machine/scheduler.ts'
import type { Process } from '../../src/uapi/process.ts'
import { Signal } from '../../src/uapi/signal.ts'
import { machine, program, run } from './harness.ts'

const SECOND = 1e9

describe('scheduler', () => {
  it('lets an hour of sleep pass in no time', async () => {
    const started = performance.now()
    let slept = 0
    await run(async proc => {
      const before = proc.monotonic()
      await proc.nanosleep(3600 * SECOND)
      slept = proc.monotonic() - before
      return 0
    })
    expect(slept).toBeGreaterThanOrEqual(3600 * SECOND)
    expect(slept).toBeLessThan(3600.001 * SECOND)
    expect(performance.now() - started).toBeLessThan(5000)
  })

  it('wakes sleepers in the order of their times, not of their starts', async () => {
    const order: number[] = []
    await run(async proc => {
      for (const seconds of [3, 1, 2])
        proc.fork(async child => {
          await child.nanosleep(seconds * SECOND)
          order.push(seconds)
          return 0
        })
      for (let n = 0; n < 3; n++) await proc.waitpid(-1)
      return 0
    })
    expect(order).toEqual([1, 2, 3])
  })

  it('gives the same times on every run', async () => {
    const times = async (): Promise<number[]> => {
      const seen: number[] = []
      await run(async proc => {
        const [reader, writer] = proc.pipe()
        proc.fork(async child => {
          child.close(reader)
          for (let n = 0; n < 50; n++) {
            await child.write(writer, `${n}\n`)
            if (n % 7 === 0) await child.nanosleep(1e6)
          }
          return 0
        })
        proc.close(writer)
        while ((await proc.read(reader, 100)).length > 0) seen.push(proc.monotonic())
        return 0
      })
      return seen
    }
    expect(await times()).toEqual(await times())
  })

  it('lets due events in while a process computes', async () => {
    let woken = 0
    await run(async proc => {
      proc.fork(async child => {
        await child.nanosleep(0.01 * SECOND)
        woken = child.monotonic()
        return 0
      })
      const start = proc.monotonic()
      while (proc.monotonic() - start < 0.1 * SECOND) await proc.yield()
      woken -= start
      return 0
    })
    expect(woken).toBeLessThan(0.02 * SECOND)
  })

  it('can be stopped from outside while a process never blocks', async () => {
    const on = machine()
    const limit = setTimeout(() => on.scheduler.abort(new Error('limit')), 50)
    const busy = run(
      async proc => {
        const zero = proc.open('/dev/zero', 0)
        for (;;) await proc.read(zero, 1)
      },
      { on },
    )
    await expect(busy).rejects.toThrow('limit')
    clearTimeout(limit)
  })

  it('tells of a deadlock instead of hanging', async () => {
    const stuck = run(async proc => {
      const [reader] = proc.pipe()
      await proc.read(reader, 1)
      return 0
    })
    await expect(stuck).rejects.toThrow(Deadlock)
    await expect(stuck).rejects.toThrow('test (312) in pipe_read')
  })

  it('lets no virtual time pass while a program is loaded, and delivers loads in the order they were asked for', async () => {
    const loaded: string[] = []
    const slow = (name: string, ms: number) => ({
      path: `/usr/bin/${name}`,
      load: async () => {
        await new Promise(resolve => setTimeout(resolve, ms))
        return (proc: Process) => {
          loaded.push(`${name} ${proc.monotonic()}`)
          return 0
        }
      },
    })
    const times = async (a: number, b: number): Promise<string[]> => {
      loaded.length = 0
      await run(
        async proc => {
          proc.fork(child => child.exec('a', ['a']))
          proc.fork(child => child.exec('b', ['b']))
          await proc.waitpid(-1)
          await proc.waitpid(-1)
          return 0
        },
        { on: machine({ programs: [slow('a', a), slow('b', b)] }) },
      )
      return [...loaded]
    }
    const first = await times(30, 1)
    expect(first.map(line => line[0])).toEqual(['a', 'b'])
    expect(await times(1, 20)).toEqual(first)
  })

  it('stands still while a process waits for the host, unless in step with the wall', async () => {
    const on = machine()
    const input = on.hostInput()
    setTimeout(() => {
      input.push(new TextEncoder().encode('late\n'))
      input.end()
    }, 30)
    let elapsed = 0
    const { stdout } = await run(
      async proc => {
        proc.fork(async child => {
          await child.nanosleep(10 * SECOND)
          return 0
        })
        const start = proc.monotonic()
        proc.stdout.write(`${await proc.stdin.readLine()}`)
        elapsed = proc.monotonic() - start
        return 0
      },
      { on, spawn: { stdin: input } },
    )
    expect(stdout).toBe('late')
    expect(elapsed).toBeLessThan(0.001 * SECOND)
  })

  it('keeps step with the wall when asked to', async () => {
    const on = machine()
    on.scheduler.setRealTime(true)
    const started = performance.now()
    await run(
      async proc => {
        await proc.nanosleep(0.06 * SECOND)
        return 0
      },
      { on },
    )
    const wall = performance.now() - started
    expect(wall).toBeGreaterThan(45)
    expect(wall).toBeLessThan(2000)
  })

  it('charges a fork and exec about a millisecond', async () => {
    let took = 0
    await run(
      async proc => {
        const start = proc.monotonic()
        await proc.waitpid(proc.fork(child => child.exec('nothing', ['nothing'])))
        took = proc.monotonic() - start
        return 0
      },
      { on: machine({ programs: [program('/usr/bin/nothing', () => 0)] }) },
    )
    expect(took).toBeGreaterThan(0.5e6)
    expect(took).toBeLessThan(3e6)
  })

  it('tells of an event that failed, wherever it struck', async () => {
    for (const blocked of [true, false]) {
      const on = machine()
      on.kernel.clock.after(1e6, () => {
        throw new Error('a kernel bug')
      })
      const failed = run(
        async proc => {
          if (blocked) await proc.nanosleep(1e9)
          else for (;;) await proc.yield()
          return 0
        },
        { on },
      )
      await expect(failed).rejects.toThrow('a kernel bug')
    }
  })

  it('ends every process on shutdown', async () => {
    const on = machine()
    const running = on.spawn({ argv: ['x'], main: proc => proc.pause().then(() => 0) })
    setTimeout(() => on.shutdown(), 10)
    on.scheduler.setRealTime(true)
    await expect(on.run(new Promise(() => {}))).rejects.toThrow('shut down')
    expect(await running.exited).toMatchObject({ kind: 'signaled', signal: Signal.SIGKILL })
  })
})
