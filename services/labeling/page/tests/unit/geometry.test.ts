import assert from 'node:assert/strict'
import { test } from 'node:test'
import { area, boxBetween, clampBox, dragHandle, growBox, growPoints, iou, moveBox, movePoints, nearestEdge } from '../../src/model/geometry.ts'
import type { Box, Point } from '../../src/model/regions.ts'
import { fit, panBy, reveal, toMedia, zoomAt } from '../../src/model/view.ts'

const picture = { width: 100, height: 80 }
const box: Box = { x: 10, y: 20, width: 30, height: 40 }

test('a box is the same whichever corner a drag begins at', () => {
  const wanted = { x: 1, y: 2, width: 3, height: 4 }
  assert.deepEqual(boxBetween([1, 2], [4, 6]), wanted)
  assert.deepEqual(boxBetween([4, 2], [1, 6]), wanted)
  assert.deepEqual(boxBetween([4, 6], [1, 2]), wanted)
})

test('a moved box keeps its size and stays in the picture', () => {
  assert.deepEqual(moveBox(box, [5, -7], picture), { x: 15, y: 13, width: 30, height: 40 })
  assert.deepEqual(moveBox(box, [-50, 99], picture), { x: 0, y: 40, width: 30, height: 40 })
})

test('a moved outline keeps its form and stays in the picture', () => {
  const moved = movePoints([[90, 10], [100, 10], [95, 20]], [50, -50], picture)
  assert.deepEqual(moved, [[90, 0], [100, 0], [95, 10]])
})

test('a box grows to the right and down, at least one pixel large and within the picture', () => {
  assert.deepEqual(growBox(box, [1, 2], picture), { x: 10, y: 20, width: 31, height: 42 })
  assert.deepEqual(growBox(box, [-99, 99], picture), { x: 10, y: 20, width: 1, height: 60 })
})

test('an outline grows away from its upper left corner', () => {
  const points: Point[] = [[10, 10], [20, 10], [20, 20]]
  assert.deepEqual(growPoints(points, [10, 0], picture), [[10, 10], [30, 10], [30, 20]])
})

test('a handle dragged past the other side turns the box over', () => {
  assert.deepEqual(dragHandle(box, 'se', [50, 70]), { x: 10, y: 20, width: 40, height: 50 })
  assert.deepEqual(dragHandle(box, 'w', [60, 0]), { x: 40, y: 20, width: 20, height: 40 })
})

test('what lies outside of the picture is cut off', () => {
  assert.deepEqual(clampBox({ x: -5, y: 70, width: 20, height: 20 }, picture), { x: 0, y: 70, width: 15, height: 10 })
})

test('intersection over union is 1 of itself, 0 apart, and a third for a half shared', () => {
  assert.equal(iou(box, box), 1)
  assert.equal(iou(box, { ...box, x: 40 }), 0)
  assert.equal(iou(box, { ...box, x: 25 }), 1 / 3)
  assert.equal(iou({ ...box, width: 0 }, { ...box, width: 0 }), 0)
})

test('the area of a triangle is half of its square, in either direction', () => {
  assert.equal(area([[0, 0], [10, 0], [0, 10]]), 50)
  assert.equal(area([[0, 10], [10, 0], [0, 0]]), 50)
})

test('the nearest edge is found, the closing one too', () => {
  const square: Point[] = [[0, 0], [10, 0], [10, 10], [0, 10]]
  assert.equal(nearestEdge(square, [5, 1]), 0)
  assert.equal(nearestEdge(square, [9, 5]), 1)
  assert.equal(nearestEdge(square, [1, 5]), 3)
})

test('zooming leaves the place under the cursor where it is', () => {
  const stage = { width: 400, height: 300 }
  const view = fit(picture, stage)
  const cursor: Point = [123, 77]
  const zoomed = zoomAt(view, cursor, 2.5, picture, stage)
  assert.ok(zoomed.scale > view.scale)
  toMedia(zoomed, cursor).forEach((place, i) => assert.ok(Math.abs(place - toMedia(view, cursor)[i]!) < 1e-9))
})

test('all of a picture is shown in the middle, whatever its form', () => {
  const stage = { width: 424, height: 104 }
  const view = fit(picture, stage)
  assert.equal(view.scale, 1)
  assert.deepEqual(toMedia(view, [212, 52]), [50, 40])
})

test('a box out of sight is brought into it; one in sight moves nothing', () => {
  const stage = { width: 50, height: 50 }
  const view = { x: 0, y: 0, scale: 1 }
  assert.equal(reveal(view, { x: 5, y: 5, width: 10, height: 10 }, stage), view)
  assert.deepEqual(reveal(view, { x: 80, y: 60, width: 10, height: 10 }, stage), { x: 60, y: 40, scale: 1 })
  assert.ok(reveal(view, { x: 0, y: 0, width: 100, height: 10 }, stage).scale < 1)
  assert.deepEqual(panBy(view, [10, 0]), { x: -10, y: 0, scale: 1 })
})
