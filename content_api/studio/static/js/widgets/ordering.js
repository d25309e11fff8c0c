/** What is chosen, as a list of ids: read, moved, taken away. Pure. */

/** The ids in a control's value, each once. @param {string} value */
export const idsOf = (value) => [...new Set(value.split(',').map((id) => id.trim()).filter(Boolean))]

/** The list with one moved by `step`; the same list when there is no room. @template T @param {T[]} list @param {number} index @param {number} step */
export function moved(list, index, step) {
  const place = index + step
  if (place < 0 || place >= list.length || !list.length) return list
  const found = [...list]
  found.splice(place, 0, ...found.splice(index, 1))
  return found
}

/** The list without one. @template T @param {T[]} list @param {number} index */
export const without = (list, index) => list.filter((_item, place) => place !== index)

/** With more at the end; a list of one keeps the newest alone. @param {string[]} list @param {string[]} more @param {boolean} many */
export const withMore = (list, more, many) => (many ? [...new Set([...list, ...more])] : more.slice(-1))

/**
 * Which of `count` options in rows of `columns` is next after a key; null: none of ours.
 * @param {number} index @param {number} count @param {number} columns @param {string} key @param {boolean} rtl
 */
export function optionAfter(index, count, columns, key, rtl) {
  if (!count) return null
  const last = count - 1
  const steps = /** @type {Record<string, number>} */ ({
    ArrowRight: rtl ? -1 : 1, ArrowLeft: rtl ? 1 : -1, ArrowDown: columns, ArrowUp: -columns,
    PageDown: columns * 3, PageUp: -columns * 3,
  })
  if (key === 'Home') return 0
  if (key === 'End') return last
  if (!(key in steps)) return null
  const next = index + steps[key]
  return next < 0 || next > last ? (key.startsWith('Page') ? Math.min(Math.max(next, 0), last) : index) : next
}
