/**
 * The dialog to choose assets from: words to search, kinds, a grid for keys and pointer.
 * One for the whole page, made when it is first needed.
 */

import { announce, icon } from '../dialogs.js'
import { _, ngettext } from '../messages.js'
import { send } from '../send.js'
import { badge, kindWords, picture, states } from './chosen.js'
import { debounced, freshId, h } from './dom.js'
import { optionAfter } from './ordering.js'

/** @typedef {import('./described.js').Choice} Choice */
/** @typedef {{accept: string[], many: boolean, label: string, chosen: string[]}} Question */

/** Milliseconds of rest before words are searched. */
const SEARCH_AFTER = 250

/** @type {AssetDialog | null} */
let dialog = null

/** Let the person choose; null when they close it. @param {Question} question @returns {Promise<Choice[] | null>} */
export function chooseAssets(question) {
  dialog ??= new AssetDialog()
  return dialog.ask(question)
}

class AssetDialog {
  constructor() {
    const title = freshId('asset-dialog')
    const searchId = freshId('asset-search')
    const kindId = freshId('asset-kind')
    this.title = h('h2', { class: 'dialog__title', id: title })
    this.search = h('input', { class: 'input', type: 'search', id: searchId, autocomplete: 'off' })
    this.kind = h('select', { class: 'input', id: kindId })
    this.kindField = h('div', { class: 'field' }, h('label', { class: 'field__label', for: kindId }, _('Kind')), this.kind)
    this.grid = h('div', { class: 'asset-grid', role: 'listbox', 'aria-labelledby': title, tabindex: '0' })
    this.note = h('p', { class: 'asset-dialog__note soft', role: 'status' })
    this.more = h('button', { type: 'button', class: 'button', hidden: true, onclick: () => this.load(true) }, h('span', {}, _('Show more')))
    this.use = h('button', { type: 'button', class: 'button button--primary', onclick: () => this.finish() }, h('span', {}))
    const upload = h('a', { class: 'button button--quiet', href: '/studio/media/', target: '_blank', rel: 'noopener' }, icon('upload'), h('span', {}, _('Upload in the media library (new tab)')))
    upload.addEventListener('click', () => {
      // Whoever comes back from there finds the new file first.
      window.addEventListener('focus', () => this.load(false), { once: true })
    })
    this.element = h('dialog', { class: 'dialog dialog--wide asset-dialog', 'aria-labelledby': title },
      h('header', { class: 'dialog__head' }, this.title,
        h('button', { type: 'button', class: 'button button--quiet button--icon', 'aria-label': _('Close'), title: _('Close'), onclick: () => this.element.close() }, icon('close'))),
      h('div', { class: 'dialog__body' },
        h('div', { class: 'asset-dialog__filters' },
          h('div', { class: 'field grow' }, h('label', { class: 'field__label', for: searchId }, _('Search')), this.search),
          this.kindField, upload),
        this.note, this.grid, h('div', { class: 'row row--center' }, this.more),
        h('div', { class: 'row row--end asset-dialog__foot' },
          h('button', { type: 'button', class: 'button', onclick: () => this.element.close() }, h('span', {}, _('Cancel'))), this.use)))
    document.body.append(this.element)
    /** @type {Choice[]} */
    this.items = []
    /** @type {Map<string, Choice>} */
    this.marked = new Map()
    /** @type {string | null} */
    this.cursor = null
    this.active = -1
    /** @type {AbortController | null} */
    this.asking = null
    /** @type {Question} */
    this.question = { accept: [], many: false, label: '', chosen: [] }
    /** @type {(found: Choice[] | null) => void} */
    this.resolve = () => {}
    this.listen()
  }

  listen() {
    const later = debounced(() => this.load(false), SEARCH_AFTER)
    this.search.addEventListener('input', later)
    this.search.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      if (event.key === 'Enter') event.preventDefault()
      if (event.key === 'ArrowDown' && this.items.length) {
        event.preventDefault()
        this.grid.focus()
      }
    })
    this.kind.addEventListener('change', () => this.load(false))
    this.element.addEventListener('close', () => {
      this.asking?.abort()
      this.resolve(null)
    })
    this.grid.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => this.key(event))
    this.grid.addEventListener('focus', () => { if (this.active < 0 && this.items.length) this.stand(0) })
    this.grid.addEventListener('click', (/** @type {MouseEvent} */ event) => {
      const option = /** @type {Element} */ (event.target).closest('[role="option"]')
      if (!option) return
      this.stand([...this.grid.children].indexOf(option))
      this.mark()
    })
    this.grid.addEventListener('dblclick', () => { if (this.marked.size) this.finish() })
  }

  /** @param {Question} question @returns {Promise<Choice[] | null>} */
  ask(question) {
    this.resolve(null)
    this.question = question
    this.marked = new Map()
    this.title.textContent = question.label
      ? _('Choose for “%(field)s”', { field: question.label })
      : _('Choose from the media library')
    this.grid.setAttribute('aria-multiselectable', String(question.many))
    const kinds = /** @type {Record<string, string>} */ ({
      image: _('Pictures'), audio: _('Sounds'), video: _('Films'), document: _('Documents'), subtitles: _('Subtitles'),
    })
    const offered = question.accept.length ? question.accept : Object.keys(kinds)
    this.kind.replaceChildren(h('option', { value: offered.join(',') }, _('All that fit')),
      ...offered.map((kind) => h('option', { value: kind }, kinds[kind] ?? kind)))
    this.kindField.hidden = offered.length < 2
    this.search.value = ''
    this.paintUse()
    this.element.showModal()
    this.search.focus()
    this.load(false)
    return new Promise((resolve) => { this.resolve = resolve })
  }

  /** @param {boolean} further */
  async load(further) {
    if (!this.element.open) return
    this.asking?.abort()
    this.asking = new AbortController()
    const query = new URLSearchParams({ q: this.search.value, accept: this.kind.value })
    if (further && this.cursor) query.set('cursor', this.cursor)
    this.grid.setAttribute('aria-busy', 'true')
    try {
      const { body } = await send('GET', `/studio/widgets/assets?${query}`, { signal: this.asking.signal })
      const first = further ? this.items.length : 0
      this.items = further ? [...this.items, ...body.items] : body.items
      this.cursor = body.next
      this.paint(first)
      if (further) {
        this.grid.focus()
        this.stand(first)
      }
    } catch (error) {
      if (/** @type {any} */ (error).name === 'AbortError') return
      this.note.textContent = /** @type {Error} */ (error).message
    } finally {
      this.grid.removeAttribute('aria-busy')
    }
  }

  /** @param {number} from */
  paint(from) {
    if (from === 0) {
      this.active = -1
      this.grid.replaceChildren()
      this.grid.removeAttribute('aria-activedescendant')
    }
    this.grid.append(...this.items.slice(from).map((choice) => this.option(choice)))
    this.more.hidden = !this.cursor
    this.grid.hidden = !this.items.length
    this.note.textContent = this.items.length ? '' : this.search.value.trim()
      ? _('Nothing in the media library matches these words.')
      : _('The media library has nothing of this kind yet.')
  }

  /** @param {Choice} choice */
  option(choice) {
    const used = this.question.chosen.includes(choice.id)
    return h('div', { class: 'asset-option', role: 'option', id: freshId('asset-option'), 'aria-selected': String(this.marked.has(choice.id)), 'aria-disabled': used ? 'true' : null },
      picture(choice),
      h('span', { class: 'asset-option__mark', 'aria-hidden': 'true' }, icon('check')),
      h('span', { class: 'asset-option__title', lang: choice.language }, choice.title),
      h('span', { class: 'asset-option__about' }, kindWords(choice)),
      h('span', { class: 'asset-option__states' }, used ? badge(_('Chosen already'), 'neutral') : null,
        ...states(choice).filter(([, tone]) => tone !== 'good').map(([text, tone]) => badge(text, tone))))
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault()
      this.mark()
      if (event.key === 'Enter' && !this.question.many && this.marked.size) this.finish()
      return
    }
    const style = getComputedStyle(this.grid)
    const columns = style.gridTemplateColumns.split(' ').length
    const next = optionAfter(Math.max(this.active, 0), this.items.length, columns, event.key, style.direction === 'rtl')
    if (next === null) return
    event.preventDefault()
    this.stand(next)
  }

  /** @param {number} index */
  stand(index) {
    this.grid.children[this.active]?.classList.remove('asset-option--active')
    this.active = index
    const option = this.grid.children[index]
    if (!option) return
    option.classList.add('asset-option--active')
    option.scrollIntoView({ block: 'nearest' })
    this.grid.setAttribute('aria-activedescendant', option.id)
  }

  mark() {
    const choice = this.items[this.active]
    if (!choice || this.question.chosen.includes(choice.id)) return
    if (this.marked.has(choice.id)) {
      this.marked.delete(choice.id)
    } else {
      if (!this.question.many) this.marked.clear()
      this.marked.set(choice.id, choice)
    }
    this.items.forEach((item, place) => this.grid.children[place].setAttribute('aria-selected', String(this.marked.has(item.id))))
    this.paintUse()
    if (this.question.many) announce(ngettext('%(n)s chosen', '%(n)s chosen', this.marked.size))
  }

  paintUse() {
    const words = /** @type {HTMLElement} */ (this.use.firstChild)
    words.textContent = this.question.many && this.marked.size
      ? ngettext('Add %(n)s', 'Add %(n)s', this.marked.size)
      : _('Use this')
    this.use.disabled = this.marked.size === 0
  }

  finish() {
    this.resolve([...this.marked.values()])
    this.resolve = () => {}
    this.element.close()
  }
}
