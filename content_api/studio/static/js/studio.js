/**
 * Starts what a page asks for: `data-module="edit/block-editor"` loads `js/edit/block-editor.js`
 * and calls its default export with the element. Also the few behaviours every page has.
 */

import { toast } from './dialogs.js'
import { _ } from './messages.js'
import { csrfToken, signInAgain } from './send.js'

/** @type {WeakSet<Element>} */
const started = new WeakSet()

/** Start the modules inside `root`, each element once. @param {ParentNode} root */
async function start(root) {
  const found = [...root.querySelectorAll('[data-module]')]
  if (root instanceof Element && root.matches('[data-module]')) found.unshift(root)
  for (const element of found) {
    if (started.has(element)) continue
    started.add(element)
    for (const name of (/** @type {HTMLElement} */ (element).dataset.module ?? '').split(' ')) {
      try {
        const module = await import(`./${name}.js`)
        await module.default(element)
      } catch (error) {
        console.error(`module ${name} did not start`, error)
      }
    }
  }
}

document.addEventListener('click', (event) => {
  const target = /** @type {Element} */ (event.target)
  const opener = target.closest('[data-opens]')
  if (opener) {
    const dialog = document.getElementById(/** @type {HTMLElement} */ (opener).dataset.opens ?? '')
    if (dialog instanceof HTMLDialogElement) dialog.showModal()
  }
  const closer = target.closest('[data-closes]')
  closer?.closest('dialog')?.close()
  const toggle = target.closest('.side__toggle')
  if (toggle) {
    const open = toggle.getAttribute('aria-expanded') !== 'true'
    toggle.setAttribute('aria-expanded', String(open))
    toggle.closest('.side')?.classList.toggle('side--open', open)
  }
  for (const menu of document.querySelectorAll('details[data-menu][open]')) {
    if (!menu.contains(target)) menu.removeAttribute('open')
  }
})

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return
  for (const menu of document.querySelectorAll('details[data-menu][open]')) {
    menu.removeAttribute('open')
    menu.querySelector('summary')?.focus()
  }
})

document.addEventListener('focusout', (event) => {
  const menu = /** @type {Element} */ (event.target).closest('details[data-menu][open]')
  const next = /** @type {Node | null} */ (event.relatedTarget)
  if (menu && next && !menu.contains(next)) menu.removeAttribute('open')
})

// A copy button: data-copies="id" copies the text or value of that element.
document.addEventListener('click', async (event) => {
  const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('[data-copies]'))
  if (!button) return
  const source = document.getElementById(button.dataset.copies ?? '')
  const text = source instanceof HTMLInputElement ? source.value : source?.textContent ?? ''
  try {
    await navigator.clipboard.writeText(text.trim())
    toast(_('Copied.'))
  } catch {
    if (source instanceof HTMLInputElement) source.select()
    toast(_('Press Ctrl+C to copy.'), 'info')
  }
})

document.addEventListener('htmx:configRequest', (event) => {
  /** @type {any} */ (event).detail.headers['X-CSRF-Token'] = csrfToken()
})
document.addEventListener('htmx:load', (event) => start(/** @type {any} */ (event).detail.elt))
document.addEventListener('htmx:sendError', () => {
  toast(_('The server cannot be reached. Nothing was changed; try again when the link is back.'), 'bad')
})
document.addEventListener('htmx:responseError', async (event) => {
  const { xhr, elt } = /** @type {any} */ (event).detail
  if (xhr.status === 401) {
    if (await signInAgain()) /** @type {any} */ (window).htmx?.trigger(elt, elt.matches('form') ? 'submit' : 'click')
    return
  }
  const answer = new DOMParser().parseFromString(xhr.responseText, 'text/html')
  toast(answer.body.textContent?.trim() || _('The server refused this.'), 'bad')
})

await start(document)
document.documentElement.dataset.ready = 'true'
