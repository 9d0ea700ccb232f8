/** MACsec (IEEE 802.1AE): `type macsec`. */
import type { MacsecData } from '../../../src/uapi/if_link.ts'
import { CommandFailure, invarg } from '../../lib/errors.ts'
import { llAddrA2n } from '../../lib/lladdr.ts'
import { getU8, getU16, getU32, scanInteger } from '../../lib/number.ts'
import { parseOneOf, parseOnOff } from '../../lib/values.ts'
import { kindFailure, type LinkKindOf } from './kind.ts'

const HELP = `Usage: ... macsec [ [ address <lladdr> ] port { 1..2^16-1 } | sci <u64> ]
                  [ cipher { default | gcm-aes-128 | gcm-aes-256 | gcm-aes-xpn-128 | gcm-aes-xpn-256 } ]
                  [ icvlen { 8..16 } ]
                  [ encrypt { on | off } ]
                  [ send_sci { on | off } ]
                  [ end_station { on | off } ]
                  [ scb { on | off } ]
                  [ protect { on | off } ]
                  [ replay { on | off} window { 0..2^32-1 } ]
                  [ validate { strict | check | disabled } ]
                  [ encodingsa { 0..3 } ]
                  [ offload { mac | phy | off } ]
`
/** Cipher suites by their words on the command line and in listings. */
const CIPHERS: readonly (readonly [string, bigint, string])[] = [
  ['default', 0x0080020001000001n, 'GCM-AES-128'],
  ['gcm-aes-128', 0x0080c20001000001n, 'GCM-AES-128'],
  ['gcm-aes-256', 0x0080c20001000002n, 'GCM-AES-256'],
  ['gcm-aes-xpn-128', 0x0080c20001000003n, 'GCM-AES-XPN-128'],
  ['gcm-aes-xpn-256', 0x0080c20001000004n, 'GCM-AES-XPN-256'],
]
const VALIDATE = ['disabled', 'check', 'strict']
const OFFLOAD = ['off', 'phy', 'mac']
const MIN_ICV = 8
const MAX_ICV = 16
const SCI_SWITCHES = ['send_sci', 'end_station', 'scb'] as const

export const macsec: LinkKindOf<MacsecData> = {
  kind: 'macsec',
  help: HELP,

  parse(_ctx, args) {
    const data: MacsecData = {}
    if (args.is('sci')) {
      const word = args.next()
      const { value, length } = scanInteger(word, 16)
      if (length === 0 || length !== word.length || value < 0n || value >> 64n !== 0n) invarg('expected sci', word)
      data.sci = value
      args.skip()
    } else {
      let address: Uint8Array | undefined
      if (args.is('address')) {
        address = llAddrA2n(args.next())
        args.skip()
      }
      if (args.is('port')) {
        const word = args.next()
        const port = getU16(word) ?? invarg('expected port', word)
        if (port === 0) invarg('expected port != 0', word)
        data.port = port
        args.skip()
        if (address !== undefined) {
          const bytes = [...address, 0, 0, 0, 0, 0, 0].slice(0, 6)
          data.sci = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) * 65536n + BigInt(port)
          delete data.port
        }
      }
    }
    for (; args.more; args.skip()) {
      if (args.is('cipher')) {
        const word = args.next()
        const cipher = CIPHERS.find(([name]) => name === word)
        if (cipher === undefined) {
          invarg('expected: default, gcm-aes-128, gcm-aes-256, gcm-aes-xpn-128 or gcm-aes-xpn-256', word)
        }
        data.cipherSuite = cipher[1]
      } else if (args.is('icvlen')) {
        const word = args.next()
        const length = getU8(word) ?? invarg('expected ICV length', word)
        if (length < MIN_ICV || length > MAX_ICV) {
          invarg(`ICV length must be in the range {${MIN_ICV}..${MAX_ICV}}`, word)
        }
        data.icvLen = length
      } else if (args.is('encrypt')) data.encrypt = parseOnOff('encrypt', args.next()) ? 1 : 0
      else if (args.is('send_sci')) data.incSci = parseOnOff('send_sci', args.next()) ? 1 : 0
      else if (args.is('end_station')) data.es = parseOnOff('end_station', args.next()) ? 1 : 0
      else if (args.is('scb')) data.scb = parseOnOff('scb', args.next()) ? 1 : 0
      else if (args.is('protect')) data.protect = parseOnOff('protect', args.next()) ? 1 : 0
      else if (args.is('replay')) data.replayProtect = parseOnOff('replay', args.next()) ? 1 : 0
      else if (args.is('window')) {
        const word = args.next()
        data.window = getU32(word) ?? invarg('expected replay window size', word)
      } else if (args.is('validate')) data.validation = parseOneOf('validate', args.next(), VALIDATE)
      else if (args.is('encodingsa')) {
        const word = args.next()
        const sa = getU8(word)
        if (sa === undefined || sa > 3) invarg('expected an { 0..3 }', word)
        data.encodingSa = sa
      } else if (args.is('offload')) data.offload = parseOneOf('offload', args.next(), OFFLOAD)
      else throw kindFailure(`macsec: unknown command "${args.word}"?\n`, HELP)
    }
    const refuse = (text: string): never => {
      throw new CommandFailure(text, 1)
    }
    if (data.window !== undefined && data.replayProtect !== 1) {
      refuse(
        "replay window set, but replay protection not enabled. did you mean 'replay on window " + `${data.window}'?\n`,
      )
    }
    if (data.replayProtect === 1 && data.window === undefined) {
      refuse("replay protection enabled, but no window set. did you mean 'replay on window VALUE'?\n")
    }
    return data
  },

  print(_ctx, out, data) {
    const onOff = (key: string, value: number | undefined, label: string): void => {
      if (value !== undefined) out.put(key, value !== 0, `${label} ${value !== 0 ? 'on' : 'off'} `)
    }
    if (data.sci !== undefined) {
      const sci = data.sci.toString(16).padStart(16, '0')
      out.put('sci', sci, `sci ${sci} `)
    }
    onOff('protect', data.protect, 'protect')
    if (data.cipherSuite !== undefined) {
      const name = CIPHERS.find(([, id]) => id === data.cipherSuite)?.[2] ?? '(unknown)'
      out.put('cipher_suite', name, `cipher ${name} `)
    }
    if (data.icvLen !== undefined) out.put('icv_len', data.icvLen, `icvlen ${data.icvLen} `)
    if (data.encodingSa !== undefined) out.put('encoding_sa', data.encodingSa, `encodingsa ${data.encodingSa} `)
    if (data.validation !== undefined) {
      const name = VALIDATE[data.validation] ?? String(data.validation)
      out.put('validation', name, `validate ${name} `)
    }
    onOff('encrypt', data.encrypt, 'encrypt')
    for (const label of SCI_SWITCHES) {
      const [key, value] = {
        send_sci: ['inc_sci', data.incSci] as const,
        end_station: ['es', data.es] as const,
        scb: ['scb', data.scb] as const,
      }[label]
      onOff(key, value, label)
    }
    onOff('replay_protect', data.replayProtect, 'replay')
    if (data.replayProtect === 1 && data.window !== undefined) {
      out.put('window', data.window, `window ${data.window} `)
    }
    if (data.offload !== undefined && data.offload !== 0) {
      const name = OFFLOAD[data.offload] ?? String(data.offload)
      out.put('offload', name, `offload ${name} `)
    }
  },
}
