/**
 * The hidden door to the technician's page: hold a finger in any corner for three seconds,
 * let go, then tap there four times. With a keyboard: Control, Alt and T. No visitor does
 * that by accident, and nothing on the screen hints at it.
 */

/** Milliseconds to hold, and to begin each tap. */
const HOLD = 3000
const TAP = 2000
const TAPS = 4
/** Side of a corner's square: pixels, and share of the shorter side of the screen. */
const SIDE = { least: 90, share: 0.11 }

/** @typedef {'' | 'top-left' | 'top-right' | 'bottom-left' | 'bottom-right'} Corner */

/**
 * @typedef {object} Gesture
 * @property {Corner} corner where it goes on, '' when there is none
 * @property {boolean} held whether the holding is done and the taps are counted
 * @property {number} taps
 * @property {number} since milliseconds: when the finger came, or left
 */

/** @type {Gesture} */
export const NO_GESTURE = { corner: '', held: false, taps: 0, since: 0 }

/**
 * The corner that a point lies in.
 * @param {number} x @param {number} y @param {number} width @param {number} height all in pixels
 * @returns {Corner}
 */
export function cornerAt(x, y, width, height) {
  const side = Math.max(SIDE.least, Math.min(width, height) * SIDE.share)
  const across = x <= side ? 'left' : x >= width - side ? 'right' : ''
  const along = y <= side ? 'top' : y >= height - side ? 'bottom' : ''
  return across && along ? `${along}-${across}` : ''
}

/**
 * The gesture after a finger came down or went up.
 * @param {Gesture} gesture
 * @param {{down: boolean, corner: Corner, at: number}} event `at` in milliseconds
 * @returns {Gesture} with `taps` at four: the door opens
 */
export function nextGesture(gesture, { down, corner, at }) {
  const there = corner !== '' && corner === gesture.corner
  if (down) {
    if (gesture.held && there && at - gesture.since <= TAP) return { ...gesture, taps: gesture.taps + 1, since: at }
    return { ...NO_GESTURE, corner, since: at }
  }
  if (!there) return NO_GESTURE
  if (gesture.held) return { ...gesture, since: at }
  return at - gesture.since >= HOLD ? { corner, held: true, taps: 0, since: at } : NO_GESTURE
}

/** Whether four taps were made. @param {Gesture} gesture */
export const isOpen = (gesture) => gesture.held && gesture.taps >= TAPS

/** Go there, unless whoever serves this page has no such door. */
async function openTechnician() {
  const door = new URL(`../technician/?lang=${document.documentElement.lang}`, import.meta.url)
  const answer = await fetch(door, { method: 'HEAD' }).catch(() => null)
  if (answer?.ok) location.assign(door)
}

/** Watch for the gesture and the keys. */
export function watchCorners(open = openTechnician) {
  let gesture = NO_GESTURE
  let quietUntil = 0
  /** @type {Set<number>} */
  const fingers = new Set()
  const take = (/** @type {PointerEvent} */ event, /** @type {boolean} */ down) => {
    if (down) fingers.add(event.pointerId)
    else fingers.delete(event.pointerId)
    // a palm or two people
    if (fingers.size > 1) {
      gesture = NO_GESTURE
      return
    }
    const at = performance.now()
    gesture = nextGesture(gesture, { down, corner: cornerAt(event.clientX, event.clientY, innerWidth, innerHeight), at })
    // what lies below the finger must not take these touches for its own
    if (gesture.held) quietUntil = at + TAP
    if (isOpen(gesture) && !down) {
      gesture = NO_GESTURE
      open()
    }
  }
  addEventListener('pointerdown', (event) => take(event, true), { capture: true, passive: true })
  addEventListener('pointerup', (event) => take(event, false), { capture: true, passive: true })
  addEventListener('pointercancel', (event) => {
    fingers.delete(event.pointerId)
    gesture = NO_GESTURE
  }, { capture: true, passive: true })
  addEventListener('click', (event) => {
    if (performance.now() > quietUntil || !cornerAt(event.clientX, event.clientY, innerWidth, innerHeight)) return
    event.preventDefault()
    event.stopImmediatePropagation()
  }, { capture: true })
  addEventListener('keydown', (event) => {
    if (!event.ctrlKey || !event.altKey || event.code !== 'KeyT') return
    event.preventDefault()
    open()
  })
}

/** Keys of a browser that lead out of the player, or into its insides. @param {KeyboardEvent} event */
export function leadsOut({ code, ctrlKey, metaKey, shiftKey, altKey }) {
  if (code === 'F12' || code === 'F1' || code === 'F11') return true
  if (altKey && !ctrlKey) return code === 'F4' || code === 'Home'
  if (!ctrlKey && !metaKey) return false
  return shiftKey ? /^Key[CIJMNQTW]$/.test(code) : /^Key[DHJNOPSTUW]$/.test(code)
}

/** Keep those keys from the browser, where it lets a page do so. */
export function guardKeys() {
  addEventListener('keydown', (event) => {
    if (!event.altKey || !event.ctrlKey) {
      if (leadsOut(event)) event.preventDefault()
    }
  }, { capture: true })
}
