// A task in hand, with what is shown of its sample.
import { Fault } from '../api/fault.ts'
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
  renewAt: number // when half of the lease has gone, milliseconds since 1970
  media: Promise<Loaded>
}

const ASK_AGAIN_MS = [200, 400, 800, 1500]
const MOST_KEPT = 64 // pictures: those of the tasks in hand, and of answers under way that may come back

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
    renewAt: halfWay(json.leaseExpireTime),
    media,
  }
}

/** Links to a sample, as they are now. Raises Fault. */
export const links = async (sampleId: string): Promise<wire.Media> =>
  wire.media(await call('relearn.console.v1.MediaService/GetMedia', { sampleId }))

/** The middle between now and a time. */
export const halfWay = (time: string | undefined): number => (Date.now() + (time ? Date.parse(time) : Date.now())) / 2

/** Everything of a sample that is shown: asked for until it is made and here, however long the network is away. Raises Fault, Error. */
export async function load(sampleId: string): Promise<Loaded> {
  for (let attempt = 0; ; attempt++) {
    try {
      const media = await links(sampleId)
      if (media.state === 'refused') throw new Error(media.problem || 'This sample cannot be shown.')
      if (media.state === 'ready') return await fetched(media)
    } catch (error) {
      if (!(error instanceof Fault && error.passing)) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS[attempt] ?? 3000))
  }
}

async function fetched(media: wire.Media): Promise<Loaded> {
  const text = media.modality === 'text' ? got(media.view).then((reply) => reply.text()) : ''
  const levels = media.peaks ? got(media.peaks).then((reply) => reply.json() as Promise<Peaks>) : []
  const view = media.modality === 'image' ? await picture(media.view) : media.view
  const spectrogram = media.spectrogram ? await picture(media.spectrogram) : ''
  return { ...media, view, spectrogram, text: await text, levels: await levels }
}

async function got(path: string): Promise<Response> {
  const reply = await fetch(path).catch((error: unknown) => {
    throw new Fault('unreachable', '', String(error))
  })
  if (reply.ok) return reply
  const words = `The sample could not be fetched (${reply.status}). Skip it, or reload the page.`
  throw reply.status >= 500 ? new Fault('unavailable', '', words) : new Error(words)
}

// in memory and decoded ahead, so that it is on the screen with the next frame, also when its link has ended
async function picture(path: string): Promise<string> {
  const image = new Image()
  image.src = URL.createObjectURL(await (await got(path)).blob())
  await image.decode()
  kept.push(image)
  if (kept.length > MOST_KEPT) URL.revokeObjectURL(kept.shift()!.src)
  return image.src
}
const kept: HTMLImageElement[] = []
