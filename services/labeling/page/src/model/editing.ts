// What keys do to a part of a sample: move it, and move its right, lower or later end.
import { growBox, growPoints, moveBox, movePoints } from './geometry.ts'
import type { Box, Extent, Part, Point, Region } from './regions.ts'
import { stepEnd, stepStart } from './text.ts'
import { boxAt, interpolated, placed } from './track.ts'

export type Scene = { extent: Extent; frame: number; text: string }

const SHORTEST_S = 0.01

/** Where a part is in the frame that is shown: a box, an outline, or null where it cannot be seen. */
export function geometry(part: Part, frame: number): Box | readonly Point[] | null {
  if (part.kind === 'box') return part.box
  if (part.kind === 'polygon') return part.points
  return part.kind === 'track' ? boxAt(part.keyframes, frame) : null
}

/** The part with another place in the frame that is shown. */
export function reshaped(part: Part, shape: Box | readonly Point[], frame: number): Part {
  if (part.kind === 'polygon' && 'length' in shape) return { kind: 'polygon', points: shape }
  if ('length' in shape) return part
  if (part.kind === 'box') return { kind: 'box', box: shape }
  return part.kind === 'track' ? { kind: 'track', keyframes: placed(part.keyframes, frame, shape) } : part
}

/**
 * The part moved by arrows: (dx, dy) steps of a pixel, a frame (ten milliseconds of sound), or a word of text, where
 * the whole span moves.
 */
export function nudged(part: Part, [dx, dy]: Point, { extent, frame, text }: Scene): Part {
  switch (part.kind) {
    case 'box':
      return { kind: 'box', box: moveBox(part.box, [dx, dy], extent) }
    case 'polygon':
      return { kind: 'polygon', points: movePoints(part.points, [dx, dy], extent) }
    case 'track': {
      const box = interpolated(part.keyframes, frame)
      return box ? reshaped(part, moveBox(box, [dx, dy], extent), frame) : part
    }
    case 'segment': {
      const length = part.end - part.start
      const start = Math.min(Math.max(part.start + dx * stepOf(extent), 0), extent.seconds - length)
      return { kind: 'segment', start, end: start + length }
    }
    case 'span':
      return dx ? repeated(dx, part, (span, step) => {
        const start = stepStart(text, span.start, step)
        const end = stepEnd(text, span.end, step)
        return start === span.start || end === span.end ? span : { ...span, start, end }
      }) : part
    case 'whole':
      return part
  }
}

/** The part with its right and lower edges (its end, for text and sound) moved by (dx, dy) steps. */
export function grown(part: Part, [dx, dy]: Point, { extent, frame, text }: Scene): Part {
  switch (part.kind) {
    case 'box':
      return { kind: 'box', box: growBox(part.box, [dx, dy], extent) }
    case 'polygon':
      return { kind: 'polygon', points: growPoints(part.points, [dx, dy], extent) }
    case 'track': {
      const box = interpolated(part.keyframes, frame)
      return box ? reshaped(part, growBox(box, [dx, dy], extent), frame) : part
    }
    case 'segment': {
      const end = Math.min(Math.max(part.end + dx * stepOf(extent), part.start + SHORTEST_S), extent.seconds)
      return { ...part, end }
    }
    case 'span':
      return repeated(dx, part, (span, step) => {
        const end = stepEnd(text, span.end, step)
        return end > span.start ? { ...span, end } : span
      })
    case 'whole':
      return part
  }
}

/** In the order in which they are listed and gone through: by time and place in text and sound, else as they were made. */
export function ordered(regions: readonly Region[]): Region[] {
  const start = ({ part }: Region): number =>
    part.kind === 'span' || part.kind === 'segment' ? part.start : part.kind === 'track' ? (part.keyframes[0]?.frame ?? 0) : 0
  return regions.filter(({ part }) => part.kind !== 'whole').sort((a, b) => start(a) - start(b))
}

const stepOf = (extent: Extent): number => (extent.fps > 0 ? 1 / extent.fps : 0.01)

function repeated<P>(steps: number, part: P, once: (part: P, step: 1 | -1) => P): P {
  let moved = part
  for (let i = 0; i < Math.abs(steps); i++) moved = once(moved, steps > 0 ? 1 : -1)
  return moved
}
