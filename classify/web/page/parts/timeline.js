// When each label is seen: a lane a label with its curve and its moments; a click plays from there.

import { clock, h, percent, s } from "./dom.js";
import { mark } from "./labels.js";
import { lookOf } from "./state.js";

const MOST_LANES = 8;
const HOW = {
  exact: "Each curve is the label's probability at this moment, exact for this head.",
  attention: "Each curve is the label's probability at this moment, weighted by the head's attention.",
  occlusion: "Each curve is the label's probability at this moment, found by taking parts of the video out.",
};

export class Timeline {
  /**
   * @param video holds duration_s, timeline, moments and predicted.
   * @param player has seek(seconds, {play}).
   */
  constructor(video, player) {
    this.player = player;
    const { timeline, moments = [] } = video;
    this.duration = Math.max(video.duration_s || 0, ...(timeline?.timestamps_s ?? []), 0.1);
    const lanes = lanesOf(video).map((label) => this.lane(label, timeline, moments.filter((one) => one.label === label)));
    this.head = h("i", { class: "now", "aria-hidden": "true" });
    this.element = h(
      "section",
      { class: "timeline", "aria-label": "When each label is seen" },
      h("div", { class: "lanes" }, ...lanes, h("div", { class: "rule" }, h("span"), h("div", { class: "ticks" }, ...this.ticks(), this.head))),
      h("p", { class: "how" }, HOW[timeline?.how] ?? "", " Press a bar to play it."),
    );
  }

  lane(label, timeline, moments) {
    const place = timeline.labels.indexOf(label);
    const track = h("div", { class: "lane-track", onclick: (event) => this.onTrack(event, track) });
    if (place >= 0) track.append(curve(timeline.timestamps_s, timeline.scores[place], this.duration));
    for (const moment of moments) track.append(this.moment(moment));
    return h("div", { class: `lane ${lookOf(label)}` }, h("span", { class: "name" }, mark(label), h("span", {}, label)), track);
  }

  moment(moment) {
    const words = `${moment.label}, ${clock(moment.start_s)} to ${clock(moment.end_s)}, ${percent(moment.score)}: play`;
    const share = (seconds) => `${(100 * Math.min(1, Math.max(0, seconds / this.duration))).toFixed(2)}%`;
    return h("button", {
      type: "button",
      class: "moment",
      "aria-label": words,
      title: `${clock(moment.start_s)}–${clock(moment.end_s)}  best ${clock(moment.best_s)}  ${percent(moment.score)}`,
      "data-start": moment.start_s,
      vars: { "--from": share(moment.start_s), "--to": share(Math.max(moment.end_s, moment.start_s + this.duration / 100)) },
      onclick: (event) => (event.stopPropagation(), this.player.seek(moment.start_s, { play: true })),
    });
  }

  onTrack(event, track) {
    const place = track.getBoundingClientRect();
    this.player.seek(((event.clientX - place.left) / place.width) * this.duration, { play: true });
  }

  ticks() {
    const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
    const step = steps.find((one) => this.duration / one <= 8) ?? 7200;
    const places = Array.from({ length: Math.floor(this.duration / step) + 1 }, (_, index) => index * step);
    return places.map((at) => h("span", { vars: { "--at": `${(100 * at) / this.duration}%` } }, clock(at)));
  }

  /** Move the line that shows where the player is. */
  show(seconds) {
    this.head.style.setProperty("--at", `${(100 * Math.min(seconds, this.duration)) / this.duration}%`);
  }
}

/** The labels with lanes: those with moments, then those that the head gives, then the likeliest. */
function lanesOf({ timeline, moments = [], predicted = [] }) {
  if (!timeline) return [];
  const wanted = [...moments.map((one) => one.label), ...predicted.filter((one) => one.given).map((one) => one.label), ...predicted.slice(0, 4).map((one) => one.label)];
  const order = new Map(predicted.map((one, place) => [one.label, place]));
  return [...new Set(wanted)].sort((a, b) => (order.get(a) ?? 1e9) - (order.get(b) ?? 1e9)).slice(0, MOST_LANES);
}

function curve(timestamps, scores, duration) {
  const points = timestamps.map((at, place) => [(1000 * at) / duration, 100 - 96 * Math.min(1, Math.max(0, scores[place] ?? 0))]);
  if (!points.length) return "";
  const [first, last] = [points[0], points[points.length - 1]];
  const line = [[0, first[1]], ...points, [1000, last[1]]].map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
  return s(
    "svg",
    { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("path", { class: "area", d: `M0 100L${line}L1000 100Z` }),
    s("path", { class: "line", d: `M${line}` }),
  );
}
