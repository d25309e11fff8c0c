/** The glossary: terms in the order of their language, with an index beside them. */

import { h } from '../dom.js'
import { languageNote, languageOf, text, titleOf } from '../context.js'
import { filterButtons } from '../parts/filter.js'
import { normalise } from '../text/normalise.js'
import { plainText } from '../text/richtext.js'
import { jumpTo } from './timeline.js'

/**
 * @typedef {import('../context.js').Context} Context
 * @typedef {import('../release.js').Entry} Entry
 */

const KANA_ROWS = [...'あかさたなはまやらわ']
/** First character, in the pinyin order of the platform, of each initial that has any. */
const PINYIN = [...'阿八嚓哒妸发旮哈讥咔垃痳拏噢妑七呥扨它穵夕丫帀']
const PINYIN_LETTERS = [...'ABCDEFGHJKLMNOPQRSTWXYZ']

/**
 * The heading under which a term stands: a letter, a kana row, a pinyin initial.
 * @param {string} key reading or title
 * @param {string} language
 */
export function indexLetter(key, language) {
  const first = [...key.normalize('NFKC').trim()][0] ?? ''
  if (language.startsWith('ja')) {
    // katakana to hiragana, then without voicing marks
    const code = first.codePointAt(0) ?? 0
    const kana = (code >= 0x30a1 && code <= 0x30f6 ? String.fromCodePoint(code - 0x60) : first).normalize('NFD')[0]
    if (kana >= 'ぁ' && kana <= 'ん') return [...KANA_ROWS].reverse().find((row) => kana >= row) ?? 'あ'
  }
  if (language.startsWith('zh') && /\p{Script=Han}/u.test(first)) {
    const pinyin = new Intl.Collator('zh-u-co-pinyin')
    const at = PINYIN.findLastIndex((start) => pinyin.compare(start, first) <= 0)
    return PINYIN_LETTERS[Math.max(0, at)]
  }
  const plain = normalise(first)[0] ?? ''
  // a language that sorts ł apart from l heads it apart too
  const same = new Intl.Collator(language, { sensitivity: 'base' }).compare(first, plain) === 0
  const letter = same ? plain : first
  return /\p{L}/u.test(letter) ? letter.toLocaleUpperCase(language) : '#'
}

/** @param {Context} context @param {Entry[]} entries @param {unknown} _section @param {Record<string, string>} query */
export function glossaryView(context, entries, _section, query) {
  const { library } = context
  // Words shown in another language come last: nobody looks for them under its letters.
  const foreign = (/** @type {Entry} */ entry) => Number(library.titleLanguage(entry) !== library.language.tag)
  const sorted = [...entries].sort((a, b) => foreign(a) - foreign(b) || library.collator.compare(library.sortKey(a), library.sortKey(b)))
  const letters = h('ul.letters__list', { role: 'list' })
  const body = h('div.terms')
  const fill = (/** @type {string} */ domain) => {
    /** @type {Map<string, Entry[]>} */
    const groups = new Map()
    for (const entry of sorted) {
      if (domain && entry.fields.domain !== domain) continue
      // a term that is shown in another language is filed by that language's letters
      const letter = indexLetter(library.sortKey(entry), library.titleLanguage(entry))
      groups.set(letter, [...(groups.get(letter) ?? []), entry])
    }
    letters.replaceChildren(...[...groups.keys()].map((letter) => h('li', null,
      h('button.letters__button', { type: 'button', onclick: () => jumpTo(`letter-${letter}`) }, letter))))
    body.replaceChildren(...[...groups].map(([letter, members]) => h('section.letter', { 'aria-labelledby': `letter-${letter}` },
      h('h2.letter__name', { id: `letter-${letter}`, tabindex: -1 }, letter),
      h('ul.letter__terms', { role: 'list' }, members.map((entry) => term(context, entry))))))
  }
  fill(query.domain ?? '')
  return [
    h('div.tools', null, filterButtons(context, entries, 'domain', fill)),
    h('div.glossary', null, h('nav.letters', { 'aria-label': context.t('index') }, letters), body),
  ]
}

/** @param {Context} context @param {Entry} entry */
function term(context, entry) {
  const { library } = context
  const reading = plainText(entry.fields.reading)
  return h('li.term', { id: `term-${entry.id}`, 'data-anchor': `entry-${entry.id}` },
    h('h3.term__name', null, h('a.term__link', { href: context.href({ page: 'entry', id: entry.id }) }, titleOf(context, entry))),
    reading && h('p.term__reading', languageOf(context, entry.in?.reading), reading),
    languageNote(context, library.titleLanguage(entry)),
    text(context, entry, 'definition', 'div.term__definition'),
    entry.fields.domain && h('p.term__domain', null, library.choiceLabel(entry.type, 'domain', entry.fields.domain)))
}
