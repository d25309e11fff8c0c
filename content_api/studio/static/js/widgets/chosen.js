/** The list of what a picker's control names, with buttons to order and remove. */

import { announce, icon } from '../dialogs.js'
import { _ } from '../messages.js'
import { describe, recall, remember } from './described.js'
import { changed, h, iconButton } from './dom.js'
import { idsOf, moved, withMore, without } from './ordering.js'

/** @typedef {import('./described.js').Choice} Choice */

const ICONS = /** @type {Record<string, string>} */ ({ image: 'image', audio: 'sound', video: 'film', document: 'file', subtitles: 'text' })

/** Pixels: twice the width a small picture is shown at. */
const PICTURE_WIDTH = 320

/** The small picture of an asset, or an icon of what it is. @param {Choice | undefined} choice */
export function picture(choice) {
  const shown = icon(ICONS[choice?.kind ?? ''] ?? 'text')
  const frame = h('span', { class: 'thumb', 'aria-hidden': 'true' })
  if (!choice?.has_picture) {
    frame.append(shown)
    return frame
  }
  const image = h('img', { src: `/studio/media/${choice.id}/picture?width=${PICTURE_WIDTH}`, alt: '', loading: 'lazy', decoding: 'async' })
  image.addEventListener('error', () => image.replaceWith(shown))
  frame.append(image)
  return frame
}

/** What kind of file it is, in words. @param {Choice} choice */
export function kindWords(choice) {
  const words = /** @type {Record<string, string>} */ ({
    image: _('Picture'), audio: _('Sound'), video: _('Film'), document: _('Document'), subtitles: _('Subtitles'),
  })
  const name = words[choice.kind ?? ''] ?? choice.type_label
  return choice.kind === 'image' && choice.width ? `${name} · ${choice.width} × ${choice.height}` : name
}

/**
 * What somebody who uses an asset should know, as [text, tone].
 * @param {Choice} choice @returns {[string, string][]}
 */
export function states(choice) {
  if (choice.type !== 'asset') return []
  /** @type {[string, string][]} */
  const found = []
  if (choice.expired) found.push([_('Rights expired'), 'bad'])
  if (choice.kind === 'image') {
    if (choice.decorative) found.push([_('Decorative'), 'neutral'])
    else if (choice.alt.length) found.push([_('Alternative text: %(languages)s', { languages: choice.alt.join(', ') }), 'good'])
    else found.push([_('No alternative text'), 'warn'])
  }
  if (!choice.credit.length) found.push([_('No credit'), 'warn'])
  return found
}

/** @param {string} text @param {string} tone */
export const badge = (text, tone) =>
  h('span', { class: `badge badge--${tone}` }, tone === 'neutral' ? null : icon(tone === 'good' ? 'check' : 'warning'), h('span', {}, text))

/** Keeps a picker's control and its list in step. */
export class Chosen {
  /**
   * @param {HTMLElement} root with a control `[data-value]` and a list `[data-chosen]`
   * @param {() => void} onPaint
   */
  constructor(root, onPaint = () => {}) {
    this.root = root
    this.onPaint = onPaint
    this.control = /** @type {HTMLInputElement} */ (root.querySelector('[data-value]'))
    this.list = /** @type {HTMLElement} */ (root.querySelector('[data-chosen]'))
    this.many = root.dataset.many !== undefined
    this.readonly = root.dataset.readonly !== undefined
    this.silent = false
    for (const row of this.list.querySelectorAll('[data-choice]')) {
      const text = /** @type {HTMLElement} */ (row).dataset.choice
      if (text && text !== 'null') remember(JSON.parse(text))
    }
    // Whoever sets the control from outside (undo, merge) says so with a change.
    this.control.addEventListener('change', () => { if (!this.silent) this.paint() })
    this.paint()
  }

  get ids() {
    return idsOf(this.control.value)
  }

  /** @param {string[]} ids */
  set(ids) {
    this.control.value = ids.join(',')
    this.silent = true
    changed(this.control)
    this.silent = false
    this.paint()
  }

  /** @param {Choice[]} choices */
  add(choices) {
    for (const choice of choices) remember(choice)
    this.set(withMore(this.ids, choices.map((choice) => choice.id), this.many))
  }

  paint() {
    const { ids } = this
    this.list.replaceChildren(...ids.map((id, index) => this.row(id, index, ids.length)))
    this.list.hidden = ids.length === 0
    this.onPaint()
    if (ids.some((id) => !recall(id))) {
      describe(ids).then(() => {
        // Only names came: whoever stands on a button must not lose it.
        if (!this.list.contains(document.activeElement)) {
          this.list.replaceChildren(...this.ids.map((id, index, all) => this.row(id, index, all.length)))
          this.onPaint()
        }
      })
    }
  }

  /** @param {string} id @param {number} index @param {number} count */
  row(id, index, count) {
    const choice = recall(id)
    const isAsset = this.root.dataset.pick === 'asset'
    const title = choice?.title ?? id
    const words = h('span', { class: 'chosen__words' },
      h('a', { class: 'chosen__title', href: isAsset ? `/studio/media/${id}/` : `/studio/entries/${id}/`, target: '_blank', rel: 'noopener', lang: choice?.language }, title),
      h('span', { class: 'chosen__about' }, choice ? kindWords(choice) : id, ...(choice ? states(choice) : []).map(([text, tone]) => badge(text, tone))))
    const buttons = h('span', { class: 'chosen__buttons' })
    if (!this.readonly) {
      if (this.many && count > 1) {
        buttons.append(
          iconButton('arrow-up', _('Move %(title)s up', { title }), () => this.move(index, -1), { 'data-act': 'up', disabled: index === 0 }),
          iconButton('arrow-down', _('Move %(title)s down', { title }), () => this.move(index, 1), { 'data-act': 'down', disabled: index === count - 1 }))
      }
      buttons.append(iconButton('close', _('Remove %(title)s', { title }), () => this.remove(index, title), { 'data-act': 'remove' }))
    }
    return h('li', { class: 'chosen__row' }, isAsset ? picture(choice) : null, words, buttons)
  }

  /** @param {number} index @param {number} step */
  move(index, step) {
    const ids = moved(this.ids, index, step)
    this.set(ids)
    const row = this.list.children[index + step]
    const same = /** @type {HTMLButtonElement | null} */ (row.querySelector(`[data-act="${step < 0 ? 'up' : 'down'}"]`))
    const other = /** @type {HTMLButtonElement | null} */ (row.querySelector(`[data-act="${step < 0 ? 'down' : 'up'}"]`))
    ;(same?.disabled ? other : same)?.focus()
    announce(_('Now number %(n)s of %(all)s.', { n: index + step + 1, all: ids.length }))
  }

  /** @param {number} index @param {string} title */
  remove(index, title) {
    this.set(without(this.ids, index))
    const rows = this.list.children
    const next = /** @type {HTMLElement | null} */ (rows[Math.min(index, rows.length - 1)]?.querySelector('[data-act="remove"]')
      ?? this.root.querySelector('[data-open], [role="combobox"]'))
    next?.focus()
    announce(_('Removed %(title)s.', { title }))
  }
}
