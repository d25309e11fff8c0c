/** Shows what was changed, and asks what should stand where two people changed the same. */

import { _ } from '../messages.js'
import { freshId, h } from '../widgets/dom.js'
import { taken } from './document.js'

/** @typedef {[string, string]} Segment */

/** A difference as marked text. @param {Segment[]} segments */
export const marked = (segments) => segments.map(([op, text]) =>
  op === 'insert' ? h('ins', {}, text) : op === 'delete' ? h('del', {}, text) : document.createTextNode(text))

/** @param {string} scope */
const languageOf = (scope) => (scope === '*' ? { dir: 'auto' } : { lang: scope, dir: 'auto' })

/** @param {HTMLElement} list @param {{label: string, language: string, scope: string, segments: Segment[]}[]} items */
export function paintDifferences(list, items) {
  if (!items.length) {
    list.replaceChildren(h('p', { class: 'soft' }, _('Nothing is changed.')))
    return
  }
  list.replaceChildren(...items.map((item) => h('section', { class: 'difference' },
    h('h3', {}, item.label, ' ', h('span', { class: 'soft small' }, item.language)),
    h('p', { class: 'difference__text', ...languageOf(item.scope) }, ...marked(item.segments)))))
}

/**
 * @typedef {{kind: string, path: string, scope: string, label: string, language: string, is_text: boolean,
 *   base: string, theirs: {text: string, segments: Segment[]}, mine: {text: string, segments: Segment[]},
 *   take_mine: any[][], take_theirs: any[][], by: string, at: string}} Decision
 */

/**
 * The document after what was decided.
 * @param {import('./document.js').Doc} doc @param {Decision[]} decisions
 * @param {{choice: 'mine' | 'theirs' | 'together', text?: string}[]} made
 */
export function decided(doc, decisions, made) {
  let found = doc
  decisions.forEach((decision, index) => {
    const { choice, text } = made[index]
    if (choice === 'theirs') found = taken(found, decision.take_theirs)
    else if (choice === 'mine') found = taken(found, decision.take_mine)
    else found = taken(found, [[decision.path, decision.scope, text ?? '']])
  })
  return found
}

/**
 * Ask; null when the person decides later.
 * @param {HTMLDialogElement} dialog @param {Decision[]} decisions
 * @returns {Promise<{choice: 'mine' | 'theirs' | 'together', text?: string}[] | null>}
 */
export function askDecisions(dialog, decisions) {
  const list = /** @type {HTMLElement} */ (dialog.querySelector('[data-list]'))
  const groups = decisions.map(group)
  list.replaceChildren(...groups.map((one) => one.element))
  const save = /** @type {HTMLElement} */ (dialog.querySelector('[data-decide]'))
  return new Promise((resolve) => {
    /** @type {any} */
    let answer = null
    const take = () => {
      answer = groups.map((one) => one.read())
      dialog.close()
    }
    save.addEventListener('click', take)
    dialog.addEventListener('close', () => {
      save.removeEventListener('click', take)
      resolve(answer)
    }, { once: true })
    dialog.showModal()
    ;/** @type {HTMLElement | null} */ (list.querySelector('input:checked'))?.focus()
  })
}

/** @param {Decision} decision */
function group(decision) {
  const name = freshId('decision')
  const language = languageOf(decision.scope)
  const area = h('textarea', { class: 'input decision__edit', rows: 5, 'aria-label': _('Your text and theirs, put together'), ...language })
  area.value = decision.mine.text
  area.hidden = true
  const side = (/** @type {string} */ value, /** @type {string} */ title, /** @type {string} */ about, /** @type {{text: string, segments: Segment[]}} */ said) => {
    const id = freshId('choice')
    return h('div', { class: 'decision__side' },
      h('div', { class: 'check' }, h('input', { type: 'radio', name, id, value, checked: value === 'mine' }),
        h('div', {}, h('label', { for: id }, h('strong', {}, title)), about ? h('p', { class: 'field__help' }, about) : null)),
      h('p', { class: 'difference__text', ...language }, ...(said.text ? marked(said.segments) : [h('span', { class: 'soft' }, _('(nothing)'))])))
  }
  const words = decision.kind === 'block'
    ? [_('My version'), _('Their version')]
    : [_('My text'), _('Their text')]
  const together = freshId('choice')
  const element = h('fieldset', { class: 'decision choices' },
    h('legend', { class: 'decision__title' }, decision.label, ' ', h('span', { class: 'soft small' }, decision.language)),
    h('details', { class: 'decision__base' }, h('summary', {}, _('What stood there before')),
      h('p', { class: 'difference__text', ...language }, decision.base || _('(nothing)'))),
    h('div', { class: 'decision__sides' },
      side('mine', words[0], '', decision.mine),
      side('theirs', words[1], _('%(name)s, %(time)s', { name: decision.by, time: decision.at }), decision.theirs)),
    decision.is_text ? h('div', { class: 'check' }, h('input', { type: 'radio', name, id: together, value: 'together' }),
      h('label', { for: together }, h('strong', {}, _('Edit both together')))) : null,
    area)
  const chosen = () => /** @type {HTMLInputElement} */ (element.querySelector(`input[name="${name}"]:checked`)).value
  element.addEventListener('change', () => {
    area.hidden = chosen() !== 'together'
    if (!area.hidden) area.focus()
  })
  return { element, read: () => ({ choice: /** @type {any} */ (chosen()), text: area.value }) }
}
