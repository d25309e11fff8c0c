/** Building elements without markup in strings. */

import { icon } from '../dialogs.js'

/**
 * An element: `h('button', {type: 'button', class: 'button', onclick: run}, icon('add'), 'Add')`.
 * A property that is a function listens; true sets an empty attribute; false and null set none.
 * @param {string} name @param {Record<string, any>} [properties]
 * @param {...(Node | string | null | false | undefined)} children
 * @returns {any}
 */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === 'function') element.addEventListener(key.slice(2), value)
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? '' : String(value))
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(child)
  return element
}

/** A button with an icon alone; its name is told and shown. @param {string} name @param {string} label @param {(event: Event) => void} run @param {Record<string, any>} [more] */
export const iconButton = (name, label, run, more = {}) =>
  h('button', { type: 'button', class: 'button button--quiet button--icon button--small', 'aria-label': label, title: label, onclick: run, ...more }, icon(name))

/** Say that a control's value was changed by the person. @param {HTMLElement} control */
export function changed(control) {
  control.dispatchEvent(new Event('input', { bubbles: true }))
  control.dispatchEvent(new Event('change', { bubbles: true }))
}

let last = 0
/** An id that no other element has. @param {string} stem */
export const freshId = (stem) => `${stem}-${(last += 1)}`

/**
 * Run `act` once `wait` milliseconds have passed without another call.
 * @template {any[]} A @param {(...values: A) => void} act @param {number} wait
 */
export function debounced(act, wait) {
  let timer = 0
  return (/** @type {A} */ ...values) => {
    clearTimeout(timer)
    timer = window.setTimeout(() => act(...values), wait)
  }
}
