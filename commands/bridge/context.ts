/**
 * What the objects of `bridge` get: the tools' context (commands/lib/tool_context.ts) and the tool's own option. Commands
 * fail with -1, so that the status is 255 where `ip` has 1 and 2.
 */
import type { RtMessage } from '../../src/uapi/rtnetlink.ts'
import { CommandFailure, EXIT_USAGE, ToolExit } from '../lib/errors.ts'
import type { ToolContext } from '../lib/tool_context.ts'

/** The context of one run of `bridge`. */
export interface BridgeContext extends ToolContext {
  /** -compressvlans: list ranges of VLANs as one */
  readonly compressVlans: boolean
}

/** An object of the `bridge` tool. @returns the exit status */
export type BridgeObject = (ctx: BridgeContext, args: readonly string[]) => Promise<number> | number

/** @returns the failure of a command with a line, status 255 unless said otherwise */
export function failure(line: string, status = EXIT_USAGE): CommandFailure {
  return new CommandFailure(`${line}\n`, status)
}

/** @returns index of a device, or the failure `Cannot find device "x"`. @param noun what the complaint calls it */
export function deviceIndex(ctx: BridgeContext, name: string, noun = 'device'): number {
  const index = ctx.links.nameToIndex(name)
  if (index === 0) throw failure(`Cannot find ${noun} "${name}"`)
  return index
}

/** Sends a request. @returns the answers */
export function request(ctx: BridgeContext, message: RtMessage, status = EXIT_USAGE): RtMessage[] {
  return ctx.talk(message, status)
}

/** Leaves because an object has no such command; also ends a batch. */
export function unknownCommand(object: string, word: string): never {
  throw new ToolExit(`Command "${word}" is unknown, try "bridge ${object} help".\n`, EXIT_USAGE)
}
