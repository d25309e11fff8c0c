/** Modal dialogs on the platform's own element: it keeps focus inside and gives it back. */

import { h, icon } from '../dom.js'

/**
 * Open a dialog. Escape closes it; so does its own button, if it has one.
 * @param {object} options
 * @param {string} options.title heading, also its name
 * @param {string} [options.closeLabel] without one there is no closing button
 * @param {string} [options.kind] class suffix
 * @param {boolean} [options.alert] urgent: announced as an alert
 * @param {string} [options.describedBy] id of the explaining text
 * @param {() => void} [options.onClose]
 * @param {(close: () => void) => import('../dom.js').Child} content
 * @returns {{close: () => void, element: HTMLDialogElement}}
 */
export function openDialog({ title, closeLabel, kind = 'panel', alert = false, describedBy, onClose }, content) {
  const close = () => element.close()
  const heading = h('h2.dialog__title', { id: `dialog-${kind}-title` }, title)
  const element = /** @type {HTMLDialogElement} */ (h(`dialog.dialog.dialog--${kind}`, {
    role: alert ? 'alertdialog' : null, 'aria-labelledby': heading.id, 'aria-describedby': describedBy,
  },
  h('div.dialog__head', null, heading, closeLabel && h('button.round', { type: 'button', 'aria-label': closeLabel, onclick: close }, icon('close')))))
  element.append(h('div.dialog__body', null, content(close)))
  element.addEventListener('close', () => {
    element.remove()
    onClose?.()
  })
  element.addEventListener('click', (event) => {
    if (event.target === element && closeLabel) close()
  })
  document.body.append(element)
  element.showModal()
  return { close, element }
}

export const isDialogOpen = () => document.querySelector('dialog[open]') !== null
