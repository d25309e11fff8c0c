/** How long a text is: as the server counts it, and as somebody reads it. Pure. */

/**
 * Words read in a minute, and for scripts without spaces characters: means of adult readers in
 * Trauzettel-Klosinski, Dietz and the IReST group, "Standardized assessment of reading
 * performance: the new international reading speed texts IReST", IOVS 53 (2012), table 2.
 * Of languages they did not measure we take the mean of those written alike.
 */
const WORDS_A_MINUTE = /** @type {Record<string, number>} */ ({
  ar: 138, de: 179, en: 228, es: 218, fi: 161, fr: 195, he: 187, it: 188, nl: 202, pl: 166, pt: 181,
  ru: 184, sl: 180, sv: 199, tr: 166,
})
const OTHER_WORDS_A_MINUTE = 184
const CHARACTERS_A_MINUTE = /** @type {Record<string, number>} */ ({ ja: 357, zh: 255 })
const OTHER_CHARACTERS_A_MINUTE = 306

const SPACELESS = /[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{3ffff}]/gu
const WORD = /[\p{L}\p{N}\p{M}]+(?:['’\u2011-][\p{L}\p{N}\p{M}]+)*/gu

/** The text as the server keeps it. @param {string} text */
export const stored = (text) => text.replace(/\r\n?|\u0085/g, '\n').normalize('NFC').trim()

/** Characters of a text as the server counts them: code points of what it keeps. @param {string} text */
export const countCharacters = (text) => [...stored(text)].length

/** What is read of a text: ruby as its base, links as their words. @param {string} text */
export const readable = (text) => text
  .replace(/\{([^{}|\n]+)\|[^{}|\n]+\}/g, '$1')
  .replace(/\[([^\]\n]*)\]\([^)\n]*\)/g, '$1')
  .replace(/^ {0,3}(?:>|#{1,6}|[-+*]|\d{1,9}[.)]) +/gm, '')
  .replace(/[*_`]+/g, '')

/**
 * Seconds that somebody needs to read a text.
 * @param {string} text @param {string} language a BCP 47 tag
 */
export function readingSeconds(text, language) {
  const plain = readable(stored(text))
  const primary = language.split('-')[0].toLowerCase()
  const characters = plain.match(SPACELESS)?.length ?? 0
  const words = plain.replace(SPACELESS, ' ').match(WORD)?.length ?? 0
  const characterRate = CHARACTERS_A_MINUTE[primary] ?? OTHER_CHARACTERS_A_MINUTE
  const wordRate = WORDS_A_MINUTE[primary] ?? OTHER_WORDS_A_MINUTE
  return (characters / characterRate + words / wordRate) * 60
}

/**
 * A reading time worth saying: seconds by fives, minutes by halves.
 * @param {number} seconds @returns {{unit: 'seconds' | 'minutes', value: number} | null}
 */
export function readingWords(seconds) {
  if (seconds < 3) return null
  if (seconds < 57.5) return { unit: 'seconds', value: Math.max(5, Math.round(seconds / 5) * 5) }
  return { unit: 'minutes', value: seconds < 600 ? Math.round(seconds / 30) / 2 : Math.round(seconds / 60) }
}

/**
 * How a length stands to what is advised and allowed.
 * @param {number} length @param {number | null} advise @param {number | null} max
 * @returns {{state: 'fits' | 'long' | 'over', by: number}}
 */
export function judge(length, advise, max) {
  if (max !== null && length > max) return { state: 'over', by: length - max }
  if (advise !== null && length > advise) return { state: 'long', by: length - advise }
  return { state: 'fits', by: 0 }
}
