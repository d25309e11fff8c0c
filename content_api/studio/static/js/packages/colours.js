/** Whether a colour can be read on another, by WCAG 2.2. Pure. */

/** @param {string} colour `#rrggbb` */
export function luminance(colour) {
  const [r, g, b] = [1, 3, 5].map((start) => {
    const share = parseInt(colour.slice(start, start + 2), 16) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

/** How much two colours differ: 1 (not at all) to 21. @param {string} a @param {string} b */
export function contrast(a, b) {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x)
  return (light + 0.05) / (dark + 0.05)
}

/** Text needs 4.5, large text and lines 3. @param {number} ratio @returns {'good' | 'large' | 'bad'} */
export const verdict = (ratio) => (ratio >= 4.5 ? 'good' : ratio >= 3 ? 'large' : 'bad')
