/**
 * Tells the device what is on the screen, every ten seconds, and hears whether to load anew
 * or to be dim. Only a device's own server asks for this; nothing that goes wrong here may
 * reach a visitor.
 */

/** Milliseconds between two reports. */
const EVERY = 10_000
/** An entry seen shorter than this was passed by, not looked at. Milliseconds. */
const GLANCE = 2_000
/** A document younger than this does not load anew: a server in two minds must not make it blink. Milliseconds. */
const SETTLED = 5_000
/** A report is at most 4 KiB, and a letter may take 3 bytes. */
const MOST = { plays: 5, errors: 3, title: 100, error: 150, kept: 50 }

/**
 * @typedef {{entry: string, title: string, language: string}} Look an entry on the screen
 * @typedef {{screen: 'attract' | 'visit' | 'start' | 'fault' | 'gone', idle: number}} Now `idle` in seconds
 * @typedef {{reload?: boolean, dim?: boolean}} Answer
 */

/**
 * Entries looked at, each with how long: pure but for what it remembers.
 * @param {() => number} clock milliseconds, never back
 */
export function countPlays(clock) {
  /** @type {(Look & {since: number}) | null} */
  let open = null
  /** @type {(Look & {seconds: number})[]} */
  const done = []
  return {
    done,
    /** @param {Look | null} look what is on the screen from now on */
    enter(look) {
      if (open && look && open.entry === look.entry && open.language === look.language) return
      const spent = open ? clock() - open.since : 0
      if (open && spent >= GLANCE) {
        const { entry, title, language } = open
        done.push({ entry, title, language, seconds: Math.round(spent / 1000) })
        done.splice(0, done.length - MOST.kept)
      }
      open = look && { ...look, title: look.title.slice(0, MOST.title), since: clock() }
    },
    get entry() {
      return open?.entry ?? ''
    },
  }
}

/**
 * Start reporting.
 * @param {import('./release.js').Release} release
 * @param {{now: () => Now, reload: () => void, dim: (wanted: boolean) => void}} act
 */
export function startHeartbeat(release, act) {
  const plays = countPlays(() => performance.now())
  /** @type {string[]} */
  let errors = []
  let busy = false
  let again = false
  /** @param {unknown} reason */
  const blame = (reason) => {
    errors = [...errors, String(reason instanceof Error ? `${reason.name}: ${reason.message}` : reason).slice(0, MOST.error)].slice(-MOST.kept)
  }
  const body = (/** @type {Now} */ { screen, idle }) => JSON.stringify({
    package: release.package, release: release.release, content: contentTag(release), screen,
    entry: plays.entry, idle_seconds: Math.max(0, Math.round(idle)),
    heap: /** @type {any} */ (performance).memory?.usedJSHeapSize ?? null,
    errors: errors.slice(0, MOST.errors), plays: plays.done.slice(0, MOST.plays),
  })
  async function report() {
    again = busy
    if (busy) return
    busy = true
    try {
      const sent = body(act.now())
      const told = { errors: Math.min(errors.length, MOST.errors), plays: Math.min(plays.done.length, MOST.plays) }
      const answer = await fetch('./page', { method: 'POST', body: sent, headers: { 'Content-Type': 'application/json' }, signal: AbortSignal.timeout(EVERY) })
      if (!answer.ok) return
      /** @type {Answer} */
      const { reload, dim } = await answer.json()
      errors.splice(0, told.errors)
      plays.done.splice(0, told.plays)
      act.dim(dim === true)
      if (reload === true && performance.now() > SETTLED) act.reload()
    } catch {
      // the device's server starts anew now and then; the next report tells all
    } finally {
      busy = false
      if (again) report()
    }
  }
  addEventListener('error', (event) => {
    // a picture that does not load is an Event alone
    if (event instanceof ErrorEvent) blame(event.message)
  })
  addEventListener('unhandledrejection', (event) => blame(event.reason))
  addEventListener('pagehide', () => {
    plays.enter(null)
    navigator.sendBeacon?.('./page', new Blob([body({ ...act.now(), screen: 'gone' })], { type: 'application/json' }))
  })
  setInterval(report, EVERY)
  report()
  return {
    report,
    blame,
    enter: plays.enter,
  }
}

/** The name of the set the page plays, as its address has it. @param {import('./release.js').Release} release */
export const contentTag = (release) => release.content?.split('/')[1] ?? ''
