// The Connect protocol over fetch: a unary call is a POST of JSON. Types come from the contracts.
import type { GetMediaRequestJson, GetMediaResponseJson } from '../generated/relearn/console/v1/media_service_pb'
import type * as labeling from '../generated/relearn/labeling/v1/labeling_service_pb'
import type * as management from '../generated/relearn/labeling/v1/management_service_pb'
import type * as review from '../generated/relearn/labeling/v1/review_service_pb'
import { Fault } from './fault.ts'

type Methods = {
  'relearn.labeling.v1.LabelingService/ListQueues': [labeling.ListQueuesRequestJson, labeling.ListQueuesResponseJson]
  'relearn.labeling.v1.LabelingService/NextTask': [labeling.NextTaskRequestJson, labeling.NextTaskResponseJson]
  'relearn.labeling.v1.LabelingService/SubmitAnnotation': [
    labeling.SubmitAnnotationRequestJson,
    labeling.SubmitAnnotationResponseJson,
  ]
  'relearn.labeling.v1.LabelingService/RenewLease': [labeling.RenewLeaseRequestJson, labeling.RenewLeaseResponseJson]
  'relearn.labeling.v1.LabelingService/ReleaseTask': [labeling.ReleaseTaskRequestJson, labeling.ReleaseTaskResponseJson]
  'relearn.labeling.v1.LabelingService/ListOwnAnnotations': [
    labeling.ListOwnAnnotationsRequestJson,
    labeling.ListOwnAnnotationsResponseJson,
  ]
  'relearn.labeling.v1.ReviewService/NextReview': [review.NextReviewRequestJson, review.NextReviewResponseJson]
  'relearn.labeling.v1.ReviewService/ReviewTask': [review.ReviewTaskRequestJson, review.ReviewTaskResponseJson]
  'relearn.labeling.v1.ManagementService/GetLabelingReport': [
    management.GetLabelingReportRequestJson,
    management.GetLabelingReportResponseJson,
  ]
  'relearn.console.v1.MediaService/GetMedia': [GetMediaRequestJson, GetMediaResponseJson]
}
export type Method = keyof Methods
export type Request<M extends Method> = Methods[M][0]
export type Response<M extends Method> = Methods[M][1]

/** Calls a method. Raises Fault. */
export async function call<M extends Method>(method: M, request: Request<M>, options: RequestInit = {}): Promise<Response<M>> {
  return (await send('POST', `/${method}`, request, options)) as Response<M>
}

/** Who is signed in. */
export type Session = { subject: string; role: 'annotator' | 'reviewer' | 'manager' | 'engineer' | 'service' }

/** Who is signed in; null for nobody. Raises Fault. */
export async function session(): Promise<Session | null> {
  try {
    return named(await send('GET', '/session'))
  } catch (error) {
    if (error instanceof Fault && error.code === 'unauthenticated') return null
    throw error
  }
}

/** Signs in with a personal access token. Raises Fault (unauthenticated). */
export const signIn = async (token: string): Promise<Session> => named(await send('POST', '/session', { token }))

export const signOut = async (): Promise<void> => void (await send('DELETE', '/session'))

// a role may be told as in the contract, ROLE_ANNOTATOR
const named = (told: unknown): Session => {
  const { subject, role } = told as { subject: string; role: string }
  return { subject, role: role.replace(/^ROLE_/, '').toLowerCase() as Session['role'] }
}

async function send(method: string, path: string, body?: unknown, options: RequestInit = {}): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const content = body === undefined ? {} : { headers, body: JSON.stringify(body) }
  let reply: globalThis.Response
  try {
    reply = await fetch(path, { method, credentials: 'same-origin', ...content, ...options })
  } catch (error) {
    throw new Fault('unreachable', '', String(error))
  }
  const text = await reply.text()
  const json = parsed(text)
  if (reply.ok) return json
  const { code, message, reason, details } = json as Refusal
  throw new Fault(code ?? byStatus(reply.status), reason ?? reasonOf(details) ?? '', message ?? reply.statusText)
}

type Refusal = { code?: string; message?: string; reason?: string; details?: { debug?: { reason?: string } }[] }

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text || '{}')
  } catch {
    return {} // a proxy's page; the status says enough
  }
}
const reasonOf = (details: Refusal['details']): string | undefined => details?.find((detail) => detail.debug?.reason)?.debug?.reason
const byStatus = (status: number): string =>
  status === 401 ? 'unauthenticated' : status === 403 ? 'permission_denied' : status === 404 ? 'not_found' : status >= 500 ? 'unavailable' : 'unknown'
