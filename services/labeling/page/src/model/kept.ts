// What is kept on this computer until the service has it: drafts by task and label-set version, and answers under way.
// Both carry the person, so that two who share a computer never see each other's.
import type { RegionJson } from '../generated/relearn/labeling/v1/label_task_pb'
import { begun, packed, unpacked } from './history.ts'
import type { History } from './history.ts'

export type Keeper = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>

/** An answer that the service has not acknowledged. Sent again with the same id it is given once. */
export type Pending = {
  requestId: string
  projectId: string
  taskId: string
  labelSetVersion: number
  regions: RegionJson[]
  timeSpentS: number
  at: number // when it was given, milliseconds since 1970
}

const MOST_CHARACTERS = 1_500_000 // of one draft: browsers keep five million in all
const FORGET_AFTER_MS = 30 * 24 * 3600 * 1000

export class Kept {
  readonly #storage: Keeper
  readonly #subject: string

  constructor(storage: Keeper, subject: string) {
    this.#storage = storage
    this.#subject = subject
  }

  /** The draft of a task under a version of the label set; null where there is none. */
  draft(taskId: string, version: number): { history: History; seconds: number } | null {
    const text = this.#storage.getItem(this.#draftKey(taskId, version))
    if (!text) return null
    try {
      const { history, seconds } = JSON.parse(text) as { history: string; seconds: number }
      return { history: unpacked(history), seconds }
    } catch {
      return null // written by another version of this page
    }
  }

  /** Keeps a draft: with its undo where there is room for it, else without. */
  keepDraft(taskId: string, version: number, history: History, seconds: number, now: number): void {
    const whole = packed(history)
    const text = whole.length > MOST_CHARACTERS ? packed(begun(history.now)) : whole
    this.#set(this.#draftKey(taskId, version), JSON.stringify({ history: text, seconds, at: now }))
  }

  dropDraft(taskId: string, version: number): void {
    this.#storage.removeItem(this.#draftKey(taskId, version))
  }

  /** Answers under way, oldest first. */
  pending(): Pending[] {
    const found = this.#keys(this.#answerKey('')).map((key) => JSON.parse(this.#storage.getItem(key)!) as Pending)
    return found.sort((a, b) => a.at - b.at)
  }

  add(answer: Pending): void {
    this.#set(this.#answerKey(answer.requestId), JSON.stringify(answer))
  }

  drop(requestId: string): void {
    this.#storage.removeItem(this.#answerKey(requestId))
  }

  /** Deletes drafts that nobody has touched for a month. */
  forgetOld(now: number): void {
    for (const key of this.#keys(`relearn/draft/${this.#subject}/`)) {
      const { at } = JSON.parse(this.#storage.getItem(key) ?? '{}') as { at?: number }
      if ((at ?? 0) < now - FORGET_AFTER_MS) this.#storage.removeItem(key)
    }
  }

  // a key for each answer, so that two tabs never overwrite each other's
  #answerKey(requestId: string): string {
    return `relearn/answer/${this.#subject}/${requestId}`
  }

  #draftKey(taskId: string, version: number): string {
    return `relearn/draft/${this.#subject}/${taskId}/${version}`
  }

  #keys(prefix: string): string[] {
    return Array.from({ length: this.#storage.length }, (_, i) => this.#storage.key(i) ?? '').filter((key) => key.startsWith(prefix))
  }

  // a full storage must lose no answer: drafts of other tasks make room, the oldest first
  #set(key: string, text: string): void {
    for (;;) {
      try {
        this.#storage.setItem(key, text)
        return
      } catch (error) {
        const at = (other: string): number => (JSON.parse(this.#storage.getItem(other) ?? '{}') as { at?: number }).at ?? 0
        const oldest = this.#keys(`relearn/draft/`).filter((other) => other !== key).sort((a, b) => at(a) - at(b))[0]
        if (!oldest) throw error
        this.#storage.removeItem(oldest)
      }
    }
  }
}
