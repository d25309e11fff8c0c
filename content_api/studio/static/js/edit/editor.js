/**
 * An entry's page: collects what is typed, keeps it, saves it, and brings it together with what
 * others saved. Nothing that was typed leaves before the server or this browser holds it.
 */

import { announce, confirmDialog, toast } from '../dialogs.js'
import { _, formatNumber, ngettext } from '../messages.js'
import { send } from '../send.js'
import { BlockEditor } from './block-editor.js'
import { askDecisions, decided, paintDifferences } from './decisions.js'
import { SHARED, changedPairs, countChanges, key, operationsBetween, rebased, repaired, same, saysNothing, shownIn, toDoc } from './document.js'
import { KEEP_AFTER, KEEP_AT_LEAST, LocalCopy, retryAfter, stateOf, wouldLose } from './keeping.js'
import { startPresence, watchOtherWindows } from './presence.js'
import { ABSENT, controlsOf, emptyBox, readCell, writeCell } from './values.js'

/** Milliseconds of rest before this browser holds what was typed. */
const HOLD_AFTER = 250
/** Milliseconds after which a server that does not answer counts as away. */
const PATIENCE = 20_000
/** Characters of another language's text that show through an empty one. */
const SHOWN_THROUGH = 200
/** Set while the page reloads by itself: the person knows of the unsaved work. */
const GOING_ON = 'lampisterie.going-on'

/** @param {HTMLElement} root */
export default function start(root) {
  new Editor(root).start()
}

export class Editor {
  /** @param {HTMLElement} root */
  constructor(root) {
    const { entry = '', person = '', type = '', rev = '0', head = '0', scopes = '', stories = '', base = '[]', mine = '[]' } = root.dataset
    this.root = root
    this.entry = entry
    this.type = type
    this.url = `/studio/entries/${entry}`
    this.rev = Number(rev)
    this.head = Number(head)
    this.scopes = new Set(scopes.split(' ').filter(Boolean))
    this.stories = stories.split(' ').filter(Boolean)
    this.base = toDoc(JSON.parse(base))
    this.mine = toDoc(JSON.parse(mine))
    this.local = new LocalCopy(person, entry)
    this.readonly = root.dataset.readonly !== undefined
    /** @type {{label: string, run: () => void}[]} */
    this.undoStack = []
    this.undoing = false
    this.painting = false
    /** Counts changes: what is kept or saved is as old as the number it was sent with. */
    this.generation = 0
    this.keptGeneration = root.dataset.keptAt ? 0 : -1
    this.heldGeneration = -1
    /** @type {Date | null} */
    this.keptAt = root.dataset.keptAt ? new Date(root.dataset.keptAt) : null
    this.hasWorkingCopy = this.keptAt !== null
    this.keeping = false
    this.saving = false
    this.failures = 0
    /** @type {'' | 'offline' | 'server' | 'signed-out' | 'refused' | 'conflict'} */
    this.trouble = ''
    this.keepTimer = 0
    this.holdTimer = 0
    this.firstUnkept = 0
    this.savedWords = root.querySelector('[data-status-text]')?.textContent ?? ''
    /** @type {BlockEditor[]} */
    this.blockEditors = []
    this.isGone = false
    this.clock = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: 'short', timeZone: root.dataset.zone })
  }

  start() {
    const { root } = this
    this.blockEditors = /** @type {HTMLElement[]} */ ([...root.querySelectorAll('[data-story]')]).map((section) => new BlockEditor(section, this))
    for (const cell of this.cells()) this.hint(cell)
    for (const picker of /** @type {HTMLInputElement[]} */ ([...root.querySelectorAll('input[data-zone]')])) {
      const cell = /** @type {HTMLElement} */ (picker.closest('[data-cell]'))
      this.paintCell(cell)
    }
    startPresence(`${this.url}/presence`, document.querySelector('[data-people]'), () => this.where(), (answer) => this.heard(answer))
    if (this.readonly) return
    root.addEventListener('input', (event) => this.onInput(event))
    root.addEventListener('change', (event) => this.onInput(event))
    root.addEventListener('click', (event) => this.onClick(event))
    document.addEventListener('keydown', (event) => this.onKey(event))
    window.addEventListener('online', () => { if (this.isDirty) this.keep() })
    window.addEventListener('beforeunload', (event) => {
      this.hold()
      if (wouldLose(this.keepingState())) event.preventDefault()
    })
    window.addEventListener('pagehide', () => this.hold())
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'hidden' && this.isDirty) {
        this.hold()
        this.keep()
      }
    })
    document.querySelector('form[data-review]')?.addEventListener('submit', (event) => this.beforeLeaving(event, /** @type {HTMLFormElement} */ (event.target)))
    document.getElementById('edit-gone')?.addEventListener('click', (event) => this.onGone(event))
    let told = false
    watchOtherWindows(this.entry, () => {
      if (!told) toast(_('You have this entry open in another window. Write in one of them: the unsaved work of one replaces the other’s.'), 'warn')
      told = true
    })
    if (this.isGoingOn()) root.querySelector('[data-unsaved-bar]')?.remove()
    this.paintStatus()
    this.takeLocal()
  }

  // -- What is typed -------------------------------------------------------------------------

  /** @param {ParentNode} [within] @returns {HTMLElement[]} */
  cells(within = this.root) {
    return [...within.querySelectorAll('[data-cell]')].map((cell) => /** @type {HTMLElement} */ (cell))
  }

  /** @param {HTMLElement} cell */
  pair(cell) {
    return key(cell.dataset.path ?? '', cell.dataset.scope ?? '')
  }

  get isDirty() {
    return changedPairs(this.base, this.mine).length > 0
  }

  operations() {
    return operationsBetween(this.base, this.mine, this.stories)
  }

  /** @param {Event} event */
  onInput(event) {
    if (this.painting) return
    const control = /** @type {HTMLInputElement} */ (event.target)
    const cell = /** @type {HTMLElement | null} */ (control.closest('[data-cell]'))
    if (!cell || cell.dataset.readonly !== undefined) return
    if (!control.name && control.dataset.empty === undefined) return
    const pair = this.pair(cell)
    const before = this.base.has(pair) ? this.base.get(pair) : ABSENT
    const value = readCell(cell, before)
    if (value === ABSENT ? !this.mine.has(pair) : this.mine.has(pair) && same(this.mine.get(pair), value)) return
    if (value === ABSENT) this.mine.delete(pair)
    else this.mine.set(pair, value)
    this.fault(cell, '')
    for (const other of this.cells()) if (other.dataset.path === cell.dataset.path) this.hint(other)
    this.changed()
  }

  /** Something is not as it was: hold it here at once, and have the server keep it soon. */
  changed() {
    this.generation += 1
    window.clearTimeout(this.holdTimer)
    this.holdTimer = window.setTimeout(() => this.hold(), HOLD_AFTER)
    this.firstUnkept ||= Date.now()
    this.keepLater(Math.max(0, Math.min(KEEP_AFTER, KEEP_AT_LEAST - (Date.now() - this.firstUnkept))))
    this.paintStatus()
  }

  /** Hold the work in this browser until the server has it. */
  hold() {
    window.clearTimeout(this.holdTimer)
    if (this.keptGeneration === this.generation || this.heldGeneration === this.generation) return
    if (!this.isDirty) {
      this.local.clear()
      this.heldGeneration = this.generation
      return
    }
    const held = { rev: this.rev, operations: this.operations(), at: new Date().toISOString() }
    if (this.local.write(held)) this.heldGeneration = this.generation
    this.paintStatus()
  }

  /** @param {number} wait */
  keepLater(wait) {
    window.clearTimeout(this.keepTimer)
    this.keepTimer = window.setTimeout(() => this.keep(), wait)
  }

  /** Have the server keep the unsaved work. Whether it has it. */
  async keep() {
    window.clearTimeout(this.keepTimer)
    if (this.saving || this.isGone) return false
    if (this.keeping) {
      this.keepLater(KEEP_AFTER)
      return false
    }
    const { generation } = this
    if (this.keptGeneration === generation) return true
    const operations = this.operations()
    this.keeping = true
    this.firstUnkept = 0
    this.paintStatus()
    try {
      const url = `${this.url}/working-copy`
      const options = { askToSignIn: false, signal: AbortSignal.timeout(PATIENCE) }
      if (operations.length) {
        await send('PUT', url, { ...options, json: { base_rev: this.rev, operations } })
        this.hasWorkingCopy = true
      } else if (this.hasWorkingCopy) {
        await send('DELETE', url, options)
        this.hasWorkingCopy = false
      }
      this.keptGeneration = generation
      this.keptAt = new Date()
      this.failures = 0
      this.trouble = this.trouble === 'conflict' ? 'conflict' : ''
      if (this.generation === generation) this.local.clear()
      return true
    } catch (error) {
      this.hold()
      this.failed(/** @type {any} */ (error))
      return false
    } finally {
      this.keeping = false
      this.paintStatus()
    }
  }

  /** @param {{kind?: string, status?: number}} error */
  failed(error) {
    if (error.status === 404) return this.gone()
    const kind = /** @type {any} */ (error.kind ?? 'offline')
    this.trouble = kind
    if (kind === 'offline' || kind === 'server') {
      this.keepLater(retryAfter(this.failures))
      this.failures += 1
    }
  }

  // -- Saving --------------------------------------------------------------------------------

  async save() {
    if (this.saving) return
    if (this.isGone) return this.gone()
    const operations = this.operations()
    if (!operations.length) {
      toast(_('Everything is saved already.'), 'info')
      return
    }
    window.clearTimeout(this.keepTimer)
    this.hold()
    this.saving = true
    this.paintStatus()
    const sent = new Map(this.mine)
    const { generation } = this
    const input = /** @type {HTMLInputElement | null} */ (this.root.querySelector('[data-message]'))
    const message = input?.value.trim()
    const minor = this.minorPaths()
    let conflict = null
    try {
      const json = { expected_rev: this.rev, operations, minor, ...(message ? { message } : {}) }
      const { body } = await send('POST', `${this.url}/save`, { json })
      this.saved(body, sent, generation)
      if (input) input.value = ''
    } catch (error) {
      const failure = /** @type {any} */ (error)
      if (failure.kind === 'conflict' && failure.problem?.code === 'edit-conflict') conflict = failure.problem
      else this.notSaved(failure, operations)
    } finally {
      this.saving = false
      this.paintStatus()
    }
    if (conflict) await this.decide(conflict)
    else if (this.isDirty && !this.isGone) this.keepLater(this.trouble ? retryAfter(this.failures) : KEEP_AFTER)
  }

  /** @param {any} answer @param {import('./document.js').Doc} sent @param {number} generation */
  saved(answer, sent, generation) {
    const saved = toDoc(answer.document)
    this.mine = rebased(sent, this.mine, saved, this.stories)
    this.base = saved
    this.rev = answer.rev
    this.head = answer.rev
    this.trouble = ''
    this.failures = 0
    this.hasWorkingCopy = false
    this.keptAt = null
    this.root.querySelector('[data-unsaved-bar]')?.remove()
    this.root.querySelector('[data-newer]')?.setAttribute('hidden', '')
    for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (this.root.querySelectorAll('[data-minor]'))) box.checked = false
    for (const cell of this.cells()) this.fault(cell, '')
    this.paint()
    if (generation === this.generation) this.local.clear()
    else this.keptGeneration = -1
    const title = document.querySelector('.page-head h1')
    if (title) title.textContent = answer.title
    this.savedWords = _('Saved as version %(rev)s at %(time)s', { rev: formatNumber(answer.rev), time: this.clock.format(new Date()) })
    const names = answer.merged_with.join(', ')
    if (names) toast(_('Saved, together with what %(names)s changed meanwhile.', { names }))
    else announce(this.savedWords)
  }

  /** @param {any} error @param {any[]} operations */
  notSaved(error, operations) {
    this.hold()
    if (error.status === 404) return this.gone()
    this.trouble = error.kind ?? 'offline'
    if (error.kind === 'refused' && error.status === 422) {
      this.trouble = ''
      const told = this.showFaults(error.problem?.errors ?? [], operations)
      toast(told ? _('Not saved yet: something cannot be read. It is marked.') : error.message, 'bad')
      return
    }
    const words = {
      offline: _('The server cannot be reached. Your work is kept on this computer; save again when the link is back.'),
      server: _('The server could not save. Your work is kept; try again in a moment.'),
      'signed-out': _('You are signed out. Your work is kept on this computer; press Save to sign in again.'),
      conflict: _('This page is older than the server’s memory. Your work is kept: reload the page.'),
    }
    const forbidden = error.status === 403 && _('Your roles do not include this. An administrator can change them.')
    toast(/** @type {any} */ (words)[error.kind] || forbidden || error.message, 'bad')
    if (error.kind === 'offline' || error.kind === 'server') this.failed(error)
  }

  /** @param {{pointer?: string, scope?: string}[]} errors @param {any[]} operations */
  showFaults(errors, operations) {
    let first = null
    for (const error of errors) {
      const index = Number(/^\/operations\/(\d+)/.exec(error.pointer ?? '')?.[1] ?? -1)
      const path = operations[index]?.path ?? (error.pointer ?? '').replace(/^\//, '')
      const scope = operations[index]?.scope ?? error.scope
      const cell = this.cells().find((one) => one.dataset.path === path && (!scope || one.dataset.scope === scope))
      if (!cell) continue
      this.fault(cell, this.expected(cell.dataset.kind ?? ''))
      first ??= cell
    }
    if (first) {
      const control = /** @type {HTMLElement | null} */ (first.querySelector('[aria-labelledby], [name]'))
      first.closest('.block--folded')?.querySelector('[data-fold]')?.dispatchEvent(new Event('click', { bubbles: true }))
      control?.focus()
    }
    return first !== null
  }

  /** What a kind takes, in words. @param {string} kind */
  expected(kind) {
    const words = {
      integer: _('A whole number is expected here, such as 1931.'),
      number: _('A number is expected here, such as 12.5.'),
      date: _('A date is expected here: 1931, 1931-04 or 1931-04-12.'),
      url: _('An address is expected here, beginning with https://'),
      rights: _('One of these cannot be read: the address begins with https://, the date is whole.'),
      reference: _('What was chosen here is no longer there: choose again.'),
      references: _('Something chosen here is no longer there: take it away or choose again.'),
      asset: _('What was chosen here is no longer there: choose again.'),
      assets: _('Something chosen here is no longer there: take it away or choose again.'),
    }
    return /** @type {any} */ (words)[kind] ?? _('This cannot be read.')
  }

  /** @param {HTMLElement} cell @param {string} words */
  fault(cell, words) {
    const place = /** @type {HTMLElement | null} */ (cell.querySelector('[data-error]:not([role])'))
    if (!place || (place.hidden && !words)) return
    place.hidden = !words
    place.textContent = words
    for (const control of controlsOf(cell)) {
      if (words) control.setAttribute('aria-invalid', 'true')
      else control.removeAttribute('aria-invalid')
    }
  }

  minorPaths() {
    const boxes = /** @type {NodeListOf<HTMLInputElement>} */ (this.root.querySelectorAll('[data-minor]:checked'))
    const cells = [...boxes].map((box) => /** @type {HTMLElement} */ (box.closest('[data-cell]')))
    return cells.filter((cell) => this.isChanged(cell)).map((cell) => cell.dataset.path ?? '')
  }

  /** @param {HTMLElement} cell */
  isChanged(cell) {
    const pair = this.pair(cell)
    return this.base.has(pair) !== this.mine.has(pair) || !same(this.base.get(pair), this.mine.get(pair))
  }

  // -- Together with others ------------------------------------------------------------------

  /** @param {any} problem */
  async decide(problem) {
    this.trouble = 'conflict'
    await this.keep()
    this.trouble = 'conflict'
    this.paintStatus()
    const dialog = /** @type {HTMLDialogElement} */ (document.getElementById('edit-conflict'))
    const started = new Map(this.mine)
    const made = await askDecisions(dialog, problem.decisions)
    if (!made) {
      toast(_('Not saved yet. Your work is kept; press Save to decide.'), 'warn')
      return
    }
    const theirs = toDoc(problem.theirs)
    const merged = repaired(decided(toDoc(problem.merged), problem.decisions, made), this.stories, problem.orders)
    this.mine = rebased(started, this.mine, merged, this.stories)
    this.base = theirs
    this.rev = problem.head_rev
    this.trouble = ''
    this.generation += 1
    this.paint()
    if (this.isDirty) await this.save()
    else {
      await this.keep()
      this.savedWords = _('Their text stands; nothing of yours was left to save.')
      this.paintStatus()
    }
  }

  /** @param {import('./presence.js').Answer} answer */
  heard(answer) {
    const bar = /** @type {HTMLElement | null} */ (this.root.querySelector('[data-newer]'))
    const text = bar?.querySelector('[data-newer-text]')
    if (!bar || !text || this.saving || answer.rev <= this.rev) return
    const words = _('%(name)s saved version %(rev)s meanwhile. It is merged with yours when you save.', { name: answer.saved_by, rev: formatNumber(answer.rev) })
    if (text.textContent !== words) text.textContent = words
    bar.hidden = false
  }

  where() {
    const cell = /** @type {HTMLElement | null} */ (document.activeElement?.closest('[data-cell]') ?? null)
    return cell ? this.pair(cell) : ''
  }

  gone() {
    this.isGone = true
    this.hold()
    const dialog = /** @type {HTMLDialogElement} */ (document.getElementById('edit-gone'))
    if (!dialog.open) dialog.showModal()
    this.paintStatus()
  }

  /** @param {MouseEvent} event */
  async onGone(event) {
    const target = /** @type {HTMLElement} */ (event.target)
    const dialog = /** @type {HTMLElement} */ (event.currentTarget)
    const wrong = /** @type {HTMLElement} */ (dialog.querySelector('[data-error]'))
    if (target.closest('[data-copy-text]')) {
      const text = [...this.mine.values()].filter((value) => typeof value === 'string').join('\n\n')
      try {
        await navigator.clipboard.writeText(text)
        toast(_('Copied.'))
      } catch {
        toast(_('Your browser did not let us copy. Select the text in the fields instead.'), 'warn')
      }
    }
    if (!target.closest('[data-rescue]')) return
    wrong.hidden = true
    try {
      const operations = operationsBetween(new Map(), this.mine, this.stories)
      const { body } = await send('POST', '/studio/entries/rescue', { json: { type: this.type, operations } })
      this.local.clear()
      this.base = this.mine
      location.assign(body.url)
    } catch (error) {
      wrong.textContent = /** @type {Error} */ (error).message
      wrong.hidden = false
    }
  }

  // -- Work from before ----------------------------------------------------------------------

  isGoingOn() {
    try {
      const found = sessionStorage.getItem(GOING_ON) === this.entry
      sessionStorage.removeItem(GOING_ON)
      return found
    } catch {
      return false
    }
  }

  /** Load the page anew with the work over it. @param {string} [address] */
  async reload(address) {
    if (this.isDirty && !(await this.keep())) {
      toast(_('Not now: your work is not on the server yet. It is kept on this computer.'), 'warn')
      return
    }
    try {
      sessionStorage.setItem(GOING_ON, this.entry)
    } catch {
      // Then the page tells of the unsaved work once more.
    }
    if (address) location.assign(address)
    else location.reload()
  }

  /** Work that this browser holds and the server does not is laid over the page by the server. */
  async takeLocal() {
    const held = this.local.read()
    if (!held) return
    const adopt = async () => {
      try {
        await send('PUT', `${this.url}/working-copy`, { json: { base_rev: held.rev, operations: held.operations } })
        this.local.clear()
        this.base = this.mine
        location.reload()
      } catch {
        toast(_('Work from this computer is waiting, but the server does not take it now. It stays here.'), 'warn')
      }
    }
    if (!this.keptAt || new Date(held.at) >= this.keptAt) {
      await adopt()
      return
    }
    toast(_('This computer also holds older unsaved work on this entry.'), 'warn', { label: _('Use it instead'), run: adopt })
  }

  async discard() {
    const sure = await confirmDialog({
      title: _('Discard your unsaved work?'),
      text: _('The entry is shown as it was last saved. What you typed since is lost.'),
      action: _('Discard it'),
      tone: 'danger',
    })
    if (!sure) return
    try {
      await send('DELETE', `${this.url}/working-copy`)
    } catch (error) {
      toast(/** @type {Error} */ (error).message, 'bad')
      return
    }
    window.clearTimeout(this.keepTimer)
    window.clearTimeout(this.holdTimer)
    this.local.clear()
    this.mine = new Map(this.base)
    this.keptGeneration = this.generation
    location.reload()
  }

  async showDifferences() {
    const dialog = /** @type {HTMLDialogElement} */ (document.getElementById('edit-differences'))
    const list = /** @type {HTMLElement} */ (dialog.querySelector('[data-list]'))
    try {
      const { body } = await send('POST', `${this.url}/differences`, { json: { base_rev: this.rev, operations: this.operations() } })
      paintDifferences(list, body.items)
      if (!dialog.open) dialog.showModal()
    } catch (error) {
      toast(/** @type {Error} */ (error).message, 'bad')
    }
  }

  /** A form that leaves the page goes when the work is kept. @param {Event} event @param {HTMLFormElement} form */
  async beforeLeaving(event, form) {
    if (!this.isDirty) return
    event.preventDefault()
    await this.save()
    if (this.isDirty) toast(_('Save first: a reviewer sees what is saved.'), 'warn')
    else form.submit()
  }

  // -- Pressing ------------------------------------------------------------------------------

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = /** @type {HTMLElement} */ (event.target)
    const link = /** @type {HTMLAnchorElement | null} */ (target.closest('a[data-columns]'))
    if (link) {
      event.preventDefault()
      this.reload(link.href)
    } else if (target.closest('[data-save]')) this.save()
    else if (target.closest('[data-keep]')) {
      target.closest('[data-unsaved-bar]')?.remove()
      ;/** @type {HTMLElement | null} */ (this.root.querySelector('[data-save]'))?.focus()
    } else if (target.closest('[data-discard]')) this.discard()
    else if (target.closest('[data-show-differences]')) this.showDifferences()
    else if (target.closest('[data-take-in]')) this.reload()
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return
    const name = event.key.toLowerCase()
    if (name === 's') {
      event.preventDefault()
      this.save()
    } else if (name === 'z' && !document.activeElement?.matches('input:not([type=checkbox], [type=radio]), textarea, select')) {
      const last = this.undoStack.at(-1)
      if (!last) return
      event.preventDefault()
      this.undo(last)
    }
  }

  /** Note what takes the last change of blocks back; a function that does. @param {string} label @param {() => void} run */
  undoable(label, run) {
    const step = { label, run }
    if (!this.undoing) this.undoStack.push(step)
    return () => this.undo(step)
  }

  /** @param {{label: string, run: () => void}} step */
  undo(step) {
    if (!this.undoStack.includes(step)) return
    this.undoStack = this.undoStack.filter((other) => other !== step)
    this.undoing = true
    step.run()
    this.undoing = false
  }

  // -- Painting ------------------------------------------------------------------------------

  /** Start what new elements ask for. @param {HTMLElement} element */
  started(element) {
    element.dispatchEvent(new CustomEvent('htmx:load', { bubbles: true, detail: { elt: element } }))
  }

  paint() {
    for (const one of this.blockEditors) one.paint()
    this.paintWithin(this.root)
    this.paintStatus()
  }

  /** @param {HTMLElement} root */
  paintWithin(root) {
    for (const cell of this.cells(root)) this.paintCell(cell)
  }

  /** @param {HTMLElement} cell */
  paintCell(cell) {
    const pair = this.pair(cell)
    const value = this.mine.has(pair) ? this.mine.get(pair) : ABSENT
    const shown = readCell(cell, value)
    if (shown !== value && !(shown !== ABSENT && value !== ABSENT && same(shown, value))) {
      this.painting = true
      writeCell(cell, value)
      this.painting = false
    }
    this.hint(cell)
  }

  /** What is said beside a cell, by what it holds. @param {HTMLElement} cell */
  hint(cell) {
    const path = cell.dataset.path ?? ''
    const scope = cell.dataset.scope ?? SHARED
    const pair = key(path, scope)
    const chain = (cell.dataset.chain ?? '').split(',').filter(Boolean)
    const value = this.mine.get(pair)
    const needed = cell.querySelector('[data-needed]')
    if (needed) /** @type {HTMLElement} */ (needed).hidden = !saysNothing(shownIn(this.mine, path, [scope, ...chain]))
    const empty = /** @type {HTMLElement | null} */ (cell.querySelector('[data-empty-choice]'))
    if (empty) empty.hidden = !saysNothing(value)
    const minor = /** @type {HTMLElement | null} */ (cell.querySelector('[data-minor-choice]'))
    if (minor) minor.hidden = saysNothing(this.base.get(pair)) || saysNothing(value) || !this.isChanged(cell)
    const area = cell.querySelector('textarea')
    if (!area) return
    const through = value === null || emptyBox(cell)?.checked ? undefined : shownIn(this.mine, path, chain)
    area.placeholder = typeof through === 'string' ? through.slice(0, SHOWN_THROUGH) : ''
  }

  keepingState() {
    return {
      dirty: this.isDirty,
      saving: this.saving,
      keeping: this.keeping,
      isKept: this.keptGeneration === this.generation,
      isLocal: this.heldGeneration === this.generation,
      trouble: this.trouble,
    }
  }

  paintStatus() {
    const place = /** @type {HTMLElement | null} */ (this.root.querySelector('[data-status]'))
    const text = place?.querySelector('[data-status-text]')
    if (!place || !text) return
    const state = this.isGone ? 'local' : stateOf(this.keepingState())
    const time = this.keptAt ? this.clock.format(this.keptAt) : ''
    const words = {
      saved: this.savedWords,
      saving: _('Saving…'),
      unsaved: _('Unsaved changes'),
      keeping: _('Keeping your work…'),
      kept: _('Not saved yet; kept at %(time)s', { time }),
      conflict: _('Not saved yet: press Save to decide. Kept at %(time)s', { time }),
      away: _('The server cannot be reached. Kept on this computer; trying again.'),
      'signed-out': _('Signed out. Kept on this computer; press Save to sign in.'),
      local: _('The server does not take this. Kept on this computer.'),
      lost: _('Not kept anywhere yet: do not close this page.'),
    }
    const icons = { saved: 'check', kept: 'clock', conflict: 'warning', away: 'wifi-off', 'signed-out': 'lock', local: 'warning', lost: 'warning', saving: 'save', keeping: 'save', unsaved: 'edit' }
    if (text.textContent !== words[state]) text.textContent = words[state]
    place.dataset.state = state
    place.querySelector('use')?.setAttribute('href', `/studio/static/icons.svg#${icons[state]}`)
    const dirty = this.isDirty
    const count = countChanges(this.base, this.mine, this.stories)
    const show = /** @type {HTMLElement | null} */ (this.root.querySelector('.edit-bar [data-show-differences]'))
    const message = /** @type {HTMLElement | null} */ (this.root.querySelector('[data-message]'))
    if (message && message !== document.activeElement) message.hidden = !dirty
    if (show) {
      show.hidden = !dirty
      const label = show.querySelector('span')
      if (label) label.textContent = ngettext('%(n)s change', '%(n)s changes', count)
    }
  }
}
