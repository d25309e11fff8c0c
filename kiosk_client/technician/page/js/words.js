/** The page's words, numbers and times in the language chosen here. */

import { catalogueFor, makeStrings } from '../../js/text/strings.js'

/** Languages of this page, each in its own name. */
export const LANGUAGES = [
  ['ar', 'العربية', 'rtl'], ['de', 'Deutsch', 'ltr'], ['en', 'English', 'ltr'], ['fr', 'Français', 'ltr'],
  ['ja', '日本語', 'ltr'], ['nl', 'Nederlands', 'ltr'], ['pl', 'Polski', 'ltr'], ['pt-BR', 'Português (Brasil)', 'ltr'],
  ['zh-Hans', '简体中文', 'ltr'],
]

/** @typedef {Awaited<ReturnType<typeof loadWords>>} Words */

/** @param {string} tag */
export async function loadWords(tag) {
  const name = catalogueFor(tag)
  const read = (/** @type {string} */ each) => fetch(new URL(`../i18n/${each}.json`, import.meta.url)).then((answer) => answer.json())
  const [own, english] = await Promise.all([read(name), read('en')])
  const { t } = makeStrings(name, own, english)
  const known = (/** @type {string} */ key) => key in english
  const UNITS = /** @type {const} */ ([['gigabyte', 1e9], ['megabyte', 1e6], ['kilobyte', 1e3], ['byte', 1]])
  const bytes = (/** @type {number} */ size) => {
    const [unit, scale] = UNITS.find((each) => size >= each[1]) ?? UNITS[3]
    return new Intl.NumberFormat(name, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: scale > 1e3 ? 1 : 0 }).format(size / scale)
  }
  const duration = (/** @type {number} */ seconds) => {
    const [unit, scale] = seconds < 100 ? ['second', 1] : seconds < 6000 ? ['minute', 60] : ['hour', 3600]
    return new Intl.NumberFormat(name, { style: 'unit', unit: String(unit), unitDisplay: 'long', maximumFractionDigits: 0 }).format(Math.max(1, Math.ceil(seconds / Number(scale))))
  }
  const time = (/** @type {string} */ stamp) => new Intl.DateTimeFormat(name, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(stamp))
  /** How each value of a line is written. @type {Record<string, (value: any) => string>} */
  const WRITE = {
    bytes, free: bytes, done: bytes, total: bytes, rate: bytes, seconds: duration, at: time, floor: time, server: time, here: time,
    reason: (key) => t(known(key) ? key : 'error.failed'), release: String, status: String, port: String,
  }
  return {
    tag: name,
    dir: LANGUAGES.find(([each]) => each === name)?.[2] ?? 'ltr',
    t,
    bytes,
    duration,
    /** A line of the device in words. @param {{key: string, values?: Record<string, any>}} line */
    line({ key, values = {} }) {
      const written = Object.fromEntries(Object.entries(values).map(([each, value]) => [each, value === null ? '' : (WRITE[each] ?? ((x) => x))(value)]))
      return t(known(key) ? key : 'error.failed', { ...written, ...('days' in values ? { n: values.days } : {}), ...('restarts' in values ? { n: values.restarts } : {}) })
    },
  }
}
