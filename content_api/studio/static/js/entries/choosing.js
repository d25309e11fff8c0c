/** Says how many entries of a list are chosen; Shift chooses all up to the last one clicked. */

import { ngettext } from '../messages.js'

/**
 * Boxes between two places, both included, in whichever order they were clicked.
 * @template T @param {T[]} boxes @param {number} from @param {number} to @returns {T[]}
 */
export const between = (boxes, from, to) => boxes.slice(Math.min(from, to), Math.max(from, to) + 1)

/** @param {HTMLElement} form */
export default (form) => {
  /** @type {HTMLInputElement[]} */
  const boxes = [...form.querySelectorAll('input[name="ids"]')]
  const said = /** @type {HTMLElement | null} */ (form.querySelector('[data-chosen]'))
  let last = -1

  const tell = () => {
    if (!said) return
    const count = boxes.filter((box) => box.checked).length
    said.hidden = count === 0
    said.textContent = ngettext('%(n)s chosen', '%(n)s chosen', count)
  }

  form.addEventListener('click', (event) => {
    const at = boxes.indexOf(/** @type {HTMLInputElement} */ (event.target))
    if (at < 0) return
    if (event.shiftKey && last >= 0) {
      for (const box of between(boxes, last, at)) box.checked = boxes[at].checked
    }
    last = at
    tell()
  })
  tell()
}
