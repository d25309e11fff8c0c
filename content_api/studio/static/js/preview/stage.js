/**
 * The frame with the player: drawn at the size of its screen, scaled to what fits, and its
 * place remembered, so that another size or day shows the same page.
 */

/** Smallest height that a preview is given, in CSS pixels. */
const LEAST_HEIGHT = 360

/**
 * How much a screen must shrink to fit; it never grows.
 * @param {{width: number, height: number}} screen
 * @param {{width: number, height: number}} room
 */
export function fittingScale(screen, room) {
  return Math.max(0.05, Math.min(1, room.width / screen.width, Math.max(room.height, LEAST_HEIGHT) / screen.height))
}

/**
 * Language and page of the player's address: `#/fr/entry/crane` is `fr` and `entry/crane`.
 * @param {string} hash
 */
export function placeOf(hash) {
  const [language = '', ...rest] = hash.replace(/^#?\/?/, '').split('?')[0].split('/').filter(Boolean)
  return { language, route: rest.join('/') }
}

/** @param {HTMLElement} stage */
export default function start(stage) {
  const view = /** @type {HTMLElement | null} */ (stage.querySelector('[data-view]'))
  const frame = /** @type {HTMLIFrameElement | null} */ (stage.querySelector('[data-frame]'))
  if (!view || !frame) return undefined
  const screen = { width: Number(frame.dataset.width), height: Number(frame.dataset.height) }

  const fit = () => {
    const style = getComputedStyle(view)
    const inline = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight)
    const block = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom)
    const top = view.getBoundingClientRect().top + scrollY
    const scale = fittingScale(screen, {
      width: view.clientWidth - inline,
      height: innerHeight - Math.min(top, innerHeight / 2) - block - 24,
    })
    view.style.setProperty('--frame-width', `${screen.width}px`)
    view.style.setProperty('--frame-height', `${screen.height}px`)
    view.style.setProperty('--frame-scale', String(scale))
    view.style.setProperty('--box-width', `${Math.round(screen.width * scale)}px`)
    view.style.setProperty('--box-height', `${Math.round(screen.height * scale)}px`)
  }

  view.classList.add('preview-view--scaled')
  fit()
  const observer = new ResizeObserver(fit)
  observer.observe(view)
  addEventListener('resize', fit)

  const remember = () => {
    if (!stage.isConnected || !frame.contentWindow) return
    const place = placeOf(frame.contentWindow.location.hash)
    for (const field of document.querySelectorAll('input[name="route"]')) {
      /** @type {HTMLInputElement} */ (field).value = place.route
    }
    const language = /** @type {HTMLSelectElement | null} */ (document.getElementById('field-language'))
    if (language && place.language && [...language.options].some((option) => option.value === place.language)) {
      language.value = place.language
    }
    for (const field of document.querySelectorAll('#preview-links input[name="language"]')) {
      if (place.language) /** @type {HTMLInputElement} */ (field).value = place.language
    }
    const link = /** @type {HTMLAnchorElement | null} */ (stage.querySelector('a[target="_blank"]'))
    if (link) link.hash = frame.contentWindow.location.hash
  }
  const follow = () => {
    remember()
    frame.contentWindow?.addEventListener('hashchange', remember)
  }
  frame.addEventListener('load', follow)
  // The player may have loaded before this module did.
  if (frame.contentWindow?.location.href !== 'about:blank') follow()
  return () => {
    observer.disconnect()
    removeEventListener('resize', fit)
  }
}
