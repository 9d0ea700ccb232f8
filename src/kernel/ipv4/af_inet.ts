import type { Kernel } from '../kernel.ts'

/** Registers this subsystem with a kernel. */
export function inetInit(_kernel: Kernel): void {}
