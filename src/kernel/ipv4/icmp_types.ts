/** Types and codes of ICMP (RFC 792, 1122, 1812, 4884), and which error each is to a socket. */
import { Errno } from '../../uapi/errno.ts'

export const ICMP_ECHOREPLY = 0
export const ICMP_DEST_UNREACH = 3
export const ICMP_SOURCE_QUENCH = 4
export const ICMP_REDIRECT = 5
export const ICMP_ECHO = 8
export const ICMP_TIME_EXCEEDED = 11
export const ICMP_PARAMETERPROB = 12
export const ICMP_TIMESTAMP = 13
export const ICMP_TIMESTAMPREPLY = 14
export const ICMP_INFO_REQUEST = 15
export const ICMP_INFO_REPLY = 16
export const ICMP_ADDRESS = 17
export const ICMP_ADDRESSREPLY = 18
/** the last type that handlers are kept for */
export const NR_ICMP_TYPES = 18
/** extended echo (RFC 8335) */
export const ICMP_EXT_ECHO = 42
export const ICMP_EXT_ECHOREPLY = 43

/** Codes of ICMP_DEST_UNREACH. */
export const ICMP_NET_UNREACH = 0
export const ICMP_HOST_UNREACH = 1
export const ICMP_PROT_UNREACH = 2
export const ICMP_PORT_UNREACH = 3
export const ICMP_FRAG_NEEDED = 4
export const ICMP_SR_FAILED = 5
export const ICMP_NET_UNKNOWN = 6
export const ICMP_HOST_UNKNOWN = 7
export const ICMP_HOST_ISOLATED = 8
export const ICMP_NET_ANO = 9
export const ICMP_HOST_ANO = 10
export const ICMP_NET_UNR_TOS = 11
export const ICMP_HOST_UNR_TOS = 12
export const ICMP_PKT_FILTERED = 13
export const ICMP_PREC_VIOLATION = 14
export const ICMP_PREC_CUTOFF = 15
export const NR_ICMP_UNREACH = 15

/** Codes of ICMP_REDIRECT. */
export const ICMP_REDIR_NET = 0
export const ICMP_REDIR_HOST = 1

/** Codes of ICMP_TIME_EXCEEDED. */
export const ICMP_EXC_TTL = 0
export const ICMP_EXC_FRAGTIME = 1

/** Length of the header, bytes. */
export const ICMP_HLEN = 8

/** What a code of ICMP_DEST_UNREACH means to a socket: the error, and whether a connection ends at once. */
export const ICMP_ERR_CONVERT: readonly { readonly errno: number; readonly fatal: boolean }[] = [
  { errno: Errno.ENETUNREACH, fatal: false },
  { errno: Errno.EHOSTUNREACH, fatal: false },
  { errno: Errno.ENOPROTOOPT, fatal: true },
  { errno: Errno.ECONNREFUSED, fatal: true },
  { errno: Errno.EMSGSIZE, fatal: false },
  { errno: Errno.EOPNOTSUPP, fatal: false },
  { errno: Errno.ENETUNREACH, fatal: true },
  { errno: Errno.EHOSTDOWN, fatal: true },
  { errno: 64, fatal: true },
  { errno: Errno.ENETUNREACH, fatal: true },
  { errno: Errno.EHOSTUNREACH, fatal: true },
  { errno: Errno.ENETUNREACH, fatal: false },
  { errno: Errno.EHOSTUNREACH, fatal: false },
  { errno: Errno.EHOSTUNREACH, fatal: true },
  { errno: Errno.EHOSTUNREACH, fatal: true },
  { errno: Errno.EHOSTUNREACH, fatal: true },
]

/** @returns whether a type is an error message; unknown ones are taken for errors */
export function icmpIsError(type: number): boolean {
  switch (type) {
    case ICMP_DEST_UNREACH:
    case ICMP_SOURCE_QUENCH:
    case ICMP_REDIRECT:
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAMETERPROB:
      return true
    case 1:
    case 2:
    case 6:
    case 7:
    case 9:
    case 10:
      return true
    default:
      return type > NR_ICMP_TYPES
  }
}
