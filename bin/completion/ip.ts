/** The words of `ip`, see ip(8) and the pages of its objects. */
import type { Tool } from './grammar.ts'

const KINDS =
  'bareudp|bond|bridge|dummy|erspan|geneve|gre|gretap|ifb|ip6erspan|ip6gre|ip6gretap|ip6tnl|ipip|ipvlan|ipvtap|' +
  'macsec|macvlan|macvtap|netdevsim|nlmon|sit|team|vcan|veth|vlan|vrf|vti|vti6|vxcan|vxlan'
const ROUTE_TYPES = 'unicast|local|broadcast|multicast|throw|unreachable|prohibit|blackhole'
const TABLES = 'main|local|default|all'
const SCOPES = 'global|link|host|site'
const PROTOCOLS = 'kernel|boot|static|ra|dhcp'
const NUD = 'permanent|noarp|reachable|stale|none|incomplete|delay|probe|failed|all'

const LINK_COMMON =
  'address: broadcast: mtu: txqueuelen: qlen: index: numtxqueues: numrxqueues: gso_max_size: gso_max_segs: alias: group: ' +
  `netns:NETNS link-netns:NETNS link-netnsid: master:DEV vrf:DEV addrgenmode:eui64|none|stable_secret|random type:${KINDS}`
const LINK_SET =
  `DEV dev:DEV group: up down name: nomaster arp:on|off dynamic:on|off multicast:on|off allmulticast:on|off promisc:on|off ` +
  `trailers:on|off carrier:on|off protodown:on|off altname: state: vf: type:bridge_slave|bond_slave|${KINDS} ${LINK_COMMON}`
const LINK_SHOW = `DEV dev:DEV group: up master:DEV vrf:DEV nomaster type:bridge_slave|bond_slave|${KINDS}`
const ADDRESS_FLAGS =
  'permanent dynamic secondary primary tentative deprecated dadfailed temporary home nodad mngtmpaddr noprefixroute autojoin'
const ADDRESS_ADD =
  `ANY dev:DEV peer: broadcast: anycast: label: scope:${SCOPES} metric: valid_lft: preferred_lft: proto: ` +
  'home nodad mngtmpaddr noprefixroute autojoin local:'
const ADDRESS_SHOW = `DEV dev:DEV scope:${SCOPES} master:DEV vrf:DEV nomaster to: label: up type:${KINDS} ${ADDRESS_FLAGS}`
const ROUTE_KEYS = `table:${TABLES} proto:${PROTOCOLS} scope:${SCOPES} tos: type:${ROUTE_TYPES}`
const ROUTE_ADD =
  `default ${ROUTE_TYPES.replaceAll('|', ' ')} to: via: dev:DEV src: metric: nhid: nexthop weight: onlink pervasive mtu: ` +
  'advmss: rtt: rttvar: reordering: window: cwnd: initcwnd: initrwnd: ssthresh: realms: rto_min: hoplimit: quickack:0|1 ' +
  `congctl: features:ecn pref:low|medium|high expires: ttl-propagate:enabled|disabled fastopen_no_cookie:0|1 ${ROUTE_KEYS} ` +
  'encap:mpls|ip|ip6|seg6|seg6local|rpl|ioam6|xfrm vrf:DEV'
const ROUTE_SHOW = `default dev:DEV oif:DEV iif:DEV via: src: to: root: match: exact: vrf:DEV cache cloned realms: ${ROUTE_KEYS}`
const ROUTE_GET = 'ANY from: iif:DEV oif:DEV tos: mark: vrf:DEV uid: ipproto:tcp|udp|icmp sport: dport: fibmatch'
const RULE =
  'not from: to: tos: dsfield: fwmark: iif:DEV oif:DEV pref: priority: preference: l3mdev uidrange: ipproto:tcp|udp|icmp ' +
  `sport: dport: table:${TABLES} lookup:${TABLES} protocol:${PROTOCOLS} goto: realms: suppress_prefixlength: suppress_ifgroup: ` +
  'blackhole unreachable prohibit type:unicast|unreachable|prohibit|blackhole'
const NEIGH_ADD = `ANY lladdr: nud:${NUD} proxy: dev:DEV router use managed extern_learn protocol:${PROTOCOLS}`
const NEIGH_SHOW = `proxy to: dev:DEV nud:${NUD} vrf:DEV nomaster unused protocol:${PROTOCOLS}`
const TUNNEL =
  'DEV name:DEV mode:gre|ipip|isatap|sit|vti|ip6ip6|ipip6|ip6gre|vti6|any remote: local: key: ikey: okey: ttl: tos: ' +
  'dev:DEV seq iseq oseq csum icsum ocsum pmtudisc nopmtudisc encaplimit: hoplimit: tclass: flowlabel:'
const TUNTAP = 'DEV dev:DEV name:DEV mode:tun|tap user:USER group: one_queue pi vnet_hdr multi_queue'
const NEXTHOP_SELECTOR = `id: dev:DEV vrf:DEV master:DEV groups fdb protocol:${PROTOCOLS}`
const NEXTHOP_ADD =
  `id: via: dev:DEV onlink blackhole group: fdb type:mpath|resilient buckets: idle_timer: unbalanced_timer: encap:mpls ` +
  `protocol:${PROTOCOLS}`

/** Gives several verbs the same words. */
function verbs(names: string, words: string): Record<string, string> {
  return Object.fromEntries(names.split(' ').map(name => [name, words]))
}

export const IP: Tool = {
  options:
    '-V -Version -h -human -s -stats -statistics -d -details -r -resolve -iec -f:inet|inet6|mpls|bridge|link ' +
    '-family:inet|inet6|mpls|bridge|link -4 -6 -B -M -0 -o -oneline -t -timestamp -ts -tshort -b:FILE -batch:FILE -force ' +
    '-n:NETNS -netns:NETNS -N -Numeric -a -all -c -color -br -brief -j -json -p -pretty -l: -loops: -rc: -rcvbuf:',
  objects: {
    address: {
      show: ADDRESS_SHOW,
      ...verbs('add change replace', ADDRESS_ADD),
      del: ADDRESS_ADD,
      flush: ADDRESS_SHOW,
      ...verbs('save showdump restore help', ''),
    },
    addrlabel: { ...verbs('add del', 'prefix: dev:DEV label:'), ...verbs('list flush help', '') },
    maddress: { ...verbs('add del', 'ANY dev:DEV'), show: 'DEV dev:DEV', help: '' },
    route: {
      show: ROUTE_SHOW,
      get: ROUTE_GET,
      ...verbs('add del change append replace', ROUTE_ADD),
      ...verbs('flush save', ROUTE_SHOW),
      ...verbs('restore showdump help', ''),
    },
    rule: { ...verbs('add del', RULE), list: RULE, ...verbs('flush save restore help', '') },
    neighbour: {
      show: NEIGH_SHOW,
      ...verbs('add del change replace', NEIGH_ADD),
      flush: NEIGH_SHOW,
      get: 'ANY proxy: dev:DEV',
      help: '',
    },
    ntable: { show: 'dev:DEV name:', change: 'name: dev:DEV', help: '' },
    link: {
      show: LINK_SHOW,
      set: LINK_SET,
      add: `ANY name: link:DEV parentdev: ${LINK_COMMON}`,
      delete: `DEV dev:DEV group: type:${KINDS}`,
      xstats: 'type:bridge|bond',
      afstats: 'dev:DEV',
      property: 'add del dev:DEV altname:',
      help: KINDS.replaceAll('|', ' '),
    },
    tunnel: { ...verbs('add change del show prl 6rd', TUNNEL), help: '' },
    tuntap: { ...verbs('add del show list', TUNTAP), help: '' },
    token: { ...verbs('set del', 'ANY dev:DEV'), list: 'dev:DEV', help: '' },
    tcp_metrics: { ...verbs('show flush delete', 'ANY'), help: '' },
    monitor: Object.fromEntries(
      'all address link mroute neigh netconf nexthop nsid prefix route rule stats label all-nsid help'
        .split(' ')
        .map(word => [
          word,
          'address link mroute neigh netconf nexthop nsid prefix route rule label all-nsid dev:DEV file:FILE',
        ]),
    ),
    mrule: { list: '', help: '' },
    netns: {
      list: '',
      add: 'ANY',
      delete: 'NETNS',
      exec: 'NETNS CMD',
      identify: 'PID',
      pids: 'NETNS',
      set: 'NETNS auto',
      attach: 'NETNS PID',
      ...verbs('monitor help', ''),
      'list-id': 'target-nsid: nsid:',
    },
    netconf: { show: 'dev:DEV', help: '' },
    vrf: { ...verbs('show pids', 'DEV'), exec: 'DEV CMD', identify: 'PID', help: '' },
    nexthop: {
      list: NEXTHOP_SELECTOR,
      ...verbs('add replace', NEXTHOP_ADD),
      ...verbs('get del', 'id:'),
      flush: NEXTHOP_SELECTOR,
      bucket: 'list get id: index: nhid: dev:DEV vrf:DEV',
      help: '',
    },
    help: {},
  },
  kinds: {
    veth: 'peer name: address: netns:NETNS mtu:',
    vlan: 'id: protocol:802.1Q|802.1ad reorder_hdr:on|off gvrp:on|off mvrp:on|off loose_binding:on|off ingress-qos-map: egress-qos-map:',
    vxlan:
      'id: vni: group: remote: local: dev:DEV ttl: tos: df: dstport: srcport: learning nolearning proxy noproxy rsc norsc l2miss ' +
      'nol2miss l3miss nol3miss udpcsum noudpcsum ageing: maxaddress: external gbp gpe vnifilter',
    bridge:
      'forward_delay: hello_time: max_age: ageing_time: stp_state:0|1 priority: vlan_filtering:0|1 vlan_protocol:802.1Q|802.1ad ' +
      'vlan_default_pvid: vlan_stats_enabled:0|1 mcast_snooping:0|1 mcast_querier:0|1 mcast_router:0|1|2 mcast_igmp_version:2|3 ' +
      'mcast_mld_version:1|2 nf_call_iptables:0|1 nf_call_ip6tables:0|1 nf_call_arptables:0|1 group_fwd_mask: group_address: fdb_flush',
    bridge_slave:
      'cost: priority: state: hairpin:on|off guard:on|off root_block:on|off fastleave:on|off learning:on|off flood:on|off ' +
      'proxy_arp:on|off mcast_flood:on|off bcast_flood:on|off mcast_router: mcast_to_unicast:on|off neigh_suppress:on|off ' +
      'vlan_tunnel:on|off isolated:on|off locked:on|off backup_port:DEV nobackup_port fdb_flush',
    bond:
      'mode:balance-rr|active-backup|balance-xor|broadcast|802.3ad|balance-tlb|balance-alb active_slave:DEV miimon: updelay: ' +
      'downdelay: use_carrier:0|1 arp_interval: arp_validate: arp_ip_target: primary:DEV primary_reselect:always|better|failure ' +
      'fail_over_mac:none|active|follow xmit_hash_policy:layer2|layer2+3|layer3+4|encap2+3|encap3+4|vlan+srcmac min_links: ' +
      'lacp_rate:slow|fast ad_select:stable|bandwidth|count resend_igmp: num_grat_arp: packets_per_slave: tlb_dynamic_lb:0|1',
    vrf: 'table:',
    macvlan: 'mode:private|vepa|bridge|passthru|source flag:nopromisc bcqueuelen:',
    macvtap: 'mode:private|vepa|bridge|passthru|source',
    ipvlan: 'mode:l2|l3|l3s bridge private vepa',
    ...verbs(
      'gre gretap ipip sit',
      'remote: local: dev:DEV ttl: tos: key: ikey: okey: seq csum pmtudisc nopmtudisc external mode:',
    ),
    ...verbs(
      'ip6gre ip6gretap ip6tnl',
      'remote: local: dev:DEV hoplimit: ttl: encaplimit: tclass: flowlabel: key: external mode:',
    ),
    geneve: 'id: vni: remote: ttl: tos: dstport: external udpcsum noudpcsum',
  },
}
