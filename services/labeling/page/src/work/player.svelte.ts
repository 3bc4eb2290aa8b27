// Sound or video that plays: its time, its frame, and the stretch it stays in.
import { frameAt, timeOf } from '../model/track.ts'

const SPEEDS = [0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4, 8]
const SOUND_STEP_S = 0.1

export class Player {
  readonly fps: number // 0 for sound
  readonly length: number // seconds
  time = $state(0)
  playing = $state(false)
  speed = $state(1)
  within = $state.raw<{ start: number; end: number } | null>(null) // plays this over and over
  #media: HTMLMediaElement | null = null
  #stopAt = Infinity

  constructor(fps: number, length: number) {
    this.fps = fps
    this.length = length
  }

  get frame(): number {
    return this.fps ? Math.min(frameAt(this.time, this.fps), Math.max(0, Math.round(this.length * this.fps) - 1)) : 0
  }

  /** Follows a media element; gives what ends that. */
  attach(media: HTMLMediaElement): () => void {
    this.#media = media
    const state = (): void => void (this.playing = !media.paused && !media.ended)
    const listening = new AbortController()
    // a new link to the same sound or video: where it was, as fast as it was
    const again = (): void => {
      if (this.time > 0) media.currentTime = this.time
      media.playbackRate = this.speed
    }
    media.addEventListener('loadedmetadata', again, { signal: listening.signal })
    for (const name of ['play', 'pause', 'ended']) media.addEventListener(name, state, { signal: listening.signal })
    let request = requestAnimationFrame(this.#tick)
    if (media instanceof HTMLVideoElement && 'requestVideoFrameCallback' in media) {
      const exact = (_now: number, { mediaTime }: VideoFrameCallbackMetadata): void => {
        // the time of the picture that is on the screen, not of the clock
        if (!media.paused && this.fps) this.time = timeOf(frameAt(mediaTime, this.fps), this.fps)
        media.requestVideoFrameCallback(exact)
      }
      media.requestVideoFrameCallback(exact)
    }
    this.#next = () => (request = requestAnimationFrame(this.#tick))
    return () => {
      listening.abort()
      cancelAnimationFrame(request)
      media.pause()
      this.#media = null
    }
  }

  /** Fetches it anew from where it comes from. */
  reload(): void {
    this.#media?.load()
  }

  toggle(): void {
    this.#stopAt = Infinity
    if (this.playing) this.#media?.pause()
    else {
      if (this.time >= this.length - 0.05) this.seek(0)
      void this.#media?.play().catch(() => undefined) // a pause came first
    }
  }

  /** Plays a stretch once. */
  stretch(start: number, end: number): void {
    this.seek(start)
    this.#stopAt = end
    void this.#media?.play().catch(() => undefined)
  }

  seek(time: number): void {
    const at = Math.min(Math.max(time, 0), this.length)
    this.time = this.fps ? Math.min(timeOf(frameAt(at, this.fps), this.fps), Math.max(this.length - 0.5 / this.fps, 0)) : at
    if (this.#media) this.#media.currentTime = this.time
  }

  seekFrame(frame: number): void {
    if (this.fps) this.seek(timeOf(frame, this.fps))
  }

  /** One frame, or a tenth of a second of sound, at rest. */
  step(steps: number): void {
    this.#media?.pause()
    if (this.fps) this.seekFrame(Math.max(0, this.frame + steps))
    else this.seek(this.time + steps * SOUND_STEP_S)
  }

  faster(step: 1 | -1): void {
    const at = SPEEDS.indexOf(this.speed)
    this.speed = SPEEDS[Math.min(Math.max(at + step, 0), SPEEDS.length - 1)]!
    if (this.#media) this.#media.playbackRate = this.speed
  }

  #next = (): void => undefined

  #tick = (): void => {
    const media = this.#media
    if (!media) return
    if (!media.paused) {
      const exact = this.fps > 0 && 'requestVideoFrameCallback' in media
      if (!exact) this.time = media.currentTime
      if (media.currentTime >= this.#stopAt) {
        media.pause()
        this.#stopAt = Infinity
      }
      if (this.within && (media.currentTime >= this.within.end || media.currentTime < this.within.start - 0.2)) {
        media.currentTime = this.within.start
      }
    }
    this.#next()
  }
}
