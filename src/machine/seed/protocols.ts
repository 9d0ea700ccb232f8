/** /etc/protocols and /etc/ethertypes: protocol numbers and their names, see protocols(5). */
export const PROTOCOLS = `ip	0	IP
hopopt	0	HOPOPT
icmp	1	ICMP
igmp	2	IGMP
ggp	3	GGP
ipencap	4	IP-ENCAP
st	5	ST
tcp	6	TCP
egp	8	EGP
igp	9	IGP
pup	12	PUP
udp	17	UDP
hmp	20	HMP
xns-idp	22	XNS-IDP
rdp	27	RDP
iso-tp4	29	ISO-TP4
dccp	33	DCCP
xtp	36	XTP
ddp	37	DDP
idpr-cmtp	38	IDPR-CMTP
ipv6	41	IPv6
ipv6-route	43	IPv6-Route
ipv6-frag	44	IPv6-Frag
idrp	45	IDRP
rsvp	46	RSVP
gre	47	GRE
esp	50	IPSEC-ESP
ah	51	IPSEC-AH
skip	57	SKIP
ipv6-icmp	58	IPv6-ICMP
ipv6-nonxt	59	IPv6-NoNxt
ipv6-opts	60	IPv6-Opts
rspf	73	RSPF CPHB
vmtp	81	VMTP
eigrp	88	EIGRP
ospf	89	OSPFIGP
ax.25	93	AX.25
ipip	94	IPIP
etherip	97	ETHERIP
encap	98	ENCAP
pim	103	PIM
ipcomp	108	IPCOMP
vrrp	112	VRRP
l2tp	115	L2TP
isis	124	ISIS
sctp	132	SCTP
fc	133	FC
mobility-header	135	Mobility-Header
udplite	136	UDPLite
mpls-in-ip	137	MPLS-in-IP
manet	138
hip	139	HIP
shim6	140	Shim6
wesp	141	WESP
rohc	142	ROHC
ethernet	143	Ethernet
mptcp	262	MPTCP
`

export const ETHERTYPES = `IPv4	0800	ip ip4
X25	0805
ARP	0806	ether-arp
FR_ARP	0808
BPQ	08FF
TRILL	22F3
L2-IS-IS	22F4
TEB	6558
RAW_FR	6559
RARP	8035
ATALK	809B
AARP	80F3
802_1Q	8100	8021q 1q 802.1q dot1q
IPX	8137
NetBEUI	8191
IPv6	86DD	ip6
PPP	880B
MPLS	8847
MPLS_MULTI	8848
ATMMPOA	884C
PPP_DISC	8863
PPP_SES	8864
ATMFATE	8884
EAPOL	888E
S-TAG	88A8
EAP_PREAUTH	88C7
LLDP	88CC
MACSEC	88E5
PBB	88E7	macinmac
MVRP	88F5
PTP	88F7
FCOE	8906
FIP	8914
ROCE	8915
LoWPAN	A0ED
`
