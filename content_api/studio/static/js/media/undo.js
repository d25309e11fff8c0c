/** States that can be gone back to. Pure but for its own memory. */

/** @template T */
export class Steps {
  /** @param {T} state */
  constructor(state) {
    this.present = state
    /** @type {T[]} */
    this.past = []
    /** @type {T[]} */
    this.future = []
    this.kind = ''
  }

  /**
   * Keep the present to go back to. Steps of one `kind` in a row, as letters typed into one text,
   * are one. @param {T} state @param {string} [kind]
   */
  go(state, kind = '') {
    if (!kind || kind !== this.kind) this.past.push(this.present)
    if (this.past.length > 200) this.past.shift()
    this.kind = kind
    this.present = state
    this.future = []
  }

  /** @returns {boolean} whether there was something to undo */
  undo() {
    const before = this.past.pop()
    if (before === undefined) return false
    this.future.push(this.present)
    this.present = before
    this.kind = ''
    return true
  }

  /** @returns {boolean} whether there was something to do again */
  redo() {
    const after = this.future.pop()
    if (after === undefined) return false
    this.past.push(this.present)
    this.present = after
    this.kind = ''
    return true
  }
}
