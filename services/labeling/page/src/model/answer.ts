// When an answer can be given, and what to say where it cannot.
import { attributesOf, isProposal } from './regions.ts'
import type { LabelSet, Region } from './regions.ts'

export type Obstacle = { message: string; regionId: string | null; passable: boolean }

/**
 * What keeps an answer from being given; null when nothing does. A passable obstacle is a question: the same key again
 * answers it with yes.
 */
export function obstacle(regions: readonly Region[], labelSet: LabelSet): Obstacle | null {
  const answer = regions.filter((region) => !isProposal(region))
  const left = regions.length - answer.length
  const wholes = answer.filter((region) => region.part.kind === 'whole')
  if (labelSet.kinds.every((kind) => kind === 'whole') && !labelSet.multiLabel && wholes.length === 0) {
    return stop(left ? 'Choose a class, or press a to accept what is suggested.' : 'Choose a class first: press its number.')
  }
  for (const region of answer) {
    const missing = attributesOf(labelSet, region.label).find((spec) => spec.required && !region.attributes[spec.name])
    if (missing) return { ...stop(`Say “${missing.name}” of this ${region.label} first: press t.`), regionId: region.id }
  }
  if (left) {
    return ask(`${left === 1 ? 'One suggestion is' : `${left} suggestions are`} not accepted. Enter again gives the answer without.`)
  }
  if (answer.length === 0) return ask('Nothing is marked. Enter again says that there is nothing to mark.')
  return null
}

const stop = (message: string): Obstacle => ({ message, regionId: null, passable: false })
const ask = (message: string): Obstacle => ({ message, regionId: null, passable: true })

/** The regions with the sample itself said to be of a class, or no longer; one class at most unless several are allowed. */
export function wholeToggled(regions: readonly Region[], made: Region, labelSet: LabelSet): Region[] {
  const isWhole = (region: Region): boolean => region.part.kind === 'whole'
  const there = regions.find((region) => isWhole(region) && region.label === made.label)
  if (!labelSet.multiLabel) {
    const standing = regions.find((region) => isWhole(region) && !isProposal(region))
    if (there && !isProposal(there)) return [...regions]
    const kept = standing ? { attributes: standing.attributes, transcript: standing.transcript } : {}
    const chosen = there ? { ...there, origin: 'accepted' as const } : { ...made, ...kept }
    return [...regions.filter((region) => !isWhole(region)), chosen]
  }
  if (there && isProposal(there)) return regions.map((region) => (region === there ? { ...there, origin: 'accepted' } : region))
  return there ? regions.filter((region) => region !== there) : [...regions, made]
}
