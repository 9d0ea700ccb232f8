/** Usage text of `ip token`. */
export const TOKEN_USAGE = `Usage: ip token [ list | set | del | get ] [ TOKEN ] [ dev DEV ]
`
