/** Geometry of the drawn maps. Pure; degrees in, drawing units out. */

/** @typedef {[number, number, number, number]} Bounds west, south, east, north in degrees */
/** @typedef {{x: number, y: number}} Point */

/** @param {number} latitude */
const mercator = (latitude) => (Math.log(Math.tan(Math.PI / 4 + (latitude * Math.PI) / 360)) * 180) / Math.PI

/**
 * A projection that fits `bounds` into a drawing `width` wide, and the height it needs.
 * @param {Bounds} bounds @param {number} width
 * @returns {{project: (lon: number, lat: number) => Point, height: number}}
 */
export function fitProjection([west, south, east, north], width) {
  const scale = width / Math.max(east - west, 1e-6)
  const top = mercator(north)
  return {
    project: (lon, lat) => ({ x: (lon - west) * scale, y: (top - mercator(lat)) * scale }),
    height: Math.max(1, (top - mercator(south)) * scale),
  }
}

/**
 * @param {{lat: number, lon: number}[]} points
 * @param {number} margin share of the span left free on each side
 * @returns {Bounds | null}
 */
export function boundsOf(points, margin = 0.12) {
  if (!points.length) return null
  const [lons, lats] = [points.map(({ lon }) => lon), points.map(({ lat }) => lat)]
  const [west, east, south, north] = [Math.min(...lons), Math.max(...lons), Math.min(...lats), Math.max(...lats)]
  // about two kilometres, so that one point still has surroundings
  const [padX, padY] = [Math.max((east - west) * margin, 0.03), Math.max((north - south) * margin, 0.02)]
  return [west - padX, south - padY, east + padX, north + padY]
}

/** @param {Bounds} bounds @param {{lat: number, lon: number}} point */
export const contains = ([west, south, east, north], { lat, lon }) => lon >= west && lon <= east && lat >= south && lat <= north

/** @param {any} value @returns {value is {lat: number, lon: number}} */
export const isPoint = (value) => Number.isFinite(value?.lat) && Number.isFinite(value?.lon)

/**
 * The outline of a GeoJSON geometry as an SVG path, '' when it lies outside `around`.
 * @param {any} geometry
 * @param {(lon: number, lat: number) => Point} project
 * @param {Bounds} around
 */
export function pathOf(geometry, project, around) {
  const kinds = { Polygon: 1, MultiPolygon: 2, LineString: 0, MultiLineString: 1 }
  const depth = kinds[/** @type {'Polygon'} */ (geometry?.type)]
  if (depth === undefined) {
    return (geometry?.geometries ?? []).map((/** @type {any} */ part) => pathOf(part, project, around)).join('')
  }
  const closed = geometry.type.endsWith('Polygon')
  /** @type {[number, number][][]} */
  const lines = depth === 0 ? [geometry.coordinates] : depth === 1 ? geometry.coordinates : geometry.coordinates.flat()
  return lines.filter((line) => touches(line, around)).map((line) => {
    const steps = line.map(([lon, lat]) => {
      const { x, y } = project(lon, lat)
      return `${x.toFixed(1)} ${y.toFixed(1)}`
    })
    return `M${steps.join('L')}${closed ? 'Z' : ''}`
  }).join('')
}

/** @param {[number, number][]} line @param {Bounds} bounds */
function touches(line, [west, south, east, north]) {
  let [w, s, e, n] = [Infinity, Infinity, -Infinity, -Infinity]
  for (const [lon, lat] of line) {
    if (lon < w) w = lon
    if (lon > e) e = lon
    if (lat < s) s = lat
    if (lat > n) n = lat
  }
  return w <= east && e >= west && s <= north && n >= south
}

/**
 * Groups of points nearer than `distance` to the first of their group, so that each can
 * be touched alone.
 * @template {Point} T
 * @param {T[]} points @param {number} distance
 * @returns {{x: number, y: number, members: T[]}[]} at the middle of their members
 */
export function clusterPoints(points, distance) {
  /** @type {{x: number, y: number, members: T[]}[]} */
  let groups = points.map((point) => ({ x: point.x, y: point.y, members: [point] }))
  for (let merged = true; merged;) {
    merged = false
    /** @type {typeof groups} */
    const kept = []
    for (const group of groups) {
      const near = kept.find(({ x, y }) => Math.hypot(x - group.x, y - group.y) < distance)
      if (!near) {
        kept.push(group)
        continue
      }
      const total = near.members.length + group.members.length
      near.x = (near.x * near.members.length + group.x * group.members.length) / total
      near.y = (near.y * near.members.length + group.y * group.members.length) / total
      near.members.push(...group.members)
      merged = true
    }
    groups = kept
  }
  return groups
}

/**
 * Which labels find room beside their point without covering a point or another label.
 * @param {{x: number, y: number, width: number}[]} labels width 0: none wanted
 * @param {number} lineHeight @param {number} radius of a point @param {boolean} leftwards
 * @returns {boolean[]}
 */
export function roomForLabels(labels, lineHeight, radius, leftwards = false) {
  /** @type {[number, number, number, number][]} */
  const taken = labels.map(({ x, y }) => [x - radius, y - radius, x + radius, y + radius])
  return labels.map(({ x, y, width }, index) => {
    if (!width) return false
    const [from, to] = leftwards ? [x - radius - width, x - radius] : [x + radius, x + radius + width]
    /** @type {[number, number, number, number]} */
    const box = [from, y - lineHeight / 2, to, y + lineHeight / 2]
    const free = taken.every((other, at) => at === index || box[0] >= other[2] || box[2] <= other[0] || box[1] >= other[3] || box[3] <= other[1])
    if (free) taken.push(box)
    return free
  })
}
