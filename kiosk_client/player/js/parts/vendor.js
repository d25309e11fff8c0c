/**
 * Third-party scripts, fetched when first needed. They are made at build time and may be
 * missing: every caller has another way.
 */

/** @type {Map<string, Promise<any>>} */
const loading = new Map()

/**
 * @param {string} name folder below `vendor/`
 * @param {string} script @param {string} global name it leaves on the window
 * @param {string | null} [stylesheet]
 * @returns {Promise<any>} null when it is not there
 */
function load(name, script, global, stylesheet = null) {
  const known = loading.get(name)
  if (known) return known
  const base = new URL(`../../vendor/${name}/`, import.meta.url)
  const add = (/** @type {HTMLElement} */ element) => new Promise((resolve, reject) => {
    element.addEventListener('load', resolve)
    element.addEventListener('error', () => {
      element.remove()
      reject(new Error(`${name} is not installed`))
    })
    document.head.append(element)
  })
  const element = document.createElement('script')
  element.src = new URL(script, base).href
  // the style sheet is asked for only once the script is known to be there
  const promise = add(element).then(() => {
    if (!stylesheet) return undefined
    const link = document.createElement('link')
    link.rel = 'stylesheet'
    link.href = new URL(stylesheet, base).href
    return add(link)
  }).then(() => /** @type {any} */ (window)[global] ?? null, () => null)
  loading.set(name, promise)
  return promise
}

export const loadLeaflet = () => load('leaflet', 'leaflet.js', 'L', 'leaflet.css')

export function loadOpenSeadragon() {
  // it writes an inline style sheet, for a focus ring we replace, unless it finds its own:
  // the page's policy would refuse that and say so in the log. Any element named `style`
  // contents it; one outside HTML's namespace is no style sheet
  if (!document.querySelector('style[data-openseadragon-mobile-css]')) {
    const own = document.createElementNS('urn:lampisterie', 'style')
    own.setAttribute('data-openseadragon-mobile-css', 'true')
    document.head.append(own)
  }
  return load('openseadragon', 'openseadragon.min.js', 'OpenSeadragon')
}
