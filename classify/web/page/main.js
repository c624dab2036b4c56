// The page: which screen an address shows, keys, the switch of light and dark, and the server's state.

import { api } from "./parts/api.js";
import { emptyState, h, icon, set, toast } from "./parts/dom.js";
import { SearchBar, termsOf, textOf } from "./parts/search.js";
import { state, takeStatus, undo } from "./parts/state.js";
import { collectionScreen, LastList } from "./screens/collection.js";
import { videoScreen } from "./screens/video.js";

const LATE = { map: () => import("./screens/map.js"), tag: () => import("./screens/tag.js"), model: () => import("./screens/model.js") };
const THEMES = { auto: "as the system says", light: "light", dark: "dark" };

const root = document.getElementById("screen");
const list = new LastList();
const scrolls = new Map(); // address -> [scroll position, focused place]
const kept = new Map(); // what a screen wants to find again: the queue of uploads, the map's view
let screen = { close() {}, takeKey: () => false };
let drawn = 0;

const search = new SearchBar(document.getElementById("search"), (terms) => {
  go(terms.length ? `/?search=${encodeURIComponent(textOf(terms))}` : "/");
});
const tools = { go, list, scrolls, kept, search };

/** Go to an address of this page. */
function go(address, { replace = false, from = false } = {}) {
  if (replace) history.replaceState(history.state, "", address);
  else history.pushState({ from }, "", address);
  return draw({ isSame: replace });
}

async function draw({ isSame = false } = {}) {
  const params = new URLSearchParams(location.search);
  const name = params.has("video") ? "video" : (params.get("view") ?? "collection");
  const turn = ++drawn;
  const held = isSame ? pathOf(document.activeElement) : null;
  screen.close();
  if (!isSame) root.scrollTop = 0;
  search.take(termsOf(params.get("search")));
  for (const tab of document.querySelectorAll("[data-screen]")) set(tab, { "aria-current": "false" });
  document.querySelector(`[data-screen="${name === "video" ? "collection" : name}"]`)?.setAttribute("aria-current", "page");
  if (needsHead(name)) return waitForHead();
  const make = name === "video" ? videoScreen : name in LATE ? (await LATE[name]()).default : collectionScreen;
  if (turn !== drawn) return; // somebody went on meanwhile
  root.className = `screen-${name}`;
  screen = make(root, params, tools);
  root.setAttribute("aria-busy", "false");
  document.title = `${screen.title} · framehead`;
  if (held) document.querySelector(held)?.focus();
  else if (turn > 1) root.focus({ preventScroll: true });
}

/** Before the head is there, only uploads can be prepared. */
function needsHead(name) {
  return state.status !== null && state.status.state !== "ready" && name !== "tag";
}

function waitForHead() {
  screen = { close() {}, takeKey: () => false };
  root.className = "";
  const words = state.status.message || "The page opens as soon as it is there.";
  if (state.status.state === "failed") root.replaceChildren(emptyState("The head could not be loaded", words));
  else root.replaceChildren(emptyState("The head is loading", words), h("div", { class: "skeleton", "aria-hidden": "true" }, ...Array.from({ length: 10 }, () => h("i"))));
}

/** Where the focus lies in a toolbar that is drawn anew after a filter was pressed. */
function pathOf(element) {
  if (!element || !root.contains(element)) return null;
  const parent = element.parentElement;
  const place = [...parent.children].indexOf(element) + 1;
  const className = parent.className.split(" ").filter(Boolean)[0];
  return className ? `#screen .${className} > :nth-child(${place})` : null;
}

async function refreshStatus() {
  let wait = 30_000;
  try {
    const status = await api.status();
    const isNew = JSON.stringify(status.head) !== JSON.stringify(state.status?.head);
    const before = state.status?.state;
    takeStatus(status);
    if (status.state === "loading") wait = 700;
    showBanner("");
    showLabels(state.labels);
    if (status.state !== before) draw({ isSame: true });
    else if (isNew) toast("Another version of the head is in use.", { action: "Show it", run: () => draw({ isSame: true }) });
  } catch (error) {
    showBanner(error.message, true);
    wait = 3_000;
    if (!state.status) draw();
  }
  setTimeout(refreshStatus, wait);
}

/** What the fields for a label propose. */
function showLabels(labels) {
  const place = document.getElementById("all-labels");
  if (place.children.length !== labels.length) place.replaceChildren(...labels.map((label) => h("option", { value: label })));
}

function showBanner(words, isError = false) {
  const banner = document.getElementById("banner");
  set(banner, { hidden: !words });
  banner.classList.toggle("wrong", isError);
  if (banner.textContent !== words) banner.textContent = words;
}

function isTyping(target) {
  return target.matches?.("input:not([type=checkbox], [type=range], [type=file]), textarea, select, [contenteditable]");
}

function onKey(event) {
  if (document.querySelector("dialog[open]")) return;
  const isControl = event.ctrlKey || event.metaKey;
  if (isControl && event.key.toLowerCase() === "z" && !isTyping(event.target)) return event.preventDefault(), undo();
  if (event.defaultPrevented || isTyping(event.target)) return;
  if (event.key === "Escape" && root.contains(event.target) && event.target.matches("input, select")) event.target.blur();
  const isPress = event.key === " " && event.target.closest("button, a, summary, input");
  if (isPress || screen.takeKey(event)) return;
  if (event.key === "?") showKeys();
  else if (event.key === "/") event.preventDefault(), search.input.focus();
  else if (event.key === "g" && !isControl) waitForScreen();
}

/** After G: C, M, T or H goes to a screen. */
function waitForScreen() {
  const places = { c: "/", m: "/?view=map", t: "/?view=tag", h: "/?view=model" };
  const take = (event) => event.key in places && (event.preventDefault(), event.stopImmediatePropagation(), go(places[event.key]));
  addEventListener("keydown", take, { capture: true, once: true });
}

const KEYS = [
  ["Everywhere", [[["?"], "These keys"], [["/"], "Search"], [["G", "C"], "Collection; then M map, T tag, H model"], [["Ctrl Z"], "Undo the last correction"], [["Esc"], "Clear, close, back"]]],
  ["Collection and map", [[["←", "→"], "Go from video to video"], [["Enter"], "Open"], [["Space", "X"], "Select"], [["Shift click"], "Select all up to here"], [["Ctrl A"], "Select all"], [["1", "9"], "Label what is selected"]]],
  ["Player", [[["Space", "K"], "Play, pause"], [["J", "L"], "Backwards, forwards; again: faster"], [["←", "→"], "1 s; with Shift 5 s"], [[",", "."], "A frame back, on"], [["[", "]"], "Slower, faster: 0.25× to 4×"], [["P", "N"], "Previous, next video"], [["1", "9"], "Label this video"]]],
];

function showKeys() {
  const keys = (names) => h("dt", {}, ...names.flatMap((name, place) => [place && names[0] === "1" ? "–" : " ", h("kbd", {}, name)]));
  const groups = KEYS.map(([title, rows]) => h("section", {}, h("h3", {}, title), h("dl", {}, ...rows.map(([key, words]) => h("div", {}, keys(key), h("dd", {}, words))))));
  const close = h("button", { type: "button", class: "icon", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
  const dialog = h("dialog", { class: "keys", "aria-labelledby": "keys-title" }, h("header", {}, h("h2", { id: "keys-title" }, "Keys"), close), h("div", { class: "columns" }, ...groups));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  set(button, { "aria-label": `Colours: ${THEMES[theme]}. Change`, title: `Colours: ${THEMES[theme]}` });
}

function nextTheme() {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const order = isDark ? ["auto", "light", "dark"] : ["auto", "dark", "light"];
  const theme = order[(order.indexOf(document.documentElement.dataset.theme) + 1) % 3];
  localStorage.setItem("framehead.theme", theme);
  showTheme(theme);
}

/** Files dropped anywhere: images are searched for, videos are tagged. */
function onDrop(event) {
  const files = [...event.dataTransfer.files];
  if (!files.length) return;
  event.preventDefault();
  document.body.classList.remove("dropping");
  const images = files.filter((file) => file.type.startsWith("image/"));
  const videos = files.filter((file) => !file.type.startsWith("image/"));
  if (images.length) search.addImage(images[0]);
  if (!videos.length) return;
  kept.set("dropped", videos);
  go("/?view=tag");
}

function hear() {
  addEventListener("keydown", onKey);
  addEventListener("popstate", () => draw());
  addEventListener("drop", onDrop);
  addEventListener("dragover", (event) => event.dataTransfer?.types.includes("Files") && (event.preventDefault(), document.body.classList.add("dropping")));
  addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("dropping"));
  document.querySelector(".skip").addEventListener("click", (event) => (event.preventDefault(), root.focus()));
  document.getElementById("theme").addEventListener("click", nextTheme);
  document.getElementById("keys").addEventListener("click", showKeys);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-link]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(link.getAttribute("href"), { from: location.search.startsWith("?video") ? false : true });
  });
}

showTheme(localStorage.getItem("framehead.theme") in THEMES ? localStorage.getItem("framehead.theme") : "auto");
hear();
refreshStatus();
