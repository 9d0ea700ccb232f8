/** `ip route` and `ip rule` print what the reference machine printed for the same messages of its kernel. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decodeRoute, encodeRoute } from '../../../commands/ip/route_wire.ts'
import { decodeRule, encodeRule } from '../../../commands/ip/rule_wire.ts'
import { readMessages } from '../../../commands/lib/nlwire.ts'
import { NetlinkError } from '../../../src/uapi/netlink.ts'
import {
  type NexthopMessage,
  type RouteMessage,
  RTM_F_CLONED,
  RTM_GETNEXTHOP,
  RTM_GETROUTE,
  RTM_GETRULE,
  RTM_NEWNEXTHOP,
  type RtMessage,
  type RuleMessage,
} from '../../../src/uapi/rtnetlink.ts'
import { LINKS, link, readTranscript, runIp } from './fake.ts'

const steps = readTranscript(readFileSync(new URL('./recorded/routes-and-rules.transcript', import.meta.url), 'utf8'))
const saved = (command: string): Uint8Array =>
  Uint8Array.from(Buffer.from(steps.find(step => step.command === command)!.stdout, 'base64'))
const messages = (command: string) => [...readMessages(saved(command).slice(4))]

const ROUTE_SAVE = 'ip route save table all | base64 -w0'
const routes = messages(ROUTE_SAVE).map(message => decodeRoute(message)!)
const rules4 = messages('ip rule save | base64 -w0').map(message => decodeRule(message)!)
const rules6 = messages('ip -6 rule save | base64 -w0').map(message => decodeRule(message)!)

const nexthop = (id: number, fields: Partial<NexthopMessage>): NexthopMessage => ({
  type: RTM_NEWNEXTHOP,
  flags: 0,
  family: 0,
  scope: 0,
  protocol: 0,
  nhFlags: 0,
  ...fields,
  attrs: { id, ...fields.attrs },
})
const NEXTHOPS = [
  nexthop(1, { family: 2, scope: 253, attrs: { oif: 2, gateway: Uint8Array.of(10, 0, 0, 2) } }),
  nexthop(3, { attrs: { group: [{ id: 1, weight: 0 }], groupType: 0 } }),
  nexthop(4, { family: 2, attrs: { blackhole: true } }),
]

/** What the kernel itself selects in a dump. */
function kernel(message: RtMessage): RtMessage[] {
  if (message.type === RTM_GETNEXTHOP) {
    const { id } = (message as NexthopMessage).attrs
    return id === undefined ? NEXTHOPS : NEXTHOPS.filter(item => item.attrs.id === id)
  }
  if (message.type === RTM_GETRULE) return (message as RuleMessage).family === 10 ? rules6 : rules4
  if (message.type !== RTM_GETROUTE) throw new NetlinkError(95)
  const request = message as RouteMessage
  if ((request.rtmFlags & RTM_F_CLONED) !== 0) return []
  return routes.filter(
    route =>
      (request.family === 0 || request.family === route.family) &&
      (request.attrs.table === undefined || request.attrs.table === route.attrs.table),
  )
}

const FILES = {
  '/etc/iproute2/rt_dsfield': '0x28\tAF11\n',
  '/etc/iproute2/rt_protos': '99\topenr\n',
}
const links = [...LINKS, link(4, 'vr', { linkinfo: { kind: 'vrf', data: { table: 10 } } })]

const changes = steps.findIndex(step => step.command === 'ip link set d1 master vr')
const routeLists = steps
  .slice(0, changes)
  .filter(step => /^ip (-\S+ )*route show/.test(step.command) || step.command === 'ip nexthop')
const ruleChanges = steps.findIndex(step => step.command === 'ip rule save | base64 -w0')
const ruleLists = steps.slice(ruleChanges).filter(step => /^ip (-\S+ )*rule( show.*)?$/.test(step.command))

/** Lifetimes run down between the dump and the listing. */
const still = (text: string): string => text.replace(/expires \d+sec|"expires":\s*\d+/g, 'expires T')

describe('listings of the reference machine', () => {
  for (const step of [...routeLists, ...ruleLists]) {
    it(step.command, async () => {
      const got = await runIp(step.command.slice(3), { kernel, links, files: FILES })
      expect(got.stderr).toBe(step.stderr)
      expect(still(got.stdout)).toBe(still(step.stdout))
      expect(got.status).toBe(step.status)
    })
  }
})

describe('saved routes and rules', () => {
  it('are as long as the kernel made them', async () => {
    const got = await runIp('route save table all', { kernel, links })
    expect(got.stdoutBytes.length).toBe(saved(ROUTE_SAVE).length)
    const rules = await runIp('rule save', { kernel, links })
    expect(rules.stdoutBytes.length).toBe(saved('ip rule save | base64 -w0').length)
  })

  it('survive being written and read', () => {
    for (const route of routes)
      expect(decodeRoute([...readMessages(encodeRoute(route))][0]!)!.attrs).toEqual(route.attrs)
    for (const rule of [...rules4, ...rules6]) {
      expect(decodeRule([...readMessages(encodeRule(rule))][0]!)!.attrs).toEqual(rule.attrs)
    }
  })
})
