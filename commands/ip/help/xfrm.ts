/** Usage text of `ip xfrm`. */
export const XFRM_USAGE = `Usage: ip xfrm XFRM-OBJECT { COMMAND | help }
where  XFRM-OBJECT := state | policy | monitor
`
