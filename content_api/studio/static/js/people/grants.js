/**
 * The roles of a person: shows for each role what it lets them do, and only the choices that
 * narrow it. Without scripts every choice is shown.
 */

/**
 * Which parts of a grant are shown.
 * @param {{byLanguage: boolean, byType: boolean}} role what the role can be narrowed by
 */
export const partsOf = ({ byLanguage, byType }) => ({ 'by-language': byLanguage, 'by-type': byType })

/** @param {HTMLElement} grant */
function paint(grant) {
  const select = /** @type {HTMLSelectElement} */ (grant.querySelector('[data-role]'))
  const option = select.selectedOptions[0]
  const said = /** @type {HTMLElement} */ (grant.querySelector('[data-said]'))
  said.textContent = option?.dataset.may ?? ''
  const shown = partsOf({
    byLanguage: 'byLanguage' in (option?.dataset ?? {}),
    byType: 'byType' in (option?.dataset ?? {}),
  })
  for (const part of grant.querySelectorAll('[data-part]')) {
    const element = /** @type {HTMLElement} */ (part)
    element.hidden = !shown[/** @type {'by-language' | 'by-type'} */ (element.dataset.part)]
    const some = element.querySelector('input[type="radio"][value="some"]:checked')
    const choices = /** @type {HTMLElement} */ (element.querySelector('[data-some]'))
    choices.hidden = !some
  }
}

/** @param {HTMLElement} root */
export default function grants(root) {
  root.addEventListener('change', (event) => {
    const grant = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('.grant'))
    if (grant) paint(grant)
  })
  for (const grant of root.querySelectorAll('.grant')) paint(/** @type {HTMLElement} */ (grant))
}
