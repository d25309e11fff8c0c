/** One entry: a place, a story, a tour, an event, a term. The same page, each with what it has. */

import { h, icon } from '../dom.js'
import { datesOf, entryHref, languageName, languageOf, text, titleOf } from '../context.js'
import { isPoint } from '../geo.js'
import { pick } from '../release.js'
import { formatDate } from '../text/dates.js'
import { plainText } from '../text/richtext.js'
import { drawBlocks, foreignLanguages, gallery, picturesOf } from '../parts/blocks.js'
import { kindOf, pointsOf } from '../parts/card.js'
import { mediaPlayer } from '../parts/media.js'
import { fillWithMap } from '../parts/outline.js'
import { creditLine, figure } from '../parts/picture.js'
import { statusBadge } from './events.js'
import { creditFoot } from './map.js'
import { missingPage } from './missing.js'

/**
 * @typedef {import('../context.js').Context} Context
 * @typedef {import('../release.js').Entry} Entry
 */

/** Fields that have their own place on the page. */
const PLACED = new Set(['title', 'term', 'reading', 'lead', 'definition', 'image', 'images', 'kind', 'mode', 'theme', 'domain', 'coords', 'start', 'end', 'date', 'status', 'place', 'confidence', 'note', 'sources', 'precision_m', 'known', 'suggested', 'camera', 'text'])

/** Order in which related entries are shown, by type; the rest follow. */
const RELATED_ORDER = ['story', 'tour', 'timeline_entry', 'event', 'object', 'person', 'place', 'glossary_term']
/** So many of one type before the page grows too long. */
const RELATED_MOST = 12

/** @param {Context} context @param {import('../route.js').Route} route */
export function entryPage(context, route) {
  const { library } = context
  const entry = library.entry(route.id)
  if (!entry) return missingPage(context)
  const series = picturesOf(context, entry)
  const points = pointsOf(context, entry)
  const blocks = library.blocks(entry)
  const cover = library.asset(entry.fields.image)
  const rest = series.filter((asset) => asset !== cover && !blocks.some((block) => Object.values(block.fields).flat().includes(asset.id)))
  return {
    title: `${library.title(entry)} – ${pick(context.pkg.title, context.language).text}`,
    kind: `entry page--${entry.type.replace(/[^a-z]/g, '')}`,
    content: h('article.entry', { 'data-anchor': `entry-${entry.id}` },
      drawHead(context, entry, cover, series, points),
      h('div.entry__columns', null,
        h('div.entry__story', null,
          foreignNote(context, entry),
          text(context, entry, 'definition', 'div.prose.prose--lead'),
          text(context, entry, 'text', 'div.prose.block'),
          narration(context, entry),
          passages(context, entry),
          drawBlocks(context, blocks, series),
          rest.length > 0 && gallery(context, rest, series),
          tourNotes(context, entry)),
        h('aside.entry__side', { 'aria-label': context.t('facts') },
          locator(context, entry, points),
          facts(context, entry),
          doubt(context, entry))),
      related(context, entry),
      pictureCredits(context, series),
      h('footer.foot', null, creditFoot(context), h('a.foot__link', { href: context.href({ page: 'credits' }) }, context.t('credits')))),
  }
}

/** @param {Context} context @param {Entry} entry @param {any} cover @param {any[]} series @param {{lat: number, lon: number}[]} points */
function drawHead(context, entry, cover, series, points) {
  const { library } = context
  const reading = plainText(entry.fields.reading)
  const section = library.sectionOf(entry.id)
  const picture = cover?.kind === 'image' ? figure(context, cover, series, { sizes: '(min-width: 60rem) 55vw, 100vw', cover: true, caption: false }) : null
  const map = !picture && points.length > 0 ? h('div.entry__map') : null
  if (map) fillWithMap(context, map, points, { line: entry.type === 'tour', near: points.length > 1 })
  return h('header.entry__head', { class: picture || map ? '' : 'entry__head--plain' },
    h('div.entry__words', null,
      h('p.entry__kind', null, section && h('a.entry__section', { href: context.href({ page: 'section', id: section.id }) }, pick(section.title, context.language).text), h('span', null, kindOf(context, entry))),
      h('h1.entry__title', languageOf(context, library.titleLanguage(entry)), titleOf(context, entry)),
      reading && h('p.entry__reading', languageOf(context, entry.in?.reading), reading),
      h('div.entry__dates', null, datesOf(context, entry) && h('p.entry__date', null, datesOf(context, entry)), statusBadge(context, entry)),
      text(context, entry, 'lead', 'div.entry__lead')),
    (picture || map) && h('div.entry__picture', null, picture ?? map))
}

/** @param {Context} context @param {Entry} entry */
function foreignNote(context, entry) {
  const tags = foreignLanguages(context, entry)
  if (!tags.length) return null
  const names = new Intl.ListFormat(context.language, { type: 'conjunction' }).format(tags.map((tag) => languageName(context, tag)))
  return h('p.notice', null, icon('language'), h('span', null, context.t('partlyIn', { language: names })))
}

/** Longer texts with the names that editors gave their fields. @param {Context} context @param {Entry} entry */
function passages(context, entry) {
  return Object.entries(entry.fields).flatMap(([name, value]) => {
    if (PLACED.has(name) || !Array.isArray(value) || !value.some((node) => node?.t)) return []
    const label = context.library.fieldLabel(entry.type, name)
    return [h('section.block', null, label && h('h2.block__heading', null, label), text(context, entry, name))]
  })
}

/** Assets of the entry itself that sound or move. @param {Context} context @param {Entry} entry */
function narration(context, entry) {
  return Object.values(entry.fields).flatMap((value) => {
    const asset = typeof value === 'string' ? context.library.asset(value) : undefined
    return asset && ['audio', 'video'].includes(asset.kind) ? [h('div.block', null, mediaPlayer(context, asset))] : []
  })
}

/** What is known of a tour, and what is only proposed. @param {Context} context @param {Entry} entry */
function tourNotes(context, entry) {
  const rows = ['known', 'suggested'].flatMap((field) => {
    const words = text(context, entry, field, 'dd')
    return words ? [h('div', null, h('dt', null, context.library.fieldLabel(entry.type, field) || context.t(field)), words)] : []
  })
  return rows.length ? h('dl.facts.facts--tour', null, rows) : null
}

/** @param {Context} context @param {Entry} entry @param {{lat: number, lon: number}[]} points */
function locator(context, entry, points) {
  if (!points.length || !context.library.asset(entry.fields.image)) return null
  const frame = h('div.mapframe.mapframe--small')
  fillWithMap(context, frame, points, { line: entry.type === 'tour', near: points.length > 1, label: context.t('whereItIs', { place: context.library.title(entry) }) })
  return frame
}

/** Short facts with the names that editors gave their fields. @param {Context} context @param {Entry} entry */
function facts(context, entry) {
  const { library } = context
  const place = library.entry(entry.fields.place)
  const rows = place ? [h('div', null, h('dt', null, library.fieldLabel(entry.type, 'place') || library.typeLabel('place')), h('dd', null, h('a', { href: entryHref(context, place) }, titleOf(context, place))))] : []
  for (const [name, value] of Object.entries(entry.fields)) {
    const label = library.fieldLabel(entry.type, name)
    if (PLACED.has(name) || !label) continue
    const shown = factValue(context, entry, name, value)
    if (shown) rows.push(h('div', null, h('dt', null, label), h('dd', languageOf(context, entry.in?.[name]), shown)))
  }
  return rows.length ? h('dl.facts', null, rows) : null
}

/** @param {Context} context @param {Entry} entry @param {string} name @param {unknown} value @returns {import('../dom.js').Child} */
function factValue(context, entry, name, value) {
  const { library } = context
  if (value === true) return '✓'
  if (name === 'country' && typeof value === 'string') return countryName(context, value)
  if (typeof value === 'number') return name.endsWith('_km') ? context.t('kilometres', { km: value }) : context.number(value, 2)
  if (typeof value === 'string') {
    if (library.entries.has(value) || library.assets.has(value)) return null
    if (/^https?:\/\//.test(value)) return context.kiosk ? h('bdi', null, value) : h('a.link', { href: value, rel: 'noopener noreferrer', target: '_blank' }, h('bdi', null, value))
    return formatDate(value, context.language) || library.choiceLabel(entry.type, name, value)
  }
  if (Array.isArray(value) && value.every((part) => typeof part === 'string' && !library.entries.has(part) && !library.assets.has(part))) {
    return value.map((part) => library.choiceLabel(entry.type, name, part)).join(', ')
  }
  return null
}

/** @param {Context} context @param {string} code two letters */
function countryName(context, code) {
  try {
    return new Intl.DisplayNames([context.language], { type: 'region' }).of(code) ?? code
  } catch {
    return code
  }
}

/** How sure this is, where it comes from: there for who asks, in nobody's way. @param {Context} context @param {Entry} entry */
function doubt(context, entry) {
  const { library, t } = context
  const { confidence, sources, precision_m: precision } = entry.fields
  const unsure = confidence && confidence !== 'high'
  const note = text(context, entry, 'note', 'p.doubt__note')
  const lines = [
    confidence && h('p', null, `${library.fieldLabel(entry.type, 'confidence') || t('confidence')}: ${library.choiceLabel(entry.type, 'confidence', confidence)}`),
    isPoint(entry.fields.coords) && precision >= 500 && h('p', null, t('positionWithin', { km: precision / 1000 })),
    sources && h('p', null, `${t('sources')}: `, h('bdi', null, [sources].flat().map((source) => plainText(source)).join(', '))),
  ].filter(Boolean)
  if (!lines.length && !note) return null
  return h('div.doubt', null,
    (unsure || note) && h('p.doubt__flag', null, icon('note'), h('span', null, unsure ? t('unsure') : t('note'))),
    note,
    lines.length > 0 && h('details.fold', null, h('summary', null, t('sourcesAndConfidence')), lines))
}

/** @param {Context} context @param {Entry} entry */
function related(context, entry) {
  const { library } = context
  const others = [...new Set([...library.referrers(entry.id), ...library.references(entry)])]
    .filter((other) => !library.blocks(entry).some((block) => block.type === 'stop' && block.fields.place === other.id) && entry.fields.place !== other.id)
  if (!others.length) return null
  const types = [...new Set(others.map(({ type }) => type))].sort((a, b) => (RELATED_ORDER.indexOf(a) + 99) % 99 - (RELATED_ORDER.indexOf(b) + 99) % 99)
  return h('section.related', null, h('h2.related__title', null, context.t('related')), h('div.related__groups', null, types.map((type) => {
    const members = others.filter((other) => other.type === type)
      .sort((a, b) => String(a.fields.date ?? a.fields.start ?? '').localeCompare(String(b.fields.date ?? b.fields.start ?? '')))
    return h('section.related__group', null,
      h('h3.related__type', null, library.typeLabel(type, members.length)),
      h('ul.links', { role: 'list' }, members.slice(0, RELATED_MOST).map((other) => h('li', null,
        h('a.links__item', { href: entryHref(context, other) },
          datesOf(context, other) && h('span.links__date', null, datesOf(context, other)),
          titleOf(context, other))))))
  })))
}

/** @param {Context} context @param {any[]} series */
function pictureCredits(context, series) {
  const lines = [...new Set(series.map(creditLine).filter(Boolean))]
  return lines.length ? h('details.fold.fold--credits', null, h('summary', null, context.t('pictureCredits')), lines.map((line) => h('p', null, h('bdi', null, line)))) : null
}
