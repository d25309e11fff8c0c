/** Sound and film with our own controls: large, named, operable by keys, never mirrored. */

import { h, icon } from '../dom.js'
import { text } from '../context.js'
import { contentUrl, renditionsFor } from '../release.js'
import { preferences } from '../preferences.js'
import { plainText } from '../text/richtext.js'
import { captionOf, largest } from './picture.js'

/** Whether a visitor is listening or watching. */
export const isMediaPlaying = () => [...document.querySelectorAll('audio, video')].some((media) => {
  const { paused, ended } = /** @type {HTMLMediaElement} */ (media)
  return !paused && !ended
})

/** Minutes and seconds. @param {number} seconds */
export function clockTime(seconds) {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds)) : 0
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}

/**
 * Which track to show: this language's, or the nearest that the device holds.
 * @param {import('../release.js').Track[]} tracks @param {import('../release.js').Language} language
 */
export function chooseTrack(tracks, language) {
  for (const tag of [language.tag, ...(language.fallback ?? [])]) {
    const track = tracks.find((candidate) => candidate.language === tag)
    if (track) return track
  }
  return tracks[0]
}

/**
 * @param {import('../context.js').Context} context
 * @param {import('../release.js').Asset} asset
 */
export function mediaPlayer(context, asset) {
  const { t, library } = context
  const film = asset.kind === 'video'
  // Nothing before play: a page left while Chromium reads ahead would cut a request off, and a
  // long page of films would hold one decoder for each.
  const media = /** @type {HTMLMediaElement} */ (h(film ? 'video.media__film' : 'audio', { preload: 'none', playsinline: film, 'data-asset': asset.id }))
  const poster = film && library.asset(asset.fields.poster)
  if (poster) {
    const still = largest(context, poster)
    if (still) media.setAttribute('poster', contentUrl(still.path))
  }
  const files = renditionsFor(asset, context.release.profile).filter(({ type }) => /^(audio|video)\//.test(type))
  const file = [...files].reverse().find(({ type }) => media.canPlayType(type)) ?? files[files.length - 1]
  if (file) media.src = contentUrl(file.path)

  const tracks = asset.tracks ?? []
  const chosen = chooseTrack(tracks, library.language)
  for (const track of tracks) {
    media.append(h('track', { kind: track.kind || 'subtitles', srclang: track.language, label: nameOf(context, track.language), src: contentUrl(track.path), default: track === chosen }))
  }
  const captions = tracks.length > 0
  const cueText = h('p.media__cue', { hidden: film, lang: chosen?.language, dir: chosen ? library.direction(chosen.language) : null })
  const showCaptions = () => {
    tracks.forEach((track, index) => {
      const list = media.textTracks[index]
      if (!list) return
      list.mode = track !== chosen || preferences.captions === 'off' ? 'disabled' : film ? 'showing' : 'hidden'
      if (!film && track === chosen) list.oncuechange = () => cueText.replaceChildren([...(list.activeCues ?? [])].map((cue) => plainCue(cue)).join('\n'))
    })
    if (preferences.captions === 'off') cueText.replaceChildren()
    captionButton.setAttribute('aria-pressed', String(preferences.captions === 'on'))
  }

  const playButton = h('button.round.round--accent.media__play', { type: 'button', onclick: () => (media.paused ? media.play().catch(() => announceFault()) : media.pause()) })
  const captionButton = h('button.round.media__captions', {
    type: 'button', hidden: !captions, 'aria-label': t('captions'), 'aria-pressed': 'true',
    onclick: () => {
      preferences.captions = preferences.captions === 'on' ? 'off' : 'on'
      showCaptions()
    },
  }, icon('captions'))
  const seek = /** @type {HTMLInputElement} */ (h('input.media__seek', { type: 'range', min: 0, max: Math.max(1, Math.floor(asset.duration ?? 1)), step: 1, value: 0, 'aria-label': t('position') }))
  const volume = /** @type {HTMLInputElement} */ (h('input.media__volume', { type: 'range', min: 0, max: 1, step: 0.1, value: 1, 'aria-label': t('volume') }))
  const clock = h('span.media__clock')
  const announceFault = () => context.announce(t('damaged'))

  const paint = () => {
    const total = Number.isFinite(media.duration) ? media.duration : asset.duration ?? 0
    seek.max = String(Math.max(1, Math.floor(total)))
    seek.value = String(Math.floor(media.currentTime))
    seek.style.setProperty('--done', `${total ? (media.currentTime / total) * 100 : 0}%`)
    const words = `${clockTime(media.currentTime)} / ${clockTime(total)}`
    seek.setAttribute('aria-valuetext', words)
    clock.textContent = words
    playButton.replaceChildren(icon(media.paused ? 'play' : 'pause'))
    playButton.setAttribute('aria-label', media.paused ? t('play') : t('pause'))
  }
  seek.addEventListener('input', () => { media.currentTime = Number(seek.value) })
  volume.addEventListener('input', () => { media.volume = Number(volume.value) })
  for (const name of ['play', 'pause', 'timeupdate', 'loadedmetadata', 'ended']) media.addEventListener(name, paint)
  media.addEventListener('play', () => {
    for (const other of document.querySelectorAll('audio, video')) if (other !== media) /** @type {HTMLMediaElement} */ (other).pause()
  })
  context.onLeave(() => {
    // Chromium keeps decoders and buffers of a removed element until its source goes
    media.pause()
    media.removeAttribute('src')
    media.replaceChildren()
    media.load()
  })
  paint()
  showCaptions()
  const transcript = text(context, asset, 'transcript')
  return h('figure.figure.media', { class: film ? 'media--film' : 'media--sound', 'data-anchor': `asset-${asset.id}`, role: 'group', 'aria-label': plainText(asset.fields.alt) || plainText(asset.fields.caption) || t(film ? 'film' : 'sound') },
    media, cueText,
    h('div.media__bar', { dir: 'ltr' }, playButton, seek, clock, captionButton, volume),
    captionOf(context, asset),
    transcript && h('details.fold', null, h('summary', null, t('transcript')), transcript))
}

/** @param {import('../context.js').Context} context @param {string} tag */
const nameOf = (context, tag) => context.release.languages.find((language) => language.tag === tag)?.name ?? tag

/** The words of a cue without its markup. @param {TextTrackCue} cue */
const plainCue = (cue) => /** @type {VTTCue} */ (cue).getCueAsHTML().textContent ?? ''
