// A player with keys: J/K/L, space, arrows, speed. Where the browser cannot play a file, the server's frames are shown.

import { frameUrl } from "./api.js";
import { announce, clock, h, icon, set } from "./dom.js";

const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4];
const SLIDE_FPS = 4; // frames a second where the browser cannot play the file

export class Player {
  /**
   * @param source {url, id, duration_s, name}; `id` is null for a file that is not in the store.
   * @param onTime called with the seconds that are shown.
   */
  constructor({ url, id = null, duration_s = 0, name }, { at = 0, onTime = () => {} } = {}) {
    Object.assign(this, { id, duration: duration_s ?? 0, onTime, at, speed: 1, isSlides: false, direction: 0 });
    const video = h("video", { src: url, preload: "metadata", playsinline: true, "aria-label": name, tabindex: -1 });
    if (id) video.poster = frameUrl(id, at, 960);
    this.video = video;
    this.slide = h("img", { class: "slide", alt: "", hidden: true });
    this.button = h("button", { type: "button", class: "icon", "aria-label": "Play", onclick: () => this.toggle() }, icon("play"));
    this.bar = h("input", { type: "range", min: 0, max: this.duration || 1, step: 0.01, value: at, "aria-label": "Position", oninput: () => this.seek(Number(this.bar.value)) });
    this.time = h("span", { class: "time" });
    this.rate = h("select", { "aria-label": "Speed", onchange: () => this.setSpeed(Number(this.rate.value)) }, ...SPEEDS.map((one) => h("option", { value: one }, `${one}×`)));
    this.note = h("p", { class: "note", hidden: true });
    this.element = h(
      "div",
      { class: "player" },
      h("div", { class: "stage" }, video, this.slide, this.note),
      h("div", { class: "controls" }, this.button, this.bar, this.time, this.rate),
    );
    this.rate.value = "1";
    this.hear();
    this.show(at);
  }

  hear() {
    const { video } = this;
    video.addEventListener("loadedmetadata", () => {
      if (Number.isFinite(video.duration)) this.duration = video.duration;
      this.bar.max = this.duration;
      if (this.at) video.currentTime = this.at;
      this.show(this.at);
    });
    video.addEventListener("timeupdate", () => this.show(video.currentTime));
    video.addEventListener("play", () => (this.showState(), this.tick()));
    video.addEventListener("pause", () => this.showState());
    video.addEventListener("error", () => this.toSlides());
    video.addEventListener("click", () => this.toggle());
  }

  /** Show frames from the server in place of a file that the browser cannot play. */
  toSlides() {
    if (this.isSlides) return;
    this.isSlides = true;
    this.video.hidden = true;
    this.note.hidden = false;
    const tail = this.id ? "The page shows single frames instead." : "Its labels and times hold all the same.";
    this.note.textContent = `This browser cannot play the file's format. ${tail}`;
    this.slide.hidden = !this.id;
    this.show(this.at, { isNew: true });
  }

  show(seconds, { isNew = false } = {}) {
    const hasMoved = seconds !== this.at;
    this.at = seconds;
    this.bar.value = seconds;
    this.bar.setAttribute("aria-valuetext", `${clock(seconds)} of ${clock(this.duration)}`);
    this.bar.style.setProperty("--share", String(this.duration ? seconds / this.duration : 0));
    this.time.textContent = `${clock(seconds)} / ${clock(this.duration)}`;
    if (this.isSlides && this.id && (hasMoved || isNew)) this.slide.src = frameUrl(this.id, seconds, 960);
    this.onTime(seconds);
  }

  showState() {
    this.button.replaceChildren(icon(this.isPlaying ? "pause" : "play"));
    set(this.button, { "aria-label": this.isPlaying ? "Pause" : "Play" });
  }

  /** Follow the time smoothly while it plays: "timeupdate" comes four times a second. */
  tick() {
    if (this.video.paused || this.isSlides || !this.element.isConnected) return;
    this.show(this.video.currentTime);
    requestAnimationFrame(() => this.tick());
  }

  get isPlaying() {
    return this.direction !== 0 || (!this.isSlides && !this.video.paused);
  }

  play() {
    if (this.isSlides) return this.move(1);
    this.stopMoving();
    return this.video.play().catch((error) => error.name === "NotSupportedError" && this.toSlides());
  }

  pause() {
    this.stopMoving();
    this.video.pause();
  }

  toggle() {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  seek(seconds, { play = false } = {}) {
    const target = Math.min(Math.max(0, seconds), Math.max(0, this.duration - 0.02) || seconds);
    if (!this.isSlides && this.video.readyState > 0) this.video.currentTime = target;
    this.show(target);
    if (play) this.play();
  }

  setSpeed(speed) {
    this.speed = Math.min(4, Math.max(0.25, speed));
    this.video.playbackRate = this.speed;
    this.rate.value = String(this.speed);
    announce(`Speed ${this.speed}`);
  }

  faster(step) {
    const place = SPEEDS.indexOf(this.speed);
    this.setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, place + step))]);
  }

  /** Step through time without the browser's playing: backwards (J), or slides. */
  move(direction) {
    this.video.pause();
    clearInterval(this.moving);
    this.direction = direction;
    const step = () => {
      const next = this.at + (direction * this.speed) / SLIDE_FPS;
      if (!this.element.isConnected || next < 0 || next >= this.duration) return this.pause();
      this.seek(next);
    };
    this.moving = setInterval(step, 1000 / SLIDE_FPS);
    this.showState();
  }

  stopMoving() {
    clearInterval(this.moving);
    this.direction = 0;
    this.showState();
  }

  /** Take a key. Returns whether it was one of the player's. */
  takeKey(event) {
    const keys = {
      " ": () => this.toggle(),
      k: () => this.pause(),
      j: () => (this.direction < 0 ? this.faster(1) : this.move(-1)),
      l: () => (this.isPlaying && this.direction >= 0 ? this.faster(1) : this.play()),
      ArrowLeft: () => this.seek(this.at - (event.shiftKey ? 5 : 1)),
      ArrowRight: () => this.seek(this.at + (event.shiftKey ? 5 : 1)),
      ",": () => this.seek(this.at - 1 / 25),
      ".": () => this.seek(this.at + 1 / 25),
      "[": () => this.faster(-1),
      "]": () => this.faster(1),
    };
    const run = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
    if (!run) return false;
    event.preventDefault();
    run();
    return true;
  }
}
