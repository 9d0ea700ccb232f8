import type { Kernel } from '../kernel.ts'

/** Registers this subsystem with a kernel. */
export function inet6Init(_kernel: Kernel): void {}
