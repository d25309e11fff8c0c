/** Texts of a package or a section, a column a language. */

import { h } from '../widgets/dom.js'

/**
 * @typedef {{tag: string, name: string, words: string, dir: string}} Language
 * @typedef {{key: string, label: string, rows: number, max: number}} Kind
 */

/**
 * Fills `root` with a group of fields for each kind of text. Fields that stand there for the same
 * languages are kept, so that whoever types in one is not disturbed.
 * @param {HTMLElement} root @param {Kind[]} kinds @param {Language[]} languages @param {string} stem
 * @param {(key: string, tag: string) => string} read @param {(key: string, tag: string, text: string) => void} write
 * @param {boolean} readonly
 */
export function paintTexts(root, kinds, languages, stem, read, write, readonly) {
  const shape = JSON.stringify([stem, languages.map((language) => language.tag)])
  if (root.dataset.shape !== shape) {
    root.dataset.shape = shape
    root.replaceChildren(...kinds.map((kind) => group(kind, languages, stem, write, readonly)))
  }
  for (const control of root.querySelectorAll('[data-text]')) {
    const input = /** @type {HTMLInputElement} */ (control)
    const text = read(input.dataset.text ?? '', input.lang)
    if (input.value !== text) input.value = text
  }
}

/** @param {Kind} kind @param {Language[]} languages @param {string} stem @param {(key: string, tag: string, text: string) => void} write @param {boolean} readonly */
function group(kind, languages, stem, write, readonly) {
  return h('fieldset', { class: 'texts' }, h('legend', { class: 'field__label' }, kind.label), h('div', { class: 'texts__columns' },
    ...languages.map(({ tag, name, dir }) => {
      const id = `${stem}-${kind.key}-${tag}`
      const properties = {
        id, class: 'input', lang: tag, dir, maxlength: kind.max, 'data-text': kind.key, readonly, 'aria-label': `${kind.label}, ${name}`,
        oninput: (/** @type {Event} */ event) => write(kind.key, tag, /** @type {HTMLInputElement} */ (event.target).value),
      }
      return h('div', { class: 'texts__cell' },
        h('label', { for: id, class: 'small soft' }, h('bdi', { lang: tag, dir }, name), ` ${tag}`),
        kind.rows > 1 ? h('textarea', { ...properties, rows: kind.rows }) : h('input', { ...properties, type: 'text' }))
    })))
}
