/**
 * Arrow keys in the grid of entries and languages. Every square stays a link that Tab reaches;
 * the arrows are only quicker.
 */

/** @type {Record<string, [number, number]>} */
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }

/**
 * The nearest place in a direction that has a link, or null.
 * @param {boolean[][]} links whether each cell holds one, by row and column
 * @param {[number, number]} from @param {[number, number]} step @returns {[number, number] | null}
 */
export const nextCell = (links, [row, column], [down, across]) => {
  for (let r = row + down, c = column + across; links[r]?.[c] !== undefined; r += down, c += across) {
    if (links[r][c]) return [r, c]
  }
  return null
}

/** @param {HTMLElement} grid */
export default (grid) => {
  const rows = [...grid.querySelectorAll('tbody tr, tfoot tr')].map((row) => [...row.children])
  const links = rows.map((row) => row.map((cell) => cell.querySelector('a') !== null))

  grid.addEventListener('keydown', (event) => {
    const step = STEPS[event.key]
    const link = /** @type {Element} */ (event.target).closest('a')
    if (!step || !link || event.altKey || event.ctrlKey || event.metaKey) return
    const at = rows.findIndex((row) => row.some((cell) => cell.contains(link)))
    if (at < 0) return
    const column = rows[at].findIndex((cell) => cell.contains(link))
    // Rows run the other way on a page that is read from right to left.
    const turned = getComputedStyle(grid).direction === 'rtl' ? -1 : 1
    const found = nextCell(links, [at, column], [step[0], step[1] * turned])
    if (!found) return
    event.preventDefault()
    rows[found[0]][found[1]].querySelector('a')?.focus()
  })
}
