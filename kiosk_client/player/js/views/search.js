/** Search as one types; for a screen without a keyboard, words to touch. */

import { h, icon } from '../dom.js'
import { datesOf, entryHref, languageOf } from '../context.js'
import { highlight, queryWords } from '../text/normalise.js'
import { excerpt, search } from '../text/search.js'
import { kindOf } from '../parts/card.js'

/** @typedef {import('../context.js').Context} Context */

/** So many results of one type at first sight. */
const SHOWN = 30
const SUGGESTIONS = 14

/** @param {Context} context @param {import('../route.js').Route} route */
export function searchPage(context, route) {
  const { t } = context
  const results = h('div.results')
  const input = /** @type {HTMLInputElement} */ (h('input.searchbox__input', {
    type: 'search', id: 'search-words', value: route.query.q ?? '', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', enterkeyhint: 'search', dir: 'auto',
    oninput: () => find(input.value),
  }))
  let timer = 0
  const find = (/** @type {string} */ query) => {
    drawResults(context, results, query, (word) => {
      input.value = word
      find(word)
    })
    clearTimeout(timer)
    timer = setTimeout(() => context.go({ page: 'search', query: query ? { q: query } : {} }, { replace: true }), 300)
  }
  context.onLeave(() => clearTimeout(timer))
  drawResults(context, results, input.value, (word) => {
    input.value = word
    find(word)
  })
  return {
    title: t('search'),
    content: [
      h('h1.sectionhead__title', null, t('search')),
      h('form.searchbox', { role: 'search', onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
        h('label.searchbox__label', { for: 'search-words' }, t('searchLabel')),
        h('div.searchbox__line', null, icon('search'), input)),
      results,
    ],
  }
}

/** @param {Context} context @param {HTMLElement} place @param {string} query @param {(word: string) => void} choose */
function drawResults(context, place, query, choose) {
  const { library, t } = context
  const words = queryWords(query)
  if (!words.length) {
    place.replaceChildren(suggestions(context, choose))
    return
  }
  const found = search(library.searchDocuments(), query)
  context.announce(t('countResults', { n: found.length }))
  if (!found.length) {
    place.replaceChildren(h('p.empty', null, t('noResults', { query })), suggestions(context, choose))
    return
  }
  const types = [...new Set(found.map(({ type }) => type))]
  place.replaceChildren(h('p.results__count', null, t('countResults', { n: found.length })), ...types.map((type) => {
    const members = found.filter((document) => document.type === type)
    return h('section.results__group', null, h('h2.results__type', null, library.typeLabel(type, 2)),
      h('ul.results__list', { role: 'list' }, members.slice(0, SHOWN).flatMap((document) => result(context, document, words) ?? [])))
  }))
}

/** @param {Context} context @param {import('../text/search.js').Document} document @param {string[]} words */
function result(context, document, words) {
  const entry = context.library.entry(document.id)
  if (!entry) return null
  const body = excerpt(document.excerptSource, words)
  return h('li.result', { 'data-anchor': `entry-${entry.id}` }, h('a.result__link', { href: entryHref(context, entry) },
    h('span.result__title', languageOf(context, context.library.titleLanguage(entry)), marked(document.title, words)),
    h('span.result__kind', null, [kindOf(context, entry), datesOf(context, entry)].filter(Boolean).join(' · ')),
    body && h('span.result__excerpt', { dir: 'auto' }, marked(body, words))))
}

/** @param {string} text @param {string[]} words */
const marked = (text, words) => highlight(text, words).map(({ text: part, hit }) => (hit ? h('mark', null, part) : part))

/** Kinds, themes and domains that the package really has. @param {Context} context @param {(word: string) => void} choose */
function suggestions(context, choose) {
  const { library } = context
  /** @type {Map<string, number>} */
  const counts = new Map()
  for (const entry of library.entries.values()) {
    for (const field of ['kind', 'theme', 'domain']) {
      const label = library.types[entry.type]?.fields?.[field]?.choices?.[entry.fields[field]]
      if (label) counts.set(label, (counts.get(label) ?? 0) + 1)
    }
  }
  const words = [...counts].sort((a, b) => b[1] - a[1]).slice(0, SUGGESTIONS).map(([label]) => label)
  if (!words.length) return ''
  return h('section.suggestions', null, h('h2.results__type', null, context.t('suggestions')),
    h('div.filter', null, words.map((word) => h('button.chip', { type: 'button', onclick: () => choose(word) }, word))))
}
