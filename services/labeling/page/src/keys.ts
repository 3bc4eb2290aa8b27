// Every key of the page. Nothing else binds one, and help is drawn from here.
import type { LabelSet, Kind } from './model/regions.ts'
import type { Modality } from './model/wire.ts'

export type Where = { modality: Modality; labelSet: LabelSet }
type Binding = { keys: readonly string[]; does: string; group: Group; here?: (where: Where) => boolean }
type Group = 'Answer' | 'Classes' | 'Regions' | 'Tools' | 'View' | 'Playing'

const has = (...kinds: Kind[]) => (where: Where): boolean => kinds.some((kind) => where.labelSet.kinds.includes(kind))
const parts = (where: Where): boolean => where.labelSet.kinds.some((kind) => kind !== 'whole')
const picture = (where: Where): boolean => where.modality === 'image' || where.modality === 'video'
const playing = (where: Where): boolean => where.modality === 'audio' || where.modality === 'video'
const described = (where: Where): boolean => where.labelSet.transcripts || where.labelSet.attributes.length > 0

/** By command. A letter stands for its key whatever the layout; Mod is Ctrl, or Cmd on a Mac. */
export const KEYS = {
  submit: { keys: ['Enter', 'Mod+Enter'], does: 'Close the open outline; else give the answer and go on', group: 'Answer' },
  skip: { keys: ['s'], does: 'Skip this task, with a reason', group: 'Answer' },
  report: { keys: ['x'], does: 'Report a problem with this task', group: 'Answer' },
  undo: { keys: ['Mod+z'], does: 'Undo', group: 'Answer' },
  redo: { keys: ['Mod+Shift+z', 'Mod+y'], does: 'Redo', group: 'Answer' },
  help: { keys: ['?'], does: 'These keys', group: 'Answer' },
  cancel: { keys: ['Escape'], does: 'Give up what is being drawn, then the selection; then to the panel and back', group: 'Answer' },

  class: { keys: ['1', '2', '3', '4', '5', '6', '7', '8', '9', '0'], does: 'Class: of the next region while drawing, of the selected one while selecting', group: 'Classes' },
  search: { keys: ['/'], does: 'Find a class by name', group: 'Classes' },
  accept: { keys: ['a'], does: 'Accept the selected suggestion, or the next one', group: 'Classes' },
  acceptAll: { keys: ['Shift+a'], does: 'Accept all suggestions', group: 'Classes' },

  next: { keys: ['Tab'], does: 'Next region', group: 'Regions', here: parts },
  previous: { keys: ['Shift+Tab'], does: 'Previous region', group: 'Regions', here: parts },
  delete: { keys: ['Delete', 'Backspace'], does: 'Delete the selected regions', group: 'Regions', here: parts },
  create: { keys: ['n'], does: 'New region here; on a timeline, once more ends it', group: 'Regions', here: parts },
  describe: { keys: ['t'], does: 'Describe: to the attributes and the transcript', group: 'Regions', here: described },
  left: { keys: ['ArrowLeft', 'Shift+ArrowLeft'], does: 'Move left, or earlier (Shift: ten steps)', group: 'Regions' },
  right: { keys: ['ArrowRight', 'Shift+ArrowRight'], does: 'Move right, or later', group: 'Regions' },
  up: { keys: ['ArrowUp', 'Shift+ArrowUp'], does: 'Move up', group: 'Regions', here: picture },
  down: { keys: ['ArrowDown', 'Shift+ArrowDown'], does: 'Move down', group: 'Regions', here: picture },
  narrower: { keys: ['j', 'Shift+j'], does: 'Narrower, or shorter in time or text (Shift: ten steps)', group: 'Regions', here: parts },
  wider: { keys: ['l', 'Shift+l'], does: 'Wider, or longer', group: 'Regions', here: parts },
  shorter: { keys: ['i', 'Shift+i'], does: 'Less high', group: 'Regions', here: (where) => parts(where) && picture(where) },
  taller: { keys: ['k', 'Shift+k'], does: 'Higher', group: 'Regions', here: (where) => parts(where) && picture(where) },

  select: { keys: ['v'], does: 'Select and change regions', group: 'Tools', here: parts },
  box: { keys: ['b'], does: 'Draw boxes', group: 'Tools', here: has('box', 'track') },
  polygon: { keys: ['p'], does: 'Draw outlines', group: 'Tools', here: has('polygon') },
  mark: { keys: ['r'], does: 'Mark stretches', group: 'Tools', here: has('span', 'segment') },
  whole: { keys: ['w'], does: 'Class of the whole sample', group: 'Tools', here: (where) => has('whole')(where) && parts(where) },

  fit: { keys: ['f'], does: 'Show all of it', group: 'View' , here: (where) => where.modality !== 'text' },
  zoomIn: { keys: ['+', '='], does: 'Zoom in', group: 'View', here: (where) => where.modality !== 'text' },
  zoomOut: { keys: ['-'], does: 'Zoom out', group: 'View', here: (where) => where.modality !== 'text' },
  show: { keys: ['m'], does: 'Hide the marks, or show them again', group: 'View', here: parts },

  play: { keys: ['Space'], does: 'Play or pause', group: 'Playing', here: playing },
  replay: { keys: ['Shift+Space'], does: 'Play the selected segment', group: 'Playing', here: playing },
  loop: { keys: ['o'], does: 'Stay within the selected segment, over and over', group: 'Playing', here: playing },
  back: { keys: [',', '<'], does: 'One frame back (a tenth of a second of sound; <: ten)', group: 'Playing', here: playing },
  forth: { keys: ['.', '>'], does: 'One frame forth', group: 'Playing', here: playing },
  before: { keys: ['q'], does: 'To the keyframe or edge before', group: 'Playing', here: playing },
  after: { keys: ['e'], does: 'To the keyframe or edge after', group: 'Playing', here: playing },
  keyframe: { keys: ['d'], does: 'Keyframe here, or none', group: 'Playing', here: has('track') },
  hide: { keys: ['h'], does: 'Out of sight from here on, or in sight again', group: 'Playing', here: has('track') },
  slower: { keys: ['['], does: 'Slower', group: 'Playing', here: playing },
  faster: { keys: [']'], does: 'Faster', group: 'Playing', here: playing },
} as const satisfies Record<string, Binding>

export type Command = keyof typeof KEYS
export type Handlers = Record<Command, (key: string) => void>

const BINDINGS = Object.entries(KEYS) as [Command, Binding][]

/** The name of the key that was pressed, as in KEYS. */
export function nameOf(event: Pick<KeyboardEvent, 'key' | 'code' | 'shiftKey' | 'ctrlKey' | 'metaKey' | 'altKey'>): string {
  if (event.altKey) return '' // Alt belongs to the browser and to the desktop
  const modifier = event.ctrlKey || event.metaKey ? 'Mod+' : ''
  if (event.key === ' ') return `${modifier}${event.shiftKey ? 'Shift+' : ''}Space`
  if (event.key.length > 1) return `${modifier}${event.shiftKey ? 'Shift+' : ''}${event.key}`
  // letters by their place where the layout has no Latin ones; capitals by Shift, never by Caps Lock
  const letter = /^[a-z]$/i.test(event.key) ? event.key.toLowerCase() : /^\p{L}$/u.test(event.key) ? latin(event.code) : ''
  return letter ? `${modifier}${event.shiftKey ? 'Shift+' : ''}${letter}` : modifier + event.key
}

const latin = (code: string): string => /^Key([A-Z])$/.exec(code)?.[1]?.toLowerCase() ?? ''

/** What a key does here; null for nothing. */
export function commandOf(key: string, where: Where): Command | null {
  return BINDINGS.find(([, { keys, here }]) => keys.includes(key) && (here?.(where) ?? true))?.[0] ?? null
}

export type HelpLine = { keys: string[]; does: string }

/** Groups of keys for people, only those that work here. */
export function help(where: Where): [Group, HelpLine[]][] {
  const groups = new Map<Group, HelpLine[]>()
  for (const [, { keys, does, group, here }] of BINDINGS) {
    if (here && !here(where)) continue
    groups.set(group, [...(groups.get(group) ?? []), { keys: shown(keys), does }])
  }
  return [...groups]
}

// a range as its ends; a key with Shift beside itself once
function shown(keys: readonly string[]): string[] {
  if (keys.length > 3) return [`${spoken(keys[0]!)} – ${spoken(keys.at(-1)!)}`]
  return keys.filter((key) => !keys.includes(key.replace('Shift+', '')) || !key.startsWith('Shift+')).map(spoken)
}

const SPOKEN: Record<string, string> = { ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓', Mod: 'Ctrl', Escape: 'Esc', Delete: 'Del' }

/** A key for people. */
export const spoken = (key: string): string =>
  key.split(/(?<=.)\+/).map((name) => SPOKEN[name] ?? (name.length === 1 ? name.toUpperCase() : name)).join(' ')
/** The first key of a command, for buttons. */
export const keyOf = (command: Command): string => spoken(KEYS[command].keys[0])
