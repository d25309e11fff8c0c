/** The bar at the foot of every page: the same places, within reach of a child or a chair. */

import { h, icon } from '../dom.js'
import { applyPreferences, preferences } from '../preferences.js'
import { openDialog } from './dialog.js'

/** @typedef {import('../context.js').Context} Context */

/**
 * Draw the dock for a page.
 * @param {HTMLElement} dock
 * @param {Context} context
 * @param {import('../route.js').Route} route
 * @param {{back: () => void, chooseLanguage: (tag: string) => void}} act
 */
export function drawDock(dock, context, route, act) {
  const { t, href } = context
  const here = (/** @type {string} */ page) => (route.page === page ? 'page' : null)
  const attract = route.page === 'attract'
  dock.setAttribute('aria-label', t('navigation'))
  dock.classList.toggle('dock--bare', attract)
  dock.hidden = false
  dock.replaceChildren(
    ...(attract ? [] : [
      h('button.dock__button', { type: 'button', onclick: act.back, hidden: route.page === 'home' }, icon('back'), h('span', null, t('back'))),
      h('a.dock__button', { href: href({ page: 'home' }), 'aria-current': here('home') }, icon('home'), h('span', null, t('home'))),
      h('a.dock__button', { href: href({ page: 'search' }), 'aria-current': here('search') }, icon('search'), h('span', null, t('search'))),
      h('span.dock__space'),
      h('button.dock__button', { type: 'button', 'data-part': 'language', onclick: () => openLanguages(context, act.chooseLanguage), hidden: context.release.languages.length < 2 },
        icon('language'), h('span', null, context.library.language.name)),
    ]),
    h('button.dock__button.dock__button--access', { type: 'button', 'data-part': 'accessibility', onclick: () => openAccessibility(context) },
      icon('access'), h('span', null, t('accessibility'))))
}

/** @param {Context} context @param {(tag: string) => void} choose */
function openLanguages(context, choose) {
  openDialog({ title: context.t('language'), closeLabel: context.t('close'), kind: 'languages' }, (close) =>
    h('ul.tongues', { role: 'list' }, context.release.languages.map(({ tag, name, dir }) => h('li', null,
      h('button.tongues__button', {
        type: 'button', lang: tag, dir, 'aria-current': tag === context.language ? 'true' : null,
        onclick: () => {
          close()
          choose(tag)
        },
      }, name)))))
}

/** @param {Context} context */
function openAccessibility(context) {
  const { t } = context
  /** @param {string} legend @param {keyof typeof preferences} name @param {[any, string][]} options */
  const group = (legend, name, options) => h('fieldset.choice', null, h('legend.choice__legend', null, legend),
    h('div.choice__options', null, options.map(([value, label]) => h('label.choice__option', null,
      h('input', {
        type: 'radio', name: `preference-${name}`, value, checked: preferences[name] === value,
        onchange: () => applyPreferences({ [name]: value }),
      }), h('span', null, label)))))
  const furigana = context.release.languages.some(({ tag }) => tag === 'ja')
  openDialog({ title: t('accessibility'), closeLabel: t('close'), kind: 'access' }, (close) => [
    group(t('textSize'), 'size', [[1, context.number(100) + ' %'], [1.5, context.number(150) + ' %'], [2, context.number(200) + ' %']]),
    group(t('contrast'), 'contrast', [['normal', t('contrastNormal')], ['high', t('contrastHigh')]]),
    group(t('motion'), 'motion', [['full', t('motionFull')], ['reduced', t('motionReduced')]]),
    group(t('captions'), 'captions', [['on', t('on')], ['off', t('off')]]),
    furigana && group(t('furigana'), 'furigana', [['all', t('on')], ['none', t('off')]]),
    h('p.choice__done', null, h('button.button', { type: 'button', onclick: close }, t('done'))),
  ])
}

