// Tag videos: drop them, watch them upload and embed, then read labels, moments and what is alike.

import { predict } from "../parts/api.js";
import { announce, clock, counted, h, icon, megabytes, set } from "../parts/dom.js";
import { hitCards } from "../parts/grid.js";
import { bars, predictedChip } from "../parts/labels.js";
import { Player } from "../parts/player.js";
import { listen, predictedFor, state } from "../parts/state.js";
import { Timeline } from "../parts/timeline.js";
import { linkTo } from "./video.js";

const MOST_TURNS = 60; // how often a busy server is asked again
const AT_ONCE = 2; // uploads under way; the server has a queue of its own
const ENDS = new Set(["done", "failed", "stopped"]);

export default function tagScreen(root, params, { go, kept }) {
  const queue = kept.get("queue") ?? new Queue();
  kept.set("queue", queue);
  queue.go = go;
  const picker = h("input", { type: "file", multiple: true, accept: "video/*,.mkv,.avi,.mov,.webm,.mp4,.m4v", class: "hidden", id: "picker", onchange: () => (queue.add([...picker.files]), (picker.value = "")) });
  const limits = h("p", { class: "quiet" });
  const showLimits = () => (limits.textContent = limitWords(state.status?.limits));
  const drop = h(
    "label",
    { class: "drop", for: "picker" },
    icon("upload"),
    h("strong", {}, "Drop videos here"),
    h("span", {}, "or ", h("u", {}, "choose files")),
    limits,
  );
  root.replaceChildren(h("div", { class: "tag-screen" }, h("h1", {}, "Tag videos"), h("p", { class: "lead" }, "A video is decoded, embedded and labelled on this machine, then forgotten."), picker, drop, queue.element));
  showLimits();
  const stop = listen("status", showLimits);
  const dropped = kept.get("dropped");
  kept.delete("dropped");
  if (dropped) queue.add(dropped);
  queue.showPlayers();
  return { title: "Tag videos", close: () => (stop(), queue.pause()), takeKey: (event) => queue.takeKey(event) };
}

function limitWords(limits) {
  if (!limits) return "";
  const parts = [];
  if (limits.upload_bytes) parts.push(`up to ${megabytes(limits.upload_bytes)}`);
  if (limits.duration_s) parts.push(`${clock(limits.duration_s)} long`);
  return parts.length ? `Each ${parts.join(" and ")}.` : "";
}

/** What was dropped. It outlives the screen, so that somebody may look at the collection meanwhile. */
class Queue {
  constructor() {
    this.items = [];
    this.element = h("ol", { class: "uploads", "aria-label": "Videos" });
  }

  add(files) {
    const most = state.status?.limits?.upload_bytes ?? Infinity;
    for (const file of files) {
      const item = new Upload(file, this);
      this.items.unshift(item);
      this.element.prepend(item.element);
      if (file.size > most) item.fail(`${file.name} has ${megabytes(file.size)}, but the server takes ${megabytes(most)}. Cut it, or start serve-videos with a larger limit.`);
      else if (file.size === 0) item.fail(`${file.name} is empty. Choose another file.`);
    }
    announce(`${counted(files.length, "video")} added`);
    this.next();
  }

  next() {
    const running = this.items.filter((item) => item.state === "running").length;
    const waiting = this.items.filter((item) => item.state === "waiting").reverse();
    waiting.slice(0, AT_ONCE - running).forEach((item) => item.run().finally(() => this.next()));
  }

  remove(item) {
    this.items = this.items.filter((other) => other !== item);
    item.element.remove();
  }

  pause() {
    this.items.forEach((item) => item.player?.pause());
  }

  showPlayers() {
    this.items.forEach((item) => item.player?.show(item.player.at));
  }

  takeKey(event) {
    const focused = this.items.find((item) => item.element.contains(document.activeElement)) ?? this.items.find((item) => item.player);
    return focused?.player?.takeKey(event) ?? false;
  }
}

class Upload {
  constructor(file, queue) {
    Object.assign(this, { file, queue, state: "waiting", turns: 0 });
    this.stopping = new AbortController();
    this.words = h("span", { class: "stage-words" }, "waiting");
    this.progress = h("progress", { max: 1, value: 0, "aria-label": `Progress of ${file.name}` });
    this.stop = h("button", { type: "button", class: "icon", "aria-label": `Stop ${file.name}`, onclick: () => this.leave() }, icon("close"));
    this.body = h("div", { class: "upload-body" });
    this.element = h(
      "li",
      { class: "upload waiting" },
      h("header", {}, h("div", { class: "upload-name" }, h("strong", {}, file.name), h("span", { class: "quiet" }, megabytes(file.size))), this.words, this.stop),
      this.progress,
      this.body,
    );
  }

  leave() {
    if (ENDS.has(this.state)) return this.queue.remove(this);
    this.stopping.abort();
    this.say("stopped", "stopped");
  }

  say(state, words, share) {
    this.state = state;
    this.element.className = `upload ${state}`;
    if (this.words.textContent !== words) this.words.textContent = words;
    if (share === null) this.progress.removeAttribute("value");
    else if (share !== undefined) this.progress.value = share;
    set(this.progress, { hidden: ENDS.has(state) });
    if (ENDS.has(state)) this.stop.setAttribute("aria-label", `Remove ${this.file.name}`);
  }

  fail(message) {
    this.say("failed", "not tagged");
    const again = h("button", { type: "button", onclick: () => this.again() }, "Try again");
    this.body.replaceChildren(h("p", { class: "wrong", role: "alert" }, message), again);
  }

  again() {
    this.stopping = new AbortController();
    this.turns = 0;
    this.body.replaceChildren();
    this.say("waiting", "waiting", 0);
    this.queue.next();
  }

  async run() {
    this.say("running", "uploading", 0);
    try {
      const end = await predict(this.file, {
        signal: this.stopping.signal,
        onProgress: (share) => this.say("running", `uploading ${Math.round(100 * share)}%`, 0.3 * share),
        onSnapshot: (snapshot) => this.follow(snapshot),
      });
      const [file] = end.files ?? [];
      if (file?.result) this.finish(file.result);
      else this.fail(file?.error?.message ?? end.error?.message ?? "The server gave no labels. Try again.");
    } catch (error) {
      if (error.name === "AbortError") this.say("stopped", "stopped");
      else if (error.isBusy && ++this.turns < MOST_TURNS) await this.comeBack(error);
      else this.fail(error.message);
    }
  }

  /** Ask a busy server again after the time that it names. */
  async comeBack(error) {
    this.say("running", "waiting for the server", null);
    const seconds = Math.min(30, error.retryAfter || 2);
    await new Promise((done) => {
      const timer = setTimeout(done, 1000 * seconds);
      this.stopping.signal.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
    });
    if (this.state === "running") await this.run();
  }

  follow({ state, ahead, files = [] }) {
    if (this.state !== "running") return;
    const [file] = files;
    const share = file?.total ? file.done / file.total : null;
    if (state === "queued") this.say("running", ahead ? `${counted(ahead, "video")} before it` : "next in line", 0.3);
    else if (file?.state === "decoding") this.say("running", file.total ? `decoding ${file.done} of ${file.total} frames` : "decoding", 0.3 + 0.4 * (share ?? 0));
    else if (file?.state === "encoding") this.say("running", "embedding", 0.7 + 0.25 * (share ?? 0));
  }

  finish(result) {
    this.say("done", "tagged", 1);
    const video = { ...result, id: result.id ?? null };
    let timeline = null;
    this.player = new Player({ url: URL.createObjectURL(this.file), duration_s: video.duration_s, name: this.file.name }, { onTime: (at) => timeline?.show(at) });
    timeline = new Timeline(video, this.player);
    const labels = predictedFor(video);
    this.body.replaceChildren(
      h("div", { class: "watch" }, this.player.element, timeline.element),
      h("div", { class: "side" }, h("p", { class: "opinions big" }, ...labels.map((one) => predictedChip(one))), bars(video.predicted ?? [], 8), copyButton(labels)),
      similarTo(video, (address) => this.queue.go(address)),
    );
    announce(`${this.file.name}: ${labels.map((one) => one.label).join(", ")}`);
  }
}

function copyButton(labels) {
  const text = labels.map(({ label }) => `#${label.replace(/\s+/g, "")}`).join(" ");
  const copy = async () => {
    await navigator.clipboard?.writeText(text).catch(() => {});
    announce(`${text} copied`);
  };
  return h("button", { type: "button", onclick: copy, title: text }, "Copy as hashtags");
}

function similarTo(video, go) {
  if (!video.similar?.length) return "";
  return h("section", { class: "similar" }, h("h2", {}, "Similar videos"), hitCards(video.similar.slice(0, 6), (hit) => go(linkTo(hit.id, hit.best_s))));
}
