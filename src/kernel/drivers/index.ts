import type { Kernel } from '../kernel.ts'

/** Registers this subsystem with a kernel. */
export function driversInit(_kernel: Kernel): void {}
