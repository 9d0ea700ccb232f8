/** The JSON writer of iproute2's tools writes JSON. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonWriter } from '../../../commands/lib/json.ts'

type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

function write(writer: JsonWriter, key: string | undefined, value: Json): void {
  if (Array.isArray(value)) {
    writer.startArray(key)
    for (const item of value) write(writer, undefined, item)
    writer.endArray()
  } else if (typeof value === 'object' && value !== null) {
    writer.startObject(key)
    for (const [name, item] of Object.entries(value)) write(writer, name, item)
    writer.endObject()
  } else writer.value(key, value)
}

function text(value: Json, pretty: boolean): string {
  let out = ''
  write(new JsonWriter(piece => void (out += piece), pretty), undefined, value)
  return out
}

/** Text that needs no escapes but those the tools know. */
const words = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '"', '\\', '\n', '\t', 'é') })
const { value: json } = fc.letrec<{ value: Json }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small' },
    words,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value')),
    fc.dictionary(words, tie('value'), { noNullPrototype: true }),
  ),
}))

describe('the JSON writer', () => {
  it('writes what a JSON parser reads', () => {
    fc.assert(
      fc.property(json, fc.boolean(), (value, pretty) => {
        expect(JSON.parse(text(value, pretty))).toEqual(value)
      }),
    )
  })

  it('writes one line without blanks', () => {
    expect(text([{ a: 1, b: ['x', true], c: {} }], false)).toBe('[{"a":1,"b":["x",true],"c":{}}]')
  })

  it('indents names, and keeps arrays on a line', () => {
    const value: Json = [{ a: 1, b: ['x', 'y'], c: [{ d: null }, { e: [] }] }]
    expect(text(value, true)).toBe(`[ {
        "a": 1,
        "b": [ "x","y" ],
        "c": [ {
                "d": null
            },{
                "e": [ ]
            } ]
    } ]`)
  })
})
