/**
 * A map to put a point on, drawn from the collection's own outlines: nothing comes from elsewhere,
 * so it works wherever the studio does. Keys move the point; so does the pointer.
 */

import { announce, icon } from '../dialogs.js'
import { _ } from '../messages.js'
import { send } from '../send.js'
import { bounded, parsePoint, stepOf, wrapped } from './coordinates.js'
import { debounced, freshId, h } from './dom.js'

/** @typedef {import('./coordinates.js').Point} Point */
/** @typedef {{asset: string, style: string}} Layer */

const VENDOR = new URL('../../vendor/leaflet/', import.meta.url)
/** Zoom of a map that shows a point: some kilometres. */
const NEAR = 12
/** The whole world but its empty ends, when no package says what its maps show. */
const EVERYWHERE = [-170, -56, 170, 74]
/** Milliseconds of rest before a moved point is told. */
const TELL_AFTER = 400

/** What is drawn below and what above, whichever package names it; what is not listed comes last. */
const ORDER = ['coast', 'country', 'department', 'region', 'commune', 'water', 'component', 'heap', 'railway']
const rank = (/** @type {string} */ style) => (ORDER.includes(style) ? ORDER.indexOf(style) : ORDER.length)

/** @type {Promise<any> | null} */
let leaflet = null

/** @param {HTMLElement} element */
const added = (element) => new Promise((resolve, reject) => {
  element.addEventListener('load', resolve)
  element.addEventListener('error', () => {
    element.remove()
    reject(new Error('not installed'))
  })
  document.head.append(element)
})

/** Leaflet, or null where this server was built without it. */
function loadLeaflet() {
  leaflet ??= added(h('script', { src: new URL('leaflet.js', VENDOR).href }))
    .then(() => added(h('link', { rel: 'stylesheet', href: new URL('leaflet.css', VENDOR).href })))
    .then(() => /** @type {any} */ (window).L ?? null, () => null)
  return leaflet
}

/** Whether there can be a map. */
export const hasMap = async () => (await loadLeaflet()) !== null

/** @type {Promise<{bounds: number[], layers: {style: string, shapes: any}[]}> | null} */
let background = null

function loadBackground() {
  background ??= (async () => {
    const { body } = await send('GET', '/studio/widgets/layers', { askToSignIn: false })
    const layers = await Promise.all(body.items.map(async (/** @type {Layer} */ { asset, style }) => {
      try {
        const response = await fetch(`/studio/widgets/layers/${asset}`)
        return response.ok ? { style, shapes: await response.json() } : null
      } catch {
        return null
      }
    }))
    return { bounds: body.bounds ?? EVERYWHERE, layers: layers.filter((layer) => layer !== null).sort((a, b) => rank(a.style) - rank(b.style)) }
  })().catch(() => {
    background = null
    return { bounds: EVERYWHERE, layers: [] }
  })
  return background
}

/** @type {MapDialog | null} */
let dialog = null

/**
 * Let the person put a point; null when they close the map.
 * @param {Point | null} from @param {string} label @returns {Promise<Point | null>}
 */
export async function pickPoint(from, label) {
  const L = await loadLeaflet()
  if (!L) return null
  dialog ??= new MapDialog(L)
  return dialog.ask(from, label)
}

class MapDialog {
  /** @param {any} L */
  constructor(L) {
    this.L = L
    const title = freshId('map-dialog')
    const help = freshId('map-help')
    const search = freshId('map-search')
    this.title = h('h2', { class: 'dialog__title', id: title })
    this.box = h('div', { class: 'map-dialog__map', tabindex: '0', role: 'application', 'aria-label': _('Map'), 'aria-describedby': help, dir: 'ltr' })
    this.where = h('output', { class: 'map-dialog__where mono' })
    this.text = h('input', { class: 'input', id: search, type: 'text', autocomplete: 'off', placeholder: '50.3974, 2.8772' })
    const button = (/** @type {string} */ name, /** @type {string} */ label, /** @type {() => void} */ run) =>
      h('button', { type: 'button', class: 'button button--icon', 'aria-label': label, title: label, onclick: run }, icon(name))
    this.use = h('button', { type: 'button', class: 'button button--primary', onclick: () => this.finish() }, h('span', {}, _('Use this place')))
    this.element = h('dialog', { class: 'dialog dialog--wide map-dialog', 'aria-labelledby': title },
      h('header', { class: 'dialog__head' }, this.title,
        h('button', { type: 'button', class: 'button button--quiet button--icon', 'aria-label': _('Close'), title: _('Close'), onclick: () => this.element.close() }, icon('close'))),
      h('div', { class: 'dialog__body' },
        h('p', { class: 'soft small', id: help }, _('Click or drag to place the point. Keys: arrows move it, with Shift by a little; + and − change the scale.')),
        h('div', { class: 'map-dialog__frame' }, this.box,
          h('div', { class: 'map-dialog__buttons' },
            button('add', _('Closer'), () => this.map.zoomIn()), button('minus', _('Further away'), () => this.map.zoomOut()),
            button('location', _('Centre on the point'), () => this.centre()))),
        h('div', { class: 'map-dialog__foot' },
          h('div', { class: 'field' }, h('label', { class: 'field__label', for: search }, _('Coordinates')), this.text),
          this.where, h('span', { class: 'grow' }),
          h('button', { type: 'button', class: 'button', onclick: () => this.element.close() }, h('span', {}, _('Cancel'))), this.use)))
    document.body.append(this.element)
    /** @type {Point | null} */
    this.point = null
    /** @type {(found: Point | null) => void} */
    this.resolve = () => {}
    this.element.addEventListener('close', () => this.resolve(null))
    this.tell = debounced(() => announce(this.where.textContent ?? ''), TELL_AFTER)
  }

  /** @param {Point | null} from @param {string} label @returns {Promise<Point | null>} */
  async ask(from, label) {
    this.resolve(null)
    this.title.textContent = label ? _('Place of “%(field)s”', { field: label }) : _('Place on the map')
    this.text.value = ''
    this.element.showModal()
    this.box.focus()
    const answer = new Promise((resolve) => { this.resolve = resolve })
    const { bounds, layers } = await loadBackground()
    if (!this.map) this.draw(layers)
    this.map.invalidateSize(false)
    this.put(from)
    if (from) this.map.setView([from.lat, from.lon], Math.max(NEAR, 0), { animate: false })
    else this.map.fitBounds([[bounds[1], bounds[0]], [bounds[3], bounds[2]]], { animate: false })
    return answer
  }

  /** @param {{style: string, shapes: any}[]} layers */
  draw(layers) {
    const { L } = this
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches
    this.map = L.map(this.box, {
      zoomControl: false, attributionControl: false, keyboard: false, zoomSnap: 0.5, minZoom: 1, maxZoom: 18,
      zoomAnimation: !still, fadeAnimation: !still, markerZoomAnimation: !still, inertia: !still, worldCopyJump: true,
    })
    for (const { style, shapes } of layers) {
      const points = { radius: 3, className: 'map-layer map-layer--point', weight: 1, interactive: false }
      L.geoJSON(shapes, {
        interactive: false, style: { className: `map-layer map-layer--${style.replace(/[^a-z]/g, '')}`, weight: 1 },
        pointToLayer: (/** @type {any} */ _feature, /** @type {any} */ place) => L.circleMarker(place, points),
      }).addTo(this.map)
    }
    this.marker = L.marker([0, 0], {
      draggable: true, keyboard: false, icon: L.divIcon({ className: 'map-pin', html: '', iconSize: [28, 28], iconAnchor: [14, 28] }),
    })
    this.marker.on('drag', () => this.put(this.marker.getLatLng()))
    this.map.on('click', (/** @type {any} */ event) => this.put(event.latlng))
    this.box.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => this.key(event))
    this.text.addEventListener('input', () => {
      const point = parsePoint(this.text.value)
      if (!point) return
      this.put(point)
      this.map.setView([point.lat, point.lon], Math.max(this.map.getZoom(), NEAR), { animate: false })
    })
    this.text.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => { if (event.key === 'Enter') event.preventDefault() })
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const step = stepOf(event.key, event.shiftKey)
    if (step) {
      event.preventDefault()
      const from = this.point ? this.L.latLng(this.point.lat, this.point.lon) : this.map.getCenter()
      const place = this.map.unproject(this.map.project(from).add(step))
      this.put(this.point ? { lat: place.lat, lng: place.lng } : from)
      if (!this.map.getBounds().pad(-0.1).contains(this.marker.getLatLng())) this.centre()
    } else if (event.key === '+' || event.key === '=') {
      event.preventDefault()
      this.map.zoomIn()
    } else if (event.key === '-' || event.key === '−') {
      event.preventDefault()
      this.map.zoomOut()
    } else if (event.key === 'Enter' && this.point) {
      event.preventDefault()
      this.finish()
    }
  }

  /** @param {any} place */
  put(place) {
    this.point = place ? { lat: bounded(place.lat), lon: wrapped(place.lng ?? place.lon) } : null
    this.use.disabled = !this.point
    this.where.textContent = this.point ? `${this.point.lat}, ${this.point.lon}` : _('No point yet')
    if (this.point) {
      this.marker.setLatLng([this.point.lat, this.point.lon])
      if (!this.map.hasLayer(this.marker)) this.marker.addTo(this.map)
      this.tell()
    } else {
      this.marker.remove()
    }
  }

  centre() {
    if (this.point) this.map.panTo([this.point.lat, this.point.lon], { animate: false })
  }

  finish() {
    this.resolve(this.point)
    this.resolve = () => {}
    this.element.close()
  }
}
