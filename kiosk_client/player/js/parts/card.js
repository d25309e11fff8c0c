/** An entry as a thing to touch: in lists, results and beside others. */

import { h } from '../dom.js'
import { datesOf, entryHref, languageNote, titleOf } from '../context.js'
import { isPoint } from '../geo.js'
import { plainText } from '../text/richtext.js'
import { fillWithMap } from './outline.js'
import { picture } from './picture.js'

/**
 * @typedef {import('../context.js').Context} Context
 * @typedef {import('../release.js').Entry} Entry
 */

/** What kind of thing it is, in one or two words. @param {Context} context @param {Entry} entry */
export function kindOf(context, entry) {
  const { library } = context
  for (const field of ['kind', 'mode', 'theme', 'domain']) {
    const label = library.choiceLabel(entry.type, field, entry.fields[field])
    if (label) return label
  }
  return library.typeLabel(entry.type)
}

/**
 * @param {Context} context @param {Entry} entry
 * @param {{heading?: string, lead?: boolean, large?: boolean}} [options]
 */
export function card(context, entry, { heading = 'h2', lead = true, large = false } = {}) {
  const asset = context.library.picture(entry)
  const frame = h('div.card__picture')
  if (asset && asset.kind === 'image') frame.append(picture(context, asset, { sizes: large ? '60rem' : '24rem', cover: true, decorative: true }))
  else {
    const points = pointsOf(context, entry)
    frame.classList.add('card__picture--map')
    if (points.length) fillWithMap(context, frame, points, { line: entry.type === 'tour', near: points.length > 1 })
    else frame.classList.add('card__picture--plain')
  }
  const dates = datesOf(context, entry)
  return h('article.card', { class: large ? 'card--large' : '', 'data-anchor': `entry-${entry.id}` },
    frame,
    h('div.card__body', null,
      h('p.card__kind', null, [kindOf(context, entry), dates].filter(Boolean).join(' · ')),
      h(`${heading}.card__title`, null, h('a.card__link', { href: entryHref(context, entry) }, titleOf(context, entry))),
      lead && entry.fields.lead && h('p.card__lead', { lang: entry.in?.lead ?? null, dir: entry.in?.lead ? context.library.direction(entry.in.lead) : null }, plainText(entry.fields.lead)),
      languageNote(context, context.library.titleLanguage(entry))))
}

/** Where an entry is: its own point, its place's, or those of its stops. @param {Context} context @param {Entry} entry */
export function pointsOf({ library }, entry) {
  if (isPoint(entry.fields.coords)) return [entry.fields.coords]
  const stops = library.blocks(entry).flatMap((block) => (block.type === 'stop' || block.type === 'map' ? [block.fields.place, ...(block.fields.places ?? [])] : []))
  return [entry.fields.place, ...(Array.isArray(entry.fields.places) ? entry.fields.places : []), ...stops]
    .flatMap((id) => library.entry(id)?.fields.coords ?? [])
    .filter(isPoint)
}
