/**
 * The ordered tree of a package: sections that hold entries, then sections. Pure: every change
 * gives a new tree, or null where it is not allowed. Keys that are not known here are kept.
 *
 * @typedef {{id: string, view: string, title?: Record<string, string>,
 *   summary?: Record<string, string>, entries?: string[], sections?: Section[]}} Section
 * @typedef {{kind: 'section', section: string} | {kind: 'entry', section: string, entry: string}} Spot
 * @typedef {Spot & {depth: number, index: number, size: number, parent: string | null}} Row
 */

/** Sections inside sections inside sections, and no deeper: the player shows no more. */
export const MOST_DEEP = 3

/** @param {Section} section */
const entriesOf = (section) => section.entries ?? []
/** @param {Section} section */
const insideOf = (section) => section.sections ?? []

/** A spot as text, to compare and to find rows by. @param {Spot} spot */
export const keyOf = (spot) => (spot.kind === 'entry' ? `${spot.section}/${spot.entry}` : spot.section)

/**
 * The rows a person sees, in order; what is inside sections of `closed` is left out.
 * @param {Section[]} sections @param {Set<string>} [closed]
 * @returns {Row[]}
 */
export function rowsOf(sections, closed = new Set()) {
  /** @type {Row[]} */
  const rows = []
  /** @param {Section[]} list @param {number} depth @param {string | null} parent */
  const walk = (list, depth, parent) => {
    list.forEach((section, index) => {
      const offset = parent === null ? 0 : entriesOf(/** @type {Section} */ (find(sections, parent))).length
      rows.push({ kind: 'section', section: section.id, depth, index: offset + index, size: offset + list.length, parent })
      if (closed.has(section.id)) return
      const size = entriesOf(section).length + insideOf(section).length
      entriesOf(section).forEach((entry, place) => {
        rows.push({ kind: 'entry', section: section.id, entry, depth: depth + 1, index: place, size, parent: section.id })
      })
      walk(insideOf(section), depth + 1, section.id)
    })
  }
  walk(sections, 1, null)
  return rows
}

/** The section called `id`. @param {Section[]} sections @param {string} id @returns {Section | null} */
export function find(sections, id) {
  for (const section of sections) {
    const found = section.id === id ? section : find(insideOf(section), id)
    if (found) return found
  }
  return null
}

/** Every section, a parent before what is inside it. @param {Section[]} sections @returns {Section[]} */
export const allSections = (sections) => sections.flatMap((section) => [section, ...allSections(insideOf(section))])

/** Where a section stands: its brothers, its place, and its parent. @param {Section[]} sections @param {string} id @param {Section | null} [parent] @returns {{brothers: Section[], index: number, parent: Section | null, depth: number} | null} */
export function placeOf(sections, id, parent = null, depth = 1) {
  const index = sections.findIndex((section) => section.id === id)
  if (index >= 0) return { brothers: sections, index, parent, depth }
  for (const section of sections) {
    const found = placeOf(insideOf(section), id, section, depth + 1)
    if (found) return found
  }
  return null
}

/** How many levels a section and what is inside it take. @param {Section} section @returns {number} */
export const heightOf = (section) => 1 + Math.max(0, ...insideOf(section).map(heightOf))

/** A copy in which one section is another. @param {Section[]} sections @param {string} id @param {(section: Section) => Section | Section[] | null} change @returns {Section[]} */
export function withSection(sections, id, change) {
  return sections.flatMap((section) => {
    if (section.id === id) return change(section) ?? []
    if (!find(insideOf(section), id)) return section
    return { ...section, sections: withSection(insideOf(section), id, change) }
  })
}

/** @param {Section[]} sections @param {string} id @param {string[]} entries */
const withEntries = (sections, id, entries) => withSection(sections, id, (section) => ({ ...section, entries }))

/** @template T @param {T[]} list @param {number} index @param {T[]} more */
const inserted = (list, index, more) => [...list.slice(0, index), ...more, ...list.slice(index)]

/** Without a section or an entry. @param {Section[]} sections @param {Spot} spot @returns {Section[]} */
export function removed(sections, spot) {
  if (spot.kind === 'section') return withSection(sections, spot.section, () => null)
  const section = find(sections, spot.section)
  return section ? withEntries(sections, spot.section, entriesOf(section).filter((id) => id !== spot.entry)) : sections
}

/**
 * With a section at the end of `parent`, or of the whole. Null where it would be too deep.
 * @param {Section[]} sections @param {Section} section @param {string | null} parent
 * @returns {Section[] | null}
 */
export function withNewSection(sections, section, parent) {
  if (parent === null) return [...sections, section]
  const place = placeOf(sections, parent)
  if (!place || place.depth + heightOf(section) > MOST_DEEP) return null
  return withSection(sections, parent, (found) => ({ ...found, sections: [...insideOf(found), section] }))
}

/** With entries at the end of a section; those it has stay where they are. @param {Section[]} sections @param {string} id @param {string[]} more @returns {Section[]} */
export function withMoreEntries(sections, id, more) {
  const section = find(sections, id)
  if (!section) return sections
  return withEntries(sections, id, [...new Set([...entriesOf(section), ...more])])
}

/** An id that no section has, made of `words`. @param {Section[]} sections @param {string} words */
export function freshSectionId(sections, words) {
  const taken = new Set(allSections(sections).map((section) => section.id))
  const stem = words.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
    .replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 50).replace(/-+$/, '') || 'section'
  if (!taken.has(stem)) return stem
  for (let number = 2; ; number += 1) if (!taken.has(`${stem}-${number}`)) return `${stem}-${number}`
}

/**
 * Move by one key: `up`, `down`, `in` (into the section above) or `out`. An entry at the end of
 * its section goes on into the next one. The new tree and where the thing is now; null: no room.
 * @param {Section[]} sections @param {Spot} spot @param {'up' | 'down' | 'in' | 'out'} way
 * @returns {{sections: Section[], spot: Spot} | null}
 */
export function moved(sections, spot, way) {
  return spot.kind === 'entry' ? movedEntry(sections, spot, way) : movedSection(sections, spot, way)
}

/** @param {Section[]} sections @param {{kind: 'entry', section: string, entry: string}} spot @param {string} way @returns {{sections: Section[], spot: Spot} | null} */
function movedEntry(sections, spot, way) {
  const all = allSections(sections)
  const at = all.findIndex((section) => section.id === spot.section)
  if (at < 0 || way === 'in' || way === 'out') return null
  const step = way === 'up' ? -1 : 1
  const list = entriesOf(all[at])
  const index = list.indexOf(spot.entry)
  const place = index + step
  if (place >= 0 && place < list.length) {
    const entries = [...list]
    entries.splice(place, 0, ...entries.splice(index, 1))
    return { sections: withEntries(sections, spot.section, entries), spot }
  }
  // Sections that hold it already are passed over: it would stand there twice.
  let next = at + step
  while (all[next] && entriesOf(all[next]).includes(spot.entry)) next += step
  if (!all[next]) return null
  const left = removed(sections, spot)
  const target = all[next].id
  const there = entriesOf(all[next])
  const entries = step < 0 ? [...there, spot.entry] : [spot.entry, ...there]
  return { sections: withEntries(left, target, entries), spot: { ...spot, section: target } }
}

/** @param {Section[]} sections @param {Spot} spot @param {string} way @returns {{sections: Section[], spot: Spot} | null} */
function movedSection(sections, spot, way) {
  const place = placeOf(sections, spot.section)
  if (!place) return null
  const { brothers, index, parent, depth } = place
  const section = brothers[index]
  if (way === 'up' || way === 'down') {
    const other = index + (way === 'up' ? -1 : 1)
    if (other < 0 || other >= brothers.length) return null
    const list = [...brothers]
    list.splice(other, 0, ...list.splice(index, 1))
    const next = parent ? withSection(sections, parent.id, (found) => ({ ...found, sections: list })) : list
    return { sections: next, spot }
  }
  const without = removed(sections, spot)
  if (way === 'in') {
    const before = brothers[index - 1]
    if (!before || depth + heightOf(section) > MOST_DEEP) return null
    const next = withNewSection(without, section, before.id)
    return next && { sections: next, spot }
  }
  if (!parent) return null
  return { sections: withSection(without, parent.id, (found) => [found, section]), spot }
}

/**
 * Put a thing before, after or inside another, as a pointer does. Null where it cannot stand.
 * @param {Section[]} sections @param {Spot} spot @param {Spot} target @param {'before' | 'after' | 'inside'} where
 * @returns {{sections: Section[], spot: Spot} | null}
 */
export function put(sections, spot, target, where) {
  if (keyOf(spot) === keyOf(target) && spot.kind === target.kind) return null
  return spot.kind === 'entry' ? putEntry(sections, spot, target, where) : putSection(sections, spot, target, where)
}

/** @param {Section[]} sections @param {{kind: 'entry', section: string, entry: string}} spot @param {Spot} target @param {string} where @returns {{sections: Section[], spot: Spot} | null} */
function putEntry(sections, spot, target, where) {
  const goal = find(sections, target.section)
  if (!goal || (target.kind === 'section' && where === 'before')) return null
  if (goal.id !== spot.section && entriesOf(goal).includes(spot.entry)) return null
  const left = removed(sections, spot)
  const there = entriesOf(/** @type {Section} */ (find(left, goal.id)))
  // On a section's own row: its first entry, the place right below.
  let index = where === 'inside' ? there.length : 0
  if (target.kind === 'entry') index = there.indexOf(target.entry) + (where === 'after' ? 1 : 0)
  return {
    sections: withEntries(left, goal.id, inserted(there, index, [spot.entry])),
    spot: { ...spot, section: goal.id },
  }
}

/** @param {Section[]} sections @param {Spot} spot @param {Spot} target @param {string} where @returns {{sections: Section[], spot: Spot} | null} */
function putSection(sections, spot, target, where) {
  const section = find(sections, spot.section)
  if (!section || find([section], target.section)) return null
  const inside = where === 'inside' || target.kind === 'entry'
  const place = placeOf(sections, target.section)
  if (!place) return null
  const depth = inside ? place.depth + 1 : place.depth
  if (depth + heightOf(section) - 1 > MOST_DEEP) return null
  const left = removed(sections, spot)
  if (inside) {
    const next = withNewSection(left, section, target.section)
    return next && { sections: next, spot }
  }
  const next = withSection(left, target.section, (found) => (where === 'before' ? [section, found] : [found, section]))
  return { sections: next, spot }
}
