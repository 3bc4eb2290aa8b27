// The answer in the making: its regions with their history, what is selected, and what the next region will be.
import { wholeToggled } from '../model/answer.ts'
import { geometry, grown, nudged, ordered, reshaped } from '../model/editing.ts'
import type { Scene } from '../model/editing.ts'
import { begun, changed, redone, undone } from '../model/history.ts'
import type { History, Regions } from '../model/history.ts'
import { accepted, drawn, edited, isProposal } from '../model/regions.ts'
import type { Box, Extent, LabelSet, Part, Point, Region } from '../model/regions.ts'
import { hideToggled, keyToggled } from '../model/track.ts'

export type Tool = 'select' | 'box' | 'polygon' | 'mark' | 'whole'

/** The tools that a label set needs; the first one is where an annotator begins. */
export function toolsFor(labelSet: LabelSet): Tool[] {
  const tools = new Set<Tool>()
  for (const kind of labelSet.kinds) {
    if (kind === 'box' || kind === 'track') tools.add('box')
    if (kind === 'polygon') tools.add('polygon')
    if (kind === 'span' || kind === 'segment') tools.add('mark')
  }
  if (labelSet.kinds.includes('whole')) tools.add('whole')
  if ([...tools].some((tool) => tool !== 'whole')) tools.add('select')
  return [...tools]
}

export class Desk {
  readonly labelSet: LabelSet
  readonly extent: Extent
  text = ''
  frame = $state(0)
  tool = $state<Tool>('select')
  label = $state('') // class of the next region
  selection = $state.raw<readonly string[]>([]) // ids, the last one chosen last
  #history = $state.raw<History>(begun([]))
  #drag = $state.raw<Regions | null>(null)
  #typing = '' // what is being typed into

  constructor(labelSet: LabelSet, extent: Extent, history: History) {
    this.labelSet = labelSet
    this.extent = extent
    this.#history = history
    this.label = labelSet.classes[0] ?? ''
    this.tool = toolsFor(labelSet)[0] ?? 'select'
  }

  get history(): History {
    return this.#history
  }

  /** The regions as they are seen, with the drag under way. */
  regions = $derived(this.#drag ?? this.#history.now)
  current = $derived(this.regions.find((region) => region.id !== '' && region.id === this.selection.at(-1)) ?? null)

  get scene(): Scene {
    return { extent: this.extent, frame: this.frame, text: this.text }
  }

  // changes

  commit(regions: Regions): void {
    this.#drag = null
    this.#typing = ''
    this.#history = changed(this.#history, regions)
  }

  /** Shows regions as a drag has them; `drop` makes that a change, `giveUp` takes it back. */
  hold(regions: Regions): void {
    this.#drag = regions
  }

  drop(): void {
    if (this.#drag) this.commit(this.#drag)
  }

  giveUp(): void {
    this.#drag = null
  }

  undo(): void {
    this.#drag = null
    this.#typing = ''
    this.#history = undone(this.#history)
  }

  redo(): void {
    this.#drag = null
    this.#typing = ''
    this.#history = redone(this.#history)
  }

  add(part: Part): void {
    const region = drawn(part, this.label)
    this.commit([...this.#history.now, region])
    this.selection = [region.id]
  }

  /** Draws what the tool draws: a box, or a track that begins in this frame. */
  addBox(box: Box): void {
    const tracks = this.labelSet.kinds.includes('track')
    this.add(tracks ? { kind: 'track', keyframes: [{ frame: this.frame, box, hidden: false }] } : { kind: 'box', box })
  }

  /** The regions with one of them in another place of the frame that is shown. */
  withShape(regions: Regions, id: string, shape: Box | readonly Point[]): Regions {
    return regions.map((region) =>
      region.id === id ? edited(region, { part: reshaped(region.part, shape, this.frame) }) : region,
    )
  }

  /** The regions with one of them over another stretch of time. */
  withSegment(regions: Regions, id: string, { start, end }: { start: number; end: number }): Regions {
    const part = { kind: 'segment' as const, start, end }
    return regions.map((region) => (region.id === id ? edited(region, { part }) : region))
  }

  remove(): void {
    const chosen = new Set(this.selection)
    if (!chosen.size) return
    const order = ordered(this.regions)
    const place = order.findIndex((region) => chosen.has(region.id))
    const rest = order.filter((region) => !chosen.has(region.id))
    this.commit(this.#history.now.filter((region) => region.id === '' || !chosen.has(region.id)))
    const heir = rest[Math.min(place, rest.length - 1)]
    this.selection = heir && this.tool === 'select' ? [heir.id] : []
  }

  /** Says more of a region; letters typed one after the other are one change. */
  describe(region: Region, what: string, change: { transcript?: string; attributes?: Record<string, string> }): void {
    const typing = `${region.id}/${region.label}/${what}`
    const regions = this.#history.now.map((other) => (same(other, region) ? edited(other, change) : other))
    if (this.#typing === typing) this.#history = { ...this.#history, now: regions, future: [] }
    else this.commit(regions)
    this.#typing = typing
  }

  change(by: (region: Region) => Region): void {
    const chosen = new Set(this.selection)
    let any = false
    const regions = this.#history.now.map((region) => {
      if (region.id === '' || !chosen.has(region.id)) return region
      const now = by(region)
      any ||= now !== region
      return now
    })
    if (any) this.commit(regions)
  }

  nudge(by: Point): void {
    this.#reshape((part) => nudged(part, by, this.scene))
  }

  grow(by: Point): void {
    this.#reshape((part) => grown(part, by, this.scene))
  }

  toggleKeyframe(): void {
    this.#reshape((part) => (part.kind === 'track' ? { ...part, keyframes: keyToggled(part.keyframes, this.frame) } : part))
  }

  toggleHidden(): void {
    this.#reshape((part) => (part.kind === 'track' ? { ...part, keyframes: hideToggled(part.keyframes, this.frame) } : part))
  }

  /** Says a class: of the sample, of the selected regions while selecting, else of the next region. */
  say(label: string): void {
    if (this.tool === 'whole') {
      this.commit(wholeToggled(this.#history.now, drawn({ kind: 'whole' }, label), this.labelSet))
    } else if (this.tool === 'select' && this.current) {
      this.change((region) => (region.label === label ? region : edited(region, { label })))
    }
    this.label = label
  }

  /** Accepts the selected proposals; with none selected the next one, and selects the one after it. */
  accept(): void {
    const chosen = new Set(this.selection)
    const proposals = this.#proposals()
    const taken = proposals.filter((region) => chosen.has(region.id))
    const [first] = taken.length ? taken : proposals
    if (!first) return
    const all = new Set(taken.length ? taken : [first])
    this.#take(all)
    const following = this.#proposals().find((region) => region.id !== '')
    if (following) this.pick(following.id)
    else if (first.id) this.selection = [first.id]
  }

  acceptAll(): void {
    const proposals = this.#proposals()
    if (proposals.length) this.#take(new Set(proposals))
  }

  // selection

  /** Selects a region; from then on class keys are about it. */
  pick(id: string, { more = false } = {}): void {
    const others = this.selection.filter((other) => other !== id)
    this.selection = more ? (others.length < this.selection.length ? others : [...others, id]) : [id]
    if (toolsFor(this.labelSet).includes('select')) this.tool = 'select'
  }

  cycle(step: 1 | -1): void {
    const order = ordered(this.regions)
    if (!order.length) return
    const at = order.findIndex((region) => region.id === this.current?.id)
    const place = at < 0 ? (step > 0 ? 0 : order.length - 1) : (at + step + order.length) % order.length
    this.pick(order[place]!.id)
  }

  /** Where the selected regions are in the frame that is shown. */
  shapeOf(region: Region): Box | readonly Point[] | null {
    return geometry(region.part, this.frame)
  }

  // the best class of a sample that may have one is the one proposal that counts
  #proposals(): Region[] {
    const proposals = this.#history.now.filter(isProposal)
    if (this.labelSet.multiLabel) return proposals
    const [best] = proposals.filter(({ part }) => part.kind === 'whole').sort((a, b) => (b.score ?? 0) - (a.score ?? 0))
    return proposals.filter((region) => region.part.kind !== 'whole' || region === best)
  }

  #take(taken: ReadonlySet<Region>): void {
    const whole = [...taken].some(({ part }) => part.kind === 'whole')
    const single = whole && !this.labelSet.multiLabel
    const kept = this.#history.now.filter((region) => !single || region.part.kind !== 'whole' || taken.has(region))
    this.commit(kept.map((region) => (taken.has(region) ? accepted(region) : region)))
  }

  #reshape(by: (part: Part) => Part): void {
    this.change((region) => {
      const part = by(region.part)
      return part === region.part ? region : edited(region, { part })
    })
  }
}

const same = (a: Region, b: Region): boolean => (a.id === '' ? b.id === '' && a.label === b.label : a.id === b.id)
