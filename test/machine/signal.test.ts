import { describe, expect, it } from 'vitest'
import { Errno } from '../../src/uapi/errno.ts'
import { Signal } from '../../src/uapi/signal.ts'
import { errnoOf, machine, rejection, run } from './harness.ts'

describe('signals', () => {
  it('interrupt a blocking call with EINTR after their handler has run', async () => {
    const order: string[] = []
    await run(async proc => {
      const child = proc.fork(async inner => {
        inner.signal(Signal.SIGUSR1, () => order.push('handler'))
        const errno = await rejection(inner.nanosleep(100e9))
        order.push(errno === Errno.EINTR ? 'EINTR' : String(errno))
        return 0
      })
      await proc.nanosleep(1e9)
      proc.kill(child, Signal.SIGUSR1)
      await proc.waitpid(child)
      expect(proc.monotonic()).toBeLessThan(30e9)
      return 0
    })
    expect(order).toEqual(['handler', 'EINTR'])
  })

  it('run a handler of the own signal before kill returns', async () => {
    const order: string[] = []
    await run(proc => {
      proc.signal(Signal.SIGUSR1, signal => order.push(`handler ${signal}`))
      proc.kill(proc.pid, Signal.SIGUSR1)
      order.push('after')
      return 0
    })
    expect(order).toEqual([`handler ${Signal.SIGUSR1}`, 'after'])
  })

  it('end the program where a handler exits', async () => {
    const { status, stdout } = await run(async proc => {
      proc.signal(Signal.SIGTERM, () => proc.exit(9))
      proc.fork(async child => {
        await child.nanosleep(1e9)
        child.kill(child.ppid, Signal.SIGTERM)
        return 0
      })
      proc.stdout.write('flushed')
      await proc.pause()
      proc.stdout.write('not reached')
      return 0
    })
    expect(status).toMatchObject({ kind: 'exited', status: 9 })
    expect(stdout).toBe('flushed')
  })

  it('are lost on processes that ignore them, and SIGCHLD by default', async () => {
    const { status } = await run(async proc => {
      proc.signal(Signal.SIGTERM, 'ignore')
      proc.kill(proc.pid, Signal.SIGTERM)
      proc.kill(proc.pid, Signal.SIGCHLD)
      proc.kill(proc.pid, Signal.SIGWINCH)
      await proc.nanosleep(1e9)
      return 0
    })
    expect(status).toMatchObject({ kind: 'exited', status: 0 })
  })

  it('tell the parent of a child that ended, without taking its status from waitpid', async () => {
    const order: string[] = []
    await run(async proc => {
      proc.signal(Signal.SIGCHLD, () => order.push('SIGCHLD'))
      const child = proc.fork(async inner => {
        await inner.nanosleep(1e9)
        return 6
      })
      order.push(JSON.stringify(await proc.waitpid(child)))
      return 0
    })
    expect(order[0]).toBe('SIGCHLD')
    expect(order[1]).toContain('"status":6')
  })

  it('reach whole groups', async () => {
    let ended = 0
    await run(async proc => {
      const leader = proc.fork(child => child.pause().then(() => 0), { pgid: 0 })
      proc.fork(child => child.pause().then(() => 0), { pgid: leader })
      const other = proc.fork(child => child.pause().then(() => 0))
      await proc.nanosleep(1e9)
      proc.kill(-leader, Signal.SIGTERM)
      await proc.nanosleep(1e9)
      while ((await proc.waitpid(-1, { nohang: true })) !== undefined) ended++
      proc.kill(other, Signal.SIGKILL)
      return 0
    })
    expect(ended).toBe(2)
  })

  it('fail with ESRCH, EINVAL and EPERM', async () => {
    const errors: number[] = []
    await run(async proc => {
      errors.push(errnoOf(() => proc.kill(99_999, 0)))
      errors.push(errnoOf(() => proc.kill(proc.pid, 65)))
      errors.push(errnoOf(() => proc.signal(Signal.SIGKILL, 'ignore')))
      const parent = proc.pid
      await proc.waitpid(
        proc.fork(child => {
          child.setuid(65_534)
          errors.push(errnoOf(() => child.kill(parent, Signal.SIGTERM)))
          return 0
        }),
      )
      return 0
    })
    expect(errors).toEqual([Errno.ESRCH, Errno.EINVAL, Errno.EINVAL, Errno.EPERM])
  })

  it('stop a process until it is continued; what came meanwhile counts then', async () => {
    const seen: number[] = []
    await run(async proc => {
      const start = proc.monotonic()
      const child = proc.fork(async inner => {
        for (let n = 0; n < 3; n++) {
          await inner.nanosleep(1e9)
          seen.push(Math.round((inner.monotonic() - start) / 1e9))
        }
        return 0
      })
      await proc.nanosleep(1.5e9)
      proc.kill(child, Signal.SIGSTOP)
      await proc.nanosleep(8.5e9)
      proc.kill(child, Signal.SIGCONT)
      await proc.waitpid(child)
      const stopped = proc.fork(inner => inner.pause().then(() => 0))
      proc.kill(stopped, Signal.SIGSTOP)
      proc.kill(stopped, Signal.SIGTERM)
      expect(await proc.waitpid(stopped, { nohang: true })).toBeUndefined()
      proc.kill(stopped, Signal.SIGCONT)
      expect(await proc.waitpid(stopped)).toMatchObject({ kind: 'signaled', signal: Signal.SIGTERM })
      return 0
    })
    expect(seen).toEqual([1, 10, 11])
  })
})

describe('terminals', () => {
  it('send Ctrl-C to the foreground group only, and stop background readers', async () => {
    const on = machine()
    let shown = ''
    const { tty, open } = on.createTty({
      output: data => {
        shown += new TextDecoder().decode(data)
      },
    })
    const log: string[] = []
    const keys = (text: string) => tty.input(new TextEncoder().encode(text))
    const file = open()
    await run(
      async proc => {
        proc.signal(Signal.SIGTTOU, 'ignore')
        const background = proc.fork(
          async child => {
            log.push(`background read ${new TextDecoder().decode(await child.read(0, 10))}`)
            return 0
          },
          { pgid: 0 },
        )
        log.push((await proc.waitpid(background, { untraced: true }))!.kind)
        const foreground = proc.fork(child => child.pause().then(() => 0), { pgid: 0 })
        proc.tcsetpgrp(0, foreground)
        queueMicrotask(() => keys('\x03'))
        log.push(JSON.stringify(await proc.waitpid(foreground)))
        proc.tcsetpgrp(0, background)
        proc.kill(background, Signal.SIGCONT)
        keys('ab\x7fc\n')
        await proc.waitpid(background)
        log.push(String(proc.isatty(0)), proc.readlink('/proc/self/fd/0'), JSON.stringify(proc.winsize(0)))
        return 0
      },
      { on, spawn: { stdin: file, stdout: file.get(), stderr: file.get(), tty } },
    )
    expect(log[0]).toBe('stopped')
    expect(log[1]).toContain('"signal":2')
    expect(log[2]).toBe('background read ac\n')
    expect(log.slice(3)).toEqual(['true', '/dev/pts/0', '{"rows":24,"columns":80}'])
    expect(shown).toBe('^Cab\b \bc\n')
  })

  it('end input at Ctrl-D on an empty line', async () => {
    const on = machine()
    const { tty, open } = on.createTty({ output: () => {} })
    tty.termios.echo = false
    tty.input(new TextEncoder().encode('one\n\x04'))
    const lines: (string | undefined)[] = []
    await run(
      async proc => {
        lines.push(await proc.stdin.readLine(), await proc.stdin.readLine())
        return 0
      },
      { on, spawn: { stdin: open(), tty } },
    )
    expect(lines).toEqual(['one', undefined])
  })
})
