/**
 * A point, or a camera, as numbers: each has its input, a map helps where there is one. The
 * control holds JSON, and nothing as long as the numbers are not whole.
 */

import { _ } from '../messages.js'
import { LIMITS, parsePoint, partValue, valueOf } from './coordinates.js'
import { changed } from './dom.js'
import { hasMap, pickPoint } from './map-dialog.js'

/** @param {HTMLElement} root */
export default function start(root) {
  const control = /** @type {HTMLInputElement} */ (root.querySelector('[data-value]'))
  const inputs = /** @type {HTMLInputElement[]} */ ([...root.querySelectorAll('[data-part]')])
  const error = /** @type {HTMLElement} */ (root.querySelector('[data-error]'))
  const button = /** @type {HTMLButtonElement | null} */ (root.querySelector('[data-open]'))
  const partOf = (/** @type {HTMLInputElement} */ input) => input.dataset.part ?? ''
  const byPart = (/** @type {string} */ part) => inputs.find((input) => partOf(input) === part)
  let silent = false

  const fill = () => {
    const given = read(control.value)
    for (const input of inputs) input.value = given[partOf(input)] === undefined ? '' : String(given[partOf(input)])
    check()
  }
  const check = () => {
    const parts = Object.fromEntries(inputs.map((input) => [partOf(input), partValue(partOf(input), input.value)]))
    /** @type {string[]} */
    const faults = []
    for (const input of inputs) {
      const fault = faultOf(partOf(input), parts, input)
      input.setCustomValidity(fault)
      if (fault) {
        input.setAttribute('aria-invalid', 'true')
        faults.push(fault)
      } else {
        input.removeAttribute('aria-invalid')
      }
    }
    error.hidden = !faults.length
    error.textContent = faults[0] ?? ''
    return parts
  }
  const take = () => {
    const value = valueOf(check())
    if (value === null || value === control.value) return
    control.value = value
    silent = true
    changed(control)
    silent = false
  }
  for (const input of inputs) {
    input.addEventListener('input', (event) => {
      event.stopPropagation()
      const point = /[\s,;@]/.test(input.value) ? parsePoint(input.value) : null
      if (point && partValue(partOf(input), input.value) === undefined) use(point)
      take()
    })
    input.addEventListener('change', (event) => event.stopPropagation())
  }
  const use = (/** @type {import('./coordinates.js').Point} */ { lat, lon }) => {
    for (const [part, value] of Object.entries({ lat, lon })) {
      const input = byPart(part)
      if (input) input.value = String(value)
    }
  }
  button?.addEventListener('click', async () => {
    const lat = partValue('lat', byPart('lat')?.value ?? '')
    const lon = partValue('lon', byPart('lon')?.value ?? '')
    const from = typeof lat === 'number' && typeof lon === 'number' ? { lat, lon } : null
    const point = await pickPoint(from, root.dataset.label ?? '')
    if (point) {
      use(point)
      take()
    }
    button.focus()
  })
  control.addEventListener('change', () => { if (!silent) fill() })
  fill()
  hasMap().then((there) => { if (button) button.hidden = !there })
}

/** @param {string} json @returns {Record<string, number>} */
function read(json) {
  try {
    return json ? JSON.parse(json) ?? {} : {}
  } catch {
    return {}
  }
}

/** @param {string} part @param {Record<string, number | null | undefined>} parts @param {HTMLInputElement} input */
function faultOf(part, parts, input) {
  const value = parts[part]
  const label = input.dataset.name ?? part
  if (value === undefined) {
    const [low, high] = LIMITS[part]
    return _('%(name)s: expected a number from %(low)s to %(high)s.', { name: label, low, high })
  }
  const said = Object.values(parts).some((other) => other !== null)
  if (value === null && said && (part === 'lat' || part === 'lon')) {
    return _('%(name)s is missing.', { name: label })
  }
  return ''
}
