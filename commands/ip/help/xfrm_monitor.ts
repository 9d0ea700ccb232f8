/** Usage text of `ip xfrm monitor`. */
export const XFRM_MONITOR_USAGE = `Usage: ip xfrm monitor [ nokeys ] [ all-nsid ] [ all | OBJECTS | help ]
OBJECTS := { acquire | expire | SA | aevent | policy | report }
`
