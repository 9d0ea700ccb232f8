/** Details of link kinds: what is asked for is what is shown, and what the kernel fills in is shown as on the reference machine. */
import { describe, expect, it } from 'vitest'
import type { LinkInfo } from '../../../src/uapi/if_link.ts'
import type { LinkMessage } from '../../../src/uapi/rtnetlink.ts'
import { RTM_GETLINK, RTM_NEWLINK } from '../../../src/uapi/rtnetlink.ts'
import { type Kernel, link, runIp } from './fake.ts'

const NAMES = ['lo', 'd0', 'd1', 'd2']
const BASE = NAMES.map((name, i) => link(i + 1, name))

/** A kernel of the links of BASE and one more. */
function kernelWith(shown?: LinkMessage): Kernel {
  const all = shown === undefined ? BASE : [...BASE, shown]
  return message => {
    if (message.type !== RTM_GETLINK) return []
    const { index, attrs } = message as LinkMessage
    if (attrs.ifname !== undefined) return all.filter(item => item.attrs.ifname === attrs.ifname)
    return index === 0 ? all : all.filter(item => item.index === index)
  }
}

/** The lines of `ip -d link show x` about its kind, without the queue and segment sizes after them. */
async function details(linkinfo: LinkInfo, options: readonly string[] = []): Promise<string> {
  const shown = link(5, 'x', { linkinfo, mtu: 1500 })
  const got = await runIp([...options, '-d', 'link', 'show', 'x'], { kernel: kernelWith(shown), kernelHasLinks: true })
  expect(got.stderr).toBe('')
  return got.stdout
}

async function kindText(linkinfo: LinkInfo): Promise<string> {
  const lines = (await details(linkinfo)).split('\n')
  const at = lines.findIndex(line => line.startsWith(`    ${linkinfo.kind ?? linkinfo.slaveKind}`))
  return lines.slice(at).join('\n').trim()
}

/** Sends `ip link add …`. @returns what it asks for */
async function asked(line: string): Promise<LinkMessage> {
  const got = await runIp(`link add ${line}`, { kernel: kernelWith(), kernelHasLinks: true })
  expect(got.stderr).toBe('')
  return got.sent.find(message => message.type === RTM_NEWLINK) as LinkMessage
}

const ASKED: readonly (readonly [string, string])[] = [
  [
    'gre1 type gre remote 10.0.0.2 local 10.0.0.1 ttl 64 tos inherit key 5 csum seq',
    'gre remote 10.0.0.2 local 10.0.0.1 ttl 64 tos inherit ikey 0.0.0.5 okey 0.0.0.5 iseq oseq icsum ocsum',
  ],
  [
    'gre2 type gre remote 10.0.0.3 local 10.0.0.1 ikey 1 okey 2.3.4.5 nopmtudisc ignore-df',
    'gre remote 10.0.0.3 local 10.0.0.1 ttl inherit nopmtudisc ignore-df ikey 0.0.0.1 okey 2.3.4.5',
  ],
  [
    'gt1 type gretap remote 10.0.0.2 local 10.0.0.1 dev d0 key 100',
    'gretap remote 10.0.0.2 local 10.0.0.1 dev d0 ttl inherit ikey 0.0.0.100 okey 0.0.0.100',
  ],
  [
    'er1 type erspan remote 10.0.0.2 local 10.0.0.1 key 7 seq erspan_ver 1 erspan 123',
    'erspan remote 10.0.0.2 local 10.0.0.1 ttl inherit ikey 0.0.0.7 okey 0.0.0.7 iseq oseq erspan_index 123 erspan_ver 1',
  ],
  [
    'er2 type erspan remote 10.0.0.4 local 10.0.0.1 key 8 seq erspan_ver 2 erspan_dir egress erspan_hwid 7',
    'erspan remote 10.0.0.4 local 10.0.0.1 ttl inherit ikey 0.0.0.8 okey 0.0.0.8 iseq oseq erspan_ver 2 erspan_dir egress erspan_hwid 0x7',
  ],
  ['ipip1 type ipip remote 10.0.0.2 local 10.0.0.1 ttl 10', 'ipip any remote 10.0.0.2 local 10.0.0.1 ttl 10 pmtudisc'],
  [
    'ipip2 type ipip remote 10.0.0.8 local any mode any fwmark 3',
    'ipip any remote 10.0.0.8 local any ttl inherit pmtudisc fwmark 0x3',
  ],
  [
    'sit2 type sit local 10.0.0.1 6rd-prefix 2001:db8::/32 isatap',
    'sit any remote any local 10.0.0.1 ttl inherit pmtudisc isatap 6rd-prefix 2001:db8::/32',
  ],
  [
    'ip6t1 type ip6tnl remote 2001:db8::2 local 2001:db8::1 mode ip6ip6 encaplimit none hoplimit 33 tclass 0x10 flowlabel 0x123',
    'ip6tnl ip6ip6 remote 2001:db8::2 local 2001:db8::1 hoplimit 33 encaplimit none tclass 0x10 flowlabel 0x00123',
  ],
  [
    'ip6t2 type ip6tnl remote 2001:db8::3 local 2001:db8::1 mode ipip6 dscp inherit',
    'ip6tnl ipip6 remote 2001:db8::3 local 2001:db8::1 hoplimit 64 encaplimit 4 tclass 0x00 flowlabel 0x00000 dscp inherit',
  ],
  [
    'g6 type ip6gre remote 2001:db8::2 local 2001:db8::1 key 9 hoplimit 5 encaplimit 7',
    'ip6gre remote 2001:db8::2 local 2001:db8::1 hoplimit 5 encaplimit 7 tclass 0x00 flowlabel 0x00000 ikey 0.0.0.9 okey 0.0.0.9',
  ],
  [
    'gt6 type ip6gretap remote 2001:db8::2 local 2001:db8::1 tclass inherit flowlabel inherit',
    'ip6gretap remote 2001:db8::2 local 2001:db8::1 hoplimit 64 encaplimit 4 tclass inherit flowlabel inherit',
  ],
  [
    'e6 type ip6erspan remote 2001:db8::2 local 2001:db8::1 key 9 seq erspan_ver 1 erspan 5',
    'ip6erspan remote 2001:db8::2 local 2001:db8::1 hoplimit 64 encaplimit 4 tclass 0x00 flowlabel 0x00000 ikey 0.0.0.9 okey 0.0.0.9 iseq oseq erspan_index 5 erspan_ver 1',
  ],
  [
    'vti1 type vti remote 10.0.0.2 local 10.0.0.1 key 5',
    'vti remote 10.0.0.2 local 10.0.0.1 ikey 0.0.0.5 okey 0.0.0.5',
  ],
  [
    'vti2 type vti remote 10.0.0.3 local 10.0.0.1 ikey 5 okey 6 dev d0 fwmark 0x10',
    'vti remote 10.0.0.3 local 10.0.0.1 dev d0 ikey 0.0.0.5 okey 0.0.0.6 fwmark 0x10',
  ],
  [
    'vti6 type vti6 remote 2001:db8::2 local 2001:db8::1 key 5',
    'vti6 remote 2001:db8::2 local 2001:db8::1 ikey 0.0.0.5 okey 0.0.0.5',
  ],
  ['xf0 type xfrm dev d0 if_id 0x10', 'xfrm if_id 0x10'],
  ['xf1 type xfrm external', 'xfrm external'],
  ['link d1 ivt0 type ipvtap mode l2 bridge', 'ipvtap  mode l2 bridge'],
  ['link d1 iv0 type ipvlan mode l3 private', 'ipvlan  mode l3 private'],
]

describe('a new link shows what it was asked to be', () => {
  it.each(ASKED)('ip link add %s', async (line, text) => {
    const { attrs } = await asked(line)
    expect(await kindText(attrs.linkinfo!)).toBe(text)
  })
})

const v4 = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes)
const v6 = (last: number): Uint8Array => Uint8Array.from([0x20, 1, 0x0d, 0xb8, ...new Array<number>(11).fill(0), last])
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 0x99)

const BOND = {
  mode: 1,
  miimon: 100,
  updelay: 0,
  downdelay: 0,
  peerNotifDelay: 0,
  useCarrier: 1,
  arpInterval: 0,
  missedMax: 2,
  arpValidate: 0,
  arpAllTargets: 0,
  primaryReselect: 0,
  failOverMac: 0,
  xmitHashPolicy: 0,
  resendIgmp: 1,
  numPeerNotif: 1,
  allSlavesActive: 0,
  minLinks: 0,
  lpInterval: 1,
  packetsPerSlave: 1,
  adLacpActive: 1,
  adLacpRate: 0,
  adSelect: 0,
  tlbDynamicLb: 1,
}
const VXLAN = {
  id: 10,
  ttl: 0,
  tos: 0,
  df: 0,
  learning: 1,
  ageing: 300,
  limit: 0,
  portRange: { low: 0, high: 0 },
  port: 4789,
  proxy: 0,
  rsc: 0,
  l2miss: 0,
  l3miss: 0,
  udpCsum: 1,
  udpZeroCsum6Tx: 0,
  udpZeroCsum6Rx: 0,
  remcsumTx: 0,
  remcsumRx: 0,
  collectMetadata: 0,
}

/** Kinds with all the kernel says of them, and what the reference machine shows. */
const SHOWN: readonly (readonly [string, LinkInfo, string])[] = [
  [
    'bond',
    { kind: 'bond', data: BOND },
    'bond mode active-backup miimon 100 updelay 0 downdelay 0 peer_notify_delay 0 use_carrier 1 arp_interval 0 arp_missed_max 2 arp_validate none arp_all_targets any primary_reselect always fail_over_mac none xmit_hash_policy layer2 resend_igmp 1 num_grat_arp 1 all_slaves_active 0 min_links 0 lp_interval 1 packets_per_slave 1 lacp_active on lacp_rate slow ad_select stable tlb_dynamic_lb 1',
  ],
  [
    'bond of 802.3ad',
    {
      kind: 'bond',
      data: {
        ...BOND,
        mode: 4,
        adLacpRate: 1,
        adInfo: {
          aggregator: 1,
          numPorts: 2,
          actorKey: 15,
          partnerKey: 15,
          partnerMac: Uint8Array.of(2, 0, 0, 0, 0, 0xbb),
        },
        adActorSysPrio: 65535,
        adUserPortKey: 0,
        adActorSystem: new Uint8Array(6),
      },
    },
    'bond mode 802.3ad miimon 100 updelay 0 downdelay 0 peer_notify_delay 0 use_carrier 1 arp_interval 0 arp_missed_max 2 arp_validate none arp_all_targets any primary_reselect always fail_over_mac none xmit_hash_policy layer2 resend_igmp 1 num_grat_arp 1 all_slaves_active 0 min_links 0 lp_interval 1 packets_per_slave 1 lacp_active on lacp_rate fast ad_select stable ad_aggregator 1 ad_num_ports 2 ad_actor_key 15 ad_partner_key 15 ad_partner_mac 02:00:00:00:00:bb ad_actor_sys_prio 65535 ad_user_port_key 0 ad_actor_system 00:00:00:00:00:00 tlb_dynamic_lb 1',
  ],
  [
    'bond_slave of 802.3ad',
    {
      slaveKind: 'bond',
      slaveData: {
        state: 0,
        miiStatus: 0,
        linkFailureCount: 0,
        permHwaddr: MAC,
        queueId: 0,
        prio: 0,
        adAggregatorId: 1,
        adActorOperPortState: 63,
        adPartnerOperPortState: 63,
      },
    },
    'bond_slave state ACTIVE mii_status UP link_failure_count 0 perm_hwaddr 02:00:00:00:00:99 queue_id 0 prio 0 ad_aggregator_id 1 ad_actor_oper_port_state 63 ad_actor_oper_port_state_str <active,short_timeout,aggregating,in_sync,collecting,distributing> ad_partner_oper_port_state 63 ad_partner_oper_port_state_str <active,short_timeout,aggregating,in_sync,collecting,distributing>',
  ],
  ['vrf_slave', { slaveKind: 'vrf', slaveData: { table: 10 } }, 'vrf_slave table 10'],
  [
    'vxlan',
    {
      kind: 'vxlan',
      data: {
        ...VXLAN,
        group: v4(239, 1, 1, 1),
        link: 2,
        portRange: { low: 1000, high: 2000 },
        proxy: 1,
        rsc: 1,
        l2miss: 1,
        l3miss: 1,
        tos: 8,
        ttl: 9,
        df: 1,
        ageing: 60,
        limit: 10,
        udpCsum: 0,
        gbp: true,
      },
    },
    'vxlan id 10 group 239.1.1.1 dev d0 srcport 1000 2000 dstport 4789 proxy rsc l2miss l3miss tos 0x8 ttl 9 df set ageing 60 maxaddr 10 noudpcsum noudp6zerocsumtx noudp6zerocsumrx gbp',
  ],
  [
    'vxlan, external',
    { kind: 'vxlan', data: { ...VXLAN, id: 0, port: 4790, learning: 0, collectMetadata: 1 } },
    'vxlan external id 0 srcport 0 0 dstport 4790 nolearning ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx',
  ],
  [
    'vxlan over IPv6',
    { kind: 'vxlan', data: { ...VXLAN, id: 4, group6: v6(2), local6: v6(1), port: 4791, label: 5, udpZeroCsum6Rx: 1 } },
    'vxlan id 4 remote 2001:db8::2 local 2001:db8::1 srcport 0 0 dstport 4791 ttl auto flowlabel 0x5 ageing 300 udpcsum noudp6zerocsumtx udp6zerocsumrx',
  ],
  [
    'geneve',
    {
      kind: 'geneve',
      data: { id: 100, remote: v4(10, 0, 0, 2), ttl: 5, tos: 16, df: 0, port: 7777, udpCsum: 1, udpZeroCsum6Rx: 1 },
    },
    'geneve id 100 remote 10.0.0.2 ttl 5 tos 0x10 dstport 7777 udpcsum udp6zerocsumrx',
  ],
  [
    'geneve, external',
    { kind: 'geneve', data: { id: 0, ttl: 0, tos: 0, df: 0, port: 6081, collectMetadata: true, udpZeroCsum6Rx: 1 } },
    'geneve external id 0 ttl auto dstport 6081 udp6zerocsumrx',
  ],
  [
    'macsec',
    {
      kind: 'macsec',
      data: {
        sci: 0x020000000001000bn,
        icvLen: 16,
        cipherSuite: 0x0080c20001000001n,
        encodingSa: 0,
        encrypt: 1,
        protect: 1,
        incSci: 1,
        es: 0,
        scb: 0,
        replayProtect: 0,
        validation: 2,
      },
    },
    'macsec sci 020000000001000b protect on cipher GCM-AES-128 icvlen 16 encodingsa 0 validate strict encrypt on send_sci on end_station off scb off replay off',
  ],
  [
    'macvlan by source',
    {
      kind: 'macvlan',
      data: { mode: 16, flags: 0, macaddrCount: 1, macaddrData: [MAC], bcQueueLen: 1000, bcQueueLenUsed: 1000 },
    },
    'macvlan mode source bcqueuelen 1000 usedbcqueuelen 1000 remotes (1) 02:00:00:00:00:99',
  ],
  [
    'macvlan passthru',
    { kind: 'macvlan', data: { mode: 8, flags: 1, bcQueueLen: 1000, bcQueueLenUsed: 1000 } },
    'macvlan mode passthru nopromisc bcqueuelen 1000 usedbcqueuelen 1000',
  ],
  ['ipvlan', { kind: 'ipvlan', data: { mode: 1, flags: 0 } }, 'ipvlan  mode l3 bridge'],
  ['ipvlan of l3s', { kind: 'ipvlan', data: { mode: 2, flags: 2 } }, 'ipvlan  mode l3s vepa'],
  [
    'vlan with maps',
    {
      kind: 'vlan',
      data: {
        protocol: 0x8100,
        id: 5,
        flags: { flags: 0x1a, mask: 0xffffffff },
        ingressQos: [
          { from: 1, to: 2 },
          { from: 3, to: 4 },
        ],
        egressQos: [{ from: 5, to: 6 }],
      },
    },
    'vlan protocol 802.1Q id 5 <GVRP,MVRP,BRIDGE_BINDING> \n      ingress-qos-map { 1:2 3:4 } \n      egress-qos-map { 5:6 }',
  ],
  [
    'sit with 6rd',
    {
      kind: 'sit',
      data: {
        link: 0,
        local: v4(10, 0, 0, 1),
        remote: v4(10, 0, 0, 2),
        ttl: 64,
        tos: 0,
        pmtudisc: 1,
        flags: 0,
        proto: 0,
        sixRdPrefix: Uint8Array.from([0x20, 2, ...new Array<number>(14).fill(0)]),
        sixRdPrefixlen: 16,
        sixRdRelayPrefix: new Uint8Array(4),
        sixRdRelayPrefixlen: 0,
        encapType: 0,
        encapFlags: 0,
        encapSport: 0,
        encapDport: 0,
        fwmark: 0,
      },
    },
    'sit any remote 10.0.0.2 local 10.0.0.1 ttl 64 pmtudisc 6rd-prefix 2002::/16',
  ],
]

describe('kinds as the kernel fills them in', () => {
  it.each(SHOWN)('%s', async (_name, linkinfo, text) => {
    expect(await kindText(linkinfo)).toBe(text)
  })

  it('bond, in JSON', async () => {
    const [shown] = JSON.parse(await details({ kind: 'bond', data: BOND }, ['-j'])) as [{ linkinfo: unknown }]
    expect(JSON.stringify(shown.linkinfo)).toBe(
      '{"info_kind":"bond","info_data":{"mode":"active-backup","miimon":100,"updelay":0,"downdelay":0,"peer_notify_delay":0,"use_carrier":1,"arp_interval":0,"arp_missed_max":2,"arp_validate":null,"arp_all_targets":"any","primary_reselect":"always","fail_over_mac":"none","xmit_hash_policy":"layer2","resend_igmp":1,"num_peer_notif":1,"all_slaves_active":0,"min_links":0,"lp_interval":1,"packets_per_slave":1,"ad_lacp_active":"on","ad_lacp_rate":"slow","ad_select":"stable","tlb_dynamic_lb":1}}',
    )
  })

  it('vxlan, in JSON', async () => {
    const [shown] = JSON.parse(await details({ kind: 'vxlan', data: { ...VXLAN, id: 1 } }, ['-j'])) as [
      { linkinfo: unknown },
    ]
    expect(JSON.stringify(shown.linkinfo)).toBe(
      '{"info_kind":"vxlan","info_data":{"id":1,"port_range":{"low":0,"high":0},"port":4789,"learning":true,"ttl":0,"df":"unset","ageing":300,"udp_csum":true,"udp_zero_csum6_tx":false,"udp_zero_csum6_rx":false}}',
    )
  })
})
