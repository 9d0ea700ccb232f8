/**
 * Lightweight tunnels of routes and next hops: `encap TYPE …`, see ip-route(8). One entry a type, with its parser and
 * its printer; attributes keep the kernel's names.
 */
import type { RouteEncap } from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6, AF_MPLS } from '../../src/uapi/socket.ts'
import type { Args } from '../lib/args.ts'
import { duparg2, EXIT_USAGE, invarg, nodev, ToolExit } from '../lib/errors.ts'
import { formatAddress, getAddr } from '../lib/inet.ts'
import { getU8, getU16, getU32, getU64 } from '../lib/number.ts'
import type { Color, Printer } from '../lib/printer.ts'
import type { IpContext } from './context.ts'

/** A type of lightweight tunnel. The cursor stands on the word before the type's own; `parse` leaves it on the last. */
interface EncapType {
  readonly parse: (ctx: IpContext, a: Args) => RouteEncap
  readonly print: (ctx: IpContext, out: Printer, encap: RouteEncap) => void
}

type Fields = Record<string, unknown>

const bytesOf = (value: unknown, length: number): Uint8Array =>
  value instanceof Uint8Array ? value : new Uint8Array(length)
const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0)

/** Remembers which keywords were given, and complains about the second. */
function once(seen: Set<string>, key: string, word: string): void {
  if (seen.has(key)) duparg2(key, word)
  seen.add(key)
}

/** `encap mpls LABEL[/LABEL…] [ttl TTL]`: `dst` is the label stack in network order. */
const mpls: EncapType = {
  parse(_ctx, a) {
    const word = a.word
    const fields: Fields = { dst: getAddr(word, AF_MPLS).data }
    if (a.peek() === 'ttl') {
      a.next()
      const ttl = a.next()
      fields['ttl'] = getU8(ttl) ?? invarg('"ttl" value is invalid\n', ttl)
    }
    return { type: 'mpls', ...fields }
  },
  print(_ctx, out, encap) {
    const dst = formatAddress(AF_MPLS, bytesOf(encap['dst'], 0))
    out.put('dst', dst, ` ${dst} `)
    if (encap['ttl'] !== undefined) out.put('ttl', numberOf(encap['ttl']), `ttl ${numberOf(encap['ttl'])} `)
  },
}

/** Flags of ip tunnels, in the order they are printed. */
const TUNNEL_FLAGS = ['key', 'csum', 'seq'] as const

/** `encap ip` and `encap ip6`: metadata of a collect-metadata tunnel device. */
function ipTunnel(type: 'ip' | 'ip6'): EncapType {
  const family = type === 'ip' ? AF_INET : AF_INET6
  const length = type === 'ip' ? 4 : 16
  const color: Color = type === 'ip' ? 'inet' : 'inet6'
  const hops = type === 'ip' ? 'ttl' : 'hoplimit'
  const trafficClass = type === 'ip' ? 'tos' : 'tc'
  return {
    parse(ctx, a) {
      const fields: Fields = {}
      const seen = new Set<string>()
      let end = a.pos - 1
      for (; a.more; a.skip()) {
        const key = a.word
        if (key === 'id') {
          const word = a.next()
          once(seen, 'id', word)
          const id = getU64(word)
          fields['id'] = id === undefined ? invarg('"id" value is invalid\n', word) : Number(id)
        } else if (key === 'dst' || key === 'src') {
          const word = a.next()
          once(seen, key, word)
          fields[key] = getAddr(word, family).data
        } else if (key === trafficClass) {
          const word = a.next()
          once(seen, key, word)
          fields['tos'] = ctx.names.rtDsfield.a2n(word) ?? invarg(`"${key}" value is invalid\n`, word)
        } else if (key === hops) {
          const word = a.next()
          once(seen, key, word)
          fields['ttl'] = getU8(word) ?? invarg(`"${key}" value is invalid\n`, word)
        } else if (key === 'key' || key === 'csum' || key === 'seq') {
          once(seen, key, key)
          fields[key] = true
        } else break
        end = a.pos
      }
      a.pos = end
      return { type, ...fields }
    },
    print(_ctx, out, encap) {
      out.put('id', numberOf(encap['id']), `id ${numberOf(encap['id'])} `)
      const src = formatAddress(family, bytesOf(encap['src'], length))
      const dst = formatAddress(family, bytesOf(encap['dst'], length))
      out.put('src', src, `src ${src} `, color)
      out.put('dst', dst, `dst ${dst} `, color)
      const ttl = numberOf(encap['ttl'])
      const tos = numberOf(encap['tos'])
      out.put(hops, ttl, `${hops} ${ttl} `)
      out.put(trafficClass, tos, `${trafficClass} ${tos} `)
      for (const flag of TUNNEL_FLAGS) if (encap[flag] === true) out.put(flag, true, `${flag} `)
    },
  }
}

const SEG6_MODES = ['inline', 'encap', 'l2encap', 'encap.red', 'l2encap.red']

/** Reads `FIRST,NEXT,…` segments. @param inline leaves room for the final destination */
function parseSegments(word: string, inline: boolean): Uint8Array[] {
  const segments = word.split(',').map(text => getAddr(text, AF_INET6).data)
  if (inline) segments.push(new Uint8Array(16))
  return segments
}

function printSegments(out: Printer, value: unknown): void {
  const segments = Array.isArray(value) ? value.map(item => formatAddress(AF_INET6, bytesOf(item, 16))) : []
  out.openArray('segs', `segs ${segments.length} [ `)
  for (const segment of segments) out.put(undefined, segment, `${segment} `, 'inet6')
  out.closeArray('] ')
}

const seg6: EncapType = {
  parse(_ctx, a) {
    const fields: Fields = {}
    const seen = new Set<string>()
    let mode: string | undefined
    let segs: string | undefined
    let end = a.pos - 1
    for (; a.more; a.skip()) {
      if (a.is('mode')) {
        const word = a.next()
        once(seen, 'mode', word)
        if (!SEG6_MODES.includes(word)) invarg('"mode" value is invalid\n', word)
        mode = word
      } else if (a.is('segs')) {
        const word = a.next()
        once(seen, 'segs', word)
        if (mode === undefined) invarg('"segs" provided before "mode"\n', word)
        segs = word
      } else if (a.is('hmac')) {
        const word = a.next()
        once(seen, 'hmac', word)
        fields['hmac'] = getU32(word) ?? 0
      } else if (a.is('cleanup')) fields['cleanup'] = true
      else break
      end = a.pos
    }
    a.pos = end
    return {
      type: 'seg6',
      mode: mode ?? 'encap',
      segs: segs === undefined ? [] : parseSegments(segs, mode === 'inline'),
      ...fields,
    }
  },
  print(_ctx, out, encap) {
    const mode = String(encap['mode'])
    out.put('mode', mode, `mode ${mode} `)
    printSegments(out, encap['segs'])
    const hmac = numberOf(encap['hmac'])
    if (hmac !== 0) out.put('hmac', hmac, `hmac ${hmac.toString(16).toUpperCase()} `)
  },
}

const SEG6_ACTIONS = [
  'End',
  'End.X',
  'End.T',
  'End.DX2',
  'End.DX6',
  'End.DX4',
  'End.DT6',
  'End.DT4',
  'End.B6',
  'End.B6.Encaps',
  'End.BM',
  'End.S',
  'End.AS',
  'End.AM',
  'End.BPF',
  'End.DT46',
]

const seg6local: EncapType = {
  parse(ctx, a) {
    const fields: Fields = {}
    const seen = new Set<string>()
    let action: string | undefined
    let end = a.pos - 1
    for (; a.more; a.skip()) {
      const key = a.word
      if (key === 'action') {
        const word = a.next()
        once(seen, key, word)
        if (!SEG6_ACTIONS.includes(word)) invarg('"action" value is invalid\n', word)
        action = word
      } else if (key === 'table' || key === 'vrftable') {
        const word = a.next()
        once(seen, key, word)
        fields[key] = ctx.names.rtTable.a2n(word) ?? invarg('invalid table id\n', word)
      } else if (key === 'nh4' || key === 'nh6') {
        const word = a.next()
        once(seen, key, word)
        fields[key] = getAddr(word, key === 'nh4' ? AF_INET : AF_INET6).data
      } else if (key === 'iif' || key === 'oif') {
        const word = a.next()
        once(seen, key, word)
        const index = ctx.links.nameToIndex(word)
        if (index === 0) throw new ToolExit(nodev(word).text, 1)
        fields[key] = index
      } else if (key === 'count') fields['count'] = true
      else if (key === 'srh') {
        once(seen, key, key)
        a.skip()
        if (a.is('segs')) fields['srh'] = parseSegments(a.next(), false)
        else a.back()
      } else break
      end = a.pos
    }
    a.pos = end
    if (action === undefined) throw new ToolExit('Missing action type\n', EXIT_USAGE)
    return { type: 'seg6local', action, ...fields }
  },
  print(ctx, out, encap) {
    const action = String(encap['action'])
    out.put('action', action, `action ${action} `)
    if (encap['srh'] !== undefined) {
      out.openObject('srh')
      printSegments(out, encap['srh'])
      out.closeObject()
    }
    for (const key of ['table', 'vrftable'] as const) {
      if (encap[key] === undefined) continue
      const table = ctx.names.rtTable.n2a(numberOf(encap[key]))
      out.put(key, table, `${key} ${table} `)
    }
    for (const [key, family] of [
      ['nh4', AF_INET],
      ['nh6', AF_INET6],
    ] as const) {
      if (encap[key] === undefined) continue
      const address = formatAddress(family, bytesOf(encap[key], 0))
      out.put(key, address, `${key} ${address} `, family === AF_INET ? 'inet' : 'inet6')
    }
    for (const key of ['iif', 'oif'] as const) {
      if (encap[key] === undefined) continue
      const dev = ctx.links.indexToName(numberOf(encap[key]))
      out.put(key, dev, `${key} ${dev} `, 'ifname')
    }
  },
}

const rpl: EncapType = {
  parse(_ctx, a) {
    if (a.is('segs')) return { type: 'rpl', segs: parseSegments(a.next(), false) }
    a.back()
    return { type: 'rpl', segs: [] }
  },
  print(_ctx, out, encap) {
    printSegments(out, encap['segs'])
  },
}

const XFRM_USAGE = 'Usage: ip route ... encap xfrm if_id IF_ID [ link_dev LINK ]\n'

const xfrm: EncapType = {
  parse(ctx, a) {
    const fields: Fields = {}
    let end = a.pos - 1
    for (; a.more; a.skip()) {
      if (a.is('if_id')) {
        const word = a.next()
        const id = getU32(word)
        if (id === undefined || id === 0) invarg('"if_id" value is invalid\n', word)
        fields['ifId'] = id
      } else if (a.is('link_dev')) {
        const word = a.next()
        const index = ctx.links.nameToIndex(word)
        if (index === 0) throw new ToolExit(nodev(word).text, 1)
        fields['link'] = index
      } else break
      end = a.pos
    }
    a.pos = end
    if (fields['ifId'] === undefined) throw new ToolExit(XFRM_USAGE, EXIT_USAGE)
    return { type: 'xfrm', ...fields }
  },
  print(ctx, out, encap) {
    const id = numberOf(encap['ifId'])
    out.put('if_id', `0x${id.toString(16)}`, `if_id 0x${id.toString(16)} `)
    if (encap['link'] === undefined) return
    const dev = ctx.links.indexToName(numberOf(encap['link']))
    out.put('link_dev', dev, `link_dev ${dev} `)
  },
}

const ioam6: EncapType = {
  parse(_ctx, a) {
    const expect = (word: string): void => {
      if (!a.is(word)) throw new ToolExit(`Error: argument "${word}" is required\n`, EXIT_USAGE)
    }
    expect('trace')
    a.next()
    expect('prealloc')
    a.next()
    expect('type')
    const type = getU32(a.next()) ?? invarg('Invalid trace type', a.word)
    a.next()
    expect('ns')
    const ns = getU16(a.next()) ?? invarg('Invalid namespace ID', a.word)
    a.next()
    expect('size')
    const size = getU8(a.next()) ?? invarg('Invalid trace size', a.word)
    return { type: 'ioam6', traceType: type, ns, size }
  },
  print(_ctx, out, encap) {
    const type = `0x${numberOf(encap['traceType']).toString(16).padStart(6, '0')}`
    out.text('trace prealloc ')
    out.put('type', type, `type ${type} `)
    out.put('ns', numberOf(encap['ns']), `ns ${numberOf(encap['ns'])} `)
    out.put('size', numberOf(encap['size']), `size ${numberOf(encap['size'])} `)
  },
}

/** Lightweight tunnels by name. */
const ENCAPS = new Map<string, EncapType>([
  ['mpls', mpls],
  ['ip', ipTunnel('ip')],
  ['ip6', ipTunnel('ip6')],
  ['seg6', seg6],
  ['seg6local', seg6local],
  ['rpl', rpl],
  ['ioam6', ioam6],
  ['xfrm', xfrm],
])

/** Reads `encap TYPE …` from the cursor, which stands on `encap`, and leaves it on the last word read. */
export function parseEncap(ctx: IpContext, a: Args): RouteEncap {
  const word = a.next()
  const type = ENCAPS.get(word)
  if (type === undefined) invarg('"encap type" value is invalid\n', word)
  a.next()
  if (a.left <= 1) throw new ToolExit('Error: unexpected end of line after "encap"\n', EXIT_USAGE)
  return type.parse(ctx, a)
}

/** Prints ` encap TYPE …`. */
export function printEncap(ctx: IpContext, out: Printer, encap: RouteEncap): void {
  out.put('encap', encap.type, ` encap ${encap.type} `)
  ENCAPS.get(encap.type)?.print(ctx, out, encap)
}
