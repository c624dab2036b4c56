// The collection: a grid with filters, orders, search, and labels for many videos at once.

import { api } from "../parts/api.js";
import { calmly, counted, emptyState, errorState, h, icon, number, set } from "../parts/dom.js";
import { VideoGrid } from "../parts/grid.js";
import { labelButtons, mark, showPressed } from "../parts/labels.js";
import { queryOf, termsOf } from "../parts/search.js";
import { lookOf, state } from "../parts/state.js";
import { linkTo } from "./video.js";

const ORDERS = [
  ["path", "Name", { sort: "path" }],
  ["newest", "Newest", { sort: "newest" }],
  ["next", "What to label next", { sort: "next" }],
  ["doubt", "Doubt, most first", { sort: "doubt", descending: true }],
  ["confidence", "Confidence, most first", { sort: "confidence", descending: true }],
  ["unsure", "Confidence, least first", { sort: "confidence" }],
];
const WHO = [
  ["either", "Anyone"],
  ["human", "People"],
  ["predicted", "The head"],
];
const HITS = 200;

/** Where the videos of the last list lie, for "next video" on a video's own screen. */
export class LastList {
  ids = [];
  take(grid) {
    this.ids = Array.from({ length: grid.total }, (_, place) => grid.videos.get(place)?.id);
  }
  neighbours(id) {
    const place = this.ids.indexOf(id);
    return place < 0 ? {} : { previous: this.ids[place - 1], next: this.ids[place + 1] };
  }
}

export function collectionScreen(root, params, { go, list, scrolls }) {
  const terms = termsOf(params.get("search"));
  const ids = params.get("ids")?.split("\n").filter(Boolean) ?? [];
  const source = terms.length ? hitsSource(terms, params) : ids.length ? idsSource(ids) : filterSource(params);
  const open = (video, place) => (list.take(grid), scrolls.set(location.search, [root.scrollTop, place]), go(linkTo(video.id, video.hit?.best_s), { from: true }));
  const selection = selectionBar(() => [...grid.selected.values()], { clear: () => grid.clear(), all: () => grid.chooseAll() });
  const summary = h("p", { class: "summary", role: "status" });
  const grid = new VideoGrid(root, { source, onOpen: open, onSelect: selection.show, onLoad: () => list.take(grid) });
  const change = (more) => go(addressOf(params, more), { replace: true });
  const toolbar = ids.length ? listHeading(ids, go) : filterBar(params, change, terms.length > 0);
  const place = h("div", { class: "grid-place" }, grid.element);
  root.replaceChildren(h("h1", { class: "hidden" }, "Collection"), toolbar, summary, place, selection.element);
  const load = async () => {
    try {
      const total = await grid.load();
      summary.replaceChildren(...(source.words?.() ?? [counted(total, terms.length ? "hit" : "video")]));
      if (!total) place.replaceChildren(nothing(params, terms, go));
      restore();
    } catch (error) {
      if (error.name !== "AbortError") place.replaceChildren(errorState(error, () => (place.replaceChildren(grid.element), load())));
    }
  };
  const restore = () => {
    const [top, focused] = scrolls.get(location.search) ?? [0, 0];
    grid.focused = focused;
    grid.lay();
    root.scrollTop = top;
  };
  load();
  return { title: "Collection", grid, close: () => grid.close(), takeKey: (event) => takeKey(event, grid, root) };
}

function takeKey(event, grid, root) {
  const isControl = event.ctrlKey || event.metaKey;
  if (isControl && event.key.toLowerCase() === "a") return event.preventDefault(), grid.chooseAll(), true;
  if (event.key === "Escape" && grid.selected.size) return grid.clear(), true;
  if (grid.takeLabelKey(event)) return true;
  const isArrow = event.key === "ArrowDown" || event.key === "ArrowRight";
  if (isArrow && [document.body, root].includes(document.activeElement) && grid.total) return event.preventDefault(), grid.focus(grid.focused), true;
  return false;
}

function addressOf(params, more) {
  const changed = new URLSearchParams(params);
  for (const [name, value] of Object.entries(more)) {
    if (value) changed.set(name, value);
    else changed.delete(name);
  }
  const text = changed.toString();
  return text ? `/?${text}` : "/";
}

function filterSource(params) {
  const order = ORDERS.find(([name]) => name === params.get("order")) ?? ORDERS[0];
  const filters = { labels: params.get("labels"), by: params.get("by"), unlabelled: params.get("unlabelled"), path: params.get("path"), ...order[2] };
  return (offset, limit, signal) => api.videos({ offset, limit, ...filters }, { signal });
}

function idsSource(ids) {
  return async (offset, limit, signal) => {
    return { total: ids.length, videos: await api.videosOf(ids.slice(offset, offset + limit), { signal }) };
  };
}

/** Hits come at once, best first; the videos behind them bring what people and the head say. */
function hitsSource(terms, params) {
  let asked = null;
  let found = null;
  const ask = async (signal) => {
    const labels = params.get("labels")?.split(",") ?? [];
    found = await api.search(queryOf(terms), { count: HITS, labels, path: params.get("path") ?? undefined });
    return signal.aborted ? { hits: [] } : found;
  };
  const source = async (offset, limit, signal) => {
    const { hits } = await (asked ??= ask(signal));
    const part = hits.slice(offset, offset + limit);
    const videos = await api.videosOf([...new Set(part.map((hit) => hit.id))], { signal });
    const known = new Map(videos.map((video) => [video.id, video]));
    return { total: hits.length, videos: part.map((hit) => ({ ...(known.get(hit.id) ?? { id: hit.id }), hit })) };
  };
  source.words = () => {
    const words = found.words?.length ? h("span", { class: "quiet" }, `  Class names used: ${found.words.map((one) => one.name ?? one).join(", ")}.`) : "";
    return [`${counted(found.hits.length, "hit")}, best first. `, h("span", { class: "quiet" }, found.how ?? ""), words];
  };
  return source;
}

function listHeading(ids, go) {
  return h("header", { class: "filters" }, h("h2", {}, counted(ids.length, "video"), " from the map"), h("button", { type: "button", onclick: () => go("/") }, icon("close"), "Whole collection"));
}

/** Filters and orders; of a search, hits are filtered and their order is given. */
function filterBar(params, change, isSearch) {
  const chosen = new Set(params.get("labels")?.split(",").filter(Boolean) ?? []);
  const flip = (label) => {
    if (!chosen.delete(label)) chosen.add(label);
    change({ labels: [...chosen].join(",") });
  };
  const chip = (label) =>
    h("button", { type: "button", class: `filter ${lookOf(label)}`, "aria-pressed": String(chosen.has(label)), onclick: () => flip(label) }, mark(label), h("span", {}, label));
  const by = params.get("by") ?? "either";
  const who = h("select", { "aria-label": "Labels given by", onchange: () => change({ by: who.value === "either" ? "" : who.value }) }, ...WHO.map(([value, words]) => h("option", { value }, words)));
  who.value = by;
  const order = h("select", { "aria-label": "Order", onchange: () => change({ order: order.value === "path" ? "" : order.value }) }, ...ORDERS.map(([value, words]) => h("option", { value }, words)));
  order.value = params.get("order") ?? "path";
  const path = h("input", { type: "search", placeholder: "Part of a path", "aria-label": "Part of a path", value: params.get("path") ?? "", autocomplete: "off" });
  path.addEventListener("input", calmly(() => change({ path: path.value.trim() }), 350));
  const unlabelled = h("button", { type: "button", class: "filter", "aria-pressed": String(params.get("unlabelled") === "true"), onclick: () => change({ unlabelled: params.get("unlabelled") ? "" : "true" }) }, "Not labelled yet");
  const hasAny = chosen.size || params.get("by") || params.get("path") || params.get("unlabelled");
  const clear = h("button", { type: "button", class: "quiet-button", hidden: !hasAny, onclick: () => change({ labels: "", by: "", path: "", unlabelled: "" }) }, icon("close"), "Clear");
  const all = isSearch && h("button", { type: "button", onclick: () => change({ search: "", labels: "", path: "" }) }, icon("close"), "Whole collection");
  return h(
    "header",
    { class: "filters" },
    h("div", { class: "chips", role: "group", "aria-label": "Labels" }, ...state.labels.slice(0, 60).map(chip), !isSearch && unlabelled, clear),
    h("div", { class: "row orders" }, !isSearch && [h("label", {}, "Said by", who), h("label", {}, "Order", order)], path, all),
  );
}

function nothing(params, terms, go) {
  const all = h("button", { type: "button", class: "main", onclick: () => go("/") }, "Show all videos");
  if (terms.length) return emptyState("Nothing found", "No video of the store is like this query. Remove a term, or search by an image.", all);
  if ([...params.keys()].some((key) => key !== "order")) return emptyState("No video fits these filters", "Remove one of the chips above, or show all.", all);
  return emptyState("The store is empty", "Embed videos into it with embed-videos; the page shows them without a restart.");
}

/** The bar that appears when something is selected: how many, and the labels. */
function selectionBar(videosOf, { clear, all }) {
  const count = h("strong", {});
  const buttons = labelButtons(videosOf, { isSmall: true });
  const element = h(
    "section",
    { class: "selection", hidden: true, "aria-label": "Selected videos" },
    h("div", { class: "row" }, count, h("button", { type: "button", onclick: all }, "All"), h("button", { type: "button", class: "icon", "aria-label": "Select nothing", onclick: clear }, icon("close"))),
    buttons,
  );
  const show = (videos) => {
    set(element, { hidden: videos.length === 0 });
    count.textContent = `${number(videos.length)} selected`;
    showPressed(buttons, videos);
  };
  return { element, show };
}

