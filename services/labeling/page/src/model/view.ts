// Which part of a picture is shown: screen = (media - origin) * scale, in CSS pixels from the corner of the stage.
import type { Size } from './geometry.ts'
import type { Box, Point } from './regions.ts'

export type View = { readonly x: number; readonly y: number; readonly scale: number }

const MOST = 64 // screen pixels for one pixel of the picture
const MARGIN = 24 // screen pixels left free around what was fitted

/** All of the picture, as large as it can be. */
export function fit(media: Size, stage: Size): View {
  const room = { width: Math.max(stage.width - MARGIN, 1), height: Math.max(stage.height - MARGIN, 1) }
  const scale = Math.min(room.width / media.width, room.height / media.height, MOST)
  return centred([media.width / 2, media.height / 2], scale, stage)
}

/** Zoomed by a factor, with the place under the cursor (in screen pixels) left where it is. */
export function zoomAt(view: View, [sx, sy]: Point, factor: number, media: Size, stage: Size): View {
  const least = fit(media, stage).scale / 4
  const scale = Math.min(Math.max(view.scale * factor, least), MOST)
  return { x: view.x + sx / view.scale - sx / scale, y: view.y + sy / view.scale - sy / scale, scale }
}

/** Moved by screen pixels. */
export const panBy = (view: View, [dx, dy]: Point): View => ({
  ...view,
  x: view.x - dx / view.scale,
  y: view.y - dy / view.scale,
})

/** Where a place of the screen is in the picture. */
export const toMedia = (view: View, [sx, sy]: Point): Point => [view.x + sx / view.scale, view.y + sy / view.scale]

/** The view, moved no further than needed so that the box can be seen; zoomed out only where it does not fit. */
export function reveal(view: View, box: Box, stage: Size): View {
  const shown = { width: stage.width / view.scale, height: stage.height / view.scale }
  if (box.width > shown.width || box.height > shown.height) {
    const scale = Math.min(stage.width / box.width, stage.height / box.height) * 0.9
    return centred([box.x + box.width / 2, box.y + box.height / 2], scale, stage)
  }
  const inside = box.x >= view.x && box.y >= view.y && box.x + box.width <= view.x + shown.width
  if (inside && box.y + box.height <= view.y + shown.height) return view
  return centred([box.x + box.width / 2, box.y + box.height / 2], view.scale, stage)
}

const centred = ([x, y]: Point, scale: number, stage: Size): View => ({
  x: x - stage.width / 2 / scale,
  y: y - stage.height / 2 / scale,
  scale,
})
