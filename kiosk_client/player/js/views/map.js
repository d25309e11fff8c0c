/**
 * The map: every place a link on the outlines of the package, without tiles or network.
 * The list beside it holds the same places, and is all there is when no map can be drawn.
 */

import { h, icon } from '../dom.js'
import { entryHref, languageNote, titleOf } from '../context.js'
import { boundsOf, clusterPoints, contains, isPoint, roomForLabels } from '../geo.js'
import { isStill } from '../preferences.js'
import { pick } from '../release.js'
import { kindOf, pointsOf } from '../parts/card.js'
import { filterButtons } from '../parts/filter.js'
import { fillWithMap, loadLayers } from '../parts/outline.js'
import { loadLeaflet } from '../parts/vendor.js'

/**
 * @typedef {import('../context.js').Context} Context
 * @typedef {import('../release.js').Entry} Entry
 * @typedef {{x: number, y: number, entry: Entry, lat: number, lon: number}} Placed
 */

/** Zoom levels beyond the whole map. */
const CLOSER = 7
/** Pixels that the buttons take at the foot of the map. */
const BUTTONS_HEIGHT = 190
/** One press moves by this share of the frame. */
const PAN_STEP = 0.3

/** @param {Context} context @param {Entry[]} entries */
export function mapView(context, entries) {
  const { library, t } = context
  const sorted = [...entries].sort((a, b) => library.collator.compare(library.sortKey(a), library.sortKey(b)))
  const list = h('ul.placelist__items', { role: 'list' })
  const frame = h('div.mapframe.mapframe--large')
  const count = h('p.placelist__count')
  /** @type {{show: (entries: Entry[]) => void} | null} */
  let map = null
  let kind = ''
  const chosen = () => sorted.filter((entry) => !kind || entry.fields.kind === kind)
  const fill = (/** @type {Entry[]} */ members) => {
    count.textContent = t('countPlaces', { n: members.length })
    list.replaceChildren(...members.map((entry) => h('li', { 'data-anchor': `entry-${entry.id}` },
      h('a.placelist__item', { href: entryHref(context, entry) },
        h('span.placelist__title', null, titleOf(context, entry)), h('span.placelist__kind', null, kindOf(context, entry)),
        languageNote(context, library.titleLanguage(entry))))))
  }
  fill(sorted)
  const narrow = (/** @type {Entry[]} */ members) => {
    fill(members)
    /** @type {HTMLElement | null} */ (list.querySelector('a'))?.focus()
  }
  drawMap(context, frame, sorted, narrow).then((drawn) => {
    map = drawn
    map?.show(chosen())
  })
  return h('div.mappage', null,
    h('div.mappage__map', null, frame, creditFoot(context)),
    h('div.placelist', null,
      filterButtons(context, entries, 'kind', (value) => {
        kind = value
        fill(chosen())
        map?.show(chosen())
      }),
      count, list))
}

/** @param {Context} context */
export function creditFoot(context) {
  const credits = pick(context.pkg.credits, context.language)
  return credits.text ? h('p.mapcredit', { lang: credits.language === context.language ? null : credits.language }, credits.text) : null
}

/**
 * @param {Context} context @param {HTMLElement} frame @param {Entry[]} entries
 * @param {(entries: Entry[]) => void} narrow show only these in the list
 */
async function drawMap(context, frame, entries, narrow) {
  let left = false
  context.onLeave(() => { left = true })
  const [L, layers] = await Promise.all([loadLeaflet(), loadLayers(context)])
  const points = entries.flatMap((entry) => pointsOf(context, entry).slice(0, 1).map(({ lat, lon }) => ({ entry, lat, lon })))
  if (!L) {
    frame.classList.add('mapframe--still')
    await fillWithMap(context, frame, points.filter((point) => !context.pkg.map?.bounds || contains(context.pkg.map.bounds, point)))
    return null
  }
  if (!frame.isConnected) await new Promise((resolve) => requestAnimationFrame(resolve))
  // whoever has gone on meanwhile would leave a map that nothing removes
  if (left || !frame.clientHeight) return null
  return leafletMap(L, context, frame, layers, points, narrow)
}

/**
 * @param {any} L @param {Context} context @param {HTMLElement} frame
 * @param {import('../parts/outline.js').Layer[]} layers
 * @param {{entry: Entry, lat: number, lon: number}[]} points
 * @param {(entries: Entry[]) => void} narrow
 */
function leafletMap(L, context, frame, layers, points, narrow) {
  const { t, pkg } = context
  const box = h('div.leafletbox', { role: 'region', 'aria-label': t('map'), dir: 'ltr' })
  frame.append(box)
  const still = isStill()
  const map = L.map(box, {
    zoomControl: false, attributionControl: false, zoomSnap: 0.25, zoomDelta: 1, wheelPxPerZoomLevel: 120,
    zoomAnimation: !still, fadeAnimation: !still, markerZoomAnimation: !still, inertia: !still,
  })
  const bounds = pkg.map?.bounds ?? boundsOf(points) ?? [-170, -60, 170, 75]
  const whole = L.latLngBounds([[bounds[1], bounds[0]], [bounds[3], bounds[2]]])
  // the buttons stand in the lower corner: no place of the whole map should lie under them
  const fit = (/** @type {boolean} */ animate) => map.fitBounds(whole, { animate, paddingTopLeft: [12, 12], paddingBottomRight: [12, Math.min(BUTTONS_HEIGHT, map.getSize().y * 0.35)] })
  const home = () => fit(!still)
  fit(false)
  const closest = map.getZoom() + CLOSER
  map.setMaxZoom(closest)
  map.setMinZoom(Math.max(1, map.getZoom() - (points.some((point) => !contains(bounds, point)) ? 7 : 0.5)))
  for (const { style, features } of layers) {
    L.geoJSON({ type: 'FeatureCollection', features }, {
      interactive: false, style: { className: `layer layer--${style.replace(/[^a-z]/g, '')}`, weight: 1 },
      pointToLayer: () => null, filter: (/** @type {any} */ feature) => !/Point$/.test(feature.geometry?.type ?? ''),
    }).addTo(map)
  }
  const pins = L.layerGroup().addTo(map)
  let shown = points
  const drawPins = () => {
    pins.clearLayers()
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize)
    const size = Math.max(60, rem * 3)
    // a pin out of sight would take the focus there, and the page with it
    const inView = map.getBounds()
    const placed = shown.filter(({ lat, lon }) => inView.contains([lat, lon])).map(({ entry, lat, lon }) => ({ ...map.latLngToLayerPoint([lat, lon]), entry, lat, lon }))
    const groups = clusterPoints(/** @type {Placed[]} */ (placed), size)
    const font = rem * 0.85
    const labels = groups.map(({ x, y, members }) => ({ x, y, width: members.length > 1 ? 0 : labelWidth(context.library.title(members[0].entry), font) }))
    const room = roomForLabels(labels, font * 1.7, size / 2)
    groups.forEach((group, index) => L.marker(map.layerPointToLatLng([group.x, group.y]), {
      keyboard: false, interactive: false,
      icon: L.divIcon({ className: 'pin', html: drawPin(context, group.members, room[index], open), iconSize: [size, size] }),
    }).addTo(pins))
  }
  const open = (/** @type {Placed[]} */ members) => {
    const around = L.latLngBounds(members.map(({ lat, lon }) => [lat, lon]))
    const zoom = Math.min(closest, map.getBoundsZoom(around.pad(0.3)))
    if (zoom - map.getZoom() < 0.5) narrow(members.map(({ entry }) => entry))
    else map.setView(around.getCenter(), zoom, { animate: !still })
    box.focus({ preventScroll: true })
  }
  map.on('moveend resize', drawPins)
  drawPins()
  frame.append(mapButtons(context, map, home))
  const watcher = new ResizeObserver(() => map.invalidateSize({ animate: false }))
  watcher.observe(box)
  context.onLeave(() => {
    watcher.disconnect()
    // Leaflet 1.9 ends a zoom by a timer that outlives its map, and fails on it
    map._animatingZoom = false
    map.remove()
  })
  return {
    show(/** @type {Entry[]} */ members) {
      const ids = new Set(members.map(({ id }) => id))
      shown = points.filter(({ entry }) => ids.has(entry.id))
      drawPins()
    },
  }
}

/** Rough width of a label in pixels. @param {string} words @param {number} font pixels */
function labelWidth(words, font) {
  const wide = (words.match(/[\u3000-\u9fff\uff00-\uffef]/gu) ?? []).length
  return (wide + (words.length - wide) * 0.56) * font + font
}

/** @param {Context} context @param {Placed[]} members @param {boolean} labelled @param {(members: Placed[]) => void} open */
function drawPin(context, members, labelled, open) {
  if (members.length > 1) {
    const [shown, words] = [context.number(members.length), context.t('countPlaces', { n: members.length })]
    // Arabic has a word for two places: who speaks what is seen still says the number
    return h('button.pin__cluster', { type: 'button', 'aria-label': words.includes(shown) ? words : `${shown} – ${words}`, onclick: () => open(members) },
      h('span', { class: `pin__disc pin__disc--${Math.min(3, Math.ceil(Math.log10(members.length) * 2))}` }, shown))
  }
  const { entry } = members[0]
  return h('a.pin__place', { href: entryHref(context, entry), dir: context.library.language.dir, class: labelled ? '' : 'pin__place--quiet' },
    h('span.pin__lamp'), h('span.pin__label', null, titleOf(context, entry)))
}

/** @param {Context} context @param {any} map @param {() => void} home */
function mapButtons(context, map, home) {
  const { t } = context
  const button = (/** @type {any} */ name, /** @type {string} */ label, /** @type {() => void} */ act, place = '') =>
    h('button.round', { type: 'button', 'aria-label': label, title: label, onclick: act, class: place }, icon(name))
  const pan = (/** @type {number} */ x, /** @type {number} */ y) => {
    const size = map.getSize()
    map.panBy([x * size.x * PAN_STEP, y * size.y * PAN_STEP], { animate: !isStill() })
  }
  return h('div.mapbuttons', { role: 'group', 'aria-label': t('controls'), dir: 'ltr' },
    h('div.viewer__pad', null,
      button('up', t('moveUp'), () => pan(0, -1), 'viewer__up'), button('back', t('moveLeft'), () => pan(-1, 0), 'viewer__left'),
      button('whole', t('wholeMap'), home, 'viewer__whole'), button('forward', t('moveRight'), () => pan(1, 0), 'viewer__right'),
      button('down', t('moveDown'), () => pan(0, 1), 'viewer__down')),
    h('div.viewer__zoom', null, button('plus', t('zoomIn'), () => map.zoomIn()), button('minus', t('zoomOut'), () => map.zoomOut())))
}
