/** Usage text of `ip addrlabel`. */
export const ADDRLABEL_USAGE = `Usage: ip addrlabel { add | del } prefix PREFIX [ dev DEV ] [ label LABEL ]
       ip addrlabel [ list | flush | help ]
`
