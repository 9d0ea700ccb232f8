/** The files that `ip … save` writes: a magic number, then netlink messages. */
import type { Process } from '../../src/uapi/process.ts'

/** Magic numbers of dump files, little endian. */
export const ROUTE_DUMP_MAGIC = 0x45311224
export const RULE_DUMP_MAGIC = 0x71706986

/** @returns the 4 bytes of a magic number */
export function magicBytes(magic: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, magic, true)
  return bytes
}

/**
 * Reads a dump from standard input.
 * @param what `route` or `rule`, for the complaint about a terminal
 * @returns the messages' bytes, or the complaint with its newline
 */
export async function readDump(
  proc: Process,
  magic: number,
  what: string,
): Promise<{ readonly bytes: Uint8Array } | { readonly complaint: string }> {
  if (proc.isatty(0)) return { complaint: `Can't restore ${what} dump from a terminal\n` }
  const all = await proc.stdin.readAll()
  const found = all.length < 4 ? 0 : new DataView(all.buffer, all.byteOffset).getUint32(0, true)
  if (all.length < 4 || found !== magic) {
    return { complaint: `Magic mismatch (${all.length < 4 ? 0 : 1} elems, ${found.toString(16)} magic)\n` }
  }
  return { bytes: all.slice(4) }
}
