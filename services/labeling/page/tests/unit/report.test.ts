import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agreement, bars, figures, share, span } from '../../src/model/report.ts'

test('times are told in the largest unit that fits', () => {
  assert.deepEqual([4.26, 59.6, 61, 7200, 60 * 3600].map(span), ['4.3 s', '60 s', '1 min', '2 h', '3 days'])
})

test('a share of nothing is a dash', () => {
  assert.equal(share('1', '3'), '33%')
  assert.equal(share('0', '0'), '–')
})

test('a label costs the time of all its answers', () => {
  const told = figures({ labels: '10', answers: '25', timeSpent: '200s', openTasks: '3', oldest: '7200s', alpha: 0.81 })
  const value = (name: string): string => told.find((figure) => figure.name === name)!.value
  assert.equal(value('Cost of a label'), '20 s')
  assert.equal(value('Agreement'), '0.81')
  assert.equal(told.find(({ name }) => name === 'Tasks that wait')!.note, 'the oldest for 2 h')
  assert.equal(figures({}).find(({ name }) => name === 'Cost of a label')!.value, '–')
})

test('agreement is told in words, and missing where it is not known', () => {
  assert.deepEqual([undefined, 0.5, 0.7, 0.8].map(agreement), ['too few shared samples', 'unreliable', 'tentative', 'reliable'])
  assert.equal(bars({ buckets: [{ startTime: '2026-11-25T00:00:00Z', answers: '4' }] })[0]!.alpha, null)
})
