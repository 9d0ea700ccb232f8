/** The kinds of namespaces, as nsenter and unshare name them. Only the network's, the mounts' and UTS can differ between processes here. */

/** A kind of namespace. */
export interface NamespaceKind {
  /** file in /proc/PID/ns */
  readonly file: string
  /** the options' letter and long name */
  readonly short: string
  readonly long: string
}

/** The kinds, in the order in which they are entered. */
export const NAMESPACE_KINDS: readonly NamespaceKind[] = [
  { file: 'user', short: 'U', long: 'user' },
  { file: 'cgroup', short: 'C', long: 'cgroup' },
  { file: 'ipc', short: 'i', long: 'ipc' },
  { file: 'uts', short: 'u', long: 'uts' },
  { file: 'net', short: 'n', long: 'net' },
  { file: 'pid', short: 'p', long: 'pid' },
  { file: 'mnt', short: 'm', long: 'mount' },
  { file: 'time', short: 'T', long: 'time' },
]

/** unshare(2): a UTS namespace of one's own, with the host name. */
export const CLONE_NEWUTS = 0x04000000
