/**
 * Reads the release that plays: `release.json`, `content/package.json` and the documents
 * of one language at a time, and answers questions about them. The rules of the format
 * that a player must keep are here: profiles, expiry, shards, fallback marks.
 */

import { localDay } from './text/dates.js'
import { plainText, readings } from './text/richtext.js'
import { makeDocument } from './text/search.js'

/**
 * @typedef {{tag: string, name: string, dir: 'ltr' | 'rtl', fallback?: string[]}} Language
 * @typedef {{package: string, channel: string, release: number, default_language: string,
 *   languages: Language[], profile: string, shell: 'kiosk' | 'web', device?: {name: string} | null,
 *   today?: string, content?: string, preview?: 'draft' | 'approved' | 'live'}} Release `today` is the day to
 *   take for today (`YYYY-MM-DD`), by default the device's own; `content` where the files of exactly this
 *   set are, by default `content/`, whose files change with the release
 * @typedef {Record<string, string>} LanguageMap
 * @typedef {{id: string, view: string, title: LanguageMap, summary?: LanguageMap, entries?: string[], sections?: Section[]}} Section
 * @typedef {{title: LanguageMap, summary?: LanguageMap, credits?: LanguageMap, theme?: {accent?: string, logo?: string, attract?: string[]},
 *   settings?: {idle_seconds?: number, warning_seconds?: number}, shards: Record<string, number[]>,
 *   shown?: Record<string, Span>, map?: {bounds?: [number, number, number, number], layers?: {asset: string, style: string}[]}, sections?: Section[]}} Package
 * @typedef {{from?: string, until?: string}} Span days as `YYYY-MM-DD`, both included
 * @typedef {{id: string, type: string, fields: Record<string, any>, in: Record<string, string>}} Entry
 * @typedef {{id: string, type: string, fields: Record<string, any>, in?: Record<string, string>}} Block
 * @typedef {{path: string, type: string, width?: number, height?: number, profiles?: string[]}} Rendition
 * @typedef {{path: string, type: string, language: string, kind: string}} Track
 * @typedef {{id: string, kind: string, type: string, width?: number, height?: number, duration?: number,
 *   fields: Record<string, any>, in: Record<string, string>, renditions: Rendition[], tracks?: Track[]}} Asset
 */

/** @param {string} path @returns {Promise<any>} */
async function readJson(path, options = {}) {
  const answer = await fetch(path, options)
  if (!answer.ok) throw new Error(`expected ${path}, got status ${answer.status}`)
  return answer.json()
}

/** What plays now. @returns {Promise<Release>} */
export const readRelease = () => readJson('./release.json', { cache: 'no-store' })

let base = 'content/'

/** The files of this release are meant from now on. @param {Release} release @returns {Promise<Package>} */
export function readPackage(release) {
  base = /^content\/[0-9a-f]{16}\/$/.test(release.content ?? '') ? String(release.content) : 'content/'
  return readJson(contentUrl('package.json'), { cache: 'no-cache' })
}

/** @param {string} path path in the manifest */
export const contentUrl = (path) => `./${base}${path.split('/').map(encodeURIComponent).join('/')}`

/**
 * The value of a language map for `language`, or the first there is.
 * @param {LanguageMap | undefined} map @param {string} language
 * @returns {{text: string, language: string}}
 */
export function pick(map, language) {
  const chosen = map?.[language] ? language : Object.keys(map ?? {})[0]
  return { text: (chosen && map?.[chosen]) || '', language: chosen ?? language }
}

/**
 * Whether the rights of an asset still run. They end as the day begins.
 * @param {Asset} asset @param {string} today `YYYY-MM-DD`
 */
export function isShowable(asset, today) {
  const expires = asset.fields?.rights?.expires
  return !(typeof expires === 'string' && expires <= today)
}

/**
 * Whether an entry with these days is shown. One without days always is.
 * @param {Span | undefined} span @param {string} today `YYYY-MM-DD`
 */
export const isInSeason = (span, today) => !(span && ((span.from ?? '') > today || (span.until ?? today) < today))

/**
 * Renditions this screen may use, smallest first.
 * @param {Asset} asset @param {string} profile
 */
export function renditionsFor(asset, profile) {
  return asset.renditions
    .filter((rendition) => !rendition.profiles || rendition.profiles.includes(profile))
    .sort((a, b) => (a.width ?? 0) - (b.width ?? 0))
}

/** Fields that are never a reference to another entry, whatever they say. */
const PLAIN_FIELDS = new Set(['title', 'term', 'reading', 'kind', 'sources', 'note', 'confidence', 'start', 'end', 'date'])

/** All that one language shows. */
export class Library {
  /**
   * @param {Language} language
   * @param {Release} release
   * @param {Package} pkg
   * @param {{types: Record<string, any>}} types
   * @param {{entries?: Record<string, Entry>, assets?: Record<string, Asset>}[]} shards
   */
  constructor(language, release, pkg, types, shards) {
    this.language = language
    this.release = release
    this.pkg = pkg
    this.types = types.types ?? {}
    this.today = release.today ?? localDay()
    /** @type {Map<string, Entry>} */
    this.entries = new Map()
    /** @type {Map<string, Asset>} */
    this.assets = new Map()
    for (const shard of shards) {
      for (const entry of Object.values(shard.entries ?? {})) {
        // as if the release did not have it: no list, map, search or reference leads there
        if (isInSeason(pkg.shown?.[entry.id], this.today)) this.entries.set(entry.id, entry)
      }
      for (const asset of Object.values(shard.assets ?? {})) {
        const held = (asset.tracks ?? []).filter((track) => release.languages.some(({ tag }) => tag === track.language))
        this.assets.set(asset.id, { ...asset, tracks: held })
      }
    }
    /** @type {Map<string, Set<string>> | null} */
    this.usedBy = null
    /** @type {import('./text/search.js').Document[] | null} */
    this.documents = null
    this.collator = new Intl.Collator(language.tag.startsWith('zh') ? 'zh-u-co-pinyin' : language.tag, { numeric: true })
  }

  /** @param {string} id */
  entry(id) {
    return this.entries.get(id)
  }

  /**
   * An asset that may be shown here and today.
   * @param {unknown} id
   * @returns {Asset | undefined}
   */
  asset(id) {
    const asset = this.assets.get(String(id))
    return asset && isShowable(asset, this.today) && renditionsFor(asset, this.release.profile).length ? asset : undefined
  }

  /** The name of an entry as rich text or string. @param {Entry} entry */
  titleNodes(entry) {
    return entry.fields.title ?? entry.fields.term ?? entry.id
  }

  /** @param {Entry} entry */
  title(entry) {
    return plainText(this.titleNodes(entry))
  }

  /** The language the name is really in. @param {Entry} entry */
  titleLanguage(entry) {
    return entry.in?.title ?? entry.in?.term ?? this.language.tag
  }

  /** @param {string} tag @returns {'ltr' | 'rtl' | 'auto'} */
  direction(tag) {
    return this.release.languages.find((language) => language.tag === tag)?.dir ?? (tag === this.language.tag ? this.language.dir : 'auto')
  }

  /** @param {Entry} entry for sorting: the reading where there is one */
  sortKey(entry) {
    const reading = plainText(entry.fields.reading)
    return reading || (this.language.tag === 'ja' ? readings(this.titleNodes(entry)) : this.title(entry))
  }

  /** @param {string} type @param {string} field */
  fieldLabel(type, field) {
    return String(this.types[type]?.fields?.[field]?.label ?? '')
  }

  /** @param {string} type @param {string} field @param {unknown} choice */
  choiceLabel(type, field, choice) {
    if (typeof choice !== 'string' || !choice) return ''
    return String(this.types[type]?.fields?.[field]?.choices?.[choice] ?? choice)
  }

  /** @param {string} type @param {number} count */
  typeLabel(type, count = 1) {
    return String((count > 1 ? this.types[type]?.plural : null) ?? this.types[type]?.label ?? type)
  }

  /** @param {Section} section @returns {Entry[]} */
  sectionEntries(section) {
    return (section.entries ?? []).flatMap((id) => this.entries.get(id) ?? [])
  }

  /** Every section, depth first. @returns {Section[]} */
  sections() {
    const walk = (/** @type {Section[]} */ sections) => sections.flatMap((section) => [section, ...walk(section.sections ?? [])])
    return walk(this.pkg.sections ?? [])
  }

  /** @param {string} id */
  section(id) {
    return this.sections().find((section) => section.id === id)
  }

  /** The first section that lists an entry. @param {string} id */
  sectionOf(id) {
    return this.sections().find((section) => section.entries?.includes(id))
  }

  /** Entries that refer to `id`. @param {string} id @returns {Entry[]} */
  referrers(id) {
    this.usedBy ??= this.#indexReferences()
    return [...(this.usedBy.get(id) ?? [])].flatMap((from) => this.entries.get(from) ?? [])
  }

  /** Entries that `entry` refers to, in order, each once. @param {Entry} entry @returns {Entry[]} */
  references(entry) {
    return [...new Set(this.#referencesIn(entry.type, entry.fields))].filter((id) => id !== entry.id).flatMap((id) => this.entries.get(id) ?? [])
  }

  #indexReferences() {
    /** @type {Map<string, Set<string>>} */
    const index = new Map()
    for (const entry of this.entries.values()) {
      for (const id of this.#referencesIn(entry.type, entry.fields)) {
        const users = index.get(id) ?? index.set(id, new Set()).get(id)
        if (id !== entry.id) users?.add(entry.id)
      }
    }
    return index
  }

  /** @param {string} type @param {Record<string, unknown>} fields @returns {string[]} */
  #referencesIn(type, fields) {
    return Object.entries(fields).flatMap(([name, value]) => {
      if (PLAIN_FIELDS.has(name) || this.types[type]?.fields?.[name]?.choices) return []
      if (typeof value === 'string') return this.entries.has(value) ? [value] : []
      if (!Array.isArray(value)) return []
      return value.flatMap((part) => {
        if (typeof part === 'string') return this.entries.has(part) ? [part] : []
        return part?.fields ? this.#referencesIn(part.type, part.fields) : []
      })
    })
  }

  /** The entry's picture: its own, or the first in its story. @param {Entry} entry @returns {Asset | undefined} */
  picture(entry) {
    const own = this.asset(entry.fields.image)
    if (own) return own
    for (const block of this.blocks(entry)) {
      for (const id of [block.fields.image, ...(block.fields.images ?? [])]) {
        const asset = id && this.asset(id)
        if (asset && asset.kind === 'image') return asset
      }
    }
    return undefined
  }

  /** All story blocks of an entry, whatever its fields are called. @param {Entry} entry @returns {Block[]} */
  blocks(entry) {
    return Object.values(entry.fields).flatMap((value) =>
      Array.isArray(value) ? value.filter((part) => part && typeof part === 'object' && part.fields && part.id) : [])
  }

  /** What search looks through, built once. */
  searchDocuments() {
    this.documents ??= [...this.entries.values()].map((entry) => this.#document(entry))
    return this.documents
  }

  /** @param {Entry} entry */
  #document(entry) {
    const body = this.#words(entry.type, entry.fields)
    const place = this.entries.get(entry.fields.place)
    return makeDocument({
      id: entry.id,
      type: entry.type,
      title: this.title(entry),
      // the id is the name in the source language: a visitor who heard it can type it
      names: [plainText(entry.fields.reading), readings(entry.fields.term), entry.id],
      body: [...body, place ? this.title(place) : ''].filter(Boolean),
      // codes and numbers are found, but make no sentence to show
      prose: body.filter((words) => words.length > 30 || /[。、]/.test(words)),
    })
  }

  /** @param {string} type @param {Record<string, unknown>} fields @returns {string[]} */
  #words(type, fields) {
    return Object.entries(fields).flatMap(([name, value]) => {
      if (['title', 'term', 'reading', 'sources', 'confidence'].includes(name)) return []
      if (this.types[type]?.fields?.[name]?.choices) {
        return [value].flat().map((choice) => this.choiceLabel(type, name, choice))
      }
      if (typeof value === 'string') return this.entries.has(value) || this.assets.has(value) ? [] : [value]
      if (!Array.isArray(value)) return []
      if (value.some((part) => part?.fields)) return value.flatMap((part) => this.#words(part.type, part.fields ?? {}))
      return value.some((part) => this.assets.has(part) || this.entries.has(part)) ? [] : [plainText(value)]
    })
  }
}

/** @type {Map<string, Promise<Library>>} */
const libraries = new Map()

/**
 * Read all documents of a language, once for each release.
 * @param {Language} language @param {Release} release @param {Package} pkg
 * @returns {Promise<Library>}
 */
export function loadLibrary(language, release, pkg) {
  const key = `${release.package} ${release.release} ${language.tag} ${release.today ?? localDay()}`
  let library = libraries.get(key)
  if (!library) {
    library = readLibrary(language, release, pkg)
    libraries.set(key, library)
    library.catch(() => libraries.delete(key))
  }
  return library
}

/** @param {Language} language @param {Release} release @param {Package} pkg */
async function readLibrary(language, release, pkg) {
  const folder = `lang/${language.tag.toLowerCase()}`
  const shards = (pkg.shards?.[language.tag] ?? []).map((number) => readJson(contentUrl(`${folder}/shard-${number}.json`)))
  const [types, ...documents] = await Promise.all([readJson(contentUrl(`${folder}/types.json`)), ...shards])
  return new Library(language, release, pkg, types, documents)
}
