/** Choosing assets: what is chosen, and a button that opens the dialog to choose from. */

import { _ } from '../messages.js'
import { chooseAssets } from './asset-dialog.js'
import { Chosen } from './chosen.js'

/** @param {HTMLElement} root */
export default function start(root) {
  const button = /** @type {HTMLButtonElement | null} */ (root.querySelector('[data-open]'))
  const words = /** @type {HTMLElement | null} */ (button?.querySelector('span') ?? null)
  const chosen = new Chosen(root, () => {
    if (words) words.textContent = buttonWords(root.dataset.accept ?? '', chosenCount(root), root.dataset.many !== undefined)
  })
  button?.addEventListener('click', async () => {
    const found = await chooseAssets({
      accept: (root.dataset.accept ?? '').split(',').filter(Boolean),
      many: chosen.many,
      label: root.dataset.label ?? '',
      chosen: chosen.ids,
    })
    if (found?.length) chosen.add(found)
    button.focus()
  })
}

/** @param {HTMLElement} root */
const chosenCount = (root) =>
  /** @type {HTMLInputElement} */ (root.querySelector('[data-value]')).value ? 1 : 0

/** @param {string} accept @param {number} count @param {boolean} many */
function buttonWords(accept, count, many) {
  if (many) return count ? _('Add more') : _('Choose from the media library')
  if (count) return _('Choose another')
  if (accept === 'image') return _('Choose a picture')
  if (accept === 'audio') return _('Choose a sound')
  if (accept === 'video') return _('Choose a film')
  return _('Choose from the media library')
}
