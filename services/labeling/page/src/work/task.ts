// A task in hand, with what is shown of its sample.
import { call } from '../api/rpc.ts'
import type { NextTaskResponseJson } from '../generated/relearn/labeling/v1/labeling_service_pb'
import type { LabelSet, Region } from '../model/regions.ts'
import * as wire from '../model/wire.ts'

export type Peaks = [low: number, high: number][]
export type Loaded = wire.Media & { text: string; levels: Peaks }
export type Task = {
  id: string
  projectId: string
  sampleId: string
  why: string
  labelSet: LabelSet
  proposals: Region[]
  rejected: { reason: string; regions: Region[] } | null
  leaseExpires: number // milliseconds since 1970
  media: Promise<Loaded>
}

const ASK_AGAIN_MS = [200, 400, 800, 1500]

/** The task of a response, its sample already on the way; null where there is none. */
export function taskOf(json: NextTaskResponseJson): Task | null {
  const told = json.labelTask
  if (!told) return null
  const rejected = json.rejected
  const sampleId = told.sampleId ?? ''
  const media = load(sampleId)
  media.catch(() => undefined) // whoever shows it says why
  return {
    id: told.labelTaskId ?? '',
    projectId: told.projectId ?? '',
    sampleId,
    why: told.why ?? '',
    labelSet: wire.labelSet(json.labelSet ?? { classes: json.classes ?? [], version: told.labelSetVersion ?? 0 }),
    proposals: (json.suggestions ?? []).map(wire.suggestion),
    rejected: rejected ? { reason: rejected.rejection ?? '', regions: (rejected.regions ?? []).map(wire.region) } : null,
    leaseExpires: json.leaseExpireTime ? Date.parse(json.leaseExpireTime) : Date.now() + 60_000,
    media,
  }
}

/** Everything of a sample that is shown: asked for until it is made, then fetched. Raises Fault, Error. */
export async function load(sampleId: string): Promise<Loaded> {
  for (let attempt = 0; ; attempt++) {
    const media = wire.media(await call('relearn.console.v1.MediaService/GetMedia', { sampleId }))
    if (media.state === 'refused') throw new Error(media.problem || 'This sample cannot be shown.')
    if (media.state === 'ready') return { ...media, ...(await fetched(media)) }
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS[attempt] ?? 3000))
  }
}

async function fetched(media: wire.Media): Promise<{ text: string; levels: Peaks }> {
  const text = media.modality === 'text' ? got(media.view).then((reply) => reply.text()) : ''
  const levels = media.peaks ? got(media.peaks).then((reply) => reply.json() as Promise<Peaks>) : []
  if (media.modality === 'image') await decoded(media.view)
  if (media.spectrogram) void decoded(media.spectrogram).catch(() => undefined)
  return { text: await text, levels: await levels }
}

async function got(path: string): Promise<Response> {
  const reply = await fetch(path)
  if (!reply.ok) throw new Error(`The sample could not be fetched (${reply.status}). Skip it, or reload the page.`)
  return reply
}

// decoded ahead, so that it is on the screen with the next frame
async function decoded(path: string): Promise<void> {
  const image = new Image()
  image.src = path
  await image.decode()
  kept.push(image)
  if (kept.length > 8) kept.shift()
}
const kept: HTMLImageElement[] = []
