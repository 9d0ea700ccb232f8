/**
 * What every object of `ip` gets: the process, the global options, rtnetlink, and the helpers all of them share.
 *
 * How an object is written
 * - commands/ip/NAME.ts exports `run: IpObject`, `(ctx, args) => status`; `args` are the words
 *   after the object's name, the result is the exit status (0, 1, 2 …, positive). One line in objects.ts makes it known.
 * - Parsing: `new Args(args)` (commands/lib/args.ts) is the cursor: `while (a.more) { if (a.is('dev')) { name = a.next() }
 *   else duparg2('dev', a.word); a.skip() }`. Complaints: commands/lib/errors.ts. Nothing writes to standard error
 *   itself on failure: throw `CommandFailure(text, status)` (the command fails) or `ToolExit(text, status)` (the program
 *   ends, even in a batch); main.ts writes the text. `ctx.warn` is for lines after which the command goes on.
 * - Asking the kernel: `ctx.talk(message)` for changes and single answers, `ctx.dump(message)` for listings; both have
 *   iproute2's error texts. Message constructors: commands/lib/rtnl.ts.
 * - Printing: one function per object that says each fact once to a `Printer` (commands/lib/printer.ts):
 *   `out.put('mtu', 1500, 'mtu 1500 ')` writes JSON or text. `ctx.listing(out => …)` opens and closes the listing.
 * - Names: `ctx.links` (interface indexes), `ctx.names` (tables, protocols, scopes …), commands/lib/inet.ts (addresses).
 * - Help texts are data in commands/ip/help/NAME.ts; `ctx.usage(TEXT)` leaves with it, status 255.
 */
import type { ToolContext, ToolOptions } from '../lib/tool_context.ts'

export { createContext, defaultOptions } from '../lib/tool_context.ts'

/** The options before the object's name. */
export type IpOptions = ToolOptions

/** The context of one run of `ip`. */
export type IpContext = ToolContext

/** An object of the `ip` tool. @returns the exit status */
export type IpObject = (ctx: IpContext, args: readonly string[]) => Promise<number> | number
