/**
 * What work costs in virtual CPU time, ns: the reason why a round trip, `time` and `ps` show believable figures.
 * The values are those of an ordinary 2 to 3 GHz server; only their order of magnitude matters.
 */
export const COST = {
  /** a call that only looks something up: getpid, lseek, clock_gettime, signal */
  trivial: 300,
  /** per path component and lookup: open, stat, access */
  path: 1200,
  /** read or write of a file, pipe or terminal, without the copying */
  io: 700,
  /** copying, per byte */
  byte: 0.1,
  /** sending or receiving a message on a socket, without the protocols' own work */
  socket: 2500,
  /** opening a socket */
  socketOpen: 6000,
  /** a netlink request */
  netlink: 4000,
  /** copying an address space */
  fork: 250_000,
  /** loading a program and starting it (dynamic linking, locale) */
  exec: 650_000,
  /** taking an address space down */
  exit: 60_000,
  /** from a wake-up to the process running again */
  wakeup: 2000,
  /** a stretch of computing between two calls of `yield` */
  yield: 20_000,
  /** creating a namespace */
  unshare: 400_000,
} as const
