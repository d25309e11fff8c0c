/**
 * Adds files to the library, or gives one asset its file. Every file has its line: how far it is,
 * what went wrong and what to do. A file that did not arrive stays in its line and can be sent again.
 */

import { announce, confirmDialog } from '../dialogs.js'
import { _, formatNumber, ngettext } from '../messages.js'
import { send, SendFailed } from '../send.js'
import { make, smallButton } from './dom.js'
import { hashOf, LOST, sendFile } from './sending.js'

/** Files sent at once. */
const AT_ONCE = 2
const TEXT_LENGTH = 400

/**
 * @typedef {'waiting' | 'sending' | 'judging' | 'done' | 'failed' | 'held' | 'refused' | 'cancelled'} State
 */

/** @param {HTMLElement} element */
export default function start(element) {
  const queue = new Queue(element)
  const input = /** @type {HTMLInputElement} */ (element.querySelector('[data-files]'))
  const choose = () => input.click()
  element.querySelector('[data-choose]')?.addEventListener('click', choose)
  for (const other of document.querySelectorAll(`[data-chooses="${input.id}"]`)) other.addEventListener('click', choose)
  input.addEventListener('change', () => {
    queue.add([...(input.files ?? [])])
    input.value = ''
  })
  // Files dropped beside the place would replace the page, and what is typed on it.
  const place = queue.asset ? element : document
  const carries = (/** @type {any} */ event) => [...(event.dataTransfer?.types ?? [])].includes('Files')
  document.addEventListener('dragover', (event) => { if (carries(event)) event.preventDefault() })
  document.addEventListener('drop', (event) => { if (carries(event)) event.preventDefault() })
  place.addEventListener('dragover', (event) => { if (carries(event)) element.classList.add('media-drop--over') })
  for (const name of ['dragleave', 'drop']) {
    place.addEventListener(name, (event) => {
      if (name === 'drop' || !(/** @type {DragEvent} */ (event).relatedTarget)) element.classList.remove('media-drop--over')
    })
  }
  place.addEventListener('drop', (event) => {
    if (carries(event)) queue.add([.../** @type {DragEvent} */ (event).dataTransfer?.files ?? []])
  })
  window.addEventListener('online', () => queue.retryLost())
  window.addEventListener('beforeunload', (event) => { if (queue.isBusy()) event.preventDefault() })
}

class Queue {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.max = Number(element.dataset.max)
    this.accepted = element.dataset.accepted ?? ''
    this.asset = element.dataset.asset ?? ''
    this.replaces = element.dataset.hasFile === 'yes'
    this.list = /** @type {HTMLElement} */ (element.querySelector('[data-queue]'))
    /** @type {Line[]} */
    this.lines = []
  }

  /** @param {File[]} files */
  async add(files) {
    const chosen = this.asset ? files.slice(0, 1) : files
    if (!chosen.length) return
    if (this.replaces && !(await confirmDialog({
      title: _('Replace the file?'),
      text: _('%(name)s takes the place of the present file everywhere it is used. Its texts stay. Look again at the focal point and the subtitles.', { name: chosen[0].name }),
      action: _('Replace'),
    }))) return
    this.list.hidden = false
    if (this.asset) this.list.replaceChildren()
    for (const file of chosen) {
      const line = new Line(file, this)
      this.lines.push(line)
      this.list.append(line.root)
      if (file.size > this.max) line.refuse(_('It is larger than the server takes.'))
      else if (!file.size) line.refuse(_('It is empty.'))
    }
    announce(ngettext('%(n)s file to send', '%(n)s files to send', chosen.length))
    this.next()
  }

  next() {
    const running = this.lines.filter((line) => line.state === 'sending' || line.state === 'judging').length
    const waiting = this.lines.filter((line) => line.state === 'waiting')
    for (const line of waiting.slice(0, Math.max(0, AT_ONCE - running))) {
      line.run().finally(() => this.next())
    }
  }

  retryLost() {
    for (const line of this.lines) if (line.state === 'failed') line.again()
  }

  isBusy() {
    return this.lines.some((line) => ['waiting', 'sending', 'judging', 'failed'].includes(line.state) || line.textWaits)
  }
}

class Line {
  /** @param {File} file @param {Queue} queue */
  constructor(file, queue) {
    this.file = file
    this.queue = queue
    /** @type {State} */
    this.state = 'waiting'
    this.meant = false
    this.made = ''
    this.textWaits = false
    this.root = make('li', 'media-line')
    this.name = make('span', 'media-line__name', file.name)
    this.bar = make('progress', 'media-line__bar')
    this.bar.max = 1
    this.bar.setAttribute('aria-label', _('Sending %(name)s', { name: file.name }))
    this.words = make('span', 'media-line__words', _('Waiting'))
    this.words.setAttribute('role', 'status')
    this.actions = make('span', 'row media-line__actions')
    this.root.append(this.name, this.bar, this.words, this.actions)
    if (!queue.asset && file.type.startsWith('image/')) this.root.append(this.textBox())
    this.actions.append(smallButton(_('Cancel'), () => this.cancel(), 'quiet'))
  }

  /** What the picture shows can be typed while it is sent; it waits here until it is saved. */
  textBox() {
    const language = document.documentElement.lang || 'fr'
    const label = make('label', 'media-line__text')
    label.append(make('span', 'field__label', _('What does it show? (alternative text)')))
    this.text = make('input', 'input')
    this.text.lang = language
    this.text.maxLength = TEXT_LENGTH
    this.text.addEventListener('input', () => { this.textWaits = this.text?.value.trim() !== '' })
    this.text.addEventListener('change', () => this.saveText())
    label.append(this.text)
    this.textPlace = label
    return label
  }

  /** @param {State} state @param {string} words @param {HTMLElement[]} actions */
  show(state, words, actions = []) {
    const held = this.actions.contains(document.activeElement)
    this.state = state
    this.root.dataset.state = state
    // What will not be sent needs no words, unless somebody has written some.
    if (this.textPlace) this.textPlace.hidden = ['held', 'refused'].includes(state) && !this.text?.value
    this.bar.hidden = !['waiting', 'sending', 'judging'].includes(state)
    this.words.textContent = words
    this.actions.replaceChildren(...actions)
    if (held) /** @type {HTMLElement | null} */ (this.actions.querySelector('button, a'))?.focus()
  }

  async run() {
    this.control = new AbortController()
    this.show('sending', _('Sending'), [smallButton(_('Cancel'), () => this.cancel(), 'quiet')])
    try {
      if (!this.queue.asset && !this.meant && (await this.isHeld())) return
      const body = await sendFile(this.address(), this.file, {
        signal: this.control.signal,
        progress: (share) => this.progress(share),
      })
      await this.finish(body)
    } catch (error) {
      this.fail(error)
    }
  }

  address() {
    const query = new URLSearchParams({ filename: this.file.name.slice(0, 400) })
    if (this.meant) query.set('again', 'yes')
    const path = this.queue.asset ? `/studio/media/${this.queue.asset}/file` : '/studio/media/upload'
    return `${path}?${query}`
  }

  async isHeld() {
    const sha256 = await hashOf(this.file)
    if (!sha256) return false
    const answer = await send('POST', '/studio/media/known', { json: { sha256: [sha256] }, signal: this.control?.signal })
    if (!answer.body.held.length) return false
    this.offerHeld(answer.body.held)
    return true
  }

  /** @param {number} share */
  progress(share) {
    this.bar.value = share
    if (share < 1) {
      this.words.textContent = _('%(share)s %% sent', { share: formatNumber(Math.floor(share * 100)) })
    } else if (this.state === 'sending') {
      this.state = 'judging'
      this.bar.removeAttribute('value')
      this.words.textContent = _('Arrived; being checked and made ready for displays')
    }
  }

  /** @param {any} body */
  async finish(body) {
    this.made = body.id
    if (this.queue.asset) {
      this.show('done', _('The file is here.'), [smallButton(_('Show it'), () => location.reload())])
      announce(_('The file is here.'))
      // Reloading would lose what was typed in the form below; without such work it is what one wants.
      if (!document.querySelector('[data-dirty]')) location.reload()
      return
    }
    const link = make('a', 'button button--secondary button--small', _('Describe it'))
    link.href = body.address
    this.show('done', _('In the library'), [link])
    const small = make('img', 'media-line__picture')
    small.src = body.picture
    small.alt = ''
    this.root.prepend(small)
    announce(_('%(name)s is in the library.', { name: this.file.name }))
    await this.saveText()
    refreshLibrary()
  }

  async saveText() {
    const text = this.text?.value.trim() ?? ''
    if (!this.made || !this.textWaits || !text) return
    const form = new URLSearchParams({ [`alt.${this.text?.lang}`]: text })
    try {
      await send('POST', `/studio/media/${this.made}/save`, { form })
      this.textWaits = false
      this.words.textContent = _('In the library, with its alternative text')
    } catch (error) {
      this.words.textContent = _('The file is in the library; its text was not saved. It is still here: %(why)s', {
        why: error instanceof Error ? error.message : '',
      })
      this.actions.append(smallButton(_('Save the text'), () => this.saveText()))
    }
  }

  /** @param {unknown} error */
  fail(error) {
    if (error instanceof DOMException && error.name === 'AbortError') {
      this.show('cancelled', _('Cancelled. Nothing of it was kept.'), [smallButton(_('Send it after all'), () => this.again()), this.forget()])
      return
    }
    if (!(error instanceof SendFailed)) throw error
    if (error.problem?.code === 'already-held') {
      this.offerHeld(error.problem.held ?? [])
    } else if (error.kind === 'refused' || error.kind === 'conflict') {
      this.refuse(this.reason(error))
    } else {
      const words = error.kind === 'offline' ? LOST() : error.message
      this.show('failed', words, [smallButton(_('Try again'), () => this.again(), 'primary'), this.forget()])
      announce(words, true)
    }
  }

  /** Why the server did not take it, and what it takes. @param {SendFailed} error */
  reason(error) {
    switch (error.problem?.code) {
      case 'file-type-not-accepted': return _('This kind of file is not taken. Accepted: %(kinds)s', { kinds: this.queue.accepted })
      case 'file-damaged': return _('The file is damaged or incomplete. Open it in its program, save it again, and send the new copy.')
      case 'too-large': return _('It is larger than the server takes.')
      case 'conflict': return _('The new file must be of the same kind as the present one.')
      case 'forbidden': return _('Your roles do not include adding files.')
      default: return error.message
    }
  }

  /** @param {string} why */
  refuse(why) {
    this.show('refused', why, [this.forget()])
    announce(`${this.file.name}: ${why}`, true)
  }

  /** @param {{id: string, filename: string | null}[]} held */
  offerHeld(held) {
    const first = held[0]
    const link = make('a', 'button button--secondary button--small', _('Use the one that is there'))
    link.href = `/studio/media/${first?.id}/`
    const twice = smallButton(_('Add it a second time'), () => { this.meant = true; this.again() }, 'quiet')
    this.show('held', _('You have this file already: %(name)s', { name: first?.filename ?? first?.id ?? '' }), [link, twice, this.forget()])
    announce(_('You have this file already: %(name)s', { name: first?.filename ?? first?.id ?? '' }))
  }

  again() {
    this.bar.removeAttribute('value')
    this.show('waiting', _('Waiting'), [smallButton(_('Cancel'), () => this.cancel(), 'quiet')])
    this.queue.next()
  }

  cancel() {
    if (this.state === 'waiting') this.fail(new DOMException('cancelled', 'AbortError'))
    else this.control?.abort()
  }

  forget() {
    return smallButton(_('Remove from this list'), () => {
      this.queue.lines = this.queue.lines.filter((line) => line !== this)
      this.root.remove()
      this.queue.list.hidden = !this.queue.lines.length
    }, 'quiet')
  }
}

/** Show the library with what has come. */
function refreshLibrary() {
  const form = document.querySelector('form[hx-target="#media-results"]')
  if (form) /** @type {any} */ (window).htmx?.trigger(form, 'submit')
}
