/** The form of an entry: what changed, keeping it, saving it, and who else is here. */

import { announce, confirmDialog, icon, toast } from '../dialogs.js'
import { _, formatTime } from '../messages.js'
import { send } from '../send.js'
import { startStory } from './blocks.js'
import { askAboutConflicts } from './conflicts.js'
import { baseStory, carriedOperations, pairOf, storyOperations, valueOperations } from './operations.js'
import { bringBack, makeSaver } from './saving.js'
import { readControl, writeControl } from './values.js'

/** Milliseconds between two words of who is here. */
const PRESENCE_EVERY = 30_000

/** @param {HTMLElement} root */
export default async function start(root) {
  const work = JSON.parse(root.querySelector('[data-work]')?.textContent ?? '{}')
  const { entry: entryId, user = '', columns = '', source = '' } = root.dataset
  if (root.dataset.readonly === 'true') return
  if (await bringBack(work.entry, user)) {
    location.reload()
    return
  }
  const form = /** @type {HTMLElement} */ (root.querySelector('[data-form]'))
  const base = work.base
  const controls = () =>
    /** @type {HTMLElement[]} */ ([...form.querySelectorAll('[data-value-of]:not([data-locked])')])
  const stories = /** @type {HTMLElement[]} */ ([...form.querySelectorAll('section[data-story]')])

  function collect() {
    const held = controls().map((element) => ({
      path: element.dataset.path ?? '',
      scope: element.dataset.scope ?? '*',
      value: readControl(element),
    }))
    const there = new Set()
    const found = stories.flatMap((story) => {
      const name = story.dataset.story ?? ''
      const now = [...story.querySelectorAll('[data-block]')].map((block) => {
        const { block: id = '', type = '' } = /** @type {HTMLElement} */ (block).dataset
        there.add(`${name}.${id}`)
        return { id, type }
      })
      return storyOperations(name, baseStory(base, name), now)
    })
    const shown = new Set(controls().map(({ dataset }) => `${dataset.path}|${dataset.scope}`))
    const names = new Set(stories.map(({ dataset }) => dataset.story ?? ''))
    const isThere = (/** @type {string} */ path) =>
      path.split('.').length < 3 || there.has(path.split('.').slice(0, 2).join('.'))
    return [
      ...found,
      ...valueOperations(base, held),
      ...carriedOperations(work.kept, shown, names, isThere),
    ]
  }

  const bar = startBar(root)
  const saver = makeSaver({
    entryId: work.entry,
    userId: user,
    rev: work.rev,
    collect,
    onState(state, detail) {
      bar.show(state, detail)
      bar.offerMinor(sourceChanges(collect(), source))
    },
    onSaved({ merged }) {
      if (merged) toast(_('Saved, together with what others changed meanwhile.'))
      else announce(_('Saved.'))
      // The page is made anew, so that it shows what stands now and starts from it.
      location.reload()
    },
    onConflict: (clash) => void settle(clash),
    onRefused: (message, problem) => showRefusal(root, collect(), message, problem),
  })

  /** @param {import('./saving.js').Clash} clash */
  async function settle(clash) {
    const chosen = await askAboutConflicts(clash, labelOf)
    if (!chosen) {
      announce(_('Not saved yet. Your text is kept.'), true)
      return
    }
    saver.rebase(clash.rev)
    for (const conflict of clash.conflicts) {
      const key = pairOf({ op: '', ...conflict })
      if ('theirs' in conflict) base[key] = conflict.theirs
      else delete base[key]
    }
    const operations = []
    for (const operation of collect()) {
      const key = pairOf(operation)
      const isStructure = !['set', 'unset'].includes(operation.op)
      const decided = chosen.get(isStructure ? `${operation.path.split('.')[0]}|*` : key) ?? chosen.get(`${operation.path}|*`)
      if (!decided || decided.whose === 'mine') operations.push(operation)
      else if (decided.whose === 'both') operations.push({ op: 'set', path: operation.path, scope: operation.scope, value: decided.value })
    }
    for (const [key, decided] of chosen) {
      const element = controls().find(({ dataset }) => `${dataset.path}|${dataset.scope}` === key)
      if (element && decided.whose !== 'mine') writeControl(element, decided.value)
    }
    await saver.save({ message: bar.message(), minor: bar.minor(), operations })
  }

  const labelOf = (/** @type {string} */ path) =>
    controls().find(({ dataset }) => dataset.path === path)?.dataset.label ?? path

  form.addEventListener('input', () => saver.touch())
  form.addEventListener('change', () => saver.touch())
  form.addEventListener('click', (event) => {
    const button = /** @type {Element} */ (event.target).closest('[data-empty-on-purpose]')
    const element = /** @type {HTMLElement | null} */ (button?.closest('[data-value-of]') ?? null)
    if (!element) return
    const pressed = button?.getAttribute('aria-pressed') !== 'true'
    writeControl(element, pressed ? null : undefined)
    saver.touch()
  })
  for (const story of stories) startStory(story, { entryId: work.entry, columns, changed: () => saver.touch() })
  root.querySelector('[data-save]')?.addEventListener('click', () =>
    saver.save({ message: bar.message(), minor: bar.minor() }))
  document.addEventListener('keydown', (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === 's') {
      event.preventDefault()
      void saver.save({ message: bar.message(), minor: bar.minor() })
    }
  })
  root.querySelector('[data-discard]')?.addEventListener('click', async () => {
    const sure = await confirmDialog({
      title: _('Discard your unsaved work?'),
      text: _('The page will show what was saved last. This cannot be taken back.'),
      action: _('Discard it'),
      tone: 'danger',
    })
    if (!sure) return
    saver.stop()
    await send('DELETE', `/studio/entries/${entryId}/working-copy`)
    location.reload()
  })
  if (work.kept.length) bar.show('kept', {})
  startColumns()
  startPresence(root, work.entry, work.rev)
}

/** Paths of texts of the source language that changed. @param {import('./saving.js').Operation[]} operations @param {string} source */
const sourceChanges = (operations, source) =>
  operations.filter(({ op, scope }) => op === 'set' && scope === source).map(({ path }) => path)

/** @param {HTMLElement} root */
function startBar(root) {
  const state = /** @type {HTMLElement} */ (root.querySelector('[data-state]'))
  const minorBox = /** @type {HTMLElement} */ (root.querySelector('[data-minor]'))
  const tick = /** @type {HTMLInputElement} */ (minorBox.querySelector('input'))
  const message = /** @type {HTMLInputElement} */ (root.querySelector('#save-message'))
  const save = /** @type {HTMLButtonElement} */ (root.querySelector('[data-save]'))
  /** @type {string[]} */
  let paths = []
  return {
    /** @param {import('./saving.js').State} now @param {any} [detail] */
    show(now, detail = {}) {
      const at = detail.at ? formatTime(detail.at) : ''
      const words = {
        saved: at ? _('Saved at %(time)s.', { time: at }) : _('Saved.'),
        unsaved: _('Not saved yet.'),
        keeping: _('Keeping your work …'),
        kept: at ? _('Not saved yet; your work is kept since %(time)s.', { time: at }) : _('Not saved yet; your work is kept.'),
        local: detail.isLocal === false
          ? _('The server cannot be reached and this browser cannot keep your work: leave this page open.')
          : _('The server cannot be reached. Your work is kept on this computer and will be sent by itself.'),
        saving: _('Saving …'),
        failed: detail.message ?? _('This could not be saved.'),
      }
      if (now === 'local' && detail.kind !== 'offline' && detail.kind !== 'server') {
        words.local = detail.kind === 'signed-out'
          ? _('Your session has ended. Your work is kept on this computer; press Save to sign in again.')
          : detail.message
      }
      if (state.dataset.is === now && state.textContent === words[now]) return
      state.dataset.is = now
      const marks = { saved: 'check', kept: 'check', local: 'wifi-off', failed: 'warning' }
      state.replaceChildren(icon(marks[/** @type {keyof typeof marks} */ (now)] ?? 'edit'), words[now])
      save.toggleAttribute('disabled', now === 'saving')
    },
    /** @param {string[]} changed */
    offerMinor(changed) {
      paths = changed
      minorBox.hidden = changed.length === 0
    },
    minor: () => (tick.checked ? paths : []),
    message: () => message.value.trim(),
  }
}

/**
 * Say beside the field what the server expected.
 * @param {HTMLElement} root @param {import('./saving.js').Operation[]} operations @param {string} message @param {any} problem
 */
function showRefusal(root, operations, message, problem) {
  for (const old of root.querySelectorAll('[data-error]')) /** @type {HTMLElement} */ (old).hidden = true
  const found = problem?.errors?.[0]
  const index = Number(/^\/(?:operations\/)?(\d+)/.exec(found?.pointer ?? '')?.[1] ?? -1)
  const operation = operations[index]
  const element = operation && [...root.querySelectorAll('[data-value-of]')].find((one) => {
    const { path, scope } = /** @type {HTMLElement} */ (one).dataset
    return path === operation.path && scope === (operation.scope ?? '*')
  })
  const place = /** @type {HTMLElement | null} */ (element?.querySelector('[data-error]') ?? null)
  if (place) {
    place.textContent = found.message
    place.hidden = false
    /** @type {HTMLElement | null} */ (element?.querySelector('textarea, input:not([type=hidden]), select'))?.focus()
  }
  toast(_('Not saved: %(why)s', { why: found?.message ?? message }), 'bad')
}

function startColumns() {
  const form = /** @type {HTMLFormElement | null} */ (document.querySelector('[data-columns-form]'))
  form?.addEventListener('submit', () => {
    const chosen = [...form.querySelectorAll('input[type=checkbox]')]
      .filter((box) => /** @type {HTMLInputElement} */ (box).checked)
      .map((box) => /** @type {HTMLInputElement} */ (box).value)
    const field = /** @type {HTMLInputElement} */ (form.elements.namedItem('columns'))
    const before = field.value.split(',').filter((tag) => chosen.includes(tag))
    field.value = [...new Set([...before, ...chosen])].join(',')
  })
}

/** @param {HTMLElement} root @param {string} entryId @param {number} rev */
function startPresence(root, entryId, rev) {
  const badge = /** @type {HTMLElement | null} */ (document.querySelector('[data-present]'))
  const newer = /** @type {HTMLElement | null} */ (root.querySelector('[data-newer]'))
  let head = rev
  const ask = async () => {
    if (document.visibilityState === 'hidden') return
    const at = /** @type {HTMLElement | null} */ (document.activeElement?.closest('[data-value-of]') ?? null)
    try {
      const answer = await send('POST', `/studio/entries/${encodeURIComponent(entryId)}/presence`, {
        json: { place: at ? `${at.dataset.path}|${at.dataset.scope}` : '' },
        askToSignIn: false,
      })
      if (badge) {
        badge.hidden = answer.body.others.length === 0
        const names = answer.body.others.map((/** @type {{name: string}} */ { name }) => name).join(', ')
        badge.replaceChildren(icon('people'), _('Also here: %(names)s', { names }))
      }
      if (newer && answer.body.head_rev > head) newer.hidden = false
      head = Math.max(head, rev)
    } catch {
      // Who else is here can wait until the link is back.
    }
  }
  void ask()
  window.setInterval(ask, PRESENCE_EVERY)
}
