// Where the work on a task begins: at the draft that was kept, else at an answer that was refused, else at suggestions.
import { begun } from '../model/history.ts'
import type { Kept } from '../model/kept.ts'
import { Desk } from './desk.svelte.ts'
import type { Loaded, Task } from './task.ts'

/** The desk of a task, and the seconds spent on it before. */
export function opened(task: Task, loaded: Loaded, kept: Kept): { desk: Desk; seconds: number } {
  const draft = kept.draft(task.id, task.labelSet.version)
  const history = draft?.history ?? begun(task.rejected?.regions ?? task.proposals)
  const desk = new Desk(task.labelSet, loaded.extent, history)
  desk.text = loaded.text
  return { desk, seconds: draft?.seconds ?? 0 }
}
