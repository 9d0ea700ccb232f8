/** The multicast database as messages, and telling listeners of changes (br_mdb_notify). */
import type { MdbEntry as MdbEntryMessage } from '../../uapi/if_bridge.ts'
import { RTNLGRP_MDB } from '../../uapi/if_bridge.ts'
import { RTM_DELMDB, RTM_NEWMDB } from '../../uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../uapi/socket.ts'
import type { NetBridge } from './br.ts'
import type { MdbEntry, MdbPortGroup } from './br_multicast_ctx.ts'

/** MDB_FLAGS_…: the port leaves at once on a leave message. */
const MDB_FLAGS_FAST_LEAVE = 1 << 1

/** @param port undefined: the bridge itself @returns the entry as `bridge mdb` gets it */
export function mdbEntryMessage(br: NetBridge, entry: MdbEntry, port: MdbPortGroup | undefined): MdbEntryMessage {
  const message: MdbEntryMessage = {
    port: port?.port.dev.ifindex ?? br.dev.ifindex,
    state: (port === undefined ? !entry.hostTimer.pending : port.permanent) ? 'permanent' : 'temp',
    group: entry.group.slice(),
    vid: entry.vid,
    flags: port?.fastLeave === true ? MDB_FLAGS_FAST_LEAVE : 0,
  }
  if (entry.source !== undefined) message.source = entry.source.slice()
  if (port !== undefined) message.rtprot = port.rtprot
  message.timer = br.timerValue(port === undefined ? entry.hostTimer : port.timer)
  return message
}

/** Tells listeners that a port, or the bridge itself, has joined or left a group. */
export function brMdbNotify(br: NetBridge, entry: MdbEntry, port: MdbPortGroup | undefined, joined: boolean): void {
  const { net } = br.dev
  net.kernel.rtnl.notify(net, RTNLGRP_MDB, () => ({
    type: joined ? RTM_NEWMDB : RTM_DELMDB,
    flags: 0,
    family: AF_BRIDGE,
    ifindex: br.dev.ifindex,
    attrs: { entries: [mdbEntryMessage(br, entry, port)] },
  }))
}
