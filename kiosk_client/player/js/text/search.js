/** Finds entries by any part of a word. Pure: knows nothing of pages. */

import { normalise, queryWords } from './normalise.js'

/**
 * @typedef {object} Document
 * @property {string} id
 * @property {string} type
 * @property {string} title as shown
 * @property {string} titleText normalised title, reading and old names
 * @property {string} bodyText normalised everything else
 * @property {string} excerptSource the text an excerpt may be cut from
 */

/**
 * @param {{id: string, type: string, title: string, names: string[], body: string[], prose: string[]}} entry
 * @returns {Document}
 */
export function makeDocument({ id, type, title, names, body, prose }) {
  return {
    id, type, title,
    titleText: normalise([title, ...names].join(' | ')),
    bodyText: normalise(body.join(' | ')),
    excerptSource: prose.join(' '),
  }
}

/**
 * Documents that hold every word, best first: a title that starts with the word, then a
 * word in the title that does, then any part of a title, then the text.
 * @param {Document[]} documents
 * @param {string} query
 * @param {number} [limit]
 * @returns {Document[]}
 */
export function search(documents, query, limit = 200) {
  const words = queryWords(query)
  if (!words.length) return []
  /** @type {{document: Document, score: number}[]} */
  const found = []
  for (const document of documents) {
    let score = 0
    for (const word of words) {
      const points = pointsFor(document, word)
      score = points ? score + points : -Infinity
    }
    if (score > 0) found.push({ document, score })
  }
  found.sort((a, b) => b.score - a.score || a.document.title.length - b.document.title.length)
  return found.slice(0, limit).map(({ document }) => document)
}

/** @param {Document} document @param {string} word */
function pointsFor(document, word) {
  const at = document.titleText.indexOf(word)
  if (at === 0) return 100
  if (at > 0) return document.titleText.includes(` ${word}`) ? 60 : 40
  return document.bodyText.includes(word) ? 10 : 0
}

/**
 * About 120 characters of `text` around the first hit, whole code points.
 * @param {string} text
 * @param {string[]} words normalised
 */
export function excerpt(text, words) {
  const characters = [...text]
  if (characters.length <= 120) return text
  const plain = characters.map((character) => normalise(character) || ' ')
  const joined = plain.map((part) => part[0]).join('')
  const at = Math.max(0, words.map((word) => joined.indexOf(word)).find((index) => index >= 0) ?? 0)
  const start = Math.max(0, at - 40)
  const end = Math.min(characters.length, start + 120)
  return (start ? '…' : '') + characters.slice(start, end).join('').trim() + (end < characters.length ? '…' : '')
}
