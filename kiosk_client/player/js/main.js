/**
 * Starts the player and moves between its pages. Each page is a function from a context
 * and a route to what it shows; everything that lives longer than a page is here.
 */

import { append, h } from './dom.js'
import { makeContext } from './context.js'
import { guardKeys, watchCorners } from './corner.js'
import { idleLimits, watchIdle } from './idle.js'
import { applyPreferences, forgetPreferences, isChanged } from './preferences.js'
import { loadLibrary, readPackage, readRelease } from './release.js'
import { formatRoute, parseRoute } from './route.js'
import { formatDate } from './text/dates.js'
import { loadStrings } from './text/strings.js'
import { isDialogOpen, openDialog } from './parts/dialog.js'
import { drawDock } from './parts/dock.js'
import { isMediaPlaying } from './parts/media.js'
import { attractPage } from './views/attract.js'
import { creditsPage } from './views/credits.js'
import { entryPage } from './views/entry.js'
import { homePage } from './views/home.js'
import { searchPage } from './views/search.js'
import { sectionPage } from './views/section.js'

/**
 * @typedef {object} Page
 * @property {string} title
 * @property {import('./dom.js').Child} content
 * @property {string} [kind] class suffix of the page
 * @property {string} [anchor] `data-anchor` to start at instead of the top
 */

/** @type {Record<string, (context: import('./context.js').Context, route: import('./route.js').Route) => Page | Promise<Page>>} */
const PAGES = { attract: attractPage, home: homePage, section: sectionPage, entry: entryPage, search: searchPage, credits: creditsPage }

/** How often a waiting screen asks whether there is a new release, milliseconds. */
const RELEASE_POLL = 30_000
/** How often a preview asks: whoever writes waits for it. Milliseconds. */
const PREVIEW_POLL = 4_000
/** A screen in a closed house is dark again so long after the last touch, seconds. */
const DIM_AFTER = 60

const main = /** @type {HTMLElement} */ (document.getElementById('page'))
const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (document.querySelector(`[data-part="${name}"]`))

/** @type {import('./release.js').Release} */
let release
/** @type {import('./release.js').Package} */
let pkg
/** @type {(() => void)[]} */
let leaving = []
/** Pages seen in this visit, for going back. @type {{hash: string, scroll: number}[]} */
let trail = []
let shownHash = ''
let drawing = 0
/** @type {import('./idle.js').IdleLimits} */
let limits = { idle: Infinity, warning: Infinity }
/** @type {import('./context.js').Context} */
let context
/** @type {ReturnType<import('./heartbeat.js')['startHeartbeat']> | undefined} on a device alone */
let heartbeat
/** @type {'start' | 'shown' | 'fault'} */
let stage = 'start'
let toldScreen = ''
let idleSeconds = () => 0

/** A start that is under way is not begun anew so soon: each would cut off the one before. */
const START_PATIENCE = 5_000
let startedAgain = -Infinity

/** Start from a clean document: nothing of a visit survives. */
function startAgain() {
  const now = Date.now()
  if (Math.abs(now - startedAgain) < START_PATIENCE) return
  startedAgain = now
  forgetPreferences()
  location.replace(location.pathname)
}

/** @param {string} tag */
const languageNamed = (tag) => release.languages.find((language) => language.tag.toLowerCase() === tag.toLowerCase())

/** The language of a route, or the package's own. @param {string} tag */
function languageFor(tag) {
  return languageNamed(tag) ?? languageNamed(tag.split('-')[0]) ?? languageNamed(release.default_language) ?? release.languages[0]
}

/**
 * Show the page of the address.
 * @param {{place?: ReturnType<typeof placeNow> | null, scroll?: number, quiet?: boolean}} [options]
 *   `place`: keep the reader's place of the page before; `scroll`: rem-free pixels from the top
 */
async function show({ place = null, scroll = 0, quiet = false } = {}) {
  const turn = ++drawing
  const route = parseRoute(location.hash)
  const language = languageFor(route.language || release.default_language)
  if (route.page !== 'attract' && route.language !== language.tag) {
    history.replaceState(null, '', formatRoute({ ...route, language: language.tag }))
  }
  const [library, strings] = await Promise.all([loadLibrary(language, release, pkg), loadStrings(language.tag)])
  if (turn !== drawing) return
  /** @type {(() => void)[]} */
  const stops = []
  const next = makeContext(library, strings, { go, announce, onLeave: (stop) => stops.push(stop) })
  const page = await PAGES[route.page](next, route)
  if (turn !== drawing) {
    for (const stop of stops) stop()
    return
  }
  for (const stop of leaving) stop()
  leaving = stops
  context = next
  shownHash = location.hash
  document.documentElement.lang = language.tag
  document.documentElement.dir = language.dir
  document.title = page.title
  part('skip').textContent = strings.t('skip')
  drawRibbon(next)
  main.className = `page page--${page.kind ?? route.page}`
  main.replaceChildren()
  append(main, page.content)
  drawDock(part('dock'), context, route, { back: goBack, chooseLanguage })
  limits = idleLimits(pkg.settings ?? {}, main.textContent ?? '')
  tellShown(library, route)
  settle({ place, scroll, quiet, anchor: page.anchor })
}

/** Tell the device what is on the screen now, at once when a visit begins or ends. @param {import('./release.js').Library} library @param {import('./route.js').Route} route */
function tellShown(library, route) {
  const entry = route.page === 'entry' && library.entry(String(route.id))
  stage = 'shown'
  heartbeat?.enter(entry ? { entry: entry.id, title: library.title(entry), language: library.language.tag } : null)
  if (toldScreen !== screenNow()) heartbeat?.report()
  toldScreen = screenNow()
}

/** @returns {'attract' | 'visit'} */
const screenNow = () => (parseRoute(location.hash).page === 'attract' && !isDialogOpen() ? 'attract' : 'visit')

const PREVIEWS = { draft: 'previewDraft', approved: 'previewApproved', live: 'previewLive' }

/** Say that this is no display but a preview, and of which day. @param {import('./context.js').Context} shown */
function drawRibbon({ library, t, language }) {
  const words = release.preview && PREVIEWS[release.preview]
  part('ribbon').hidden = !words
  if (words) part('ribbon').textContent = t(words, { date: formatDate(library.today, language) })
}

/**
 * Scroll and focus after a change of page.
 * @param {{place?: ReturnType<typeof placeNow> | null, scroll?: number, quiet?: boolean, anchor?: string}} options
 */
function settle({ place, scroll = 0, quiet, anchor }) {
  const heading = /** @type {HTMLElement | null} */ (main.querySelector('h1'))
  if (heading && !quiet && !main.contains(document.activeElement)) {
    heading.tabIndex = -1
    heading.focus({ preventScroll: true })
  }
  const target = place?.anchor ?? anchor
  const element = target ? main.querySelector(`[data-anchor="${CSS.escape(target)}"]`) : null
  if (element) scrollTo(0, scrollY + element.getBoundingClientRect().top - (place?.offset ?? 24))
  else scrollTo(0, place?.scroll ?? scroll)
  if (place?.media) {
    const media = /** @type {HTMLMediaElement | null} */ (main.querySelector(`[data-asset="${CSS.escape(place.media.asset)}"]`))
    const { time, playing } = place.media
    const resume = () => {
      if (!media) return
      media.currentTime = time
      if (playing) media.play().catch(() => {})
    }
    if (media && media.readyState >= HTMLMediaElement.HAVE_METADATA) resume()
    else if (media) {
      media.addEventListener('loadedmetadata', resume, { once: true })
      media.preload = 'metadata'
    }
  }
}

/** Where the reader is: the first block in view, and the sound or film under way. */
function placeNow() {
  const first = [...main.querySelectorAll('[data-anchor]')].find((element) => element.getBoundingClientRect().bottom > 0 && element.getBoundingClientRect().height > 0)
  const media = /** @type {HTMLMediaElement | undefined} */ ([...main.querySelectorAll('audio, video')].find((each) => /** @type {HTMLMediaElement} */ (each).currentTime > 0))
  const atTop = scrollY < 8
  return {
    anchor: atTop ? undefined : /** @type {HTMLElement | undefined} */ (first)?.dataset.anchor,
    offset: first?.getBoundingClientRect().top ?? 0,
    scroll: scrollY,
    media: media && { asset: media.dataset.asset ?? '', time: media.currentTime, playing: !media.paused },
  }
}

/** @param {Partial<import('./route.js').Route>} route @param {{replace?: boolean}} [options] */
function go(route, { replace = false } = {}) {
  const hash = formatRoute({ language: context.language, ...route })
  if (!replace) {
    location.hash = hash
    return
  }
  history.replaceState(null, '', hash)
  shownHash = location.hash
}

/** One step back in this visit, else one level up. */
function goBack() {
  const route = parseRoute(location.hash)
  if (trail.length) history.back()
  else if (route.page === 'home') location.hash = '#/'
  else if (route.page !== 'attract') location.hash = formatRoute({ language: route.language, page: 'home' })
}

/** The same place in another language. @param {string} tag */
async function chooseLanguage(tag) {
  const place = placeNow()
  await takeNewRelease()
  history.replaceState(null, '', formatRoute({ ...parseRoute(location.hash), language: tag }))
  await show({ place })
  part('dock').querySelector('[data-part="language"]')?.focus({ preventScroll: true })
}

/** Whether nothing changed: neither what plays nor the day, by which entries come and go. @param {import('./release.js').Release} newest */
const isSame = (newest) => newest.package === release.package && newest.release === release.release && newest.content === release.content && newest.today === release.today

/** A release that became active under the page: its documents must be read together. */
async function takeNewRelease() {
  // a device's page keeps its set until the visit has ended
  if (release.content) return
  const newest = await readRelease().catch(() => release)
  if (isSame(newest)) return
  pkg = await readPackage(newest)
  release = newest
}

/** @param {string} words */
function announce(words) {
  part('status').textContent = words
}

function onHashChange() {
  if (location.hash === shownHash) return
  const before = { hash: shownHash, scroll: scrollY }
  const back = trail.length && pathOf(trail[trail.length - 1].hash) === pathOf(location.hash)
  if (back) {
    // the step before may be in the language of then: stay in the one chosen since
    history.replaceState(null, '', formatRoute({ ...parseRoute(location.hash), language: context.language }))
    show({ scroll: trail.pop()?.scroll })
  } else {
    trail.push(before)
    show()
  }
  if (parseRoute(location.hash).page === 'attract') trail = []
}

/** @param {string} hash */
const pathOf = (hash) => formatRoute({ ...parseRoute(hash), language: 'x', query: {} })

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.key !== 'Escape' || event.defaultPrevented || isDialogOpen()) return
  event.preventDefault()
  goBack()
}

/** @param {(stay: boolean) => void} answer */
function askStillThere(answer) {
  const { t } = context
  let asked = true
  const { close } = openDialog({
    title: t('stillThere'), kind: 'idle', alert: true, describedBy: 'idle-text',
    onClose: () => asked && answer(true),
  }, (shut) => [
    h('p', { id: 'idle-text' }, t('stillThereText')),
    h('div.dialog__buttons', null,
      h('button.button.button--accent', { type: 'button', onclick: shut, autofocus: true }, t('goOn')),
      h('button.button', { type: 'button', onclick: () => { asked = false; answer(false) } }, t('startAgain'))),
  ])
  return () => {
    asked = false
    close()
  }
}

/** Show what was written meanwhile, at the place that is being read. */
async function pollPreview() {
  if (document.hidden || isDialogOpen() || isMediaPlaying()) return
  const before = release
  await takeNewRelease()
  if (release !== before) await show({ place: placeNow(), quiet: true })
}

/** Ask for a newer release where nobody is disturbed. */
async function pollRelease() {
  if (parseRoute(location.hash).page !== 'attract' || isDialogOpen()) return
  const newest = await readRelease().catch(() => release)
  if (!isSame(newest)) startAgain()
}

/** Report to the device, and follow what it answers while nobody is disturbed. */
async function reportToDevice() {
  if (release.shell !== 'kiosk' || !release.content) return
  const { startHeartbeat } = await import('./heartbeat.js')
  heartbeat = startHeartbeat(release, {
    now: () => ({ screen: stage === 'shown' ? screenNow() : stage, idle: idleSeconds() }),
    reload: () => {
      if (stage === 'fault') location.reload()
      else if (screenNow() === 'attract') startAgain()
    },
    dim: (wanted) => {
      const dark = wanted && stage === 'shown' && screenNow() === 'attract' && idleSeconds() > DIM_AFTER
      document.documentElement.toggleAttribute('data-dim', dark)
    },
  })
  const light = () => document.documentElement.removeAttribute('data-dim')
  for (const name of ['pointerdown', 'keydown']) addEventListener(name, light, { capture: true, passive: true })
}

/** Whether the screen is as the next visitor should find it: nothing open, nothing set. */
const isUntouched = () => parseRoute(location.hash).page === 'attract' && !isDialogOpen() && !isChanged()

function guardKiosk() {
  document.documentElement.dataset.shell = 'kiosk'
  for (const name of ['contextmenu', 'dragstart']) addEventListener(name, (event) => event.preventDefault())
  const idle = watchIdle({
    limits: () => (isUntouched() ? { idle: Infinity, warning: Infinity } : limits),
    isPaused: isMediaPlaying,
    warn: askStillThere,
    reset: startAgain,
  })
  idleSeconds = idle.seconds
}

/** Keep visitors in, and let technicians through. */
function guardDoors() {
  watchCorners()
  guardKeys()
}

/** What is shown when the content cannot be read: calm, and trying again by itself. */
function showFault(/** @type {unknown} */ reason) {
  stage = 'fault'
  // without a release nothing else opened it
  if (!release) watchCorners()
  heartbeat?.blame(reason)
  heartbeat?.report()
  main.replaceChildren(h('div.fault', null, h('h1', null, 'Lampisterie'), h('p', { lang: 'fr' }, 'Cet écran revient dans un instant.'), h('p', { lang: 'en' }, 'This screen will be back in a moment.'), h('p', { lang: 'ja' }, 'まもなく再開します。')))
  setTimeout(() => location.reload(), RELEASE_POLL)
}

async function start() {
  applyPreferences()
  history.scrollRestoration = 'manual'
  release = await readRelease()
  if (release.shell === 'kiosk' && !release.preview) guardDoors()
  await reportToDevice().catch(() => {})
  pkg = await readPackage(release)
  document.documentElement.dataset.profile = release.profile
  if (/^#[0-9a-f]{6}$/i.test(pkg.theme?.accent ?? '')) document.documentElement.style.setProperty('--accent', String(pkg.theme?.accent))
  await show({ quiet: true })
  addEventListener('hashchange', onHashChange)
  addEventListener('keydown', onKey)
  part('skip').addEventListener('click', (event) => {
    event.preventDefault()
    main.focus()
  })
  if (release.shell === 'kiosk') guardKiosk()
  if (release.preview) setInterval(() => pollPreview().catch(() => {}), PREVIEW_POLL)
  else setInterval(pollRelease, RELEASE_POLL)
}

start().catch(showFault)

