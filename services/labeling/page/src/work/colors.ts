// A colour for each class, the same on every page: ten that are told apart easily, then around the wheel.
import type { LabelSet } from '../model/regions.ts'

const HUES = [255, 40, 150, 320, 90, 200, 15, 280, 120, 350]

/** The colour of a class. */
export function colorOf(labelSet: LabelSet, label: string): string {
  const place = Math.max(0, labelSet.classes.indexOf(label))
  const hue = HUES[place] ?? (place * 137.5) % 360
  return `oklch(0.74 0.17 ${hue})`
}
