/** Names of chosen things: those the page does not tell are asked for in one request. */

import { send } from '../send.js'

/**
 * @typedef {{id: string, type: string, type_label: string, title: string, language: string | null,
 *   kind: string | null, alt: string[], credit: string[], decorative: boolean, expired: boolean,
 *   has_file: boolean, has_picture: boolean, width: number | null, height: number | null,
 *   duration: number | null}} Choice
 */

/** @type {Map<string, Choice>} */
const known = new Map()
/** @type {Map<string, Promise<void>>} */
const asked = new Map()
/** @type {Set<string>} */
let waiting = new Set()
/** @type {Promise<void> | null} */
let next = null

/** Keep what is known already. @param {Choice} choice */
export const remember = (choice) => {
  known.set(choice.id, choice)
}

/** The description, if it is here. @param {string} id */
export const recall = (id) => known.get(id)

/** Have the descriptions of these ids, as far as there are any. @param {string[]} ids */
export async function describe(ids) {
  await Promise.all(ids.filter((id) => !known.has(id)).map((id) => {
    if (!asked.has(id)) {
      waiting.add(id)
      next ??= Promise.resolve().then(ask)
      asked.set(id, next)
    }
    return asked.get(id)
  }))
}

async function ask() {
  const ids = [...waiting]
  waiting = new Set()
  next = null
  try {
    const query = new URLSearchParams({ ids: ids.join(',') })
    const { body } = await send('GET', `/studio/widgets/described?${query}`, { askToSignIn: false })
    for (const choice of Object.values(body.items)) known.set(choice.id, choice)
  } catch {
    // Their ids are shown instead; the next page may ask again.
    for (const id of ids) asked.delete(id)
  }
}
