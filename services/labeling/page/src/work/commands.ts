// What each command of the key map does.
import type { Handlers } from '../keys.ts'
import { isProposal } from '../model/regions.ts'
import type { Region } from '../model/regions.ts'
import { nextKeyframe } from '../model/track.ts'
import type { Desk } from './desk.svelte.ts'
import type { Player } from './player.svelte.ts'

type View = { fitAll(): void; zoom(factor: number): void }
type Bench = {
  desk: Desk
  player: Player
  stage: () => (View & { close(): boolean; cancel(): boolean; unpoint(): boolean; sight(): { x: number; y: number; width: number; height: number } }) | undefined
  text: () => { create(): void } | undefined
  timeline: () => View | undefined
  panel: () => { search(): void; describe(): void; enter(): void } | undefined
  home: () => void
  tell: (words: string) => void
  give: () => void
  help: () => void
  skip: (how: 'skip' | 'report') => void
  show: () => void
}

const ZOOM = 1.4
const SEEK_S = 1

/** A handler for every command; a key that is given is the one that was pressed. */
export function handlers(bench: Bench): Handlers {
  const { desk, player, stage, timeline, panel, tell } = bench
  const times = (key: string): number => (key.startsWith('Shift+') || key === '<' || key === '>' ? 10 : 1)
  const move = (dx: number, dy: number, key: string): void => {
    if (desk.selection.length) desk.nudge([dx * times(key), dy * times(key)])
    else if (dx && player.length) player.seek(player.time + dx * SEEK_S * times(key))
  }
  const grow = (dx: number, dy: number, key: string): void => desk.grow([dx * times(key), dy * times(key)])
  const picture = (): View | undefined => stage() ?? timeline()

  return {
    submit: bench.give,
    skip: () => bench.skip('skip'),
    report: () => bench.skip('report'),
    help: bench.help,
    undo: () => void (stage()?.unpoint() || desk.undo()),
    redo: () => desk.redo(),
    cancel: () => {
      if (stage()?.cancel()) return
      if (desk.selection.length) desk.selection = []
      else if (document.activeElement?.closest('[data-panel]')) bench.home()
      else panel()?.enter()
    },
    class: (key) => {
      const label = desk.labelSet.classes[(Number(key) + 9) % 10]
      if (label === undefined) tell(`There are ${desk.labelSet.classes.length} classes.`)
      else desk.say(label)
    },
    search: () => panel()?.search(),
    accept: () => (desk.regions.some(isProposal) ? desk.accept() : tell('There is no suggestion left to accept.')),
    acceptAll: () => (desk.regions.some(isProposal) ? desk.acceptAll() : tell('There is no suggestion left to accept.')),
    next: () => desk.cycle(1),
    previous: () => desk.cycle(-1),
    delete: () => void (stage()?.unpoint() || desk.remove()),
    create: () => create(bench),
    describe: () => panel()?.describe(),
    left: (key) => move(-1, 0, key),
    right: (key) => move(1, 0, key),
    up: (key) => move(0, -1, key),
    down: (key) => move(0, 1, key),
    narrower: (key) => grow(-1, 0, key),
    wider: (key) => grow(1, 0, key),
    shorter: (key) => grow(0, -1, key),
    taller: (key) => grow(0, 1, key),
    select: () => void (desk.tool = 'select'),
    box: () => void (desk.tool = 'box'),
    polygon: () => void (desk.tool = 'polygon'),
    mark: () => void (desk.tool = 'mark'),
    whole: () => void (desk.tool = 'whole'),
    fit: () => picture()?.fitAll(),
    zoomIn: () => picture()?.zoom(ZOOM),
    zoomOut: () => picture()?.zoom(1 / ZOOM),
    show: bench.show,
    play: () => player.toggle(),
    replay: () => replay(desk.current, player, tell),
    loop: () => loop(desk.current, player, tell),
    back: (key) => player.step(-times(key)),
    forth: (key) => player.step(times(key)),
    before: () => jump(desk, player, -1),
    after: () => jump(desk, player, 1),
    keyframe: () => (desk.current ? desk.toggleKeyframe() : tell('Select a track first: press Tab.')),
    hide: () => (desk.current ? desk.toggleHidden() : tell('Select a track first: press Tab.')),
    slower: () => player.faster(-1),
    faster: () => player.faster(1),
  }
}

/** A region by key: in the middle of what is seen, at the next word, or at the playhead, where the same key ends it. */
function create({ desk, player, stage, text }: Bench): void {
  if (text()) return text()!.create()
  const kinds = desk.labelSet.kinds
  if (kinds.includes('segment') && !(stage() && desk.tool === 'box')) return segment(desk, player)
  const sight = stage()?.sight()
  if (!sight) return
  const size = Math.max(4, Math.min(sight.width, sight.height) / 4)
  const [x, y] = [sight.x + sight.width / 2 - size / 2, sight.y + sight.height / 2 - size / 2]
  if (kinds.includes('box') || kinds.includes('track')) desk.addBox({ x, y, width: size, height: size })
  else if (kinds.includes('polygon')) desk.add({ kind: 'polygon', points: [[x, y], [x + size, y], [x + size, y + size], [x, y + size]] })
  if (desk.current) desk.pick(desk.current.id)
}

function segment(desk: Desk, player: Player): void {
  const current = desk.current
  const now = player.time
  if (current?.part.kind === 'segment' && desk.tool === 'mark' && now > current.part.start + 0.01 && current.id === started) {
    desk.commit(desk.withSegment(desk.regions, current.id, { start: current.part.start, end: now }))
    started = ''
    return
  }
  desk.tool = 'mark'
  desk.add({ kind: 'segment', start: now, end: Math.min(now + 0.5, player.length) })
  started = desk.current?.id ?? ''
}
let started = '' // the segment that the same key ends

function replay(region: Region | null, player: Player, tell: Bench['tell']): void {
  if (region?.part.kind === 'segment') player.stretch(region.part.start, region.part.end)
  else tell('Select a segment first: press Tab.')
}

function loop(region: Region | null, player: Player, tell: Bench['tell']): void {
  if (player.within) player.within = null
  else if (region?.part.kind === 'segment') {
    player.within = { start: region.part.start, end: region.part.end }
    if (player.time < region.part.start || player.time > region.part.end) player.seek(region.part.start)
  } else tell('Select a segment first: press Tab.')
}

// of the selected track its keyframes; else the ends of all segments
function jump(desk: Desk, player: Player, step: 1 | -1): void {
  const part = desk.current?.part
  if (part?.kind === 'track') {
    const frame = nextKeyframe(part.keyframes, player.frame, step)
    if (frame !== null) player.seekFrame(frame)
    return
  }
  const ends = desk.regions.flatMap(({ part }) => (part.kind === 'segment' ? [part.start, part.end] : [])).sort((a, b) => a - b)
  const to = step > 0 ? ends.find((time) => time > player.time + 1e-3) : ends.findLast((time) => time < player.time - 1e-3)
  if (to !== undefined) player.seek(to)
}
