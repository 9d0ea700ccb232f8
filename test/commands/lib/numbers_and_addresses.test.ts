/** Numbers, addresses and prefixes on the command lines of iproute2's tools. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatAddress, formatIpv4, formatIpv6, parseIpv4, parseIpv6, parsePrefix } from '../../../commands/lib/inet.ts'
import { llAddrN2a, parseLlAddr } from '../../../commands/lib/lladdr.ts'
import { atoi, getInteger, getU8, getU16, getU32, getU64 } from '../../../commands/lib/number.ts'
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../../src/uapi/socket.ts'

/** A number written in decimal, octal or hexadecimal, as base 0 reads it. */
const written = (value: bigint | number): fc.Arbitrary<string> =>
  fc.constantFrom(value.toString(), `0x${value.toString(16)}`, `0X${value.toString(16)}`, `0${value.toString(8)}`)

describe('numbers', () => {
  it('are read in every base', () => {
    const cases = fc
      .bigInt({ min: 0n, max: 0xffffffffffffffffn })
      .chain(value => fc.tuple(fc.constant(value), written(value)))
    fc.assert(
      fc.property(cases, ([value, word]) => {
        expect(getU64(word)).toBe(value)
        expect(getU32(word)).toBe(value <= 0xffffffffn ? Number(value) : undefined)
        expect(getU16(word)).toBe(value <= 0xffffn ? Number(value) : undefined)
        expect(getU8(word)).toBe(value <= 0xffn ? Number(value) : undefined)
      }),
    )
  })

  it('are whole words', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom('x', ' ', '.', '/', 'g'), (value, after) => {
        expect(getU32(`${value}${after}`)).toBeUndefined()
        expect(getInteger(`${value}${after}`)).toBeUndefined()
        expect(atoi(`${value}${after}`)).toBe(value)
      }),
    )
  })

  it('may be negative where the type is', () => {
    fc.assert(
      fc.property(fc.integer(), value => {
        expect(getInteger(String(value))).toBe(value)
      }),
    )
    expect(getU32('-1')).toBeUndefined()
    expect(getU64('-1')).toBe(0xffffffffffffffffn)
    expect(getInteger('2147483648')).toBeUndefined()
  })

  it('are 0 to atoi where there is none', () => {
    expect([atoi('x'), atoi(''), atoi('0x10'), atoi(' 12y'), atoi('-3')]).toEqual([0, 0, 0, 12, -3])
  })

  it('are octal after a leading 0, and 08 is none', () => {
    expect([getU8('010'), getU8('08'), getU8('0x'), getU8('')]).toEqual([8, undefined, undefined, undefined])
  })
})

const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
const groups = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(0xffff)), {
  minLength: 8,
  maxLength: 8,
})
const bytesOfGroups = (list: readonly number[]): Uint8Array =>
  Uint8Array.from(list.flatMap(word => [word >> 8, word & 255]))

describe('IPv4 addresses', () => {
  it('survive being written and read', () => {
    fc.assert(
      fc.property(octets, list => {
        expect([...parseIpv4(formatIpv4(Uint8Array.from(list)))!]).toEqual(list)
      }),
    )
  })

  it('have octets of any base, and missing ones are 0', () => {
    const cases = fc
      .tuple(octets, fc.integer({ min: 1, max: 4 }))
      .chain(([list, count]) =>
        fc.tuple(
          fc.constant(list.map((octet, i) => (i < count ? octet : 0))),
          fc.tuple(...list.slice(0, count).map(written)),
        ),
      )
    fc.assert(
      fc.property(cases, ([list, words]) => {
        expect([...parseIpv4(words.join('.'))!]).toEqual(list)
      }),
    )
  })

  it.each(['', '256', '1.2.3.4.5', '1..2', '1.2.3.x', '.1', '1.', '-1'])('are not %j', word => {
    expect(parseIpv4(word)).toBeUndefined()
  })
})

describe('IPv6 addresses', () => {
  it('survive being written and read', () => {
    fc.assert(
      fc.property(groups, list => {
        const bytes = bytesOfGroups(list)
        expect(parseIpv6(formatIpv6(bytes))).toEqual(bytes)
      }),
    )
  })

  it('are written as a URL has them, but for embedded IPv4 addresses', () => {
    fc.assert(
      fc.property(groups, list => {
        const text = formatIpv6(bytesOfGroups(list))
        if (text.includes('.')) return
        const full = list.map(word => word.toString(16)).join(':')
        expect(`[${text}]`).toBe(new URL(`http://[${full}]/`).hostname)
      }),
    )
  })

  it('embed IPv4 addresses where inet_ntop(3) does', () => {
    const text = (...list: number[]): string => formatIpv6(bytesOfGroups(list))
    expect(text(0, 0, 0, 0, 0, 0xffff, 0x0a00, 1)).toBe('::ffff:10.0.0.1')
    expect(text(0, 0, 0, 0, 0, 0, 0x0a00, 1)).toBe('::10.0.0.1')
    expect(text(0, 0, 0, 0, 0, 0, 0, 1)).toBe('::1')
    expect(text(0, 0, 0, 0, 0, 0, 0, 0)).toBe('::')
  })

  it.each(['', ':', ':::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', '12345::', '::g', '::1.2.3', '1.2.3.4'])(
    'are not %j',
    word => expect(parseIpv6(word)).toBeUndefined(),
  )
})

describe('prefixes', () => {
  it('have the length after the slash, or all bits', () => {
    fc.assert(
      fc.property(octets, fc.option(fc.nat(32)), (list, length) => {
        const address = formatIpv4(Uint8Array.from(list))
        const prefix = parsePrefix(length === null ? address : `${address}/${length}`)!
        expect({ ...prefix, data: [...prefix.data] }).toEqual({
          family: AF_INET,
          data: list,
          bitlen: length ?? 32,
          specified: length !== null,
        })
      }),
    )
  })

  it.each([
    ['10.9/16', AF_UNSPEC, AF_INET, '10.9.0.0', 16],
    ['10.0.0', AF_UNSPEC, AF_INET, '10.0.0.0', 32],
    ['0x0a.010/8', AF_UNSPEC, AF_INET, '10.8.0.0', 8],
    ['10.0.0.0/255.255.0.0', AF_UNSPEC, AF_INET, '10.0.0.0', 16],
    ['::/0', AF_UNSPEC, AF_INET6, '::', 0],
    ['2001:db8::1', AF_INET6, AF_INET6, '2001:db8::1', 128],
    ['default', AF_INET, AF_INET, '0.0.0.0', 0],
    ['default', AF_INET6, AF_INET6, '::', 0],
  ])('%s read for family %i is of family %i: %s/%i', (word, asked, family, address, bitlen) => {
    const prefix = parsePrefix(word, asked)!
    expect([prefix.family, formatAddress(prefix.family, prefix.data), prefix.bitlen]).toEqual([family, address, bitlen])
  })

  it('are nothing for any and all', () => {
    for (const word of ['any', 'all'])
      expect(parsePrefix(word)).toMatchObject({ bitlen: 0, specified: false, data: new Uint8Array(0) })
  })

  it.each(['10.0.0.0/33', '::/129', 'default/8', '10.0.0.0/', '10.0.0.0/x', '/8', '10.0.0.0/255.0.255.0'])(
    'are not %j',
    word => {
      expect(parsePrefix(word)).toBeUndefined()
    },
  )

  it('are of the family asked for', () => {
    expect(parsePrefix('::1', AF_INET)).toBeUndefined()
    expect(parsePrefix('10.0.0.1', AF_INET6)).toBeUndefined()
  })
})

describe('link-layer addresses', () => {
  it('survive being written and read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 32 }), bytes => {
        expect(parseLlAddr(llAddrN2a(bytes, 1))).toEqual(bytes)
      }),
    )
  })

  it('may be IPv4 addresses', () => {
    expect([...parseLlAddr('10.0.0.1')!]).toEqual([10, 0, 0, 1])
    expect(llAddrN2a(Uint8Array.of(10, 0, 0, 1), 768)).toBe('10.0.0.1')
    expect(llAddrN2a(Uint8Array.of(10, 0, 0, 1), 1)).toBe('0a:00:00:01')
  })

  it.each(['', 'x', '02:', '100:00', '02::01'])('are not %j', word => expect(parseLlAddr(word)).toBeUndefined())
})
