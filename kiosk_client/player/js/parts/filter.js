/** Choosing some of a list by one of its fields: pressed or not, one at a time. */

import { h } from '../dom.js'

/** More choices than this would push the list itself off the screen. */
const MOST_BUTTONS = 8

/**
 * @param {import('../context.js').Context} context
 * @param {import('../release.js').Entry[]} entries
 * @param {string} field a choice
 * @param {(value: string) => void} choose '' for all
 * @returns {HTMLElement | null} null when there is nothing to choose between
 */
export function filterButtons(context, entries, field, choose) {
  const { library, t } = context
  const values = [...new Set(entries.map((entry) => entry.fields[field]).filter((value) => typeof value === 'string' && value))]
  if (values.length < 2) return null
  const type = entries.find((entry) => entry.fields[field])?.type ?? ''
  const known = Object.keys(library.types[type]?.fields?.[field]?.choices ?? {})
  values.sort((a, b) => known.indexOf(a) - known.indexOf(b))
  const group = h('div.filter', { role: 'group', 'aria-label': library.fieldLabel(type, field) || t('filter') })
  const press = (/** @type {string} */ value) => {
    for (const button of group.querySelectorAll('button')) button.setAttribute('aria-pressed', String(button.dataset.value === value))
    choose(value)
    const count = value ? entries.filter((entry) => entry.fields[field] === value).length : entries.length
    context.announce(t('countResults', { n: count }))
  }
  if (values.length > MOST_BUTTONS) {
    const label = library.fieldLabel(type, field) || t('filter')
    const list = /** @type {HTMLSelectElement} */ (h('select.filter__list', { onchange: () => press(list.value) },
      h('option', { value: '' }, t('all')), values.map((value) => h('option', { value }, library.choiceLabel(type, field, value)))))
    group.append(h('label.filter__label', null, h('span', null, label), list))
    return group
  }
  const button = (/** @type {string} */ value, /** @type {string} */ label) =>
    h('button.chip', { type: 'button', 'data-value': value, 'aria-pressed': String(value === ''), onclick: () => press(value) }, label)
  group.append(button('', t('all')), ...values.map((value) => button(value, library.choiceLabel(type, field, value))))
  return group
}
