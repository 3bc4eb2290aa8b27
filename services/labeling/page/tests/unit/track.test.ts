import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Box, Keyframe } from '../../src/model/regions.ts'
import { boxAt, frameAt, hideToggled, interpolated, keyToggled, nextKeyframe, placed, timeOf, visible } from '../../src/model/track.ts'

const at = (x: number): Box => ({ x, y: 0, width: 10, height: 10 })
const key = (frame: number, x: number, hidden = false): Keyframe => ({ frame, box: at(x), hidden })
const track = [key(10, 0), key(20, 100), key(30, 100, true), key(40, 0)]

test('between two keyframes a box moves linearly; after the last it rests', () => {
  assert.deepEqual(boxAt(track, 10), at(0))
  assert.deepEqual(boxAt(track, 15), at(50))
  assert.deepEqual(boxAt(track, 99), at(0))
})

test('nothing is seen before the first keyframe and while hidden', () => {
  assert.equal(boxAt(track, 9), null)
  assert.equal(boxAt(track, 35), null)
  assert.deepEqual(interpolated(track, 35), at(50))
})

test('a place that is said makes a keyframe, or changes the one there is', () => {
  assert.deepEqual(placed(track, 15, at(7)).map(({ frame }) => frame), [10, 15, 20, 30, 40])
  assert.deepEqual(placed(track, 20, at(7))[1], key(20, 7))
  assert.equal(placed(track, 30, at(7))[2]!.hidden, false)
})

test('a track goes out of sight and comes back where it would be', () => {
  const gone = hideToggled(track, 15)
  assert.equal(boxAt(gone, 16), null)
  assert.deepEqual(hideToggled(gone, 18).find(({ frame }) => frame === 18), key(18, 80))
  assert.equal(hideToggled(track, 0), track)
})

test('a keyframe is made without moving anything, and taken away; the only one stays', () => {
  const more = keyToggled(track, 15)
  assert.deepEqual(boxAt(more, 12), boxAt(track, 12))
  assert.deepEqual(keyToggled(more, 15), track)
  assert.deepEqual(keyToggled([key(3, 1)], 3), [key(3, 1)])
})

test('it is visible until hidden, and to the end of the video', () => {
  assert.deepEqual(visible(track, 50), [[10, 20], [20, 30], [40, 50]])
})

test('the keyframes before and after a frame are found', () => {
  assert.equal(nextKeyframe(track, 10, 1), 20)
  assert.equal(nextKeyframe(track, 10, -1), null)
  assert.equal(nextKeyframe(track, 25, -1), 20)
})

test('every frame is the frame of its own time, at rates that no binary number holds', () => {
  for (const fps of [10, 23.976, 24, 25, 29.97, 30, 59.94, 60]) {
    for (let frame = 0; frame < 20_000; frame += 7) {
      assert.equal(frameAt(timeOf(frame, fps), fps), frame)
      assert.equal(frameAt(frame / fps, fps), frame) // what a browser says of the picture on the screen
    }
  }
})
