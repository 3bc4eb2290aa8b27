// One thing through a video: keyframes in rising order; between two of them its box moves linearly.
import type { Box, Keyframe } from './regions.ts'

export type Keyframes = readonly Keyframe[]

/** Its box in a frame; null before the first keyframe and while it is hidden. */
export function boxAt(keyframes: Keyframes, frame: number): Box | null {
  const before = keyframes.findLast((key) => key.frame <= frame)
  return before && !before.hidden ? interpolated(keyframes, frame) : null
}

/** Its box in a frame as if it were never hidden; null before the first keyframe. */
export function interpolated(keyframes: Keyframes, frame: number): Box | null {
  const before = keyframes.findLast((key) => key.frame <= frame)
  if (!before) return null
  const after = keyframes.find((key) => key.frame > frame)
  if (!after) return before.box
  const t = (frame - before.frame) / (after.frame - before.frame)
  const mix = (a: number, b: number): number => a + (b - a) * t
  return {
    x: mix(before.box.x, after.box.x),
    y: mix(before.box.y, after.box.y),
    width: mix(before.box.width, after.box.width),
    height: mix(before.box.height, after.box.height),
  }
}

/** With its box in this frame said by a person: a keyframe is made or changed. It is visible there. */
export const placed = (keyframes: Keyframes, frame: number, box: Box): Keyframe[] =>
  put(keyframes, { frame, box, hidden: false })

/** Out of sight from this frame on, or in sight again; unchanged before the first keyframe. */
export function hideToggled(keyframes: Keyframes, frame: number): Keyframes {
  const box = interpolated(keyframes, frame)
  return box ? put(keyframes, { frame, box, hidden: boxAt(keyframes, frame) !== null }) : keyframes
}

/** With a keyframe here where there was none, without it where there was one; the only one stays. */
export function keyToggled(keyframes: Keyframes, frame: number): Keyframes {
  if (keyframes.some((key) => key.frame === frame)) {
    return keyframes.length > 1 ? keyframes.filter((key) => key.frame !== frame) : keyframes
  }
  const box = interpolated(keyframes, frame)
  const hidden = boxAt(keyframes, frame) === null
  return box ? put(keyframes, { frame, box, hidden }) : keyframes
}

/** Stretches of frames in which it can be seen, [first, last + 1), until the end of the video. */
export function visible(keyframes: Keyframes, frames: number): [start: number, end: number][] {
  return keyframes.flatMap((key, i): [number, number][] =>
    key.hidden ? [] : [[key.frame, keyframes[i + 1]?.frame ?? Math.max(frames, key.frame + 1)]],
  )
}

/** The nearest keyframe before or after a frame, or null. */
export const nextKeyframe = (keyframes: Keyframes, frame: number, step: 1 | -1): number | null =>
  (step > 0
    ? keyframes.find((key) => key.frame > frame)?.frame
    : keyframes.findLast((key) => key.frame < frame)?.frame) ?? null

/** Frame shown at a time, and the time in the middle of a frame, where no rounding reaches its neighbours. */
export const frameAt = (seconds: number, fps: number): number => Math.max(0, Math.floor(seconds * fps + 1e-3))
export const timeOf = (frame: number, fps: number): number => (frame + 0.5) / fps

const put = (keyframes: Keyframes, key: Keyframe): Keyframe[] =>
  [...keyframes.filter((other) => other.frame !== key.frame), key].sort((a, b) => a.frame - b.frame)
