/** Who else has the entry open, asked while the page is being looked at. */

import { announce } from '../dialogs.js'
import { _ } from '../messages.js'
import { send } from '../send.js'
import { h } from '../widgets/dom.js'

/** Milliseconds between two questions. */
const EVERY = 30_000

/**
 * @typedef {{people: {name: string, where: string}[], rev: number, saved_by: string, mine: boolean}} Answer
 * @param {string} url @param {HTMLElement | null} place @param {() => string} where
 * @param {(answer: Answer) => void} heard
 */
export function startPresence(url, place, where, heard) {
  let timer = 0
  let known = ''
  const ask = async () => {
    clearTimeout(timer)
    if (document.visibilityState !== 'visible') return
    try {
      const { body } = await send('POST', url, { json: { place: where() }, askToSignIn: false })
      if (place) known = paint(place, body.people, known)
      heard(body)
    } catch {
      // Writing goes on alone; the status line tells of the link.
    }
    timer = window.setTimeout(ask, EVERY)
  }
  document.addEventListener('visibilitychange', ask)
  window.addEventListener('pagehide', () => {
    send('DELETE', url, { keepalive: true, askToSignIn: false }).catch(() => {})
  })
  let soon = 0
  document.addEventListener('focusin', () => {
    clearTimeout(soon)
    soon = window.setTimeout(ask, 1500)
  })
  ask()
}

/** @param {HTMLElement} place @param {{name: string, where: string}[]} people @param {string} known */
function paint(place, people, known) {
  place.replaceChildren(...people.map(({ name, where }) => {
    const words = where ? _('%(name)s is at %(place)s', { name, place: where }) : _('%(name)s is here too', { name })
    return h('span', { class: 'edit-person', title: words },
      h('span', { class: 'avatar', 'aria-hidden': 'true' }, name.slice(0, 1).toUpperCase()), h('span', { class: 'edit-person__words' }, words))
  }))
  const names = people.map((one) => one.name).join(', ')
  if (names && names !== known) announce(_('Also here: %(names)s', { names }))
  return names
}

/**
 * Tell when this browser has the entry open in another window too: unsaved work is one for both.
 * @param {string} entry @param {() => void} found
 */
export function watchOtherWindows(entry, found) {
  const channel = new BroadcastChannel(`lampisterie.edit.${entry}`)
  channel.addEventListener('message', ({ data }) => {
    if (data === 'who') channel.postMessage('here')
    found()
  })
  channel.postMessage('who')
}
