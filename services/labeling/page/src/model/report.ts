// The figures of a report, as people read them.
import type { GetLabelingReportResponseJson } from '../generated/relearn/labeling/v1/management_service_pb'
import { seconds } from './wire.ts'

export type Figure = { name: string; value: string; note: string }
type Report = GetLabelingReportResponseJson

const count = (value: string | number | undefined): number => Number(value ?? 0)

/** 45 s, 12 min, 3 h, 5 days: two digits of the largest unit that fits. */
export function span(total: number): string {
  if (total < 60) return `${total < 10 ? total.toFixed(1) : Math.round(total)} s`
  if (total < 3600) return `${Math.round(total / 60)} min`
  return total < 48 * 3600 ? `${Math.round(total / 3600)} h` : `${Math.round(total / 86400)} days`
}

/** A part of a whole in percent; a dash where there is no whole. */
export const share = (part: string | number | undefined, whole: string | number | undefined): string =>
  count(whole) ? `${Math.round((count(part) / count(whole)) * 100)}%` : '–'

/** Krippendorff's alpha in words: 0.80 is what is usually asked of data that others rely on (Krippendorff 2004, chapter 11). */
export const agreement = (alpha: number | undefined): string =>
  alpha === undefined ? 'too few shared samples' : alpha >= 0.8 ? 'reliable' : alpha >= 0.667 ? 'tentative' : 'unreliable'

/** What a label manager looks at first. */
export function figures(report: Report): Figure[] {
  const [labels, answers, spent] = [count(report.labels), count(report.answers), seconds(report.timeSpent)]
  const oldest = count(report.openTasks) ? `the oldest for ${span(seconds(report.oldest))}` : 'nothing waits'
  return [
    { name: 'Tasks that wait', value: String(count(report.openTasks)), note: oldest },
    { name: 'Labels', value: String(labels), note: `from ${answers} answers` },
    {
      name: 'Cost of a label',
      value: labels ? span(spent / labels) : '–',
      note: labels ? `${(answers / labels).toFixed(1)} answers each` : 'no label yet',
    },
    { name: 'Agreement', value: report.alpha === undefined ? '–' : Number(report.alpha).toFixed(2), note: agreement(number(report.alpha)) },
    { name: 'Disputed', value: String(count(report.disputedTasks)), note: 'closed without a label' },
    { name: 'Today', value: String(count(report.answersToday)), note: `of ${count(report.answersPerDay)} answers` },
  ]
}

const number = (value: unknown): number | undefined => (value === undefined ? undefined : Number(value))

export type Bar = { start: Date; answers: number; labels: number; alpha: number | null }

/** What happened over time. */
export const bars = (report: Report): Bar[] =>
  (report.buckets ?? []).map((bucket) => ({
    start: new Date(bucket.startTime ?? 0),
    answers: count(bucket.answers),
    labels: count(bucket.labels),
    alpha: number(bucket.alpha) ?? null,
  }))
