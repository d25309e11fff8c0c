/** Keeps the form that makes a link at what the switches of the page say. */

const COPIED = ['perspective', 'size', 'day']

/** @param {HTMLFormElement} bar */
export default function start(bar) {
  bar.addEventListener('change', () => {
    const chosen = new FormData(bar)
    for (const name of COPIED) {
      for (const field of document.querySelectorAll(`#preview-links input[name="${name}"]`)) {
        /** @type {HTMLInputElement} */ (field).value = String(chosen.get(name) ?? '')
      }
    }
    const language = String(chosen.get('language') ?? '')
    for (const field of document.querySelectorAll('#preview-links input[name="language"]')) {
      /** @type {HTMLInputElement} */ (field).value = language
    }
  })
}
