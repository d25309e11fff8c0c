/**
 * A text area that helps: a toolbar, keys, a preview by the server's own code, and counters.
 * The text area stays what it is; its undo is the browser's.
 */

import { announce } from '../dialogs.js'
import { _, formatNumber, ngettext } from '../messages.js'
import { send } from '../send.js'
import { countCharacters, judge, readingSeconds, readingWords } from './counting.js'
import { debounced } from './dom.js'
import { COMMANDS, commandOf, toolAfter } from './markdown-edits.js'

/** Milliseconds of rest before a preview is asked for. */
const PREVIEW_AFTER = 300
/** Remembers whether this person likes to see the preview. */
const PREVIEW_KEY = 'lampisterie.preview'

/** @param {HTMLElement} root */
export default function start(root) {
  const area = /** @type {HTMLTextAreaElement | null} */ (root.querySelector('textarea'))
  if (!area) return undefined
  const leave = new AbortController()
  const language = area.lang || document.documentElement.lang
  const kind = root.dataset.kind ?? 'markdown'
  const count = startCounter(root, area, language)
  const preview = kind === 'text' ? null : startPreview(root, area, kind)
  area.addEventListener('input', () => {
    count()
    preview?.update()
  }, { signal: leave.signal })
  if (kind !== 'text' && !area.readOnly) {
    startTools(root, area, leave.signal)
    area.addEventListener('keydown', (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return
      const command = commandOf(event.key)
      if (!command) return
      event.preventDefault()
      apply(area, command)
    }, { signal: leave.signal })
  }
  count()
  return () => leave.abort()
}

/** @param {HTMLTextAreaElement} area @param {string} command */
export function apply(area, command) {
  const edit = COMMANDS[command]({ text: area.value, start: area.selectionStart, end: area.selectionEnd })
  area.focus()
  area.setSelectionRange(edit.from, edit.to)
  // insertText is the one way that the browser's undo remembers.
  const done = edit.insert
    ? document.execCommand('insertText', false, edit.insert)
    : document.execCommand('delete')
  if (!done) {
    area.setRangeText(edit.insert, edit.from, edit.to, 'end')
    area.dispatchEvent(new Event('input', { bubbles: true }))
  }
  area.setSelectionRange(edit.start, edit.end)
}

/** @param {HTMLElement} root @param {HTMLTextAreaElement} area @param {AbortSignal} signal */
function startTools(root, area, signal) {
  const bar = /** @type {HTMLElement | null} */ (root.querySelector('[role="toolbar"]'))
  if (!bar) return
  const tools = /** @type {HTMLButtonElement[]} */ ([...bar.querySelectorAll('button')])
  const focusOn = (/** @type {number} */ index) => {
    tools.forEach((tool, place) => { tool.tabIndex = place === index ? 0 : -1 })
    tools[index].focus()
  }
  bar.addEventListener('keydown', (event) => {
    const index = tools.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement))
    const next = index < 0 ? null : toolAfter(index, tools.length, event.key, getComputedStyle(bar).direction === 'rtl')
    if (next === null) return
    event.preventDefault()
    focusOn(next)
  }, { signal })
  bar.addEventListener('click', (event) => {
    const tool = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('[data-command]'))
    if (tool) apply(area, tool.dataset.command ?? '')
  }, { signal })
}

/** @param {HTMLElement} root @param {HTMLTextAreaElement} area @param {string} kind */
function startPreview(root, area, kind) {
  const box = /** @type {HTMLElement | null} */ (root.querySelector('[data-preview]'))
  const button = /** @type {HTMLElement | null} */ (root.querySelector('[data-toggle-preview]'))
  if (!box || !button) return null
  /** @type {AbortController | null} */
  let asking = null
  let shown = /** @type {string | null} */ (null)
  const load = async () => {
    if (box.hidden || shown === area.value) return
    asking?.abort()
    asking = new AbortController()
    const text = area.value
    try {
      const { body } = await send('POST', '/studio/widgets/preview', { json: { text, kind }, signal: asking.signal, askToSignIn: false })
      show(box, body.html)
      shown = text
      box.classList.remove('md__preview--old')
    } catch {
      // Without a link the last preview stays, marked as old; writing goes on.
      if (asking?.signal.aborted !== true) box.classList.add('md__preview--old')
    }
  }
  const later = debounced(load, PREVIEW_AFTER)
  const set = (/** @type {boolean} */ open) => {
    box.hidden = !open
    button.setAttribute('aria-pressed', String(open))
    if (open) load()
  }
  button.addEventListener('click', () => {
    set(box.hidden)
    remember(!box.hidden)
  })
  set(remembered())
  return { update: later }
}

/**
 * The server's HTML as nodes; it holds nothing that runs, and a parsed document runs nothing.
 * @param {HTMLElement} box @param {string} html
 */
function show(box, html) {
  const parsed = new DOMParser().parseFromString(html, 'text/html')
  for (const link of parsed.querySelectorAll('a')) link.target = '_blank'
  if (parsed.body.textContent?.trim()) {
    box.replaceChildren(...parsed.body.childNodes)
    return
  }
  const nothing = document.createElement('p')
  nothing.className = 'soft'
  nothing.textContent = _('Nothing to show yet.')
  box.replaceChildren(nothing)
}

const remembered = () => {
  try {
    return localStorage.getItem(PREVIEW_KEY) === 'open'
  } catch {
    return false
  }
}

/** @param {boolean} open */
const remember = (open) => {
  try {
    localStorage.setItem(PREVIEW_KEY, open ? 'open' : 'closed')
  } catch {
    // A browser that keeps nothing forgets this wish, and nothing else.
  }
}

/** @param {HTMLElement} root @param {HTMLTextAreaElement} area @param {string} language */
function startCounter(root, area, language) {
  const place = /** @type {HTMLElement | null} */ (root.querySelector('[data-count]'))
  const advise = numberOf(root.dataset.advise)
  const max = numberOf(root.dataset.max)
  let state = 'fits'
  return () => {
    if (!place) return
    const length = countCharacters(area.value)
    const found = judge(length, advise, max)
    const parts = [lengthWords(length, max)]
    const judged = judgedWords(found)
    if (judged) parts.push(judged)
    const seconds = readingWords(readingSeconds(area.value, language))
    if (seconds) parts.push(timeWords(seconds))
    place.replaceChildren(...parts.map((text, index) => {
      const span = document.createElement('span')
      span.textContent = text
      if (index === 1 && judged) span.className = 'md__judged'
      return span
    }))
    place.dataset.state = found.state
    // Told when it begins to matter, not with every key.
    if (found.state !== state && judged) announce(judged)
    state = found.state
  }
}

/** @param {string | undefined} text */
const numberOf = (text) => (text ? Number(text) : null)

/** @param {number} length @param {number | null} max */
const lengthWords = (length, max) => max === null
  ? ngettext('%(n)s character', '%(n)s characters', length)
  : _('%(n)s of %(max)s characters', { n: formatNumber(length), max: formatNumber(max) })

/** @param {{state: string, by: number}} found */
function judgedWords({ state, by }) {
  if (state === 'over') return ngettext('%(n)s character too many to publish', '%(n)s characters too many to publish', by)
  if (state === 'long') return ngettext('%(n)s character more than advised', '%(n)s characters more than advised', by)
  return ''
}

/** @param {{unit: string, value: number}} time */
const timeWords = ({ unit, value }) => unit === 'seconds'
  ? _('about %(n)s s to read', { n: formatNumber(value) })
  : _('about %(n)s min to read', { n: formatNumber(value) })
