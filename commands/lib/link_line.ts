/** The beginning of a line about a link, which `ip` and `bridge` share: its name, its lower device, its flags. */
import {
  IFF_ALLMULTI,
  IFF_AUTOMEDIA,
  IFF_BROADCAST,
  IFF_DEBUG,
  IFF_DORMANT,
  IFF_DYNAMIC,
  IFF_ECHO,
  IFF_LOOPBACK,
  IFF_LOWER_UP,
  IFF_MASTER,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_NOTRAILERS,
  IFF_POINTOPOINT,
  IFF_PORTSEL,
  IFF_PROMISC,
  IFF_RUNNING,
  IFF_SLAVE,
  IFF_UP,
} from '../../src/uapi/if.ts'
import type { LinkAttrs } from '../../src/uapi/rtnetlink.ts'
import type { LinkMap } from './link_map.ts'
import type { Printer } from './printer.ts'

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [IFF_LOOPBACK, 'LOOPBACK'],
  [IFF_BROADCAST, 'BROADCAST'],
  [IFF_POINTOPOINT, 'POINTOPOINT'],
  [IFF_MULTICAST, 'MULTICAST'],
  [IFF_NOARP, 'NOARP'],
  [IFF_ALLMULTI, 'ALLMULTI'],
  [IFF_PROMISC, 'PROMISC'],
  [IFF_MASTER, 'MASTER'],
  [IFF_SLAVE, 'SLAVE'],
  [IFF_DEBUG, 'DEBUG'],
  [IFF_DYNAMIC, 'DYNAMIC'],
  [IFF_AUTOMEDIA, 'AUTOMEDIA'],
  [IFF_PORTSEL, 'PORTSEL'],
  [IFF_NOTRAILERS, 'NOTRAILERS'],
  [IFF_UP, 'UP'],
  [IFF_LOWER_UP, 'LOWER_UP'],
  [IFF_DORMANT, 'DORMANT'],
  [IFF_ECHO, 'ECHO'],
]

/** Writes `<BROADCAST,UP> `. @param mdown whether the lower device is down */
export function printLinkFlags(out: Printer, ifFlags: number, mdown: boolean): void {
  const words: string[] = []
  if ((ifFlags & IFF_UP) !== 0 && (ifFlags & IFF_RUNNING) === 0) words.push('NO-CARRIER')
  let flags = ifFlags & ~IFF_RUNNING
  for (const [bit, name] of FLAG_NAMES) {
    if ((flags & bit) === 0) continue
    flags &= ~bit
    words.push(name)
  }
  if (flags !== 0) words.push((flags >>> 0).toString(16))
  if (mdown) words.push('M-DOWN')
  out.openArray('flags', '<')
  for (const [i, word] of words.entries()) out.put(undefined, word, i === 0 ? word : `,${word}`)
  out.closeArray('> ')
}

/**
 * Writes a link's name with the lower device's, `eth0.5@eth0`.
 * @param format the text around the name
 * @returns whether the lower device is down
 */
export function printNameAndLink(
  links: LinkMap,
  out: Printer,
  format: (name: string) => string,
  attrs: LinkAttrs,
): boolean {
  const name = attrs.ifname ?? ''
  const lower = attrs.link
  let shown: string | undefined
  let mdown = false
  if (lower === 0) {
    if (out.isJson) out.json('link', null)
    else shown = 'NONE'
  } else if (lower !== undefined && attrs.linkNetnsid !== undefined) {
    if (out.isJson) out.json('link_index', lower)
    else shown = `if${lower}`
  } else if (lower !== undefined) {
    const lowerName = links.indexToName(lower)
    if (out.isJson) out.json('link', lowerName)
    else shown = lowerName
    mdown = !links.indexIsUp(lower)
  }
  const full = shown === undefined ? name : `${name}@${shown}`
  out.put('ifname', full, format(full), 'ifname')
  return mdown
}
