/**
 * Choosing entries: a combobox that searches on the server (WAI-ARIA APG, editable combobox with
 * list autocomplete), and below it what is chosen.
 */

import { announce } from '../dialogs.js'
import { _, ngettext } from '../messages.js'
import { send } from '../send.js'
import { Chosen } from './chosen.js'
import { debounced, freshId, h } from './dom.js'

/** @typedef {import('./described.js').Choice} Choice */

/** Milliseconds of rest before words are searched. */
const SEARCH_AFTER = 200

/** @param {HTMLElement} root */
export default function start(root) {
  const chosen = new Chosen(root, () => {})
  const input = /** @type {HTMLInputElement | null} */ (root.querySelector('[role="combobox"]'))
  const list = /** @type {HTMLElement | null} */ (root.querySelector('[role="listbox"]'))
  const filter = /** @type {HTMLSelectElement | null} */ (root.querySelector('[data-types-filter]'))
  if (!input || !list) return
  /** @type {Choice[]} */
  let items = []
  let active = -1
  /** @type {AbortController | null} */
  let asking = null

  const close = () => {
    asking?.abort()
    list.hidden = true
    active = -1
    input.setAttribute('aria-expanded', 'false')
    input.removeAttribute('aria-activedescendant')
  }
  const stand = (/** @type {number} */ index) => {
    const options = [...list.querySelectorAll('[role="option"]')]
    options[active]?.classList.remove('combo__option--active')
    active = index
    const option = options[index]
    if (!option) {
      input.removeAttribute('aria-activedescendant')
      return
    }
    option.classList.add('combo__option--active')
    option.scrollIntoView({ block: 'nearest' })
    input.setAttribute('aria-activedescendant', option.id)
  }
  const paint = (/** @type {string} */ note) => {
    active = -1
    input.removeAttribute('aria-activedescendant')
    list.replaceChildren(...items.map((choice) => h('li', {
      class: 'combo__option', role: 'option', id: freshId('entry-option'), 'aria-selected': String(chosen.ids.includes(choice.id)),
    }, h('span', { class: 'combo__title', lang: choice.language }, choice.title), h('span', { class: 'combo__about' }, `${choice.type_label} · ${choice.id}`))))
    if (note) list.append(h('li', { class: 'combo__note', role: 'presentation' }, note))
    list.hidden = false
    input.setAttribute('aria-expanded', 'true')
  }
  const load = async () => {
    asking?.abort()
    asking = new AbortController()
    const query = new URLSearchParams({ q: input.value, types: filter?.value || (root.dataset.types ?? '') })
    try {
      const { body } = await send('GET', `/studio/widgets/entries?${query}`, { signal: asking.signal })
      items = body.items
      paint(items.length ? (body.next ? _('There are more: type a few letters.') : '') : _('No entry matches these words.'))
      announce(items.length ? ngettext('%(n)s entry found', '%(n)s entries found', items.length) : _('No entry matches these words.'))
    } catch (error) {
      if (/** @type {any} */ (error).name === 'AbortError') return
      items = []
      paint(/** @type {Error} */ (error).message)
    }
  }
  const take = (/** @type {number} */ index) => {
    const choice = items[index]
    if (!choice) return
    chosen.add([choice])
    input.value = ''
    close()
    announce(_('Chosen: %(title)s.', { title: choice.title }))
  }

  const later = debounced(load, SEARCH_AFTER)
  input.addEventListener('input', (event) => {
    // The words to search are nobody's value: the page must not take them for a change.
    event.stopPropagation()
    later()
  })
  input.addEventListener('change', (event) => event.stopPropagation())
  filter?.addEventListener('input', (event) => event.stopPropagation())
  filter?.addEventListener('change', (event) => {
    event.stopPropagation()
    if (!list.hidden) load()
  })
  input.addEventListener('click', () => { if (list.hidden) load() })
  input.addEventListener('keydown', (event) => {
    const open = !list.hidden
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      if (!open) {
        load()
      } else if (items.length && !event.altKey) {
        const step = event.key === 'ArrowDown' ? 1 : -1
        stand(active < 0 && step < 0 ? items.length - 1 : (active + step + items.length) % items.length)
      }
    } else if (event.key === 'Enter') {
      event.preventDefault()
      if (open && active >= 0) take(active)
    } else if (event.key === 'Escape' && (open || input.value)) {
      event.preventDefault()
      event.stopPropagation()
      if (!open) input.value = ''
      close()
    }
  })
  input.addEventListener('blur', () => close())
  // Pressing must not take the focus from the input, which would close the list before the click.
  list.addEventListener('mousedown', (event) => event.preventDefault())
  list.addEventListener('click', (event) => {
    const option = /** @type {Element} */ (event.target).closest('[role="option"]')
    if (option) take([...list.querySelectorAll('[role="option"]')].indexOf(option))
  })
}
