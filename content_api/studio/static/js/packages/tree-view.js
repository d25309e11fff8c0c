/**
 * The tree on the screen: one row stands in the tab order, arrows go through the rows, with Alt
 * they move what is chosen (WAI-ARIA APG, tree view). A pointer drags rows; every drag has a key
 * and a button that does the same.
 */

import { announce, icon } from '../dialogs.js'
import { _ } from '../messages.js'
import { h } from '../widgets/dom.js'
import { find, keyOf, moved, put, rowsOf } from './tree.js'

/** @typedef {import('./tree.js').Spot} Spot */
/** @typedef {import('./tree.js').Row} Row */
/** @typedef {import('./tree.js').Section} Section */

/** Pixels a pointer moves before a press becomes a drag. */
const DRAG_FROM = 5

/** Pixels from the window's edge at which dragging scrolls, and how far each time. */
const EDGE = 60
const SCROLL_STEP = 14

/**
 * @typedef {{sections: () => Section[], change: (sections: Section[], words: string) => void,
 *   remove: (spot: Spot) => void, choose: (spot: Spot | null) => void,
 *   titleOf: (spot: Spot) => {title: string, about: string, lang: string | null},
 *   readonly: boolean}} Source
 */

export class TreeView {
  /** @param {HTMLElement} root @param {Source} source */
  constructor(root, source) {
    this.root = root
    this.source = source
    /** @type {Set<string>} */
    this.closed = new Set()
    /** @type {Spot | null} */
    this.chosen = null
    root.addEventListener('keydown', (event) => this.onKey(event))
    root.addEventListener('click', (event) => this.onClick(event))
    if (!source.readonly) root.addEventListener('pointerdown', (event) => this.onPointerDown(event))
  }

  get rows() {
    return rowsOf(this.source.sections(), this.closed)
  }

  paint() {
    const rows = this.rows
    const had = this.root.contains(document.activeElement)
    if (this.chosen && !rows.some((row) => keyOf(row) === keyOf(/** @type {Spot} */ (this.chosen)))) this.chosen = null
    if (!this.chosen && rows.length) this.chosen = spotOf(rows[0])
    this.root.replaceChildren(...rows.map((row) => this.row(row)))
    this.root.hidden = rows.length === 0
    if (had) this.element(this.chosen)?.focus({ preventScroll: true })
    this.source.choose(this.chosen)
  }

  /** @param {Row} row */
  row(row) {
    const { title, about, lang } = this.source.titleOf(row)
    const key = keyOf(row)
    const isSection = row.kind === 'section'
    const chosen = this.chosen && keyOf(this.chosen) === key
    const section = isSection ? find(this.source.sections(), row.section) : null
    const holds = section ? (section.entries?.length ?? 0) + (section.sections?.length ?? 0) : 0
    const open = !this.closed.has(row.section)
    return h('li', {
      role: 'treeitem', class: `tree__row tree__row--${row.kind} tree__row--level-${row.depth}`, 'data-key': key,
      'aria-level': row.depth, 'aria-setsize': row.size, 'aria-posinset': row.index + 1,
      'aria-selected': String(Boolean(chosen)), 'aria-expanded': isSection && holds ? String(open) : null,
      tabindex: chosen ? 0 : -1, id: isSection ? `section-${row.section}` : null,
    },
    this.source.readonly ? null : h('span', { class: 'tree__handle', 'aria-hidden': 'true' }, icon('drag')),
    isSection ? h('span', { class: 'tree__twist', 'aria-hidden': 'true', 'data-twist': true }, holds ? icon(open ? 'chevron-down' : 'chevron-right') : null) : null,
    h('span', { class: 'tree__title', lang }, title),
    h('span', { class: 'tree__about' }, about))
  }

  /** @param {Spot | null} spot @returns {HTMLElement | null} */
  element(spot) {
    return spot && this.root.querySelector(`[data-key="${CSS.escape(keyOf(spot))}"]`)
  }

  /** Stand on a row. @param {Spot} spot @param {boolean} [focus] */
  stand(spot, focus = true) {
    this.chosen = spot
    for (const other of this.root.querySelectorAll('[aria-selected="true"]')) {
      other.setAttribute('aria-selected', 'false')
      other.setAttribute('tabindex', '-1')
    }
    const element = this.element(spot)
    element?.setAttribute('aria-selected', 'true')
    element?.setAttribute('tabindex', '0')
    if (focus) element?.focus()
    else element?.scrollIntoView({ block: 'nearest' })
    this.source.choose(spot)
  }

  /** Open what a row is inside of, then stand on it. @param {Spot} spot @param {boolean} [focus] */
  reveal(spot, focus = true) {
    for (const row of rowsOf(this.source.sections())) {
      if (row.kind === 'section' && inside(this.source.sections(), row.section, spot)) this.closed.delete(row.section)
    }
    this.chosen = spot
    this.paint()
    this.stand(spot, focus)
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.ctrlKey || event.metaKey) return
    const rtl = getComputedStyle(this.root).direction === 'rtl'
    const forward = rtl ? 'ArrowLeft' : 'ArrowRight'
    const back = rtl ? 'ArrowRight' : 'ArrowLeft'
    if (event.altKey) {
      const way = /** @type {Record<string, 'up' | 'down' | 'in' | 'out'>} */ ({ ArrowUp: 'up', ArrowDown: 'down', [forward]: 'in', [back]: 'out' })[event.key]
      if (!way || this.source.readonly) return
      event.preventDefault()
      this.move(way)
      return
    }
    const rows = this.rows
    const at = this.chosen ? rows.findIndex((row) => keyOf(row) === keyOf(/** @type {Spot} */ (this.chosen))) : -1
    const row = rows[at]
    const step = /** @type {Record<string, number>} */ ({ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 })[event.key]
    if (step !== undefined) {
      event.preventDefault()
      if (rows[step]) this.stand(spotOf(rows[step]))
    } else if (row && (event.key === forward || event.key === back)) {
      event.preventDefault()
      this.sideways(row, event.key === forward, rows[at + 1])
    } else if ((event.key === 'Delete' || event.key === 'Backspace') && this.chosen && !this.source.readonly) {
      event.preventDefault()
      this.source.remove(this.chosen)
    } else if (event.key === 'Enter' && row?.kind === 'section') {
      event.preventDefault()
      this.twist(row.section)
    }
  }

  /** @param {Row} row @param {boolean} open @param {Row | undefined} next */
  sideways(row, open, next) {
    const closed = this.closed.has(row.section)
    if (row.kind === 'section' && open && closed) this.twist(row.section)
    else if (row.kind === 'section' && !open && !closed && next && next.depth > row.depth) this.twist(row.section)
    else if (open && next && next.depth > row.depth) this.stand(spotOf(next))
    else if (!open && row.parent) this.stand({ kind: 'section', section: row.parent })
  }

  /** Close or open a section. @param {string} id */
  twist(id) {
    if (this.closed.has(id)) this.closed.delete(id)
    else this.closed.add(id)
    this.paint()
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = /** @type {Element} */ (event.target)
    const row = this.rowAt(target)
    if (!row) return
    this.stand(spotOf(row))
    if (target.closest('[data-twist]')) this.twist(row.section)
  }

  /** @param {Element | null} element @returns {Row | null} */
  rowAt(element) {
    const key = /** @type {HTMLElement | null} */ (element?.closest?.('[data-key]') ?? null)?.dataset.key
    return (key !== undefined && this.rows.find((row) => keyOf(row) === key)) || null
  }

  /** @param {'up' | 'down' | 'in' | 'out'} way */
  move(way) {
    if (!this.chosen) return
    const { title } = this.source.titleOf(this.chosen)
    const result = moved(this.source.sections(), this.chosen, way)
    if (!result) {
      announce(this.refusal(way), true)
      return
    }
    this.took(result, title)
  }

  /** @param {{sections: Section[], spot: Spot}} result @param {string} title */
  took(result, title) {
    const focused = this.root.contains(document.activeElement)
    for (const row of rowsOf(result.sections)) {
      if (row.kind === 'section' && inside(result.sections, row.section, result.spot)) this.closed.delete(row.section)
    }
    this.chosen = result.spot
    this.source.change(result.sections, title)
    if (focused) this.element(result.spot)?.focus({ preventScroll: true })
    this.element(result.spot)?.scrollIntoView({ block: 'nearest' })
    announce(this.whereWords(title))
  }

  /** @param {string} title */
  whereWords(title) {
    const spot = /** @type {Spot} */ (this.chosen)
    const row = this.rows.find((found) => keyOf(found) === keyOf(spot))
    if (!row) return title
    const values = { title, n: row.index + 1, all: row.size }
    if (!row.parent) return _('%(title)s is now number %(n)s of %(all)s.', values)
    const parent = this.source.titleOf({ kind: 'section', section: row.parent }).title
    return _('%(title)s is now number %(n)s of %(all)s in %(section)s.', { ...values, section: parent })
  }

  /** @param {string} way */
  refusal(way) {
    if (this.chosen?.kind === 'entry' && (way === 'in' || way === 'out')) return _('Only sections can be put into sections. Move an entry up or down to bring it into another section.')
    if (way === 'in') return _('It cannot go deeper: there is no section above, or sections would be more than three deep.')
    if (way === 'out') return _('It is not inside a section.')
    return way === 'up' ? _('It is the first already.') : _('It is the last already.')
  }

  // -- Dragging ------------------------------------------------------------------------------

  /** @param {PointerEvent} event */
  onPointerDown(event) {
    const target = /** @type {Element} */ (event.target)
    const row = this.rowAt(target)
    // A finger scrolls the page unless it begins on the handle.
    if (!row || event.button !== 0 || target.closest('[data-twist]') || (event.pointerType !== 'mouse' && !target.closest('.tree__handle'))) return
    const spot = spotOf(row)
    const begin = { x: event.clientX, y: event.clientY }
    let dragging = false
    /** @type {{target: Row, where: 'before' | 'after' | 'inside'} | null} */
    let goal = null
    const move = (/** @type {PointerEvent} */ next) => {
      if (next.pointerId !== event.pointerId) return
      if (!dragging) {
        if (Math.hypot(next.clientX - begin.x, next.clientY - begin.y) < DRAG_FROM) return
        dragging = true
        this.root.classList.add('tree--dragging')
        this.element(spot)?.classList.add('tree__row--lifted')
      }
      next.preventDefault()
      if (next.clientY < EDGE) window.scrollBy(0, -SCROLL_STEP)
      else if (next.clientY > window.innerHeight - EDGE) window.scrollBy(0, SCROLL_STEP)
      goal = this.goalAt(next.clientX, next.clientY, spot)
      this.mark(goal)
    }
    const end = (/** @type {boolean} */ take) => {
      window.removeEventListener('pointermove', move)
      window.removeEventListener('pointerup', up)
      window.removeEventListener('pointercancel', cancel)
      window.removeEventListener('keydown', key, true)
      this.root.classList.remove('tree--dragging')
      this.element(spot)?.classList.remove('tree__row--lifted')
      this.mark(null)
      if (!dragging) return
      window.addEventListener('click', swallow, { capture: true, once: true })
      window.setTimeout(() => window.removeEventListener('click', swallow, true), 0)
      const result = take && goal && put(this.source.sections(), spot, spotOf(goal.target), goal.where)
      if (result) {
        this.took(result, this.source.titleOf(spot).title)
        this.stand(result.spot)
      }
    }
    const up = (/** @type {PointerEvent} */ next) => { if (next.pointerId === event.pointerId) end(true) }
    const cancel = () => end(false)
    const key = (/** @type {KeyboardEvent} */ pressed) => {
      if (pressed.key !== 'Escape') return
      pressed.preventDefault()
      pressed.stopPropagation()
      end(false)
    }
    window.addEventListener('pointermove', move)
    window.addEventListener('pointerup', up)
    window.addEventListener('pointercancel', cancel)
    window.addEventListener('keydown', key, true)
  }

  /** @param {number} x @param {number} y @param {Spot} spot @returns {{target: Row, where: 'before' | 'after' | 'inside'} | null} */
  goalAt(x, y, spot) {
    const element = /** @type {HTMLElement | null} */ (document.elementFromPoint(x, y)?.closest('[data-key]') ?? null)
    const row = element && this.root.contains(element) ? this.rowAt(element) : null
    if (!row || !element) return null
    const box = element.getBoundingClientRect()
    const share = (y - box.top) / box.height
    const half = share < 0.5 ? 'before' : 'after'
    /** @type {'before' | 'after' | 'inside'} */
    let where = half
    if (row.kind === 'section') where = spot.kind === 'entry' ? (share < 0.7 ? 'inside' : 'after') : share < 0.3 ? 'before' : share > 0.7 ? 'after' : 'inside'
    return put(this.source.sections(), spot, spotOf(row), where) ? { target: row, where } : null
  }

  /** @param {{target: Row, where: string} | null} goal */
  mark(goal) {
    for (const marked of this.root.querySelectorAll('[data-drop]')) marked.removeAttribute('data-drop')
    if (goal) this.element(goal.target)?.setAttribute('data-drop', goal.where)
  }
}

/** @param {Event} event */
function swallow(event) {
  event.stopPropagation()
  event.preventDefault()
}

/** @param {Row} row @returns {Spot} */
const spotOf = (row) => (row.kind === 'entry' ? { kind: 'entry', section: row.section, entry: row.entry } : { kind: 'section', section: row.section })

/** Whether a spot is somewhere inside the section `id`. @param {Section[]} sections @param {string} id @param {Spot} spot */
function inside(sections, id, spot) {
  const section = find(sections, id)
  if (!section) return false
  if (spot.kind === 'entry' && spot.section === id) return true
  return find(section.sections ?? [], spot.section) !== null
}
