// The map: each point a moment of a video. Walk it, hover for the frame, draw around points, label what lies inside.

import { api, frameUrl } from "../parts/api.js";
import { announce, calmly, clock, counted, emptyState, errorState, h, icon, nameOf, number, onceAFrame, set } from "../parts/dom.js";
import { labelButtons, labelOfKey, mark } from "../parts/labels.js";
import { fitted, PointCloud } from "../parts/points.js";
import { listen, lookOf, toggle } from "../parts/state.js";
import { linkTo } from "./video.js";

const REACH = 14; // pixels around the pointer in which a point is hit
const PAUSE_MS = 90; // before the frame of a point is asked for
const SHOWN = 60; // videos of a selection with their pictures
const [LEAST, MOST] = [0.5, 200]; // zoom

export default function mapScreen(root, params, tools) {
  const screen = { title: "Map", close() {}, takeKey: () => false };
  let isGone = false;
  const load = () => {
    root.replaceChildren(h("div", { class: "empty" }, h("p", {}, "Drawing the map …")));
    api.map().then(
      (found) => isGone || Object.assign(screen, fill(root, found, tools)),
      (error) => isGone || root.replaceChildren(errorState(error, load)),
    );
  };
  screen.close = () => (isGone = true);
  load();
  return screen;
}

function fill(root, found, tools) {
  if (!found.count) {
    root.replaceChildren(emptyState("Nothing to map yet", "The store is empty. Embed videos into it with embed-videos."));
    return { close() {} };
  }
  return new Walk(root, found, tools).screen;
}

const decoded = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;

class Walk {
  constructor(root, found, { go, kept }) {
    Object.assign(this, { go, kept, found, hovered: -1, isLasso: false, hidden: new Set(), chosen: [] });
    this.video = new Uint32Array(decoded(found.video));
    this.at = new Float32Array(decoded(found.at_s));
    this.label = new Int16Array(decoded(found.label));
    const look = Uint8Array.from(this.label, (label) => (label < 0 ? found.labels.length : label) & 255);
    this.canvas = h("canvas", { tabindex: 0, role: "application", "aria-label": "Map of moments. Arrow keys move it, plus and minus zoom, Enter opens the moment in the middle." });
    this.cloud = new PointCloud(this.canvas, { xy: fitted(new Float32Array(decoded(found.xy))), look });
    this.cloud.view = kept.get("view") ?? this.cloud.view;
    this.draw = onceAFrame(() => this.paint());
    this.showFrame = calmly((point) => this.loadFrame(point), PAUSE_MS);
    this.build(root);
    this.hear();
    this.setColours();
    this.screen = { title: "Map", walk: this, close: () => this.close(), takeKey: (event) => this.takeKey(event) };
  }

  build(root) {
    this.tip = h("figure", { class: "tip", hidden: true }, h("img", { alt: "", width: 200, height: 112 }), h("figcaption", {}));
    this.fence = h("canvas", { class: "fence", "aria-hidden": "true" });
    const tool = (name, words, run, more = {}) => h("button", { type: "button", class: "icon", "aria-label": words, title: words, onclick: run, ...more }, icon(name));
    this.lassoButton = tool("lasso", "Draw around points (L, or hold Shift)", () => this.setLasso(!this.isLasso), { "aria-pressed": "false" });
    const buttons = h("div", { class: "map-tools", role: "toolbar", "aria-label": "Map" }, this.lassoButton, tool("plus", "Closer (+)", () => this.zoom(1.5)), tool("minus", "Further (−)", () => this.zoom(1 / 1.5)), tool("whole", "Whole map (0)", () => this.reset()));
    this.side = h("aside", { class: "map-side", "aria-label": "Selection" });
    const { total, count, how } = this.found;
    const shown = count < total ? `${number(count)} of ${counted(total, "moment")}` : counted(count, "moment");
    this.place = h("div", { class: "map-place" }, this.canvas, this.fence, buttons, this.tip, h("p", { class: "map-note" }, `${shown} · ${how ?? "PCA"} · close points look alike`));
    root.replaceChildren(h("h1", { class: "hidden" }, "Map"), h("div", { class: "map-screen" }, h("div", { class: "map-main" }, this.place, this.legend()), this.side));
    this.showSide();
  }

  legend() {
    const counts = new Map();
    this.label.forEach((label) => counts.set(label, (counts.get(label) ?? 0) + 1));
    const entry = ([label, count]) => {
      const name = label < 0 ? "no label" : this.found.labels[label];
      const button = h("button", { type: "button", class: `filter ${lookOf(name)}`, "aria-pressed": "true", onclick: () => this.flip(label, button) }, mark(name), h("span", {}, name), h("b", {}, number(count)));
      return button;
    };
    const entries = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 60);
    return h("div", { class: "chips map-legend", role: "group", "aria-label": "Labels on the map" }, ...entries.map(entry));
  }

  flip(label, button) {
    if (!this.hidden.delete(label)) this.hidden.add(label);
    button.setAttribute("aria-pressed", String(!this.hidden.has(label)));
    this.label.forEach((held, point) => (this.cloud.isDimmed[point] = this.hidden.has(held) ? 1 : 0));
    this.draw();
  }

  setColours() {
    const style = getComputedStyle(document.documentElement);
    const rgb = (name) => {
      const text = style.getPropertyValue(name).trim();
      return [1, 3, 5].map((from) => parseInt(text.slice(from, from + 2), 16));
    };
    const names = [...this.found.labels, null].slice(0, 256);
    const looks = names.map((name) => lookOf(name).split(" "));
    const colour = (look) => rgb(look === "k-other" ? "--k-other" : `--${look}`);
    const shape = { square: 1, diamond: 2 };
    this.cloud.setPalette({ colours: looks.map(([look]) => colour(look)), shapes: looks.map(([, name]) => shape[name] ?? 0), ground: rgb("--ground"), ink: rgb("--ink") });
    this.draw();
  }

  hear() {
    const { canvas } = this;
    this.pointers = new Map();
    canvas.addEventListener("wheel", (event) => (event.preventDefault(), this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), event)), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    canvas.addEventListener("pointerup", (event) => this.onUp(event));
    canvas.addEventListener("pointercancel", (event) => this.onUp(event));
    canvas.addEventListener("pointerleave", () => this.hover(-1));
    canvas.addEventListener("dblclick", (event) => this.zoom(2, event));
    this.observer = new ResizeObserver(this.draw);
    this.observer.observe(this.place);
    this.themes = new MutationObserver(() => this.setColours());
    this.themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.onScheme = () => this.setColours();
    this.scheme.addEventListener("change", this.onScheme);
    this.unlisten = listen("corrected", (humans) => this.takeCorrections(humans));
  }

  close() {
    this.observer.disconnect();
    this.themes.disconnect();
    this.scheme.removeEventListener("change", this.onScheme);
    this.unlisten();
    this.kept.set("view", this.cloud.view);
  }

  paint() {
    const { width, height } = this.place.getBoundingClientRect();
    if (!width) return;
    this.cloud.resize(width, height, Math.min(2, devicePixelRatio || 1));
    this.cloud.draw();
  }

  /** Where a pointer is, in the canvas's own pixels. */
  spot(event) {
    const place = this.canvas.getBoundingClientRect();
    return [(event.clientX - place.left) * this.cloud.density, (event.clientY - place.top) * this.cloud.density];
  }

  zoom(factor, event) {
    const { cloud } = this;
    const [x, y] = event ? this.spot(event) : [cloud.width / 2, cloud.height / 2];
    const before = cloud.toMap(x, y);
    cloud.view.scale = Math.min(MOST, Math.max(LEAST, cloud.view.scale * factor));
    const after = cloud.toMap(x, y);
    cloud.view.x += before[0] - after[0];
    cloud.view.y += before[1] - after[1];
    this.draw();
  }

  pan(x, y) {
    this.cloud.view.x -= x / this.cloud.unit;
    this.cloud.view.y += y / this.cloud.unit;
    this.draw();
  }

  reset() {
    this.cloud.view = { x: 0.5, y: 0.5, scale: 1 };
    this.draw();
  }

  onDown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.spot(event));
    this.moved = 0;
    this.fencePoints = this.isLasso || event.shiftKey ? [this.spot(event)] : null;
  }

  onMove(event) {
    const spot = this.spot(event);
    const last = this.pointers.get(event.pointerId);
    if (!last) return event.pointerType === "mouse" && this.hover(this.cloud.nearest(...spot, REACH * this.cloud.density), event);
    this.moved += Math.hypot(spot[0] - last[0], spot[1] - last[1]);
    if (this.pointers.size === 2) this.pinch(event.pointerId, spot, event);
    else if (this.fencePoints) this.fencePoints.push(spot), this.drawFence();
    else this.pan(spot[0] - last[0], spot[1] - last[1]);
    this.pointers.set(event.pointerId, spot);
  }

  pinch(id, spot, event) {
    this.fencePoints = null;
    const [[, other]] = [...this.pointers].filter(([key]) => key !== id);
    const [was, is] = [this.pointers.get(id), spot].map(([x, y]) => Math.hypot(x - other[0], y - other[1]));
    if (was > 0) this.zoom(is / was, event);
  }

  onUp(event) {
    const spot = this.pointers.get(event.pointerId);
    this.pointers.delete(event.pointerId);
    if (!spot) return;
    const fence = this.fencePoints;
    this.fencePoints = null;
    this.drawFence();
    if (fence && fence.length > 3) return this.choose(this.cloud.within(fence));
    if (this.moved > 5 * this.cloud.density) return;
    const hit = this.cloud.nearest(...spot, REACH * this.cloud.density);
    if (hit < 0) return this.choose([]);
    if (event.pointerType === "mouse") this.open(hit);
    else this.choose([hit]);
  }

  drawFence() {
    const { width, height } = this.cloud;
    Object.assign(this.fence, { width, height });
    if (!this.fencePoints) return;
    const pen = this.fence.getContext("2d");
    const accent = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
    pen.lineWidth = 2 * this.cloud.density;
    pen.strokeStyle = accent;
    pen.fillStyle = `${accent}22`;
    pen.beginPath();
    this.fencePoints.forEach(([x, y]) => pen.lineTo(x, y));
    pen.closePath();
    pen.fill();
    pen.stroke();
  }

  hover(point, event) {
    set(this.tip, { hidden: point < 0 });
    this.canvas.classList.toggle("hit", point >= 0);
    if (point < 0) return (this.hovered = -1);
    const place = this.place.getBoundingClientRect();
    const [x, y] = [event.clientX - place.left, event.clientY - place.top];
    this.tip.classList.toggle("left", x > place.width - 240);
    this.tip.classList.toggle("above", y > place.height - 200);
    this.tip.style.setProperty("--x", `${x}px`);
    this.tip.style.setProperty("--y", `${y}px`);
    if (point === this.hovered) return;
    this.hovered = point;
    const id = this.found.ids[this.video[point]];
    const label = this.label[point];
    this.tip.querySelector("img").classList.add("waiting");
    this.showFrame(point);
    const name = label < 0 ? "no label" : this.found.labels[label];
    this.tip.querySelector("figcaption").replaceChildren(h("strong", {}, nameOf(id)), h("span", { class: lookOf(name) }, mark(name), ` ${name} · ${clock(this.at[point])}`));
  }

  /** Ask for the frame of a point on which the pointer rests; one that sweeps past asks for nothing. */
  async loadFrame(point) {
    if (point !== this.hovered) return;
    const next = new Image();
    next.src = frameUrl(this.found.ids[this.video[point]], this.at[point], 320);
    await next.decode().catch(() => {});
    if (point !== this.hovered) return;
    const image = this.tip.querySelector("img");
    image.src = next.src;
    image.classList.remove("waiting");
  }

  open(point) {
    this.go(linkTo(this.found.ids[this.video[point]], this.at[point]), { from: true });
  }

  choose(points) {
    this.cloud.isSelected.fill(0);
    points.forEach((point) => (this.cloud.isSelected[point] = 1));
    const first = new Map();
    points.forEach((point) => first.has(this.video[point]) || first.set(this.video[point], this.at[point]));
    this.chosen = [...first].map(([video, at]) => ({ id: this.found.ids[video], at, place: video, human: null }));
    this.points = points.length;
    if (this.isLasso) this.setLasso(false);
    announce(points.length ? `${counted(points.length, "moment")} of ${counted(first.size, "video")} selected` : "Nothing selected");
    this.showSide();
    this.draw();
  }

  setLasso(isOn) {
    this.isLasso = isOn;
    this.lassoButton.setAttribute("aria-pressed", String(isOn));
    this.canvas.classList.toggle("lasso", isOn);
  }

  showSide() {
    const { chosen, side } = this;
    side.classList.toggle("has-some", chosen.length > 0);
    if (!chosen.length) {
      side.replaceChildren(h("h2", {}, "Walk the map"), h("p", { class: "quiet" }, "Each point is a moment. Drag to move, scroll to zoom, point at one to see its frame, press it to open its video."), h("p", { class: "quiet" }, "Draw around points (hold Shift, or press the lasso) to see and label what lies together."));
      return;
    }
    const picture = ({ id, at }) => h("li", {}, h("a", { href: linkTo(id, at), "data-link": true, title: id }, h("img", { src: frameUrl(id, at, 160), alt: nameOf(id), loading: "lazy", width: 160, height: 90 })));
    const asGrid = () => this.go(`/?ids=${encodeURIComponent(chosen.slice(0, 500).map((one) => one.id).join("\n"))}`, { from: true });
    side.replaceChildren(
      h("header", { class: "row" }, h("h2", {}, counted(chosen.length, "video")), h("button", { type: "button", onclick: asGrid }, icon("grid"), "As a grid"), h("button", { type: "button", class: "icon", "aria-label": "Select nothing", onclick: () => this.choose([]) }, icon("close"))),
      h("p", { class: "quiet" }, `${counted(this.points, "moment")} inside. A label goes to the whole video.`),
      labelButtons(() => this.chosen, { isSmall: true }),
      h("ul", { class: "pictures" }, ...chosen.slice(0, SHOWN).map(picture)),
    );
  }

  takeCorrections(humans) {
    const places = new Map(this.found.ids.map((id, place) => [id, place]));
    const names = new Map(this.found.labels.map((label, place) => [label, place]));
    const changed = new Map();
    for (const [id, human] of humans) if (places.has(id) && human?.labels?.length) changed.set(places.get(id), names.get(human.labels[0]) ?? -1);
    for (let point = 0; point < this.cloud.count; point++) {
      const label = changed.get(this.video[point]);
      if (label === undefined) continue;
      this.label[point] = label;
      this.cloud.look[point] = (label < 0 ? this.found.labels.length : label) & 255;
    }
    this.draw();
  }

  takeKey(event) {
    const isControl = event.ctrlKey || event.metaKey;
    const label = labelOfKey(event);
    if (label !== null && this.chosen.length) return toggle(this.chosen, label), true;
    if (isControl && event.key.toLowerCase() === "a") return event.preventDefault(), this.choose([...this.label.keys()].filter((point) => !this.cloud.isDimmed[point])), true;
    if (isControl || event.altKey) return false;
    const isOnMap = document.activeElement === this.canvas;
    const step = 60 * (this.cloud.density ?? 1);
    const keys = { "+": () => this.zoom(1.5), "=": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5), 0: () => this.reset(), l: () => this.setLasso(!this.isLasso), Escape: () => this.choose([]) };
    const onMap = { ArrowLeft: () => this.pan(step, 0), ArrowRight: () => this.pan(-step, 0), ArrowUp: () => this.pan(0, step), ArrowDown: () => this.pan(0, -step), Enter: () => this.openMiddle() };
    const run = keys[event.key] ?? (isOnMap ? onMap[event.key] : undefined);
    if (!run) return false;
    event.preventDefault();
    run();
    return true;
  }

  openMiddle() {
    const hit = this.cloud.nearest(this.cloud.width / 2, this.cloud.height / 2, this.cloud.width / 4);
    if (hit >= 0) this.open(hit);
  }
}
