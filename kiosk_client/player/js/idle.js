/**
 * When nobody is there any more: first ask, then start again. Deciding is apart from
 * doing, and compares clock readings, since timers sleep with the screen.
 */

/**
 * @typedef {object} IdleState
 * @property {number} lastActivity milliseconds
 * @property {number | null} warnedAt milliseconds, null while nobody was asked
 * @property {boolean} paused a film or a sound plays
 */

/**
 * @typedef {object} IdleLimits
 * @property {number} idle milliseconds before asking
 * @property {number} warning milliseconds to answer
 */

/** WCAG 2.2.1: at least 20 seconds to answer. */
const SHORTEST_WARNING = 20_000
/** Reading speeds, per minute: words, and characters of scripts without spaces. */
const WORDS_PER_MINUTE = 200
const CHARACTERS_PER_MINUTE = 400
/** A person who has read everything still looks at the picture. */
const LINGER = 30_000
/** An unattended page with the longest text is still given up. */
const LONGEST_IDLE = 10 * 60_000

/**
 * Limits for a page: the package's, or longer when the text takes longer to read.
 * @param {{idle_seconds?: number, warning_seconds?: number}} settings
 * @param {string} text all the text of the page
 * @returns {IdleLimits}
 */
export function idleLimits(settings, text) {
  const wide = (text.match(/[\u3040-\u30ff\u3400-\u9fff]/gu) ?? []).length
  const words = (text.match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => !/[\u3040-\u30ff\u3400-\u9fff]/u.test(word)).length
  const reading = (wide / CHARACTERS_PER_MINUTE + words / WORDS_PER_MINUTE) * 60_000 + LINGER
  const base = (settings.idle_seconds ?? 75) * 1000
  return {
    idle: Math.max(base, Math.min(reading, LONGEST_IDLE)),
    warning: Math.max((settings.warning_seconds ?? 25) * 1000, SHORTEST_WARNING),
  }
}

/**
 * @param {number} now milliseconds
 * @param {IdleState} state
 * @param {IdleLimits} limits
 * @returns {'stay' | 'warn' | 'reset'}
 */
export function idleDecision(now, state, limits) {
  if (state.paused) return 'stay'
  if (state.warnedAt !== null) return now - state.warnedAt >= limits.warning ? 'reset' : 'stay'
  return now - state.lastActivity >= limits.idle ? 'warn' : 'stay'
}

/** Movement of a mouse is left out: touch drivers and dust make it. */
const ACTIVITY = ['pointerdown', 'keydown', 'wheel', 'touchmove', 'scroll', 'input']

/**
 * Watch for absence. Returns what the pages need to tell it.
 * @param {{limits: () => IdleLimits, isPaused: () => boolean, warn: (answer: (stay: boolean) => void) => () => void, reset: () => void}} act
 *   `warn` asks and returns a function that stops asking
 */
export function watchIdle(act) {
  /** @type {IdleState} */
  const state = { lastActivity: Date.now(), warnedAt: null, paused: false }
  /** @type {(() => void) | null} */
  let stopAsking = null
  const stay = () => {
    state.lastActivity = Date.now()
    state.warnedAt = null
    stopAsking?.()
    stopAsking = null
  }
  const onActivity = () => {
    if (state.warnedAt === null) state.lastActivity = Date.now()
  }
  for (const name of ACTIVITY) addEventListener(name, onActivity, { capture: true, passive: true })
  const tick = () => {
    const now = Date.now()
    // a clock set back would otherwise keep a page for hours
    if (now < state.lastActivity) state.lastActivity = now
    if (state.warnedAt !== null && now < state.warnedAt) state.warnedAt = now
    state.paused = act.isPaused()
    if (state.paused) state.lastActivity = now
    const decision = idleDecision(now, state, act.limits())
    if (decision === 'reset') act.reset()
    if (decision === 'warn') {
      state.warnedAt = now
      stopAsking = act.warn((wantsToStay) => (wantsToStay ? stay() : act.reset()))
    }
  }
  const timer = setInterval(tick, 1000)
  return {
    stay,
    /** Seconds since anybody did anything. */
    seconds: () => Math.max(0, Date.now() - state.lastActivity) / 1000,
    stop() {
      clearInterval(timer)
      stopAsking?.()
      for (const name of ACTIVITY) removeEventListener(name, onActivity, { capture: true })
    },
  }
}
