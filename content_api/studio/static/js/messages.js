/**
 * The interface's words for scripts: `_('Saved %(name)s', {name})`.
 * The server sends those that scripts use, in the reader's language.
 */

/** @type {{language: string, words: Record<string, string | Record<string, string>>}} */
let catalogue = { language: document.documentElement.lang || 'en', words: {} }

try {
  const answer = await fetch(document.documentElement.dataset.words ?? '/studio/messages.json')
  if (answer.ok) catalogue = await answer.json()
} catch {
  // Without a link the page speaks English rather than not at all.
}

/** @param {string} text @param {Record<string, unknown>} values */
const filled = (text, values) =>
  text.replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? String(values[name]) : whole))
    .replaceAll('%%', '%')

/** The message in the reader's language. @param {string} text @param {Record<string, unknown>} [values] */
export function _(text, values = {}) {
  const found = catalogue.words[text]
  return filled(typeof found === 'string' ? found : text, values)
}

/** The message that fits `n`. @param {string} one @param {string} other @param {number} n @param {Record<string, unknown>} [values] */
export function ngettext(one, other, n, values = {}) {
  const found = catalogue.words[one]
  const count = { n: formatNumber(n), ...values }
  if (typeof found !== 'object') return filled(n === 1 ? one : other, count)
  const form = new Intl.PluralRules(catalogue.language).select(n)
  return filled(found[form] ?? found.other ?? other, count)
}

/** A number as the reader writes it. @param {number} n */
export const formatNumber = (n) => new Intl.NumberFormat(catalogue.language).format(n)

/** A time of day as the reader writes it. @param {Date} moment */
export const formatTime = (moment) =>
  new Intl.DateTimeFormat(catalogue.language, { timeStyle: 'short' }).format(moment)
