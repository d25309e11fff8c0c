/**
 * The form of an asset: saved without leaving the page. What was refused, or what somebody else
 * changed meanwhile, is said beside the button, and nothing typed is lost.
 */

import { confirmDialog, toast } from '../dialogs.js'
import { _ } from '../messages.js'
import { send, SendFailed } from '../send.js'
import { make, smallButton } from './dom.js'

/** @param {HTMLElement} element */
export default function start(element) {
  const form = /** @type {HTMLFormElement} */ (element)
  const state = form.querySelector('[data-saving]')
  const problem = /** @type {HTMLElement | null} */ (form.querySelector('[data-problem]'))
  if (!state || !problem) return
  const rev = /** @type {HTMLInputElement} */ (form.elements.namedItem('rev'))
  let typed = 0
  let saving = false

  const dirty = () => {
    typed += 1
    form.dataset.dirty = ''
    state.textContent = _('Not saved yet')
  }
  form.addEventListener('input', dirty)
  form.addEventListener('change', (event) => {
    // The languages shown are no part of what is saved.
    if (/** @type {Element} */ (event.target).matches('[data-shows]')) return
    dirty()
  })
  form.addEventListener('input', (event) => {
    if (/** @type {Element} */ (event.target).matches('[data-shows]')) event.stopImmediatePropagation()
  }, true)
  window.addEventListener('beforeunload', (event) => { if ('dirty' in form.dataset) event.preventDefault() })

  const save = async () => {
    if (saving) return
    saving = true
    const before = typed
    problem.hidden = true
    state.textContent = _('Saving')
    try {
      const answer = await send('POST', form.action, { form: new URLSearchParams(/** @type {any} */ (new FormData(form))) })
      rev.value = String(answer.body.rev)
      if (typed === before) {
        delete form.dataset.dirty
        state.textContent = _('Saved')
      } else {
        state.textContent = _('Not saved yet')
      }
      toast(_('Saved.'))
    } catch (error) {
      if (!(error instanceof SendFailed)) throw error
      state.textContent = _('Not saved yet')
      explain(error)
    } finally {
      saving = false
    }
  }

  /** @param {SendFailed} error */
  const explain = (error) => {
    problem.replaceChildren()
    const box = make('div', 'stack stack--tight')
    const conflicts = error.problem?.conflicts ?? []
    if (conflicts.length) {
      box.append(make('p', '', _('Somebody else changed the same text while you were working. Yours is still here: choose for each.')))
      for (const clash of conflicts) box.append(choice(clash))
      rev.value = String(error.problem.head_rev ?? rev.value)
    } else {
      box.append(make('p', '', error.kind === 'offline'
        ? _('The server cannot be reached. Everything you typed is still here: save again when the link is back.')
        : error.message))
    }
    problem.append(box)
    problem.hidden = false
    problem.scrollIntoView({ block: 'nearest' })
  }

  /** @param {{path: string, scope: string, label?: string, theirs?: unknown}} clash */
  const choice = (clash) => {
    const row = make('div', 'media-clash')
    row.append(make('strong', '', clash.label ?? clash.path))
    const theirs = typeof clash.theirs === 'string' ? clash.theirs : ''
    const quote = make('q', '', theirs || _('(nothing)'))
    quote.lang = clash.scope
    row.append(make('span', 'soft', _('They wrote:')), quote)
    const control = /** @type {HTMLTextAreaElement | null} */ (form.elements.namedItem(`${clash.path}.${clash.scope}`))
    const settle = (/** @type {string} */ words) => row.replaceChildren(make('strong', '', clash.label ?? clash.path), make('span', 'soft', words))
    row.append(smallButton(_('Keep mine'), () => settle(_('Yours is kept: save to put it in place.'))))
    if (control) {
      row.append(smallButton(_('Take theirs'), () => {
        control.value = theirs
        control.dispatchEvent(new Event('input', { bubbles: true }))
        control.dispatchEvent(new Event('change', { bubbles: true }))
        settle(_('Theirs is taken.'))
      }))
    }
    return row
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    save()
  })
  form.addEventListener('keydown', (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 's') {
      event.preventDefault()
      save()
    }
  })
  licence(form)
  decorative(form)
}

/** Another licence is named only where it is chosen. @param {HTMLFormElement} form */
function licence(form) {
  const select = /** @type {HTMLSelectElement | null} */ (form.elements.namedItem('rights_licence'))
  const other = /** @type {HTMLElement | null} */ (form.querySelector('[data-other]'))
  if (!select || !other) return
  const paint = () => { other.hidden = select.value !== 'other' }
  select.addEventListener('change', paint)
  paint()
}

/** Alternative texts and "decorative" exclude each other. @param {HTMLFormElement} form */
function decorative(form) {
  const boxes = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll('input[name="decorative"]')])
  const texts = /** @type {HTMLTextAreaElement[]} */ ([...form.querySelectorAll('textarea[name^="alt."]')])
  const yes = boxes.find((box) => box.value === 'yes')
  const no = boxes.find((box) => box.value !== 'yes')
  if (!yes || !no) return
  const own = new Map(texts.map((text) => [text, text.readOnly]))
  const paint = () => {
    for (const text of texts) text.readOnly = yes.checked || Boolean(own.get(text))
  }
  yes.addEventListener('change', async () => {
    const written = texts.filter((text) => text.value.trim())
    if (written.length && !(await confirmDialog({
      title: _('Remove the alternative texts?'),
      text: _('A decorative picture says nothing, so it has no alternative text. The texts stay in the history and can be restored.'),
      action: _('Remove them'),
    }))) {
      no.checked = true
    } else {
      for (const text of written) {
        text.value = ''
        text.dispatchEvent(new Event('input', { bubbles: true }))
      }
    }
    paint()
  })
  no.addEventListener('change', paint)
  paint()
}
