/**
 * How one visitor wants the screen. Kept for the visit: a reset forgets it, a reload on
 * the web does not.
 */

/**
 * @typedef {object} Preferences
 * @property {1 | 1.5 | 2} size of text
 * @property {'normal' | 'high'} contrast
 * @property {'all' | 'none'} furigana
 * @property {'full' | 'reduced'} motion
 * @property {'on' | 'off'} captions
 */

/** @type {Preferences} */
const DEFAULTS = { size: 1, contrast: 'normal', furigana: 'all', motion: 'full', captions: 'on' }
const KEY = 'lampisterie.visit'

/** @type {Preferences} */
export const preferences = { ...DEFAULTS, ...stored() }

/** @returns {Partial<Preferences>} */
function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? '{}')
  } catch {
    return {} // a sandboxed frame has no storage: the visit lives in memory alone
  }
}

/** @param {Partial<Preferences>} [change] */
export function applyPreferences(change = {}) {
  Object.assign(preferences, change)
  const root = document.documentElement
  root.style.setProperty('--text-scale', String(preferences.size))
  root.dataset.contrast = preferences.contrast
  root.dataset.furigana = preferences.furigana
  root.dataset.motion = preferences.motion
  try {
    sessionStorage.setItem(KEY, JSON.stringify(preferences))
  } catch {
    // see stored()
  }
}

/** Whether somebody made the screen other than it is for everybody. */
export const isChanged = () => Object.entries(DEFAULTS).some(([key, value]) => preferences[/** @type {keyof Preferences} */ (key)] !== value)

/** Forget the visit. */
export function forgetPreferences() {
  try {
    sessionStorage.removeItem(KEY)
  } catch {
    // see stored()
  }
}

/** Whether nothing should move by itself. */
export const isStill = () => preferences.motion === 'reduced' || matchMedia('(prefers-reduced-motion: reduce)').matches
