/**
 * `ip address save`, `restore` and `showdump`: addresses in a file, as the netlink messages of a dump after a magic
 * number. Numbers are little-endian.
 */
import { Errno } from '../../src/uapi/errno.ts'
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_MULTI, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import { type AddrMessage, RTM_NEWADDR } from '../../src/uapi/rtnetlink.ts'
import { EXIT_USAGE, ToolExit } from '../lib/errors.ts'
import { AttrReader, MessageWriter, readMessages } from '../lib/nlmsg.ts'
import { addrMessage, asNetlinkError, netlinkErrorText } from '../lib/rtnl.ts'
import type { IpContext } from './context.ts'
import { type LinkFilter, linkFilter } from './link_filter.ts'
import { printAddress } from './print_addr.ts'

const MAGIC = 0x47361222

/** Attribute numbers of addresses. */
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_LABEL = 3
const IFA_BROADCAST = 4
const IFA_ANYCAST = 5
const IFA_CACHEINFO = 6
const IFA_FLAGS = 8
const IFA_RT_PRIORITY = 9

/** @returns an address message as bytes */
function encode(message: AddrMessage): Uint8Array {
  const { attrs } = message
  const w = new MessageWriter(message.type, message.flags | NLM_F_MULTI)
  w.u8(message.family).u8(message.prefixlen).u8(message.ifaFlags).u8(message.scope).u32(message.index)
  const bytes = (type: number, value: Uint8Array | undefined): void => {
    if (value !== undefined) w.attr(type, value)
  }
  bytes(IFA_ADDRESS, attrs.address)
  bytes(IFA_LOCAL, attrs.local)
  bytes(IFA_BROADCAST, attrs.broadcast)
  bytes(IFA_ANYCAST, attrs.anycast)
  if (attrs.label !== undefined) w.attrString(IFA_LABEL, attrs.label)
  if (attrs.flags !== undefined) w.attrU32(IFA_FLAGS, attrs.flags)
  if (attrs.rtPriority !== undefined) w.attrU32(IFA_RT_PRIORITY, attrs.rtPriority)
  if (attrs.cacheinfo !== undefined) {
    const { prefered, valid, cstamp, tstamp } = attrs.cacheinfo
    w.attrU32(IFA_CACHEINFO, prefered, valid, cstamp, tstamp)
  }
  return w.finish()
}

/** @returns the address message of a payload */
function decode(payload: Uint8Array): AddrMessage {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  const message = addrMessage({
    type: RTM_NEWADDR,
    family: payload[0]!,
    prefixlen: payload[1]!,
    ifaFlags: payload[2]!,
    scope: payload[3]!,
    index: view.getUint32(4, true),
  })
  const { attrs } = message
  for (const attr of new AttrReader(payload.subarray(8))) {
    if (attr.type === IFA_ADDRESS) attrs.address = attr.bytes
    else if (attr.type === IFA_LOCAL) attrs.local = attr.bytes
    else if (attr.type === IFA_BROADCAST) attrs.broadcast = attr.bytes
    else if (attr.type === IFA_ANYCAST) attrs.anycast = attr.bytes
    else if (attr.type === IFA_LABEL) attrs.label = attr.string()
    else if (attr.type === IFA_FLAGS) attrs.flags = attr.u32()
    else if (attr.type === IFA_RT_PRIORITY) attrs.rtPriority = attr.u32()
    else if (attr.type === IFA_CACHEINFO) {
      attrs.cacheinfo = { prefered: attr.u32(0), valid: attr.u32(4), cstamp: attr.u32(8), tstamp: attr.u32(12) }
    }
  }
  return message
}

/** Writes the addresses the filter's device has to standard output. */
export function saveAddresses(ctx: IpContext, filter: LinkFilter): number {
  const { proc } = ctx
  if (proc.isatty(1)) throw new ToolExit('Not sending a binary stream to stdout\n', 1)
  const magic = new Uint8Array(4)
  new DataView(magic.buffer).setUint32(0, MAGIC, true)
  proc.stdout.write(magic)
  const request = addrMessage({ family: ctx.opts.family, index: filter.ifindex })
  for (const message of ctx.dump(request, 'Save terminated\n')) {
    if (message.type === RTM_NEWADDR) proc.stdout.write(encode(message as AddrMessage))
  }
  return 0
}

/** Reads the messages of standard input after checking the magic number. */
async function readDump(ctx: IpContext): Promise<AddrMessage[]> {
  const { proc } = ctx
  const leave = (text: string): never => {
    throw new ToolExit(text, EXIT_USAGE)
  }
  if (proc.isatty(0)) leave("Can't restore address dump from a terminal\n")
  const bytes = await proc.stdin.readAll()
  const whole = bytes.length >= 4
  const magic = whole ? new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true) : 0
  if (magic !== MAGIC) leave(`Magic mismatch (${whole ? 1 : 0} elems, ${magic.toString(16)} magic)\n`)
  return readMessages(bytes.subarray(4))
    .filter(message => message.type === RTM_NEWADDR)
    .map(message => decode(message.payload))
}

/** Lists the addresses in a file. */
export async function showDump(ctx: IpContext): Promise<number> {
  const messages = await readDump(ctx)
  const filter = linkFilter(false)
  return ctx.listing(out => {
    out.openObject()
    out.openArray('addr_info')
    for (const message of messages) {
      out.openObject()
      out.put('index', message.index, `if${message.index}:`)
      out.nl()
      printAddress(ctx, out, message, filter)
      out.closeObject()
    }
    out.closeArray()
    out.closeObject()
    return 0
  })
}

/** Adds the addresses in a file; those that exist are complained of and passed over. */
export async function restoreAddresses(ctx: IpContext): Promise<number> {
  for (const message of await readDump(ctx)) {
    message.flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK
    try {
      ctx.nl.request(message)
    } catch (thrown) {
      const error = asNetlinkError(thrown)
      ctx.warn(netlinkErrorText(error))
      if (error.errno !== Errno.EEXIST) return EXIT_USAGE
    }
  }
  return 0
}
