/** Usage text of `ip maddress`. */
export const MADDRESS_USAGE = `Usage: ip maddr [ add | del ] MULTIADDR dev STRING
       ip maddr show [ dev STRING ]
`
