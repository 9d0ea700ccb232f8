/** VLAN devices (8021q): `type vlan`. */
import type { VlanData } from '../../../src/uapi/if_link.ts'
import type { Args } from '../../lib/args.ts'
import { invarg } from '../../lib/errors.ts'
import { llProtoName, parseLlProto } from '../../lib/ll_proto.ts'
import { getU32 } from '../../lib/number.ts'
import type { Printer } from '../../lib/printer.ts'
import { onOff, u16 } from '../../lib/values.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'

const HELP = `Usage: ... vlan id VLANID
		[ protocol VLANPROTO ]
		[ reorder_hdr { on | off } ]
		[ gvrp { on | off } ]
		[ mvrp { on | off } ]
		[ loose_binding { on | off } ]
		[ bridge_binding { on | off } ]
		[ ingress-qos-map QOS-MAP ]
		[ egress-qos-map QOS-MAP ]

VLANID := 0-4095
VLANPROTO: [ 802.1Q | 802.1ad ]
QOS-MAP := [ QOS-MAP ] QOS-MAPPING
QOS-MAPPING := FROM:TO
`
const VLAN_FLAG_REORDER_HDR = 0x1
const VLAN_FLAG_GVRP = 0x2
const VLAN_FLAG_LOOSE_BINDING = 0x4
const VLAN_FLAG_MVRP = 0x8
const VLAN_FLAG_BRIDGE_BINDING = 0x10

/** Keywords that switch a flag. */
const FLAG_OPTIONS: readonly (readonly [string, number])[] = [
  ['reorder_hdr', VLAN_FLAG_REORDER_HDR],
  ['gvrp', VLAN_FLAG_GVRP],
  ['mvrp', VLAN_FLAG_MVRP],
  ['loose_binding', VLAN_FLAG_LOOSE_BINDING],
  ['bridge_binding', VLAN_FLAG_BRIDGE_BINDING],
]

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [VLAN_FLAG_REORDER_HDR, 'REORDER_HDR'],
  [VLAN_FLAG_GVRP, 'GVRP'],
  [VLAN_FLAG_MVRP, 'MVRP'],
  [VLAN_FLAG_LOOSE_BINDING, 'LOOSE_BINDING'],
  [VLAN_FLAG_BRIDGE_BINDING, 'BRIDGE_BINDING'],
]

type QosMap = { from: number; to: number }[]

/** Reads `FROM:TO …` up to the first word without a colon. */
function parseQosMap(args: Args, key: string): QosMap {
  const map: QosMap = []
  args.skip()
  for (; args.more; args.skip()) {
    const colon = args.word.indexOf(':')
    if (colon < 0) break
    const from = args.word.slice(0, colon)
    const pair = { from: getU32(from), to: getU32(args.word.slice(colon + 1)) }
    if (pair.from === undefined || pair.to === undefined) invarg(`invalid ${key}`, from)
    map.push({ from: pair.from, to: pair.to })
  }
  args.back()
  return map
}

function printQosMap(out: Printer, key: string, label: string, map: QosMap | undefined): void {
  if (map === undefined) return
  out.nl()
  out.openArray(key, `      ${label} { `)
  for (const { from, to } of map) {
    out.openObject()
    out.put('from', from, String(from))
    out.put('to', to, `:${to} `)
    out.closeObject()
  }
  out.closeArray('} ')
}

export const vlan: LinkKindOf<VlanData> = {
  kind: 'vlan',
  help: HELP,

  parse(_ctx, args) {
    const data: VlanData = {}
    const flags = { flags: 0, mask: 0 }
    for (; args.more; args.skip()) {
      const flag = FLAG_OPTIONS.find(([name]) => args.matches(name))
      if (args.matches('protocol')) {
        const word = args.next()
        data.protocol = parseLlProto(word) ?? invarg('protocol is invalid', word)
      } else if (args.matches('id')) {
        data.id = u16(args.next(), 'id is invalid')
      } else if (flag !== undefined) {
        const on = onOff(flag[0], args.next())
        flags.mask |= flag[1]
        flags.flags = on ? flags.flags | flag[1] : flags.flags & ~flag[1]
      } else if (args.matches('ingress-qos-map')) {
        args.next()
        args.back()
        data.ingressQos = parseQosMap(args, 'ingress-qos-map')
      } else if (args.matches('egress-qos-map')) {
        args.next()
        args.back()
        data.egressQos = parseQosMap(args, 'egress-qos-map')
      } else if (args.matches('help')) {
        throw kindFailure('', HELP)
      } else {
        throw kindFailure(`vlan: unknown command "${args.word}"?\n`, HELP)
      }
    }
    if (flags.mask !== 0) data.flags = flags
    return data
  },

  print(_ctx, out, data) {
    const protocol = llProtoName(data.protocol ?? 0x8100)
    if (data.protocol === undefined) out.text('protocol 802.1q ')
    else out.put('protocol', protocol, `protocol ${protocol} `)
    if (data.id !== undefined) out.put('id', data.id, `id ${data.id} `)
    if (data.flags !== undefined) {
      let rest = data.flags.flags
      out.openArray('flags', '<')
      for (const [bit, name] of FLAG_NAMES) {
        if ((rest & bit) === 0) continue
        rest &= ~bit
        out.put(undefined, name, rest === 0 ? name : `${name},`)
      }
      if (rest !== 0) out.put(undefined, rest.toString(16), rest.toString(16))
      out.closeArray('> ')
    }
    printQosMap(out, 'ingress_qos', 'ingress-qos-map', data.ingressQos)
    printQosMap(out, 'egress_qos', 'egress-qos-map', data.egressQos)
  },
}
