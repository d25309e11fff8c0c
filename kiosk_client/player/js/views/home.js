/** Home: the map as the sky, and the sections as the ground below it, each showing a little of itself. */

import { h, svg } from '../dom.js'
import { datesOf, languageOf, titleOf } from '../context.js'
import { isPoint } from '../geo.js'
import { pick } from '../release.js'
import { parsePartialDate } from '../text/dates.js'
import { pointsOf } from '../parts/card.js'
import { fillWithMap } from '../parts/outline.js'
import { picture } from '../parts/picture.js'

/**
 * @typedef {import('../context.js').Context} Context
 * @typedef {import('../release.js').Section} Section
 * @typedef {import('../release.js').Entry} Entry
 */

/** @param {Context} context */
export function homePage(context) {
  const { pkg, t } = context
  const title = pick(pkg.title, context.language)
  const summary = pick(pkg.summary, context.language)
  const sections = pkg.sections ?? []
  const map = sections.find(({ view }) => view === 'map')
  const others = sections.filter((section) => section !== map)
  return {
    title: title.text,
    content: [
      h('header.hero', null, drawHeroMap(context, map),
        h('div.hero__words', null,
          h('h1.hero__title', languageOf(context, title.language), title.text),
          summary.text && h('p.hero__summary', languageOf(context, summary.language), summary.text),
          map && h('p', null, h('a.button.button--accent', { href: context.href({ page: 'section', id: map.id }) }, pick(map.title, context.language).text,
            h('span.button__count', null, t('countPlaces', { n: countEntries(context, map) })))))),
      h('ul.seams', { role: 'list' }, others.map((section, index) => drawSeam(context, section, index))),
      h('footer.foot', null, h('a.foot__link', { href: context.href({ page: 'credits' }) }, t('credits'))),
    ],
  }
}

/** @param {Context} context @param {Section} section @returns {number} */
const countEntries = (context, section) => context.library.sectionEntries(section).length + (section.sections ?? []).reduce((sum, inner) => sum + countEntries(context, inner), 0)

/** @param {Context} context @param {Section | undefined} map */
function drawHeroMap(context, map) {
  const frame = h('div.hero__map')
  const bounds = context.pkg.map?.bounds
  const entries = map ? context.library.sectionEntries(map) : [...context.library.entries.values()]
  const points = entries.map(({ fields }) => fields.coords).filter(isPoint)
    .filter(({ lat, lon }) => !bounds || (lon > bounds[0] && lon < bounds[2] && lat > bounds[1] && lat < bounds[3]))
  fillWithMap(context, frame, points)
  return frame
}

/** @type {Record<string, (context: Context, entries: Entry[]) => import('../dom.js').Child>} */
const GLIMPSES = { timeline: glimpseTimeline, glossary: glimpseGlossary, tours: glimpseTours, events: glimpseEvents }

/** @param {Context} context @param {Section} section @param {number} index */
function drawSeam(context, section, index) {
  const title = pick(section.title, context.language)
  const summary = pick(section.summary, context.language)
  const entries = [section, ...(section.sections ?? [])].flatMap((each) => context.library.sectionEntries(each))
  const glimpse = entries.length ? (GLIMPSES[section.view] ?? glimpsePicture)(context, entries) : null
  return h('li.seam', { class: `seam--${section.view} seam--tone${index % 4}`, 'data-anchor': `section-${section.id}` },
    h('div.seam__glimpse', { 'aria-hidden': 'true' }, glimpse),
    h('div.seam__words', null,
      h('h2.seam__title', languageOf(context, title.language), h('a.seam__link', { href: context.href({ page: 'section', id: section.id }) }, title.text)),
      summary.text && h('p.seam__summary', languageOf(context, summary.language), summary.text)),
    h('p.seam__count', null, context.number(entries.length)))
}

/** Ticks where the years lie. @param {Context} context @param {Entry[]} entries */
function glimpseTimeline(context, entries) {
  const years = entries.flatMap(({ fields }) => parsePartialDate(fields.date ?? fields.start)?.year ?? []).sort((a, b) => a - b)
  if (!years.length) return null
  const [first, last] = [years[0], years[years.length - 1]]
  const at = (/** @type {number} */ year) => (last === first ? 500 : ((year - first) / (last - first)) * 1000)
  const axis = svg('svg', { viewBox: '0 0 1000 120', class: 'ticks', preserveAspectRatio: 'none' },
    svg('path', { class: 'ticks__axis', d: 'M0 118H1000' }),
    svg('path', { class: 'ticks__marks', d: years.map((year, index) => `M${at(year).toFixed(1)} 118V${20 + ((index * 37) % 70)}`).join('') }))
  const year = (/** @type {number} */ value) => h('span', null, new Intl.NumberFormat('en', { useGrouping: false }).format(value))
  return h('div.glimpse.glimpse--ticks', null, axis, h('p.glimpse__ends', null, year(first), year(last)))
}

/** @param {Context} context @param {Entry[]} entries */
function glimpseGlossary(context, entries) {
  return h('p.glimpse.glimpse--words', null, entries.slice(0, 6).map((entry) => h('span', null, titleOf(context, entry))))
}

/** @param {Context} context @param {Entry[]} entries */
function glimpsePlaces(context, entries) {
  const points = entries.flatMap((entry) => pointsOf(context, entry).slice(0, 1))
  const frame = h('div.glimpse.glimpse--map')
  if (points.length) fillWithMap(context, frame, points, { near: true })
  return frame
}

/** @param {Context} context @param {Entry[]} entries */
function glimpseTours(context, entries) {
  const longest = entries.map((entry) => pointsOf(context, entry)).sort((a, b) => b.length - a.length)[0] ?? []
  const frame = h('div.glimpse.glimpse--map')
  if (longest.length) fillWithMap(context, frame, longest, { line: true, near: true })
  return frame
}

/** @param {Context} context @param {Entry[]} entries */
function glimpseEvents(context, entries) {
  const { today } = context.library
  const ordered = [...entries].sort((a, b) => String(a.fields.start ?? '').localeCompare(String(b.fields.start ?? '')))
  const coming = ordered.filter(({ fields }) => String(fields.end ?? fields.start ?? '') >= today)
  return h('div.glimpse.glimpse--dates', null, (coming.length ? coming : ordered).slice(0, 2).map((entry) =>
    h('p', null, h('strong', null, datesOf(context, entry)), h('span', null, titleOf(context, entry)))))
}

/** @param {Context} context @param {Entry[]} entries */
function glimpsePicture(context, entries) {
  const asset = entries.map((entry) => context.library.picture(entry)).find((each) => each?.kind === 'image')
  return asset ? picture(context, asset, { cover: true, decorative: true, sizes: '60rem' }) : glimpsePlaces(context, entries)
}
