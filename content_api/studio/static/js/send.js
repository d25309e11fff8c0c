/**
 * Sends changes to the studio: with the proof that our page sends them, and without ever
 * losing them. A session that ended asks for the password in a dialog, and sends again.
 */

import { _ } from './messages.js'

/** What went wrong, for the page to act on. */
export class SendFailed extends Error {
  /**
   * @param {'offline' | 'signed-out' | 'conflict' | 'refused' | 'server'} kind
   * @param {string} message for a person
   * @param {{status?: number, problem?: any, retryAfter?: number}} [more]
   */
  constructor(kind, message, { status = 0, problem = null, retryAfter = 0 } = {}) {
    super(message)
    this.kind = kind
    this.status = status
    this.problem = problem
    this.retryAfter = retryAfter
  }
}

/** @returns {HTMLMetaElement | null} */
const tokenMeta = () => document.querySelector('meta[name="csrf-token"]')

/** What a change must carry. */
export const csrfToken = () => tokenMeta()?.content ?? ''

/** @param {string} token */
function useToken(token) {
  const meta = tokenMeta()
  if (meta) meta.content = token
  for (const input of document.querySelectorAll('input[name="csrf_token"]')) {
    /** @type {HTMLInputElement} */ (input).value = token
  }
}

/**
 * @typedef {{json?: unknown, form?: FormData | URLSearchParams, body?: BodyInit, type?: string,
 *   signal?: AbortSignal, keepalive?: boolean, askToSignIn?: boolean}} Options
 * @param {string} method @param {string} url @param {Options} [options]
 * @returns {Promise<{status: number, body: any, headers: Headers}>}
 * @throws {SendFailed}
 */
export async function send(method, url, options = {}) {
  for (;;) {
    const answer = await once(method, url, options)
    if (answer.status !== 401) return finished(answer)
    if (options.askToSignIn === false || !(await signInAgain())) {
      throw new SendFailed('signed-out', _('Your session has ended. Sign in again to save.'), {
        status: 401,
      })
    }
  }
}

/** @param {string} method @param {string} url @param {Options} options */
async function once(method, url, { json, form, body, type, signal, keepalive }) {
  /** @type {Record<string, string>} */
  const headers = { Accept: 'application/json', 'X-CSRF-Token': csrfToken() }
  /** @type {BodyInit | undefined} */
  let content = body ?? form
  if (json !== undefined) {
    content = JSON.stringify(json)
    headers['Content-Type'] = 'application/json'
  } else if (type) {
    headers['Content-Type'] = type
  }
  let response
  try {
    response = await fetch(url, { method, headers, body: content, signal, keepalive, redirect: 'manual' })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new SendFailed('offline', _('The server cannot be reached.'))
  }
  const isJson = /\bjson\b/.test(response.headers.get('Content-Type') ?? '')
  const read = isJson ? await response.json().catch(() => null) : await response.text().catch(() => '')
  return { status: response.status, body: read, headers: response.headers }
}

/** @param {{status: number, body: any, headers: Headers}} answer */
function finished(answer) {
  if (answer.status >= 200 && answer.status < 400) return answer
  const problem = typeof answer.body === 'object' ? answer.body : null
  const words = problem?.detail ?? _('The server refused this.')
  const more = { status: answer.status, problem, retryAfter: Number(answer.headers.get('Retry-After')) || 0 }
  if (answer.status === 409 || answer.status === 412) throw new SendFailed('conflict', words, more)
  if (answer.status >= 500 || answer.status === 0) throw new SendFailed('server', words, more)
  throw new SendFailed('refused', words, more)
}

/** @type {Promise<boolean> | null} */
let asking = null

/**
 * Let the person sign in without leaving the page; whether they did. Two that ask at once share
 * one dialog.
 * @returns {Promise<boolean>}
 */
export function signInAgain() {
  asking ??= ask().finally(() => { asking = null })
  return asking
}

/** @returns {Promise<boolean>} */
function ask() {
  const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById('sign-in-again'))
  const form = /** @type {HTMLFormElement | null} */ (dialog?.querySelector('form') ?? null)
  if (!dialog || !form) return Promise.resolve(false)
  const wrong = /** @type {HTMLElement} */ (form.querySelector('[data-error]'))
  wrong.hidden = true
  dialog.showModal()
  const password = /** @type {HTMLInputElement} */ (form.elements.namedItem('password'))
  password.value = ''
  password.focus()
  return new Promise((resolve) => {
    let done = false
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault()
      wrong.hidden = true
      try {
        const answer = await once('POST', form.action, { form: new URLSearchParams(/** @type {any} */ (new FormData(form))) })
        if (answer.status === 200) {
          useToken(answer.body.csrf_token)
          done = true
          dialog.close()
          return
        }
        wrong.textContent = answer.body?.detail ?? _('That did not work. Try again.')
      } catch {
        wrong.textContent = _('The server cannot be reached. Try again when the link is back.')
      }
      wrong.hidden = false
    }
    const cancel = () => dialog.close()
    form.addEventListener('submit', submit)
    form.querySelector('[data-cancel]')?.addEventListener('click', cancel)
    dialog.addEventListener('close', () => {
      form.removeEventListener('submit', submit)
      form.querySelector('[data-cancel]')?.removeEventListener('click', cancel)
      password.value = ''
      resolve(done)
    }, { once: true })
  })
}
