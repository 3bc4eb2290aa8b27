import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commandOf, help, KEYS, nameOf } from '../../src/keys.ts'
import type { Command, Where } from '../../src/keys.ts'
import type { Kind, LabelSet } from '../../src/model/regions.ts'
import type { Modality } from '../../src/model/wire.ts'
import { clock, lanes, levels, ticks, zoomed } from '../../src/model/timeline.ts'

const set = (kinds: Kind[]): LabelSet => ({ version: 1, classes: ['a'], kinds, multiLabel: false, transcripts: true, attributes: [] })
const PLACES: [Modality, Kind[]][] = [
  ['image', ['whole']],
  ['image', ['whole', 'box', 'polygon']],
  ['text', ['whole', 'span']],
  ['audio', ['segment']],
  ['video', ['track', 'segment']],
]
const EVERYWHERE: Where[] = PLACES.map(([modality, kinds]) => ({ modality, labelSet: set(kinds) }))
const press = { key: 'a', code: 'KeyA', shiftKey: false, ctrlKey: false, metaKey: false, altKey: false }

test('no key means two things in one place', () => {
  for (const where of EVERYWHERE) {
    const bound = (Object.keys(KEYS) as Command[]).flatMap((command) => KEYS[command].keys.filter((key) => commandOf(key, where) !== null).map((key) => [key, command] as const))
    const here = bound.filter(([, command]) => KEYS[command].keys.some((key) => commandOf(key, where) === command))
    for (const [key, command] of here) assert.equal(commandOf(key, where), command, `${key} in ${where.modality}`)
  }
})

test('no key of the browser is bound', () => {
  const browsers = /^(Mod\+(?!z$|y$|Shift\+z$|Enter$).*|F\d+|Alt.*)$/
  for (const { keys } of Object.values(KEYS)) for (const key of keys) assert.doesNotMatch(key, browsers)
})

test('help names every key that works in a place, and none that does not', () => {
  for (const where of EVERYWHERE) {
    const told = help(where).flatMap(([, lines]) => lines.map(({ does }) => does))
    const works = (Object.keys(KEYS) as Command[]).filter((command) => commandOf(KEYS[command].keys[0], where) === command)
    assert.deepEqual(new Set(told), new Set(works.map((command) => KEYS[command].does)))
  }
})

test('Alt is the browser’s, Caps Lock is no Shift, and a letter is its key in any layout', () => {
  assert.equal(nameOf({ ...press, altKey: true }), '')
  assert.equal(nameOf({ ...press, key: 'A' }), 'a')
  assert.equal(nameOf({ ...press, key: 'A', shiftKey: true }), 'Shift+a')
  assert.equal(nameOf({ ...press, key: 'ф', code: 'KeyA' }), 'a')
  assert.equal(nameOf({ ...press, key: 'z', metaKey: true }), 'Mod+z')
  assert.equal(nameOf({ ...press, key: '?', shiftKey: true }), '?')
  assert.equal(nameOf({ ...press, key: ' ', shiftKey: true }), 'Shift+Space')
})

test('a timeline zooms around a time and never beyond its ends', () => {
  assert.deepEqual(zoomed({ start: 0, end: 100 }, 25, 2, 100), { start: 12.5, end: 62.5 })
  assert.deepEqual(zoomed({ start: 0, end: 50 }, 0, 2, 100), { start: 0, end: 25 })
  assert.equal(zoomed({ start: 10, end: 60 }, 30, 0.1, 100), null)
})

test('ticks are at round times', () => {
  assert.deepEqual(ticks({ start: 0, end: 10 }, 900).map(({ label }) => label), ['0:00', '0:01', '0:02', '0:03', '0:04', '0:05', '0:06', '0:07', '0:08', '0:09', '0:10'])
  assert.equal(clock(3725.5, 1), '1:02:05.5')
})

test('stretches that overlap get rows of their own', () => {
  assert.deepEqual(lanes([{ start: 5, end: 9 }, { start: 0, end: 6 }, { start: 6, end: 7 }]), [1, 0, 0])
})

test('levels are an outline for each pixel', () => {
  assert.equal(levels([[-1, 1], [-0.5, 0.25]], 2, { start: 0, end: 2 }, 2), 'M0 -1.000h1V1.000h-1zM1 -0.250h1V0.500h-1z')
})
