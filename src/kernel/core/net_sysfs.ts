import type { Kernel } from '../kernel.ts'

/** Registers this subsystem with a kernel. */
export function netSysfsInit(_kernel: Kernel): void {}
