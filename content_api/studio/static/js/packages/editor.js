/**
 * The page on which a package is put together. What the person changes is one body, a copy of
 * the one stored; it is kept in this browser until it is saved, and saved with the version it was
 * made from. Keys of it that are not known here are left as they are.
 */

import { announce, confirmDialog, icon, toast } from '../dialogs.js'
import { _, ngettext } from '../messages.js'
import { send } from '../send.js'
import { describe, recall, remember } from '../widgets/described.js'
import { changed as say, h, iconButton } from '../widgets/dom.js'
import { idsOf, moved as movedIn, without } from '../widgets/ordering.js'
import { contrast, verdict } from './colours.js'
import { merge, same, taking } from './merging.js'
import { paintTexts } from './texts.js'
import { TreeView } from './tree-view.js'
import { allSections, find, freshSectionId, placeOf, removed, rowsOf, withMoreEntries, withNewSection, withSection } from './tree.js'

/** @typedef {import('./tree.js').Spot} Spot */
/** @typedef {Record<string, any>} Body */

/** Sections begin closed where a package has more entries than these. */
const OPEN_UP_TO = 60

/** Steps that can be taken back. */
const UNDO_STEPS = 100

/** Milliseconds in which typing in one field is one step. */
const ONE_STEP = 1500

/** Colours of the player that the accent stands on or carries. */
const WHITE = '#ffffff'

/** @param {HTMLElement} root */
export default function start(root) {
  new Editor(root).begin()
}

class Editor {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root
    const data = root.dataset
    this.slug = data.slug ?? ''
    this.readonly = data.readonly !== undefined
    this.version = Number(data.version)
    /** @type {Body} */
    this.base = JSON.parse(data.body ?? '{}')
    this.body = this.base
    /** @type {import('./texts.js').Language[]} */
    this.languages = JSON.parse(data.languages ?? '[]')
    /** @type {Record<string, string>} */
    this.views = JSON.parse(data.views ?? '{}')
    for (const choice of Object.values(JSON.parse(data.names ?? '{}'))) remember(/** @type {any} */ (choice))
    this.store = `lampisterie.package.${data.person}.${this.slug}`
    /** @type {{body: Body, field: string, at: number}[]} */
    this.steps = []
    /** @type {{version: number, body: Body} | null} */
    this.theirs = null
    this.saving = false
    this.keptHere = true
    this.tree = new TreeView(this.one('[data-tree]'), {
      sections: () => this.sections,
      change: (sections) => this.set({ ...this.body, sections }),
      remove: (spot) => this.takeOut(spot),
      choose: (spot) => this.paintChosen(spot),
      titleOf: (spot) => this.words(spot),
      readonly: this.readonly,
    })
  }

  /** @param {string} selector @returns {any} */
  one(selector) {
    return this.root.querySelector(selector)
  }

  get sections() {
    return this.body.sections ?? []
  }

  get dirty() {
    return !same(this.body, this.base)
  }

  begin() {
    if (rowsOf(this.sections).length > OPEN_UP_TO) {
      for (const section of allSections(this.sections)) this.tree.closed.add(section.id)
    }
    this.listen()
    this.takeKept()
    this.paint()
    this.follow()
    window.addEventListener('hashchange', () => this.follow())
  }

  // -- What is changed -------------------------------------------------------------------------

  /**
   * Take a new body; `field` names what is typed in, so that a word is one step to undo.
   * @param {Body} body @param {string} [field]
   */
  set(body, field = '') {
    if (this.readonly || same(body, this.body)) return
    const last = this.steps.at(-1)
    const now = Date.now()
    if (field && last?.field === field && now - last.at < ONE_STEP) last.at = now
    else this.steps = [...this.steps, { body: this.body, field, at: now }].slice(-UNDO_STEPS)
    this.body = body
    this.keep()
    this.paint()
  }

  /** A copy of the body with a value inside one of its objects; none where it is empty. @param {string} key @param {string} inner @param {any} value */
  with(key, inner, value) {
    const found = { ...this.body[key] }
    if (value === '' || value === undefined || Number.isNaN(value)) delete found[inner]
    else found[inner] = value
    return { ...this.body, [key]: found }
  }

  undo() {
    const last = this.steps.pop()
    if (!last) return
    this.body = last.body
    this.keep()
    this.paint()
    announce(_('Taken back.'))
  }

  /** @param {Spot} spot */
  takeOut(spot) {
    const { title } = this.words(spot)
    const rows = this.tree.rows
    const key = (/** @type {Spot} */ one) => (one.kind === 'entry' ? `${one.section}/${one.entry}` : one.section)
    const index = rows.findIndex((row) => key(row) === key(spot))
    const focused = this.one('[data-tree]').contains(document.activeElement)
    const next = rows.slice(index + 1).find((row) => row.depth <= rows[index].depth) ?? rows[index - 1]
    this.tree.chosen = next ?? null
    this.set({ ...this.body, sections: removed(this.sections, spot) })
    if (focused) this.tree.element(this.tree.chosen)?.focus()
    toast(_('%(title)s was taken out of the package.', { title }), 'info', { label: _('Undo'), run: () => this.undo() })
  }

  // -- Kept in this browser --------------------------------------------------------------------

  keep() {
    try {
      if (this.dirty) localStorage.setItem(this.store, JSON.stringify({ version: this.version, base: this.base, body: this.body, at: new Date().toISOString() }))
      else localStorage.removeItem(this.store)
      this.keptHere = true
    } catch {
      // A full or forbidden store: leaving the page asks first.
      this.keptHere = false
    }
  }

  takeKept() {
    if (this.readonly) return
    let kept
    try {
      kept = JSON.parse(localStorage.getItem(this.store) ?? 'null')
    } catch {
      kept = null
    }
    if (!kept?.body || !kept.base || same(kept.body, this.base)) return
    const now = { version: this.version, body: this.base }
    this.base = kept.base
    this.body = kept.body
    this.version = kept.version
    this.steps = [{ body: now.body, field: '', at: 0 }]
    if (now.version !== kept.version) {
      this.meet(now, false)
    }
    toast(_('What you had not saved was found on this computer and is here again.'), 'info')
  }

  // -- Saving ----------------------------------------------------------------------------------

  async save() {
    if (this.readonly || this.saving) return
    if (!this.dirty) {
      toast(_('Everything is saved.'), 'info')
      return
    }
    if (this.boundsFault()) {
      this.one('#field-map-west').focus()
      return
    }
    this.saving = true
    this.paintState()
    const sent = this.body
    try {
      const { body } = await send('POST', `/studio/packages/${this.slug}/`, { json: { version: this.version, body: sent } })
      this.version = body.version
      this.base = sent
      this.one('[data-refused]').hidden = true
      this.keep()
      toast(_('The package is saved. Displays show it once it is published.'))
    } catch (error) {
      await this.failed(/** @type {any} */ (error))
    } finally {
      this.saving = false
      this.paintState()
    }
  }

  /** @param {import('../send.js').SendFailed} error */
  async failed(error) {
    if (error.kind === 'conflict') {
      try {
        const { body } = await send('GET', `/studio/packages/${this.slug}/body`)
        this.saving = false
        await this.meet(body, true)
        return
      } catch (other) {
        error = /** @type {any} */ (other)
      }
    }
    if (error.kind === 'refused') this.showRefused(error)
    else toast(`${error.message} ${_('What you changed is kept on this computer: save again later.')}`, 'bad')
  }

  /** @param {import('../send.js').SendFailed} error */
  showRefused(error) {
    const box = this.one('[data-refused]')
    const found = (error.problem?.errors ?? []).map((/** @type {any} */ one) => one.message)
    box.replaceChildren(h('p', {}, h('strong', {}, error.message)), h('ul', {}, ...[...new Set(found)].map((text) => h('li', {}, text))), h('p', {}, _('Nothing was lost: what you changed is still here.')))
    box.hidden = false
    box.focus()
  }

  // -- Somebody else's work --------------------------------------------------------------------

  /**
   * Put my work and a newer version together; what both changed is asked.
   * @param {{version: number, body: Body}} theirs @param {boolean} save whether it was being saved
   */
  async meet(theirs, save) {
    const { merged, conflicts } = merge(this.base, this.body, theirs.body)
    if (conflicts.length) {
      this.theirs = theirs
      this.paintConflicts(conflicts)
      return
    }
    this.steps.push({ body: this.body, field: '', at: 0 })
    this.base = theirs.body
    this.version = theirs.version
    this.body = merged
    this.keep()
    this.paint()
    toast(_('Somebody else changed other parts of this package; their work and yours are put together.'), 'info')
    if (save) await this.save()
  }

  /** @param {{path: string, mine: any, theirs: any}[]} conflicts */
  paintConflicts(conflicts) {
    const panel = this.one('[data-conflict]')
    this.one('[data-conflict-list]').replaceChildren(...conflicts.map((conflict, index) => {
      const option = (/** @type {'mine' | 'theirs'} */ whose, /** @type {string} */ label, /** @type {any} */ value) => {
        const id = `conflict-${index}-${whose}`
        return h('div', { class: 'package-conflict__side' },
          h('div', { class: 'check' }, h('input', { type: 'radio', id, name: `conflict-${index}`, value: whose, 'data-path': conflict.path, checked: whose === 'mine' }), h('label', { for: id }, label)),
          h('div', { class: 'package-conflict__value' }, this.valueWords(conflict.path, value)))
      }
      return h('fieldset', { class: 'choices package-conflict__part' }, h('legend', { class: 'field__label' }, this.partWords(conflict.path)),
        h('div', { class: 'split' }, option('mine', _('Mine'), conflict.mine), option('theirs', _('Theirs'), conflict.theirs)))
    }))
    panel.hidden = false
    this.paintState()
    panel.focus()
    panel.scrollIntoView({ block: 'start' })
  }

  async resolve() {
    const theirs = this.theirs
    if (!theirs) return
    const paths = [...this.root.querySelectorAll('[data-conflict] input:checked')]
      .filter((input) => /** @type {HTMLInputElement} */ (input).value === 'theirs')
      .map((input) => /** @type {HTMLElement} */ (input).dataset.path ?? '')
    // Whatever was typed since the question came is part of mine.
    const { merged } = merge(this.base, this.body, theirs.body)
    const body = taking(merged, theirs.body, paths, this.base)
    this.steps.push({ body: this.body, field: '', at: 0 })
    this.base = theirs.body
    this.version = theirs.version
    this.body = body
    this.theirs = null
    this.one('[data-conflict]').hidden = true
    this.keep()
    this.paint()
    if (this.dirty) await this.save()
    else toast(_('Everything is saved.'))
  }

  /** @param {string} path */
  partWords(path) {
    const [first, ...rest] = path.split('.')
    const kinds = /** @type {Record<string, string>} */ ({
      title: _('Title'), summary: _('Summary'), credits: _('Credits'), languages: _('Languages'), default_language: _('First language'),
      profiles: _('Kinds of display'), theme: _('Look'), settings: _('Idle times'), timezone: _('Time zone'), map: _('Map'),
      tree: _('Order of the sections'), shown: _('Days on which displays show it'), view: _('Shown as'), entries: _('Entries'),
    })
    if (first === 'sections') {
      const section = this.words({ kind: 'section', section: rest[0] }).title
      const part = kinds[rest[1]] ?? rest[1]
      return rest[2] ? `${section} · ${part} · ${rest[2]}` : `${section} · ${part}`
    }
    const inside = first === 'shown' ? rest.map((id) => recall(id)?.title ?? id) : rest
    return [kinds[first] ?? first, ...inside].join(' · ')
  }

  /** @param {string} path @param {any} value @returns {Node} */
  valueWords(path, value) {
    if (value === undefined) return h('span', { class: 'soft' }, _('nothing'))
    if (path === 'tree') return this.outline(value)
    if (path.startsWith('shown.')) return h('span', {}, `${value.from ?? '…'} – ${value.until ?? '…'}`)
    if (path.endsWith('.entries')) return h('ol', {}, ...value.map((/** @type {string} */ id) => h('li', {}, recall(id)?.title ?? id)))
    if (typeof value === 'string') return h('span', {}, this.views[value] && path.endsWith('.view') ? this.views[value] : value)
    if (Array.isArray(value)) return h('span', {}, value.map((one) => recall(one)?.title ?? (typeof one === 'string' ? one : JSON.stringify(one))).join(', '))
    return h('span', { class: 'mono' }, JSON.stringify(value))
  }

  /** @param {any[]} tree @returns {Node} */
  outline(tree) {
    return h('ul', {}, ...tree.map(([id, inside]) => h('li', {}, this.sectionTitle(id), inside?.length ? this.outline(inside) : null)))
  }

  // -- Words -----------------------------------------------------------------------------------

  /** @param {string} id */
  sectionTitle(id) {
    const section = find(this.sections, id) ?? find(this.theirs?.body.sections ?? [], id) ?? find(this.base.sections ?? [], id)
    return this.best(section?.title)?.text || id
  }

  /** The text in the reader's language, else in the package's first. @param {Record<string, string> | undefined} texts */
  best(texts = {}) {
    for (const tag of [document.documentElement.lang, this.body.default_language, ...Object.keys(texts)]) {
      if (texts[tag]) return { text: texts[tag], tag }
    }
    return null
  }

  /** @param {Spot} spot */
  words(spot) {
    if (spot.kind === 'entry') {
      const choice = recall(spot.entry)
      return { title: choice?.title ?? spot.entry, about: choice?.type_label ?? '', lang: choice?.language ?? null }
    }
    const section = find(this.sections, spot.section)
    const title = this.best(section?.title)
    const count = section?.entries?.length ?? 0
    const about = `${this.views[section?.view ?? ''] ?? ''} · ${ngettext('%(n)s entry', '%(n)s entries', count)}`
    return { title: title?.text ?? (section ? _('Section without a title') : this.sectionTitle(spot.section)), about, lang: title?.tag ?? null }
  }

  // -- Painting --------------------------------------------------------------------------------

  paint() {
    this.tree.paint()
    const count = new Set(allSections(this.sections).flatMap((section) => section.entries ?? [])).size
    this.one('[data-count]').textContent = ngettext('%(n)s entry', '%(n)s entries', count)
    paintTexts(this.one('[data-texts]'), [
      { key: 'title', label: _('Title'), rows: 1, max: 200 },
      { key: 'summary', label: _('Summary'), rows: 3, max: 2000 },
      { key: 'credits', label: _('Credits'), rows: 3, max: 4000 },
    ], this.own(), 'f', (key, tag) => this.body[key]?.[tag] ?? '', (key, tag, text) => this.set(this.with(key, tag, text), `${key}.${tag}`), this.readonly)
    this.paintLanguages()
    this.paintSettings()
    this.paintLayers()
    this.paintState()
  }

  /** The package's languages, in its order. @returns {import('./texts.js').Language[]} */
  own() {
    return this.body.languages.map((/** @type {string} */ tag) => this.languages.find((found) => found.tag === tag) ?? { tag, name: tag, words: tag, dir: 'auto' })
  }

  /** @param {Spot | null} spot */
  paintChosen(spot) {
    const section = spot && find(this.sections, spot.section)
    const panel = this.one('[data-section-panel]')
    panel.hidden = !section
    if (section) {
      this.one('[data-section-title]').textContent = _('Section “%(title)s”', { title: this.words({ kind: 'section', section: section.id }).title })
      const view = this.one('#field-section-view')
      view.value = section.view
      view.dataset.section = section.id
      paintTexts(this.one('[data-section-texts]'), [
        { key: 'title', label: _('Title'), rows: 1, max: 200 },
        { key: 'summary', label: _('Summary'), rows: 2, max: 2000 },
      ], this.own(), `s-${section.id}`, (key, tag) => /** @type {any} */ (section)[key]?.[tag] ?? '', (key, tag, text) => this.writeSection(section.id, key, tag, text), this.readonly)
    }
    const entry = spot?.kind === 'entry' ? recall(spot.entry) : null
    const about = this.one('[data-entry-panel]')
    about.hidden = spot?.kind !== 'entry'
    if (spot?.kind === 'entry') {
      this.one('[data-entry-title]').textContent = entry?.title ?? spot.entry
      this.one('[data-entry-about]').textContent = entry ? `${entry.type_label} · ${spot.entry}` : _('This entry does not exist any more, or you may not see it.')
      this.one('[data-entry-links]').replaceChildren(...(entry ? [
        h('a', { class: 'button button--small', href: `/studio/entries/${spot.entry}/` }, icon('edit'), h('span', {}, _('Open the entry'))),
        h('a', { class: 'button button--small button--quiet', href: `/studio/entries/${spot.entry}/preview?package=${this.slug}` }, icon('eye'), h('span', {}, _('Preview'))),
      ] : []))
      this.paintDays(spot.entry)
    }
    for (const button of this.root.querySelectorAll('[data-move], [data-remove]')) /** @type {HTMLButtonElement} */ (button).disabled = !spot
  }

  /** @param {string} entry */
  paintDays(entry) {
    const span = this.body.shown?.[entry] ?? {}
    const from = this.one('#field-shown-from')
    const until = this.one('#field-shown-until')
    const other = from.dataset.entry !== entry
    from.dataset.entry = entry
    for (const [input, day] of [[from, span.from], [until, span.until]]) {
      // What is typed for another entry is not what stands there now.
      if (other) input.value = day ?? ''
      else fill(input, day)
    }
    this.sayDays('')
  }

  readDays() {
    const from = this.one('#field-shown-from')
    const until = this.one('#field-shown-until')
    const span = { ...(from.value && { from: from.value }), ...(until.value && { until: until.value }) }
    if (span.from && span.until && span.until < span.from) {
      this.sayDays(_('The last day is before the first.'))
      return
    }
    this.sayDays('')
    const entry = from.dataset.entry
    const { [entry]: _old, ...others } = this.body.shown ?? {}
    const shown = Object.keys(span).length ? { ...others, [entry]: span } : others
    const { shown: _before, ...rest } = this.body
    this.set(Object.keys(shown).length ? { ...rest, shown } : rest, `shown.${entry}`)
  }

  /** @param {string} fault what is wrong with the days in words, '' when nothing is */
  sayDays(fault) {
    const place = this.one('[data-shown-error]')
    place.textContent = fault
    place.hidden = !fault
    for (const name of ['from', 'until']) {
      const input = this.one(`#field-shown-${name}`)
      if (fault) input.setAttribute('aria-invalid', 'true')
      else input.removeAttribute('aria-invalid')
    }
  }

  /** @param {string} id @param {string} key @param {string} tag @param {string} text */
  writeSection(id, key, tag, text) {
    const sections = withSection(this.sections, id, (section) => {
      const texts = { .../** @type {any} */ (section)[key] }
      if (text) texts[tag] = text
      else delete texts[tag]
      return { ...section, [key]: texts }
    })
    this.set({ ...this.body, sections }, `${id}.${key}.${tag}`)
  }

  paintLanguages() {
    const list = this.one('[data-language-list]')
    const held = /** @type {HTMLElement | null} */ (list.contains(document.activeElement) ? document.activeElement : null)?.dataset.act
    const own = this.own()
    list.replaceChildren(...own.map((language, index) => {
      const { tag, name, words, dir } = language
      const id = `first-${tag}`
      const isFirst = this.body.default_language === tag
      return h('li', { class: 'package-languages__row' },
        h('span', { class: 'package-languages__name' }, h('bdi', { lang: tag, dir }, name), h('span', { class: 'soft small' }, ` ${words}`)),
        h('span', { class: 'check' }, h('input', { type: 'radio', id, name: 'default_language', value: tag, checked: isFirst, disabled: this.readonly, 'data-act': `first-${tag}`, onchange: () => this.set({ ...this.body, default_language: tag }) }), h('label', { for: id }, _('first'))),
        this.readonly ? null : h('span', { class: 'row package-languages__buttons' },
          iconButton('arrow-up', _('Move %(title)s up', { title: name }), () => this.moveLanguage(index, -1), { disabled: index === 0, 'data-act': `up-${tag}` }),
          iconButton('arrow-down', _('Move %(title)s down', { title: name }), () => this.moveLanguage(index, 1), { disabled: index === own.length - 1, 'data-act': `down-${tag}` }),
          iconButton('close', _('Remove %(title)s', { title: name }), () => this.removeLanguage(index), { disabled: own.length === 1, 'data-act': `remove-${tag}` })))
    }))
    if (held) {
      const button = /** @type {HTMLButtonElement | null} */ (list.querySelector(`[data-act="${held}"]`))
      const other = /** @type {HTMLElement | null} */ (list.querySelector('button:not(:disabled), input'))
      ;(button && !button.disabled ? button : button?.parentElement?.querySelector('button:not(:disabled)') ?? other)?.focus()
    }
    const select = this.one('[data-add-language]')
    if (select) {
      const free = this.languages.filter(({ tag }) => !this.body.languages.includes(tag))
      select.replaceChildren(...free.map(({ tag, name, words }) => h('option', { value: tag }, `${name} (${words})`)))
      select.disabled = this.one('[data-add-language-button]').disabled = !free.length
    }
  }

  /** @param {number} index @param {number} step */
  moveLanguage(index, step) {
    this.set({ ...this.body, languages: movedIn(this.body.languages, index, step) })
    announce(_('Now number %(n)s of %(all)s.', { n: index + step + 1, all: this.body.languages.length }))
  }

  /** @param {number} index */
  removeLanguage(index) {
    const languages = without(this.body.languages, index)
    const first = languages.includes(this.body.default_language) ? this.body.default_language : languages[0]
    // Its texts stay in the package: with the language, they come back.
    this.set({ ...this.body, languages, default_language: first })
  }

  paintSettings() {
    for (const box of this.root.querySelectorAll('input[name="profiles"]')) {
      const input = /** @type {HTMLInputElement} */ (box)
      input.checked = this.body.profiles.includes(input.value)
    }
    const theme = this.body.theme ?? {}
    const settings = this.body.settings ?? {}
    const values = /** @type {[string, any][]} */ ([['timezone', this.body.timezone], ['idle', settings.idle_seconds], ['warning', settings.warning_seconds]])
    for (const [name, value] of values) fill(this.one(`#field-${name}`), value)
    fill(this.one('#field-accent'), theme.accent ?? '#b5482f')
    for (const [name, ids] of [['logo', theme.logo ?? ''], ['attract', (theme.attract ?? []).join(',')]]) {
      const control = this.one(`#${name}-value`)
      if (!control || control.value === ids) continue
      control.value = ids
      this.painting = true
      say(control)
      this.painting = false
    }
    ;['west', 'south', 'east', 'north'].forEach((name, index) => fill(this.one(`#field-map-${name}`), this.body.map?.bounds?.[index] ?? (this.looseBounds?.[index] ?? '')))
    const accent = theme.accent ?? '#b5482f'
    this.one('[data-sample]').style.setProperty('--sample', accent)
    const ratio = contrast(accent, WHITE)
    const shown = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 }).format(ratio)
    const words = {
      good: _('White on this colour is easy to read (%(ratio)s to 1).', { ratio: shown }),
      large: _('White on this colour is readable only when large (%(ratio)s to 1). A darker one is better.', { ratio: shown }),
      bad: _('White on this colour cannot be read (%(ratio)s to 1). Displays darken it; choose a darker one.', { ratio: shown }),
    }
    const place = this.one('[data-contrast]')
    const text = words[verdict(ratio)]
    if (place.dataset.said !== text) {
      place.dataset.said = text
      place.replaceChildren(icon(verdict(ratio) === 'good' ? 'check' : 'warning'), ` ${text}`)
    }
  }

  paintLayers() {
    const place = this.one('[data-layers]')
    const layers = this.body.map?.layers ?? []
    const shape = JSON.stringify([layers, layers.map((/** @type {any} */ layer) => recall(layer.asset)?.title)])
    if (place.dataset.shape === shape) return
    place.dataset.shape = shape
    const styles = JSON.parse(place.dataset.styles ?? '{}')
    const write = (/** @type {any[]} */ next) => this.set({ ...this.body, map: { ...this.body.map, layers: next } })
    place.replaceChildren(...layers.map((/** @type {any} */ layer, /** @type {number} */ index) => {
      const title = recall(layer.asset)?.title ?? layer.asset
      const select = h('select', { class: 'input input--short', 'aria-label': _('How %(title)s is drawn', { title }), disabled: this.readonly, onchange: (/** @type {any} */ event) => write(layers.map((/** @type {any} */ one, /** @type {number} */ at) => (at === index ? { ...one, style: event.target.value } : one))) },
        ...Object.entries(styles).map(([value, words]) => h('option', { value, selected: value === layer.style }, String(words))))
      return h('div', { class: 'package-layer' }, h('a', { class: 'grow', href: `/studio/media/${layer.asset}/` }, title), select,
        this.readonly ? null : h('span', { class: 'row package-layer__buttons' },
          iconButton('arrow-up', _('Move %(title)s up', { title }), () => write(movedIn(layers, index, -1)), { disabled: index === 0 }),
          iconButton('arrow-down', _('Move %(title)s down', { title }), () => write(movedIn(layers, index, 1)), { disabled: index === layers.length - 1 }),
          iconButton('close', _('Remove %(title)s', { title }), () => write(without(layers, index)))))
    }))
  }

  paintState() {
    const words = this.one('[data-state-words]')
    const state = this.saving ? 'saving' : this.theirs ? 'conflict' : !this.dirty ? 'saved' : this.keptHere ? 'kept' : 'unsaved'
    const said = {
      saving: _('Saving…'),
      conflict: _('Not saved: choose below what is to stay.'),
      saved: _('Everything is saved.'),
      kept: _('Not saved yet; kept on this computer.'),
      unsaved: _('Not saved yet.'),
    }[state]
    this.one('[data-state]').dataset.state = state
    if (words.textContent !== said) {
      words.textContent = said
      this.one('[data-state] .icon')?.replaceWith(icon(state === 'saved' ? 'check' : state === 'conflict' ? 'warning' : 'edit'))
    }
    if (this.readonly) return
    this.one('[data-undo]').disabled = !this.steps.length
    this.one('[data-discard]').hidden = !this.dirty
  }

  // -- What the person does --------------------------------------------------------------------

  listen() {
    window.addEventListener('beforeunload', (event) => { if (this.dirty && !this.keptHere) event.preventDefault() })
    if (this.readonly) return
    const on = (/** @type {string} */ selector, /** @type {string} */ type, /** @type {(event: any) => void} */ run) => this.one(selector)?.addEventListener(type, run)
    on('[data-save]', 'click', () => this.save())
    on('[data-undo]', 'click', () => this.undo())
    on('[data-resolve]', 'click', () => this.resolve())
    on('[data-discard]', 'click', () => this.discard())
    document.addEventListener('keydown', (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey) return
      const typing = /** @type {Element} */ (event.target).matches('input:not([type="radio"], [type="checkbox"], [type="color"]), textarea')
      if (event.key.toLowerCase() === 's') {
        event.preventDefault()
        this.save()
      } else if (event.key.toLowerCase() === 'z' && !event.shiftKey && !typing) {
        event.preventDefault()
        this.undo()
      }
    })
    for (const button of this.root.querySelectorAll('[data-move]')) {
      button.addEventListener('click', () => this.tree.move(/** @type {any} */ (button).dataset.move))
    }
    on('[data-remove]', 'click', () => { if (this.tree.chosen) this.takeOut(this.tree.chosen) })
    on('[data-add-section]', 'click', () => this.addSection())
    on('[data-add-entries]', 'click', () => this.addEntries())
    on('[data-add-layer]', 'click', () => this.addLayer())
    on('[data-add-language-button]', 'click', () => {
      const tag = this.one('[data-add-language]').value
      if (!tag) return
      this.set({ ...this.body, languages: [...this.body.languages, tag] })
      toast(_('%(language)s was added: its titles are to be written.', { language: this.languages.find((found) => found.tag === tag)?.name ?? tag }), 'info')
    })
    on('#field-section-view', 'change', (event) => {
      const id = event.target.dataset.section
      this.set({ ...this.body, sections: withSection(this.sections, id, (section) => ({ ...section, view: event.target.value })) })
    })
    for (const name of ['from', 'until']) on(`#field-shown-${name}`, 'change', () => this.readDays())
    for (const box of this.root.querySelectorAll('input[name="profiles"]')) box.addEventListener('change', () => this.readProfiles())
    on('#field-timezone', 'change', (event) => this.set(trimmed(this.body, 'timezone', event.target.value.trim())))
    on('#field-idle', 'input', (event) => this.set(this.with('settings', 'idle_seconds', event.target.valueAsNumber), 'idle'))
    on('#field-warning', 'input', (event) => this.set(this.with('settings', 'warning_seconds', event.target.valueAsNumber), 'warning'))
    on('#field-accent', 'input', (event) => this.set(this.with('theme', 'accent', event.target.value), 'accent'))
    on('#logo-value', 'change', (event) => {
      if (!this.painting) this.set(this.with('theme', 'logo', idsOf(event.target.value)[0]))
    })
    on('#attract-value', 'change', (event) => {
      if (this.painting) return
      const ids = idsOf(event.target.value)
      if (!ids.length && !this.body.theme?.attract) return
      this.set(this.with('theme', 'attract', ids))
    })
    for (const name of ['west', 'south', 'east', 'north']) on(`#field-map-${name}`, 'change', () => this.readBounds())
  }

  readProfiles() {
    const ticked = [...this.root.querySelectorAll('input[name="profiles"]:checked')].map((box) => /** @type {HTMLInputElement} */ (box).value)
    if (!ticked.length) {
      toast(_('A package needs at least one kind of display.'), 'warn')
      this.paintSettings()
      return
    }
    const kept = this.body.profiles.filter((/** @type {string} */ name) => ticked.includes(name))
    this.set({ ...this.body, profiles: [...kept, ...ticked.filter((name) => !kept.includes(name))] })
  }

  /** What is wrong with the frame of the map, in words; empty if nothing. */
  boundsFault() {
    const [west, south, east, north] = this.looseBounds ?? this.body.map?.bounds ?? ['', '', '', '']
    const filled = [west, south, east, north].filter((value) => value !== '')
    if (!filled.length) return this.body.map?.layers?.length ? _('A map with layers needs its frame.') : ''
    if (filled.length < 4) return _('Fill in all four, or none.')
    if (!(south < north) || south < -90 || north > 90) return _('South must be below north, both between −90 and 90.')
    return ''
  }

  readBounds() {
    const values = ['west', 'south', 'east', 'north'].map((name) => {
      const { valueAsNumber } = this.one(`#field-map-${name}`)
      return Number.isNaN(valueAsNumber) ? '' : valueAsNumber
    })
    this.looseBounds = values
    const fault = this.boundsFault()
    const place = this.one('[data-map-error]')
    place.textContent = fault
    place.hidden = !fault
    if (fault) return
    this.looseBounds = null
    if (values.every((value) => value === '')) {
      const { map: _gone, ...rest } = this.body
      this.set(rest)
    } else this.set({ ...this.body, map: { ...this.body.map, bounds: values } })
  }

  addSection() {
    const chosen = this.tree.chosen
    const place = chosen?.kind === 'section' ? placeOf(this.sections, chosen.section) : null
    const tag = this.body.default_language
    const title = _('New section')
    const section = { id: freshSectionId(this.sections, 'section'), view: 'list', title: { [tag]: title }, entries: [], sections: [] }
    // Beside what is chosen: a section of the same level.
    const parent = place?.parent?.id ?? null
    const sections = withNewSection(this.sections, section, parent)
    if (!sections) return
    this.set({ ...this.body, sections })
    this.tree.reveal({ kind: 'section', section: section.id }, false)
    const input = /** @type {HTMLInputElement | null} */ (this.root.querySelector(`[data-section-texts] [data-text="title"][lang="${tag}"]`))
    input?.focus()
    input?.select()
  }

  async addEntries() {
    const control = this.one('#add-entries-value')
    const ids = idsOf(control.value)
    const chosen = this.tree.chosen
    if (!ids.length || !chosen) {
      toast(_('Choose entries above first.'), 'info')
      this.one('#add-entries-search')?.focus()
      return
    }
    await describe(ids)
    const had = find(this.sections, chosen.section)?.entries ?? []
    const fresh = ids.filter((id) => !had.includes(id))
    this.set({ ...this.body, sections: withMoreEntries(this.sections, chosen.section, ids) })
    control.value = ''
    say(control)
    if (fresh.length) this.tree.reveal({ kind: 'entry', section: chosen.section, entry: fresh[0] }, false)
    toast(ngettext('%(n)s entry was added.', '%(n)s entries were added.', fresh.length))
    this.one('#add-entries-search')?.focus()
  }

  async addLayer() {
    const control = this.one('#add-layer-value')
    const [asset] = idsOf(control.value)
    if (!asset) {
      toast(_('Choose a file above first.'), 'info')
      return
    }
    if (!this.body.map?.bounds) {
      toast(_('Give the frame of the map first.'), 'info')
      this.one('#field-map-west').focus()
      return
    }
    await describe([asset])
    this.set({ ...this.body, map: { ...this.body.map, layers: [...(this.body.map.layers ?? []), { asset, style: 'region' }] } })
    control.value = ''
    say(control)
  }

  async discard() {
    const sure = await confirmDialog({ title: _('Take back all you changed?'), text: _('The package is shown as it was saved last. This cannot be undone.'), action: _('Take it back'), tone: 'danger' })
    if (!sure) return
    if (this.theirs) {
      this.base = this.theirs.body
      this.version = this.theirs.version
      this.theirs = null
      this.one('[data-conflict]').hidden = true
    }
    this.body = this.base
    this.steps = []
    this.looseBounds = null
    this.keep()
    this.paint()
  }

  /** Stand where the address points: links of the publish page name a field or a section. */
  follow() {
    const name = decodeURIComponent(location.hash.slice(1))
    if (name.startsWith('section-')) {
      const id = name.slice('section-'.length)
      if (find(this.sections, id)) this.tree.reveal({ kind: 'section', section: id })
    } else if (name.startsWith('f-')) {
      const field = document.getElementById(name)
      field?.focus()
      field?.scrollIntoView({ block: 'center' })
    }
  }
}

/** @param {HTMLInputElement | null} input @param {any} value */
function fill(input, value) {
  if (!input || document.activeElement === input) return
  const text = value === undefined || value === null ? '' : String(value)
  if (input.value !== text) input.value = text
}

/** @param {Body} body @param {string} key @param {string} value @returns {Body} */
function trimmed(body, key, value) {
  const { [key]: _old, ...rest } = body
  return value ? { ...body, [key]: value } : rest
}
