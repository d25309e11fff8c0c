/** What becomes of unsaved work: what is said about it, and its copy on this computer. */

/** Milliseconds of rest before work is sent to be kept, and the most it waits while one types. */
export const KEEP_AFTER = 1500
export const KEEP_AT_LEAST = 5000

/** Milliseconds before trying again, after so many failures in a row. @param {number} failures */
export const retryAfter = (failures) => Math.min(30_000, 1000 * 2 ** Math.max(0, failures))

/**
 * @typedef {{dirty: boolean, saving: boolean, keeping: boolean, isKept: boolean, isLocal: boolean,
 *   trouble: '' | 'offline' | 'server' | 'signed-out' | 'refused' | 'conflict'}} Keeping
 */

/**
 * Which state is true now. `lost` is the one in which closing the page would lose something.
 * @param {Keeping} now
 */
export function stateOf(now) {
  if (now.saving) return 'saving'
  if (!now.dirty) return 'saved'
  if (now.trouble === 'offline' || now.trouble === 'server') return now.isLocal ? 'away' : 'lost'
  if (now.trouble === 'signed-out') return now.isLocal ? 'signed-out' : 'lost'
  if (now.trouble === 'refused') return now.isLocal ? 'local' : 'lost'
  if (now.isKept) return now.trouble === 'conflict' ? 'conflict' : 'kept'
  return now.keeping ? 'keeping' : 'unsaved'
}

/** Whether leaving the page loses what was typed. @param {Keeping} now */
export const wouldLose = (now) => now.dirty && !now.isKept && !now.isLocal

/**
 * The work on an entry that has not reached the server, in this browser.
 * @typedef {{rev: number, operations: any[], at: string}} Held
 */
export class LocalCopy {
  /** @param {string} person @param {string} entry @param {Storage} [storage] */
  constructor(person, entry, storage) {
    this.name = `lampisterie.unsaved.${person}.${entry}`
    this.storage = storage
  }

  /** @returns {Storage} */
  get place() {
    return this.storage ?? localStorage
  }

  /** @returns {Held | null} */
  read() {
    try {
      const found = JSON.parse(this.place.getItem(this.name) ?? 'null')
      return found && Array.isArray(found.operations) && found.operations.length ? found : null
    } catch {
      return null
    }
  }

  /** Whether it is kept now. @param {Held} held */
  write(held) {
    try {
      this.place.setItem(this.name, JSON.stringify(held))
      return true
    } catch {
      return false
    }
  }

  clear() {
    try {
      this.place.removeItem(this.name)
    } catch {
      // A browser that keeps nothing has nothing to forget.
    }
  }
}
