// What an answer is made of. Coordinates are in units of the media, never of the screen: pixels of the upright picture,
// frames of the video, seconds from the start, UTF-16 code units of the text (which is what JavaScript counts in).

export type Point = readonly [x: number, y: number]
export type Box = { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
export type Keyframe = { readonly frame: number; readonly box: Box; readonly hidden: boolean }

export type Part =
  | { readonly kind: 'whole' }
  | { readonly kind: 'box'; readonly box: Box }
  | { readonly kind: 'polygon'; readonly points: readonly Point[] }
  | { readonly kind: 'track'; readonly keyframes: readonly Keyframe[] }
  | { readonly kind: 'span'; readonly start: number; readonly end: number }
  | { readonly kind: 'segment'; readonly start: number; readonly end: number }
export type Kind = Part['kind']
export type Of<K extends Kind> = Extract<Part, { kind: K }>

// `suggested` is a proposal that nobody has touched: it is shown, and never part of an answer.
export type Origin = 'suggested' | 'accepted' | 'edited' | 'drawn' | 'imported'

export type Region = {
  readonly id: string
  readonly label: string
  readonly part: Part
  readonly origin: Origin
  readonly transcript: string
  readonly attributes: Readonly<Record<string, string>>
  readonly modelVersion: string
  readonly score: number | null
}

export type AttributeSpec = { name: string; values: string[]; classes: string[]; required: boolean }
export type LabelSet = {
  version: number
  classes: string[]
  kinds: Kind[]
  multiLabel: boolean
  transcripts: boolean
  attributes: AttributeSpec[]
}

/** How large a sample is; 0 for what its kind does not have. */
export type Extent = { width: number; height: number; frames: number; fps: number; seconds: number; codeUnits: number }

export const isProposal = (region: Region): boolean => region.origin === 'suggested'

/** A region that an annotator makes. */
export function drawn(part: Part, label: string): Region {
  const id = part.kind === 'whole' ? '' : crypto.randomUUID()
  return { id, label, part, origin: 'drawn', transcript: '', attributes: {}, modelVersion: '', score: null }
}

/** The region with changes by a person: what a model had suggested counts as edited from then on. */
export function edited(region: Region, change: Partial<Pick<Region, 'label' | 'part' | 'transcript' | 'attributes'>>): Region {
  const touched = region.origin === 'suggested' || region.origin === 'accepted'
  return { ...region, ...change, origin: touched ? 'edited' : region.origin }
}

/** The proposal, taken as it is. */
export const accepted = (region: Region): Region => (isProposal(region) ? { ...region, origin: 'accepted' } : region)

/** What a label set wants to be told of a region of this class. */
export const attributesOf = (labelSet: LabelSet, label: string): AttributeSpec[] =>
  labelSet.attributes.filter((spec) => spec.classes.length === 0 || spec.classes.includes(label))
