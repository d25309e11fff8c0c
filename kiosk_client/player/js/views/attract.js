/**
 * The screen nobody uses yet: pictures go by, and every language is one touch away. The
 * first touch starts the visit in that language.
 */

import { h } from '../dom.js'
import { isPoint } from '../geo.js'
import { isStill } from '../preferences.js'
import { formatRoute } from '../route.js'
import { pick } from '../release.js'
import { catalogueFor } from '../text/strings.js'
import { creditLine, picture } from '../parts/picture.js'
import { fillWithMap } from '../parts/outline.js'

/** Each picture stays this long, milliseconds. */
const SLIDE = 9000

/** Index of the slide after `index`, or null if there are none. @param {unknown[]} slides @param {number} index */
export const nextIndex = (slides, index) => (slides.length ? (index + 1) % slides.length : null)

/** @param {import('../context.js').Context} context */
export async function attractPage(context) {
  const { pkg, release, library, t } = context
  const starts = await fetch(new URL('../../i18n/start.json', import.meta.url)).then((answer) => answer.json())
  const title = pick(pkg.title, context.language)
  const slides = drawSlides(context)
  slides[0]?.classList.add('attract__slide--on')
  runSlides(context, slides)
  return {
    title: title.text || 'Lampisterie',
    content: [
      h('div.attract__slides', { 'aria-hidden': 'true' }, slides),
      h('div.attract__words', null,
        drawLogo(context),
        h('h1.attract__title', { lang: title.language, dir: library.direction(title.language) }, title.text),
        otherTitles(context, title.language),
        h('nav.attract__languages', { 'aria-label': t('language') }, h('ul.tongues', { role: 'list' },
          release.languages.map(({ tag, name, dir }) => h('li', null,
            h('a.tongues__button.tongues__button--start', { href: formatRoute({ page: 'home', language: tag }), lang: tag, dir },
              h('span.tongues__name', null, name), h('span.tongues__start', null, starts[catalogueFor(tag)] ?? starts.en)))))),
        release.channel === 'preview' && h('p.attract__preview', null, t('preview'))),
    ],
  }
}

/** The title as the other languages say it. @param {import('../context.js').Context} context @param {string} shown */
function otherTitles({ pkg, release, library }, shown) {
  const others = release.languages.filter(({ tag }) => tag !== shown && pkg.title?.[tag] && pkg.title[tag] !== pkg.title[shown]).slice(0, 3)
  return others.length ? h('p.attract__others', null, others.map(({ tag }) => h('span', { lang: tag, dir: library.direction(tag) }, pkg.title[tag]))) : null
}

/** The house's mark, on white: most are drawn for paper. @param {import('../context.js').Context} context */
function drawLogo(context) {
  const { library, pkg } = context
  const asset = pkg.theme?.logo ? library.asset(pkg.theme.logo) : undefined
  return asset?.kind === 'image' ? h('p.attract__logo', null, picture(context, asset, { sizes: '16rem', eager: true })) : null
}

/** @param {import('../context.js').Context} context */
function drawSlides(context) {
  const { library, pkg } = context
  const lamps = h('div.attract__slide.attract__slide--lamps')
  const places = [...library.entries.values()].filter(({ fields }) => isPoint(fields.coords)).map(({ fields }) => fields.coords)
  fillWithMap(context, lamps, places.filter((place) => !pkg.map?.bounds || inside(pkg.map.bounds, place)))
  const pictures = (pkg.theme?.attract ?? []).flatMap((id) => library.asset(id) ?? []).filter(({ kind }) => kind === 'image')
  return [lamps, ...pictures.map((asset, index) => h('div.attract__slide', null,
    picture(context, asset, { cover: true, decorative: true, eager: index === 0 }), h('p.attract__credit', null, creditLine(asset))))]
}

/** @param {[number, number, number, number]} bounds @param {{lat: number, lon: number}} point */
const inside = ([west, south, east, north], { lat, lon }) => lon > west && lon < east && lat > south && lat < north

/** @param {import('../context.js').Context} context @param {HTMLElement[]} slides */
function runSlides(context, slides) {
  let index = 0
  const timer = setInterval(() => {
    // the choice can be made while the loop runs
    if (isStill() || slides.length < 2) return
    slides[index].classList.remove('attract__slide--on')
    index = nextIndex(slides, index) ?? 0
    slides[index].classList.add('attract__slide--on')
  }, SLIDE)
  context.onLeave(() => clearInterval(timer))
}
