/** CAN controllers: `type can`, settings of an existing device. */
import type { PlainAttrs } from '../../../src/uapi/if_link.ts'
import { invarg } from '../../lib/errors.ts'
import { scanFloat } from '../../lib/number.ts'
import { onOff, u16, u32 } from '../../lib/values.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'

const HELP = `Usage: ip link set DEVICE type can
	[ bitrate BITRATE [ sample-point SAMPLE-POINT] ] |
	[ tq TQ prop-seg PROP_SEG phase-seg1 PHASE-SEG1
 	  phase-seg2 PHASE-SEG2 [ sjw SJW ] ]

	[ dbitrate BITRATE [ dsample-point SAMPLE-POINT] ] |
	[ dtq TQ dprop-seg PROP_SEG dphase-seg1 PHASE-SEG1
 	  dphase-seg2 PHASE-SEG2 [ dsjw SJW ] ]
	[ tdcv TDCV tdco TDCO tdcf TDCF ]

	[ loopback { on | off } ]
	[ listen-only { on | off } ]
	[ triple-sampling { on | off } ]
	[ one-shot { on | off } ]
	[ berr-reporting { on | off } ]
	[ fd { on | off } ]
	[ fd-non-iso { on | off } ]
	[ presume-ack { on | off } ]
	[ cc-len8-dlc { on | off } ]
	[ tdc-mode { auto | manual | off } ]

	[ restart-ms TIME-MS ]
	[ restart ]

	[ termination { 0..65535 } ]

	Where: BITRATE	:= { NUMBER in bps }
		  SAMPLE-POINT	:= { 0.000..0.999 }
		  TQ		:= { NUMBER in ns }
		  PROP-SEG	:= { NUMBER in tq }
		  PHASE-SEG1	:= { NUMBER in tq }
		  PHASE-SEG2	:= { NUMBER in tq }
		  SJW		:= { NUMBER in tq }
		  TDCV		:= { NUMBER in tc }
		  TDCO		:= { NUMBER in tc }
		  TDCF		:= { NUMBER in tc }
		  RESTART-MS	:= { 0 | NUMBER in ms }
`
/** Options with a number of 32 bits. */
const NUMBERS: readonly (readonly [string, string])[] = [
  ['bitrate', 'bitrate'],
  ['tq', 'tq'],
  ['prop-seg', 'propSeg'],
  ['phase-seg1', 'phaseSeg1'],
  ['phase-seg2', 'phaseSeg2'],
  ['sjw', 'sjw'],
  ['dbitrate', 'dbitrate'],
  ['dtq', 'dtq'],
  ['dprop-seg', 'dpropSeg'],
  ['dphase-seg1', 'dphaseSeg1'],
  ['dphase-seg2', 'dphaseSeg2'],
  ['dsjw', 'dsjw'],
  ['tdcv', 'tdcv'],
  ['tdco', 'tdco'],
  ['tdcf', 'tdcf'],
  ['restart-ms', 'restartMs'],
]

/** Modes that are on or off, with their bits. */
const MODES: readonly (readonly [string, number])[] = [
  ['loopback', 0x01],
  ['listen-only', 0x02],
  ['triple-sampling', 0x04],
  ['one-shot', 0x08],
  ['berr-reporting', 0x10],
  ['fd', 0x20],
  ['fd-non-iso', 0x80],
  ['presume-ack', 0x40],
  ['cc-len8-dlc', 0x100],
]

export const can: LinkKindOf<PlainAttrs> = {
  kind: 'can',
  help: HELP,

  parse(_ctx, args) {
    const data: PlainAttrs = {}
    let mask = 0
    let flags = 0
    for (; args.more; args.skip()) {
      const number = NUMBERS.find(([name]) => args.matches(name))
      const mode = MODES.find(([name]) => args.is(name)) ?? MODES.find(([name]) => args.matches(name))
      if (number !== undefined) data[number[1]] = u32(args.next(), `invalid "${number[0]}" value\n`)
      else if (args.matches('sample-point') || args.matches('dsample-point')) {
        const key = args.word.startsWith('d') ? 'dsamplePoint' : 'samplePoint'
        const word = args.next()
        const { value, length } = scanFloat(word)
        if (length === 0 || length !== word.length)
          invarg(`invalid "${key === 'samplePoint' ? '' : 'd'}sample-point" value\n`, word)
        data[key] = Math.round(value * 1000)
      } else if (mode !== undefined) {
        const on = onOff(mode[0], args.next())
        mask |= mode[1]
        flags = on ? flags | mode[1] : flags & ~mode[1]
      } else if (args.matches('restart')) data['restart'] = 1
      else if (args.matches('termination')) data['termination'] = u16(args.next(), 'invalid "termination" value\n')
      else if (args.matches('help')) throw kindFailure('', HELP)
      else throw kindFailure(`can: unknown option "${args.word}"\n`, HELP)
    }
    if (mask !== 0) {
      data['ctrlmodeMask'] = mask
      data['ctrlmodeFlags'] = flags
    }
    return data
  },
}
