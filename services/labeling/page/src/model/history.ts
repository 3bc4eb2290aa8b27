// Undo as snapshots: an array of regions after each change. Regions are never changed in place, so snapshots share them.
import type { Region } from './regions.ts'

export type Regions = readonly Region[]
export type History = { readonly past: readonly Regions[]; readonly now: Regions; readonly future: readonly Regions[] }

const MOST = 300 // snapshots
const MOST_PLACES = 60_000 // regions of all snapshots that are kept on the disk

export const begun = (now: Regions): History => ({ past: [], now, future: [] })

/** After a change; the same regions are no change. */
export const changed = (history: History, now: Regions): History =>
  now === history.now ? history : { past: [...history.past, history.now].slice(-MOST), now, future: [] }

/** One change back; the same value where there is none. */
export function undone({ past, now, future }: History): History {
  const before = past.at(-1)
  return before ? { past: past.slice(0, -1), now: before, future: [now, ...future] } : { past, now, future }
}

/** One change forth again. */
export function redone({ past, now, future }: History): History {
  const [after, ...rest] = future
  return after ? { past: [...past, now], now: after, future: rest } : { past, now, future }
}

type Packed = { regions: Region[]; past: number[][]; now: number[]; future: number[][] }

/** The history as JSON, each region once; of large ones the latest snapshots only. */
export function packed(history: History): string {
  const most = Math.max(10, Math.floor(MOST_PLACES / Math.max(1, history.now.length)))
  const index = new Map<Region, number>()
  const places = (regions: Regions): number[] =>
    regions.map((region) => {
      if (!index.has(region)) index.set(region, index.size)
      return index.get(region)!
    })
  const now = places(history.now)
  const past = history.past.slice(-most).map(places)
  const future = history.future.slice(0, most).map(places)
  return JSON.stringify({ regions: [...index.keys()], past, now, future } satisfies Packed)
}

/** The history of what `packed` gave. Raises SyntaxError where that is no JSON. */
export function unpacked(text: string): History {
  const { regions, past, now, future } = JSON.parse(text) as Packed
  const back = (places: number[]): Regions => places.map((place) => regions[place]!)
  return { past: past.map(back), now: back(now), future: future.map(back) }
}
