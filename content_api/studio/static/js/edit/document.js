/**
 * A document as a map of `path@scope` to value, and what turns one into another. Pure: the same
 * decisions as content/document.py takes, which checks everything that is sent.
 */

export const SHARED = '*'

/** @typedef {Map<string, any>} Doc */
/** @typedef {{op: string, path: string, scope?: string, value?: any}} Operation */

/** @param {string} path @param {string} scope */
export const key = (path, scope) => `${path}@${scope}`

/** @param {string} pair @returns {[string, string]} */
export function parts(pair) {
  const at = pair.lastIndexOf('@')
  return [pair.slice(0, at), pair.slice(at + 1)]
}

/** @param {[string, string, any][]} list @returns {Doc} */
export const toDoc = (list) => new Map(list.map(([path, scope, value]) => [key(path, scope), value]))

/** Whether two values are one to the document. @param {any} one @param {any} other @returns {boolean} */
export function same(one, other) {
  if (Object.is(one, other)) return true
  if (typeof one !== 'object' || typeof other !== 'object' || !one || !other) return false
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const names = Object.keys(one)
  return names.length === Object.keys(other).length
    && names.every((name) => Object.hasOwn(other, name) && same(one[name], other[name]))
}

/** The pairs that differ, or that only one has, in order. @param {Doc} before @param {Doc} after */
export function changedPairs(before, after) {
  const all = new Set([...before.keys(), ...after.keys()])
  return [...all].filter((pair) =>
    before.has(pair) !== after.has(pair) || !same(before.get(pair), after.get(pair))).sort()
}

/** Whether a path is a block's or below it. @param {string} path @param {string} block */
export const isWithin = (path, block) => path === block || path.startsWith(`${block}.`)

/** @param {string} path */
const depth = (path) => path.split('.').length

/**
 * Operations that turn one document into another.
 * @param {Doc} before @param {Doc} after @param {string[]} stories @returns {Operation[]}
 */
export function operationsBetween(before, after, stories) {
  /** @type {Operation[]} */
  const found = []
  const old = new Map(before)
  for (const story of stories) {
    const was = /** @type {string[]} */ (old.get(key(story, SHARED)) ?? [])
    const is = /** @type {string[]} */ (after.get(key(story, SHARED)) ?? [])
    const kept = was.filter((block) => {
      const pair = key(`${story}.${block}`, SHARED)
      return after.has(pair) && same(old.get(pair), after.get(pair))
    })
    for (const block of was) {
      if (kept.includes(block)) continue
      const path = `${story}.${block}`
      found.push({ op: 'remove_block', path })
      for (const pair of [...old.keys()]) if (isWithin(parts(pair)[0], path)) old.delete(pair)
    }
    /** @type {string | null} */
    let last = null
    for (const block of is) {
      if (!kept.includes(block)) {
        const path = `${story}.${block}`
        found.push({ op: 'insert_block', path, value: { type: after.get(key(path, SHARED)), after: last } })
      }
      last = block
    }
    if (kept.length && !same(is.filter((block) => kept.includes(block)), kept)) {
      last = null
      for (const block of is) {
        found.push({ op: 'move_block', path: `${story}.${block}`, value: { after: last } })
        last = block
      }
    }
  }
  for (const pair of changedPairs(old, after)) {
    const [path, scope] = parts(pair)
    if (depth(path) === 2 || stories.includes(path)) continue
    if (after.has(pair)) found.push({ op: 'set', path, scope, value: after.get(pair) })
    else found.push({ op: 'unset', path, scope })
  }
  return found
}

/**
 * The document with each order naming exactly the blocks there are, and no field of others.
 * @param {Doc} doc @param {string[]} stories @param {Record<string, string[]>} [orders] wished for
 * @returns {Doc}
 */
export function repaired(doc, stories, orders = {}) {
  const found = new Map([...doc].filter(([pair]) => {
    const [path] = parts(pair)
    const names = path.split('.')
    if (names.length === 3) return doc.has(key(`${names[0]}.${names[1]}`, SHARED))
    return !(names.length === 1 && stories.includes(path))
  }))
  for (const story of stories) {
    const there = [...found.keys()].map((pair) => parts(pair)[0])
      .filter((path) => depth(path) === 2 && path.startsWith(`${story}.`)).map((path) => path.split('.')[1])
    const wished = orders[story] ?? doc.get(key(story, SHARED)) ?? []
    const order = [...new Set([...wished.filter((/** @type {string} */ block) => there.includes(block)), ...there])]
    if (order.length) found.set(key(story, SHARED), order)
  }
  return found
}

/**
 * What was changed from `before` to `after`, done to another document.
 * @param {Doc} before @param {Doc} after @param {Doc} onto @param {string[]} stories @returns {Doc}
 */
export function rebased(before, after, onto, stories) {
  const found = new Map(onto)
  for (const pair of changedPairs(before, after)) {
    if (after.has(pair)) found.set(pair, after.get(pair))
    else found.delete(pair)
  }
  return repaired(found, stories)
}

/** A document with pairs of a decision taken. @param {Doc} doc @param {any[][]} pairs @returns {Doc} */
export function taken(doc, pairs) {
  const found = new Map(doc)
  for (const [path, scope, ...value] of pairs) {
    if (value.length) found.set(key(path, scope), value[0])
    else found.delete(key(path, scope))
  }
  return found
}

/** What a cell shows after fallback: undefined for nothing said. @param {Doc} doc @param {string} path @param {string[]} scopes */
export function shownIn(doc, path, scopes) {
  for (const scope of scopes) if (doc.has(key(path, scope))) return doc.get(key(path, scope))
  return undefined
}

/** Whether a value says nothing to a visitor. @param {any} value */
export const saysNothing = (value) =>
  value === undefined || value === null || value === '' || (Array.isArray(value) && !value.length)

/** An id for a new block, unlike any other. @param {(size: number) => Uint8Array} [random] */
export function newBlockId(random = (size) => crypto.getRandomValues(new Uint8Array(size))) {
  return 'b' + [...random(10)].map((byte) => 'abcdefghijkmnpqrstuvwxyz23456789'[byte % 32]).join('')
}

/** A list with one item at another place. @template T @param {T[]} list @param {number} from @param {number} to */
export function movedTo(list, from, to) {
  const found = [...list]
  found.splice(to, 0, ...found.splice(from, 1))
  return found
}

/**
 * How many changes a person sees: a block that came or went is one, however much it holds.
 * @param {Doc} before @param {Doc} after @param {string[]} stories
 */
export function countChanges(before, after, stories) {
  return changedPairs(before, after).filter((pair) => {
    const [path] = parts(pair)
    const names = path.split('.')
    if (names.length === 3) return after.has(key(`${names[0]}.${names[1]}`, SHARED))
    if (names.length === 1 && stories.includes(path)) {
      const [was, now] = [before, after].map((doc) => /** @type {string[]} */ (doc.get(pair) ?? []))
      return !same(was.filter((block) => now.includes(block)), now.filter((block) => was.includes(block)))
    }
    return true
  }).length
}
