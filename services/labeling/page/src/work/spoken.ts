// A region in words, for those who hear the page.
import { geometry } from '../model/editing.ts'
import { around } from '../model/geometry.ts'
import { isProposal } from '../model/regions.ts'
import type { Region } from '../model/regions.ts'

/** What and where a region is. */
export function spokenRegion(region: Region, frame: number): string {
  const sure = isProposal(region) ? `, suggested${region.score === null ? '' : ` with ${Math.round(region.score * 100)} percent`}` : ''
  return `${region.label}, ${placeOf(region, frame)}${sure}`
}

function placeOf({ part }: Region, frame: number): string {
  if (part.kind === 'span') return `characters ${part.start} to ${part.end}`
  if (part.kind === 'segment') return `${part.start.toFixed(2)} to ${part.end.toFixed(2)} seconds`
  const shape = geometry(part, frame)
  if (!shape) return part.kind === 'track' ? 'out of sight in this frame' : 'the whole sample'
  const { x, y, width, height } = 'length' in shape ? around(shape) : shape
  return `${Math.round(width)} by ${Math.round(height)} pixels at ${Math.round(x)}, ${Math.round(y)}`
}
