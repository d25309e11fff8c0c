/** Draws the rich text of a release: a tree of known nodes, never markup. */

import { h } from '../dom.js'

/** @typedef {string | {t: string, c?: Node_[], href?: string, base?: string, reading?: string}} Node_ */

const BLOCKS = { p: 'p', h2: 'h2', h3: 'h3', h4: 'h4', quote: 'blockquote', ul: 'ul', ol: 'ol', li: 'li', hr: 'hr' }
const INLINES = { em: 'em', strong: 'strong', code: 'code' }

/**
 * @param {unknown} nodes block or inline nodes, or a plain string
 * @param {{links: boolean}} options `links`: whether an outside address may be followed;
 *   a kiosk has no way back from one, so it shows the address instead
 * @returns {(HTMLElement | Text)[]}
 */
export function richText(nodes, options) {
  if (typeof nodes === 'string') return [document.createTextNode(nodes)]
  if (!Array.isArray(nodes)) return []
  return nodes.flatMap((node) => drawNode(node, options))
}

/** @param {Node_} node @param {{links: boolean}} options @returns {(HTMLElement | Text)[]} */
function drawNode(node, options) {
  if (typeof node === 'string') return [document.createTextNode(node)]
  if (!node || typeof node !== 'object') return []
  const tag = BLOCKS[/** @type {'p'} */ (node.t)] ?? INLINES[/** @type {'em'} */ (node.t)]
  if (tag) return [h(tag, null, richText(node.c, options))]
  if (node.t === 'br') return [h('br')]
  if (node.t === 'ruby') return [ruby(String(node.base ?? ''), String(node.reading ?? ''))]
  if (node.t === 'a') return link(node, options)
  return richText(node.c, options)
}

/** @param {string} base @param {string} reading */
export function ruby(base, reading) {
  return h('ruby', null, base, h('rp', null, '('), h('rt', null, reading), h('rp', null, ')'))
}

/** @param {Exclude<Node_, string>} node @param {{links: boolean}} options */
function link(node, options) {
  const words = richText(node.c, options)
  const href = String(node.href ?? '')
  if (!/^https?:\/\//i.test(href)) return words
  if (options.links) return [h('a.link', { href, rel: 'noopener noreferrer', target: '_blank' }, words)]
  const shown = href.replace(/^https?:\/\/(www\.)?/i, '').replace(/\/$/, '')
  return [...words, h('span.address', { dir: 'ltr' }, ` ${shown}`)]
}

/**
 * The words of rich text, without readings, one space between blocks.
 * @param {unknown} nodes
 * @returns {string}
 */
export const plainText = (nodes) => words(nodes).trim()

/** @param {unknown} nodes @returns {string} */
function words(nodes) {
  if (typeof nodes === 'string') return nodes
  if (Array.isArray(nodes)) {
    return nodes.map((node) => words(node) + (typeof node === 'object' && node && node.t in BLOCKS ? ' ' : '')).join('')
  }
  if (!nodes || typeof nodes !== 'object') return ''
  const node = /** @type {Exclude<Node_, string>} */ (nodes)
  if (node.t === 'ruby') return String(node.base ?? '')
  if (node.t === 'br') return ' '
  return words(node.c)
}

/**
 * The readings in rich text, as one string, for searching and sorting.
 * @param {unknown} nodes
 * @returns {string}
 */
export function readings(nodes) {
  if (typeof nodes === 'string') return nodes
  if (Array.isArray(nodes)) return nodes.map(readings).join('')
  if (!nodes || typeof nodes !== 'object') return ''
  const node = /** @type {Exclude<Node_, string>} */ (nodes)
  return node.t === 'ruby' ? String(node.reading || node.base) : readings(node.c)
}
