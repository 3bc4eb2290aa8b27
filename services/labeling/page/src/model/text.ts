// Text is counted in UTF-16 code units, as in the contract and as JavaScript does; a place is never between the two of a pair.

const WORDS = new Intl.Segmenter('en', { granularity: 'word' }) // knows the words of scripts without spaces too
const AROUND = 400 // code units looked at on either side for the end of a word

export type Stretch = { start: number; end: number }
export type Block = { start: number; text: string }

/** The stretch widened to whole words, without the spaces at its ends; null where it holds nothing else. */
export function snapToWords(text: string, start: number, end: number): Stretch | null {
  const from = outside(text, Math.max(0, start - AROUND))
  const around = text.slice(from, outside(text, Math.min(text.length, end + AROUND)))
  const inside = segments(around, from).filter((word) => word.end > start && word.start < end && word.text.trim())
  const [first, last] = [inside[0], inside.at(-1)]
  return first && last ? { start: first.start, end: last.end } : null
}

/** The place itself, or the one before it where it would part a surrogate pair. */
export function outside(text: string, place: number): number {
  const code = text.charCodeAt(place)
  return code >= 0xdc00 && code <= 0xdfff && place > 0 ? place - 1 : place
}

/** The first word that begins at or after a place; the last one of the text where there is none. */
export function wordAfter(text: string, place: number): Stretch | null {
  for (let reach = AROUND; ; reach *= 4) {
    const to = outside(text, Math.min(text.length, place + reach))
    const word = segments(text.slice(place, to), place).find(({ isWord, end }) => isWord && (end < to || to === text.length))
    if (word) return { start: word.start, end: word.end }
    if (to === text.length) return place ? wordBefore(text, text.length) : null
  }
}

/** The last word that ends at or before a place. */
export function wordBefore(text: string, place: number): Stretch | null {
  for (let reach = AROUND; ; reach *= 4) {
    const from = outside(text, Math.max(0, place - reach))
    const around = text.slice(from, outside(text, Math.min(text.length, place + AROUND)))
    const word = segments(around, from).findLast(({ isWord, end }) => isWord && end <= place)
    if (word && (word.start > from || from === 0)) return { start: word.start, end: word.end }
    if (from === 0) return null
  }
}

/** The end of a stretch, one word further or back, within the text. */
export function stepEnd(text: string, at: number, step: 1 | -1): number {
  if (step > 0) {
    const next = wordAfter(text, at)
    return next && next.end > at ? next.end : at
  }
  const last = wordBefore(text, at)
  if (!last) return at
  return last.end < at ? last.end : (wordBefore(text, last.start)?.end ?? at)
}

/** The start of a stretch, one word further or back. */
export function stepStart(text: string, at: number, step: 1 | -1): number {
  if (step < 0) return wordBefore(text, at)?.start ?? at
  const here = wordAfter(text, at)
  if (!here) return at
  return here.start > at ? here.start : (wordAfter(text, here.end)?.start ?? at)
}

/**
 * A long text in blocks that a browser lays out one by one: cut after line ends, or after a space where a line is longer
 * than twice the size. Joined, they are the text.
 */
export function blocks(text: string, size = 2000): Block[] {
  const found: Block[] = []
  for (let start = 0; start < text.length; ) {
    const end = cut(text, start, size)
    found.push({ start, text: text.slice(start, end) })
    start = end
  }
  return found
}

/** Index of the block that holds a place. */
export function blockOf(all: readonly Block[], place: number): number {
  let low = 0
  for (let high = all.length - 1; low < high; ) {
    const middle = (low + high + 1) >> 1
    if (all[middle]!.start <= place) low = middle
    else high = middle - 1
  }
  return low
}

type Word = Stretch & { text: string; isWord: boolean }

const segments = (text: string, from: number): Word[] =>
  Array.from(WORDS.segment(text), ({ segment, index, isWordLike }) => ({
    start: from + index,
    end: from + index + segment.length,
    text: segment,
    isWord: isWordLike ?? false,
  }))

function cut(text: string, start: number, size: number): number {
  if (text.length - start <= size) return text.length
  const line = text.indexOf('\n', start + size)
  if (line >= 0 && line < start + 2 * size) return line + 1
  const space = text.lastIndexOf(' ', start + 2 * size)
  return space > start ? space + 1 : outside(text, Math.min(text.length, start + 2 * size))
}
