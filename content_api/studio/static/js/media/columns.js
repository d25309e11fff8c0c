/** Languages of a form shown beside each other; the choice stays in the address. */

/** @param {HTMLElement} element */
export default function start(element) {
  const boxes = /** @type {HTMLInputElement[]} */ ([...element.querySelectorAll('[data-shows]')])
  element.addEventListener('change', () => {
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value)
    for (const column of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('.media-column'))) {
      column.hidden = !chosen.includes(column.dataset.language ?? '')
    }
    const address = new URL(location.href)
    address.searchParams.set('languages', chosen.join(','))
    history.replaceState(history.state, '', address)
  })
  // A link to a field of a language that is folded away opens it.
  const target = location.hash ? document.getElementById(location.hash.slice(1)) : null
  const column = /** @type {HTMLElement | null} */ (target?.closest('.media-column') ?? null)
  if (column?.hidden) {
    const box = boxes.find((found) => found.value === column.dataset.language)
    if (box) {
      box.checked = true
      box.dispatchEvent(new Event('change', { bubbles: true }))
    }
    target?.scrollIntoView()
    target?.focus()
  }
}
