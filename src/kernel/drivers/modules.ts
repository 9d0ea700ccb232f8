/** Link types that come as modules: bonds and tunnels. */
import type { KernelModule } from '../core/module.ts'
import { bondingModule } from './bonding/module.ts'

/** The modules. */
export const linkModules: readonly KernelModule[] = [bondingModule]
