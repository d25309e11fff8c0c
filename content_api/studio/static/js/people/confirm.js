/**
 * A form that asks before it is sent: what cannot be taken back. Its words come from the page:
 * `data-title`, `data-text`, `data-action`. Without scripts it is sent at once.
 */

import { confirmDialog } from '../dialogs.js'

/** @param {HTMLFormElement} form */
export default function askFirst(form) {
  let agreed = false
  form.addEventListener('submit', async (event) => {
    if (agreed) return
    event.preventDefault()
    const { title = '', text = '', action = '' } = form.dataset
    const submitter = /** @type {HTMLElement | null} */ (event.submitter)
    agreed = await confirmDialog({ title, text, action, tone: 'danger' })
    if (agreed) form.requestSubmit(submitter)
  })
}
