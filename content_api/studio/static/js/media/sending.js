/** Sends one file as a raw body, telling how far it is. */

import { _ } from '../messages.js'
import { csrfToken, SendFailed, signInAgain } from '../send.js'

/** What to say when a file did not get through. */
export const LOST = () => _('The connection was lost. Nothing of this file was kept; it is still here: try again.')

/**
 * @param {string} url @param {File} file
 * @param {{progress: (share: number) => void, signal: AbortSignal}} options
 * @returns {Promise<any>} what the server says of it
 * @throws {SendFailed} or the signal's reason
 */
export async function sendFile(url, file, options) {
  for (;;) {
    const answer = await once(url, file, options)
    if (answer.status >= 200 && answer.status < 300) return answer.body
    if (answer.status === 401) {
      if (await signInAgain()) continue
      throw new SendFailed('signed-out', _('Your session has ended. Sign in again to send the file.'), { status: 401 })
    }
    const more = { status: answer.status, problem: answer.body }
    if (answer.status >= 500) {
      throw new SendFailed('server', _('The server could not take the file now. Nothing of it was kept: try again.'), more)
    }
    throw new SendFailed(answer.status === 409 ? 'conflict' : 'refused', answer.body?.detail ?? _('The server refused this.'), more)
  }
}

/** @param {string} url @param {File} file @param {{progress: (share: number) => void, signal: AbortSignal}} options */
function once(url, file, { progress, signal }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    xhr.open('PUT', url)
    xhr.setRequestHeader('Accept', 'application/json')
    xhr.setRequestHeader('X-CSRF-Token', csrfToken())
    xhr.setRequestHeader('Content-Type', 'application/octet-stream')
    xhr.upload.addEventListener('progress', (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total)
    })
    const stop = () => xhr.abort()
    signal.addEventListener('abort', stop)
    const lost = () => reject(new SendFailed('offline', LOST()))
    xhr.addEventListener('error', lost)
    xhr.addEventListener('timeout', lost)
    xhr.addEventListener('abort', () => reject(new DOMException('cancelled', 'AbortError')))
    xhr.addEventListener('loadend', () => signal.removeEventListener('abort', stop))
    xhr.addEventListener('load', () => {
      let body = null
      try { body = JSON.parse(xhr.responseText) } catch { /* a proxy's page */ }
      resolve({ status: xhr.status, body })
    })
    xhr.send(file)
  })
}

/** Largest file, in bytes, that is read into memory to hash it before it is sent. */
const HASHED = 64 * 1024 * 1024

/** SHA-256 as hex, or null where the browser cannot tell. @param {File} file */
export async function hashOf(file) {
  // Browsers hash on secure addresses alone; elsewhere the server tells after the upload.
  if (!globalThis.crypto?.subtle || file.size > HASHED) return null
  try {
    const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer())
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  } catch {
    return null
  }
}
