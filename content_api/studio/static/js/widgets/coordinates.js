/** Coordinates as people write them: decimal, degrees and minutes, both at once. Pure. */

/** @typedef {{lat: number, lon: number}} Point */

/** Six decimals are a tenth of a metre. */
const DECIMALS = 6

const NUMBER = String.raw`\d{1,3}(?:[.,]\d+)?`
const ANGLE = new RegExp(
  String.raw`^\s*([NSEWO北南東西])?\s*([+−-]?)\s*(${NUMBER})(?:\s*[°º˚:d]\s*(?:(${NUMBER})\s*(?:['′’:m]\s*(?:(${NUMBER})\s*(?:["″”s]|''|′′)?)?)?)?|\s+(${NUMBER})(?:\s+(${NUMBER}))?)?\s*([NSEWO])?\s*$`, 'i')

/** @param {string | undefined} text */
const numberOf = (text) => (text === undefined ? 0 : Number(text.replace(',', '.')))

/**
 * Degrees of one coordinate, or null. `50.3`, `50,3`, `50°18′N`, `50 18 30`, `W 3° 5.5'`.
 * @param {string} text @param {'lat' | 'lon'} axis
 */
export function parseAngle(text, axis) {
  const found = ANGLE.exec(text)
  if (!found) return null
  const [, before, sign, degrees, minutes, seconds, spacedMinutes, spacedSeconds, behind] = found
  const letter = (before ?? behind ?? '').toUpperCase()
  if (before && behind) return null
  if (letter && !(axis === 'lat' ? 'NS北南' : 'EWO東西').includes(letter)) return null
  if (letter && sign) return null
  const min = numberOf(minutes ?? spacedMinutes)
  const sec = numberOf(seconds ?? spacedSeconds)
  if (min >= 60 || sec >= 60) return null
  const size = numberOf(degrees) + min / 60 + sec / 3600
  const negative = sign === '-' || sign === '−' || (letter !== '' && 'SWO南西'.includes(letter))
  const value = rounded(negative ? -size : size)
  return Math.abs(value) <= (axis === 'lat' ? 90 : 180) ? value : null
}

/**
 * A point in a text, or null: `50.3, 3.4`, `50,3 ; 3,4`, `50°18′N 3°24′E`, `geo:50.3,3.4`, or the
 * address of a map that names it.
 * @param {string} text @returns {Point | null}
 */
export function parsePoint(text) {
  const trimmed = text.trim()
  const address = /^(?:geo:|https?:\/\/\S*?(?:@|[?&#/](?:q|ll|mlat|map)=(?:\d{1,2}(?:\.\d+)?\/)?))(-?\d{1,3}\.\d+)(?:[,/]|&mlon=)\s*(-?\d{1,3}\.\d+)/i.exec(trimmed)
    ?? /^geo:(-?\d{1,3}(?:\.\d+)?),(-?\d{1,3}(?:\.\d+)?)/i.exec(trimmed)
  if (address) return pair(address[1], address[2])
  for (const [first, second] of halves(trimmed)) {
    const found = pair(first, second) ?? turned(first, second)
    if (found) return found
  }
  return null
}

/** Where a text may be cut in two coordinates, likeliest first. @param {string} text @returns {[string, string][]} */
function halves(text) {
  /** @type {[string, string][]} */
  const found = []
  const cut = (/** @type {number} */ at, /** @type {number} */ size) => found.push([text.slice(0, at), text.slice(at + size)])
  const semicolon = text.search(/[;/|\t]/)
  if (semicolon > 0) cut(semicolon, 1)
  for (const match of text.matchAll(/,\s+/g)) cut(match.index, match[0].length)
  const letter = /[NSEWO北南東西](?=[\s,;]*[\dNSEWO北南東西])/i.exec(text)
  if (letter && letter.index > 0) found.push([text.slice(0, letter.index + 1), text.slice(letter.index + 1).replace(/^[\s,;]+/, '')])
  const commas = [...text.matchAll(/,/g)]
  if (commas.length === 1) cut(commas[0].index, 1)
  const spaces = [...text.matchAll(/\s+/g)]
  if (spaces.length === 1) cut(spaces[0].index, spaces[0][0].length)
  else if (spaces.length > 1) {
    const middle = /\s+(?=[+−-]?\d+(?:[.,]\d+)?\s*°|[EWO]\s*\d)/gi
    middle.lastIndex = 1
    for (const match of text.matchAll(middle)) cut(match.index, match[0].length)
  }
  return found
}

/** @param {string} first @param {string} second @returns {Point | null} */
function pair(first, second) {
  const lat = parseAngle(first, 'lat')
  const lon = parseAngle(second, 'lon')
  return lat === null || lon === null ? null : { lat, lon }
}

/** Longitude first, where letters say so. @param {string} first @param {string} second @returns {Point | null} */
function turned(first, second) {
  if (!/[EWO東西]/i.test(first) || !/[NS北南]/i.test(second)) return null
  return pair(second, first)
}

/** @param {number} value */
export const rounded = (value) => Math.round(value * 10 ** DECIMALS) / 10 ** DECIMALS

/** A longitude between -180 and 180, however often a map was turned. @param {number} lon */
export const wrapped = (lon) => rounded(((((lon + 180) % 360) + 360) % 360) - 180)

/** @param {number} lat */
export const bounded = (lat) => rounded(Math.min(90, Math.max(-90, lat)))

/** What a number of a camera may be, in degrees and metres. */
export const LIMITS = /** @type {Record<string, [number, number]>} */ ({
  lat: [-90, 90], lon: [-180, 180], altitude: [-12_000, 1e8], heading: [-360, 360], tilt: [0, 180], range: [0, 1e8],
})

/**
 * The value of one part: a number, null for nothing, or undefined for what is no such number.
 * @param {string} part @param {string} text
 */
export function partValue(part, text) {
  if (!text.trim()) return null
  if (part === 'lat' || part === 'lon') return parseAngle(text, part) ?? undefined
  const plain = text.trim().replace(/[\s\u202f\u00a0]/g, '').replace('−', '-').replace(',', '.')
  if (!/^[+-]?\d+(?:\.\d+)?$/.test(plain)) return undefined
  const value = Number(plain)
  const [low, high] = LIMITS[part]
  return value >= low && value <= high ? value : undefined
}

/**
 * What a control holds for its parts: '' for nothing, JSON, or null while it is not whole.
 * @param {Record<string, number | null | undefined>} parts
 */
export function valueOf(parts) {
  const given = Object.entries(parts)
  if (given.some(([, value]) => value === undefined)) return null
  const said = given.filter(([, value]) => value !== null)
  if (!said.length) return ''
  if (parts.lat === null || parts.lon === null) return null
  return JSON.stringify(Object.fromEntries(said))
}

/** Map markers are moved by keys: pixels of one step. @param {string} key @param {boolean} shift @returns {[number, number] | null} */
export function stepOf(key, shift) {
  const size = shift ? 1 : 10
  return /** @type {Record<string, [number, number]>} */ ({
    ArrowLeft: [-size, 0], ArrowRight: [size, 0], ArrowUp: [0, -size], ArrowDown: [0, size],
  })[key] ?? null
}
