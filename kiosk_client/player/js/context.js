/**
 * What every page gets: the language's content, the words, addresses, and a place to
 * leave what must be stopped when the page goes.
 */

import { h } from './dom.js'
import { formatRoute } from './route.js'
import { formatDate, formatDates } from './text/dates.js'
import { richText } from './text/richtext.js'

/**
 * @typedef {object} Context
 * @property {import('./release.js').Library} library
 * @property {import('./release.js').Release} release
 * @property {import('./release.js').Package} pkg
 * @property {import('./text/strings.js').Strings['t']} t
 * @property {import('./text/strings.js').Strings['number']} number
 * @property {string} language tag
 * @property {boolean} kiosk a shared device: no way out, idle reset
 * @property {(route: Partial<import('./route.js').Route>) => string} href address in this language
 * @property {(route: Partial<import('./route.js').Route>, options?: {replace?: boolean}) => void} go
 * @property {(text: string) => void} announce to a screen reader
 * @property {(stop: () => void) => void} onLeave
 */

/**
 * @param {import('./release.js').Library} library
 * @param {import('./text/strings.js').Strings} strings
 * @param {Pick<Context, 'go' | 'announce' | 'onLeave'>} act
 * @returns {Context}
 */
export function makeContext(library, strings, act) {
  const language = library.language.tag
  return {
    library, language, ...act,
    release: library.release,
    pkg: library.pkg,
    t: strings.t,
    number: strings.number,
    kiosk: library.release.shell === 'kiosk',
    href: (route) => formatRoute({ language, ...route }),
  }
}

/**
 * `lang` and `dir` for a text that is in another language than the page.
 * @param {Context} context @param {string | undefined} tag
 */
export function languageOf(context, tag) {
  return tag && tag !== context.language ? { lang: tag, dir: context.library.direction(tag) } : {}
}

/** A mark for a text in another language, in words. @param {Context} context @param {string | undefined} tag */
export function languageNote(context, tag) {
  if (!tag || tag === context.language) return null
  return h('span.tongue', null, context.t('inLanguage', { language: languageName(context, tag) }))
}

/** @param {Context} context @param {string} tag */
export function languageName(context, tag) {
  try {
    return new Intl.DisplayNames([context.language], { type: 'language' }).of(tag) ?? tag
  } catch {
    return tag
  }
}

/**
 * A field of an entry, a block or an asset, drawn as rich text in its own language.
 * @param {Context} context
 * @param {{fields: Record<string, any>, in?: Record<string, string>}} holder
 * @param {string} field
 * @param {string} element tag and classes of the wrapper
 * @returns {HTMLElement | null}
 */
export function text(context, holder, field, element = 'div.prose') {
  const value = holder.fields[field]
  if (value === undefined || value === null || value === '' || (Array.isArray(value) && !value.length)) return null
  return h(element, languageOf(context, holder.in?.[field]), richText(value, { links: !context.kiosk }))
}

/** The name of an entry, marked when it is in another language. @param {Context} context @param {import('./release.js').Entry} entry */
export function titleOf(context, entry) {
  const tag = context.library.titleLanguage(entry)
  return h('span', languageOf(context, tag), richText(context.library.titleNodes(entry), { links: false }))
}

/** @param {Context} context @param {import('./release.js').Entry} entry */
export const entryHref = (context, entry) => context.href({ page: 'entry', id: entry.id })

/** The dates of an entry in words, '' when it has none. @param {Context} context @param {import('./release.js').Entry} entry */
export function datesOf(context, entry) {
  const { date, start, end } = entry.fields
  return date ? formatDate(date, context.language) : formatDates(start, end, context.language)
}
