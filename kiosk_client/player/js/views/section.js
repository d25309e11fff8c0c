/** A section, drawn as its `view` says. */

import { h } from '../dom.js'
import { languageOf } from '../context.js'
import { pick } from '../release.js'
import { card } from '../parts/card.js'
import { figure } from '../parts/picture.js'
import { eventsView } from './events.js'
import { glossaryView } from './glossary.js'
import { mapView } from './map.js'
import { missingPage } from './missing.js'
import { timelineView } from './timeline.js'

/**
 * @typedef {import('../context.js').Context} Context
 * @typedef {import('../release.js').Section} Section
 * @typedef {import('../release.js').Entry} Entry
 */

/** @type {Record<string, (context: Context, entries: Entry[], section: Section, query: Record<string, string>) => import('../dom.js').Child>} */
const VIEWS = {
  map: mapView, timeline: timelineView, glossary: glossaryView, events: eventsView,
  gallery: galleryView, stories: storiesView, list: cardsView, tours: cardsView, scenes: cardsView,
}

/** @param {Context} context @param {import('../route.js').Route} route */
export function sectionPage(context, route) {
  const section = context.library.section(route.id)
  if (!section) return missingPage(context)
  const title = pick(section.title, context.language)
  const summary = pick(section.summary, context.language)
  const entries = context.library.sectionEntries(section)
  const inner = (section.sections ?? []).filter((each) => (each.entries ?? []).length)
  const view = VIEWS[section.view] ?? cardsView
  return {
    title: `${title.text} – ${pick(context.pkg.title, context.language).text}`,
    kind: `section page--${section.view in VIEWS ? section.view : 'list'}`,
    content: [
      h('header.sectionhead', null,
        h('h1.sectionhead__title', languageOf(context, title.language), title.text),
        summary.text && h('p.sectionhead__summary', languageOf(context, summary.language), summary.text)),
      entries.length > 0 && view(context, entries, section, route.query),
      inner.map((each) => {
        const name = pick(each.title, context.language)
        const innerEntries = context.library.sectionEntries(each)
        return h('section.subsection', { 'data-anchor': `section-${each.id}` },
          h('h2.subsection__title', languageOf(context, name.language), name.text),
          (VIEWS[each.view] ?? cardsView)(context, innerEntries, each, {}))
      }),
      !entries.length && !inner.length && h('p.empty', null, context.t('nothingHere')),
    ],
  }
}

/** @param {Context} context @param {Entry[]} entries */
function cardsView(context, entries) {
  return h('ul.cards', { role: 'list' }, entries.map((entry) => h('li', null, card(context, entry))))
}

/** The first story leads. @param {Context} context @param {Entry[]} entries */
function storiesView(context, entries) {
  return h('ul.cards.cards--stories', { role: 'list' }, entries.map((entry, index) => h('li', null, card(context, entry, { large: index === 0 }))))
}

/** @param {Context} context @param {Entry[]} entries */
function galleryView(context, entries) {
  const pictured = entries.flatMap((entry) => {
    const asset = context.library.picture(entry)
    return asset?.kind === 'image' ? [{ entry, asset }] : []
  })
  const series = pictured.map(({ asset }) => asset)
  return [
    h('ul.wall', { role: 'list' }, pictured.map(({ entry, asset }) => h('li.wall__piece', { 'data-anchor': `entry-${entry.id}` },
      figure(context, asset, series, { sizes: '30rem', caption: false }),
      card(context, entry, { lead: false })))),
    cardsView(context, entries.filter((entry) => !pictured.some((each) => each.entry === entry))),
  ]
}
