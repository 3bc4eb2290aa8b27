// From the contract's JSON to values, and back. In JSON of protobuf an int64 is a string, and a default may be left out.
import type { GetMediaResponseJson } from '../generated/relearn/console/v1/media_service_pb'
import type { RegionJson } from '../generated/relearn/labeling/v1/label_task_pb'
import type { BoxJson, RegionOriginJson } from '../generated/relearn/labeling/v1/region_pb'
import type { InputKindJson, LabelSetJson, RegionKindJson } from '../generated/relearn/registry/v1/project_pb'
import type { Box, Extent, Kind, LabelSet, Origin, Part, Region } from './regions.ts'

const KINDS: Record<RegionKindJson, Kind | null> = {
  REGION_KIND_UNSPECIFIED: null,
  REGION_KIND_WHOLE: 'whole',
  REGION_KIND_BOX: 'box',
  REGION_KIND_POLYGON: 'polygon',
  REGION_KIND_TRACK: 'track',
  REGION_KIND_SPAN: 'span',
  REGION_KIND_SEGMENT: 'segment',
}
const ORIGINS: Record<RegionOriginJson, Origin> = {
  REGION_ORIGIN_UNSPECIFIED: 'drawn',
  REGION_ORIGIN_DRAWN: 'drawn',
  REGION_ORIGIN_ACCEPTED: 'accepted',
  REGION_ORIGIN_EDITED: 'edited',
  REGION_ORIGIN_IMPORTED: 'imported',
}
const TO_ORIGIN: Record<Exclude<Origin, 'suggested'>, RegionOriginJson> = {
  drawn: 'REGION_ORIGIN_DRAWN',
  accepted: 'REGION_ORIGIN_ACCEPTED',
  edited: 'REGION_ORIGIN_EDITED',
  imported: 'REGION_ORIGIN_IMPORTED',
}

export type Modality = 'image' | 'text' | 'audio' | 'video'
export type Media = {
  state: 'ready' | 'preparing' | 'refused'
  modality: Modality
  view: string
  thumbnail: string
  peaks: string
  spectrogram: string
  extent: Extent
  expires: number // milliseconds since 1970
  problem: string
}

const number = (value: unknown): number => Number(value ?? 0)
const box = (json: BoxJson | undefined): Box => ({
  x: number(json?.x),
  y: number(json?.y),
  width: number(json?.width),
  height: number(json?.height),
})

export function modality(kind: InputKindJson | undefined): Modality {
  return kind === 'INPUT_KIND_TEXT' ? 'text' : kind === 'INPUT_KIND_AUDIO' ? 'audio' : kind === 'INPUT_KIND_VIDEO' ? 'video' : 'image'
}

export function labelSet(json: LabelSetJson | undefined): LabelSet {
  const kinds = (json?.regionKinds ?? []).map((kind) => KINDS[kind]).filter((kind) => kind !== null)
  return {
    version: number(json?.version),
    classes: json?.classes ?? [],
    kinds: kinds.length ? kinds : ['whole'],
    multiLabel: json?.multiLabel ?? false,
    transcripts: json?.transcripts ?? false,
    attributes: (json?.attributes ?? []).map((spec) => ({
      name: spec.name ?? '',
      values: spec.values ?? [],
      classes: spec.classes ?? [],
      required: spec.required ?? false,
    })),
  }
}

function part(json: RegionJson): Part {
  if (json.box) return { kind: 'box', box: box(json.box) }
  if (json.polygon) return { kind: 'polygon', points: (json.polygon.points ?? []).map(({ x, y }) => [number(x), number(y)]) }
  if (json.track) {
    const keyframes = json.track.keyframes ?? []
    return {
      kind: 'track',
      keyframes: keyframes.map((key) => ({ frame: number(key.frame), box: box(key.box), hidden: key.hidden ?? false })),
    }
  }
  if (json.span) return { kind: 'span', start: number(json.span.start), end: number(json.span.end) }
  if (json.segment) return { kind: 'segment', start: number(json.segment.startS), end: number(json.segment.endS) }
  return { kind: 'whole' }
}

/** A region of an answer. */
export function region(json: RegionJson): Region {
  return {
    id: json.regionId ?? '',
    label: json.label ?? '',
    part: part(json),
    origin: ORIGINS[json.origin ?? 'REGION_ORIGIN_UNSPECIFIED'],
    transcript: json.transcript ?? '',
    attributes: Object.fromEntries((json.attributes ?? []).map(({ name, value }) => [name ?? '', value ?? ''])),
    modelVersion: json.modelVersionId ?? '',
    score: json.score === undefined ? null : number(json.score),
  }
}

/** What a model suggests: proposals, each with a name of its own. */
export const suggestion = (json: RegionJson, index: number): Region => {
  const told = region(json)
  const id = told.part.kind === 'whole' ? '' : told.id || `suggestion-${index + 1}`
  return { ...told, id, origin: 'suggested' }
}

function partJson(value: Part): RegionJson {
  switch (value.kind) {
    case 'whole':
      return { whole: {} }
    case 'box':
      return { box: value.box }
    case 'polygon':
      return { polygon: { points: value.points.map(([x, y]) => ({ x, y })) } }
    case 'track':
      return { track: { keyframes: value.keyframes.map(({ frame, box, hidden }) => ({ frame, box, hidden })) } }
    case 'span':
      return { span: { start: value.start, end: value.end } }
    case 'segment':
      return { segment: { startS: value.start, endS: value.end } }
  }
}

/** The regions of an answer; proposals that nobody touched are none of them. */
export const answer = (regions: readonly Region[]): RegionJson[] =>
  regions.flatMap(({ origin, ...told }) => {
    if (origin === 'suggested') return []
    const json: RegionJson = { ...partJson(told.part), label: told.label, origin: TO_ORIGIN[origin] }
    if (told.part.kind !== 'whole') json.regionId = told.id
    if (told.transcript) json.transcript = told.transcript
    const attributes = Object.entries(told.attributes).filter(([, value]) => value !== '')
    if (attributes.length) json.attributes = attributes.map(([name, value]) => ({ name, value }))
    if (told.modelVersion) json.modelVersionId = told.modelVersion
    if (told.score !== null) json.score = told.score
    return [json]
  })

const STATES: Record<string, Media['state']> = { STATE_READY: 'ready', STATE_REFUSED: 'refused' }

export function media(json: GetMediaResponseJson): Media {
  const type = json.mediaType ?? ''
  const kind = (['image', 'text', 'audio', 'video'] as const).find((kind) => type.startsWith(kind)) ?? 'image'
  return {
    state: STATES[json.state ?? ''] ?? 'preparing',
    modality: kind,
    view: json.viewPath || json.sourcePath || '',
    thumbnail: json.thumbnailPath ?? '',
    peaks: json.peaksPath ?? '',
    spectrogram: json.spectrogramPath ?? '',
    extent: {
      width: number(json.width),
      height: number(json.height),
      frames: number(json.frames),
      fps: number(json.framesPerSecond),
      seconds: number(json.lengthS),
      codeUnits: number(json.codeUnits),
    },
    expires: json.expireTime ? Date.parse(json.expireTime) : Date.now() + 3_600_000,
    problem: json.problem ?? '',
  }
}

/** Seconds of a Duration ("1.500s"), and back. */
export const seconds = (duration: string | undefined): number => parseFloat(duration ?? '0') || 0
export const duration = (seconds: number): string => `${Math.min(Math.max(seconds, 0), 3600).toFixed(3)}s`
