/** After the PIN: how the device is, what is being done, and what a person may do. */

import { append, h } from '../../js/dom.js'
import { Refusal, ask } from './api.js'
import { pinPad } from './enter.js'

/** Milliseconds between two looks: while something is done, and otherwise. */
const BUSY = 600
const CALM = 5_000

const MARKS = { ok: '✓', warn: '!', bad: '✕', none: '–' }

/**
 * @param {import('./words.js').Words} words
 * @param {{signedOut: (why: Refusal) => void, close: () => void, named: (name: string) => void}} act
 */
export function deskPage(words, act) {
  const { t } = words
  let stopped = false
  /** @type {number | undefined} */
  let timer
  let drawnWork = ''
  let drawnLines = ''
  let name = ''
  let folder = ''
  let consentFor = 0
  let stopExtra = () => {}
  const status = h('ul.lines', { role: 'list' })
  const work = h('section.card.work', { 'aria-live': 'polite', hidden: true })
  const extra = h('section.card.extra', { hidden: true })

  const fail = (/** @type {unknown} */ why) => {
    const refusal = why instanceof Refusal ? why : new Refusal('failed')
    if (refusal.word === 'signed-out') act.signedOut(refusal)
    else drawWork({ kind: '', running: false, done: 0, total: 0, rate: 0, lines: [{ key: `error.${refusal.word}`, state: 'bad', values: refusal.values }] })
  }
  const look = async () => {
    clearTimeout(timer)
    let pause = CALM
    try {
      const state = await ask('state')
      if (stopped) return
      name = state.name
      act.named(name)
      const lines = JSON.stringify(state.lines)
      if (lines !== drawnLines) status.replaceChildren(...state.lines.map(drawLine))
      drawnLines = lines
      if (state.work) {
        drawWork(state.work)
        offerConsent(state.work)
      }
      if (state.work?.running) pause = BUSY
    } catch (why) {
      fail(why)
    }
    if (!stopped) timer = setTimeout(look, pause)
  }
  const start = (/** @type {string} */ what, /** @type {Record<string, unknown>} */ asked = {}) => async () => {
    hideExtra()
    try {
      drawnWork = ''
      drawWork((await ask(what, asked)).work)
      work.scrollIntoView({ block: 'nearest' })
      look()
    } catch (why) {
      fail(why)
    }
  }

  const drawLine = (/** @type {{key: string, state: keyof typeof MARKS, values?: Record<string, any>}} */ line) =>
    h(`li.line.line--${line.state}`, null,
      h('span.line__mark', { 'aria-hidden': 'true' }, MARKS[line.state] ?? '–'),
      h('span.visually-hidden', null, `${t(`state.${line.state}`)}: `),
      h('span.line__words', null, words.line(line),
        line.values?.detail ? h('span.line__detail', { lang: 'en', dir: 'ltr' }, line.values.detail) : null))

  /** @param {{kind: string, number?: number, running: boolean, done: number, total: number, rate: number, lines: any[]}} found */
  function drawWork(found) {
    const seen = JSON.stringify(found)
    if (seen === drawnWork) return
    drawnWork = seen
    work.hidden = false
    const left = found.rate ? (found.total - found.done) / found.rate : 0
    work.replaceChildren()
    append(work, [
      h('h2', null, t(found.kind ? `work.${found.kind}` : 'work.failed')),
      found.running && found.total
        ? h('div.progress', null,
          h('progress', { max: found.total, value: found.done, 'aria-label': t(`work.${found.kind}`) }),
          h('p', null, t(left > 1 ? 'work.progress' : 'work.begun', { done: words.bytes(found.done), total: words.bytes(found.total), left: words.duration(left) })))
        : found.running ? h('p.work__wait', null, t('work.wait')) : null,
      h('ul.lines', { role: 'list' }, found.lines.map(drawLine)),
    ])
  }

  const hideExtra = () => {
    stopExtra()
    stopExtra = () => {}
    extra.hidden = true
  }
  const showExtra = (/** @type {import('../../js/dom.js').Child[]} */ ...children) => {
    hideExtra()
    extra.replaceChildren()
    append(extra, children)
    extra.hidden = false
    extra.scrollIntoView({ block: 'nearest' })
    const first = extra.querySelector('button, input')
    if (first instanceof HTMLElement) first.focus()
  }
  const chooseStick = async () => {
    try {
      const { sticks } = await ask('sticks')
      showExtra(
        h('h2', null, t('do.stick')),
        h('p', null, t(sticks.length ? 'stick.choose' : 'stick.none')),
        sticks.map((/** @type {{folder: string, name: string}} */ stick) =>
          h('button.button', { type: 'button', onclick: () => take(stick.folder) }, h('bdi', null, stick.name))),
        h('button.button', { type: 'button', onclick: chooseStick }, t('stick.again')))
    } catch (why) {
      fail(why)
    }
  }
  const take = (/** @type {string} */ chosen) => {
    folder = chosen
    return start('stick', { folder })()
  }
  /** A stick whose signatures have expired is taken by the PIN alone. @param {{kind: string, number: number, running: boolean, lines: any[]}} work */
  function offerConsent(work) {
    if (work.kind !== 'stick' || work.running || work.number === consentFor || !folder) return
    if (!work.lines.some((line) => line.key === 'error.metadata-expired')) return
    consentFor = work.number
    const pad = pinPad(words, (pin) => start('stick', { folder, pin })())
    showExtra(h('h2', null, t('do.stick')), h('p', null, t('stick.consent')), h('div.pin.pin--small', null, pad.content))
    stopExtra = pad.stop
  }
  const rename = () => {
    const field = /** @type {HTMLInputElement} */ (h('input.field', { id: 'name', value: name, maxlength: 80, autocomplete: 'off', dir: 'auto' }))
    const save = async (/** @type {Event} */ event) => {
      event.preventDefault()
      try {
        name = (await ask('name', { name: field.value })).name
        hideExtra()
        look()
      } catch (why) {
        fail(why)
      }
    }
    showExtra(h('h2', null, t('do.name')), h('form.naming', { onsubmit: save },
      h('label', { for: 'name' }, t('name.text')), field,
      h('button.button.button--accent', null, t('name.save'))))
  }
  const restart = async () => {
    try {
      if (!(await ask('restart')).shell) act.close()
    } catch (why) {
      fail(why)
    }
  }
  const action = (/** @type {string} */ key, /** @type {() => unknown} */ onclick) =>
    h('li', null, h('button.action', { type: 'button', onclick },
      h('span.action__name', null, t(`do.${key}`)), h('span.action__text', null, t(`do.${key}Text`))))

  look()
  return {
    look,
    /** Whether something is being done, so that the page must not close by itself. */
    get busy() {
      return drawnWork.includes('"running":true')
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      stopExtra()
    },
    content: h('div.desk', null,
      h('h1.visually-hidden', { tabindex: -1 }, t('title')),
      h('div.desk__left', null, work, extra,
        h('section.card', { 'aria-labelledby': 'status-title' }, h('h2', { id: 'status-title' }, t('status')), status)),
      h('section.desk__right', { 'aria-labelledby': 'do-title' },
        h('h2', { id: 'do-title' }, t('do')),
        h('ul.actions', { role: 'list' },
          action('sync', start('sync')), action('network', start('network')), action('stick', chooseStick),
          action('restart', restart), action('name', rename)))),
  }
}
