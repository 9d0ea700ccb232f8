import { describe, expect, it } from 'vitest'
import { Errno } from '../../src/uapi/errno.ts'
import { O_RDONLY, O_RDWR, O_WRONLY, POLLERR, POLLHUP, POLLIN, POLLOUT } from '../../src/uapi/fs.ts'
import { Signal } from '../../src/uapi/signal.ts'
import { rejection, run } from './harness.ts'

describe('pipes', () => {
  it('end an endless producer by SIGPIPE when the reader stops', async () => {
    const { stdout } = await run(async proc => {
      const [reader, writer] = proc.pipe()
      const yes = proc.fork(async child => {
        child.dup2(writer, 1)
        child.close(reader)
        child.close(writer)
        for (;;) {
          child.stdout.write('y\n'.repeat(512))
          await child.stdout.flush()
        }
      })
      proc.close(writer)
      const first = await proc.read(reader, 2)
      proc.close(reader)
      const status = await proc.waitpid(yes)
      proc.stdout.write(`${new TextDecoder().decode(first)}${JSON.stringify(status)}`)
      return 0
    })
    expect(stdout).toMatch(/^y\n/)
    expect(JSON.parse(stdout.slice(2))).toMatchObject({ kind: 'signaled', signal: Signal.SIGPIPE })
  })

  it('give EPIPE where SIGPIPE is ignored', async () => {
    let errno = 0
    await run(async proc => {
      proc.signal(Signal.SIGPIPE, 'ignore')
      const [reader, writer] = proc.pipe()
      proc.close(reader)
      errno = await rejection(proc.write(writer, 'x'))
      return 0
    })
    expect(errno).toBe(Errno.EPIPE)
  })

  it('hold 64 KiB and then block the writer until somebody reads', async () => {
    let inPipe = 0
    let total = 0
    await run(async proc => {
      const [reader, writer] = proc.pipe()
      proc.fork(async child => {
        child.close(reader)
        await child.write(writer, new Uint8Array(200_000))
        return 0
      })
      proc.close(writer)
      await proc.nanosleep(1e9)
      for (let data = await proc.read(reader, 1 << 20); data.length > 0; data = await proc.read(reader, 1 << 20)) {
        if (inPipe === 0) inPipe = data.length
        total += data.length
      }
      return 0
    })
    expect(inPipe).toBe(65_536)
    expect(total).toBe(200_000)
  })

  it('keep the bytes in order however they are cut', async () => {
    let seen = ''
    await run(async proc => {
      const [reader, writer] = proc.pipe()
      proc.fork(async child => {
        child.close(reader)
        for (let n = 0; n < 3000; n++) await child.write(writer, `${n},`)
        return 0
      })
      proc.close(writer)
      for (let max = 1; ; max = (max % 97) + 1) {
        const data = await proc.read(reader, max)
        if (data.length === 0) break
        seen += new TextDecoder().decode(data)
      }
      return 0
    })
    expect(seen).toBe(Array.from({ length: 3000 }, (_, n) => `${n},`).join(''))
  })

  it('tell poll when they can be read, written, or have ended', async () => {
    const seen: number[][] = []
    await run(async proc => {
      const [reader, writer] = proc.pipe()
      const both = [
        { fd: reader, events: POLLIN },
        { fd: writer, events: POLLOUT },
      ]
      seen.push(await proc.poll(both, 0))
      await proc.write(writer, 'x')
      seen.push(await proc.poll(both, 0))
      proc.close(writer)
      seen.push(await proc.poll([both[0]!], 0))
      await proc.read(reader, 10)
      seen.push(await proc.poll([both[0]!], 0))
      const other = proc.pipe()
      proc.close(other[0])
      seen.push(await proc.poll([{ fd: other[1], events: POLLOUT }], 0))
      return 0
    })
    expect(seen).toEqual([[0, POLLOUT], [POLLIN, POLLOUT], [POLLIN | POLLHUP], [POLLHUP], [POLLOUT | POLLERR]])
  })

  it('wake poll when data comes, and let it time out when none does', async () => {
    const times: number[] = []
    await run(async proc => {
      const [reader, writer] = proc.pipe()
      proc.fork(async child => {
        await child.nanosleep(2e9)
        await child.write(writer, 'x')
        return 0
      })
      const start = proc.monotonic()
      expect(await proc.poll([{ fd: reader, events: POLLIN }], 1e9)).toEqual([0])
      times.push(Math.round((proc.monotonic() - start) / 1e9))
      expect(await proc.poll([{ fd: reader, events: POLLIN }], 9e9)).toEqual([POLLIN])
      times.push(Math.round((proc.monotonic() - start) / 1e9))
      return 0
    })
    expect(times).toEqual([1, 2])
  })

  it('with a name bring reader and writer together whichever comes first', async () => {
    const seen: string[] = []
    await run(async proc => {
      for (const writerFirst of [true, false]) {
        proc.mkfifo('/tmp/f')
        const writer = proc.fork(async child => {
          if (!writerFirst) await child.nanosleep(1e9)
          const fd = child.open('/tmp/f', O_WRONLY)
          await child.write(fd, 'data')
          return 0
        })
        if (writerFirst) await proc.nanosleep(1e9)
        const fd = proc.open('/tmp/f', O_RDONLY)
        seen.push(new TextDecoder().decode(await proc.read(fd, 10)), String((await proc.read(fd, 10)).length))
        proc.close(fd)
        await proc.waitpid(writer)
        proc.unlink('/tmp/f')
      }
      return 0
    })
    expect(seen).toEqual(['data', '0', 'data', '0'])
  })

  it('with a name opened for both serve one process alone', async () => {
    let seen = ''
    await run(async proc => {
      proc.mkfifo('/tmp/f')
      const fd = proc.open('/tmp/f', O_RDWR)
      await proc.write(fd, 'self')
      seen = new TextDecoder().decode(await proc.read(fd, 10))
      return 0
    })
    expect(seen).toBe('self')
  })
})
