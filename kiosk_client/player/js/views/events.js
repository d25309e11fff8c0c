/** The programme: by season or year, with what was moved or cancelled said plainly. */

import { h, icon } from '../dom.js'
import { datesOf, entryHref, languageNote, text, titleOf } from '../context.js'
import { filterButtons } from '../parts/filter.js'
import { isPast, parsePartialDate } from '../text/dates.js'
import { plainText } from '../text/richtext.js'
import { kindOf } from '../parts/card.js'

/**
 * @typedef {import('../context.js').Context} Context
 * @typedef {import('../release.js').Entry} Entry
 */

/** States in which a visitor would come for nothing. */
const OFF = new Set(['cancelled', 'postponed'])

/**
 * Events in order of date, grouped by season when every one has it, else by year.
 * @param {Entry[]} entries
 * @param {(season: unknown, entry: Entry) => string} seasonName
 * @returns {[string, Entry[]][]}
 */
export function groupEvents(entries, seasonName) {
  const sorted = [...entries].sort((a, b) => String(a.fields.start ?? '9999').localeCompare(String(b.fields.start ?? '9999')))
  const bySeason = sorted.length > 0 && sorted.every(({ fields }) => plainText(fields.season))
  /** @type {Map<string, Entry[]>} */
  const groups = new Map()
  for (const entry of sorted) {
    const year = parsePartialDate(entry.fields.start)?.year
    const name = bySeason ? seasonName(entry.fields.season, entry) : year ? String(year) : ''
    groups.set(name, [...(groups.get(name) ?? []), entry])
  }
  return [...groups]
}

/** @param {Context} context @param {Entry[]} entries */
export function eventsView(context, entries) {
  const { library, t } = context
  const body = h('div.programme')
  const fill = (/** @type {string} */ kind) => {
    const shown = entries.filter((entry) => !kind || entry.fields.kind === kind)
    const groups = groupEvents(shown, (season, entry) => (typeof season === 'string' ? library.choiceLabel(entry.type, 'season', season) : plainText(season)))
    body.replaceChildren(...groups.map(([name, members]) => h('section.season', null,
      h('h2.season__name', null, name || t('undated')),
      h('ul.season__events', { role: 'list' }, members.map((entry) => eventRow(context, entry))))))
  }
  fill('')
  return [h('div.tools', null, filterButtons(context, entries, 'kind', fill)), body]
}

/** @param {Context} context @param {Entry} entry */
function eventRow(context, entry) {
  const { library, t } = context
  const place = library.entry(entry.fields.place)
  const past = isPast(entry.fields.end ?? entry.fields.start, library.today)
  return h('li.event', { class: [past ? 'event--past' : '', OFF.has(entry.fields.status) ? 'event--off' : ''].join(' '), 'data-anchor': `entry-${entry.id}` },
    h('p.event__date', null, datesOf(context, entry), past && h('span.event__past', null, t('past'))),
    h('div.event__body', null,
      h('p.card__kind', null, kindOf(context, entry)),
      h('h3.event__title', null, h('a.event__link', { href: entryHref(context, entry) }, titleOf(context, entry))),
      languageNote(context, library.titleLanguage(entry)),
      text(context, entry, 'lead', 'div.event__lead'),
      place && h('p.event__place', null, icon('pin'), titleOf(context, place))),
    statusBadge(context, entry))
}

/** @param {Context} context @param {Entry} entry */
export function statusBadge(context, entry) {
  const { status } = entry.fields
  if (!status) return null
  const label = context.library.choiceLabel(entry.type, 'status', status)
  return h('p.badge', { class: OFF.has(status) ? 'badge--off' : '' }, OFF.has(status) && icon('note'), label)
}
