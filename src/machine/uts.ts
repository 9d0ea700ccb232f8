/** Who the machine says it is: the reference computer's kernel release and hardware. */

export const SYSNAME = 'Linux'
export const RELEASE = '6.1.0-56-amd64'
export const VERSION = '#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)'
export const MACHINE = 'x86_64'
/** /proc/version */
export const BANNER = `${SYSNAME} version ${RELEASE} (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) ${VERSION}`
/** kernel command line */
export const CMDLINE = 'console=ttyS0 quiet panic=-1 mitigations=off'
/** memory of the machine, kB */
export const MEM_TOTAL = 1_459_172
