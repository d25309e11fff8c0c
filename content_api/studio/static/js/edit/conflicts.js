/**
 * What both changed, side by side: one chooses mine, theirs, or writes a third text. Nothing
 * is thrown away before that.
 */

import { _ } from '../messages.js'
import { pairOf } from './operations.js'
import { textOf } from './values.js'

/**
 * Ask what shall become of values that two people changed.
 * @param {import('./saving.js').Clash} clash
 * @param {(path: string) => string} labelOf
 * @returns {Promise<Map<string, {value: unknown, whose: 'mine' | 'theirs' | 'both'}> | null>} by pair; null: not now
 */
export function askAboutConflicts(clash, labelOf) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById('conflicts'))
  const list = /** @type {HTMLElement} */ (dialog.querySelector('[data-conflict-list]'))
  const lead = /** @type {HTMLElement} */ (dialog.querySelector('[data-conflict-lead]'))
  lead.textContent = _('%(name)s saved while you were working. Everything else was brought together; for these texts, choose what shall stand.', { name: clash.by || _('Somebody') })
  const choosers = clash.conflicts.map((conflict, index) => chooser(conflict, index, clash.by, labelOf))
  list.replaceChildren(...choosers.map(({ element }) => element))
  dialog.showModal()
  return new Promise((resolve) => {
    /** @type {Map<string, any> | null} */
    let chosen = null
    const save = /** @type {HTMLElement} */ (dialog.querySelector('[data-conflict-save]'))
    const decide = () => {
      chosen = new Map(choosers.map(({ conflict, read }) => [pairOf({ op: '', ...conflict }), read()]))
      dialog.close()
    }
    save.addEventListener('click', decide)
    dialog.addEventListener('close', () => {
      save.removeEventListener('click', decide)
      resolve(chosen)
    }, { once: true })
  })
}

/**
 * @param {import('./saving.js').Conflict} conflict @param {number} index @param {string} by
 * @param {(path: string) => string} labelOf
 */
function chooser(conflict, index, by, labelOf) {
  const element = document.createElement('fieldset')
  element.className = 'conflict'
  const legend = document.createElement('legend')
  legend.className = 'edit-row__label'
  legend.textContent = conflict.scope === '*' ? labelOf(conflict.path) : `${labelOf(conflict.path)} (${conflict.scope})`
  element.append(legend)
  const isText = [conflict.mine, conflict.theirs].every((side) => side === undefined || side === null || typeof side === 'string')
  const lang = conflict.scope === '*' ? '' : conflict.scope
  const sides = document.createElement('div')
  sides.className = 'conflict__sides'
  sides.append(
    side(_('Before'), conflict.base, null, lang),
    side(_('%(name)s wrote', { name: by || _('Somebody') }), conflict.theirs, conflict.changes ?? null, lang),
    side(_('You wrote'), conflict.mine, null, lang),
  )
  element.append(sides)
  const options = document.createElement('div')
  options.className = 'row'
  const name = `conflict-${index}`
  options.append(
    option(name, 'mine', _('Keep mine'), true),
    option(name, 'theirs', _('Keep theirs'), false),
  )
  /** @type {HTMLTextAreaElement | null} */
  let both = null
  if (isText && !conflict.path.includes('|')) {
    options.append(option(name, 'both', _('Write one together'), false))
    both = document.createElement('textarea')
    both.className = 'input'
    both.rows = 4
    both.lang = lang
    both.dir = 'auto'
    both.value = [textOf(conflict.theirs), textOf(conflict.mine)].filter(Boolean).join('\n\n')
    both.hidden = true
    both.setAttribute('aria-label', _('The text that shall stand'))
  }
  element.append(options)
  if (both) element.append(both)
  const whose = () => /** @type {HTMLInputElement} */ (element.querySelector('input:checked')).value
  element.addEventListener('change', () => { if (both) both.hidden = whose() !== 'both' })
  const read = () => {
    const choice = /** @type {'mine' | 'theirs' | 'both'} */ (whose())
    const value = choice === 'both' ? both?.value.trim() : conflict[choice]
    return { value, whose: choice }
  }
  return { element, conflict, read }
}

/**
 * @param {string} title @param {unknown} value @param {{op: string, text: string}[] | null} changes @param {string} lang
 */
function side(title, value, changes, lang) {
  const box = document.createElement('div')
  box.className = 'conflict__side'
  const head = document.createElement('p')
  head.className = 'soft small'
  head.textContent = title
  const text = document.createElement('div')
  text.className = 'conflict__text'
  text.lang = lang
  text.dir = 'auto'
  if (changes) {
    for (const part of changes) {
      const tag = { insert: 'ins', delete: 'del' }[part.op] ?? 'span'
      const piece = document.createElement(tag)
      piece.textContent = part.text
      text.append(piece)
    }
  } else {
    text.textContent = value === undefined || value === null || value === '' ? _('(nothing)') : textOf(value)
  }
  box.append(head, text)
  return box
}

/** @param {string} name @param {string} value @param {string} label @param {boolean} checked */
function option(name, value, label, checked) {
  const wrap = document.createElement('label')
  wrap.className = 'check'
  const input = document.createElement('input')
  input.type = 'radio'
  input.name = name
  input.value = value
  input.checked = checked
  const words = document.createElement('span')
  words.textContent = label
  wrap.append(input, words)
  return wrap
}
