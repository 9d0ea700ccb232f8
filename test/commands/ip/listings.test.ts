/** `ip link`, `ip address` and `ip neighbour` print what the reference machine printed of the same interfaces. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { NetlinkError } from '../../../src/uapi/netlink.ts'
import {
  type AddrMessage,
  type LinkAttrs,
  type LinkMessage,
  type NeighMessage,
  NTF_EXT_LEARNED,
  NTF_PROXY,
  NTF_ROUTER,
  NUD_FAILED,
  NUD_PERMANENT,
  NUD_REACHABLE,
  NUD_STALE,
  RTM_DELADDR,
  RTM_DELNEIGH,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_NEWADDR,
  RTM_NEWNEIGH,
  type RtMessage,
} from '../../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6 } from '../../../src/uapi/socket.ts'
import { type Kernel, link, type Outcome, readTranscript, runIp, type Step } from './fake.ts'

const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last)
const STATS = {
  rxPackets: 0,
  txPackets: 0,
  rxBytes: 0,
  txBytes: 0,
  rxErrors: 0,
  txErrors: 0,
  rxDropped: 0,
  txDropped: 0,
  multicast: 0,
  collisions: 0,
  rxLengthErrors: 0,
  rxOverErrors: 0,
  rxCrcErrors: 0,
  rxFrameErrors: 0,
  rxFifoErrors: 0,
  rxMissedErrors: 0,
  txAbortedErrors: 0,
  txCarrierErrors: 0,
  txFifoErrors: 0,
  txHeartbeatErrors: 0,
  txWindowErrors: 0,
  rxCompressed: 0,
  txCompressed: 0,
  rxNohandler: 0,
  rxOtherhostDropped: 0,
}

function device(index: number, ifname: string, ifFlags: number, attrs: LinkAttrs): LinkMessage {
  const common: LinkAttrs = {
    mtu: 1500,
    qdisc: 'noop',
    operstate: 2,
    linkmode: 0,
    group: 0,
    txqlen: 1000,
    promiscuity: 0,
    allmulti: 0,
    minMtu: 0,
    maxMtu: 0,
    numTxQueues: 1,
    numRxQueues: 1,
    gsoMaxSize: 65536,
    gsoMaxSegs: 65535,
    tsoMaxSize: 65536,
    tsoMaxSegs: 65535,
    groMaxSize: 65536,
    carrierChanges: 0,
    carrierUpCount: 0,
    carrierDownCount: 0,
    stats64: STATS,
    afSpec: { inet6: { addrGenMode: 0 } },
    broadcast: new Uint8Array(6).fill(0xff),
  }
  return { ...link(index, ifname, { ...common, ...attrs }), ifFlags }
}

/** Interfaces of the corpus script 02-show-formats. */
const LINKS = [
  {
    ...device(1, 'lo', 0x10049, {
      mtu: 65536,
      qdisc: 'noqueue',
      operstate: 0,
      tsoMaxSize: 524280,
      address: new Uint8Array(6),
      broadcast: new Uint8Array(6),
    }),
    hatype: 772,
  },
  device(2, 'veth1', 0x1002, { address: mac(2), link: 3, linkinfo: { kind: 'veth', data: {} } }),
  device(3, 'veth0', 0x1003, {
    address: mac(1),
    link: 2,
    master: 5,
    qdisc: 'noqueue',
    operstate: 3,
    linkinfo: { kind: 'veth', data: {}, slaveKind: 'bridge', slaveData: {} },
  }),
  device(4, 'dummy0', 0x100c3, {
    address: mac(3),
    qdisc: 'noqueue',
    operstate: 0,
    linkinfo: { kind: 'dummy' },
  }),
  device(5, 'br0', 0x1002, { address: mac(4), linkinfo: { kind: 'bridge', data: {} } }),
]

function answerLinks(links: readonly LinkMessage[], { index, attrs }: LinkMessage): RtMessage[] {
  const { ifname, altIfname, master, linkinfo } = attrs
  const name = ifname ?? altIfname
  if (name !== undefined || index !== 0) {
    const found = links.filter(item => (name === undefined ? item.index === index : item.attrs.ifname === name))
    if (found.length === 0) throw new NetlinkError(19)
    return found
  }
  const wantedMaster = master === undefined ? undefined : master | 0
  return links.filter(
    item =>
      (wantedMaster === undefined || (wantedMaster === -1 ? !item.attrs.master : item.attrs.master === wantedMaster)) &&
      (linkinfo?.kind === undefined || item.attrs.linkinfo?.kind === linkinfo.kind),
  )
}

/** Runs a step of a transcript and compares. */
async function compare(step: Step, kernel: Kernel): Promise<void> {
  const got = await runIp(step.command.slice(3), { kernel, kernelHasLinks: true })
  expect(got.stderr).toBe(step.stderr)
  expect(got.stdout).toBe(step.stdout)
  expect(got.status).toBe(step.status)
}

describe('interfaces', () => {
  const file = new URL('../../reference/corpus/ip-link/02-show-formats.transcript', import.meta.url)
  const steps = readTranscript(readFileSync(file, 'utf8'))
  const from = steps.findIndex(step => step.command === 'ip link')
  for (const step of steps.slice(from)) {
    if (!/^ip (-\S+ )*(link|l) ?/.test(step.command) || /[|>]| (set|add|del) /.test(step.command)) continue
    it(step.command, () =>
      compare(step, message => (message.type === RTM_GETLINK ? answerLinks(LINKS, message as LinkMessage) : [])),
    )
  }
})

const DUMMY = device(2, 'd0', 0x100c3, { address: mac(1), qdisc: 'noqueue', operstate: 0, linkinfo: { kind: 'dummy' } })
const FOREVER = 0xffffffff

function address(bytes: readonly number[], prefixlen: number, fields: Partial<AddrMessage> = {}): AddrMessage {
  const flags = fields.attrs?.flags ?? 0x80
  const local = Uint8Array.from(bytes)
  return {
    type: RTM_NEWADDR,
    flags: 0,
    family: bytes.length === 4 ? AF_INET : AF_INET6,
    prefixlen,
    scope: 0,
    index: 2,
    ...fields,
    ifaFlags: flags & 0xff,
    attrs: {
      address: local,
      ...(bytes.length === 4 ? { local, label: 'd0' } : {}),
      cacheinfo: { prefered: FOREVER, valid: FOREVER, cstamp: 100, tstamp: 100 },
      ...fields.attrs,
      flags,
    },
  }
}

const ADDRESSES = [
  address([10, 0, 0, 1], 24, { attrs: { broadcast: Uint8Array.of(10, 0, 0, 255) } }),
  address([10, 0, 0, 4], 24, { attrs: { flags: 0x81, rtPriority: 7 } }),
  address([10, 0, 0, 20], 24, {
    attrs: { flags: 0x1, label: 'd0:1', cacheinfo: { prefered: 500, valid: 1000, cstamp: 100, tstamp: 100 } },
  }),
  address([10, 0, 1, 1], 32, { scope: 253, attrs: { address: Uint8Array.of(10, 0, 1, 2) } }),
  address([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 64, { attrs: { flags: 0xc0 } }),
]

function addressKernel(addresses: readonly AddrMessage[]): Kernel {
  return message => {
    if (message.type === RTM_GETLINK) return answerLinks([DUMMY], message as LinkMessage)
    if (message.type !== RTM_GETADDR) return []
    return addresses.filter(item => message.family === 0 || message.family === item.family)
  }
}

const HEAD = `2: d0: <BROADCAST,NOARP,UP,LOWER_UP> mtu 1500 qdisc noqueue state UNKNOWN group default qlen 1000
    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff
`
const LISTED = `    inet 10.0.0.1/24 brd 10.0.0.255 scope global d0
       valid_lft forever preferred_lft forever
    inet 10.0.0.4/24 metric 7 scope global secondary d0
       valid_lft forever preferred_lft forever
    inet 10.0.0.20/24 scope global secondary dynamic d0:1
       valid_lft 1000sec preferred_lft 500sec
    inet 10.0.1.1 peer 10.0.1.2/32 scope link d0
       valid_lft forever preferred_lft forever
`
const LISTED6 = `    inet6 2001:db8::1/64 scope global tentative 
       valid_lft forever preferred_lft forever
`

describe('addresses', () => {
  const run = (line: string): Promise<Outcome> =>
    runIp(line, { kernel: addressKernel(ADDRESSES), kernelHasLinks: true })
  const listed: readonly (readonly [string, string])[] = [
    ['addr show', HEAD + LISTED + LISTED6],
    ['-4 addr show d0', HEAD.split('\n')[0] + '\n' + LISTED],
    [
      '-br addr',
      'd0               UNKNOWN        10.0.0.1/24 10.0.0.4/24 metric 7 10.0.0.20/24 10.0.1.1 peer 10.0.1.2/32 2001:db8::1/64 \n',
    ],
    [
      '-o addr show d0 secondary',
      `2: d0    inet 10.0.0.4/24 metric 7 scope global secondary d0\\       valid_lft forever preferred_lft forever
2: d0    inet 10.0.0.20/24 scope global secondary dynamic d0:1\\       valid_lft 1000sec preferred_lft 500sec
`,
    ],
    ['addr show d0 scope link', HEAD + LISTED.split('\n').slice(6).join('\n')],
    ['addr show d0 to 10.0.1.0/24', `${HEAD.split('\n')[0]}\n${LISTED.split('\n').slice(6).join('\n')}`],
    ['addr show label d0:*', LISTED.split('\n').slice(4, 6).join('\n') + '\n'],
    ['addr show d0 dynamic', HEAD + LISTED.split('\n').slice(4, 6).join('\n') + '\n'],
    ['addr show nosuch', ''],
  ]
  it.each(listed)('ip %s', async (line, text) => {
    expect((await run(line)).stdout).toBe(text)
  })

  it('ip -j addr show', async () => {
    expect((await run('-j -4 addr show d0 scope link')).stdout).toBe(
      '[{"ifindex":2,"ifname":"d0","flags":["BROADCAST","NOARP","UP","LOWER_UP"],"mtu":1500,"qdisc":"noqueue","operstate":"UNKNOWN","group":"default","txqlen":1000,"addr_info":[{},{},{},{"family":"inet","local":"10.0.1.1","address":"10.0.1.2","prefixlen":32,"scope":"link","label":"d0","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]\n',
    )
  })

  it('are flushed in rounds, until none is left', async () => {
    let left = [...ADDRESSES]
    const kernel: Kernel = message => {
      if (message.type === RTM_DELADDR) {
        const { local } = (message as AddrMessage).attrs
        left = left.filter(item => item.attrs.local !== local)
        return []
      }
      return addressKernel(left)(message)
    }
    const got = await runIp('-s -4 addr flush dev d0 primary', { kernel, kernelHasLinks: true })
    expect(got.stdout).toBe('\n*** Round 1, deleting 2 addresses ***\n*** Flush is complete after 1 round ***\n')
    expect(left.map(item => item.attrs.local?.[3])).toEqual([4, 20, undefined])
  })
})

function neighbour(last: number, fields: Partial<NeighMessage> = {}): NeighMessage {
  return {
    type: RTM_NEWNEIGH,
    flags: 0,
    family: AF_INET,
    ifindex: 2,
    state: NUD_PERMANENT,
    ndmFlags: 0,
    ndmType: 1,
    ...fields,
    attrs: { dst: Uint8Array.of(10, 0, 0, last), ...fields.attrs },
  }
}
const lladdr = mac(0x11)
const cacheinfo = { confirmed: 7400, used: 1400, updated: 1100, refcnt: 0 }
const NEIGHBOURS = [
  neighbour(1, { state: NUD_STALE, attrs: { lladdr, cacheinfo, probes: 0 } }),
  neighbour(3, {
    state: NUD_REACHABLE,
    attrs: { lladdr, protocol: 4, cacheinfo: { ...cacheinfo, refcnt: 1 }, probes: 1 },
  }),
  neighbour(4, { ndmFlags: NTF_EXT_LEARNED, attrs: { lladdr, cacheinfo, probes: 0 } }),
  neighbour(8, { state: NUD_FAILED, attrs: { cacheinfo, probes: 3 } }),
  neighbour(9, { state: 0, attrs: { cacheinfo, probes: 0 } }),
]
const PROXIES = [
  neighbour(31, { state: 0, ndmFlags: NTF_PROXY | NTF_ROUTER }),
  neighbour(32, { state: 0, ndmFlags: NTF_PROXY, ifindex: 0 }),
]

describe('neighbours', () => {
  function kernelOf(left: { list: readonly NeighMessage[] }): Kernel {
    return message => {
      if (message.type === RTM_GETLINK) return answerLinks([DUMMY], message as LinkMessage)
      const request = message as NeighMessage
      if (message.type === RTM_GETNEIGH) return [...((request.ndmFlags & NTF_PROXY) !== 0 ? PROXIES : left.list)]
      if (message.type === RTM_DELNEIGH || message.type === RTM_NEWNEIGH) {
        left.list = left.list.filter(item => item.attrs.dst?.[3] !== request.attrs.dst?.[3])
      }
      return []
    }
  }
  const run = (line: string, list = NEIGHBOURS): Promise<Outcome> =>
    runIp(line, { kernel: kernelOf({ list }), kernelHasLinks: true })
  const ESC = String.fromCharCode(27)
  const listed: readonly (readonly [string, string])[] = [
    [
      'neigh show nud all',
      `10.0.0.1 dev d0 lladdr 02:00:00:00:00:11 STALE 
10.0.0.3 dev d0 lladdr 02:00:00:00:00:11 REACHABLE proto static 
10.0.0.4 dev d0 lladdr 02:00:00:00:00:11 extern_learn PERMANENT 
10.0.0.8 dev d0 FAILED 
10.0.0.9 dev d0 
`,
    ],
    [
      '-s neigh show nud all',
      `10.0.0.1 dev d0 lladdr 02:00:00:00:00:11  used 14/74/11probes 0 STALE 
10.0.0.3 dev d0 lladdr 02:00:00:00:00:11  ref 1 used 14/74/11probes 1 REACHABLE proto static 
10.0.0.4 dev d0 lladdr 02:00:00:00:00:11 extern_learn  used 14/74/11probes 0 PERMANENT 
10.0.0.8 dev d0  used 14/74/11probes 3 FAILED 
10.0.0.9 dev d0  used 14/74/11probes 0 
`,
    ],
    ['-br neigh show 10.0.0.3', '10.0.0.3                                d0               02:00:00:00:00:11\n'],
    [
      '-c neigh show 10.0.0.3',
      `${ESC}[35m10.0.0.3 ${ESC}[0mdev ${ESC}[36md0 ${ESC}[0mlladdr ${ESC}[33m02:00:00:00:00:11 ${ESC}[0mREACHABLE proto static \n`,
    ],
    ['neigh show dev d0 nud failed', '10.0.0.4 lladdr 02:00:00:00:00:11 extern_learn PERMANENT \n10.0.0.8 FAILED \n'],
    ['neigh show proxy', '10.0.0.31 dev d0 router proxy \n10.0.0.32 proxy \n'],
    [
      '-j neigh show nud all to 10.0.0.4/30',
      '[{"dst":"10.0.0.4","dev":"d0","lladdr":"02:00:00:00:00:11","extern_learn":null,"state":["PERMANENT"]}]\n',
    ],
  ]
  it.each(listed)('ip %s', async (line, text) => {
    expect((await run(line)).stdout).toBe(text)
  })

  it('are flushed in rounds, and shown with a second -s', async () => {
    expect((await run('-s -s neigh flush to 10.0.0.8/30')).stdout).toBe(
      `10.0.0.8 dev d0  used 14/74/11probes 3 FAILED 
10.0.0.9 dev d0  used 14/74/11probes 0 

*** Round 1, deleting 2 entries ***
*** Flush is complete after 1 round ***
`,
    )
    expect((await run('-s neigh flush dev d0', [])).stdout).toBe('Nothing to flush.\n')
  })
})
