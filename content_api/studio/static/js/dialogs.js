/** Toasts, questions that need an answer, and what screen readers are told. */

import { _ } from './messages.js'

const ICONS = { good: 'check', info: 'info', warn: 'warning', bad: 'warning' }

/** Milliseconds a toast without an action stays; those that tell of trouble stay until closed. */
const STAYS = 6000

/** An icon of the sprite. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', `/studio/static/icons.svg#${name}`)
  svg.append(use)
  return svg
}

/**
 * A short message in the corner, told to screen readers too.
 * @param {string} text
 * @param {'good' | 'info' | 'warn' | 'bad'} [tone]
 * @param {{label: string, run: () => void}} [action] for example undo
 * @returns {() => void} closes it
 */
export function toast(text, tone = 'good', action) {
  const place = document.getElementById('toasts')
  if (!place) return () => {}
  const box = document.createElement('div')
  box.className = `notice notice--${tone} toast`
  const words = document.createElement('span')
  words.className = 'toast__text'
  words.textContent = text
  box.append(icon(ICONS[tone]), words)
  let timer = 0
  const close = () => {
    clearTimeout(timer)
    box.remove()
  }
  if (action) {
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'button button--small'
    button.textContent = action.label
    button.addEventListener('click', () => {
      close()
      action.run()
    })
    box.append(button)
  }
  const shut = document.createElement('button')
  shut.type = 'button'
  shut.className = 'button button--quiet button--icon button--small'
  shut.setAttribute('aria-label', _('Close'))
  shut.append(icon('close'))
  shut.addEventListener('click', close)
  box.append(shut)
  place.append(box)
  announce(text, tone === 'bad')
  if (tone !== 'bad') timer = window.setTimeout(close, action ? STAYS * 2 : STAYS)
  return close
}

/** Tell screen readers. @param {string} text @param {boolean} [now] interrupt what they say */
export function announce(text, now = false) {
  const live = document.getElementById(now ? 'live-now' : 'live')
  if (!live) return
  live.textContent = ''
  // Emptied first: the same words twice are told twice.
  window.setTimeout(() => { live.textContent = text }, 50)
}

/**
 * Ask before something that is hard to take back.
 * @param {{title: string, text?: string, action: string, tone?: 'primary' | 'danger'}} question
 * @returns {Promise<boolean>}
 */
export function confirmDialog({ title, text = '', action, tone = 'primary' }) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById('confirm-dialog'))
  const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id))
  byId('confirm-title').textContent = title
  byId('confirm-text').textContent = text
  const button = /** @type {HTMLButtonElement} */ (dialog.querySelector('[data-action]'))
  button.textContent = action
  button.className = `button button--${tone}`
  dialog.returnValue = 'no'
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true })
  })
}
