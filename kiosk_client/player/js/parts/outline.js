/** Maps drawn as plain SVG from the package's outlines: locators, tour sketches, the hero. */

import { svg } from '../dom.js'
import { boundsOf, contains, fitProjection, isPoint, pathOf } from '../geo.js'
import { contentUrl } from '../release.js'

/** @typedef {{style: string, features: any[]}} Layer */

/** @type {Map<string, Promise<any>>} */
const files = new Map()

/**
 * The package's map layers, bottom first. A layer that cannot be read is left out.
 * @param {import('../context.js').Context} context
 * @returns {Promise<Layer[]>}
 */
export async function loadLayers({ library, pkg }) {
  const layers = await Promise.all((pkg.map?.layers ?? []).map(async ({ asset: id, style }) => {
    const rendition = library.assets.get(id)?.renditions.find(({ type }) => /json/.test(type))
    if (!rendition) return []
    if (!files.has(rendition.path)) files.set(rendition.path, fetch(contentUrl(rendition.path)).then((answer) => answer.json()))
    const json = await files.get(rendition.path)?.catch(() => null)
    return json ? [{ style, features: json.features ?? [json] }] : []
  }))
  return layers.flat()
}

/**
 * @param {object} map
 * @param {import('../geo.js').Bounds} map.bounds
 * @param {Layer[]} map.layers
 * @param {{lat: number, lon: number, kind?: string}[]} [map.points]
 * @param {boolean} [map.line] join the points in order
 * @param {string} [map.label] for assistive technology; without one the drawing is hidden
 */
export function drawOutline({ bounds, layers, points = [], line = false, label }) {
  const width = 1000
  const { project, height } = fitProjection(bounds, width)
  const [west, south, east, north] = bounds
  const [dx, dy] = [(east - west) * 1.5, (north - south) * 1.5]
  // what lies beside the bounds is drawn too: the frame may be wider than the map
  const around = /** @type {import('../geo.js').Bounds} */ ([west - dx, south - dy, east + dx, north + dy])
  const drawing = svg('svg', { viewBox: `0 0 ${width} ${height.toFixed(1)}`, class: 'outline', role: label ? 'img' : null, 'aria-label': label, 'aria-hidden': label ? null : 'true', preserveAspectRatio: 'xMidYMid meet' })
  for (const { style, features } of layers) {
    const path = features.map((feature) => pathOf(feature.geometry, project, around)).join('')
    if (path) drawing.append(svg('path', { d: path, class: `layer layer--${style.replace(/[^a-z]/g, '')}` }))
  }
  const places = points.filter(isPoint).map((point) => ({ ...project(point.lon, point.lat), kind: point.kind }))
  if (line && places.length > 1) drawing.append(svg('path', { class: 'outline__line', d: `M${places.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}` }))
  // dots are zero-length lines: a round cap keeps its size whatever the drawing's scale
  for (const { x, y, kind } of places) drawing.append(svg('path', { d: `M${x.toFixed(1)} ${y.toFixed(1)}h0`, class: `outline__dot ${kind ? `outline__dot--${kind}` : ''}` }))
  return drawing
}

/**
 * A frame that fills with a map once its layers have come.
 * @param {import('../context.js').Context} context
 * @param {HTMLElement} frame
 * @param {{lat: number, lon: number, kind?: string}[]} points
 * @param {{line?: boolean, label?: string, near?: boolean}} [options] `near`: fit the points, not the whole package
 */
export async function fillWithMap(context, frame, points, { line = false, label, near = false } = {}) {
  const layers = await loadLayers(context)
  const whole = context.pkg.map?.bounds
  const inside = whole && points.every((point) => contains(whole, point))
  const fitted = boundsOf(points, near ? 0.2 : 0.6)
  const bounds = inside && !near ? whole : near || !whole ? fitted : widen(fitted)
  if (bounds) frame.append(drawOutline({ bounds, layers, points, line, label }))
}

/** A far place is shown with its coast, some hundreds of kilometres. @param {import('../geo.js').Bounds | null} bounds */
function widen(bounds) {
  if (!bounds) return null
  const [west, south, east, north] = bounds
  return /** @type {import('../geo.js').Bounds} */ ([west - 4, south - 3, east + 4, north + 3])
}
