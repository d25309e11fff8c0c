/**
 * WebVTT and SubRip, read and written. Pure. Times are whole milliseconds.
 *
 * What the editor does not show (cue ids, settings, notes, styles, regions) is kept.
 */

/**
 * @typedef {{start: number, end: number, text: string, id: string, settings: string, notes: string[]}} Cue
 * @typedef {{head: string, preamble: string[], cues: Cue[], tail: string[]}} Track
 * `head` is what follows WEBVTT on its line; `preamble` are style and region blocks, which stand
 * before all cues; a cue's `notes` stand before it; `tail` are notes after the last cue.
 */

const TIME = /^(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d)(?:[.,](\d{1,3}))?$/
const ARROW = /^\s*((?:\d+:)?\d{1,2}:\d{1,2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{1,2}[.,]\d{1,3})[ \t]*(.*?)\s*$/

/** A file that cannot be read; `line` counts from 1. */
export class TrackUnreadable extends Error {
  /** @param {number} line @param {string} found */
  constructor(line, found) {
    super(`line ${line}: ${found}`)
    this.line = line
    this.found = found
  }
}

/** @returns {Track} */
export const emptyTrack = () => ({ head: '', preamble: [], cues: [], tail: [] })

/** Milliseconds of `01:02.5`, `1:02:03.500` or `00:01,000`; null if it is no time. @param {string} text */
export function parseTime(text) {
  const found = TIME.exec(text.trim())
  if (!found) return null
  const [, hours, minutes, seconds, part] = found
  return ((Number(hours ?? 0) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
    + Number((part ?? '').padEnd(3, '0') || 0)
}

/** `00:01.000`, or `01:00:01.000` from an hour on. @param {number} milliseconds */
export function formatTime(milliseconds) {
  const whole = Math.max(0, Math.round(milliseconds))
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0')
  const hours = Math.floor(whole / 3_600_000)
  const rest = `${two(Math.floor(whole / 60_000) % 60)}:${two(Math.floor(whole / 1000) % 60)}.${String(whole % 1000).padStart(3, '0')}`
  return hours ? `${two(hours)}:${rest}` : rest
}

/**
 * Read WebVTT or SubRip.
 * @param {string} source @returns {Track}
 * @throws {TrackUnreadable}
 */
export function parse(source) {
  const text = source.replace(/^\ufeff/, '').replaceAll('\0', '\ufffd').replace(/\r\n?/g, '\n')
  const track = emptyTrack()
  const lines = text.split('\n')
  let at = 0
  const first = /^WEBVTT(?:[ \t](.*))?$/.exec(lines[0] ?? '')
  if (first) {
    track.head = (first[1] ?? '').trim()
    at = 1
    // Some programs write `Kind: captions` below WEBVTT; the standard has no such lines.
    while (at < lines.length && lines[at].trim() !== '' && !lines[at].includes('-->')) at += 1
  }
  /** @type {string[]} */
  let notes = []
  while (at < lines.length) {
    if (lines[at].trim() === '') { at += 1; continue }
    const began = at
    while (at < lines.length && lines[at].trim() !== '') at += 1
    const block = lines.slice(began, at)
    if (!block[0].includes('-->') && /^(NOTE|STYLE|REGION)(\s|$)/.test(block[0])) {
      const kept = block.join('\n')
      if (block[0].startsWith('NOTE') || track.cues.length) notes.push(kept)
      else track.preamble.push(...notes.splice(0), kept)
      continue
    }
    const arrow = block[0].includes('-->') ? 0 : 1
    const found = ARROW.exec(block[arrow] ?? '')
    const start = found ? parseTime(found[1]) : null
    const end = found ? parseTime(found[2]) : null
    if (!found || start === null || end === null) {
      throw new TrackUnreadable(began + arrow + 1, (block[arrow] ?? block[0]).slice(0, 60))
    }
    // SubRip numbers its cues; the numbers say nothing.
    const id = arrow === 1 && (first || !/^\d+$/.test(block[0].trim())) ? block[0] : ''
    track.cues.push({ start, end, text: block.slice(arrow + 1).join('\n'), id, settings: first ? found[3] : '', notes })
    notes = []
  }
  track.tail = notes
  return track
}

/** Write WebVTT, its cues in the order of their start. @param {Track} track */
export function serialise(track) {
  const blocks = [track.head ? `WEBVTT ${track.head}` : 'WEBVTT', ...track.preamble]
  for (const cue of inOrder(track.cues)) {
    blocks.push(...cue.notes)
    const id = cue.id ? [cue.id] : []
    const settings = cue.settings ? ` ${cue.settings}` : ''
    blocks.push([...id, `${formatTime(cue.start)} --> ${formatTime(cue.end)}${settings}`, ...payload(cue.text)].join('\n'))
  }
  return `${[...blocks, ...track.tail].join('\n\n')}\n`
}

/** @param {Cue[]} cues */
export const inOrder = (cues) => [...cues].sort((one, other) => one.start - other.start)

/** The lines of a cue: no empty one, which would end it, and no arrow. @param {string} text */
const payload = (text) =>
  text.replace(/\r\n?/g, '\n').split('\n').map((line) => line.trim().replaceAll('-->', '→')).filter(Boolean)
