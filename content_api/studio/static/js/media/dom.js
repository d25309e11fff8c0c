/** Small helpers of the media pages. */

import { icon } from '../dialogs.js'

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name @param {string} [className] @param {string} [text]
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function make(name, className = '', text = '') {
  const found = document.createElement(name)
  if (className) found.className = className
  if (text) found.textContent = text
  return found
}

/** @param {string} text @param {() => void} run @param {string} [kind] */
export function smallButton(text, run, kind = 'secondary') {
  const found = make('button', `button button--${kind} button--small`, text)
  found.type = 'button'
  found.addEventListener('click', run)
  return found
}

/** @param {string} label @param {string} glyph @param {() => void} run */
export function iconButton(label, glyph, run) {
  const found = make('button', 'button button--quiet button--icon button--small')
  found.type = 'button'
  found.setAttribute('aria-label', label)
  found.title = label
  found.append(icon(glyph))
  found.addEventListener('click', run)
  return found
}
