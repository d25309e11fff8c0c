/** A picture on the whole screen: buttons for everything a drag or a pinch does. */

import { h, icon } from '../dom.js'
import { contentUrl } from '../release.js'
import { plainText } from '../text/richtext.js'
import { isStill } from '../preferences.js'
import { openDialog } from './dialog.js'
import { captionOf, largest, picture } from './picture.js'
import { loadOpenSeadragon } from './vendor.js'

/** Pictures wider than this, in pixels, are worth a deep-zoom viewer. */
const DEEP_ZOOM_WIDTH = 2000
const ZOOM_STEP = 1.5
const LARGEST_ZOOM = 8
/** One press moves by this share of the frame. */
const PAN_STEP = 0.2

/** @typedef {{zoom: (factor: number) => void, pan: (x: number, y: number) => void, whole: () => void, destroy: () => void}} Surface */

/** Index of the neighbour `step` away, round the end. @param {number} length @param {number} index @param {number} step */
export const neighbour = (length, index, step) => (length ? (index + step + length) % length : 0)

/**
 * @param {import('../context.js').Context} context
 * @param {import('../release.js').Asset[]} series
 * @param {number} first index
 */
export function openViewer(context, series, first) {
  const { t } = context
  let index = Math.max(0, first)
  /** @type {Surface | null} */
  let surface = null
  const stage = h('div.viewer__stage')
  const caption = h('div.viewer__caption')
  const button = (/** @type {any} */ name, /** @type {string} */ label, /** @type {() => void} */ act, place = '') =>
    h('button.round', { type: 'button', 'aria-label': label, title: label, onclick: act, class: place }, icon(name))

  const show = async () => {
    surface?.destroy()
    surface = null
    const asset = series[index]
    stage.replaceChildren()
    caption.replaceChildren(h('div', null, captionOf(context, asset) ?? plainText(asset.fields.alt)))
    if (series.length > 1) caption.prepend(h('p.viewer__count', null, t('pictureOf', { index: index + 1, total: series.length })))
    const opened = await openSurface(context, asset, stage)
    if (series[index] !== asset || !stage.isConnected) opened.destroy()
    else surface = opened
  }
  const turn = (/** @type {number} */ step) => {
    index = neighbour(series.length, index, step)
    show()
  }
  const rightward = context.library.language.dir === 'rtl' ? -1 : 1
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    /** @type {Record<string, () => void>} */
    const keys = {
      '+': () => surface?.zoom(ZOOM_STEP), '=': () => surface?.zoom(ZOOM_STEP), '-': () => surface?.zoom(1 / ZOOM_STEP), '0': () => surface?.whole(),
      ArrowUp: () => surface?.pan(0, -PAN_STEP), ArrowDown: () => surface?.pan(0, PAN_STEP),
      ArrowLeft: () => surface?.pan(-PAN_STEP, 0), ArrowRight: () => surface?.pan(PAN_STEP, 0),
      PageDown: () => turn(1), PageUp: () => turn(-1),
    }
    const act = keys[event.key]
    if (!act) return
    event.preventDefault()
    act()
  }
  const { element } = openDialog({ title: t('picture'), closeLabel: t('close'), kind: 'viewer', onClose: () => surface?.destroy() }, () => [
    stage, caption,
    h('div.viewer__controls', { role: 'group', 'aria-label': t('controls') },
      h('div.viewer__pad', { dir: 'ltr' },
        button('up', t('moveUp'), () => surface?.pan(0, -PAN_STEP), 'viewer__up'),
        button('back', t('moveLeft'), () => surface?.pan(-PAN_STEP, 0), 'viewer__left'),
        button('whole', t('wholePicture'), () => surface?.whole(), 'viewer__whole'),
        button('forward', t('moveRight'), () => surface?.pan(PAN_STEP, 0), 'viewer__right'),
        button('down', t('moveDown'), () => surface?.pan(0, PAN_STEP), 'viewer__down')),
      h('div.viewer__zoom', null,
        button('plus', t('zoomIn'), () => surface?.zoom(ZOOM_STEP)),
        button('minus', t('zoomOut'), () => surface?.zoom(1 / ZOOM_STEP))),
      series.length > 1 && h('div.viewer__turn', { 'data-direction': String(rightward) },
        button('back', t('previousPicture'), () => turn(-1)),
        button('forward', t('nextPicture'), () => turn(1)))),
  ])
  element.addEventListener('keydown', onKey)
  show()
}

/**
 * @param {import('../context.js').Context} context
 * @param {import('../release.js').Asset} asset
 * @param {HTMLElement} stage
 * @returns {Promise<Surface>}
 */
async function openSurface(context, asset, stage) {
  const big = largest(context, asset)
  const openSeadragon = big && (big.width ?? 0) >= DEEP_ZOOM_WIDTH && big.type !== 'image/svg+xml' ? await loadOpenSeadragon() : null
  return openSeadragon ? deepSurface(openSeadragon, context, asset, stage, contentUrl(big.path)) : plainSurface(context, asset, stage)
}

/** @param {any} OpenSeadragon @param {import('../context.js').Context} context @param {import('../release.js').Asset} asset @param {HTMLElement} stage @param {string} url @returns {Surface} */
function deepSurface(OpenSeadragon, context, asset, stage, url) {
  const frame = h('div.viewer__deep', { role: 'img', 'aria-label': plainText(asset.fields.alt) || plainText(asset.fields.caption), dir: 'ltr' })
  stage.append(frame)
  const viewer = OpenSeadragon({
    element: frame, tileSources: { type: 'image', url }, showNavigationControl: false, showNavigator: false,
    animationTime: isStill() ? 0 : 0.6, visibilityRatio: 0.6, maxZoomPixelRatio: 2, drawer: 'canvas',
    maxImageCacheCount: 60, keyboardShortcutsEnabled: false, crossOriginPolicy: false,
  })
  // its canvas would be a second, nameless stop for the keyboard
  frame.querySelectorAll('[tabindex]').forEach((part) => part.setAttribute('tabindex', '-1'))
  return {
    zoom: (factor) => viewer.viewport?.zoomBy(factor)?.applyConstraints(),
    pan: (x, y) => {
      const size = viewer.viewport?.getBounds()
      if (size) viewer.viewport.panBy(new OpenSeadragon.Point(x * size.width, y * size.height)).applyConstraints()
    },
    whole: () => viewer.viewport?.goHome(),
    destroy: () => viewer.destroy(),
  }
}

/** @param {import('../context.js').Context} context @param {import('../release.js').Asset} asset @param {HTMLElement} stage @returns {Surface} */
function plainSurface(context, asset, stage) {
  const frame = picture(context, asset, { sizes: '200vw', eager: true })
  frame.classList.add('viewer__plain')
  stage.append(frame)
  let [scale, x, y] = [1, 0, 0]
  /** @type {{x: number, y: number} | null} */
  let held = null
  const paint = () => {
    const limit = (scale - 1) / 2
    x = Math.min(limit, Math.max(-limit, x))
    y = Math.min(limit, Math.max(-limit, y))
    frame.style.transform = `translate(${x * 100}%, ${y * 100}%) scale(${scale})`
  }
  frame.addEventListener('pointerdown', (event) => {
    held = { x: event.clientX, y: event.clientY }
    frame.setPointerCapture(event.pointerId)
  })
  frame.addEventListener('pointermove', (event) => {
    if (!held) return
    x += (event.clientX - held.x) / frame.clientWidth
    y += (event.clientY - held.y) / frame.clientHeight
    held = { x: event.clientX, y: event.clientY }
    paint()
  })
  const letGo = () => { held = null }
  frame.addEventListener('pointerup', letGo)
  frame.addEventListener('pointercancel', letGo)
  return {
    zoom(factor) {
      scale = Math.min(LARGEST_ZOOM, Math.max(1, scale * factor))
      paint()
    },
    pan(dx, dy) {
      x -= dx
      y -= dy
      paint()
    },
    whole() {
      [scale, x, y] = [1, 0, 0]
      paint()
    },
    destroy() {},
  }
}
