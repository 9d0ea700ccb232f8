/** Flags of mount(2) and umount2(2), as in the kernel's uapi/linux/mount.h. */

export const MS_RDONLY = 1
export const MS_NOSUID = 2
export const MS_NODEV = 4
export const MS_NOEXEC = 8
export const MS_SYNCHRONOUS = 16
/** Changes the options of a mount; with MS_BIND only those of this one place. */
export const MS_REMOUNT = 32
export const MS_DIRSYNC = 128
export const MS_NOATIME = 1024
export const MS_NODIRATIME = 2048
/** Shows a file or directory at another place as well. */
export const MS_BIND = 4096
export const MS_MOVE = 8192
/** With MS_BIND and the propagation flags: the mounts below too. */
export const MS_REC = 16384
export const MS_SILENT = 32768
export const MS_UNBINDABLE = 1 << 17
export const MS_PRIVATE = 1 << 18
export const MS_SLAVE = 1 << 19
export const MS_SHARED = 1 << 20
export const MS_RELATIME = 1 << 21
export const MS_STRICTATIME = 1 << 24
export const MS_LAZYTIME = 1 << 25

/** umount2(2): takes the mount and those above away at once; what is open stays open. */
export const MNT_DETACH = 2
