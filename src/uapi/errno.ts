/**
 * Error numbers and their texts, as `errno(3)` and glibc's `strerror(3)` give them on x86-64 Linux.
 */

/** Error number by name. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  ENOEXEC: 8,
  EBADF: 9,
  ECHILD: 10,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  ENOTBLK: 15,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  EDOM: 33,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENOMSG: 42,
  ENODATA: 61,
  ETIME: 62,
  ENOLINK: 67,
  EPROTO: 71,
  EBADMSG: 74,
  EOVERFLOW: 75,
  ENOTUNIQ: 76,
  EBADFD: 77,
  EILSEQ: 84,
  EUSERS: 87,
  ENOTSOCK: 88,
  EDESTADDRREQ: 89,
  EMSGSIZE: 90,
  EPROTOTYPE: 91,
  ENOPROTOOPT: 92,
  EPROTONOSUPPORT: 93,
  ESOCKTNOSUPPORT: 94,
  EOPNOTSUPP: 95,
  EPFNOSUPPORT: 96,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENETRESET: 102,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EISCONN: 106,
  ENOTCONN: 107,
  ESHUTDOWN: 108,
  ETOOMANYREFS: 109,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  EINPROGRESS: 115,
  ESTALE: 116,
  EUCLEAN: 117,
  EDQUOT: 122,
  ECANCELED: 125,
} as const

/** The name of an error number. */
export type ErrnoName = keyof typeof Errno

const TEXTS = new Map<number, string>([
  [Errno.EPERM, 'Operation not permitted'],
  [Errno.ENOENT, 'No such file or directory'],
  [Errno.ESRCH, 'No such process'],
  [Errno.EINTR, 'Interrupted system call'],
  [Errno.EIO, 'Input/output error'],
  [Errno.ENXIO, 'No such device or address'],
  [Errno.E2BIG, 'Argument list too long'],
  [Errno.ENOEXEC, 'Exec format error'],
  [Errno.EBADF, 'Bad file descriptor'],
  [Errno.ECHILD, 'No child processes'],
  [Errno.EAGAIN, 'Resource temporarily unavailable'],
  [Errno.ENOMEM, 'Cannot allocate memory'],
  [Errno.EACCES, 'Permission denied'],
  [Errno.EFAULT, 'Bad address'],
  [Errno.ENOTBLK, 'Block device required'],
  [Errno.EBUSY, 'Device or resource busy'],
  [Errno.EEXIST, 'File exists'],
  [Errno.EXDEV, 'Invalid cross-device link'],
  [Errno.ENODEV, 'No such device'],
  [Errno.ENOTDIR, 'Not a directory'],
  [Errno.EISDIR, 'Is a directory'],
  [Errno.EINVAL, 'Invalid argument'],
  [Errno.ENFILE, 'Too many open files in system'],
  [Errno.EMFILE, 'Too many open files'],
  [Errno.ENOTTY, 'Inappropriate ioctl for device'],
  [Errno.ETXTBSY, 'Text file busy'],
  [Errno.EFBIG, 'File too large'],
  [Errno.ENOSPC, 'No space left on device'],
  [Errno.ESPIPE, 'Illegal seek'],
  [Errno.EROFS, 'Read-only file system'],
  [Errno.EMLINK, 'Too many links'],
  [Errno.EPIPE, 'Broken pipe'],
  [Errno.EDOM, 'Numerical argument out of domain'],
  [Errno.ERANGE, 'Numerical result out of range'],
  [Errno.EDEADLK, 'Resource deadlock avoided'],
  [Errno.ENAMETOOLONG, 'File name too long'],
  [Errno.ENOLCK, 'No locks available'],
  [Errno.ENOSYS, 'Function not implemented'],
  [Errno.ENOTEMPTY, 'Directory not empty'],
  [Errno.ELOOP, 'Too many levels of symbolic links'],
  [Errno.ENOMSG, 'No message of desired type'],
  [Errno.ENODATA, 'No data available'],
  [Errno.ETIME, 'Timer expired'],
  [Errno.ENOLINK, 'Link has been severed'],
  [Errno.EPROTO, 'Protocol error'],
  [Errno.EBADMSG, 'Bad message'],
  [Errno.EOVERFLOW, 'Value too large for defined data type'],
  [Errno.ENOTUNIQ, 'Name not unique on network'],
  [Errno.EBADFD, 'File descriptor in bad state'],
  [Errno.EILSEQ, 'Invalid or incomplete multibyte or wide character'],
  [Errno.EUSERS, 'Too many users'],
  [Errno.ENOTSOCK, 'Socket operation on non-socket'],
  [Errno.EDESTADDRREQ, 'Destination address required'],
  [Errno.EMSGSIZE, 'Message too long'],
  [Errno.EPROTOTYPE, 'Protocol wrong type for socket'],
  [Errno.ENOPROTOOPT, 'Protocol not available'],
  [Errno.EPROTONOSUPPORT, 'Protocol not supported'],
  [Errno.ESOCKTNOSUPPORT, 'Socket type not supported'],
  [Errno.EOPNOTSUPP, 'Operation not supported'],
  [Errno.EPFNOSUPPORT, 'Protocol family not supported'],
  [Errno.EAFNOSUPPORT, 'Address family not supported by protocol'],
  [Errno.EADDRINUSE, 'Address already in use'],
  [Errno.EADDRNOTAVAIL, 'Cannot assign requested address'],
  [Errno.ENETDOWN, 'Network is down'],
  [Errno.ENETUNREACH, 'Network is unreachable'],
  [Errno.ENETRESET, 'Network dropped connection on reset'],
  [Errno.ECONNABORTED, 'Software caused connection abort'],
  [Errno.ECONNRESET, 'Connection reset by peer'],
  [Errno.ENOBUFS, 'No buffer space available'],
  [Errno.EISCONN, 'Transport endpoint is already connected'],
  [Errno.ENOTCONN, 'Transport endpoint is not connected'],
  [Errno.ESHUTDOWN, 'Cannot send after transport endpoint shutdown'],
  [Errno.ETOOMANYREFS, 'Too many references: cannot splice'],
  [Errno.ETIMEDOUT, 'Connection timed out'],
  [Errno.ECONNREFUSED, 'Connection refused'],
  [Errno.EHOSTDOWN, 'Host is down'],
  [Errno.EHOSTUNREACH, 'No route to host'],
  [Errno.EALREADY, 'Operation already in progress'],
  [Errno.EINPROGRESS, 'Operation now in progress'],
  [Errno.ESTALE, 'Stale file handle'],
  [Errno.EUCLEAN, 'Structure needs cleaning'],
  [Errno.EDQUOT, 'Disk quota exceeded'],
  [Errno.ECANCELED, 'Operation canceled'],
])

const NAMES = new Map<number, ErrnoName>(Object.entries(Errno).map(([name, number]) => [number, name as ErrnoName]))

/** @returns glibc's text of an error number */
export function strerror(errno: number): string {
  return TEXTS.get(errno) ?? `Unknown error ${errno}`
}

/** @returns the symbolic name of an error number, such as `ENOENT` */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`
}

/**
 * What a failing system call throws. Inside the kernel, functions return negative error numbers where Linux does;
 * the system call boundary turns them into this.
 */
export class SysError extends Error {
  /** positive error number */
  readonly errno: number

  /** @param errno positive error number  @param detail where it came from, for the reader of a log only */
  constructor(errno: number, detail?: string) {
    super(detail === undefined ? strerror(errno) : `${strerror(errno)} (${detail})`)
    this.name = 'SysError'
    this.errno = errno
  }
}

/** @returns whether a thrown value is a failed system call, with one of the given error numbers if any are given */
export function isSysError(thrown: unknown, ...errnos: number[]): thrown is SysError {
  return thrown instanceof SysError && (errnos.length === 0 || errnos.includes(thrown.errno))
}
