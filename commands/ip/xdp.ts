/** `ip link set DEVICE xdp …`. There is no BPF loader: programs can be taken away, not attached. */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import type { LinkMessage } from '../../src/uapi/rtnetlink.ts'
import type { Args } from '../lib/args.ts'
import { EXIT_USAGE, ToolExit } from '../lib/errors.ts'
import type { IpContext } from './context.ts'

/** Reads the words after `xdp`. */
export function parseXdp(ctx: IpContext, args: Args, message: LinkMessage): void {
  const word = args.next()
  const leave = (text: string): never => {
    throw new ToolExit(text, EXIT_USAGE)
  }
  if (args.matches('none') || args.matches('off')) {
    message.attrs.xdp = { attached: 0 }
  } else if (args.matches('object') || args.matches('pinned')) {
    const kind = args.matches('object')
    const path = args.next()
    try {
      ctx.proc.stat(path)
    } catch (error) {
      if (!isSysError(error)) throw error
      const reason = strerror(error.errno)
      if (kind) leave(`Error opening object ${path}: ${reason}\nCannot initialize ELF context!\n`)
      leave(`Couldn't retrieve pinned program '${path}': ${reason}\n`)
    }
    leave(`ELF header from file ${path} not found.\nCannot initialize ELF context!\n`)
  } else {
    leave(`What mode is "${word}"?\n`)
  }
}
