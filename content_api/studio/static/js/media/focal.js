/** The focal point of a picture: by pointer or arrow keys; two numbers hold it. */

import { _, formatNumber } from '../messages.js'
import { parsePercent, stepped } from './focal-point.js'

/** @param {HTMLElement} element */
export default function start(element) {
  const stage = element.querySelector('.media-focal__stage')
  const point = /** @type {HTMLButtonElement | null} */ (element.querySelector('[data-point]'))
  const x = /** @type {HTMLInputElement | null} */ (element.querySelector('[data-x]'))
  const y = /** @type {HTMLInputElement | null} */ (element.querySelector('[data-y]'))
  const crops = /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll('[data-crop]'))
  if (!stage || !point || !x || !y) return
  const words = /** @type {HTMLElement} */ (point.querySelector('[data-point-words]'))

  const paint = () => {
    const [left, top] = [parsePercent(x.value) ?? 50, parsePercent(y.value) ?? 50]
    point.style.setProperty('left', `${left}%`)
    point.style.setProperty('top', `${top}%`)
    point.classList.toggle('media-focal__point--unset', !x.value || !y.value)
    for (const crop of crops) crop.style.setProperty('object-position', `${left}% ${top}%`)
    words.textContent = x.value && y.value
      ? _('Focal point: %(x)s %% from the left, %(y)s %% from the top', { x: formatNumber(left), y: formatNumber(top) })
      : _('Focal point: not chosen, the middle is kept')
  }
  /** @param {number} left @param {number} top */
  const move = (left, top) => {
    x.value = String(left)
    y.value = String(top)
    x.dispatchEvent(new Event('input', { bubbles: true }))
    paint()
  }
  const follow = (/** @type {PointerEvent} */ event) => {
    const box = stage.getBoundingClientRect()
    const share = (/** @type {number} */ at, /** @type {number} */ size) =>
      Math.round(Math.min(1, Math.max(0, at / size)) * 1000) / 10
    move(share(event.clientX - box.left, box.width), share(event.clientY - box.top, box.height))
  }
  let dragging = false
  stage.addEventListener('pointerdown', (event) => {
    const pressed = /** @type {PointerEvent} */ (event)
    if (pressed.button !== 0) return
    event.preventDefault()
    dragging = true
    stage.setPointerCapture(pressed.pointerId)
    point.focus()
    follow(pressed)
  })
  stage.addEventListener('pointermove', (event) => { if (dragging) follow(/** @type {PointerEvent} */ (event)) })
  for (const name of ['pointerup', 'pointercancel']) stage.addEventListener(name, () => { dragging = false })
  point.addEventListener('keydown', (event) => {
    const next = stepped(event.key, event.shiftKey, [parsePercent(x.value) ?? 50, parsePercent(y.value) ?? 50])
    if (!next) return
    event.preventDefault()
    move(...next)
  })
  for (const input of [x, y]) input.addEventListener('input', paint)
  element.querySelector('[data-clear]')?.addEventListener('click', () => {
    x.value = ''
    y.value = ''
    x.dispatchEvent(new Event('input', { bubbles: true }))
    paint()
  })
  point.hidden = false
  paint()
}
