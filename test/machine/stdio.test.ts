import { describe, expect, it } from 'vitest'
import { Errno } from '../../src/uapi/errno.ts'
import { O_CREAT, O_RDONLY, O_WRONLY } from '../../src/uapi/fs.ts'
import { Signal } from '../../src/uapi/signal.ts'
import { machine, rejection, run, text } from './harness.ts'

describe('standard output', () => {
  it('is collected on files and pipes, and written line by line on terminals', async () => {
    const on = machine()
    const writes: string[] = []
    const { open } = on.createTty({ output: data => writes.push(new TextDecoder().decode(data)) })
    const file = open()
    await run(
      async proc => {
        proc.stdout.write('no newline yet')
        expect(writes).toEqual([])
        proc.stdout.write(', now\nrest')
        expect(writes).toEqual(['no newline yet, now\nrest'])
        return 0
      },
      { on, spawn: { stdout: file } },
    )
    const { stdout } = await run(proc => {
      const fd = proc.open('/tmp/f', O_CREAT | O_WRONLY)
      proc.dup2(fd, 1)
      proc.stdout.write('line\n')
      expect(text(proc, '/tmp/f')).toBe('')
      proc.stdout.write('x'.repeat(5000))
      expect(proc.stat('/tmp/f').size).toBe(5005)
      return 0
    })
    expect(stdout).toBe('')
  })

  it('of errors is written at once, so that both streams keep their order where they meet', async () => {
    await run(async proc => {
      const fd = proc.open('/tmp/both', O_CREAT | O_WRONLY)
      proc.dup2(fd, 1)
      proc.dup2(fd, 2)
      proc.stdout.write('out\n')
      await proc.stdout.flush()
      proc.stderr.write('err\n')
      proc.stdout.write('out again\n')
      await proc.stdout.flush()
      expect(text(proc, '/tmp/both')).toBe('out\nerr\nout again\n')
      return 0
    })
  })

  it('blocks at flush while a pipe is full, and at exit', async () => {
    let seen = 0
    await run(async proc => {
      const [reader, writer] = proc.pipe()
      const child = proc.fork(inner => {
        inner.dup2(writer, 1)
        inner.close(reader)
        inner.close(writer)
        inner.stdout.write(new Uint8Array(150_000))
        return 3
      })
      proc.close(writer)
      await proc.nanosleep(1e9)
      expect(await proc.waitpid(child, { nohang: true })).toBeUndefined()
      for (let data = await proc.read(reader, 1 << 16); data.length > 0; data = await proc.read(reader, 1 << 16))
        seen += data.length
      expect(await proc.waitpid(child)).toMatchObject({ kind: 'exited', status: 3 })
      return 0
    })
    expect(seen).toBe(150_000)
  })

  it('fails at flush with EPIPE or EBADF where it has nowhere to go', async () => {
    const errors: number[] = []
    await run(async proc => {
      proc.signal(Signal.SIGPIPE, 'ignore')
      const [reader, writer] = proc.pipe()
      proc.close(reader)
      proc.dup2(writer, 1)
      proc.stdout.write('x')
      errors.push(await rejection(proc.stdout.flush()))
      proc.close(1)
      proc.stdout.write('x')
      errors.push(await rejection(proc.stdout.flush()))
      return 0
    })
    expect(errors).toEqual([Errno.EPIPE, Errno.EBADF])
  })
})

describe('standard input', () => {
  it('gives lines whatever the pieces it comes in, and the last one without a newline', async () => {
    const on = machine()
    const input = on.hostInput()
    const bytes = new TextEncoder().encode('första\n\nzwei\nlast')
    for (const byte of bytes) input.push(Uint8Array.of(byte))
    input.end()
    const lines: (string | undefined)[] = []
    await run(
      async proc => {
        for (let n = 0; n < 5; n++) lines.push(await proc.stdin.readLine())
        return 0
      },
      { on, spawn: { stdin: input } },
    )
    expect(lines).toEqual(['första', '', 'zwei', 'last', undefined])
  })

  it('is empty where nobody gave one', async () => {
    await run(async proc => {
      expect(await proc.stdin.readLine()).toBeUndefined()
      expect((await proc.stdin.readAll()).length).toBe(0)
      expect(proc.readlink('/proc/self/fd/0')).toBe('/dev/null')
      return 0
    })
  })

  it('reads what is left at once', async () => {
    await run(async proc => {
      proc.writeFile('/tmp/in', `first\n${'y'.repeat(200_000)}`)
      proc.dup2(proc.open('/tmp/in', O_RDONLY), 0)
      expect(await proc.stdin.readLine()).toBe('first')
      expect((await proc.stdin.readAll()).length).toBe(200_000)
      return 0
    })
  })
})
