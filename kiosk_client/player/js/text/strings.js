/** The player's own words, from `i18n/<tag>.json`; English stands in for what is missing. */

import { dateTag } from './dates.js'

/** Catalogues that exist, so that no request is made for another. */
const CATALOGUES = ['ar', 'de', 'en', 'fr', 'ja', 'nl', 'pl', 'pt-BR', 'zh-Hans']

/**
 * The catalogue that serves a language: its own, one of its parent, or English.
 * @param {string} language
 */
export function catalogueFor(language) {
  const parts = language.split('-')
  for (let length = parts.length; length; length -= 1) {
    const tag = parts.slice(0, length).join('-')
    const found = CATALOGUES.find((name) => name.toLowerCase() === tag.toLowerCase())
    if (found) return found
  }
  return CATALOGUES.find((name) => name.split('-')[0] === parts[0]) ?? 'en'
}

/** @typedef {Record<string, string | Record<string, string>>} Catalogue */

/**
 * @typedef {object} Strings
 * @property {string} language tag
 * @property {(key: string, values?: Record<string, string | number>) => string} t `values.n`
 *   chooses the plural form
 * @property {(value: number, digits?: number) => string} number
 */

/**
 * @param {string} language
 * @param {Catalogue} own
 * @param {Catalogue} english
 * @returns {Strings}
 */
export function makeStrings(language, own, english) {
  const number = (/** @type {number} */ value, digits = 1) =>
    new Intl.NumberFormat(dateTag(language), { maximumFractionDigits: digits }).format(value)
  const form = (/** @type {Catalogue} */ catalogue, /** @type {string} */ tag, /** @type {string} */ key, /** @type {unknown} */ n) => {
    const entry = catalogue[key]
    if (typeof entry !== 'object') return entry
    return entry[new Intl.PluralRules(tag).select(Number(n ?? 0))] ?? entry.other
  }
  return {
    language,
    number,
    t(key, values = {}) {
      const text = form(own, language, key, values.n) ?? form(english, 'en', key, values.n) ?? key
      return text.replace(/\{(\w+)\}/g, (whole, name) => {
        const value = values[name]
        return value === undefined ? whole : typeof value === 'number' ? number(value) : value
      })
    },
  }
}

/** @type {Map<string, Promise<Catalogue>>} */
const loaded = new Map()

/** @param {string} name @returns {Promise<Catalogue>} */
function loadCatalogue(name) {
  let catalogue = loaded.get(name)
  if (!catalogue) {
    catalogue = fetch(new URL(`../../i18n/${name}.json`, import.meta.url)).then((answer) => answer.json())
    loaded.set(name, catalogue)
  }
  return catalogue
}

/**
 * @param {string} language
 * @returns {Promise<Strings>}
 */
export async function loadStrings(language) {
  const [own, english] = await Promise.all([loadCatalogue(catalogueFor(language)), loadCatalogue('en')])
  return makeStrings(language, own, english)
}
