/**
 * Writing subtitles with the film beside them. What is written is kept in this browser until the
 * server has it, so that neither a crash nor a lost link loses a cue.
 */

import { announce, confirmDialog, toast } from '../dialogs.js'
import { _, formatNumber } from '../messages.js'
import { send, SendFailed } from '../send.js'
import * as edits from './cue-edits.js'
import { iconButton, make, smallButton } from './dom.js'
import { Steps } from './undo.js'
import { formatTime, inOrder, parse, parseTime, serialise, TrackUnreadable } from './vtt.js'

const JUMP = 2
/** Milliseconds after the last key before the draft is kept. */
const KEEP_AFTER = 400

/** @typedef {import('./vtt.js').Cue} Cue */
/** @typedef {import('./vtt.js').Track} Track */

/** @param {HTMLElement} element */
export default function start(element) {
  const editor = new Editor(element)
  return () => editor.end()
}

class Editor {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element
    const { asset = '', language = '', replaces = '', dir = 'ltr' } = element.dataset
    this.address = `/studio/media/${asset}/subtitles/${language}`
    this.language = language
    this.dir = dir
    this.replaces = replaces
    this.readonly = 'readonly' in element.dataset
    this.draftKey = `subtitles:${asset}:${language}`
    this.player = /** @type {HTMLMediaElement} */ (element.querySelector('[data-player]'))
    this.list = this.part('[data-list]')
    this.now = this.part('[data-now]')
    this.empty = this.part('[data-empty]')
    this.stateWords = element.querySelector('[data-saving]')
    this.problem = /** @type {HTMLElement | null} */ (element.querySelector('[data-problem]'))
    const source = this.source('[data-source]')
    this.track = source ? readOrEmpty(source) : readOrEmpty('')
    this.saved = source
    /** @type {Steps<Cue[]>} */
    this.steps = new Steps(this.track.cues)
    this.current = -1
    this.timer = 0
    this.dirty = false
    this.saving = false
    this.bringBack()
    this.paint()
    this.listen()
  }

  /** @param {string} selector */
  part(selector) {
    return /** @type {HTMLElement} */ (this.element.querySelector(selector))
  }

  /** @param {string} selector */
  source(selector) {
    return /** @type {HTMLTextAreaElement | null} */ (this.element.querySelector(selector))?.value ?? ''
  }

  get cues() { return this.steps.present }

  get moment() { return Math.round(this.player.currentTime * 1000) }

  /** The cue that a command means: the one being written, else the one being shown. */
  get at() {
    const focused = document.activeElement?.closest('[data-cue]')
    const found = focused && this.list.contains(focused) ? Number(/** @type {HTMLElement} */ (focused).dataset.cue) : this.current
    return found >= 0 ? found : edits.showing(this.cues, this.moment)
  }

  listen() {
    this.player.addEventListener('timeupdate', () => this.showNow())
    this.player.addEventListener('seeked', () => this.showNow())
    this.list.addEventListener('focusin', (event) => {
      const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('[data-cue]'))
      if (row) this.current = Number(row.dataset.cue)
    })
    this.element.addEventListener('click', (event) => {
      const target = /** @type {Element} */ (event.target)
      const command = /** @type {HTMLElement | null} */ (target.closest('[data-do]'))?.dataset.do
      if (command) this.run(command)
      const taken = /** @type {HTMLElement | null} */ (target.closest('[data-take]'))?.dataset.take
      if (taken) this.takeTimes(taken)
    })
    const file = /** @type {HTMLInputElement | null} */ (this.element.querySelector('[data-import]'))
    file?.addEventListener('change', async () => {
      const chosen = file.files?.[0]
      if (chosen) await this.importText(await readText(chosen), chosen.name)
      file.value = ''
    })
    this.onKey = (/** @type {KeyboardEvent} */ event) => this.key(event)
    this.onLeave = (/** @type {BeforeUnloadEvent} */ event) => { if (this.dirty) event.preventDefault() }
    document.addEventListener('keydown', this.onKey)
    window.addEventListener('beforeunload', this.onLeave)
  }

  end() {
    if (this.onKey) document.removeEventListener('keydown', this.onKey)
    if (this.onLeave) window.removeEventListener('beforeunload', this.onLeave)
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const save = (event.ctrlKey || event.metaKey) && !event.altKey && event.code === 'KeyS'
    const command = save ? 'save' : event.altKey && !event.ctrlKey && !event.metaKey ? KEYS[event.code] : undefined
    if (!command || document.querySelector('dialog[open]')) return
    event.preventDefault()
    this.run(command)
  }

  /** @param {string} command */
  run(command) {
    const always = { toggle: () => this.toggle(), back: () => this.jump(-JUMP), forward: () => this.jump(JUMP), play: () => this.playFrom(this.at), previous: () => this.focusCue(this.at - 1), next: () => this.focusCue(this.at + 1) }
    const run = always[/** @type {keyof typeof always} */ (command)]
    if (run) return run()
    if (this.readonly) return undefined
    const at = this.at
    const there = at >= 0 && at < this.cues.length
    switch (command) {
      case 'save': return this.save()
      case 'undo': return this.step(this.steps.undo(), _('Undone'))
      case 'redo': return this.step(this.steps.redo(), _('Done again'))
      case 'import': return /** @type {HTMLInputElement} */ (this.element.querySelector('[data-import]')).click()
      case 'download': return this.download()
      case 'add': return this.edit(edits.addAt(this.cues, this.moment), true)
      case 'start': if (there) this.edit(edits.change(this.cues, at, { start: this.moment })); return undefined
      case 'end': if (there) this.edit(edits.change(this.cues, at, { end: this.moment })); return undefined
      case 'split': if (there) this.edit(edits.split(this.cues, at, this.cursor(at)), true); return undefined
      case 'merge': if (there) this.edit(edits.mergeNext(this.cues, at), true); return undefined
      case 'delete': if (there) this.removeCue(at); return undefined
      default: return undefined
    }
  }

  /** @param {number} at */
  removeCue(at) {
    this.edit(edits.remove(this.cues, at), true)
    toast(_('The cue was deleted.'), 'info', { label: _('Undo'), run: () => this.run('undo') })
  }

  /** @param {number} at */
  cursor(at) {
    const box = this.row(at)?.querySelector('textarea')
    if (!box) return 0
    return document.activeElement === box ? box.selectionStart : Math.round(box.value.length / 2)
  }

  /** @param {{cues: Cue[], at: number}} edited @param {boolean} [focus] */
  edit(edited, focus = false) {
    if (edited.cues === this.cues) return
    this.steps.go(edited.cues)
    this.current = edited.at
    this.changed()
    this.paint()
    if (focus) this.focusCue(edited.at)
  }

  /** @param {boolean} done @param {string} words */
  step(done, words) {
    if (!done) return
    this.current = Math.min(this.current, this.cues.length - 1)
    this.changed()
    this.paint()
    announce(words)
    if (!this.list.contains(document.activeElement)) this.focusCue(this.current)
  }

  changed() {
    this.dirty = true
    this.say(_('Not saved yet'))
    window.clearTimeout(this.timer)
    this.timer = window.setTimeout(() => this.keepDraft(), KEEP_AFTER)
  }

  text() {
    return serialise({ ...this.track, cues: this.cues })
  }

  keepDraft() {
    try {
      localStorage.setItem(this.draftKey, JSON.stringify({ replaces: this.replaces, text: this.text() }))
    } catch {
      // A full or forbidden store: the page still holds everything.
    }
  }

  bringBack() {
    if (this.readonly) return
    let kept = null
    try { kept = JSON.parse(localStorage.getItem(this.draftKey) ?? 'null') } catch { kept = null }
    if (!kept?.text || kept.text === this.text()) return
    try {
      this.track = parse(kept.text)
    } catch {
      return
    }
    const server = this.steps.present
    this.steps.go(this.track.cues)
    this.changed()
    // Work begun on other subtitles than the present ones must ask before it takes their place.
    this.replaces = kept.replaces ?? this.replaces
    toast(_('What you had written and not saved is back.'), 'info', {
      label: _('Drop it'),
      run: () => {
        this.steps.go(server)
        this.replaces = this.element.dataset.replaces ?? ''
        this.settled()
        this.paint()
      },
    })
  }

  settled() {
    window.clearTimeout(this.timer)
    localStorage.removeItem(this.draftKey)
    this.dirty = false
    this.say('')
  }

  /** @param {boolean} [over] what somebody else saved meanwhile */
  async save(over = false) {
    if (this.saving || this.readonly) return
    const wrong = this.cues.findIndex((cue) => cue.end <= cue.start || !cue.text.trim())
    if (!this.cues.length || wrong >= 0) {
      this.tell([make('p', '', this.cues.length
        ? _('Cue %(n)s cannot be saved yet: it needs words, and an end after its start.', { n: formatNumber(wrong + 1) })
        : _('There is no cue to save yet.'))])
      if (wrong >= 0) this.focusCue(wrong)
      return
    }
    this.saving = true
    this.say(_('Saving'))
    const cues = this.cues
    try {
      const answer = await send('PUT', this.address, { json: { text: this.text(), replaces: (over ? await this.presentHash() : this.replaces) || null } })
      this.replaces = answer.body.replaces
      this.element.dataset.replaces = this.replaces
      this.tell([])
      if (this.cues === cues) {
        this.settled()
        this.say(_('Saved'))
      } else {
        this.keepDraft()
      }
      toast(_('The subtitles were saved.'))
    } catch (error) {
      if (!(error instanceof SendFailed)) throw error
      this.say(_('Not saved yet'))
      this.explain(error)
    } finally {
      this.saving = false
    }
  }

  /** The hash of what the server holds now. */
  async presentHash() {
    const answer = await fetch(this.address, { headers: { Accept: 'text/html' } })
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    return /** @type {HTMLElement | null} */ (page.querySelector('.cues'))?.dataset.replaces ?? ''
  }

  /** @param {SendFailed} error */
  explain(error) {
    if (error.problem?.code === 'subtitles-changed') {
      this.tell([
        make('p', '', _('Somebody else saved these subtitles while you were working. Yours are still here.')),
        smallButton(_('Save mine over theirs'), () => this.save(true)),
        smallButton(_('Download mine'), () => this.download()),
        smallButton(_('Load theirs'), () => { this.settled(); location.reload() }),
      ])
      return
    }
    this.tell([make('p', '', error.kind === 'offline'
      ? _('The server cannot be reached. Your subtitles are kept in this browser: save again when the link is back.')
      : error.message)])
  }

  /** @param {HTMLElement[]} parts */
  tell(parts) {
    if (!this.problem) return
    const row = make('div', 'row')
    row.append(...parts)
    this.problem.replaceChildren(row)
    this.problem.hidden = !parts.length
  }

  /** @param {string} words */
  say(words) {
    if (this.stateWords) this.stateWords.textContent = words
  }

  toggle() {
    if (this.player.paused) this.player.play().catch(() => {})
    else this.player.pause()
  }

  /** @param {number} seconds */
  jump(seconds) {
    this.player.currentTime = Math.max(0, this.player.currentTime + seconds)
  }

  /** @param {number} at */
  playFrom(at) {
    const cue = this.cues[at]
    if (!cue) return
    this.player.currentTime = cue.start / 1000
    this.player.play().catch(() => {})
  }

  /** @param {string} text @param {string} name */
  async importText(text, name) {
    let found
    try {
      found = parse(text)
    } catch (error) {
      if (!(error instanceof TrackUnreadable)) throw error
      this.tell([make('p', '', _('%(name)s cannot be read at line %(line)s: expected a time as 00:01.000 --> 00:04.000, found “%(found)s”. Nothing was changed.', { name, line: formatNumber(error.line), found: error.found }))])
      return
    }
    if (this.cues.length && !(await confirmDialog({
      title: _('Replace these subtitles?'),
      text: _('The cues of %(name)s take the place of those on this page. You can undo it.', { name }),
      action: _('Replace'),
    }))) return
    this.track = { ...found, cues: [] }
    this.edit({ cues: inOrder(found.cues), at: 0 })
    this.tell([])
    announce(_('%(n)s cues read', { n: formatNumber(found.cues.length) }))
  }

  /** @param {string} language */
  async takeTimes(language) {
    const text = this.source(`[data-track="${language}"]`)
    if (!text) return
    const cues = parse(text).cues.map((cue) => edits.newCue({ start: cue.start, end: cue.end, settings: cue.settings, text: this.cues.length ? '' : cue.text }))
    if (this.cues.length && !(await confirmDialog({
      title: _('Take the times of another language?'),
      text: _('The cues on this page get its times, one after the other; their words stay. You can undo it.'),
      action: _('Take the times'),
    }))) return
    const kept = this.cues
    const taken = cues.map((cue, at) => (kept[at] ? { ...kept[at], start: cue.start, end: cue.end } : cue))
    this.edit({ cues: [...taken, ...kept.slice(cues.length)], at: 0 }, true)
  }

  download() {
    const link = make('a')
    link.href = URL.createObjectURL(new Blob([this.text()], { type: 'text/vtt' }))
    link.download = `${this.element.dataset.asset}.${this.language}.vtt`
    link.click()
    URL.revokeObjectURL(link.href)
  }

  /** @param {number} at */
  row(at) {
    return /** @type {HTMLElement | null} */ (this.list.querySelector(`[data-cue="${at}"]`))
  }

  /** @param {number} at */
  focusCue(at) {
    const row = this.row(Math.max(0, Math.min(at, this.cues.length - 1)))
    row?.querySelector('textarea')?.focus()
    row?.scrollIntoView({ block: 'nearest' })
  }

  showNow() {
    const at = edits.showing(this.cues, this.moment)
    this.now.textContent = this.cues[at]?.text.replace(/<[^>]*>/g, '') ?? ''
    for (const row of this.list.children) row.classList.toggle('cue--now', Number(/** @type {HTMLElement} */ (row).dataset.cue) === at)
  }

  paint() {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)
    const held = focused && this.list.contains(focused)
      ? { at: Number(/** @type {HTMLElement} */ (focused.closest('[data-cue]')).dataset.cue), part: focused.dataset.part ?? '' }
      : null
    this.list.replaceChildren(...this.cues.map((cue, at) => this.paintCue(cue, at)))
    this.empty.hidden = this.cues.length > 0
    this.paintUndo()
    if (held) /** @type {HTMLElement | null} */ (this.row(Math.min(held.at, this.cues.length - 1))?.querySelector(`[data-part="${held.part}"]`))?.focus()
    this.showNow()
  }

  paintUndo() {
    for (const [command, can] of /** @type {const} */ ([['undo', this.steps.past.length], ['redo', this.steps.future.length]])) {
      const button = /** @type {HTMLButtonElement | null} */ (this.element.querySelector(`[data-do="${command}"]`))
      if (button) button.disabled = !can
    }
  }

  /** @param {Cue} cue @param {number} at */
  paintCue(cue, at) {
    const row = make('li', 'cue')
    row.dataset.cue = String(at)
    const number = formatNumber(at + 1)
    row.setAttribute('aria-label', _('Cue %(n)s', { n: number }))
    const times = make('div', 'cue__times')
    times.append(make('span', 'cue__number soft', number), this.timeBox(cue, at, 'start'), this.timeBox(cue, at, 'end'))
    const box = make('textarea', 'input cue__text')
    box.value = cue.text
    box.rows = 2
    box.lang = this.language
    box.dir = this.dir
    box.readOnly = this.readonly
    box.dataset.part = 'text'
    box.setAttribute('aria-label', _('Words of cue %(n)s', { n: number }))
    const said = make('ul', 'cue__hints')
    said.setAttribute('role', 'list')
    box.addEventListener('input', () => {
      this.steps.go(edits.change(this.cues, at, { text: box.value }).cues, `text-${at}`)
      this.changed()
      this.paintHints(said, at)
      this.paintUndo()
    })
    this.paintHints(said, at)
    row.append(times, box, this.actions(at, number), said)
    return row
  }

  /** @param {number} at @param {string} number */
  actions(at, number) {
    const bar = make('div', 'cue__actions')
    bar.append(iconButton(_('Play from cue %(n)s', { n: number }), 'play', () => this.playFrom(at)))
    if (this.readonly) return bar
    bar.append(
      iconButton(_('Start cue %(n)s here', { n: number }), 'chevron-right', () => this.edit(edits.change(this.cues, at, { start: this.moment }))),
      iconButton(_('End cue %(n)s here', { n: number }), 'chevron-left', () => this.edit(edits.change(this.cues, at, { end: this.moment }))),
      iconButton(_('Split cue %(n)s', { n: number }), 'split', () => this.edit(edits.split(this.cues, at, this.cursor(at)), true)),
    )
    if (at + 1 < this.cues.length) bar.append(iconButton(_('Merge cue %(n)s with the next', { n: number }), 'chevron-down', () => this.edit(edits.mergeNext(this.cues, at), true)))
    bar.append(iconButton(_('Delete cue %(n)s', { n: number }), 'trash', () => this.removeCue(at)))
    for (const [index, button] of [...bar.children].entries()) /** @type {HTMLElement} */ (button).dataset.part = `action-${index}`
    return bar
  }

  /** @param {Cue} cue @param {number} at @param {'start' | 'end'} side */
  timeBox(cue, at, side) {
    const box = make('input', 'input cue__time mono')
    box.type = 'text'
    box.inputMode = 'decimal'
    box.value = formatTime(cue[side])
    box.readOnly = this.readonly
    box.dataset.part = side
    const number = formatNumber(at + 1)
    box.setAttribute('aria-label', side === 'start' ? _('Start of cue %(n)s', { n: number }) : _('End of cue %(n)s', { n: number }))
    box.addEventListener('change', () => {
      const given = parseTime(box.value)
      if (given === null) {
        box.setAttribute('aria-invalid', 'true')
        announce(_('Expected a time as 01:02.500'), true)
        box.title = _('Expected a time as 01:02.500')
        return
      }
      box.removeAttribute('aria-invalid')
      box.title = ''
      box.value = formatTime(given)
      if (given === this.cues[at][side]) return
      // Not painted anew: the next field, which is being entered now, must stay.
      this.steps.go(edits.change(this.cues, at, { [side]: given }).cues)
      this.changed()
      this.paintUndo()
      for (const near of [at - 1, at]) {
        const place = /** @type {HTMLElement | null} */ (this.row(near)?.querySelector('.cue__hints') ?? null)
        if (place) this.paintHints(place, near)
      }
      this.showNow()
    })
    return box
  }

  /** @param {HTMLElement} place @param {number} at */
  paintHints(place, at) {
    const speed = edits.readingSpeed(this.cues[at])
    const words = {
      empty: _('No words yet'),
      backwards: _('It ends before it begins'),
      short: _('Shorter than half a second'),
      overlap: _('Still shown when the next one begins'),
      order: _('The next one begins earlier'),
      fast: _('Fast to read: %(speed)s characters a second', { speed: formatNumber(Math.round(speed)) }),
    }
    place.replaceChildren(...edits.hints(this.cues, at, this.language).map((hint) => {
      const found = make('li', `badge badge--${hint === 'backwards' ? 'bad' : 'warn'}`, words[hint])
      found.dataset.hint = hint
      return found
    }))
  }
}

/** @type {Record<string, string>} keys by their place, so that layouts and Option on a Mac do not matter */
const KEYS = {
  KeyK: 'toggle',
  KeyJ: 'back',
  KeyL: 'forward',
  KeyP: 'play',
  KeyI: 'start',
  KeyO: 'end',
  KeyN: 'add',
  KeyS: 'split',
  KeyM: 'merge',
  KeyD: 'delete',
  KeyZ: 'undo',
  KeyY: 'redo',
  ArrowUp: 'previous',
  ArrowDown: 'next',
}

/** @param {string} text @returns {Track} */
function readOrEmpty(text) {
  try {
    return parse(text)
  } catch {
    return parse('')
  }
}

/** Old SubRip files are often in Windows' Western letters. @param {File} file */
async function readText(file) {
  const bytes = await file.arrayBuffer()
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder('windows-1252').decode(bytes)
  }
}
