/**
 * The blocks of a story: adding, moving by pointer and by keys, duplicating, folding, and
 * deleting with undo. Blocks keep their ids wherever they stand, so moving one never moves a
 * translation.
 */

import { announce, toast } from '../dialogs.js'
import { _ } from '../messages.js'
import { send } from '../send.js'
import { readControl, writeControl } from './values.js'

/**
 * @param {HTMLElement} story one with data-story
 * @param {{entryId: string, columns: string, changed: () => void}} options
 */
export function startStory(story, { entryId, columns, changed }) {
  const list = /** @type {HTMLElement} */ (story.querySelector('[data-blocks]'))
  const empty = /** @type {HTMLElement | null} */ (story.querySelector('[data-no-blocks]'))
  const blocks = () => /** @type {HTMLElement[]} */ ([...list.children])
  /** @type {(() => void)[]} */
  const undone = []

  const settle = () => {
    const all = blocks()
    all.forEach((block, index) => {
      const up = /** @type {HTMLButtonElement | null} */ (block.querySelector('[data-block-up]'))
      const down = /** @type {HTMLButtonElement | null} */ (block.querySelector('[data-block-down]'))
      up?.setAttribute('aria-disabled', String(index === 0))
      down?.setAttribute('aria-disabled', String(index === all.length - 1))
    })
    if (empty) empty.hidden = all.length > 0
  }
  const done = () => {
    settle()
    changed()
  }
  const where = (/** @type {HTMLElement} */ block) =>
    _('Block %(place)s of %(count)s', { place: blocks().indexOf(block) + 1, count: blocks().length })

  /** @param {HTMLElement} block @param {number} step */
  function move(block, step) {
    const all = blocks()
    const index = all.indexOf(block) + step
    if (index < 0 || index >= all.length) {
      announce(step < 0 ? _('This is the first block.') : _('This is the last block.'))
      return
    }
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)
    if (step < 0) all[index].before(block)
    else all[index].after(block)
    focused?.focus()
    block.scrollIntoView({ block: 'nearest' })
    announce(where(block))
    done()
  }

  /** @param {string} type @returns {Promise<HTMLElement>} */
  async function fetchBlock(type) {
    const query = new URLSearchParams({ story: story.dataset.story ?? '', type, columns })
    const answer = await send('GET', `/studio/entries/${encodeURIComponent(entryId)}/block?${query}`)
    const holder = document.createElement('template')
    holder.innerHTML = answer.body
    return /** @type {HTMLElement} */ (holder.content.querySelector('[data-block]'))
  }

  /** @param {string} type @param {HTMLElement | null} after */
  async function add(type, after) {
    let block
    try {
      block = await fetchBlock(type)
    } catch (error) {
      toast(/** @type {Error} */ (error).message, 'bad')
      return null
    }
    if (after) after.after(block)
    else list.append(block)
    /** @type {any} */ (window).htmx?.process(block)
    document.dispatchEvent(new CustomEvent('htmx:load', { detail: { elt: block } }))
    done()
    return block
  }

  /** @param {HTMLElement} block */
  async function duplicate(block) {
    const copy = await add(block.dataset.type ?? '', block)
    if (!copy) return
    const targets = /** @type {HTMLElement[]} */ ([...copy.querySelectorAll('[data-value-of]')])
    const sources = /** @type {HTMLElement[]} */ ([...block.querySelectorAll('[data-value-of]')])
    sources.forEach((source, index) => writeControl(targets[index], readControl(source)))
    focusBlock(copy)
    announce(_('Duplicated. %(where)s', { where: where(copy) }))
    done()
  }

  /** @param {HTMLElement} block */
  function remove(block) {
    const next = /** @type {HTMLElement | null} */ (block.nextElementSibling)
    const previous = /** @type {HTMLElement | null} */ (block.previousElementSibling)
    block.remove()
    const back = () => {
      if (next?.isConnected) next.before(block)
      else list.append(block)
      focusBlock(block)
      announce(_('The block is back.'))
      done()
    }
    undone.push(back)
    toast(_('Block deleted.'), 'info', {
      label: _('Undo'),
      run: () => {
        const place = undone.indexOf(back)
        if (place >= 0) undone.splice(place, 1)[0]()
      },
    })
    const neighbour = next ?? previous
    if (neighbour) focusBlock(neighbour)
    else /** @type {HTMLElement | null} */ (story.querySelector('[data-add-block]'))?.focus()
    done()
  }

  story.addEventListener('click', async (event) => {
    const target = /** @type {Element} */ (event.target)
    const adder = /** @type {HTMLElement | null} */ (target.closest('[data-add-block]'))
    if (adder) {
      const block = await add(adder.dataset.addBlock ?? '', null)
      if (block) {
        /** @type {HTMLElement | null} */ (block.querySelector('textarea, input:not([type=hidden]), select, button:not(.block__bar *)'))?.focus()
        announce(_('Added. %(where)s', { where: where(block) }))
      }
      return
    }
    const block = /** @type {HTMLElement | null} */ (target.closest('[data-block]'))
    if (!block) return
    if (target.closest('[data-block-up]')) move(block, -1)
    else if (target.closest('[data-block-down]')) move(block, 1)
    else if (target.closest('[data-block-copy]')) await duplicate(block)
    else if (target.closest('[data-block-delete]')) remove(block)
    const fold = target.closest('[data-block-fold]')
    if (fold) {
      const open = fold.getAttribute('aria-expanded') !== 'true'
      fold.setAttribute('aria-expanded', String(open))
      block.classList.toggle('block--folded', !open)
    }
  })

  story.addEventListener('keydown', (event) => {
    const target = /** @type {HTMLElement} */ (event.target)
    const block = /** @type {HTMLElement | null} */ (target.closest('[data-block]'))
    const typing = target.matches('textarea, input, select')
    if (block && event.altKey && !typing && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
      event.preventDefault()
      move(block, event.key === 'ArrowUp' ? -1 : 1)
    }
  })
  document.addEventListener('keydown', (event) => {
    const target = /** @type {HTMLElement} */ (event.target)
    if (target.matches('textarea, input') || !(event.ctrlKey || event.metaKey) || event.key !== 'z') return
    const back = undone.pop()
    if (!back) return
    event.preventDefault()
    back()
  })
  dragging(list, () => done())
  settle()
}

/** @param {HTMLElement} block */
function focusBlock(block) {
  const handle = /** @type {HTMLElement | null} */ (block.querySelector('[data-handle]'))
  ;(handle ?? block).focus()
}

/**
 * Moving by pointer: the block follows, and takes the place of what it is dragged over.
 * @param {HTMLElement} list @param {() => void} moved
 */
function dragging(list, moved) {
  list.addEventListener('pointerdown', (event) => {
    const handle = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('[data-handle]'))
    const block = /** @type {HTMLElement | null} */ (handle?.closest('[data-block]') ?? null)
    if (!handle || !block || event.button !== 0) return
    const before = [...list.children].indexOf(block)
    const next = block.nextElementSibling
    let dragged = false
    handle.setPointerCapture(event.pointerId)
    const over = (/** @type {PointerEvent} */ move) => {
      if (!dragged && Math.abs(move.clientY - event.clientY) < 6) return
      dragged = true
      block.classList.add('block--dragged')
      for (const other of /** @type {HTMLElement[]} */ ([...list.children])) {
        if (other === block) continue
        const box = other.getBoundingClientRect()
        if (move.clientY < box.top || move.clientY > box.bottom) continue
        if (move.clientY < box.top + box.height / 2) other.before(block)
        else other.after(block)
      }
    }
    const end = (/** @type {Event} */ last) => {
      handle.removeEventListener('pointermove', over)
      handle.removeEventListener('pointerup', end)
      handle.removeEventListener('pointercancel', end)
      block.classList.remove('block--dragged')
      if (last.type === 'pointercancel') list.insertBefore(block, next)
      if ([...list.children].indexOf(block) !== before) moved()
    }
    handle.addEventListener('pointermove', over)
    handle.addEventListener('pointerup', end)
    handle.addEventListener('pointercancel', end)
  })
}
