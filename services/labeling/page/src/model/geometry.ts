// Boxes and outlines in pixels of the picture; x grows to the right, y downwards.
import type { Box, Point } from './regions.ts'

export type Size = { width: number; height: number }

const between = (low: number, value: number, high: number): number => Math.min(Math.max(value, low), high)

/** The box between two corners, whichever they are. */
export const boxBetween = ([ax, ay]: Point, [bx, by]: Point): Box => ({
  x: Math.min(ax, bx),
  y: Math.min(ay, by),
  width: Math.abs(ax - bx),
  height: Math.abs(ay - by),
})

/** Its corners, clockwise from the upper left one. */
export const corners = ({ x, y, width, height }: Box): Point[] => [
  [x, y],
  [x + width, y],
  [x + width, y + height],
  [x, y + height],
]

/** The smallest box around some points. */
export function around(points: readonly Point[]): Box {
  const xs = points.map(([x]) => x)
  const ys = points.map(([, y]) => y)
  return boxBetween([Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)])
}

/** The point, moved into the picture. */
export const clampPoint = ([x, y]: Point, size: Size): Point => [between(0, x, size.width), between(0, y, size.height)]

/** What of the box lies in the picture. */
export const clampBox = (box: Box, size: Size): Box =>
  boxBetween(clampPoint([box.x, box.y], size), clampPoint([box.x + box.width, box.y + box.height], size))

/** The shift nearest to (dx, dy) that leaves the box in the picture; its size stays. */
export function shiftWithin(box: Box, [dx, dy]: Point, size: Size): Point {
  return [
    between(-box.x, dx, Math.max(-box.x, size.width - box.x - box.width)),
    between(-box.y, dy, Math.max(-box.y, size.height - box.y - box.height)),
  ]
}

/** The box moved by (dx, dy), stopped at the edges of the picture. */
export function moveBox(box: Box, by: Point, size: Size): Box {
  const [dx, dy] = shiftWithin(box, by, size)
  return { ...box, x: box.x + dx, y: box.y + dy }
}

/** The outline moved by (dx, dy), stopped at the edges of the picture. */
export function movePoints(points: readonly Point[], by: Point, size: Size): Point[] {
  const [dx, dy] = shiftWithin(around(points), by, size)
  return points.map(([x, y]) => [x + dx, y + dy])
}

/** The box with its right and lower edges moved; at least one pixel remains. */
export const growBox = (box: Box, [dx, dy]: Point, size: Size): Box => ({
  ...box,
  width: between(Math.min(1, size.width - box.x), box.width + dx, size.width - box.x),
  height: between(Math.min(1, size.height - box.y), box.height + dy, size.height - box.y),
})

/** The outline stretched away from its upper left corner so that the box around it grows by (dx, dy). */
export function growPoints(points: readonly Point[], by: Point, size: Size): Point[] {
  const before = around(points)
  const after = growBox(before, by, size)
  const [kx, ky] = [before.width ? after.width / before.width : 1, before.height ? after.height / before.height : 1]
  return points.map(([x, y]) => [before.x + (x - before.x) * kx, before.y + (y - before.y) * ky])
}

// A box has eight handles: corners and middles of edges, clockwise from the upper left corner.
export const HANDLES = ['nw', 'n', 'ne', 'e', 'se', 's', 'sw', 'w'] as const
export type Handle = (typeof HANDLES)[number]

/** Where a handle of the box is. */
export function handleAt({ x, y, width, height }: Box, handle: Handle): Point {
  const across = handle.includes('w') ? 0 : handle.includes('e') ? 1 : 0.5
  const down = handle.includes('n') ? 0 : handle.includes('s') ? 1 : 0.5
  return [x + width * across, y + height * down]
}

/** The box with a handle dragged to a point, turned over where the drag passes the other side. */
export function dragHandle(box: Box, handle: Handle, [x, y]: Point): Box {
  const left = handle.includes('w') ? x : box.x
  const right = handle.includes('e') ? x : box.x + box.width
  const top = handle.includes('n') ? y : box.y
  const bottom = handle.includes('s') ? y : box.y + box.height
  return boxBetween([left, top], [right, bottom])
}

/** Intersection over union, 0..1; 0 where both are empty. */
export function iou(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y)
  const shared = Math.max(0, width) * Math.max(0, height)
  const all = a.width * a.height + b.width * b.height - shared
  return all > 0 ? shared / all : 0
}

/** The area of an outline, by the shoelace formula. */
export function area(points: readonly Point[]): number {
  let twice = 0
  points.forEach(([x, y], i) => {
    const [nextX, nextY] = points[(i + 1) % points.length]!
    twice += x * nextY - nextX * y
  })
  return Math.abs(twice) / 2
}

/** The point of the segment a..b that is nearest to p. */
export function nearestOn(a: Point, b: Point, p: Point): Point {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]]
  const length = dx * dx + dy * dy
  const along = length ? between(0, ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length, 1) : 0
  return [a[0] + dx * along, a[1] + dy * along]
}

/** Index of the edge of a closed outline that is nearest to p: edge i joins points i and i + 1. */
export function nearestEdge(points: readonly Point[], p: Point): number {
  const distances = points.map((a, i) => {
    const [x, y] = nearestOn(a, points[(i + 1) % points.length]!, p)
    return Math.hypot(x - p[0], y - p[1])
  })
  return distances.indexOf(Math.min(...distances))
}
