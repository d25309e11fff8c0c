/** A page that is not in this release or not in this language. */

import { h } from '../dom.js'

/** @param {import('../context.js').Context} context */
export function missingPage(context) {
  const { t } = context
  return {
    title: t('notFound'),
    kind: 'missing',
    content: h('div.missing', null, h('h1', null, t('notFound')), h('p', null, t('notFoundText')),
      h('p', null, h('a.button.button--accent', { href: context.href({ page: 'home' }) }, t('home')))),
  }
}
