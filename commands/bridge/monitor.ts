/** `bridge monitor`: prints the kernel's notifications about bridges until it is ended. */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import { type MdbMessage, RTNLGRP_BRVLAN, RTNLGRP_MDB, type VlanDbMessage } from '../../src/uapi/if_bridge.ts'
import {
  type LinkMessage,
  type NeighMessage,
  RTM_DELLINK,
  RTM_DELMDB,
  RTM_DELNEIGH,
  RTM_DELVLAN,
  RTM_NEWLINK,
  RTM_NEWMDB,
  RTM_NEWNEIGH,
  RTM_NEWVLAN,
  RTNLGRP_LINK,
  RTNLGRP_NEIGH,
  type RtMessage,
} from '../../src/uapi/rtnetlink.ts'
import { Args } from '../lib/args.ts'
import { EXIT_USAGE, ToolExit } from '../lib/errors.ts'
import type { Printer } from '../lib/printer.ts'
import { formatTimestamp } from '../lib/timestamp.ts'
import type { BridgeContext, BridgeObject } from './context.ts'
import { fdbFilter, printFdb, selectsFdb } from './fdb.ts'
import { MONITOR_USAGE } from './help.ts'
import { isBridgeLink, printBridgeLink } from './link.ts'
import { printMdbEntry } from './mdb_print.ts'
import { printVlanDb, VlanListing } from './vlan_print.ts'

/** Objects in the order abbreviations are tried, with their groups of notifications. */
const OBJECTS: readonly (readonly [string, number | undefined])[] = [
  ['link', RTNLGRP_LINK],
  ['fdb', RTNLGRP_NEIGH],
  ['mdb', RTNLGRP_MDB],
  ['vlan', RTNLGRP_BRVLAN],
  ['vni', undefined],
]

interface Monitor {
  readonly ctx: BridgeContext
  readonly out: Printer
  readonly label: boolean
}

function header({ ctx, out, label }: Monitor, name: string): void {
  if (ctx.opts.timestamp) out.text(formatTimestamp(ctx.proc.realtime(), false))
  if (label) out.text(`[${name}]`)
}

function showMdb(monitor: Monitor, { type, ifindex, attrs }: MdbMessage): void {
  const { ctx, out } = monitor
  header(monitor, 'MDB')
  const deleted = type === RTM_DELMDB
  for (const entry of attrs.entries ?? []) printMdbEntry(ctx, out, ifindex, entry, deleted)
  for (const { port } of attrs.routerPorts ?? []) {
    const master = ctx.links.indexToName(ifindex)
    out.text(`${deleted ? 'Deleted ' : ''}router port dev ${ctx.links.indexToName(port)} master ${master}\n`)
  }
}

/** Prints a notification. @returns whether what was printed is to be seen at once */
function show(monitor: Monitor, message: RtMessage): boolean {
  const { ctx, out } = monitor
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      if (!isBridgeLink(message as LinkMessage)) return false
      header(monitor, 'LINK')
      printBridgeLink(ctx, out, message as LinkMessage)
      return true
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      if (!selectsFdb(fdbFilter(), message as NeighMessage)) return false
      header(monitor, 'NEIGH')
      printFdb(ctx, out, message as NeighMessage, fdbFilter())
      return true
    case RTM_NEWMDB:
    case RTM_DELMDB:
      showMdb(monitor, message as MdbMessage)
      return false
    case RTM_NEWVLAN:
    case RTM_DELVLAN: {
      header(monitor, 'VLAN')
      const filter = { ifindex: 0, vlan: 0 }
      printVlanDb(ctx, out, message as VlanDbMessage, filter, new VlanListing(ctx, out), 'both')
      return false
    }
    default:
      return false
  }
}

/** A file of notifications: nothing in it is about bridges unless `rtmon` of the same machine wrote it. */
function readNotifications(ctx: BridgeContext, path: string): number {
  try {
    ctx.proc.readFile(path)
    return 0
  } catch (error) {
    if (!isSysError(error)) throw error
    throw new ToolExit(`Cannot fopen: ${strerror(error.errno)}\n`, EXIT_USAGE)
  }
}

export const run: BridgeObject = async (ctx, args) => {
  const groups = new Set<number>()
  const a = new Args(args)
  let file: string | undefined
  let chosen = false
  let label = false
  for (; a.more; a.skip()) {
    const object = a.matches('file') ? undefined : OBJECTS.find(([name]) => a.matches(name))
    if (a.matches('file')) file = a.next()
    else if (object !== undefined) {
      chosen = true
      if (object[1] !== undefined) groups.add(object[1])
    } else if (a.is('all')) label = true
    else if (a.matches('help')) ctx.usage(MONITOR_USAGE)
    else throw new ToolExit(`Argument "${a.word}" is unknown, try "bridge monitor help".\n`, EXIT_USAGE)
  }
  if (file !== undefined) return readNotifications(ctx, file)
  if (!chosen || label) for (const [, group] of OBJECTS) if (group !== undefined) groups.add(group)
  ctx.nl.subscribe(...groups)
  ctx.links.init()
  const monitor: Monitor = { ctx, out: ctx.textPrinter(), label }
  for (;;) if (show(monitor, await ctx.nl.receive())) await ctx.proc.stdout.flush()
}
