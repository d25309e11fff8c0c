/** Where a focal point goes. Pure. Percent from the left and the top. */

const STEP = 1
const LARGE_STEP = 10

/** @type {Record<string, [number, number]>} */
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

/** A percent a person wrote, within 0 and 100; null if it is none. @param {string} text */
export function parsePercent(text) {
  const number = Number(text.trim().replace(',', '.'))
  return text.trim() === '' || !Number.isFinite(number) ? null : Math.min(100, Math.max(0, number))
}

/**
 * The point after a key, or null for a key that moves nothing.
 * @param {string} key @param {boolean} large @param {[number, number]} point
 * @returns {[number, number] | null}
 */
export function stepped(key, large, [x, y]) {
  const way = WAYS[key]
  if (!way) return null
  const size = large ? LARGE_STEP : STEP
  const within = (/** @type {number} */ n) => Math.round(Math.min(100, Math.max(0, n)) * 10) / 10
  return [within(x + way[0] * size), within(y + way[1] * size)]
}
