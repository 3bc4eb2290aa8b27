// The tasks in hand: the one in work and those fetched ahead, their leases, and the way back of a refused answer.
import { Fault } from '../api/fault.ts'
import { call } from '../api/rpc.ts'
import type { SkipReasonJson } from '../generated/relearn/labeling/v1/labeling_service_pb'
import type { Pending } from '../model/kept.ts'
import type { Outbox } from './outbox.svelte.ts'
import { halfWay, taskOf } from './task.ts'
import type { Task } from './task.ts'

const AHEAD = 2
const ASK_AGAIN_MS = 5000
const LOOK_AT_LEASES_MS = 5000

export class Queue {
  readonly projectId: string
  current = $state.raw<Task | null>(null)
  loading = $state(true)
  empty = $state('') // why there is no task, as the contract names it
  trouble = $state.raw<Fault | null>(null) // why no task could be fetched
  refused = $state.raw<{ task: Task; fault: Fault } | null>(null)
  lost = $state.raw<Fault | null>(null) // why the task in work is ours no longer
  given = $state(0) // answers in this sitting
  #ahead: Task[] = []
  readonly #sent = new Map<string, Task>() // until their answers are acknowledged
  readonly #outbox: Outbox
  readonly #ends: (() => void)[]
  #asking = false
  #closed = false

  constructor(projectId: string, outbox: Outbox) {
    this.projectId = projectId
    this.#outbox = outbox
    const renewal = setInterval(() => void this.#renew(), LOOK_AT_LEASES_MS)
    const asking = setInterval(() => void (this.current || this.fill()), ASK_AGAIN_MS)
    this.#ends = [outbox.listen(this.#settled), () => clearInterval(renewal), () => clearInterval(asking)]
    void this.fill()
  }

  /** Lets go of everything; tasks fetched ahead that nobody has seen are given back. */
  close(): void {
    this.#closed = true
    this.#ends.forEach((end) => end())
    for (const { id } of this.#ahead) void release(id, 'SKIP_REASON_UNSPECIFIED', '').catch(() => undefined) // the lease ends by itself
  }

  /** Fetches tasks until there are enough, or no more to be had. */
  async fill(): Promise<void> {
    if (this.#asking || this.#closed) return
    this.#asking = true
    try {
      while (!this.#closed && (!this.current || this.#ahead.length < AHEAD)) if (!(await this.#fetch())) break
      this.trouble = null
    } catch (error) {
      this.trouble = error instanceof Fault ? error : new Fault('unknown', '', String(error))
    } finally {
      this.#asking = false
      this.loading = false
    }
  }

  /** Goes on at once; the answer is sent behind the scenes. */
  answer(pending: Pending): void {
    if (!this.current) return
    this.#sent.set(pending.requestId, this.current)
    this.given += 1
    this.#advance()
    this.#outbox.add(pending)
  }

  /** Gives the task in work back and goes on. Raises Fault: it stays then. */
  async skip(reason: SkipReasonJson, comment: string): Promise<void> {
    const task = this.current
    if (!task) return
    await release(task.id, reason, comment)
    this.#advance()
    void this.fill()
  }

  /** Goes on without the task in work, which is ours no longer. */
  letGo(): void {
    this.#advance()
    void this.fill()
  }

  /** After the words about a refused answer were read. */
  heard(): void {
    this.refused = null
  }

  #advance(): void {
    this.refused = this.lost = null
    this.current = this.#ahead.shift() ?? null
    this.loading = !this.current
  }

  async #fetch(): Promise<boolean> {
    const labelTaskIds = [...this.#inHand().map(({ id }) => id), ...this.#outbox.taskIds(this.projectId)]
    const reply = await call('relearn.labeling.v1.LabelingService/NextTask', { projectId: this.projectId, labelTaskIds })
    const task = taskOf(reply)
    this.empty = task ? '' : (reply.noneReason ?? '')
    if (!task || this.#inHand().some(({ id }) => id === task.id)) return false
    if (this.current) this.#ahead.push(task)
    else this.current = task
    this.loading = false
    return true
  }

  // an answer was taken or refused: a refused one comes back to the screen, and what was there waits behind it
  #settled = (answer: Pending, fault: Fault | null): void => {
    const task = this.#sent.get(answer.requestId)
    this.#sent.delete(answer.requestId)
    if (fault && task) {
      this.given -= 1
      if (this.current) this.#ahead.unshift(this.current)
      this.current = task
      this.refused = { task, fault }
    }
    if (answer.projectId === this.projectId) void this.fill()
  }

  async #renew(): Promise<void> {
    for (const task of this.#inHand().filter(({ renewAt }) => renewAt <= Date.now())) {
      try {
        const reply = await call('relearn.labeling.v1.LabelingService/RenewLease', { labelTaskId: task.id })
        task.renewAt = halfWay(reply.leaseExpireTime)
      } catch (error) {
        if (error instanceof Fault && ['failed_precondition', 'not_found'].includes(error.code)) this.#lose(task, error)
      }
    }
  }

  #lose(task: Task, fault: Fault): void {
    if (task === this.current) this.lost = fault
    else this.#ahead = this.#ahead.filter((other) => other !== task)
  }

  #inHand(): Task[] {
    return this.current ? [this.current, ...this.#ahead] : this.#ahead
  }
}

async function release(labelTaskId: string, reason: SkipReasonJson, comment: string): Promise<void> {
  await call('relearn.labeling.v1.LabelingService/ReleaseTask', { labelTaskId, reason, comment, requestId: crypto.randomUUID() })
}
