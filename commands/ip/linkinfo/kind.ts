/** What a kind of link adds to `ip link`: its options, its part of a -d listing, its help text. One file a kind. */
import type { LinkInfo } from '../../../src/uapi/if_link.ts'
import type { LinkMessage } from '../../../src/uapi/rtnetlink.ts'
import type { Args } from '../../lib/args.ts'
import { CommandFailure } from '../../lib/errors.ts'
import type { Printer } from '../../lib/printer.ts'
import type { IpContext } from '../context.ts'

/** Data of a link of any kind, or of a port of any master. */
export type KindData = NonNullable<LinkInfo['data']> | NonNullable<LinkInfo['slaveData']>

/** A kind of link; `D` is its data in rtnetlink (src/uapi/if_link.ts). */
export interface LinkKindOf<D> {
  /** as in `type KIND`; ports of a master of kind X are `X_slave` */
  readonly kind: string
  readonly help: string
  /**
   * Reads the words after `type KIND` into the message's data.
   * @param message the request, with its header as read so far
   * @param create whether the link is new: else options that are not given keep their values
   */
  parse?(ctx: IpContext, args: Args, message: LinkMessage, create: boolean): D
  /** Prints the data in a listing with details. */
  print?(ctx: IpContext, out: Printer, data: D, message: LinkMessage): void
  /** Prints extended statistics in a listing with details and statistics. */
  printXstats?(ctx: IpContext, out: Printer, xstats: NonNullable<LinkInfo['xstats']>): void
}

/** A kind whose data the caller does not look into. */
export interface LinkKind {
  readonly kind: string
  readonly help: string
  parse?(ctx: IpContext, args: Args, message: LinkMessage, create: boolean): KindData
  print?(ctx: IpContext, out: Printer, data: KindData, message: LinkMessage): void
  printXstats?(ctx: IpContext, out: Printer, xstats: NonNullable<LinkInfo['xstats']>): void
}

/** Forgets the type of a kind's data: rtnetlink pairs it with the kind's name. */
export function asLinkKind<D extends KindData>(kind: LinkKindOf<D>): LinkKind {
  return {
    kind: kind.kind,
    help: kind.help,
    ...(kind.parse === undefined
      ? {}
      : { parse: (ctx, args, message, create): KindData => kind.parse!(ctx, args, message, create) }),
    ...(kind.print === undefined
      ? {}
      : { print: (ctx, out, data, message): void => kind.print!(ctx, out, data as D, message) }),
    ...(kind.printXstats === undefined
      ? {}
      : { printXstats: (ctx, out, xstats): void => kind.printXstats!(ctx, out, xstats) }),
  }
}

/** The failure for an unknown word: `text` and the help, status 1. */
export function kindFailure(text: string, help: string): CommandFailure {
  return new CommandFailure(text + help, 1)
}

/** One option that takes a value: words that name it (abbreviations count), and what the value does. */
export interface KindOption<D> {
  readonly names: readonly string[]
  readonly exact?: boolean
  readonly read: (data: D, word: string, ctx: IpContext) => void
}

/**
 * Reads a list of options, each a keyword and its value.
 * @param help what the word `help` shows, status 1
 * @param unknown the complaint about another word
 */
export function parseOptions<D>(
  ctx: IpContext,
  args: Args,
  data: D,
  options: readonly KindOption<D>[],
  help: string,
  unknown: (word: string) => string,
): D {
  for (; args.more; args.skip()) {
    const option = options.find(({ names, exact }) =>
      names.some(name => (exact === true ? args.is(name) : args.matches(name))),
    )
    if (option === undefined) {
      if (args.matches('help')) throw kindFailure('', help)
      throw kindFailure(unknown(args.word), help)
    }
    option.read(data, args.next(), ctx)
  }
  return data
}
