/**
 * IPv6's part of a namespace: the values behind /proc/sys/net/ipv6 (ip-sysctl), by their names in camel case and in the
 * unit in which sysctl shows them.
 */
import { pernetKey } from '../core/net_namespace.ts'

/** net.ipv6.* of one namespace, with the defaults of the reference machine. */
export class NetnsIpv6 {
  anycastSrcEchoReply = 0
  autoFlowlabels = 1
  bindv6only = 0
  calipsoCacheBucketSize = 10
  calipsoCacheEnable = 1
  fibMultipathHashFields = 7
  fibMultipathHashPolicy = 0
  fibNotifyOnFlagChange = 0
  flowlabelConsistency = 1
  flowlabelReflect = 0
  flowlabelStateRanges = 0
  fwmarkReflect = 0
  icmpEchoIgnoreAll = 0
  icmpEchoIgnoreAnycast = 0
  icmpEchoIgnoreMulticast = 0
  icmpRatelimit = 1000
  idgenDelay = 1
  idgenRetries = 3
  ioam6Id = 16777215
  ip6fragHighThresh = 4194304
  ip6fragLowThresh = 3145728
  ip6fragSecretInterval = 0
  ip6fragTime = 60
  ipNonlocalBind = 0
  maxDstOptsLength = 2147483647
  maxDstOptsNumber = 8
  maxHbhLength = 2147483647
  maxHbhOptsNumber = 8
  mldMaxMsf = 64
  mldQrv = 2
  routeGcElasticity = 9
  routeGcInterval = 30
  routeGcMinInterval = 0
  routeGcMinIntervalMs = 500
  routeGcThresh = 1024
  routeGcTimeout = 60
  routeMaxSize = 2147483647
  routeMinAdvMss = 1220
  routeMtuExpires = 600
  routeSkipNotifyOnDevDown = 0
  seg6Flowlabel = 0
  xfrm6GcThresh = 32768
  /** types (0 to 255) that icmp.ratelimit limits; by default 0, 1 and 3 to 127 */
  icmpRatemask: Uint8Array = Uint8Array.from({ length: 256 }, (_, type) => (type < 128 && type !== 2 ? 1 : 0))
  ioam6IdWide = 72057594037927935n
}

/** Names IPv6's part: `net.at(ipv6Key)`. */
export const ipv6Key = pernetKey<NetnsIpv6>('ipv6')
