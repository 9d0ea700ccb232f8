/** /etc/iproute2: names of routing tables, protocols, scopes and the like, as the package iproute2 brings them. */
export const IPROUTE2: Readonly<Record<string, string>> = {
  bpf_pinning: `#
# subpath mappings from mount point for pinning
#
#3	tracing
#4	foo/bar
#5	tc/cls1
`,
  ematch_map: `# lookup table for ematch kinds
1	cmp
2	nbyte
3	u32
4	meta
7	canid
8	ipset
9	ipt
`,
  group: `# device group names
0	default
`,
  nl_protos: `# Netlink protocol names mapping

0   rtnl
1   unused
2   usersock
3   fw
4   tcpdiag
5   nflog
6   xfrm
7   selinux
8   iscsi
9   audit
10  fiblookup
11  connector
12  nft
13  ip6fw
14  dec-rt
15  uevent
16  genl
18  scsi-trans
19  ecryptfs
20  rdma
21  crypto
`,
  rt_dsfield: `# Differentiated field values
# These include the DSCP and unused bits
0x0	default
# Newer RFC2597 values
0x28	AF11
0x30	AF12
0x38	AF13
0x48	AF21
0x50	AF22
0x58	AF23
0x68	AF31
0x70	AF32
0x78	AF33
0x88	AF41
0x90	AF42
0x98	AF43
# Older values RFC2474
0x20	CS1
0x40	CS2
0x60	CS3
0x80	CS4
0xA0	CS5
0xC0	CS6
0xE0	CS7
# RFC 2598
0xB8	EF
`,
  rt_protos: `#
# Reserved protocols.
#
0	unspec
1	redirect
2	kernel
3	boot
4	static
8	gated
9	ra
10	mrt
11	zebra
12	bird
13	dnrouted
14	xorp
15	ntk
16	dhcp
18	keepalived
42	babel
99	openr
186	bgp
187	isis
188	ospf
189	rip
192	eigrp
`,
  rt_realms: `#
# reserved values
#
0	cosmos
#
# local
#
#1	inr.ac
#2	inr.ruhep
#3	freenet
#4	radio-msu
#5	russia
#6	internet
`,
  rt_scopes: `#
# reserved values
#
0	global
255	nowhere
254	host
253	link
#
# pseudo-reserved
#
200	site
`,
  rt_tables: `#
# reserved values
#
255	local
254	main
253	default
0	unspec
#
# local
#
#1	inr.ruhep
`,
}
