/**
 * The blocks of a story: added, moved, duplicated, removed and brought back, by pointer and by
 * keys. A block keeps its id wherever it stands, so its translations stay with it.
 */

import { announce, toast } from '../dialogs.js'
import { _, formatNumber } from '../messages.js'
import { SHARED, isWithin, key, movedTo, newBlockId, parts } from './document.js'

/** Pixels from the window's edge within which dragging scrolls, and how far at a time. */
const EDGE = 70
const SCROLL = 14

/**
 * Where a block dropped at `y` stands among the others, whose middles are given.
 * @param {number[]} middles @param {number} y
 */
export const dropIndex = (middles, y) => middles.filter((middle) => middle < y).length

/** @typedef {import('./editor.js').Editor} Editor */

export class BlockEditor {
  /** @param {HTMLElement} section @param {Editor} editor */
  constructor(section, editor) {
    this.section = section
    this.editor = editor
    this.story = section.dataset.story ?? ''
    this.list = /** @type {HTMLElement} */ (section.querySelector('[data-blocks]'))
    this.dialog = /** @type {HTMLDialogElement | null} */ (section.querySelector('[data-add-dialog]'))
    /** @type {string | null} */
    this.addAfter = null
    section.addEventListener('click', (event) => this.onClick(event))
    this.list.addEventListener('keydown', (event) => this.onKey(event))
    this.list.addEventListener('pointerdown', (event) => this.onPointer(event))
    this.refresh()
  }

  /** @returns {string[]} */
  get order() {
    return this.editor.mine.get(key(this.story, SHARED)) ?? []
  }

  set order(order) {
    if (order.length) this.editor.mine.set(key(this.story, SHARED), order)
    else this.editor.mine.delete(key(this.story, SHARED))
  }

  /** @param {string} id */
  path(id) {
    return `${this.story}.${id}`
  }

  /** @param {string} id @returns {HTMLElement | null} */
  element(id) {
    return this.list.querySelector(`:scope > [data-block="${CSS.escape(id)}"]`)
  }

  /** @param {string} id */
  nameOf(id) {
    return this.element(id)?.dataset.name ?? id
  }

  /** An empty block's element. @param {string} id @param {string} type @returns {HTMLElement | null} */
  build(id, type) {
    const template = /** @type {HTMLTemplateElement | null} */ (this.section.querySelector(`template[data-template="${CSS.escape(type)}"]`))
    const element = /** @type {HTMLElement | null} */ (template?.content.firstElementChild?.cloneNode(true) ?? null)
    if (!element) return null
    for (const one of [element, ...element.querySelectorAll('*')]) {
      for (const attribute of one.attributes) {
        if (attribute.value.includes('__id__')) attribute.value = attribute.value.replaceAll('__id__', id)
      }
    }
    return element
  }

  /** Bring the list in line with the document. */
  paint() {
    const { order } = this
    for (const element of /** @type {HTMLElement[]} */ ([...this.list.children])) {
      const id = element.dataset.block ?? ''
      if (!order.includes(id) || this.editor.mine.get(key(this.path(id), SHARED)) !== element.dataset.type) element.remove()
    }
    order.forEach((id, index) => {
      let element = this.element(id)
      if (!element) {
        element = this.build(id, this.editor.mine.get(key(this.path(id), SHARED)))
        if (!element) return
        this.list.insertBefore(element, this.list.children[index] ?? null)
        this.editor.started(element)
      } else if (this.list.children[index] !== element) {
        this.list.insertBefore(element, this.list.children[index] ?? null)
      }
    })
    this.refresh()
  }

  /** Names, numbers and what can be pressed. */
  refresh() {
    const blocks = /** @type {HTMLElement[]} */ ([...this.list.children])
    blocks.forEach((element, index) => {
      const place = { block: element.dataset.name ?? '', n: formatNumber(index + 1), all: formatNumber(blocks.length) }
      element.querySelector('[data-handle]')?.setAttribute('aria-label', _('Move %(block)s, %(n)s of %(all)s', place))
      const press = (/** @type {string} */ act, /** @type {boolean} */ off) => {
        element.querySelector(`[data-act="${act}"]`)?.toggleAttribute('disabled', off)
      }
      press('up', index === 0)
      press('down', index === blocks.length - 1)
    })
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = /** @type {HTMLElement} */ (event.target)
    const block = /** @type {HTMLElement | null} */ (target.closest('[data-block]'))
    const id = block?.dataset.block ?? ''
    const end = /** @type {HTMLElement | null} */ (target.closest('[data-add]'))
    const insert = /** @type {HTMLElement | null} */ (target.closest('[data-insert]'))
    const act = /** @type {HTMLElement | null} */ (target.closest('[data-act]'))
    if (target.closest('[data-fold]') && block) this.fold(block)
    else if (target.closest('[data-fold-all]')) this.foldAll()
    else if (end) this.add(end.dataset.add ?? '', this.order.at(-1) ?? null)
    else if (insert) {
      this.dialog?.close()
      this.add(insert.dataset.insert ?? '', this.addAfter)
    } else if (act && block) {
      const index = this.order.indexOf(id)
      if (act.dataset.act === 'up') this.move(id, index - 1, 'up')
      else if (act.dataset.act === 'down') this.move(id, index + 1, 'down')
      else if (act.dataset.act === 'add') this.askWhat(id)
      else if (act.dataset.act === 'duplicate') this.duplicate(id)
      else if (act.dataset.act === 'remove') this.remove(id)
    }
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const handle = /** @type {HTMLElement} */ (event.target).closest('[data-handle], [data-fold]')
    const block = /** @type {HTMLElement | null} */ (handle?.closest('[data-block]') ?? null)
    if (!block || !event.altKey || !['ArrowUp', 'ArrowDown'].includes(event.key)) return
    event.preventDefault()
    if (!block.querySelector('[data-handle]')) return
    const id = block.dataset.block ?? ''
    const step = event.key === 'ArrowUp' ? -1 : 1
    this.move(id, this.order.indexOf(id) + step, null)
    ;/** @type {HTMLElement} */ (handle).focus()
  }

  /** @param {HTMLElement} block @param {boolean} [open] */
  fold(block, open) {
    const button = /** @type {HTMLElement} */ (block.querySelector('[data-fold]'))
    const opens = open ?? button.getAttribute('aria-expanded') !== 'true'
    button.setAttribute('aria-expanded', String(opens))
    block.classList.toggle('block--folded', !opens)
    if (!opens) this.summarise(block)
  }

  foldAll() {
    const blocks = /** @type {HTMLElement[]} */ ([...this.list.children])
    const open = blocks.every((block) => block.classList.contains('block--folded'))
    for (const block of blocks) this.fold(block, open)
    announce(open ? _('All are unfolded.') : _('All are folded.'))
  }

  /** @param {HTMLElement} block */
  summarise(block) {
    const place = block.querySelector('[data-summary]')
    const text = [...block.querySelectorAll('textarea')].map((area) => area.value.trim()).find(Boolean)
      ?? block.querySelector('.chosen__title')?.textContent ?? ''
    if (place) place.textContent = text.slice(0, 90)
  }

  /** @param {string} after */
  askWhat(after) {
    this.addAfter = after
    const types = this.dialog?.querySelectorAll('[data-insert]') ?? []
    if (types.length === 1) this.add(/** @type {HTMLElement} */ (types[0]).dataset.insert ?? '', after)
    else this.dialog?.showModal()
  }

  /** @param {string} type @param {string | null} after */
  add(type, after) {
    const id = newBlockId()
    this.editor.mine.set(key(this.path(id), SHARED), type)
    const order = [...this.order]
    order.splice(after === null ? 0 : order.indexOf(after) + 1, 0, id)
    this.order = order
    this.done()
    this.editor.undoable(_('Added %(block)s', { block: this.nameOf(id) }), () => this.take(id))
    this.focusIn(id)
    announce(_('Added %(block)s as number %(n)s of %(all)s.', this.placeOf(id)))
  }

  /** @param {string} id */
  duplicate(id) {
    const copy = newBlockId()
    const { mine, scopes } = this.editor
    let leftOut = false
    for (const [pair, value] of [...mine]) {
      const [path, scope] = parts(pair)
      if (!isWithin(path, this.path(id))) continue
      if (scopes.has(scope)) mine.set(key(path.replace(this.path(id), this.path(copy)), scope), structuredClone(value))
      else leftOut = true
    }
    const order = [...this.order]
    order.splice(order.indexOf(id) + 1, 0, copy)
    this.order = order
    this.done()
    const words = _('Duplicated %(block)s', { block: this.nameOf(copy) })
    this.editor.undoable(words, () => this.take(copy))
    if (leftOut) toast(_('Languages that you may not write were not copied.'), 'info')
    this.focusIn(copy)
    announce(_('The copy of %(block)s is number %(n)s of %(all)s.', this.placeOf(copy)))
  }

  /** @param {string} id */
  remove(id) {
    const { mine, base, scopes } = this.editor
    const foreign = [...base.keys(), ...mine.keys()].map(parts)
      .find(([path, scope]) => isWithin(path, this.path(id)) && !scopes.has(scope))
    if (foreign) {
      toast(_('It holds text in a language that your roles do not include (%(language)s), so you cannot remove it.', { language: foreign[1] }), 'warn')
      return
    }
    const index = this.order.indexOf(id)
    const words = _('Removed %(block)s', { block: this.nameOf(id) })
    const back = this.take(id)
    const undo = this.editor.undoable(words, back)
    toast(words, 'info', { label: _('Undo'), run: undo })
    const next = this.order[Math.min(index, this.order.length - 1)]
    const focus = next ? this.element(next)?.querySelector('[data-fold]') : this.section.querySelector('[data-add]')
    ;/** @type {HTMLElement | null} */ (focus ?? null)?.focus()
  }

  /** Take a block out; what brings it back where it was. @param {string} id */
  take(id) {
    const { mine } = this.editor
    const element = this.element(id)
    const before = this.order.slice(0, this.order.indexOf(id))
    const held = [...mine].filter(([pair]) => isWithin(parts(pair)[0], this.path(id)))
    for (const [pair] of held) mine.delete(pair)
    this.order = this.order.filter((other) => other !== id)
    this.done()
    return () => {
      for (const [pair, value] of held) mine.set(pair, value)
      const order = [...this.order]
      const last = before.reverse().find((other) => order.includes(other))
      order.splice(last === undefined ? 0 : order.indexOf(last) + 1, 0, id)
      this.order = order
      // The same element: what its fields hold, and their own undo, is still in it.
      if (element) this.list.insertBefore(element, this.list.children[order.indexOf(id)] ?? null)
      this.done()
      this.focusIn(id)
      announce(_('%(block)s is back as number %(n)s of %(all)s.', this.placeOf(id)))
    }
  }

  /** @param {string} id @param {number} to @param {string | null} act the button to stay on */
  move(id, to, act) {
    const from = this.order.indexOf(id)
    if (to < 0 || to >= this.order.length || to === from) {
      if (to !== from) announce(to < 0 ? _('It is the first already.') : _('It is the last already.'))
      return
    }
    this.order = movedTo(this.order, from, to)
    this.done()
    this.editor.undoable(_('Moved %(block)s', { block: this.nameOf(id) }), () => this.move(id, from, null))
    const element = this.element(id)
    const same = /** @type {HTMLButtonElement | null} */ (act ? element?.querySelector(`[data-act="${act}"]`) : null)
    if (act) /** @type {HTMLElement | null} */ (same && !same.disabled ? same : element?.querySelector(`[data-act="${act === 'up' ? 'down' : 'up'}"]`) ?? null)?.focus()
    element?.scrollIntoView({ block: 'nearest' })
    announce(_('%(block)s is now number %(n)s of %(all)s.', this.placeOf(id)))
  }

  /** @param {string} id */
  placeOf(id) {
    const { order } = this
    return { block: this.nameOf(id), n: formatNumber(order.indexOf(id) + 1), all: formatNumber(order.length) }
  }

  /** @param {string} id */
  focusIn(id) {
    const element = this.element(id)
    if (!element) return
    // What is written first; a toolbar stands before its text.
    const wanted = ['textarea:not([readonly])', '[data-body] input:not([type=hidden])', '[data-body] button', '[data-fold]']
    const first = wanted.map((selector) => element.querySelector(selector)).find(Boolean)
    ;/** @type {HTMLElement | null} */ (first ?? null)?.focus()
    element.scrollIntoView({ block: 'nearest' })
  }

  done() {
    this.paint()
    this.editor.paintWithin(this.section)
    this.editor.changed()
  }

  /** @param {PointerEvent} event */
  onPointer(event) {
    const handle = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('[data-handle]'))
    const block = /** @type {HTMLElement | null} */ (handle?.closest('[data-block]') ?? null)
    if (!handle || !block || event.button !== 0) return
    event.preventDefault()
    handle.focus()
    handle.setPointerCapture(event.pointerId)
    const id = block.dataset.block ?? ''
    const from = this.order.indexOf(id)
    let to = from
    let y = event.clientY
    let began = false
    const others = () => /** @type {HTMLElement[]} */ ([...this.list.children]).filter((one) => one !== block)
    const unmark = () => {
      for (const one of others()) one.classList.remove('block--drop-before', 'block--drop-after')
    }
    const look = () => {
      unmark()
      const rest = others()
      to = dropIndex(rest.map((one) => { const box = one.getBoundingClientRect(); return box.top + box.height / 2 }), y)
      if (to === from) return
      if (to < rest.length) rest[to].classList.add('block--drop-before')
      else rest.at(-1)?.classList.add('block--drop-after')
    }
    const scroller = window.setInterval(() => {
      const by = y < EDGE * 2 ? -SCROLL : y > window.innerHeight - EDGE ? SCROLL : 0
      if (began && by) {
        window.scrollBy(0, by)
        look()
      }
    }, 30)
    const leave = new AbortController()
    const end = (/** @type {boolean} */ drop) => {
      leave.abort()
      clearInterval(scroller)
      unmark()
      block.classList.remove('block--dragged')
      if (drop && began && to !== from) this.move(id, to, null)
      handle.focus()
    }
    const { signal } = leave
    handle.addEventListener('pointermove', (moved) => {
      if (!began && Math.abs(moved.clientY - event.clientY) < 4) return
      began = true
      block.classList.add('block--dragged')
      y = moved.clientY
      look()
    }, { signal })
    handle.addEventListener('pointerup', () => end(true), { signal })
    handle.addEventListener('pointercancel', () => end(false), { signal })
    window.addEventListener('keydown', (pressed) => { if (pressed.key === 'Escape') end(false) }, { signal })
  }
}
