/**
 * Counters of IPv4 and its transports, by the names of RFC 4293, 4022 and 4113 and Linux's own: /proc/net/snmp and
 * /proc/net/netstat. Each namespace has its own.
 */
import { type Net, pernetKey } from '../core/net_namespace.ts'

/** Counters of IP: those of /proc/net/snmp first, then those of `IpExt` in /proc/net/netstat. */
export const IPSTATS_MIB_INRECEIVES = 0
export const IPSTATS_MIB_INHDRERRORS = 1
export const IPSTATS_MIB_INADDRERRORS = 2
export const IPSTATS_MIB_FORWDATAGRAMS = 3
export const IPSTATS_MIB_INUNKNOWNPROTOS = 4
export const IPSTATS_MIB_INDISCARDS = 5
export const IPSTATS_MIB_INDELIVERS = 6
export const IPSTATS_MIB_OUTREQUESTS = 7
export const IPSTATS_MIB_OUTDISCARDS = 8
export const IPSTATS_MIB_OUTNOROUTES = 9
export const IPSTATS_MIB_REASMTIMEOUT = 10
export const IPSTATS_MIB_REASMREQDS = 11
export const IPSTATS_MIB_REASMOKS = 12
export const IPSTATS_MIB_REASMFAILS = 13
export const IPSTATS_MIB_FRAGOKS = 14
export const IPSTATS_MIB_FRAGFAILS = 15
export const IPSTATS_MIB_FRAGCREATES = 16
export const IPSTATS_MIB_INNOROUTES = 17
export const IPSTATS_MIB_INTRUNCATEDPKTS = 18
export const IPSTATS_MIB_INMCASTPKTS = 19
export const IPSTATS_MIB_OUTMCASTPKTS = 20
export const IPSTATS_MIB_INBCASTPKTS = 21
export const IPSTATS_MIB_OUTBCASTPKTS = 22
export const IPSTATS_MIB_INOCTETS = 23
export const IPSTATS_MIB_OUTOCTETS = 24
export const IPSTATS_MIB_INMCASTOCTETS = 25
export const IPSTATS_MIB_OUTMCASTOCTETS = 26
export const IPSTATS_MIB_INBCASTOCTETS = 27
export const IPSTATS_MIB_OUTBCASTOCTETS = 28
export const IPSTATS_MIB_INCSUMERRORS = 29
export const IPSTATS_MIB_INNOECTPKTS = 30
export const IPSTATS_MIB_INECT1PKTS = 31
export const IPSTATS_MIB_INECT0PKTS = 32
export const IPSTATS_MIB_INCEPKTS = 33
export const IPSTATS_MIB_REASMOVERLAPS = 34

/** Counters of ICMP; those of each message type are apart, see `IcmpMsg`. */
export const ICMP_MIB_INMSGS = 0
export const ICMP_MIB_INERRORS = 1
export const ICMP_MIB_INCSUMERRORS = 2
export const ICMP_MIB_INDESTUNREACHS = 3
export const ICMP_MIB_INTIMEEXCDS = 4
export const ICMP_MIB_INPARMPROBS = 5
export const ICMP_MIB_INSRCQUENCHS = 6
export const ICMP_MIB_INREDIRECTS = 7
export const ICMP_MIB_INECHOS = 8
export const ICMP_MIB_INECHOREPS = 9
export const ICMP_MIB_INTIMESTAMPS = 10
export const ICMP_MIB_INTIMESTAMPREPS = 11
export const ICMP_MIB_INADDRMASKS = 12
export const ICMP_MIB_INADDRMASKREPS = 13
export const ICMP_MIB_OUTMSGS = 14
export const ICMP_MIB_OUTERRORS = 15
export const ICMP_MIB_OUTRATELIMITGLOBAL = 16
export const ICMP_MIB_OUTRATELIMITHOST = 17
export const ICMP_MIB_OUTDESTUNREACHS = 18
export const ICMP_MIB_OUTTIMEEXCDS = 19
export const ICMP_MIB_OUTPARMPROBS = 20
export const ICMP_MIB_OUTSRCQUENCHS = 21
export const ICMP_MIB_OUTREDIRECTS = 22
export const ICMP_MIB_OUTECHOS = 23
export const ICMP_MIB_OUTECHOREPS = 24
export const ICMP_MIB_OUTTIMESTAMPS = 25
export const ICMP_MIB_OUTTIMESTAMPREPS = 26
export const ICMP_MIB_OUTADDRMASKS = 27
export const ICMP_MIB_OUTADDRMASKREPS = 28

/** Counters of TCP. */
export const TCP_MIB_ACTIVEOPENS = 0
export const TCP_MIB_PASSIVEOPENS = 1
export const TCP_MIB_ATTEMPTFAILS = 2
export const TCP_MIB_ESTABRESETS = 3
export const TCP_MIB_CURRESTAB = 4
export const TCP_MIB_INSEGS = 5
export const TCP_MIB_OUTSEGS = 6
export const TCP_MIB_RETRANSSEGS = 7
export const TCP_MIB_INERRS = 8
export const TCP_MIB_OUTRSTS = 9
export const TCP_MIB_INCSUMERRORS = 10

/** Counters of UDP, and of UDP-Lite. */
export const UDP_MIB_INDATAGRAMS = 0
export const UDP_MIB_NOPORTS = 1
export const UDP_MIB_INERRORS = 2
export const UDP_MIB_OUTDATAGRAMS = 3
export const UDP_MIB_RCVBUFERRORS = 4
export const UDP_MIB_SNDBUFERRORS = 5
export const UDP_MIB_INCSUMERRORS = 6
export const UDP_MIB_IGNOREDMULTI = 7
export const UDP_MIB_MEMERRORS = 8

/** Linux's own: `TcpExt` in /proc/net/netstat. */
export const LINUX_MIB_SYNCOOKIESSENT = 0
export const LINUX_MIB_SYNCOOKIESRECV = 1
export const LINUX_MIB_SYNCOOKIESFAILED = 2
export const LINUX_MIB_EMBRYONICRSTS = 3
export const LINUX_MIB_PRUNECALLED = 4
export const LINUX_MIB_RCVPRUNED = 5
export const LINUX_MIB_OFOPRUNED = 6
export const LINUX_MIB_OUTOFWINDOWICMPS = 7
export const LINUX_MIB_LOCKDROPPEDICMPS = 8
export const LINUX_MIB_ARPFILTER = 9
export const LINUX_MIB_TW = 10
export const LINUX_MIB_TWRECYCLED = 11
export const LINUX_MIB_TWKILLED = 12
export const LINUX_MIB_PAWSACTIVE = 13
export const LINUX_MIB_PAWSESTAB = 14
export const LINUX_MIB_DELAYEDACKS = 15
export const LINUX_MIB_DELAYEDACKLOCKED = 16
export const LINUX_MIB_DELAYEDACKLOST = 17
export const LINUX_MIB_LISTENOVERFLOWS = 18
export const LINUX_MIB_LISTENDROPS = 19
export const LINUX_MIB_TCPHPHITS = 20
export const LINUX_MIB_TCPPUREACKS = 21
export const LINUX_MIB_TCPHPACKS = 22
export const LINUX_MIB_TCPRENORECOVERY = 23
export const LINUX_MIB_TCPSACKRECOVERY = 24
export const LINUX_MIB_TCPSACKRENEGING = 25
export const LINUX_MIB_TCPSACKREORDER = 26
export const LINUX_MIB_TCPRENOREORDER = 27
export const LINUX_MIB_TCPTSREORDER = 28
export const LINUX_MIB_TCPFULLUNDO = 29
export const LINUX_MIB_TCPPARTIALUNDO = 30
export const LINUX_MIB_TCPDSACKUNDO = 31
export const LINUX_MIB_TCPLOSSUNDO = 32
export const LINUX_MIB_TCPLOSTRETRANSMIT = 33
export const LINUX_MIB_TCPRENOFAILURES = 34
export const LINUX_MIB_TCPSACKFAILURES = 35
export const LINUX_MIB_TCPLOSSFAILURES = 36
export const LINUX_MIB_TCPFASTRETRANS = 37
export const LINUX_MIB_TCPSLOWSTARTRETRANS = 38
export const LINUX_MIB_TCPTIMEOUTS = 39
export const LINUX_MIB_TCPLOSSPROBES = 40
export const LINUX_MIB_TCPLOSSPROBERECOVERY = 41
export const LINUX_MIB_TCPRENORECOVERYFAIL = 42
export const LINUX_MIB_TCPSACKRECOVERYFAIL = 43
export const LINUX_MIB_TCPRCVCOLLAPSED = 44
export const LINUX_MIB_TCPBACKLOGCOALESCE = 45
export const LINUX_MIB_TCPDSACKOLDSENT = 46
export const LINUX_MIB_TCPDSACKOFOSENT = 47
export const LINUX_MIB_TCPDSACKRECV = 48
export const LINUX_MIB_TCPDSACKOFORECV = 49
export const LINUX_MIB_TCPABORTONDATA = 50
export const LINUX_MIB_TCPABORTONCLOSE = 51
export const LINUX_MIB_TCPABORTONMEMORY = 52
export const LINUX_MIB_TCPABORTONTIMEOUT = 53
export const LINUX_MIB_TCPABORTONLINGER = 54
export const LINUX_MIB_TCPABORTFAILED = 55
export const LINUX_MIB_TCPMEMORYPRESSURES = 56
export const LINUX_MIB_TCPMEMORYPRESSURESCHRONO = 57
export const LINUX_MIB_TCPSACKDISCARD = 58
export const LINUX_MIB_TCPDSACKIGNOREDOLD = 59
export const LINUX_MIB_TCPDSACKIGNOREDNOUNDO = 60
export const LINUX_MIB_TCPSPURIOUSRTOS = 61
export const LINUX_MIB_TCPMD5NOTFOUND = 62
export const LINUX_MIB_TCPMD5UNEXPECTED = 63
export const LINUX_MIB_TCPMD5FAILURE = 64
export const LINUX_MIB_TCPSACKSHIFTED = 65
export const LINUX_MIB_TCPSACKMERGED = 66
export const LINUX_MIB_TCPSACKSHIFTFALLBACK = 67
export const LINUX_MIB_TCPBACKLOGDROP = 68
export const LINUX_MIB_PFMEMALLOCDROP = 69
export const LINUX_MIB_TCPMINTTLDROP = 70
export const LINUX_MIB_TCPDEFERACCEPTDROP = 71
export const LINUX_MIB_IPREVERSEPATHFILTER = 72
export const LINUX_MIB_TCPTIMEWAITOVERFLOW = 73
export const LINUX_MIB_TCPREQQFULLDOCOOKIES = 74
export const LINUX_MIB_TCPREQQFULLDROP = 75
export const LINUX_MIB_TCPRETRANSFAIL = 76
export const LINUX_MIB_TCPRCVCOALESCE = 77
export const LINUX_MIB_TCPOFOQUEUE = 78
export const LINUX_MIB_TCPOFODROP = 79
export const LINUX_MIB_TCPOFOMERGE = 80
export const LINUX_MIB_TCPCHALLENGEACK = 81
export const LINUX_MIB_TCPSYNCHALLENGE = 82
export const LINUX_MIB_TCPFASTOPENACTIVE = 83
export const LINUX_MIB_TCPFASTOPENACTIVEFAIL = 84
export const LINUX_MIB_TCPFASTOPENPASSIVE = 85
export const LINUX_MIB_TCPFASTOPENPASSIVEFAIL = 86
export const LINUX_MIB_TCPFASTOPENLISTENOVERFLOW = 87
export const LINUX_MIB_TCPFASTOPENCOOKIEREQD = 88
export const LINUX_MIB_TCPFASTOPENBLACKHOLE = 89
export const LINUX_MIB_TCPSPURIOUSRTXHOSTQUEUES = 90
export const LINUX_MIB_BUSYPOLLRXPACKETS = 91
export const LINUX_MIB_TCPAUTOCORKING = 92
export const LINUX_MIB_TCPFROMZEROWINDOWADV = 93
export const LINUX_MIB_TCPTOZEROWINDOWADV = 94
export const LINUX_MIB_TCPWANTZEROWINDOWADV = 95
export const LINUX_MIB_TCPSYNRETRANS = 96
export const LINUX_MIB_TCPORIGDATASENT = 97
export const LINUX_MIB_TCPHYSTARTTRAINDETECT = 98
export const LINUX_MIB_TCPHYSTARTTRAINCWND = 99
export const LINUX_MIB_TCPHYSTARTDELAYDETECT = 100
export const LINUX_MIB_TCPHYSTARTDELAYCWND = 101
export const LINUX_MIB_TCPACKSKIPPEDSYNRECV = 102
export const LINUX_MIB_TCPACKSKIPPEDPAWS = 103
export const LINUX_MIB_TCPACKSKIPPEDSEQ = 104
export const LINUX_MIB_TCPACKSKIPPEDFINWAIT2 = 105
export const LINUX_MIB_TCPACKSKIPPEDTIMEWAIT = 106
export const LINUX_MIB_TCPACKSKIPPEDCHALLENGE = 107
export const LINUX_MIB_TCPWINPROBE = 108
export const LINUX_MIB_TCPKEEPALIVE = 109
export const LINUX_MIB_TCPMTUPFAIL = 110
export const LINUX_MIB_TCPMTUPSUCCESS = 111
export const LINUX_MIB_TCPDELIVERED = 112
export const LINUX_MIB_TCPDELIVEREDCE = 113
export const LINUX_MIB_TCPACKCOMPRESSED = 114
export const LINUX_MIB_TCPZEROWINDOWDROP = 115
export const LINUX_MIB_TCPRCVQDROP = 116
export const LINUX_MIB_TCPWQUEUETOOBIG = 117
export const LINUX_MIB_TCPFASTOPENPASSIVEALTKEY = 118
export const LINUX_MIB_TCPTIMEOUTREHASH = 119
export const LINUX_MIB_TCPDUPLICATEDATAREHASH = 120
export const LINUX_MIB_TCPDSACKRECVSEGS = 121
export const LINUX_MIB_TCPDSACKIGNOREDDUBIOUS = 122
export const LINUX_MIB_TCPMIGRATEREQSUCCESS = 123
export const LINUX_MIB_TCPMIGRATEREQFAILURE = 124

/** Names as /proc shows them, by number. */
export const IP_NAMES = [
  'InReceives',
  'InHdrErrors',
  'InAddrErrors',
  'ForwDatagrams',
  'InUnknownProtos',
  'InDiscards',
  'InDelivers',
  'OutRequests',
  'OutDiscards',
  'OutNoRoutes',
  'ReasmTimeout',
  'ReasmReqds',
  'ReasmOKs',
  'ReasmFails',
  'FragOKs',
  'FragFails',
  'FragCreates',
] as const
export const IPEXT_NAMES = [
  'InNoRoutes',
  'InTruncatedPkts',
  'InMcastPkts',
  'OutMcastPkts',
  'InBcastPkts',
  'OutBcastPkts',
  'InOctets',
  'OutOctets',
  'InMcastOctets',
  'OutMcastOctets',
  'InBcastOctets',
  'OutBcastOctets',
  'InCsumErrors',
  'InNoECTPkts',
  'InECT1Pkts',
  'InECT0Pkts',
  'InCEPkts',
  'ReasmOverlaps',
] as const
export const ICMP_NAMES = [
  'InMsgs',
  'InErrors',
  'InCsumErrors',
  'InDestUnreachs',
  'InTimeExcds',
  'InParmProbs',
  'InSrcQuenchs',
  'InRedirects',
  'InEchos',
  'InEchoReps',
  'InTimestamps',
  'InTimestampReps',
  'InAddrMasks',
  'InAddrMaskReps',
  'OutMsgs',
  'OutErrors',
  'OutRateLimitGlobal',
  'OutRateLimitHost',
  'OutDestUnreachs',
  'OutTimeExcds',
  'OutParmProbs',
  'OutSrcQuenchs',
  'OutRedirects',
  'OutEchos',
  'OutEchoReps',
  'OutTimestamps',
  'OutTimestampReps',
  'OutAddrMasks',
  'OutAddrMaskReps',
] as const
export const TCP_NAMES = [
  'ActiveOpens',
  'PassiveOpens',
  'AttemptFails',
  'EstabResets',
  'CurrEstab',
  'InSegs',
  'OutSegs',
  'RetransSegs',
  'InErrs',
  'OutRsts',
  'InCsumErrors',
] as const
export const UDP_NAMES = [
  'InDatagrams',
  'NoPorts',
  'InErrors',
  'OutDatagrams',
  'RcvbufErrors',
  'SndbufErrors',
  'InCsumErrors',
  'IgnoredMulti',
  'MemErrors',
] as const
export const LINUX_NAMES = [
  'SyncookiesSent',
  'SyncookiesRecv',
  'SyncookiesFailed',
  'EmbryonicRsts',
  'PruneCalled',
  'RcvPruned',
  'OfoPruned',
  'OutOfWindowIcmps',
  'LockDroppedIcmps',
  'ArpFilter',
  'TW',
  'TWRecycled',
  'TWKilled',
  'PAWSActive',
  'PAWSEstab',
  'DelayedACKs',
  'DelayedACKLocked',
  'DelayedACKLost',
  'ListenOverflows',
  'ListenDrops',
  'TCPHPHits',
  'TCPPureAcks',
  'TCPHPAcks',
  'TCPRenoRecovery',
  'TCPSackRecovery',
  'TCPSACKReneging',
  'TCPSACKReorder',
  'TCPRenoReorder',
  'TCPTSReorder',
  'TCPFullUndo',
  'TCPPartialUndo',
  'TCPDSACKUndo',
  'TCPLossUndo',
  'TCPLostRetransmit',
  'TCPRenoFailures',
  'TCPSackFailures',
  'TCPLossFailures',
  'TCPFastRetrans',
  'TCPSlowStartRetrans',
  'TCPTimeouts',
  'TCPLossProbes',
  'TCPLossProbeRecovery',
  'TCPRenoRecoveryFail',
  'TCPSackRecoveryFail',
  'TCPRcvCollapsed',
  'TCPBacklogCoalesce',
  'TCPDSACKOldSent',
  'TCPDSACKOfoSent',
  'TCPDSACKRecv',
  'TCPDSACKOfoRecv',
  'TCPAbortOnData',
  'TCPAbortOnClose',
  'TCPAbortOnMemory',
  'TCPAbortOnTimeout',
  'TCPAbortOnLinger',
  'TCPAbortFailed',
  'TCPMemoryPressures',
  'TCPMemoryPressuresChrono',
  'TCPSACKDiscard',
  'TCPDSACKIgnoredOld',
  'TCPDSACKIgnoredNoUndo',
  'TCPSpuriousRTOs',
  'TCPMD5NotFound',
  'TCPMD5Unexpected',
  'TCPMD5Failure',
  'TCPSackShifted',
  'TCPSackMerged',
  'TCPSackShiftFallback',
  'TCPBacklogDrop',
  'PFMemallocDrop',
  'TCPMinTTLDrop',
  'TCPDeferAcceptDrop',
  'IPReversePathFilter',
  'TCPTimeWaitOverflow',
  'TCPReqQFullDoCookies',
  'TCPReqQFullDrop',
  'TCPRetransFail',
  'TCPRcvCoalesce',
  'TCPOFOQueue',
  'TCPOFODrop',
  'TCPOFOMerge',
  'TCPChallengeACK',
  'TCPSYNChallenge',
  'TCPFastOpenActive',
  'TCPFastOpenActiveFail',
  'TCPFastOpenPassive',
  'TCPFastOpenPassiveFail',
  'TCPFastOpenListenOverflow',
  'TCPFastOpenCookieReqd',
  'TCPFastOpenBlackhole',
  'TCPSpuriousRtxHostQueues',
  'BusyPollRxPackets',
  'TCPAutoCorking',
  'TCPFromZeroWindowAdv',
  'TCPToZeroWindowAdv',
  'TCPWantZeroWindowAdv',
  'TCPSynRetrans',
  'TCPOrigDataSent',
  'TCPHystartTrainDetect',
  'TCPHystartTrainCwnd',
  'TCPHystartDelayDetect',
  'TCPHystartDelayCwnd',
  'TCPACKSkippedSynRecv',
  'TCPACKSkippedPAWS',
  'TCPACKSkippedSeq',
  'TCPACKSkippedFinWait2',
  'TCPACKSkippedTimeWait',
  'TCPACKSkippedChallenge',
  'TCPWinProbe',
  'TCPKeepAlive',
  'TCPMTUPFail',
  'TCPMTUPSuccess',
  'TCPDelivered',
  'TCPDeliveredCE',
  'TCPAckCompressed',
  'TCPZeroWindowDrop',
  'TCPRcvQDrop',
  'TCPWqueueTooBig',
  'TCPFastOpenPassiveAltKey',
  'TcpTimeoutRehash',
  'TcpDuplicateDataRehash',
  'TCPDSACKRecvSegs',
  'TCPDSACKIgnoredDubious',
  'TCPMigrateReqSuccess',
  'TCPMigrateReqFailure',
] as const
/** Multipath TCP is not modelled; its counters stay 0. */
export const MPTCP_NAMES = [
  'MPCapableSYNRX',
  'MPCapableSYNTX',
  'MPCapableSYNACKRX',
  'MPCapableACKRX',
  'MPCapableFallbackACK',
  'MPCapableFallbackSYNACK',
  'MPCapableEndpAttempt',
  'MPFallbackTokenInit',
  'MPTCPRetrans',
  'MPJoinNoTokenFound',
  'MPJoinSynRx',
  'MPJoinSynBackupRx',
  'MPJoinSynAckRx',
  'MPJoinSynAckBackupRx',
  'MPJoinSynAckHMacFailure',
  'MPJoinAckRx',
  'MPJoinAckHMacFailure',
  'DSSNotMatching',
  'DSSCorruptionFallback',
  'DSSCorruptionReset',
  'InfiniteMapTx',
  'InfiniteMapRx',
  'DSSNoMatchTCP',
  'DataCsumErr',
  'OFOQueueTail',
  'OFOQueue',
  'OFOMerge',
  'NoDSSInWindow',
  'DuplicateData',
  'AddAddr',
  'EchoAdd',
  'PortAdd',
  'AddAddrDrop',
  'MPJoinPortSynRx',
  'MPJoinPortSynAckRx',
  'MPJoinPortAckRx',
  'MismatchPortSynRx',
  'MismatchPortAckRx',
  'RmAddr',
  'RmAddrDrop',
  'RmSubflow',
  'MPPrioTx',
  'MPPrioRx',
  'MPFailTx',
  'MPFailRx',
  'MPFastcloseTx',
  'MPFastcloseRx',
  'MPRstTx',
  'MPRstRx',
  'RcvPruned',
  'SubflowStale',
  'SubflowRecover',
  'SndWndShared',
  'RcvWndShared',
  'RcvWndConflictUpdate',
  'RcvWndConflict',
] as const

/** All counters of a namespace. */
export class Ipv4Mibs {
  readonly ip = new Float64Array(IP_NAMES.length + IPEXT_NAMES.length)
  readonly icmp = new Float64Array(ICMP_NAMES.length)
  /** received messages by type, then sent ones from 256 on */
  readonly icmpMsg = new Float64Array(512)
  readonly tcp = new Float64Array(TCP_NAMES.length)
  readonly udp = new Float64Array(UDP_NAMES.length)
  readonly udplite = new Float64Array(UDP_NAMES.length)
  readonly linux = new Float64Array(LINUX_NAMES.length)
}

/** Names a namespace's counters. */
export const mibKey = pernetKey<Ipv4Mibs>('mib')

/** Adds one to a counter of IP (IP_INC_STATS). */
export function ipInc(net: Net, counter: number): void {
  net.at(mibKey).ip[counter]!++
}

/** Adds to a counter of IP (IP_ADD_STATS). */
export function ipAdd(net: Net, counter: number, n: number): void {
  net.at(mibKey).ip[counter]! += n
}

/** Counts a packet and its bytes (IP_UPD_PO_STATS). */
export function ipCountPacket(net: Net, packets: number, octets: number, len: number): void {
  const { ip } = net.at(mibKey)
  ip[packets]!++
  ip[octets]! += len
}

/** Adds one to a counter of ICMP (ICMP_INC_STATS). */
export function icmpInc(net: Net, counter: number): void {
  net.at(mibKey).icmp[counter]!++
}

/** Adds one to a counter of UDP (UDP_INC_STATS). */
export function udpInc(net: Net, counter: number): void {
  net.at(mibKey).udp[counter]!++
}

/** Adds one to one of Linux's own counters (NET_INC_STATS). */
export function netInc(net: Net, counter: number): void {
  net.at(mibKey).linux[counter]!++
}
