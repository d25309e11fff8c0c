/** Who made this, under which licences, and which release it is. */

import { h } from '../dom.js'
import { languageOf } from '../context.js'
import { pick } from '../release.js'
import { plainText } from '../text/richtext.js'
import { creditLine } from '../parts/picture.js'

/** @param {import('../context.js').Context} context */
export function creditsPage(context) {
  const { t, pkg, release, library } = context
  const credits = pick(pkg.credits, context.language)
  /** @type {Map<string, string[]>} */
  const byCredit = new Map()
  for (const asset of library.assets.values()) {
    const line = creditLine(asset)
    const name = plainText(asset.fields.caption) || plainText(asset.fields.alt)
    if (line && library.asset(asset.id)) byCredit.set(line, [...(byCredit.get(line) ?? []), name].filter(Boolean))
  }
  return {
    title: t('credits'),
    content: [
      h('header.sectionhead', null, h('h1.sectionhead__title', null, t('credits'))),
      credits.text && h('p.prose.prose--lead', languageOf(context, credits.language), credits.text),
      h('dl.facts.facts--credits', null, [...byCredit].map(([line, names]) => h('div', null, h('dt', null, h('bdi', null, line)), h('dd', null, t('countMedia', { n: names.length }))))),
      h('p.release', null, h('bdi', null, `${release.package} · ${release.channel} · ${t('release', { n: release.release })}`), release.device?.name && h('span', null, ` · ${release.device.name}`)),
    ],
  }
}
