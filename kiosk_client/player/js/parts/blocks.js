/** The blocks of a story, one function each. An unknown block shows what it can. */

import { h } from '../dom.js'
import { entryHref, text, titleOf } from '../context.js'
import { isPoint } from '../geo.js'
import { plainText } from '../text/richtext.js'
import { fillWithMap } from './outline.js'
import { mediaPlayer } from './media.js'
import { figure } from './picture.js'

/**
 * @typedef {import('../context.js').Context} Context
 * @typedef {import('../release.js').Block} Block
 * @typedef {import('../release.js').Asset} Asset
 */

/**
 * @param {Context} context
 * @param {Block[]} blocks
 * @param {Asset[]} series pictures of the page, for leafing
 * @returns {HTMLElement[]}
 */
export function drawBlocks(context, blocks, series) {
  let stops = 0
  return blocks.flatMap((block) => {
    if (block.type === 'stop') stops += 1
    const drawn = (DRAWINGS[block.type] ?? drawUnknown)(context, block, series, stops)
    if (!drawn) return []
    drawn.dataset.anchor = `block-${block.id}`
    return [drawn]
  })
}

/** @type {Record<string, (context: Context, block: Block, series: Asset[], stops: number) => HTMLElement | null>} */
const DRAWINGS = {
  paragraph: (context, block) => text(context, block, 'text', 'div.prose.block'),
  heading: (context, block) => text(context, block, 'text', 'h2.block__heading'),
  figure: drawFigure,
  gallery: drawGallery,
  quote: drawQuote,
  audio: (context, block) => drawMedia(context, block.fields.sound ?? block.fields.audio),
  film: (context, block) => drawMedia(context, block.fields.film ?? block.fields.video),
  map: drawMap,
  stop: drawStop,
}

/** @param {Context} context @param {Block} block @param {Asset[]} series */
function drawFigure(context, block, series) {
  const asset = context.library.asset(block.fields.image)
  return asset ? h('div.block.block--wide', null, figure(context, asset, series, { sizes: '(min-width: 60rem) 60rem, 100vw' })) : null
}

/** @param {Context} context @param {Block} block @param {Asset[]} series */
function drawGallery(context, block, series) {
  const assets = [block.fields.images ?? []].flat().flatMap((id) => context.library.asset(id) ?? [])
  return assets.length ? gallery(context, assets, series) : null
}

/** @param {Context} context @param {Asset[]} assets @param {Asset[]} series */
export function gallery(context, assets, series) {
  return h('div.block.block--wide.gallery', null, h('ul.gallery__list', { role: 'list' },
    assets.map((asset) => h('li', null, figure(context, asset, series, { sizes: '(min-width: 60rem) 24rem, 50vw' })))))
}

/** @param {Context} context @param {Block} block */
function drawQuote(context, block) {
  const words = text(context, block, 'text', 'blockquote.quote__words')
  return words && h('figure.block.quote', null, words, text(context, block, 'source', 'figcaption.quote__source'))
}

/** @param {Context} context @param {unknown} id */
function drawMedia(context, id) {
  const asset = context.library.asset(id)
  return asset ? h('div.block.block--wide', null, mediaPlayer(context, asset)) : null
}

/** @param {Context} context @param {Block} block */
function drawMap(context, block) {
  const places = [block.fields.places ?? []].flat().flatMap((id) => context.library.entry(id) ?? []).filter(({ fields }) => isPoint(fields.coords))
  if (!places.length) return null
  const frame = h('div.mapframe')
  fillWithMap(context, frame, places.map(({ fields }) => fields.coords), { near: places.length > 1 })
  return h('div.block.block--wide', null, frame, h('ul.links', { role: 'list' },
    places.map((place) => h('li', null, h('a.links__item', { href: entryHref(context, place) }, titleOf(context, place))))))
}

/** @param {Context} context @param {Block} block @param {Asset[]} _series @param {number} number */
function drawStop(context, block, _series, number) {
  const { t, library } = context
  const place = library.entry(block.fields.place)
  const { distance_km: distance, basis } = block.fields
  const facts = [
    Number.isFinite(distance) && distance > 0 ? t('fromPrevious', { km: distance }) : '',
    basis ? library.choiceLabel('stop', 'basis', basis) : '',
  ].filter(Boolean)
  if (!place && !block.fields.text) return null
  return h('article.stop', { id: `stop-${number}` },
    h('span.stop__number', { 'aria-hidden': 'true' }, context.number(number)),
    h('div.stop__body', null,
      place && h('h2.stop__title', null, h('a', { href: entryHref(context, place) }, titleOf(context, place))),
      facts.length > 0 && h('p.stop__facts', null, facts.join(' · ')),
      text(context, block, 'text')))
}

/** @param {Context} context @param {Block} block @param {Asset[]} series */
function drawUnknown(context, block, series) {
  const parts = Object.entries(block.fields).flatMap(([name, value]) => {
    const asset = typeof value === 'string' ? context.library.asset(value) : undefined
    if (asset) return asset.kind === 'image' ? figure(context, asset, series) : ['audio', 'video'].includes(asset.kind) ? mediaPlayer(context, asset) : []
    return Array.isArray(value) && plainText(value) ? text(context, block, name) ?? [] : []
  })
  return parts.length ? h('div.block', null, parts) : null
}

/**
 * Pictures of a page in the order they stand, each once.
 * @param {Context} context @param {import('../release.js').Entry} entry
 */
export function picturesOf(context, entry) {
  const ids = [entry.fields.image, ...[entry.fields.images ?? []].flat(), ...Object.entries(entry.fields).flatMap(([name, value]) => (typeof value === 'string' && name !== 'image' ? [value] : []))]
  for (const block of context.library.blocks(entry)) for (const value of Object.values(block.fields)) ids.push(...[value].flat())
  return [...new Set(ids.filter((id) => typeof id === 'string'))]
    .flatMap((id) => context.library.asset(id) ?? [])
    .filter(({ kind }) => kind === 'image')
}

/** @param {Context} context @param {import('../release.js').Entry} entry languages other than the page's in which it is shown */
export function foreignLanguages(context, entry) {
  const tags = [...Object.values(entry.in ?? {}), ...context.library.blocks(entry).flatMap((block) => Object.values(block.in ?? {}))]
  return [...new Set(tags)].filter((tag) => tag !== context.language)
}

