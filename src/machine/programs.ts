/**
 * Programs as files. A program's file begins as an ELF executable does and carries the path it is registered under, so
 * that a copy of it, or a link to it under any name, runs the same program.
 */

/** ELF identification of a 64-bit little-endian executable. */
const ELF_HEADER = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0x3e, 0, 1, 0, 0, 0]
const MARK = '\0linnet:'
const HEADER = new Uint8Array([...ELF_HEADER, ...new TextEncoder().encode(MARK)])

/** @returns the contents of the file of the program registered as `path` */
export function programImage(path: string): Uint8Array {
  const name = new TextEncoder().encode(`${path}\0`)
  const image = new Uint8Array(HEADER.length + name.length)
  image.set(HEADER)
  image.set(name, HEADER.length)
  return image
}

/** @returns the registered path that a program's file carries, or undefined for any other file */
export function programPath(head: Uint8Array): string | undefined {
  if (head.length <= HEADER.length || HEADER.some((byte, i) => head[i] !== byte)) return undefined
  const end = head.indexOf(0, HEADER.length)
  return new TextDecoder().decode(head.subarray(HEADER.length, end < 0 ? undefined : end))
}
