/** What one can do to cues: each gives new cues and the index to look at. Pure. */

/** @typedef {import('./vtt.js').Cue} Cue */
/** @typedef {{cues: Cue[], at: number}} Edited */

export const NEW_LENGTH = 2500
/** Milliseconds; a cue that is shorter only flickers. */
export const SHORTEST = 500

/** Characters a second that viewers can follow; scripts without spaces hold more in each. */
const READING_SPEED = 17
const READING_SPEED_DENSE = { ja: 7, zh: 9, ko: 12 }

/** @param {Partial<Cue>} given @returns {Cue} */
export const newCue = (given) => ({ start: 0, end: 0, text: '', id: '', settings: '', notes: [], ...given })

/**
 * A new cue at `moment`, ending before the next one begins. @param {Cue[]} cues @param {number} moment
 * @returns {Edited}
 */
export function addAt(cues, moment) {
  const start = Math.max(0, Math.round(moment))
  const after = cues.findIndex((cue) => cue.start > start)
  const at = after < 0 ? cues.length : after
  const next = cues[at]
  const end = next ? Math.max(start + SHORTEST, Math.min(start + NEW_LENGTH, next.start)) : start + NEW_LENGTH
  return { cues: cues.toSpliced(at, 0, newCue({ start, end })), at }
}

/** @param {Cue[]} cues @param {number} at @param {Partial<Cue>} changes @returns {Edited} */
export function change(cues, at, changes) {
  return { cues: cues.with(at, { ...cues[at], ...changes }), at }
}

/**
 * Two cues of one: the text at `cursor`, the time in proportion. @param {Cue[]} cues
 * @param {number} at @param {number} cursor characters before the split @returns {Edited}
 */
export function split(cues, at, cursor) {
  const cue = cues[at]
  const before = cue.text.slice(0, cursor).trim()
  const after = cue.text.slice(cursor).trim()
  const share = cue.text.length ? Math.min(0.9, Math.max(0.1, cursor / cue.text.length)) : 0.5
  const middle = Math.round(cue.start + (cue.end - cue.start) * share)
  return {
    cues: cues.toSpliced(at, 1, { ...cue, text: before, end: middle },
      newCue({ start: middle, end: cue.end, text: after, settings: cue.settings })),
    at: at + 1,
  }
}

/** One cue of two. @param {Cue[]} cues @param {number} at @returns {Edited} */
export function mergeNext(cues, at) {
  const next = cues[at + 1]
  if (!next) return { cues, at }
  const cue = cues[at]
  const text = [cue.text.trim(), next.text.trim()].filter(Boolean).join('\n')
  const merged = { ...cue, end: Math.max(cue.end, next.end), text, notes: [...cue.notes, ...next.notes] }
  return { cues: cues.toSpliced(at, 2, merged), at }
}

/** @param {Cue[]} cues @param {number} at @returns {Edited} */
export function remove(cues, at) {
  const kept = cues.toSpliced(at, 1)
  // A note stays when its cue goes: it is somebody's, and the next cue is nearest.
  const notes = cues[at].notes
  if (notes.length && kept[at]) kept[at] = { ...kept[at], notes: [...notes, ...kept[at].notes] }
  return { cues: kept, at: Math.min(at, kept.length - 1) }
}

/** The cue to see at a moment, or -1. @param {Cue[]} cues @param {number} moment */
export const showing = (cues, moment) => cues.findIndex((cue) => cue.start <= moment && moment < cue.end)

/** Characters a second, without markup. @param {Cue} cue */
export function readingSpeed(cue) {
  const length = [...cue.text.replace(/<[^>]*>/g, '').replace(/\s+/g, ' ').trim()].length
  return cue.end > cue.start ? length / ((cue.end - cue.start) / 1000) : Infinity
}

/**
 * What is wrong with a cue, to be said beside it.
 * @param {Cue[]} cues @param {number} at @param {string} language
 * @returns {('backwards' | 'short' | 'overlap' | 'order' | 'fast' | 'empty')[]}
 */
export function hints(cues, at, language) {
  const cue = cues[at]
  /** @type {ReturnType<typeof hints>} */
  const found = []
  if (!cue.text.trim()) found.push('empty')
  if (cue.end <= cue.start) found.push('backwards')
  else if (cue.end - cue.start < SHORTEST) found.push('short')
  const next = cues[at + 1]
  if (next && next.start < cue.start) found.push('order')
  else if (next && next.start < cue.end && cue.end > cue.start) found.push('overlap')
  if (cue.end > cue.start && readingSpeed(cue) > fastest(language)) found.push('fast')
  return found
}

/** @param {string} language a BCP 47 tag */
export const fastest = (language) =>
  READING_SPEED_DENSE[/** @type {keyof typeof READING_SPEED_DENSE} */ (language.split('-')[0])] ?? READING_SPEED
