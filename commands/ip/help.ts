/** `ip help`. */
import type { IpObject } from './context.ts'
import { IP_USAGE } from './help/main.ts'

export const run: IpObject = ctx => ctx.usage(IP_USAGE)
