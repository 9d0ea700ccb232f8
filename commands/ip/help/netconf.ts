/** Usage text of `ip netconf`. */
export const NETCONF_USAGE = `Usage: ip netconf show [ dev STRING ]
`
