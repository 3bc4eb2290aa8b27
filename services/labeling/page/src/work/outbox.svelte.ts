// Answers under way. Each is kept on this computer until the service has it, and sent again with the same id until then.
import { Fault } from '../api/fault.ts'
import { call } from '../api/rpc.ts'
import type { Kept, Pending } from '../model/kept.ts'
import * as wire from '../model/wire.ts'

const WAIT_MS = [500, 1000, 2000, 5000, 10_000]

export class Outbox {
  waiting = $state(0)
  trouble = $state.raw<Fault | null>(null) // why nothing goes out just now
  readonly #kept: Kept
  readonly #told = new Set<Listener>()
  #sending = false
  #wake: () => void = () => undefined
  #closed = false

  constructor(kept: Kept) {
    this.#kept = kept
    this.waiting = kept.pending().length
    addEventListener('online', this.hurry)
    void this.#send()
  }

  close(): void {
    this.#closed = true
    removeEventListener('online', this.hurry)
    this.#wake()
  }

  /** Tells what becomes of answers; gives what ends that. */
  listen(listener: Listener): () => void {
    this.#told.add(listener)
    return () => void this.#told.delete(listener)
  }

  add(answer: Pending): void {
    this.#kept.add(answer)
    this.waiting = this.#kept.pending().length
    void this.#send()
  }

  /** Ids of a project's tasks whose answers are under way. */
  taskIds(projectId: string): string[] {
    return this.#kept.pending().filter((answer) => answer.projectId === projectId).map((answer) => answer.taskId)
  }

  /** Tries at once, for instance after a sign-in. */
  hurry = (): void => {
    this.#wake()
    void this.#send()
  }

  async #send(): Promise<void> {
    if (this.#sending) return
    this.#sending = true
    try {
      for (let attempt = 0; !this.#closed; ) {
        const [answer] = this.#kept.pending()
        if (!answer) break
        attempt = (await this.#try(answer)) ? 0 : attempt + 1
        if (attempt) await this.#pause(WAIT_MS[attempt - 1] ?? WAIT_MS.at(-1)!)
      }
    } finally {
      this.#sending = false
    }
  }

  // whether the answer's fate is known
  async #try(answer: Pending): Promise<boolean> {
    let refusal: Fault | null = null
    try {
      await call('relearn.labeling.v1.LabelingService/SubmitAnnotation', {
        labelTaskId: answer.taskId,
        regions: answer.regions,
        timeSpent: wire.duration(answer.timeSpentS),
        requestId: answer.requestId,
        labelSetVersion: answer.labelSetVersion,
      })
    } catch (error) {
      refusal = error instanceof Fault ? error : new Fault('unknown', '', String(error))
      if (refusal.passing || refusal.code === 'unauthenticated') {
        this.trouble = refusal
        return false
      }
    }
    this.trouble = null
    this.#kept.drop(answer.requestId)
    if (!refusal) this.#kept.dropDraft(answer.taskId, answer.labelSetVersion)
    this.waiting = this.#kept.pending().length
    for (const listener of this.#told) listener(answer, refusal)
    return true
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** Hears of an answer that was taken, or refused. */
export type Listener = (answer: Pending, refusal: Fault | null) => void
