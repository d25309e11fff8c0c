/**
 * Keeps what somebody types on an entry, and saves it as a revision when they say so.
 *
 * What was typed is kept at once in this browser and, a moment later, as their working copy on
 * the server; so neither a crash of the browser nor of the server loses it. Saving sends the
 * operations with the revision they were made on. The server merges what others saved since,
 * or tells which values both changed.
 */

import { SendFailed, send } from '../send.js'

/** Milliseconds of rest after which what was typed goes to the server. */
const KEEP_AFTER = 2500
/** Milliseconds until the first new try after the server could not be reached; doubled each time. */
const FIRST_RETRY = 4000
const LONGEST_RETRY = 60_000

/**
 * @typedef {{op: string, path: string, scope?: string, value?: unknown}} Operation
 * @typedef {'saved' | 'unsaved' | 'keeping' | 'kept' | 'local' | 'saving' | 'failed'} State
 * @typedef {{path: string, scope: string, base?: unknown, mine?: unknown, theirs?: unknown,
 *   changes?: {op: string, text: string}[]}} Conflict
 * @typedef {{rev: number, merged: boolean, by?: string, operations: Operation[]}} Saved
 * @typedef {{conflicts: Conflict[], rev: number, by: string, at: string}} Clash
 */

/** Where this browser keeps unsaved work on an entry. @param {string} entryId @param {string} userId */
export const localKey = (entryId, userId) => `lampisterie.work.${userId}.${entryId}`

/** Milliseconds to wait before try number `tries` (from 0). @param {number} tries @param {number} asked seconds the server asks for */
export const retryDelay = (tries, asked = 0) =>
  Math.max(asked * 1000, Math.min(FIRST_RETRY * 2 ** tries, LONGEST_RETRY))

/**
 * @param {object} options
 * @param {string} options.entryId
 * @param {string} options.userId whose work it is: two people may share a computer
 * @param {number} options.rev the revision that the page was made from
 * @param {() => Operation[]} options.collect what differs from that revision now
 * @param {(state: State, detail?: {at?: Date, message?: string}) => void} options.onState
 * @param {(saved: Saved) => void} [options.onSaved]
 * @param {(clash: Clash) => void} [options.onConflict]
 * @param {(message: string, problem: any) => void} [options.onRefused]
 */
export function makeSaver({ entryId, userId, rev, collect, onState, onSaved, onConflict, onRefused }) {
  const base = `/studio/entries/${encodeURIComponent(entryId)}`
  const key = localKey(entryId, userId)
  /** @type {State} */
  let state = 'saved'
  let timer = 0
  let tries = 0
  let turn = 0
  let isLocal = true

  const tell = (/** @type {State} */ next, /** @type {any} */ detail) => {
    state = next
    onState(next, detail)
  }

  function keepHere() {
    const operations = collect()
    try {
      if (operations.length) localStorage.setItem(key, JSON.stringify({ rev, operations, at: Date.now() }))
      else localStorage.removeItem(key)
      isLocal = true
    } catch {
      // Private windows and full disks: the server's copy is then the only one.
      isLocal = false
    }
    return operations
  }

  function forgetHere() {
    try {
      localStorage.removeItem(key)
    } catch { /* nothing was kept */ }
  }

  /** Say that something was typed. */
  function touch() {
    const operations = keepHere()
    turn += 1
    clearTimeout(timer)
    tries = 0
    tell(operations.length ? 'unsaved' : 'saved')
    timer = window.setTimeout(keep, KEEP_AFTER)
  }

  /** Send the working copy now. @param {{leaving?: boolean}} [how] */
  async function keep({ leaving = false } = {}) {
    clearTimeout(timer)
    if (state === 'saving') return
    const mine = turn
    const operations = collect()
    try {
      if (operations.length) {
        if (!leaving) tell('keeping')
        await send('PUT', `${base}/working-copy`, {
          json: { base_rev: rev, operations },
          keepalive: leaving,
          askToSignIn: false,
        })
      } else {
        await send('DELETE', `${base}/working-copy`, { keepalive: leaving, askToSignIn: false })
      }
      if (mine !== turn) return
      forgetHere()
      tries = 0
      if (!leaving) tell(operations.length ? 'kept' : 'saved', { at: new Date() })
    } catch (error) {
      if (!(error instanceof SendFailed) || mine !== turn) return
      tell('local', { message: error.message, kind: error.kind, isLocal })
      if (error.kind === 'offline' || error.kind === 'server') {
        timer = window.setTimeout(keep, retryDelay(tries, error.retryAfter))
        tries += 1
      }
    }
  }

  /**
   * Save as a revision.
   * @param {{message?: string, minor?: string[], operations?: Operation[]}} [how]
   * @returns {Promise<boolean>}
   */
  async function save({ message = '', minor = [], operations } = {}) {
    clearTimeout(timer)
    const mine = turn
    const sent = operations ?? keepHere()
    tell('saving')
    try {
      const answer = await send('POST', `${base}/save`, {
        json: { expected_rev: rev, operations: sent, message, minor },
      })
      rev = answer.body.rev
      forgetHere()
      tell('saved', { at: new Date() })
      onSaved?.({ ...answer.body, operations: sent })
      if (mine !== turn) touch()
      return true
    } catch (error) {
      if (!(error instanceof SendFailed)) throw error
      const problem = error.problem
      if (error.kind === 'conflict' && problem?.conflicts) {
        tell('unsaved')
        onConflict?.({ conflicts: problem.conflicts, rev: problem.rev, by: problem.by, at: problem.at })
        return false
      }
      tell(error.kind === 'offline' || error.kind === 'server' ? 'local' : 'failed', {
        message: error.message, kind: error.kind, isLocal,
      })
      if (error.kind === 'offline' || error.kind === 'server') {
        timer = window.setTimeout(keep, retryDelay(tries))
        tries += 1
      } else {
        onRefused?.(error.message, problem)
      }
      return false
    }
  }

  /** Work on from revision `next`, as after a conflict was decided. @param {number} next */
  function rebase(next) {
    rev = next
  }

  const leave = () => {
    if (document.visibilityState === 'hidden' && (state === 'unsaved' || state === 'keeping')) {
      void keep({ leaving: true })
    }
  }
  const warn = (/** @type {BeforeUnloadEvent} */ event) => {
    const kept = state === 'saved' || state === 'kept' || isLocal
    if (!kept) event.preventDefault()
  }
  const online = () => { if (state === 'local') void keep() }
  document.addEventListener('visibilitychange', leave)
  window.addEventListener('beforeunload', warn)
  window.addEventListener('online', online)
  return {
    touch,
    keep,
    save,
    rebase,
    get state() { return state },
    get rev() { return rev },
    stop() {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', leave)
      window.removeEventListener('beforeunload', warn)
      window.removeEventListener('online', online)
    },
  }
}

/**
 * Send what this browser kept while the server was away; whether there was something, so that
 * the page should be loaded again to show it.
 * @param {string} entryId @param {string} userId
 */
export async function bringBack(entryId, userId) {
  const key = localKey(entryId, userId)
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? 'null')
    if (!kept?.operations?.length) return false
    await send('PUT', `/studio/entries/${encodeURIComponent(entryId)}/working-copy`, {
      json: { base_rev: kept.rev, operations: kept.operations },
      askToSignIn: false,
    })
    localStorage.removeItem(key)
    return true
  } catch {
    return false
  }
}
