/**
 * Builds elements. Content only ever enters the page through `textContent` or an
 * attribute of a known meaning, so no text of a release can become markup.
 */

/** @typedef {Node | string | number | null | undefined | false | Child[]} Child */

/**
 * Make an element.
 * @param {string} name tag, with classes after dots: `p.lead.lead--short`
 * @param {Record<string, unknown> | null} [attributes] `on*` are listeners, `style` an
 *   object of custom properties; null, undefined and false leave an attribute out
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function h(name, attributes, ...children) {
  const [tag, ...classes] = name.split('.')
  const element = document.createElement(tag)
  if (classes.length) element.className = classes.join(' ')
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue
    if (key.startsWith('on')) element.addEventListener(key.slice(2), /** @type {EventListener} */ (value))
    else if (key === 'style') {
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, String(text))
    } else if (key === 'class') element.classList.add(...String(value).split(' ').filter(Boolean))
    else element.setAttribute(key, value === true ? '' : String(value))
  }
  append(element, children)
  return element
}

/**
 * @param {Node} parent
 * @param {Child} children
 */
export function append(parent, children) {
  if (Array.isArray(children)) for (const child of children) append(parent, child)
  else if (children instanceof Node) parent.appendChild(children)
  else if (children !== null && children !== undefined && children !== false && children !== '') {
    parent.appendChild(document.createTextNode(String(children)))
  }
}

/**
 * Make an SVG element.
 * @param {string} name
 * @param {Record<string, string | number | null | undefined>} [attributes]
 * @param {...(Node | null)} children
 * @returns {SVGElement}
 */
export function svg(name, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined) element.setAttribute(key, String(value))
  }
  for (const child of children) if (child) element.appendChild(child)
  return element
}

/** Paths on a 24-unit grid, drawn with a 1.8-unit line. */
const ICONS = {
  back: 'M15 5l-7 7 7 7',
  forward: 'M9 5l7 7-7 7',
  home: 'M4 11l8-7 8 7M6 10v9h4v-5h4v5h4v-9',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M16.2 16.2L21 21',
  language: 'M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0M3 12h18M12 3c3.2 2.6 3.2 15.4 0 18M12 3c-3.2 2.6-3.2 15.4 0 18',
  access: 'M12 3.2a1.7 1.7 0 1 0 0 3.4 1.7 1.7 0 0 0 0-3.4M4 9.2l8 1 8-1M12 10.2v4.2M12 14.4L8.4 21M12 14.4l3.6 6.6',
  close: 'M5 5l14 14M19 5L5 19',
  plus: 'M12 4v16M4 12h16',
  minus: 'M4 12h16',
  up: 'M5 15l7-7 7 7',
  down: 'M5 9l7 7 7-7',
  whole: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  play: 'M8 5v14l11-7z',
  pause: 'M8 5v14M16 5v14',
  expand: 'M14 4h6v6M10 20H4v-6M20 4l-7 7M4 20l7-7',
  captions: 'M3 6h18v12H3zM7 11h4M13 11h4M7 14.5h7',
  pin: 'M12 21s7-6.2 7-11.5a7 7 0 0 0-14 0C5 14.8 12 21 12 21zM12 7.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4',
  note: 'M12 3L2.5 20h19zM12 10v4.5M12 17v.4',
}

/** Icons that point along the line of reading, mirrored in right-to-left scripts. */
const MIRRORED = new Set(['back', 'forward'])

/**
 * A drawn icon, hidden from assistive technology: the control beside it has the words.
 * @param {keyof typeof ICONS} name
 */
export function icon(name) {
  const drawing = svg('svg', { viewBox: '0 0 24 24', class: MIRRORED.has(name) ? 'icon icon--mirrored' : 'icon', 'aria-hidden': 'true', focusable: 'false' })
  drawing.append(svg('path', { d: ICONS[name], class: name === 'play' ? 'icon__solid' : null }))
  return drawing
}
