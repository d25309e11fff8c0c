/** From what the page held and what it holds now to the operations that the server takes. Pure. */

import { ABSENT, same } from './values.js'

/**
 * @typedef {{op: string, path: string, scope?: string, value?: unknown}} Operation
 * @typedef {{id: string, type: string}} BlockSeat
 * @typedef {{path: string, scope: string, value: unknown}} Held
 */

/** The pair an operation touches. @param {Operation} operation */
export const pairOf = ({ path, scope }) => `${path}|${scope ?? '*'}`

/**
 * Operations that bring a story from `before` to `after`: removals, insertions, then moves.
 * @param {string} story @param {BlockSeat[]} before @param {BlockSeat[]} after
 * @returns {Operation[]}
 */
export function storyOperations(story, before, after) {
  /** @type {Operation[]} */
  const found = []
  const kept = new Set(after.map(({ id }) => id))
  const known = new Set(before.map(({ id }) => id))
  for (const { id } of before) {
    if (!kept.has(id)) found.push({ op: 'remove_block', path: `${story}.${id}` })
  }
  let previous = null
  for (const { id, type } of after) {
    if (!known.has(id)) {
      found.push({ op: 'insert_block', path: `${story}.${id}`, value: { type, after: previous } })
    }
    previous = id
  }
  const stayed = before.filter(({ id }) => kept.has(id)).map(({ id }) => id)
  const order = after.filter(({ id }) => known.has(id)).map(({ id }) => id)
  const settled = longestRun(stayed, order)
  previous = null
  for (const { id } of after) {
    if (known.has(id) && !settled.has(id)) {
      found.push({ op: 'move_block', path: `${story}.${id}`, value: { after: previous } })
    }
    previous = id
  }
  return found
}

/**
 * The most blocks whose order among themselves is unchanged: only the others need to move.
 * @param {string[]} before @param {string[]} after
 * @returns {Set<string>}
 */
export function longestRun(before, after) {
  const place = new Map(before.map((id, index) => [id, index]))
  /** @type {string[][]} best[i]: the longest run that ends with after[i] */
  const best = []
  after.forEach((id, index) => {
    let run = /** @type {string[]} */ ([])
    for (let earlier = 0; earlier < index; earlier += 1) {
      const fits = (place.get(after[earlier]) ?? 0) < (place.get(id) ?? 0)
      if (fits && best[earlier].length > run.length) run = best[earlier]
    }
    best.push([...run, id])
  })
  return new Set(best.reduce((one, other) => (other.length > one.length ? other : one), []))
}

/**
 * Operations for values that differ from what the page held.
 * @param {Record<string, unknown>} base `path|scope` to value
 * @param {Held[]} held what the controls hold now
 * @returns {Operation[]}
 */
export function valueOperations(base, held) {
  /** @type {Operation[]} */
  const found = []
  for (const { path, scope, value } of held) {
    const key = `${path}|${scope}`
    const before = key in base ? base[key] : ABSENT
    if (value === ABSENT) {
      if (key in base) found.push({ op: 'unset', path, scope })
    } else if (!(key in base) || !same(before, value)) {
      found.push({ op: 'set', path, scope, value })
    }
  }
  return found
}

/**
 * Kept operations that this page has no control for, such as another language's: they go along.
 * @param {Operation[]} kept @param {Set<string>} shown pairs with a control here
 * @param {Set<string>} stories @param {(path: string) => boolean} isThere whether a block stands
 */
export function carriedOperations(kept, shown, stories, isThere) {
  return kept.filter((operation) => {
    if (operation.op !== 'set' && operation.op !== 'unset') {
      return !stories.has(operation.path.split('.')[0])
    }
    return !shown.has(pairOf(operation)) && isThere(operation.path)
  })
}

/**
 * The order and types of a story's blocks as the page was given them.
 * @param {Record<string, unknown>} base @param {string} story @returns {BlockSeat[]}
 */
export const baseStory = (base, story) =>
  (/** @type {string[]} */ (base[`${story}|*`] ?? [])).map((id) => ({
    id,
    type: String(base[`${story}.${id}|*`] ?? ''),
  }))
