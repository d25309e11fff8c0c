/** The timeline: a shaft that goes down through the centuries, with an entry on each side. */

import { h } from '../dom.js'
import { datesOf, entryHref, languageNote, text, titleOf } from '../context.js'
import { centuryOf, decadeOf, parsePartialDate, roman } from '../text/dates.js'
import { filterButtons } from '../parts/filter.js'

/**
 * @typedef {import('../context.js').Context} Context
 * @typedef {import('../release.js').Entry} Entry
 */

/** @param {Entry} entry */
const dateOf = (entry) => entry.fields.date ?? entry.fields.start

/**
 * Entries by century then decade, earliest first; those without a date come last.
 * @param {Entry[]} entries
 * @returns {{century: number | null, decades: {decade: number | null, entries: Entry[]}[]}[]}
 */
export function groupByTime(entries) {
  const dated = [...entries].sort((a, b) => String(dateOf(a) ?? '9999').localeCompare(String(dateOf(b) ?? '9999')))
  /** @type {ReturnType<typeof groupByTime>} */
  const centuries = []
  for (const entry of dated) {
    const year = parsePartialDate(dateOf(entry))?.year ?? null
    const [century, decade] = year === null ? [null, null] : [centuryOf(year), decadeOf(year)]
    let last = centuries[centuries.length - 1]
    if (!last || last.century !== century) centuries.push(last = { century, decades: [] })
    let group = last.decades[last.decades.length - 1]
    if (!group || group.decade !== decade) last.decades.push(group = { decade, entries: [] })
    group.entries.push(entry)
  }
  return centuries
}

/** @param {Context} context @param {number | null} century */
export const centuryName = ({ t }, century) => (century === null ? t('undated') : t('century', { number: String(century), roman: roman(century), ordinal: ordinal(century) }))

/** English ordinals; other catalogues do not use them. @param {number} number */
const ordinal = (number) => number + ({ one: 'st', two: 'nd', few: 'rd', other: 'th' }[new Intl.PluralRules('en', { type: 'ordinal' }).select(number)] ?? 'th')

/** @param {Context} context @param {Entry[]} entries */
export function timelineView(context, entries) {
  const body = h('div.shaft')
  const jumps = h('ul.jumps', { role: 'list' })
  const fill = (/** @type {string} */ theme) => {
    const groups = groupByTime(entries.filter((entry) => !theme || entry.fields.theme === theme))
    jumps.replaceChildren(...groups.map(({ century }) => h('li', null, h('button.jumps__button', {
      type: 'button',
      onclick: () => jumpTo(`century-${century}`),
    }, centuryName(context, century)))))
    body.replaceChildren(...groups.map(({ century, decades }) => h('section.century', { 'aria-labelledby': `century-${century}` },
      h('h2.century__name', { id: `century-${century}`, tabindex: -1 }, centuryName(context, century)),
      decades.map(({ decade, entries: members }) => h('section.decade', null,
        decade !== null && h('h3.decade__name', null, context.t('decade', { year: String(decade) })),
        h('ol.decade__list', { role: 'list' }, members.map((entry) => moment(context, entry))))))))
  }
  fill('')
  return [
    h('div.tools', null, filterButtons(context, entries, 'theme', fill), h('nav.tools__jumps', { 'aria-label': context.t('centuries') }, jumps)),
    body,
  ]
}

/** @param {string} id */
export function jumpTo(id) {
  const heading = document.getElementById(id)
  heading?.scrollIntoView({ block: 'start' })
  heading?.focus({ preventScroll: true })
}

/** @param {Context} context @param {Entry} entry */
function moment(context, entry) {
  const { library } = context
  const place = library.entry(entry.fields.place)
  const picture = library.picture(entry)
  const more = picture || library.blocks(entry).length || entry.fields.sources
  const theme = entry.fields.theme
  return h('li.moment', { class: theme ? `moment--${String(theme).replace(/[^a-z]/g, '')}` : '', 'data-anchor': `entry-${entry.id}` },
    h('p.moment__date', null, datesOf(context, entry)),
    h('div.moment__body', null,
      h('h4.moment__title', null, more ? h('a.moment__link', { href: entryHref(context, entry) }, titleOf(context, entry)) : titleOf(context, entry)),
      text(context, entry, 'lead', 'div.moment__lead'),
      languageNote(context, library.titleLanguage(entry)),
      place && h('p', null, h('a.placelink', { href: entryHref(context, place) }, titleOf(context, place))),
      theme && h('p.moment__theme', null, library.choiceLabel(entry.type, 'theme', theme))))
}
