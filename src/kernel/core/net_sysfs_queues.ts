/** /sys/class/net/DEV/queues: steering of received and sent packets to CPUs, see Documentation/networking/scaling. */
import { Errno } from '../../uapi/errno.ts'
import { type KernfsDir, type KernfsNode, KernfsTable, kernfsText } from './kernfs.ts'
import { formatCpumask, kstrtoul, parseCpumask } from './kstrtox.ts'
import type { NetDevice } from './net_device.ts'

/** Largest limit of a queue in bytes (DQL_MAX_LIMIT). */
const DQL_MAX_LIMIT = 1879048192
const UINT_MAX = 0xffffffff

/** A file that shows a number and takes one. @param read may be an error @param write returns 0 or an error */
function numberFile(read: () => string | number, write: (text: string) => number): KernfsNode {
  return {
    kind: 'file',
    mode: 0o644,
    read,
    write(text) {
      const rc = write(text)
      return rc < 0 ? rc : text.length
    },
  }
}

function maskFile(bits: number, get: () => number, set: (mask: number) => void): KernfsNode {
  return numberFile(
    () => `${formatCpumask(get(), bits)}\n`,
    text => {
      const mask = parseCpumask(text, bits)
      if (mask < 0) return mask
      set(mask)
      return 0
    },
  )
}

function rxQueue(dev: NetDevice): KernfsDir {
  let cpus = 0
  let flows = 0
  const dir = new KernfsTable(false, 0o755)
  dir.set(
    'rps_cpus',
    maskFile(
      dev.net.kernel.cpus,
      () => cpus,
      mask => {
        cpus = mask
      },
    ),
  )
  dir.set(
    'rps_flow_cnt',
    numberFile(
      () => `${flows}\n`,
      text => {
        const count = kstrtoul(text, 0)
        if (count < 0) return count
        // a table has a power of two of entries
        flows = count === 0 ? 0 : 2 ** Math.ceil(Math.log2(count))
        return 0
      },
    ),
  )
  return dir
}

function byteLimits(): KernfsDir {
  const dir = new KernfsTable(false, 0o755)
  const limit = (name: string, initial: number): void => {
    let value = initial
    dir.set(
      name,
      numberFile(
        () => `${value}\n`,
        text => {
          const given = text.trim() === 'max' ? DQL_MAX_LIMIT : kstrtoul(text, 10, UINT_MAX)
          if (given < 0) return given
          if (given > DQL_MAX_LIMIT) return -Errno.EINVAL
          value = given
          return 0
        },
      ),
    )
  }
  let holdTime = 1000
  dir.set(
    'hold_time',
    numberFile(
      () => `${holdTime}\n`,
      text => {
        const value = kstrtoul(text, 10, UINT_MAX)
        if (value < 0) return value
        holdTime = value
        return 0
      },
    ),
  )
  dir.set(
    'inflight',
    kernfsText(() => '0\n'),
  )
  limit('limit', 0)
  limit('limit_max', DQL_MAX_LIMIT)
  limit('limit_min', 0)
  return dir
}

function txQueue(dev: NetDevice): KernfsDir {
  let cpus = 0
  let rxqs = 0
  const multiqueue = dev.numTxQueues > 1
  const dir = new KernfsTable(false, 0o755)
  dir.set('byte_queue_limits', byteLimits())
  dir.set(
    'traffic_class',
    kernfsText(() => (multiqueue ? '0\n' : -Errno.ENOENT)),
  )
  dir.set(
    'tx_maxrate',
    numberFile(
      () => '0\n',
      () => -Errno.EOPNOTSUPP,
    ),
  )
  dir.set(
    'tx_timeout',
    kernfsText(() => '0\n'),
  )
  const xps = maskFile(
    dev.net.kernel.cpus,
    () => cpus,
    mask => {
      cpus = mask
    },
  )
  dir.set(
    'xps_cpus',
    multiqueue
      ? xps
      : numberFile(
          () => -Errno.ENOENT,
          () => -Errno.ENOENT,
        ),
  )
  dir.set(
    'xps_rxqs',
    maskFile(
      dev.numRxQueues,
      () => rxqs,
      mask => {
        rxqs = mask
      },
    ),
  )
  return dir
}

/** @returns the directory of a device, with a subdirectory for each queue in use */
export function queuesDir(dev: NetDevice): KernfsDir {
  const queues = new Map<string, KernfsDir>()
  const names = (): string[] => [
    ...Array.from({ length: dev.realNumRxQueues }, (_, i) => `rx-${i}`),
    ...Array.from({ length: dev.realNumTxQueues }, (_, i) => `tx-${i}`),
  ]
  return {
    kind: 'dir',
    mode: 0o755,
    list: names,
    lookup(name) {
      if (!names().includes(name)) return undefined
      let queue = queues.get(name)
      if (queue === undefined) {
        queue = name.startsWith('rx-') ? rxQueue(dev) : txQueue(dev)
        queues.set(name, queue)
      }
      return queue
    },
  }
}
