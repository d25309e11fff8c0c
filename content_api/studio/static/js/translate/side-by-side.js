/**
 * Translating beside the source: on to the next text by keys, terms of the glossary and the
 * source itself by a click, and what somebody says of a translation. Typing, keeping and
 * saving are the editor's (`edit/editor.js`), which runs on the same element.
 */

import { announce, toast } from '../dialogs.js'
import { _, formatNumber, ngettext } from '../messages.js'
import { send } from '../send.js'

const NEEDS_WORK = ['missing', 'outdated', 'machine']

/**
 * The place of the next one of `needing` from `at` on, going `step` by `step`, around the end.
 * @param {boolean[]} needing @param {number} at -1: before the first @param {1 | -1} step
 * @returns {number | null}
 */
export function nextNeeding(needing, at, step) {
  const { length } = needing
  for (let turn = 1; turn <= length; turn += 1) {
    const place = (((at < 0 && step < 0 ? 0 : at) + step * turn) % length + length) % length
    if (needing[place]) return place
  }
  return null
}

/** @param {HTMLElement} root */
export default function start(root) {
  const units = /** @type {HTMLElement[]} */ ([...root.querySelectorAll('[data-unit]')])
  const url = root.dataset.translate ?? ''
  const from = `from=${encodeURIComponent(root.dataset.from ?? '')}`
  /** The revision whose sources this page shows. */
  let seen = Number(root.dataset.rev)
  const areaOf = (/** @type {HTMLElement} */ unit) =>
    /** @type {HTMLTextAreaElement | null} */ (unit.querySelector('.unit__target textarea'))
  const needs = (/** @type {HTMLElement} */ unit) => NEEDS_WORK.includes(unit.dataset.unitStatus ?? '')

  document.addEventListener('keydown', (event) => {
    if (!event.altKey || event.ctrlKey || (event.key !== 'ArrowDown' && event.key !== 'ArrowUp')) return
    event.preventDefault()
    const at = units.findIndex((unit) => unit.contains(document.activeElement))
    const place = nextNeeding(units.map(needs), at, event.key === 'ArrowDown' ? 1 : -1)
    if (place === null) {
      announce(_('No text on this page needs work.'))
      return
    }
    const unit = units[place]
    areaOf(unit)?.focus()
    unit.scrollIntoView({ block: 'center' })
  })

  root.addEventListener('click', async (event) => {
    const target = /** @type {Element} */ (event.target)
    const unit = /** @type {HTMLElement | null} */ (target.closest('[data-unit]'))
    if (!unit) return
    const area = areaOf(unit)
    const term = /** @type {HTMLElement | null} */ (target.closest('[data-insert]'))
    if (term && area) insert(area, term.dataset.insert ?? '')
    if (target.closest('[data-copy-source]') && area) {
      const text = unit.querySelector('[data-source-text]')?.textContent ?? ''
      area.focus()
      area.select()
      insert(area, text)
    }
    const claim = /** @type {HTMLElement | null} */ (target.closest('[data-claim]'))
    if (claim) await say(unit, claim.dataset.claim ?? '')
  })

  /** @param {HTMLElement} unit @param {string} state */
  async function say(unit, state) {
    if (isUnsaved()) {
      toast(_('Save first: this speaks of the text that is saved.'), 'warn')
      return
    }
    try {
      const { body } = await send('POST', `${url}/claim?${from}`, { json: { path: unit.dataset.unit, state, seen_rev: seen } })
      paint(body)
      toast(state === 'reviewed' ? _('Marked as reviewed.') : _('Noted: the translation is right as it is.'))
    } catch (error) {
      toast(/** @type {Error} */ (error).message, 'bad')
      if (/** @type {any} */ (error).status === 412) await refresh()
    }
  }

  async function refresh() {
    try {
      const { body } = await send('GET', `${url}/statuses?${from}`, { askToSignIn: false })
      paint(body)
    } catch {
      // The badges are a reload behind; nothing else.
    }
  }

  const status = /** @type {HTMLElement | null} */ (root.querySelector('[data-status]'))
  const isUnsaved = () => Boolean(status && status.dataset.state !== 'saved')

  /** @param {{rev: number, statuses: Record<string, string>, sources: Record<string, string>, changes: Record<string, string[][]>}} found */
  function paint({ rev, statuses, sources, changes }) {
    seen = rev
    root.querySelector('[data-counts]')?.replaceChildren(...counted(Object.values(statuses)))
    let isNewer = false
    for (const unit of units) {
      const path = unit.dataset.unit ?? ''
      const place = unit.querySelector('[data-source-text]')
      if (place && sources[path] && sources[path] !== place.textContent) {
        place.textContent = sources[path]
        isNewer = true
      }
      const name = statuses[path] ?? ''
      if (name !== unit.dataset.unitStatus) {
        unit.dataset.unitStatus = name
        unit.querySelector('[data-badge]')?.replaceChildren(...badge(name))
      }
      unit.querySelector('[data-claim="translated"]')?.toggleAttribute('hidden', name !== 'outdated' && name !== 'machine')
      unit.querySelector('[data-claim="reviewed"]')?.toggleAttribute('hidden', ['', 'missing', 'reviewed'].includes(name))
      paintChange(unit, name === 'outdated' ? changes[path] ?? [] : [])
    }
    if (isNewer) toast(_('The source changed while you were translating: what changed is marked.'), 'warn')
    const left = units.filter(needs).length
    announce(ngettext('%(n)s text still needs work.', '%(n)s texts still need work.', left))
  }

  if (status) {
    let before = status.dataset.state
    new MutationObserver(async () => {
      const now = status.dataset.state
      if (now === 'saved' && before === 'saving') await refresh()
      before = now
    }).observe(status, { attributes: true, attributeFilter: ['data-state'] })
  }

  for (const link of /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll('[data-keeps-place]')])) {
    link.addEventListener('click', () => {
      const unit = units.find((one) => one.getBoundingClientRect().bottom > 120)
      if (unit) link.hash = unit.id
    })
  }
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (target) areaOf(/** @type {HTMLElement} */ (target))?.focus()
}

/** Show what changed in a unit's source, or nothing. @param {HTMLElement} unit @param {string[][]} segments */
function paintChange(unit, segments) {
  const found = /** @type {HTMLElement | null} */ (unit.querySelector('.unit__changed'))
  if (!found) return
  found.hidden = !segments.length
  found.querySelector('.diff')?.replaceChildren(...segments.map(([op, text]) => {
    if (op === 'equal') return text
    const mark = document.createElement(op === 'insert' ? 'ins' : 'del')
    mark.textContent = text
    return mark
  }))
}

/** @param {string} name */
function badge(name) {
  const template = /** @type {HTMLTemplateElement | null} */ (document.getElementById('status-badges'))
  const found = template?.content.querySelector(`[data-name="${CSS.escape(name)}"]`)
  return found ? [...found.cloneNode(true).childNodes] : []
}

/** How many texts have which status. @param {string[]} statuses */
function counted(statuses) {
  const template = /** @type {HTMLTemplateElement | null} */ (document.getElementById('status-badges'))
  return [...(template?.content.children ?? [])].flatMap((row) => {
    const count = statuses.filter((name) => name === row.getAttribute('data-name')).length
    if (!count) return []
    const shown = /** @type {Element} */ (row.firstElementChild?.cloneNode(true))
    const number = document.createElement('span')
    number.className = 'status__count'
    number.textContent = formatNumber(count)
    shown.querySelector('.status__shape')?.after(number)
    return [shown]
  })
}

/** Put text where the cursor is, so that the browser's undo knows. @param {HTMLTextAreaElement} area @param {string} text */
function insert(area, text) {
  area.focus()
  if (!document.execCommand('insertText', false, text)) {
    area.setRangeText(text, area.selectionStart, area.selectionEnd, 'end')
    area.dispatchEvent(new Event('input', { bubbles: true }))
  }
}
