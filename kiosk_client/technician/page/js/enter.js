/** The PIN: digits by finger or by key, shown as dots. */

import { h } from '../../js/dom.js'
import { Refusal, enter } from './api.js'

const LONGEST = 12

/**
 * Keys for a PIN.
 * @param {import('./words.js').Words} words
 * @param {(pin: string) => Promise<void>} go what to do with a PIN; what it throws is told
 */
export function pinPad(words, go) {
  const { t } = words
  let pin = ''
  let busy = false
  const dots = h('span.pin__dots', { 'aria-hidden': 'true' })
  const count = h('span.visually-hidden')
  const message = h('p.pin__message', { role: 'alert' })
  const draw = () => {
    dots.textContent = '●'.repeat(pin.length) || '–'
    count.textContent = t('pinDigits', { n: pin.length })
  }
  const say = (/** @type {Refusal} */ why) => {
    message.textContent = words.line({ key: `error.${why.word}`, values: why.values })
  }
  const type = (/** @type {string} */ digit) => {
    if (pin.length < LONGEST) pin += digit
    message.textContent = ''
    draw()
  }
  const erase = () => {
    pin = pin.slice(0, -1)
    draw()
  }
  const take = async () => {
    if (busy || !pin) return
    busy = true
    const typed = pin
    pin = ''
    draw()
    try {
      await go(typed)
    } catch (why) {
      say(why instanceof Refusal ? why : new Refusal('failed'))
    } finally {
      busy = false
    }
  }
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target instanceof HTMLSelectElement) return
    const digit = event.key.normalize('NFKC')
    if (/^[0-9]$/.test(digit)) type(digit)
    else if (event.key === 'Backspace') erase()
    else if (event.key === 'Enter' && !(event.target instanceof HTMLButtonElement)) take()
    else return
    event.preventDefault()
  }
  addEventListener('keydown', onKey)
  draw()
  const key = (/** @type {string} */ digit) => h('button.key', { type: 'button', onclick: () => type(digit) }, digit)
  return {
    say,
    stop: () => removeEventListener('keydown', onKey),
    content: [
      h('p.pin__shown', { role: 'status' }, dots, count), message,
      // digits keep their places in every script
      h('div.pin__keys', { dir: 'ltr', role: 'group', 'aria-label': t('pin') },
        [...'123456789'].map(key),
        h('button.key.key--word', { type: 'button', onclick: erase, 'aria-label': t('pinErase') }, '⌫'),
        key('0'),
        h('button.key.key--word.key--go', { type: 'button', onclick: take }, t('pinGo'))),
    ],
  }
}

/**
 * @param {import('./words.js').Words} words
 * @param {{entered: () => void, refused?: Refusal}} options
 */
export function enterPage(words, { entered, refused }) {
  const { t } = words
  const pad = pinPad(words, async (pin) => {
    await enter(pin)
    entered()
  })
  if (refused) pad.say(refused)
  return {
    stop: pad.stop,
    content: h('section.pin', { 'aria-labelledby': 'pin-title' },
      h('h1.pin__title', { id: 'pin-title', tabindex: -1 }, t('title')),
      h('p', null, t('pinText')),
      pad.content),
  }
}
