import type { Kernel } from '../kernel.ts'

/** Registers this subsystem with a kernel. */
export function rtnlLinkInit(_kernel: Kernel): void {}
