/**
 * Two people's work on one package, put together part by part: a title in a language, the order
 * of a section's entries, the tree of sections, a setting. Pure.
 *
 * @typedef {Record<string, any>} Body
 */

/** Keys whose inside is merged value by value. */
const OPEN = ['title', 'summary', 'credits', 'theme', 'settings', 'shown']

/** @param {any} a @param {any} b */
export const same = (a, b) => canonical(a) === canonical(b)

/** JSON with sorted keys. @param {any} value @returns {string} */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value && typeof value === 'object') {
    return `{${Object.keys(value).filter((key) => value[key] !== undefined).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}

/**
 * A body as parts by path: `title.fr`, `sections.places.entries`, `tree` for how sections nest.
 * @param {Body} body @returns {Map<string, any>}
 */
export function partsOf(body) {
  /** @type {Map<string, any>} */
  const parts = new Map()
  for (const [key, value] of Object.entries(body)) {
    if (key === 'sections') continue
    if (OPEN.includes(key) && value && typeof value === 'object') {
      parts.set(key, {})
      for (const [inner, text] of Object.entries(value)) parts.set(`${key}.${inner}`, text)
    } else parts.set(key, value)
  }
  if (body.sections) {
    parts.set('tree', treeOf(body.sections))
    for (const section of flat(body.sections)) sectionParts(section, parts)
  }
  return parts
}

/** @param {any} section @param {Map<string, any>} parts */
function sectionParts(section, parts) {
  for (const [key, value] of Object.entries(section)) {
    if (key === 'id' || key === 'sections') continue
    const path = `sections.${section.id}.${key}`
    if (key === 'title' || key === 'summary') {
      parts.set(path, {})
      for (const [tag, text] of Object.entries(value)) parts.set(`${path}.${tag}`, text)
    } else parts.set(path, value)
  }
}

/** @param {any[]} sections @returns {any[]} */
const flat = (sections) => sections.flatMap((section) => [section, ...flat(section.sections ?? [])])

/** How sections nest, by their ids; whether a section has a list of sections is kept. @param {any[]} sections @returns {any[]} */
const treeOf = (sections) => sections.map((section) => (section.sections ? [section.id, treeOf(section.sections)] : [section.id]))

/** @param {any[]} tree @returns {string[]} */
const idsIn = (tree) => tree.flatMap(([id, inside]) => [id, ...idsIn(inside ?? [])])

/** A body from its parts; the reverse of `partsOf`. @param {Map<string, any>} parts @returns {Body} */
export function bodyOf(parts) {
  /** @type {Body} */
  const body = {}
  /** @type {Map<string, any>} */
  const sections = new Map()
  for (const [path, value] of parts) {
    const steps = path.split('.')
    if (path === 'tree') continue
    if (steps[0] === 'sections') {
      const section = sections.get(steps[1]) ?? {}
      sections.set(steps[1], section)
      if (steps.length === 3) section[steps[2]] = { ...section[steps[2]], ...value }
      if (steps.length === 3 && (typeof value !== 'object' || Array.isArray(value))) section[steps[2]] = value
      if (steps.length > 3) section[steps[2]] = { ...section[steps[2]], [steps.slice(3).join('.')]: value }
    } else if (steps.length > 1 && OPEN.includes(steps[0])) body[steps[0]] = { ...body[steps[0]], [steps.slice(1).join('.')]: value }
    else body[path] = OPEN.includes(path) && value && typeof value === 'object' ? { ...body[path], ...value } : value
  }
  /** @param {any[]} tree @returns {any[]} */
  const build = (tree) => tree.map(([id, inside]) => ({ id, ...sections.get(id), ...(inside ? { sections: build(inside) } : {}) }))
  if (parts.has('tree')) body.sections = build(parts.get('tree'))
  return body
}

/**
 * What both changed from `base`. Parts that one of them changed are taken from that one; those
 * that both changed otherwise are conflicts, and stand in `merged` as mine until it is chosen.
 * A section that one removed while the other worked in it makes the tree a conflict.
 * @param {Body} base @param {Body} mine @param {Body} theirs
 * @returns {{merged: Body, conflicts: {path: string, base: any, mine: any, theirs: any}[]}}
 */
export function merge(base, mine, theirs) {
  const [was, own, other] = [partsOf(base), partsOf(mine), partsOf(theirs)]
  const result = new Map(own)
  const conflicts = []
  const there = new Set(idsIn(other.get('tree') ?? []))
  const trees = { base: was.get('tree') ?? [], mine: own.get('tree') ?? [], theirs: other.get('tree') ?? [] }
  for (const path of new Set([...was.keys(), ...own.keys(), ...other.keys()])) {
    const [b, m, t] = [was.get(path), own.get(path), other.get(path)]
    if (path === 'tree' || same(m, t) || same(t, b)) continue
    // What stands in a section that they removed goes with the tree, or stays with it.
    if (t === undefined && path.startsWith('sections.') && !there.has(path.split('.')[1])) continue
    if (same(m, b)) {
      if (t === undefined) result.delete(path)
      else result.set(path, t)
    } else conflicts.push({ path, base: b, mine: m, theirs: t })
  }
  const gone = workInRemoved(was, own, other)
  const [added, addedThere] = [withoutIds(trees.mine, trees.base), withoutIds(trees.theirs, trees.base)]
  if (own.has('tree') || other.has('tree')) {
    const mineOnlyAdds = same(added, trees.base)
    const theirsOnlyAdd = same(addedThere, trees.base)
    const tree = mineOnlyAdds && !theirsOnlyAdd ? withAdded(trees.theirs, trees.mine, trees.base) : withAdded(trees.mine, trees.theirs, trees.base)
    const clash = gone || (!mineOnlyAdds && !theirsOnlyAdd && !same(trees.mine, trees.theirs))
    result.set('tree', clash ? withAdded(trees.mine, trees.theirs, trees.base) : tree)
    if (clash) conflicts.push({ path: 'tree', ...trees })
  }
  // Sections that they added bring their content.
  for (const [path, value] of other) if (path.startsWith('sections.') && !result.has(path) && !own.has(path) && !was.has(path)) result.set(path, value)
  return { merged: bodyOf(result), conflicts: gone ? withoutGone(conflicts, own, other) : conflicts }
}

/** A tree of those ids alone that stand in `known`. @param {any[]} tree @param {any[]} known @returns {any[]} */
function withoutIds(tree, known) {
  const ids = new Set(idsIn(known))
  const shape = new Map()
  const note = (/** @type {any[]} */ list) => list.forEach(([id, inside]) => { shape.set(id, Boolean(inside)); note(inside ?? []) })
  note(known)
  /** @param {any[]} list @returns {any[]} */
  const keep = (list) => list.flatMap(([id, inside]) => {
    const rest = keep(inside ?? [])
    if (!ids.has(id)) return rest
    return [rest.length || shape.get(id) ? [id, rest] : [id]]
  })
  return keep(tree)
}

/** `tree` with what `other` added since `base`, each in the section it was added to, or at the end. @param {any[]} tree @param {any[]} other @param {any[]} base @returns {any[]} */
function withAdded(tree, other, base) {
  const known = new Set([...idsIn(base), ...idsIn(tree)])
  /** @type {any[]} */
  let found = structuredClone(tree)
  /** @param {any[]} list @param {string | null} parent */
  const walk = (list, parent) => {
    for (const node of list) {
      if (known.has(node[0])) {
        walk(node[1] ?? [], node[0])
        continue
      }
      const bare = onlyNew(node, known)
      if (!parent || !addInside(found, parent, bare)) found = [...found, bare]
    }
  }
  walk(other, null)
  return found
}

/** A node without what stands elsewhere already. @param {any[]} node @param {Set<string>} known @returns {any[]} */
const onlyNew = ([id, inside], known) => (inside ? [id, inside.filter((/** @type {any[]} */ inner) => !known.has(inner[0])).map((/** @type {any[]} */ inner) => onlyNew(inner, known))] : [id])

/** @param {any[]} tree @param {string} parent @param {any[]} node @returns {boolean} */
function addInside(tree, parent, node) {
  for (const found of tree) {
    if (found[0] === parent) {
      found[1] = [...(found[1] ?? []), node]
      return true
    }
    if (addInside(found[1] ?? [], parent, node)) return true
  }
  return false
}

/** @param {any[]} conflicts @param {Map<string, any>} own @param {Map<string, any>} other */
function withoutGone(conflicts, own, other) {
  // Of a removed section only the tree is asked: keep it with its content, or let it go.
  const both = new Set(idsIn(own.get('tree') ?? []).filter((id) => idsIn(other.get('tree') ?? []).includes(id)))
  return conflicts.filter(({ path }) => !path.startsWith('sections.') || both.has(path.split('.')[1]))
}

/** @param {Map<string, any>} was @param {Map<string, any>} own @param {Map<string, any>} other */
function workInRemoved(was, own, other) {
  const before = idsIn(was.get('tree') ?? [])
  const mine = new Set(idsIn(own.get('tree') ?? []))
  const theirs = new Set(idsIn(other.get('tree') ?? []))
  const changedIn = (/** @type {Map<string, any>} */ parts, /** @type {string} */ id) =>
    [...parts].some(([path, value]) => path.startsWith(`sections.${id}.`) && !same(value, was.get(path)))
  return before.some((id) => (mine.has(id) && !theirs.has(id) && changedIn(own, id)) || (theirs.has(id) && !mine.has(id) && changedIn(other, id)))
}

/**
 * `merged` with theirs in the parts named by `paths`.
 * @param {Body} merged @param {Body} theirs @param {string[]} paths @param {Body} from what both began with
 * @returns {Body}
 */
export function taking(merged, theirs, paths, from) {
  const [parts, other, base] = [partsOf(merged), partsOf(theirs), partsOf(from)]
  for (const path of paths) {
    if (path === 'tree') parts.set('tree', withAdded(other.get('tree') ?? [], parts.get('tree') ?? [], base.has('tree') ? base.get('tree') : []))
    else if (other.has(path)) parts.set(path, other.get(path))
    else parts.delete(path)
    // A section that comes back with their tree brings its content.
    if (path === 'tree') {
      for (const [inner, value] of other) if (inner.startsWith('sections.') && !parts.has(inner)) parts.set(inner, value)
    }
  }
  return bodyOf(parts)
}
