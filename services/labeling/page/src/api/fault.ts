// What went wrong, in words and with the next step. Callers branch on code and reason, never on the message.

/** A call that the service refused, or that did not reach it. */
export class Fault extends Error {
  readonly code: string
  readonly reason: string

  constructor(code: string, reason: string, message: string) {
    super(message)
    this.code = code
    this.reason = reason
  }

  /** Whether the same call may succeed later: the network or a service is away. */
  get passing(): boolean {
    return ['unreachable', 'unavailable', 'deadline_exceeded', 'internal', 'unknown', 'aborted'].includes(this.code)
  }
}

const WORDS: Record<string, string> = {
  LEASE_EXPIRED: 'You were away for longer than this task was kept for you. Ask for it again, or go on with the next one.',
  TASK_NOT_ASSIGNED: 'This task is no longer yours. Your work on it is kept here; go on with the next one.',
  TASK_CLOSED: 'Others have settled this task meanwhile. Go on with the next one.',
  LABEL_SET_CHANGED: 'The classes of this project have changed since you opened the task. Reload to see the new ones.',
  ANSWERS_PER_DAY: 'You have given all the answers that this project wants today. The next ones are wanted after midnight UTC.',
  ANSWERS_PER_ANNOTATOR: 'You have given all the answers that one person may give today. The next ones are wanted after midnight UTC.',
  NO_SLOT: 'Others have given all the answers that this task wanted. Go on with the next one.',
  INVALID_REGION: 'A region lies outside of the sample, or is no region any more. Undo or delete it and press Enter again.',
  NOT_IN_LABEL_SET: 'The answer names a class that this project does not have. Choose another one and press Enter again.',
  NO_REGION: 'This project wants one class for each sample. Choose one and press Enter again.',
  TOO_MANY_REGIONS: 'These are more regions than one answer may have. Delete some and press Enter again.',
  TASK_MOVED_ON: 'Somebody has answered this task while you looked at it. Ask for it again to see that answer.',
  OWN_ANSWER: 'You have answered this task yourself, so another reviewer settles it.',
  REVIEW_NOT_ASSIGNED: 'This review is no longer yours. Go on with the next one.',
}
const BY_CODE: Record<string, string> = {
  unreachable: 'The server cannot be reached. Your work is kept on this computer; this page tries again by itself.',
  unavailable: 'A service is away for a moment. Your work is kept on this computer; this page tries again by itself.',
  unauthenticated: 'You are signed out. Sign in again; your work is kept on this computer.',
  permission_denied: 'Your token does not allow this. Ask whoever made it for the role that you need.',
  not_found: 'There is nothing of this name. Go back to the list of queues.',
}

/** What to tell a person. */
export function inWords(error: unknown): string {
  if (!(error instanceof Fault)) return `Something went wrong in this page: ${String(error)}. Reload it; your work is kept.`
  return WORDS[error.reason] ?? BY_CODE[error.code] ?? error.message
}
