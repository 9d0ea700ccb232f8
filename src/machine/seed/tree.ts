/** Lays out the root file system: directories, links, seed files, devices. */
import { S_IFCHR, S_IFDIR, S_IFREG } from '../../uapi/fs.ts'
import { makedev } from '../files/devices.ts'
import { TmpDevice, TmpDirectory, TmpFile, type Tmpfs, TmpSymlink } from '../fs/tmpfs.ts'
import { SEED_DIRECTORIES, SEED_LINKS, seedFiles } from './files.ts'

/** @returns the directory at an absolute path; it and those above must exist or are made */
function directory(root: TmpDirectory, path: string, mode = 0o755): TmpDirectory {
  let at = root
  const parts = path.split('/').filter(part => part !== '')
  parts.forEach((part, i) => {
    let next = at.entries.get(part)
    if (next === undefined) {
      next = new TmpDirectory(at.fs, S_IFDIR | (i === parts.length - 1 ? mode : 0o755))
      at.enter(part, next)
    }
    at = next as TmpDirectory
  })
  return at
}

function split(path: string): [string, string] {
  const cut = path.lastIndexOf('/')
  return [path.slice(0, cut), path.slice(cut + 1)]
}

/** Puts a file into the tree. */
export function placeFile(fs: Tmpfs, path: string, contents: () => string | Uint8Array, mode = 0o644): void {
  const [dir, name] = split(path)
  directory(fs.root, dir).enter(name, new TmpFile(fs, S_IFREG | mode).fill(contents))
}

/** Puts a symbolic link into the tree. */
export function placeLink(fs: Tmpfs, path: string, target: string): void {
  const [dir, name] = split(path)
  directory(fs.root, dir).enter(name, new TmpSymlink(fs, target))
}

/** Fills the root file system of a machine with this name. */
export function seedRoot(fs: Tmpfs, hostname: string): void {
  for (const [path, mode] of SEED_DIRECTORIES) directory(fs.root, path, mode)
  for (const [path, target] of SEED_LINKS) placeLink(fs, path, target)
  for (const [path, file] of seedFiles(hostname)) placeFile(fs, path, file.text, file.mode)
}

/** Character devices of the reference machine: name, major, minor, permission bits. */
const DEVICES: readonly (readonly [string, number, number, number])[] = [
  ['console', 5, 1, 0o600],
  ['cpu_dma_latency', 10, 125, 0o600],
  ['full', 1, 7, 0o666],
  ['hpet', 10, 228, 0o600],
  ['hwrng', 10, 183, 0o600],
  ['kmsg', 1, 11, 0o644],
  ['mem', 1, 1, 0o600],
  ['null', 1, 3, 0o666],
  ['port', 1, 4, 0o600],
  ['psaux', 10, 1, 0o600],
  ['ptmx', 5, 2, 0o666],
  ['ptp0', 249, 0, 0o600],
  ['random', 1, 8, 0o666],
  ['rtc0', 251, 0, 0o600],
  ['snapshot', 10, 231, 0o600],
  ['tty', 5, 0, 0o666],
  ...Array.from({ length: 64 }, (_, n): [string, number, number, number] => [`tty${n}`, 4, n, 0o600]),
  ...Array.from({ length: 4 }, (_, n): [string, number, number, number] => [`ttyS${n}`, 4, 64 + n, 0o600]),
  ['urandom', 1, 9, 0o666],
  ['userfaultfd', 10, 126, 0o600],
  ['vcs', 7, 0, 0o600],
  ['vcs1', 7, 1, 0o600],
  ['vcsa', 7, 128, 0o600],
  ['vcsa1', 7, 129, 0o600],
  ['vcsu', 7, 64, 0o600],
  ['vcsu1', 7, 65, 0o600],
  ['vga_arbiter', 10, 127, 0o600],
  ['zero', 1, 5, 0o666],
]

/** Fills /dev. */
export function seedDevices(fs: Tmpfs): void {
  for (const [name, major, minor, mode] of DEVICES)
    fs.root.enter(name, new TmpDevice(fs, S_IFCHR | mode, makedev(major, minor)))
  directory(fs.root, 'input')
  directory(fs.root, 'net').enter('tun', new TmpDevice(fs, S_IFCHR | 0o666, makedev(10, 200)))
}

/** Adds a terminal's device file, such as /dev/pts/0. */
export function placeTerminal(fs: Tmpfs, name: string, rdev: number): void {
  const [dir, base] = split(`/${name}`)
  directory(fs.root, dir).enter(base, new TmpDevice(fs, S_IFCHR | 0o620, rdev))
}
