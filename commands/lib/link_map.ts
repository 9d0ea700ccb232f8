/** Interface indexes and names, asked of the kernel once each and remembered for the rest of the program (ll_map). */
import { isSysError } from '../../src/uapi/errno.ts'
import { IFF_UP } from '../../src/uapi/if.ts'
import { type NetlinkSocket, NLM_F_DUMP, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import {
  type LinkMessage,
  RTEXT_FILTER_SKIP_STATS,
  RTEXT_FILTER_VF,
  RTM_DELLINK,
  RTM_NEWLINK,
  type RtMessage,
} from '../../src/uapi/rtnetlink.ts'
import { linkMessage } from './rtnl.ts'

/** What is remembered of a link. */
export interface LinkEntry {
  readonly index: number
  readonly name: string
  readonly altNames: readonly string[]
  /** ARPHRD_… */
  readonly type: number
  /** IFF_… */
  readonly flags: number
}

/** Map between interface indexes and names of one namespace. */
export class LinkMap {
  private readonly nl: NetlinkSocket
  private readonly byIndex = new Map<number, LinkEntry>()
  private readonly byName = new Map<string, LinkEntry>()

  constructor(nl: NetlinkSocket) {
    this.nl = nl
  }

  /** Remembers (or for RTM_DELLINK forgets) the link of a message; other messages are ignored. */
  remember(message: RtMessage): void {
    if (message.type === RTM_DELLINK) {
      this.forget((message as LinkMessage).index)
      return
    }
    if (message.type !== RTM_NEWLINK) return
    const link = message as LinkMessage
    const { ifname } = link.attrs
    if (ifname === undefined) return
    this.forget(link.index)
    const altNames = link.attrs.propList ?? []
    const entry = { index: link.index, name: ifname, altNames, type: link.hatype, flags: link.ifFlags }
    this.byIndex.set(link.index, entry)
    for (const name of [ifname, ...altNames]) this.byName.set(name, entry)
  }

  /** Forgets a link, so that the next question asks the kernel again. */
  forget(index: number): void {
    const entry = this.byIndex.get(index)
    if (entry === undefined) return
    this.byIndex.delete(index)
    for (const name of [entry.name, ...entry.altNames]) if (this.byName.get(name) === entry) this.byName.delete(name)
  }

  /** Dumps all links once, so that a listing does not ask for each. */
  init(): void {
    if (this.byIndex.size > 0) return
    const request = linkMessage({ flags: NLM_F_REQUEST | NLM_F_DUMP })
    request.attrs.extMask = RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS
    for (const message of this.nl.request(request)) this.remember(message)
  }

  private ask(request: LinkMessage): LinkEntry | undefined {
    request.attrs.extMask = RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS
    let answers: RtMessage[]
    try {
      answers = this.nl.request(request)
    } catch (error) {
      if (isSysError(error)) return undefined
      throw error
    }
    for (const message of answers) {
      this.remember(message)
      if (message.type === RTM_NEWLINK) return this.byIndex.get((message as LinkMessage).index)
    }
    return undefined
  }

  private entry(index: number): LinkEntry | undefined {
    return this.byIndex.get(index) ?? this.ask(linkMessage({ index }))
  }

  /** @returns a link's index by its name or alternative name, or for `ifN` the number N where no such link exists; 0: no link */
  nameToIndex(name: string): number {
    const known = this.byName.get(name)
    if (known !== undefined) return known.index
    const attrs = name.length < 16 ? { ifname: name } : { altIfname: name }
    const asked = this.ask(linkMessage({ attrs }))
    if (asked !== undefined) return asked.index
    const match = /^if(\d+)$/.exec(name)
    return match === null ? 0 : Number(match[1])
  }

  /** @returns a link's name; `*` for 0, `ifN` for an unknown index N */
  indexToName(index: number): string {
    if (index === 0) return '*'
    return this.entry(index)?.name ?? `if${index}`
  }

  /** @returns ARPHRD_… of a link that is already known, -1 for any other */
  indexToType(index: number): number {
    return index === 0 ? -1 : (this.byIndex.get(index)?.type ?? -1)
  }

  /** @returns whether a link is up, as far as is known; an unknown link counts as up */
  indexIsUp(index: number): boolean {
    const entry = index === 0 ? undefined : this.byIndex.get(index)
    return entry === undefined || (entry.flags & IFF_UP) !== 0
  }
}
