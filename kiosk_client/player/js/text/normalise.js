/**
 * Makes two spellings of a word the same for searching: width, case, accents, Arabic
 * vowels, and the joiners that Japanese texts use as they like (languages differ on
 * ランス＝パ and ランス・パ). Never used for what is shown.
 */

/** Letters that Unicode does not decompose. */
const LETTERS = new Map(Object.entries({
  ł: 'l', ø: 'o', đ: 'd', ð: 'd', þ: 'th', ß: 'ss', æ: 'ae', œ: 'oe', ı: 'i', ħ: 'h',
  أ: 'ا', إ: 'ا', آ: 'ا', ٱ: 'ا', ى: 'ي', ئ: 'ي', ؤ: 'و', ة: 'ه', ک: 'ك', ی: 'ي',
}))

/** Latin, Greek and Cyrillic accents; Arabic vowels, superscript alef and tatweel. */
const MARKS = /[\u0300-\u036f\u064b-\u065f\u0670\u06d6-\u06ed\u0640]/u
const JOINERS = /[＝゠・･=\u200b-\u200f\u2060\ufeff]/u
const SPACES = /[\s\u2010-\u2015\-'’`´.,:;!?«»“”"„()（）［］[\]、。，！？：；／/]/u
/** A voiced sound mark is a letter of kana, not an accent. */
const KANA_MARK = /[\u3099\u309a]/u

/**
 * @param {string} text
 * @returns {{text: string, map: number[]}} `map[i]` is the index in the source, in UTF-16
 *   units, that character i of the result came from; one more entry marks the end
 */
export function normaliseWithMap(text) {
  let result = ''
  /** @type {number[]} */
  const map = []
  const put = (/** @type {string} */ character, /** @type {number} */ at) => {
    if (character === ' ' && (result === '' || result.endsWith(' '))) return
    for (let unit = 0; unit < character.length; unit += 1) map.push(at)
    result += character
  }
  let at = 0
  for (const character of text) {
    for (const part of character.normalize('NFKC').toLowerCase().normalize('NFD')) {
      if (MARKS.test(part) || JOINERS.test(part)) continue
      // a half-width kana and its sound mark are two characters: join them again
      if (KANA_MARK.test(part) && result) {
        result = result.slice(0, -1) + (result.slice(-1) + part).normalize('NFC')
        continue
      }
      put(SPACES.test(part) ? ' ' : LETTERS.get(part) ?? part, at)
    }
    at += character.length
  }
  if (result.endsWith(' ')) {
    result = result.slice(0, -1)
    map.pop()
  }
  map.push(text.length)
  return { text: result, map }
}

/** @param {string} text */
export const normalise = (text) => normaliseWithMap(text).text

/**
 * The words of a query; scripts without spaces give one.
 * @param {string} query
 */
export const queryWords = (query) => normalise(query).split(' ').filter(Boolean)

/**
 * Cut `text` where the words occur, so that a page can mark them.
 * @param {string} text
 * @param {string[]} words normalised
 * @returns {{text: string, hit: boolean}[]}
 */
export function highlight(text, words) {
  const { text: plain, map } = normaliseWithMap(text)
  /** @type {[number, number][]} */
  const hits = []
  for (const word of words) {
    for (let from = plain.indexOf(word); word && from >= 0; from = plain.indexOf(word, from + word.length)) {
      hits.push([map[from], endOf(map, from + word.length, text)])
    }
  }
  hits.sort((a, b) => a[0] - b[0])
  /** @type {{text: string, hit: boolean}[]} */
  const parts = []
  let done = 0
  for (const [start, end] of hits) {
    if (start < done) continue
    if (start > done) parts.push({ text: text.slice(done, start), hit: false })
    parts.push({ text: text.slice(start, end), hit: true })
    done = end
  }
  if (done < text.length) parts.push({ text: text.slice(done), hit: false })
  return parts
}

/**
 * Where a hit that ends before normalised index `index` ends in the source: its last
 * character whole, with the marks that follow it.
 * @param {number[]} map @param {number} index @param {string} text
 */
function endOf(map, index, text) {
  const last = map[index - 1]
  let end = last + String.fromCodePoint(text.codePointAt(last) ?? 32).length
  while (end < text.length && MARKS.test(text[end])) end += 1
  return end
}
