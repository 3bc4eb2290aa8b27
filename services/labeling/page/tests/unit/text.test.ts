import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf, blocks, outside, snapToWords, stepEnd, stepStart, wordAfter, wordBefore } from '../../src/model/text.ts'

const text = 'In Berlin, 🌍 people spoke. Don’t stop.'
const of = (stretch: { start: number; end: number } | null): string | null => stretch && text.slice(stretch.start, stretch.end)

test('a drag within words marks whole words, without the spaces around', () => {
  assert.equal(of(snapToWords(text, 4, 6)), 'Berlin')
  assert.equal(of(snapToWords(text, 2, 10)), 'Berlin,')
  assert.equal(of(snapToWords(text, 2, 3)), null)
  assert.equal(of(snapToWords(text, text.indexOf('Don'), text.indexOf('Don') + 1)), 'Don’t')
})

test('words of a script without spaces are words too', () => {
  const chinese = '我喜欢柏林的天气'
  const span = snapToWords(chinese, 3, 4)!
  assert.equal(chinese.slice(span.start, span.end), '柏林')
})

test('places are UTF-16 code units and never part a pair', () => {
  const globe = text.indexOf('🌍')
  assert.equal(outside(text, globe + 1), globe)
  assert.equal(outside(text, globe + 2), globe + 2)
  assert.deepEqual(snapToWords(text, globe + 1, globe + 2), { start: globe, end: globe + 2 })
})

test('words are found after and before a place', () => {
  assert.equal(of(wordAfter(text, 9)), 'people')
  assert.equal(of(wordAfter(text, text.length)), 'stop')
  assert.equal(of(wordBefore(text, 9)), 'Berlin')
  assert.equal(wordBefore(text, 1), null)
  assert.equal(wordAfter('', 0), null)
})

test('the ends of a span go by words', () => {
  const [start, end] = [3, 9]
  assert.equal(text.slice(start, stepEnd(text, end, 1)), 'Berlin, 🌍 people')
  assert.equal(stepEnd(text, end, -1), 2)
  assert.equal(stepStart(text, start, -1), 0)
  assert.equal(stepStart(text, start, 1), text.indexOf('people'))
})

test('blocks joined are the text, and a place is found in its block', () => {
  const line = 'A line of some words, and 🌍 more.\n'
  for (const long of [line.repeat(5000), 'word '.repeat(40_000), '🌍'.repeat(10_000), '\n\n\n', 'x']) {
    const cut = blocks(long, 500)
    assert.equal(cut.map((block) => block.text).join(''), long)
    assert.ok(cut.every((block) => block.text.length <= 1001))
    assert.ok(cut.every(({ start }) => outside(long, start) === start))
    for (const place of [0, Math.floor(long.length / 3), long.length - 1]) {
      const { start, text } = cut[blockOf(cut, place)]!
      assert.ok(start <= place && place < start + text.length)
    }
  }
  assert.deepEqual(blocks(''), [])
})
