/**
 * Addresses inside the player: `#/` is the attract screen, `#/fr` the home page,
 * `#/fr/section/places`, `#/fr/entry/crane`, `#/fr/search?q=coal`, `#/fr/credits`.
 */

/**
 * @typedef {object} Route
 * @property {'attract' | 'home' | 'section' | 'entry' | 'search' | 'credits'} page
 * @property {string} language tag as written in the address, '' on the attract screen
 * @property {string} id of the section or entry, else ''
 * @property {Record<string, string>} query
 */

const PAGES = new Set(['section', 'entry', 'search', 'credits'])

/**
 * Read an address. Anything not understood is the nearest page above it.
 * @param {string} hash
 * @returns {Route}
 */
export function parseRoute(hash) {
  const [path, search = ''] = hash.replace(/^#?\/?/, '').split('?')
  const parts = path.split('/').filter(Boolean).map(decode)
  const query = Object.fromEntries(new URLSearchParams(search))
  const [language = '', page = '', id = ''] = parts
  if (!language) return { page: 'attract', language: '', id: '', query: {} }
  if (!PAGES.has(page) || ((page === 'section' || page === 'entry') && !id)) return { page: 'home', language, id: '', query }
  return { page: /** @type {Route['page']} */ (page), language, id, query }
}

/**
 * Write an address, the inverse of `parseRoute`.
 * @param {Partial<Route>} route
 * @returns {string}
 */
export function formatRoute({ page = 'home', language = '', id = '', query = {} }) {
  if (page === 'attract' || !language) return '#/'
  const search = new URLSearchParams(query).toString()
  const path = [language, page === 'home' ? '' : page, id].filter(Boolean).map(encodeURIComponent).join('/')
  return `#/${path}${search ? `?${search}` : ''}`
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // a stray % is part of the name, not a reason to lose the page
  }
}
