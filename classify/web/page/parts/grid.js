// A grid of videos that holds only the cards in sight: 10,000 videos scroll like 50.
//
// A source answers {total, videos} for (offset, limit). Cards lie at fixed heights, so that a scroll position is a row.

import { frameUrl } from "./api.js";
import { announce, clock, counted, folderOf, h, nameOf, onceAFrame, percent } from "./dom.js";
import { areAtOdds, labelOfKey, opinions } from "./labels.js";
import { listen, toggle } from "./state.js";

const PAGE = 60; // videos a request
const ROWS_AHEAD = 2; // rows above and below the window
const GAP = 16;
const LEAST_WIDTH = 220;
const BELOW_POSTER = 92;
const PREVIEWS = 8; // moments of a hover preview

export class VideoGrid {
  /**
   * @param scroller the element that scrolls.
   * @param source async (offset, limit, signal) -> {total, videos}.
   * @param onOpen called with a video (and its hit's moment) when one is opened.
   * @param onSelect called when the selection changes.
   */
  constructor(scroller, { source, onOpen, onSelect = () => {}, onLoad = () => {} }) {
    Object.assign(this, { scroller, source, onOpen, onSelect, onLoad });
    this.videos = new Map(); // place -> video
    this.asked = new Set(); // pages under way
    this.cards = new Map(); // place -> element
    this.selected = new Map(); // id -> video
    this.total = 0;
    this.focused = 0;
    this.anchor = 0;
    this.stopping = new AbortController();
    this.element = h("div", { class: "grid", role: "list", "aria-label": "Videos" });
    this.draw = onceAFrame(() => this.lay());
    scroller.addEventListener("scroll", this.draw, { passive: true, signal: this.stopping.signal });
    this.observer = new ResizeObserver(this.draw);
    this.observer.observe(this.element);
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    this.unlisten = listen("corrected", (humans) => this.takeCorrections(humans));
  }

  close() {
    this.stopping.abort();
    this.observer.disconnect();
    this.unlisten();
  }

  /** Ask for the first videos. Resolves to how many there are in all. */
  async load() {
    const { total, videos } = await this.source(0, PAGE, this.stopping.signal);
    this.total = total;
    videos.forEach((video, place) => this.videos.set(place, video));
    this.draw();
    this.onLoad(total);
    return total;
  }

  async ask(page) {
    if (this.asked.has(page)) return;
    this.asked.add(page);
    try {
      const { videos } = await this.source(page * PAGE, PAGE, this.stopping.signal);
      this.put(videos.map((video, index) => [page * PAGE + index, video]));
    } catch (error) {
      this.asked.delete(page); // the next scroll asks again
      if (error.name !== "AbortError") announce(error.message);
    }
  }

  /** Take videos that have come or changed, and draw their cards anew. The focus stays where it was. */
  put(entries) {
    let focused = null;
    for (const [place, video] of entries) {
      this.videos.set(place, video);
      const card = this.cards.get(place);
      if (card?.contains(document.activeElement)) focused = [place, document.activeElement.tagName.toLowerCase()];
      card?.remove();
      this.cards.delete(place);
    }
    this.lay();
    if (focused) this.cards.get(focused[0])?.querySelector(focused[1])?.focus({ preventScroll: true });
  }

  measure() {
    const width = this.element.clientWidth;
    const columns = Math.max(width < 480 ? 2 : 1, Math.floor((width + GAP) / (LEAST_WIDTH + GAP)));
    const gap = width < 480 ? 12 : GAP;
    const side = (width - gap * (columns - 1)) / columns;
    const height = Math.round((side * 9) / 16) + BELOW_POSTER + gap;
    return { columns, side, height, gap };
  }

  lay() {
    if (!this.element.isConnected) return;
    const { columns, side, height, gap } = this.measure();
    this.columns = columns;
    const rows = Math.ceil(this.total / columns);
    this.element.style.height = `${Math.max(0, rows * height - gap)}px`;
    const above = this.scroller.getBoundingClientRect().top - this.element.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(above / height) - ROWS_AHEAD) * columns;
    const rowsInSight = Math.ceil(this.scroller.clientHeight / height) + 2 * ROWS_AHEAD + 1;
    const last = Math.min(this.total, first + rowsInSight * columns);
    this.drop(first, last);
    for (let place = first; place < last; place++) {
      const card = this.cards.get(place) ?? this.add(place);
      const [x, y] = [(place % columns) * (side + gap), Math.floor(place / columns) * height];
      card.style.transform = `translate(${x}px, ${y}px)`;
      card.style.width = `${side}px`;
      card.style.height = `${height - gap}px`;
    }
  }

  drop(first, last) {
    for (const [place, card] of this.cards) {
      if (place >= first && place < last) continue;
      if (card.contains(document.activeElement)) continue; // focus never falls off the page
      card.remove();
      this.cards.delete(place);
    }
  }

  add(place) {
    const video = this.videos.get(place);
    const card = video ? this.card(video, place) : h("div", { class: "card waiting", role: "listitem" }, h("div", { class: "poster" }));
    if (!video) this.ask(Math.floor(place / PAGE));
    this.cards.set(place, card);
    const next = [...this.cards.keys()].filter((other) => other > place).sort((a, b) => a - b)[0];
    this.element.insertBefore(card, next === undefined ? null : this.cards.get(next)); // Tab goes in reading order
    return card;
  }

  card(video, place) {
    const isOn = this.selected.has(video.id);
    const hit = video.hit;
    const at = hit ? hit.best_s : (video.duration_s ?? 0) / 2;
    const poster = h("img", { alt: "", loading: "lazy", decoding: "async", src: frameUrl(video.id, at, 320), width: 320, height: 180 });
    poster.addEventListener("error", () => poster.parentElement?.classList.add("gone"));
    const link = h(
      "a",
      {
        class: "open",
        href: `/?video=${encodeURIComponent(video.id)}${hit ? `&t=${hit.best_s.toFixed(1)}` : ""}`,
        tabindex: place === this.focused ? 0 : -1,
        "data-place": place,
        onclick: (event) => this.onClick(event, place),
      },
      h("span", { class: "title" }, nameOf(video.id)),
    );
    const box = h("input", { type: "checkbox", tabindex: -1, checked: isOn, "aria-label": `Select ${nameOf(video.id)}` });
    box.addEventListener("click", (event) => (event.stopPropagation(), this.choose(place, { isRange: event.shiftKey })));
    const span = hit && `${clock(hit.start_s)}–${clock(hit.end_s)}`;
    return h(
      "article",
      {
        class: `card${isOn ? " selected" : ""}`,
        role: "listitem",
        "aria-setsize": this.total,
        "aria-posinset": place + 1,
        onpointermove: (event) => scrub(event, video, poster),
        onpointerleave: () => endScrub(poster, video, at),
      },
      h(
        "div",
        { class: "poster" },
        poster,
        h("i", { class: "playhead", "aria-hidden": "true" }),
        h("span", { class: "badge" }, span ?? clock(video.duration_s)),
        hit && h("span", { class: "badge score" }, hit.score.toFixed(2)),
        areAtOdds(video) && h("span", { class: "badge odds", title: "A person and the head disagree" }, "≠"),
      ),
      h("label", { class: "tick" }, box),
      link,
      h("span", { class: "folder" }, folderOf(video.id) || " ", video.doubt != null && h("span", {}, `doubt ${percent(video.doubt)}`)),
      opinions(video),
    );
  }

  onClick(event, place) {
    if (event.metaKey || event.button === 1) return;
    event.preventDefault();
    if (event.shiftKey || event.ctrlKey) return this.choose(place, { isRange: event.shiftKey });
    this.focused = place;
    this.onOpen(this.videos.get(place), place);
  }

  /** Select or unselect a video, or with `isRange` all from the last one to it. */
  choose(place, { isRange = false } = {}) {
    const [from, to] = isRange ? [Math.min(this.anchor, place), Math.max(this.anchor, place)] : [place, place];
    const isOn = isRange || !this.selected.has(this.videos.get(place)?.id);
    for (let one = from; one <= to; one++) {
      const video = this.videos.get(one);
      if (video && isOn) this.selected.set(video.id, video);
      else if (video) this.selected.delete(video.id);
    }
    this.anchor = place;
    this.showSelection();
  }

  /** Select every video of the list, also those that are not loaded yet. */
  async chooseAll() {
    const most = 500;
    for (let offset = 0; offset < this.total; offset += most) {
      const { videos } = await this.source(offset, most, this.stopping.signal);
      videos.forEach((video) => this.selected.set(video.id, video));
    }
    this.showSelection();
  }

  clear() {
    this.selected.clear();
    this.showSelection();
  }

  showSelection() {
    for (const [place, card] of this.cards) {
      const isOn = this.selected.has(this.videos.get(place)?.id);
      card.classList.toggle("selected", isOn);
      const box = card.querySelector("input");
      if (box) box.checked = isOn;
    }
    announce(this.selected.size ? `${counted(this.selected.size, "video")} selected` : "Nothing selected");
    this.onSelect([...this.selected.values()]);
  }

  /** The videos that a key labels: the selected ones, else the one with the focus. */
  chosen() {
    if (this.selected.size) return [...this.selected.values()];
    const video = this.videos.get(this.focused);
    return video && this.cards.get(this.focused)?.contains(document.activeElement) ? [video] : [];
  }

  takeCorrections(humans) {
    const corrected = [...this.videos].filter(([, video]) => humans.has(video.id));
    this.put(corrected.map(([place, video]) => [place, { ...video, human: humans.get(video.id) }]));
    for (const [id, video] of this.selected) if (humans.has(id)) this.selected.set(id, { ...video, human: humans.get(id) });
    this.onSelect([...this.selected.values()]);
  }

  focus(place) {
    const target = Math.min(Math.max(0, place), this.total - 1);
    this.cards.get(this.focused)?.querySelector(".open")?.setAttribute("tabindex", "-1");
    this.focused = target;
    const { columns, height } = this.measure();
    const top = Math.floor(target / columns) * height + this.element.offsetTop - this.scroller.offsetTop;
    const room = this.scroller.clientHeight - height;
    if (top < this.scroller.scrollTop + 120) this.scroller.scrollTop = top - 120;
    else if (top > this.scroller.scrollTop + room - 80) this.scroller.scrollTop = top - room + 80;
    this.lay();
    const link = this.cards.get(target)?.querySelector(".open");
    link?.setAttribute("tabindex", "0");
    link?.focus({ preventScroll: true });
  }

  onKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns }[event.key];
    const place = { Home: 0, End: this.total - 1 }[event.key] ?? (step && this.focused + step);
    if (place !== undefined && !event.ctrlKey && !event.altKey) {
      event.preventDefault();
      if (place >= 0 && place < this.total) this.focus(place);
      if (event.shiftKey) this.choose(this.focused, { isRange: true });
    } else if (event.key === " " || event.key === "x") {
      event.preventDefault();
      event.stopPropagation();
      this.choose(this.focused);
    }
  }

  /** Label what is chosen by a key 1-9. Returns whether the key was one. */
  takeLabelKey(event) {
    const label = labelOfKey(event);
    const videos = label === null ? [] : this.chosen();
    if (videos.length) toggle(videos, label);
    return videos.length > 0;
  }
}

/** Show the frame of a video that lies under the pointer, as a share of the poster's width. */
function scrub(event, video, poster) {
  if (event.pointerType === "touch" || !video.duration_s) return;
  const place = poster.parentElement.getBoundingClientRect();
  const share = Math.min(0.999, Math.max(0, (event.clientX - place.left) / place.width));
  const moment = (Math.floor(share * PREVIEWS) + 0.5) / PREVIEWS;
  poster.parentElement.style.setProperty("--at", String(moment));
  poster.parentElement.classList.add("previewing");
  const url = frameUrl(video.id, moment * video.duration_s, 320);
  if (poster.dataset.wanted === url) return;
  poster.dataset.wanted = url;
  const next = new Image();
  next.onload = () => poster.dataset.wanted === url && (poster.src = url);
  next.src = url;
}

function endScrub(poster, video, at) {
  poster.parentElement.classList.remove("previewing");
  if (!poster.dataset.wanted) return;
  delete poster.dataset.wanted;
  poster.src = frameUrl(video.id, at, 320);
}

/** A plain, short grid of search hits, for places that need no scrolling. */
export function hitCards(hits, onOpen) {
  const card = (hit) =>
    h(
      "li",
      { class: "hit" },
      h(
        "a",
        {
          href: `/?video=${encodeURIComponent(hit.id)}&t=${hit.best_s.toFixed(1)}`,
          onclick: (event) => (event.preventDefault(), onOpen(hit)),
        },
        h("span", { class: "poster" }, h("img", { src: frameUrl(hit.id, hit.best_s, 320), alt: "", loading: "lazy", width: 320, height: 180 }), h("span", { class: "badge" }, `${clock(hit.start_s)}–${clock(hit.end_s)}`)),
        h("span", { class: "title" }, nameOf(hit.id)),
        h("span", { class: "folder" }, folderOf(hit.id), h("span", {}, hit.score.toFixed(2))),
      ),
    );
  return h("ul", { class: "hits" }, ...hits.map(card));
}

