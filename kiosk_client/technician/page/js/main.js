/**
 * The technician's page: a PIN, then a desk. It closes by itself, so that the next visitor
 * meets the player whatever happened here.
 */

import { h } from '../../js/dom.js'
import { leave, sayAlive } from './api.js'
import { deskPage } from './desk.js'
import { enterPage } from './enter.js'
import { LANGUAGES, loadWords } from './words.js'

/** Milliseconds without a touch: at the PIN, and at the desk. */
const PIN_IDLE = 60_000
const DESK_IDLE = 300_000
/** How often the watchdog hears of this page, milliseconds. */
const ALIVE = 10_000

const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (document.querySelector(`[data-part="${name}"]`))

/** @type {import('./words.js').Words} */
let words
/** @type {{content: Node, stop: () => void, busy?: boolean}} */
let page = { content: document.createTextNode(''), stop: () => {} }
let inside = false
let deviceName = ''
let lastTouch = performance.now()

async function close() {
  await leave()
  location.replace('../')
}

/** @param {import('./api.js').Refusal} [refused] */
function show(refused) {
  page.stop()
  drawBar()
  page = inside
    ? deskPage(words, { signedOut, close, named })
    : enterPage(words, { entered, refused })
  part('main').replaceChildren(page.content)
  const heading = part('main').querySelector('h1')
  if (heading) heading.focus()
}

function entered() {
  inside = true
  show()
}

/** @param {import('./api.js').Refusal} why */
function signedOut(why) {
  inside = false
  show(why)
}

/** @param {string} name */
function named(name) {
  if (name === deviceName) return
  deviceName = name
  drawBar()
}

/** @param {string} tag */
async function speak(tag) {
  words = await loadWords(tag)
  document.documentElement.lang = words.tag
  document.documentElement.dir = words.dir
  document.title = words.t('title')
}

function drawBar() {
  const chosen = async (/** @type {Event} */ event) => {
    await speak(/** @type {HTMLSelectElement} */ (event.target).value)
    show()
    part('bar').querySelector('select')?.focus()
  }
  part('bar').replaceChildren(
    h('p.bar__name', null, h('bdi', null, inside ? deviceName : '')),
    h('label.bar__language', null, h('span', null, words.t('language')),
      h('select.field', { onchange: chosen }, LANGUAGES.map(([tag, name]) => h('option', { value: tag, lang: tag, selected: tag === words.tag }, name)))),
    h('button.button', { type: 'button', onclick: close }, words.t('close')))
}

function guard() {
  for (const name of ['contextmenu', 'dragstart']) addEventListener(name, (event) => event.preventDefault())
  for (const name of ['pointerdown', 'keydown', 'input']) addEventListener(name, () => { lastTouch = performance.now() }, { capture: true, passive: true })
  addEventListener('keydown', (event) => { if (event.key === 'Escape') close() })
  setInterval(() => {
    if (page.busy) lastTouch = performance.now()
    if (performance.now() - lastTouch > (inside ? DESK_IDLE : PIN_IDLE)) close()
  }, 1000)
  setInterval(() => sayAlive((performance.now() - lastTouch) / 1000), ALIVE)
  sayAlive(0)
}

await speak(new URLSearchParams(location.search).get('lang') ?? 'en')
guard()
show()
