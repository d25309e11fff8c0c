/** Pictures: the right rendition for the width, the focal point kept, words and credit beside. */

import { append, h, icon } from '../dom.js'
import { languageOf, text } from '../context.js'
import { contentUrl, renditionsFor } from '../release.js'
import { plainText } from '../text/richtext.js'

/** @typedef {import('../release.js').Asset} Asset */
/** @typedef {import('../context.js').Context} Context */

/** Formats from smallest to most widely read. */
const FORMATS = ['image/avif', 'image/webp', 'image/png', 'image/jpeg', 'image/svg+xml', 'image/gif']

/**
 * @param {Context} context @param {Asset} asset
 * @param {{sizes?: string, cover?: boolean, decorative?: boolean, eager?: boolean}} [options]
 * @returns {HTMLElement}
 */
export function picture(context, asset, { sizes = '100vw', cover = false, decorative = false, eager = false } = {}) {
  const usable = renditionsFor(asset, context.release.profile).filter(({ type }) => FORMATS.includes(type))
  const formats = [...new Set(usable.map(({ type }) => type))].sort((a, b) => FORMATS.indexOf(a) - FORMATS.indexOf(b))
  const of = (/** @type {string} */ type) => usable.filter((rendition) => rendition.type === type)
  const set = (/** @type {string} */ type) => of(type).filter(({ width }) => width).map(({ path, width }) => `${contentUrl(path)} ${width}w`).join(', ') || null
  const last = formats[formats.length - 1]
  const hidden = decorative || asset.fields.decorative === true
  const image = h('img', {
    src: last ? contentUrl(of(last)[of(last).length - 1].path) : null,
    srcset: last && set(last), sizes: last && set(last) ? sizes : null,
    alt: hidden ? '' : plainText(asset.fields.alt) || plainText(asset.fields.caption),
    width: asset.width, height: asset.height, loading: eager ? null : 'lazy', decoding: 'async', draggable: 'false',
    ...(hidden ? {} : languageOf(context, asset.in?.alt)),
  })
  const focal = asset.fields.focal
  if (cover && focal) image.style.objectPosition = `${focal.x * 100}% ${focal.y * 100}%`
  const sources = formats.slice(0, -1).map((type) => h('source', { type, srcset: set(type) ?? contentUrl(of(type)[0].path), sizes }))
  const frame = h(cover ? 'picture.picture.picture--cover' : 'picture.picture')
  append(frame, [sources, image])
  return frame
}

/** The largest rendition the screen may use. @param {Context} context @param {Asset} asset */
export function largest(context, asset) {
  const usable = renditionsFor(asset, context.release.profile).filter(({ type }) => FORMATS.includes(type))
  return usable[usable.length - 1]
}

/** Who made it and under which licence, in one line. @param {Asset} asset */
export function creditLine(asset) {
  const { holder, licence } = asset.fields.rights ?? {}
  return [plainText(asset.fields.credit), holder, licence].filter((part, index, all) => part && all.findIndex((other) => other?.includes(part)) === index).join(' · ')
}

/**
 * Caption and credit under a picture, a sound or a film.
 * @param {Context} context @param {Asset} asset
 */
export function captionOf(context, asset) {
  const caption = text(context, asset, 'caption', 'div.figure__text')
  const credit = creditLine(asset)
  if (!caption && !credit) return null
  return h('figcaption.figure__caption', null, caption, credit && h('p.figure__credit', languageOf(context, asset.in?.credit), h('bdi', null, credit)))
}

/**
 * A picture that opens full screen, with its caption.
 * @param {Context} context @param {Asset} asset
 * @param {Asset[]} series the pictures to leaf through
 * @param {{sizes?: string, cover?: boolean, caption?: boolean}} [options]
 */
export function figure(context, asset, series, { sizes, cover = false, caption = true } = {}) {
  const name = plainText(asset.fields.alt) || plainText(asset.fields.caption)
  const open = async () => {
    const { openViewer } = await import('./viewer.js')
    openViewer(context, series, series.indexOf(asset))
  }
  return h('figure.figure', { 'data-anchor': `asset-${asset.id}` },
    h('button.figure__open', { type: 'button', onclick: open, 'aria-label': `${context.t('openPicture')}${name ? `: ${name}` : ''}` },
      picture(context, asset, { sizes, cover }), h('span.figure__badge', null, icon('expand'))),
    caption && captionOf(context, asset))
}
