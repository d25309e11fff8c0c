/**
 * What the toolbar does to a text: from a text and what is selected to one replacement. Pure.
 * One replacement, so that it is one step of the browser's own undo.
 *
 * @typedef {{text: string, start: number, end: number}} Selected
 * @typedef {{from: number, to: number, insert: string, start: number, end: number}} Edit
 *   replace [from, to) by `insert`, then select [start, end) of the new text
 */

const ADDRESS = /^(?:https?:\/\/|mailto:)\S+$/i

/** Put marks around what is selected, or take them away. @param {Selected} at @param {string} mark @returns {Edit} */
function around({ text, start, end }, mark) {
  const size = mark.length
  const before = text.slice(0, start)
  const after = text.slice(end)
  const inside = text.slice(start, end)
  if (isMarked(before, mark, true) && isMarked(after, mark, false)) {
    return { from: start - size, to: end + size, insert: inside, start: start - size, end: end - size }
  }
  if (inside.length > 2 * size && isMarked(inside, mark, false) && isMarked(inside, mark, true)) {
    const bare = inside.slice(size, -size)
    return { from: start, to: end, insert: bare, start, end: start + bare.length }
  }
  // Marks beside a space are no marks: leave the white space of the selection outside.
  const lead = inside.length - inside.trimStart().length
  const core = inside.trim()
  const insert = inside.slice(0, lead) + mark + core + mark + inside.slice(lead + core.length)
  const from = start + lead + size
  return { from: start, to: end, insert, start: from, end: from + core.length }
}

/** Whether a text ends (or begins) with just this mark: `**` is no `*`. @param {string} text @param {string} mark @param {boolean} atEnd */
function isMarked(text, mark, atEnd) {
  const sign = mark[0]
  let run = 0
  while (run < text.length && text.at(atEnd ? -1 - run : run) === sign) run += 1
  return run === mark.length || run === 3
}

/** @param {Selected} at @returns {Edit} */
function link({ text, start, end }) {
  const inside = text.slice(start, end)
  if (ADDRESS.test(inside)) {
    const insert = `[](${inside})`
    return { from: start, to: end, insert, start: start + 1, end: start + 1 }
  }
  const insert = `[${inside}](https://)`
  const address = start + inside.length + 3
  return inside
    ? { from: start, to: end, insert, start: address, end: address + 8 }
    : { from: start, to: end, insert, start: start + 1, end: start + 1 }
}

/** @param {Selected} at @returns {Edit} */
function ruby({ text, start, end }) {
  const inside = text.slice(start, end).replace(/[{}|\n]/g, '')
  const insert = `{${inside}|}`
  const caret = inside ? start + insert.length - 1 : start + 1
  return { from: start, to: end, insert, start: caret, end: caret }
}

/** Begin every line with `sign`, or take it away where all have it. @param {Selected} at @param {string} sign @returns {Edit} */
function lines({ text, start, end }, sign) {
  const from = text.lastIndexOf('\n', start - 1) + 1
  const next = text.indexOf('\n', Math.max(end - (end > start && text[end - 1] === '\n' ? 1 : 0), start))
  const to = next < 0 ? text.length : next
  const found = text.slice(from, to).split('\n')
  const bare = sign.trim()
  const has = (/** @type {string} */ line) => line.startsWith(bare) && (line[bare.length] === ' ' || line.length === bare.length)
  const wanted = found.filter((line) => line.trim())
  const insert = wanted.length && wanted.every(has)
    ? found.map((line) => (has(line) ? line.slice(bare.length).replace(/^ /, '') : line)).join('\n')
    : found.map((line) => (line.trim() || found.length === 1 ? sign + line : line)).join('\n')
  // A list or quote begins after an empty line, or it goes on with the paragraph before.
  const gap = from > 0 && insert.startsWith(sign) && text[from - 2] !== '\n' && text.slice(0, from).trim() && !has(lineBefore(text, from)) ? '\n' : ''
  const whole = gap + insert
  return start === end
    ? { from, to, insert: whole, start: from + whole.length, end: from + whole.length }
    : { from, to, insert: whole, start: from + gap.length, end: from + whole.length }
}

/** @param {string} text @param {number} from */
const lineBefore = (text, from) => text.slice(text.lastIndexOf('\n', from - 2) + 1, from - 1)

/** @type {Record<string, (at: Selected) => Edit>} */
export const COMMANDS = {
  bold: (at) => around(at, '**'),
  italic: (at) => around(at, '*'),
  link,
  ruby,
  list: (at) => lines(at, '- '),
  quote: (at) => lines(at, '> '),
}

/** The command of a key pressed with Ctrl or ⌘, or null. @param {string} key */
export const commandOf = (key) => ({ b: 'bold', i: 'italic', k: 'link' })[key.toLowerCase()] ?? null

/**
 * Which tool of a toolbar has the focus after a key; null: the key is none of ours.
 * @param {number} index @param {number} count @param {string} key @param {boolean} rtl
 */
export function toolAfter(index, count, key, rtl) {
  if (key === 'Home') return 0
  if (key === 'End') return count - 1
  const forward = rtl ? 'ArrowLeft' : 'ArrowRight'
  const back = rtl ? 'ArrowRight' : 'ArrowLeft'
  if (key === forward) return (index + 1) % count
  if (key === back) return (index - 1 + count) % count
  return null
}
