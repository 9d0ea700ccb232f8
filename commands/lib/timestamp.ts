/** Stamps of monitors. */
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** @returns the stamp that -timestamp or -tshort puts before a notification. @param ns since the epoch */
export function formatTimestamp(ns: number, short: boolean): string {
  const micros = Math.floor(ns / 1000)
  const usec = micros % 1e6
  const date = new Date(Math.floor(micros / 1e6) * 1000)
  const iso = date.toISOString().slice(0, 19)
  if (short) return `[${iso}.${String(usec).padStart(6, '0')}] `
  const day = String(date.getUTCDate()).padStart(2)
  const text = `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${day} ${iso.slice(11)} ${date.getUTCFullYear()}`
  return `Timestamp: ${text} ${usec} usec\n`
}
