/** The ways of tracing, by the names that -M takes. */
import type { MethodEntry } from '../method.ts'
import { dccpMethod } from './dccp.ts'
import { icmpMethod } from './icmp.ts'
import { rawMethod } from './raw.ts'
import { tcpMethod } from './tcp.ts'
import { tcpconnMethod } from './tcpconn.ts'
import { defaultMethod, udpliteMethod, udpMethod } from './udp.ts'

export const METHODS: Readonly<Record<string, MethodEntry>> = {
  default: defaultMethod,
  udp: udpMethod,
  udplite: udpliteMethod,
  icmp: icmpMethod,
  tcp: tcpMethod,
  tcpconn: tcpconnMethod,
  raw: rawMethod,
  dccp: dccpMethod,
}
