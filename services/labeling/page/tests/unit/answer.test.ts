import assert from 'node:assert/strict'
import { test } from 'node:test'
import { obstacle, wholeToggled } from '../../src/model/answer.ts'
import { grown, nudged, ordered } from '../../src/model/editing.ts'
import { begun, changed, packed, redone, undone, unpacked } from '../../src/model/history.ts'
import { Kept } from '../../src/model/kept.ts'
import type { Keeper, Pending } from '../../src/model/kept.ts'
import { accepted, drawn, edited } from '../../src/model/regions.ts'
import type { LabelSet, Region } from '../../src/model/regions.ts'
import { answer, region, suggestion } from '../../src/model/wire.ts'

const set: LabelSet = { version: 1, classes: ['car', 'person'], kinds: ['box'], multiLabel: false, transcripts: false, attributes: [] }
const whole: LabelSet = { ...set, kinds: ['whole'] }
const box = (label = 'car'): Region => drawn({ kind: 'box', box: { x: 1, y: 2, width: 3, height: 4 } }, label)
const proposal = suggestion({ box: { x: 1, y: 2, width: 3, height: 4 }, label: 'car', score: 0.9, modelVersionId: 'm1' }, 0)

test('a proposal is no part of an answer until somebody touched it', () => {
  assert.deepEqual(answer([proposal]), [])
  assert.equal(answer([accepted(proposal)])[0]!.origin, 'REGION_ORIGIN_ACCEPTED')
  const moved = edited(proposal, { label: 'person' })
  assert.deepEqual(answer([moved])[0], {
    box: { x: 1, y: 2, width: 3, height: 4 },
    label: 'person',
    origin: 'REGION_ORIGIN_EDITED',
    regionId: 'suggestion-1',
    modelVersionId: 'm1',
    score: 0.9,
  })
  assert.equal(answer([edited(accepted(proposal), { label: 'person' })])[0]!.origin, 'REGION_ORIGIN_EDITED')
  assert.equal(answer([edited(box(), { label: 'person' })])[0]!.origin, 'REGION_ORIGIN_DRAWN')
})

test('every kind of region comes back from the contract’s JSON as it went there', () => {
  const at = { x: 1, y: 2, width: 3, height: 4 }
  const parts: Region['part'][] = [
    { kind: 'whole' },
    { kind: 'box', box: at },
    { kind: 'polygon', points: [[0, 0], [1, 0], [1, 1]] },
    { kind: 'track', keyframes: [{ frame: 3, box: at, hidden: true }] },
    { kind: 'span', start: 3, end: 9 },
    { kind: 'segment', start: 0.5, end: 1.25 },
  ]
  for (const part of parts) {
    const made = { ...drawn(part, 'car'), transcript: 'so', attributes: { colour: 'red' } }
    const [json] = answer([made])
    assert.deepEqual(region(JSON.parse(JSON.stringify(json))), made)
  }
})

test('where each sample has one class an answer needs it, and another class replaces it', () => {
  assert.equal(obstacle([], whole)?.passable, false)
  const first = wholeToggled([], drawn({ kind: 'whole' }, 'car'), whole)
  const second = wholeToggled(first, drawn({ kind: 'whole' }, 'person'), whole)
  assert.deepEqual(second.map(({ label }) => label), ['person'])
  assert.equal(obstacle(second, whole), null)
})

test('several classes are said and taken back one by one', () => {
  const several = { ...whole, multiLabel: true }
  const both = ['car', 'person'].reduce((all, label) => wholeToggled(all, drawn({ kind: 'whole' }, label), several), [] as Region[])
  assert.equal(both.length, 2)
  assert.deepEqual(wholeToggled(both, drawn({ kind: 'whole' }, 'car'), several).map(({ label }) => label), ['person'])
})

test('saying the class that is suggested accepts the suggestion', () => {
  const told = suggestion({ whole: {}, label: 'car', score: 0.8, modelVersionId: 'm1' }, 0)
  const [chosen] = wholeToggled([told], drawn({ kind: 'whole' }, 'car'), whole)
  assert.equal(chosen!.origin, 'accepted')
  assert.equal(chosen!.modelVersion, 'm1')
})

test('nothing marked, and suggestions left, are asked about; a required attribute is insisted on', () => {
  assert.equal(obstacle([], set)?.passable, true)
  assert.match(obstacle([proposal], set)!.message, /suggestion is not accepted/)
  const strict = { ...set, attributes: [{ name: 'colour', values: ['red'], classes: ['car'], required: true }] }
  const marked = box()
  assert.deepEqual(obstacle([marked], strict), { message: 'Say “colour” of this car first: press t.', regionId: marked.id, passable: false })
  assert.equal(obstacle([{ ...marked, attributes: { colour: 'red' } }], strict), null)
  assert.equal(obstacle([box('person')], strict), null)
})

test('undo goes back to the beginning and redo to the end; a change after an undo ends what was undone', () => {
  const steps = [[], [box()], [box(), box()]] as Region[][]
  let history = steps.slice(1).reduce(changed, begun(steps[0]!))
  for (let i = 0; i < 5; i++) history = undone(history)
  assert.equal(history.now, steps[0])
  for (let i = 0; i < 5; i++) history = redone(history)
  assert.equal(history.now, steps[2])
  assert.deepEqual(changed(undone(history), []).future, [])
})

test('a history comes back from the disk with all its steps, each region kept once', () => {
  const shared = box()
  const history = undone([[shared], [shared, box()], [shared]].reduce(changed, begun([])))
  const text = packed(history)
  assert.deepEqual(unpacked(text), history)
  assert.equal(text.split(shared.id).length - 1, 1)
})

test('arrows move by pixels, frames and words', () => {
  const scene = { extent: { width: 100, height: 100, frames: 0, fps: 0, seconds: 10, codeUnits: 20 }, frame: 0, text: 'one two three four' }
  assert.deepEqual(nudged({ kind: 'segment', start: 1, end: 2 }, [-300, 0], scene), { kind: 'segment', start: 0, end: 1 })
  assert.deepEqual(grown({ kind: 'segment', start: 1, end: 2 }, [-500, 0], scene), { kind: 'segment', start: 1, end: 1.01 })
  assert.deepEqual(nudged({ kind: 'span', start: 0, end: 3 }, [1, 0], scene), { kind: 'span', start: 4, end: 7 })
  assert.deepEqual(grown({ kind: 'span', start: 4, end: 7 }, [1, 0], scene), { kind: 'span', start: 4, end: 13 })
  assert.deepEqual(grown({ kind: 'span', start: 4, end: 7 }, [-9, 0], scene), { kind: 'span', start: 4, end: 7 })
})

test('stretches are gone through by their place, pictures’ regions as they were made', () => {
  const span = (start: number): Region => drawn({ kind: 'span', start, end: start + 1 }, 'car')
  const spans = [span(5), span(1)]
  assert.deepEqual(ordered(spans), [spans[1], spans[0]])
  const boxes = [box(), box()]
  assert.deepEqual(ordered([drawn({ kind: 'whole' }, 'car'), ...boxes]), boxes)
})

/** Storage of a browser that holds so many characters. */
function storage(room: number): Keeper {
  const all = new Map<string, string>()
  return {
    getItem: (key) => all.get(key) ?? null,
    setItem: (key, value) => {
      const used = [...all].reduce((sum, [name, text]) => sum + (name === key ? 0 : text.length), 0)
      if (used + value.length > room) throw new Error('QuotaExceededError')
      all.set(key, value)
    },
    removeItem: (key) => void all.delete(key),
    key: (index) => [...all.keys()][index] ?? null,
    get length() {
      return all.size
    },
  }
}
const pending = (requestId: string, at: number): Pending => ({ requestId, at, projectId: 'p', taskId: requestId, labelSetVersion: 1, regions: [], timeSpentS: 1 })

test('a draft belongs to a person, a task and a version of its label set', () => {
  const disk = storage(1e6)
  const kept = new Kept(disk, 'ada')
  kept.keepDraft('t', 1, begun([box()]), 7, 0)
  assert.equal(kept.draft('t', 1)!.history.now.length, 1)
  assert.equal(kept.draft('t', 1)!.seconds, 7)
  assert.equal(kept.draft('t', 2), null)
  assert.equal(new Kept(disk, 'bob').draft('t', 1), null)
})

test('answers under way come out in the order in which they were given, each until it is dropped', () => {
  const kept = new Kept(storage(1e6), 'ada')
  kept.add(pending('b', 2))
  kept.add(pending('a', 1))
  assert.deepEqual(kept.pending().map(({ requestId }) => requestId), ['a', 'b'])
  kept.drop('a')
  assert.deepEqual(kept.pending().map(({ requestId }) => requestId), ['b'])
})

test('a full disk loses old drafts before it loses an answer', () => {
  const kept = new Kept(storage(600), 'ada')
  kept.keepDraft('old', 1, begun([box()]), 0, 1)
  kept.keepDraft('new', 1, begun([box()]), 0, 2)
  kept.add(pending('a', 1))
  assert.equal(kept.pending().length, 1)
  assert.equal(kept.draft('old', 1), null)
  assert.notEqual(kept.draft('new', 1), null)
})
