import type { Kernel } from '../kernel.ts'

/** Registers this subsystem with a kernel. */
export function packetInit(_kernel: Kernel): void {}
