/** A cell's controls as a value of its kind, and back. What cannot be read is kept as typed. */

import { stored } from '../widgets/counting.js'
import { same } from './document.js'

/** Says that a cell holds nothing. */
export const ABSENT = Symbol('absent')

/** A number as people write it; null if it is none. @param {string} text */
export function parseNumber(text) {
  const plain = text.normalize('NFKC').replace(/[\s\u2019']/g, '').replace('−', '-').replace(',', '.')
  return /^[-+]?(\d+(\.\d*)?|\.\d+)$/.test(plain) ? Number(plain) : null
}

/** Minutes by which a zone is ahead of UTC at a moment. @param {number} moment @param {string} zone */
function offsetMinutes(moment, zone) {
  const found = Object.fromEntries(new Intl.DateTimeFormat('en-US', {
    timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric',
  }).formatToParts(moment).map((part) => [part.type, Number(part.value)]))
  const wall = Date.UTC(found.year, found.month - 1, found.day, found.hour, found.minute)
  return Math.round((wall - Math.floor(moment / 60000) * 60000) / 60000)
}

/** `2026-11-24T09:00` in a zone as a moment with its offset. @param {string} local @param {string} zone */
export function zonedIso(local, zone) {
  const wall = Date.parse(`${local}Z`)
  if (Number.isNaN(wall)) return ''
  // Twice: the first guess may lie on the other side of a change of the clocks.
  let offset = offsetMinutes(wall, zone)
  offset = offsetMinutes(wall - offset * 60000, zone)
  const sign = offset < 0 ? '-' : '+'
  const two = (/** @type {number} */ n) => String(Math.floor(n)).padStart(2, '0')
  return `${local.length === 16 ? `${local}:00` : local}${sign}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`
}

/** A moment as its wall clock in a zone shows it. @param {string} iso @param {string} zone */
export function wallTime(iso, zone) {
  const moment = Date.parse(iso)
  if (Number.isNaN(moment)) return ''
  return new Date(moment + offsetMinutes(moment, zone) * 60000).toISOString().slice(0, 16)
}

/** @param {HTMLElement} cell @returns {HTMLInputElement[]} */
export const controlsOf = (cell) => /** @type {HTMLInputElement[]} */ ([...cell.querySelectorAll('[name]')])

/** @param {HTMLElement} cell @returns {HTMLInputElement | null} */
export const emptyBox = (cell) => cell.querySelector('[data-empty]')

/**
 * What a cell says now.
 * @param {HTMLElement} cell @param {any} before what it said at first, ABSENT for nothing
 * @returns {any} ABSENT for nothing
 */
export function readCell(cell, before) {
  const found = read(cell, before)
  if (found !== ABSENT) {
    // A list is in no order of its own here; what was not changed stays as it was.
    return before !== ABSENT && same(found, before) ? before : found
  }
  return emptyBox(cell)?.checked ? null : ABSENT
}

/** @param {HTMLElement} cell @param {any} before */
function read(cell, before) {
  const controls = controlsOf(cell)
  const text = controls[0]?.value ?? ''
  switch (cell.dataset.kind) {
    case 'text': case 'inline': case 'markdown': {
      const said = stored(text)
      return said === '' ? (before === '' ? '' : ABSENT) : said
    }
    case 'integer': case 'number': {
      if (!text.trim()) return ABSENT
      const number = parseNumber(text)
      return number === null ? text.trim() : number
    }
    case 'boolean':
      return controls[0].checked ? true : before === ABSENT ? ABSENT : false
    case 'datetime':
      return text ? zonedIso(text, controls[0].dataset.zone ?? 'UTC') : ABSENT
    case 'choices': {
      const chosen = controls.filter((box) => box.checked).map((box) => box.value)
      return chosen.length ? chosen : before === ABSENT ? ABSENT : []
    }
    case 'assets': case 'references': {
      const ids = text.split(',').filter(Boolean)
      return ids.length ? ids : ABSENT
    }
    case 'geopoint': case 'camera':
      try {
        return text ? JSON.parse(text) : ABSENT
      } catch {
        return ABSENT
      }
    case 'rights': case 'focal': {
      /** @type {Record<string, any>} */
      const value = {}
      for (const control of controls) {
        const said = stored(control.value)
        const number = cell.dataset.kind === 'focal' ? parseNumber(said) : null
        if (said) value[control.dataset.part ?? ''] = number ?? said
      }
      return Object.keys(value).length ? value : ABSENT
    }
    default:
      return text.trim() || ABSENT
  }
}

/** Show a value. @param {HTMLElement} cell @param {any} value ABSENT for nothing */
export function writeCell(cell, value) {
  const controls = controlsOf(cell)
  const nothing = value === ABSENT || value === null
  const box = emptyBox(cell)
  if (box) box.checked = value === null
  if (!controls.length) return
  switch (cell.dataset.kind) {
    case 'boolean':
      controls[0].checked = value === true
      return
    case 'choices':
      for (const control of controls) control.checked = !nothing && value.includes(control.value)
      return
    case 'rights': case 'focal':
      for (const control of controls) control.value = nothing ? '' : String(value[control.dataset.part ?? ''] ?? '')
      return
    case 'datetime':
      controls[0].value = nothing ? '' : wallTime(String(value), controls[0].dataset.zone ?? 'UTC')
      return
    case 'choice':
      controls[0].value = nothing ? '' : String(value)
      return
    case 'geopoint': case 'camera':
      set(controls[0], nothing ? '' : JSON.stringify(value))
      return
    case 'assets': case 'references':
      set(controls[0], nothing ? '' : value.join(','))
      return
    default:
      set(controls[0], nothing ? '' : String(value))
  }
}

/** @param {HTMLInputElement} control @param {string} text */
function set(control, text) {
  if (control.value === text) return
  control.value = text
  // Widgets show what their control holds when they are told.
  control.dispatchEvent(new Event('input', { bubbles: true }))
  control.dispatchEvent(new Event('change', { bubbles: true }))
}
