/**
 * Dates of unequal precision: `1720`, `1720-02`, `1720-02-03`. Only the parts that are
 * known are shown; nothing is filled in.
 */

/**
 * @typedef {{year: number, month: number | null, day: number | null}} PartialDate
 */

/**
 * @param {unknown} text
 * @returns {PartialDate | null} null when it is not such a date
 */
export function parsePartialDate(text) {
  const match = typeof text === 'string' && /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?:T.*)?$/.exec(text)
  if (!match) return null
  const [year, month, day] = [Number(match[1]), match[2] ? Number(match[2]) : null, match[3] ? Number(match[3]) : null]
  if (month !== null && (month < 1 || month > 12)) return null
  if (day !== null && (day < 1 || day > 31)) return null
  return { year, month, day }
}

/** Languages whose readers expect another tag for dates: Morocco writes western digits. */
const DATE_TAGS = { ar: 'ar-MA-u-nu-latn', en: 'en-GB', zh: 'zh-Hans-CN' }

/** @param {string} language */
export const dateTag = (language) => DATE_TAGS[/** @type {'ar'} */ (language.split('-')[0])] ?? language

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map()

/** @param {string} language @param {PartialDate} date */
function formatFor(language, date) {
  const precision = date.day ? 'day' : date.month ? 'month' : 'year'
  const key = `${language} ${precision}`
  let format = formats.get(key)
  if (!format) {
    // the Gregorian year in every language: Buddhist or Hijri calendars would surprise here
    format = new Intl.DateTimeFormat(dateTag(language), {
      calendar: 'gregory', timeZone: 'UTC', year: 'numeric',
      month: precision === 'year' ? undefined : 'long', day: precision === 'day' ? 'numeric' : undefined,
    })
    formats.set(key, format)
  }
  return format
}

/** @param {PartialDate} date */
const instant = (date) => new Date(Date.UTC(date.year, (date.month ?? 1) - 1, date.day ?? 1))

/**
 * @param {unknown} text
 * @param {string} language
 * @returns {string} '' when `text` is no date
 */
export function formatDate(text, language) {
  const date = parsePartialDate(text)
  return date ? formatFor(language, date).format(instant(date)) : ''
}

/**
 * A stretch of days, months or years. Two of the same precision share what they have in
 * common (3–5 June 2020); two unlike ones are written out.
 * @param {unknown} start
 * @param {unknown} end
 * @param {string} language
 */
export function formatDates(start, end, language) {
  const [first, last] = [parsePartialDate(start), parsePartialDate(end)]
  if (!first || !last || start === end) return formatDate(start, language) || formatDate(end, language)
  const same = (first.day === null) === (last.day === null) && (first.month === null) === (last.month === null)
  if (!same || instant(first) > instant(last)) return `${formatDate(start, language)} – ${formatDate(end, language)}`
  // the platform writes Japanese ranges in digits and slashes, unlike every other date here
  if (language.startsWith('ja')) return `${formatDate(start, language)}〜${formatDate(end, language)}`
  return formatFor(language, first).formatRange(instant(first), instant(last))
}

/** @param {number} year */
export const centuryOf = (year) => Math.floor((year - 1) / 100) + 1

/** @param {number} year */
export const decadeOf = (year) => Math.floor(year / 10) * 10

/** @param {number} number 1 to 39 */
export function roman(number) {
  const tens = ['', 'X', 'XX', 'XXX'][Math.floor(number / 10)]
  return tens + ['', 'I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII', 'IX'][number % 10]
}

/**
 * Whether a date has passed: `2028-06-30` has once that day is over.
 * @param {unknown} text
 * @param {string} today `YYYY-MM-DD`
 */
export const isPast = (text, today) => typeof text === 'string' && text.slice(0, 10) < today.slice(0, Math.min(10, text.length))

/**
 * Today where the device stands.
 * @param {Date} [now]
 */
export function localDay(now = new Date()) {
  const two = (/** @type {number} */ number) => String(number).padStart(2, '0')
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`
}
