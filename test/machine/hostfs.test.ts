import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Errno } from '../../src/uapi/errno.ts'
import type { Process } from '../../src/uapi/process.ts'
import { errnoOf, machine, run, text } from './harness.ts'

let folder = ''
let outside = ''

beforeEach(() => {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'linnet-host-'))
  folder = path.join(base, 'shared')
  outside = path.join(base, 'secret')
  fs.mkdirSync(path.join(folder, 'sub'), { recursive: true })
  fs.mkdirSync(outside)
  fs.writeFileSync(path.join(outside, 'key'), 'secret')
  fs.writeFileSync(path.join(folder, 'file'), 'from the host\n')
})

afterEach(() => fs.rmSync(path.dirname(folder), { recursive: true, force: true }))

async function inside(writable: boolean, checks: (proc: Process) => void | Promise<void>): Promise<void> {
  const on = machine()
  on.mountHostFolder(folder, '/mnt/host', writable)
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

describe('host folders', () => {
  it('show their files, read-only', () =>
    inside(false, proc => {
      expect(text(proc, '/mnt/host/file')).toBe('from the host\n')
      expect(
        proc
          .readdir('/mnt/host')
          .map(entry => entry.name)
          .sort(),
      ).toEqual(['file', 'sub'])
      expect(text(proc, '/proc/mounts')).toContain(' /mnt/host 9p ro,relatime 0 0\n')
      for (const change of [
        () => proc.writeFile('/mnt/host/file', 'x'),
        () => proc.writeFile('/mnt/host/new', 'x'),
        () => proc.unlink('/mnt/host/file'),
        () => proc.mkdir('/mnt/host/d'),
        () => proc.rename('/mnt/host/file', '/mnt/host/g'),
        () => proc.symlink('x', '/mnt/host/l'),
        () => proc.chmod('/mnt/host/file', 0o777),
        () => proc.utimes('/mnt/host/file', 0),
      ])
        expect([String(change), errnoOf(change)]).toEqual([String(change), Errno.EROFS])
      expect(fs.readFileSync(path.join(folder, 'file'), 'utf8')).toBe('from the host\n')
    }))

  it('take changes where they are writable', () =>
    inside(true, proc => {
      proc.writeFile('/mnt/host/new', 'made')
      proc.writeFile('/mnt/host/new', ' inside', true)
      proc.mkdir('/mnt/host/d')
      proc.rename('/mnt/host/new', '/mnt/host/d/moved')
      proc.unlink('/mnt/host/file')
      expect(fs.readFileSync(path.join(folder, 'd', 'moved'), 'utf8')).toBe('made inside')
      expect(fs.existsSync(path.join(folder, 'file'))).toBe(false)
      expect(errnoOf(() => proc.rename('/mnt/host/d/moved', '/tmp/x'))).toBe(Errno.EXDEV)
    }))

  it('let nobody out by dots or links, which lead into the machine', () =>
    inside(true, proc => {
      fs.symlinkSync(path.join(outside, 'key'), path.join(folder, 'absolute'))
      fs.symlinkSync('../secret/key', path.join(folder, 'relative'))
      fs.symlinkSync('/etc/hostname', path.join(folder, 'machine'))
      fs.symlinkSync(outside, path.join(folder, 'away'))
      expect(errnoOf(() => proc.readFile('/mnt/host/absolute'))).toBe(Errno.ENOENT)
      expect(errnoOf(() => proc.readFile('/mnt/host/relative'))).toBe(Errno.ENOENT)
      expect(errnoOf(() => proc.readFile('/mnt/host/away/key'))).toBe(Errno.ENOENT)
      expect(errnoOf(() => proc.readFile('/mnt/host/../secret/key'))).toBe(Errno.ENOENT)
      expect(errnoOf(() => proc.writeFile('/mnt/host/absolute', 'x'))).toBe(Errno.ENOENT)
      expect(text(proc, '/mnt/host/machine')).toBe('debian\n')
      expect(proc.readlink('/mnt/host/relative')).toBe('../secret/key')
      expect(fs.readFileSync(path.join(outside, 'key'), 'utf8')).toBe('secret')
    }))

  it('notice a directory that became a link behind their back', () =>
    inside(true, proc => {
      proc.chdir('/mnt/host/sub')
      fs.rmdirSync(path.join(folder, 'sub'))
      fs.symlinkSync(outside, path.join(folder, 'sub'))
      expect(errnoOf(() => proc.readFile('key'))).toBe(Errno.EACCES)
      expect(errnoOf(() => proc.writeFile('planted', 'x'))).toBe(Errno.EACCES)
      expect(errnoOf(() => proc.readdir('.'))).toBe(Errno.EACCES)
      expect(fs.readdirSync(outside)).toEqual(['key'])
    }))

  it('hide the rest of the host', () =>
    inside(false, proc => {
      expect(errnoOf(() => proc.stat(folder))).toBe(Errno.ENOENT)
      expect(text(proc, '/etc/hostname')).toBe('debian\n')
    }))
})
