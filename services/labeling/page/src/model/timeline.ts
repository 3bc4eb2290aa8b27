// A timeline's window, its ticks, its levels, and rows for what overlaps. Times are in seconds.

export type Window = { start: number; end: number }

const SHORTEST_S = 0.05
const STEPS_S = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]

/** The window with a time left where it is, by a factor closer; null for all of it. */
export function zoomed({ start, end }: Window, at: number, factor: number, length: number): Window | null {
  const now = Math.min(Math.max((end - start) / factor, Math.min(SHORTEST_S, length)), length)
  if (now >= length) return null
  const share = (at - start) / (end - start)
  const from = Math.min(Math.max(0, at - now * share), length - now)
  return { start: from, end: from + now }
}

/** Round times, some 90 pixels apart. */
export function ticks({ start, end }: Window, width: number): { time: number; label: string }[] {
  const wanted = ((end - start) / Math.max(width, 1)) * 90
  const step = STEPS_S.find((step) => step >= wanted) ?? 7200
  const first = Math.ceil(start / step)
  const count = Math.max(0, Math.floor(end / step) - first + 1)
  return Array.from({ length: count }, (_, i) => {
    const time = (first + i) * step
    return { time, label: clock(time, step < 0.1 ? 2 : step < 1 ? 1 : 0) }
  })
}

/** 1:02.5; hours where there are some. */
export function clock(seconds: number, digits = 2): string {
  const whole = Math.floor(seconds / 60)
  const rest = (seconds - whole * 60).toFixed(digits).padStart(digits ? digits + 3 : 2, '0')
  return whole < 60 ? `${whole}:${rest}` : `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}:${rest}`
}

/** An outline of the peaks in a window, one column a pixel, between -1 (loudest) and 1. */
export function levels(peaks: readonly (readonly [number, number])[], length: number, { start, end }: Window, width: number): string {
  const columns = Math.max(1, Math.floor(width))
  const perColumn = (((end - start) / length) * peaks.length) / columns
  const first = (start / length) * peaks.length
  let path = ''
  for (let column = 0; column < columns; column++) {
    const from = Math.floor(first + column * perColumn)
    const to = Math.max(from + 1, Math.floor(first + (column + 1) * perColumn))
    let [low, high] = [0, 0]
    for (let i = from; i < to && i < peaks.length; i++) {
      low = Math.min(low, peaks[i]![0])
      high = Math.max(high, peaks[i]![1])
    }
    path += `M${column} ${(-high).toFixed(3)}h1V${Math.max(-low, -high + 0.01).toFixed(3)}h-1z`
  }
  return path
}

/** A row for each stretch, so that none overlaps another in its row. */
export function lanes(stretches: readonly Window[]): number[] {
  const order = stretches.map((_, i) => i).sort((a, b) => stretches[a]!.start - stretches[b]!.start)
  const ends: number[] = []
  const rows: number[] = []
  for (const i of order) {
    const { start, end } = stretches[i]!
    const free = ends.findIndex((last) => last <= start)
    const row = free < 0 ? ends.length : free
    ends[row] = end
    rows[i] = row
  }
  return rows
}
