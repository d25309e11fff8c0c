/** Takes the reader to what was refused, which may be above what they pressed. */

/** @param {HTMLElement} element */
export default function start(element) {
  element.focus()
}
