/** The words of the other tools, one entry each. */
import type { Tool } from './grammar.ts'
import { IP } from './ip.ts'

const BRIDGE_PORT =
  'dev:DEV cost: priority: state:disabled|listening|learning|forwarding|blocking guard:on|off hairpin:on|off fastleave:on|off ' +
  'root_block:on|off learning:on|off learning_sync:on|off flood:on|off mcast_router: mcast_flood:on|off bcast_flood:on|off ' +
  'mcast_to_unicast:on|off neigh_suppress:on|off vlan_tunnel:on|off isolated:on|off locked:on|off hwmode:vepa|veb ' +
  'backup_port:DEV nobackup_port self master'
const FDB =
  'ANY dev:DEV self master use router extern_learn sticky local static dynamic permanent vlan: dst: port: vni: nhid: via:DEV src_vni:'
const FDB_SHOW = 'br:DEV brport:DEV dev:DEV vlan: state: dynamic'
const BRIDGE_VLAN = 'vid: dev:DEV tunnel_info id: pvid untagged self master'
const MDB = 'dev:DEV port:DEV grp: src: permanent temp vid:'

const BRIDGE: Tool = {
  options:
    '-V -Version -s -statistics -d -details -o -oneline -t -timestamp -n:NETNS -netns:NETNS -c -compressvlans -color -p -pretty ' +
    '-j -json -force -b:FILE -batch:FILE',
  objects: {
    link: { show: 'dev:DEV', set: BRIDGE_PORT, help: '' },
    fdb: {
      show: FDB_SHOW,
      add: FDB,
      append: FDB,
      del: FDB,
      replace: FDB,
      get: 'ANY to: br:DEV brport:DEV dev:DEV vlan: vni: self master dynamic',
      flush: 'dev:DEV brport:DEV vlan: self master permanent nopermanent static nostatic dynamic nodynamic',
      help: '',
    },
    mdb: { show: 'dev:DEV vid:', add: MDB, del: MDB, help: '' },
    vlan: {
      show: 'dev:DEV vid:',
      add: BRIDGE_VLAN,
      del: BRIDGE_VLAN,
      set: 'vid: dev:DEV state: mcast_router:',
      tunnelshow: 'dev:DEV vid:',
      global: 'set show dev:DEV vid: mcast_snooping: mcast_querier: mcast_igmp_version: mcast_mld_version:',
      help: '',
    },
    vni: { show: '', add: 'vni: group: remote: dev:DEV', del: 'vni: dev:DEV' },
    monitor: { all: '', link: '', fdb: '', mdb: '', vlan: '' },
  },
}

/** Programs that run a command after their options. */
const WRAPPER = 'CMD'

/** What is known of each tool, by name. */
export const TOOLS: Readonly<Record<string, Tool>> = {
  ip: IP,
  bridge: BRIDGE,
  sysctl: {
    options:
      '-a -b -d -e -h -N -n -p:FILE -q -r: -w --all --binary --deprecated --help --ignore --load --names --pattern: --quiet ' +
      '--system --values --version --write',
    words: 'SYSCTL SYSCTL SYSCTL SYSCTL',
  },
  ping: {
    options:
      '-4 -6 -a -A -b -B -c: -C -d -D -e: -f -F: -h -H -i: -I:DEV -l: -L -m: -M:do|dont|want|probe -n -N: -O -p: -q -Q: -r -R -s: ' +
      '-S: -t: -T:tsonly|tsandaddr|tsprespec -U -v -V -w: -W:',
    words: 'HOST',
  },
  nstat: {
    options:
      '-a -d: -h -j -n -p -r -s -t: -V -z --help --ignore --interval: --json --noupdate --pretty --reset --scan: --version --zeros',
  },
  arping: { options: '-A -b -c: -D -f -I:DEV -q -s: -U -V -w:', words: 'HOST' },
  traceroute: { options: '-4 -6 -d -F -f: -g: -I -i:DEV -m: -N: -n -p: -q: -s: -T -t: -U -w: -z:', words: 'HOST' },
  tracepath: { options: '-4 -6 -b -l: -m: -n -p: -V', words: 'HOST' },
  tcpdump: {
    options:
      '-A -B: -c: -d -D -e -F:FILE -i:DEV -l -n -nn -p -q -Q:in|out|inout -r:FILE -s: -S -t -tt -v -vv -w:FILE -x -X -y:',
  },
  ethtool: {
    options: '-a -A -c -C -g -G -i -k -K -l -L -P -s -S -t -T --json --show-features --show-ring --driver --statistics',
    words: 'DEV',
  },
  ss: {
    options: '-0 -4 -6 -a -b -e -f: -h -H -i -K -l -m -M -n -N:NETNS -o -O -p -r -s -S -t -T -u -V -w -x -Z',
    words:
      'state:all|connected|synchronized|established|listening|closed|time-wait|syn-sent exclude: src: dst: sport dport dev',
  },
  kill: {
    options: '-l -L -s:SIGNAL -n: -TERM -KILL -INT -HUP -STOP -CONT -USR1 -USR2 -QUIT',
    words: 'PID PID PID PID',
  },
  killall: { options: '-e -g -i -l -q -r -s:SIGNAL -u:USER -v -w', words: 'PROGRAM' },
  pgrep: { options: '-a -c -d: -f -g: -l -n -o -P: -s: -t: -u:USER -U:USER -v -x', words: 'PROGRAM' },
  pkill: { options: '-e -f -g: -n -o -P: -s: -t: -u:USER -U:USER -x', words: 'PROGRAM' },
  ps: { options: '-a -A -d -e -f -F -H -j -l -L -N -o: -p:PID -t: -u:USER -U:USER -w', words: 'aux' },
  mount: {
    options: '-a -B -f -h -l -n -o:ro|rw|remount|bind -r -t:tmpfs|proc|sysfs -v -V -w --bind --make-private',
    words: 'FILE DIR',
  },
  umount: { options: '-a -f -h -l -n -O: -q -r -t: -v -V', words: 'DIR' },
  nsenter: { options: '-a -t:PID -n --net --target:PID --net=', words: WRAPPER },
  unshare: { options: '-n -m -u -i -p -f -r --net --mount --uts --fork', words: WRAPPER },
  timeout: { options: '-f -k: -p -s:SIGNAL -v --foreground --preserve-status --signal', words: 'ANY CMD' },
  sudo: { options: '-E -i -n -s -u:USER -V', words: WRAPPER },
  env: { options: '-i -0 -u:VARIABLE -C:DIR', words: WRAPPER },
  nohup: { words: WRAPPER },
  nice: { options: '-n:', words: WRAPPER },
  watch: { options: '-b -c -d -e -g -n: -p -q: -t -w -x', words: WRAPPER },
  time: { options: '-p', words: WRAPPER },
  exec: { words: WRAPPER },
  command: { options: '-p -v -V', words: WRAPPER },
  builtin: { words: WRAPPER },
  xargs: { options: '-0 -a:FILE -d: -I: -L: -n: -P: -r -t', words: WRAPPER },
  bash: { options: '-c: -e -i -l -n -s -u -v -x', words: 'FILE' },
  sh: { options: '-c: -e -i -n -s -u -v -x', words: 'FILE' },
  type: { options: '-a -f -p -P -t', words: 'PROGRAM PROGRAM PROGRAM' },
  which: { options: '-a', words: 'PROGRAM PROGRAM PROGRAM' },
  hash: { options: '-d -l -p: -r -t', words: 'PROGRAM' },
  cd: { options: '-L -P', words: 'DIR' },
  pushd: { words: 'DIR' },
  mkdir: { options: '-m: -p -v', words: 'DIR DIR DIR' },
  rmdir: { options: '-p -v', words: 'DIR DIR DIR' },
  export: { options: '-f -n -p', words: 'VARIABLE VARIABLE VARIABLE' },
  unset: { options: '-f -n -v', words: 'VARIABLE VARIABLE VARIABLE' },
  trap: { options: '-l -p', words: 'ANY SIGNAL SIGNAL SIGNAL' },
  id: { options: '-a -g -G -n -r -u -z', words: 'USER' },
}
