/**
 * Questions to the device. The session's token is kept here, in memory: whoever leaves
 * the page is signed out.
 */

/** A question may take so long, milliseconds. */
const PATIENCE = 20_000

let token = ''

/** What the device refused: `word` is a key of the catalogue below `error.` */
export class Refusal extends Error {
  /** @param {string} word @param {Record<string, any>} values */
  constructor(word, values = {}) {
    super(word)
    this.word = word
    this.values = values
  }
}

/**
 * @param {string} what a path below this page
 * @param {Record<string, unknown>} [asked]
 * @returns {Promise<any>}
 */
export async function ask(what, asked = {}) {
  let answer
  let found
  try {
    answer = await fetch(`./${what}`, {
      method: 'POST', body: JSON.stringify(asked), signal: AbortSignal.timeout(PATIENCE),
      headers: { 'Content-Type': 'application/json', 'X-Technician': token },
    })
    found = await answer.json()
  } catch {
    throw new Refusal('offline')
  }
  if (answer.ok) return found
  if (found.error === 'signed-out') token = ''
  throw new Refusal(String(found.error ?? 'failed'), found)
}

/** Open the session. @param {string} pin */
export async function enter(pin) {
  token = (await ask('enter', { pin })).token
}

/** End the session; the device forgets it by itself when this does not arrive. */
export async function leave() {
  if (token) await ask('leave').catch(() => {})
  token = ''
}

/** Tell the watchdog that this page lives, as the player does. @param {number} idle seconds */
export function sayAlive(idle) {
  const report = { package: '', release: 0, content: '', screen: 'visit', entry: '', idle_seconds: Math.round(idle), heap: null, errors: [], plays: [] }
  return fetch('../page', { method: 'POST', body: JSON.stringify(report), headers: { 'Content-Type': 'application/json' } }).catch(() => {})
}
