/**
 * The objects of `ip`, in the order abbreviations are tried: the first whose name begins with the given word is it.
 * Each is a module of its own, brought in when it is called, that exports `run`.
 */
import type { IpObject } from './context.ts'

/** One object: its full name and how its code is brought in. */
export interface ObjectEntry {
  readonly name: string
  readonly load: () => Promise<{ readonly run: IpObject }>
}

const address = () => import('./address.ts')
const neighbour = () => import('./neighbour.ts')
const ntable = () => import('./ntable.ts')
const tunnel = () => import('./tunnel.ts')
const tuntap = () => import('./tuntap.ts')
const tcpmetrics = () => import('./tcpmetrics.ts')

const absent = (name: string) => async (): Promise<{ run: IpObject }> => {
  const { absentObject } = await import('./absent.ts')
  return { run: absentObject(name) }
}

export const OBJECTS: readonly ObjectEntry[] = [
  { name: 'address', load: address },
  { name: 'addrlabel', load: () => import('./addrlabel.ts') },
  { name: 'maddress', load: () => import('./maddress.ts') },
  { name: 'route', load: () => import('./route.ts') },
  { name: 'rule', load: () => import('./rule.ts') },
  { name: 'neighbor', load: neighbour },
  { name: 'neighbour', load: neighbour },
  { name: 'ntable', load: ntable },
  { name: 'ntbl', load: ntable },
  { name: 'link', load: () => import('./link.ts') },
  { name: 'l2tp', load: absent('l2tp') },
  { name: 'fou', load: absent('fou') },
  { name: 'ila', load: absent('ila') },
  { name: 'macsec', load: absent('macsec') },
  { name: 'tunnel', load: tunnel },
  { name: 'tunl', load: tunnel },
  { name: 'tuntap', load: tuntap },
  { name: 'tap', load: tuntap },
  { name: 'token', load: () => import('./token.ts') },
  { name: 'tcpmetrics', load: tcpmetrics },
  { name: 'tcp_metrics', load: tcpmetrics },
  { name: 'monitor', load: () => import('./monitor.ts') },
  { name: 'xfrm', load: absent('xfrm') },
  { name: 'mroute', load: absent('mroute') },
  { name: 'mrule', load: () => import('./mrule.ts') },
  { name: 'netns', load: () => import('./netns.ts') },
  { name: 'netconf', load: () => import('./netconf.ts') },
  { name: 'vrf', load: () => import('./vrf.ts') },
  { name: 'sr', load: absent('sr') },
  { name: 'nexthop', load: () => import('./nexthop.ts') },
  { name: 'mptcp', load: absent('mptcp') },
  { name: 'ioam', load: absent('ioam') },
  { name: 'help', load: () => import('./help.ts') },
  { name: 'stats', load: () => import('./stats.ts') },
]
