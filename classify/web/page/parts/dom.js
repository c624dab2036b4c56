// Elements, words for numbers, and what is said to people: toasts and the live region.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: h("button", {class: "x", onclick: f, vars: {"--share": 0.5}}, "text", child, ...). */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  set(element, props);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Make an element of SVG. */
export function s(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  set(element, props);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Set what h() takes. Styles go through the CSSOM: the page's policy allows no style attributes. */
export function set(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (name === "vars") for (const [key, held] of Object.entries(value)) element.style.setProperty(key, held);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "hidden" || name === "disabled" || name === "checked") element[name] = Boolean(value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
}

const ICONS = {
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c.8-4 3.8-6 7.5-6s6.7 2 7.5 6",
  file: "M6 3h8l4 4v14H6zM14 3v4h4M9 13h6M9 17h4",
  play: "M7 4.500v15l12-7.500z",
  pause: "M8 5v14M16 5v14",
  close: "M6 6l12 12M18 6L6 18",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
  check: "M5 12.500l4.5 4.500L19 7",
  back: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  lasso: "M12 4c5 0 8.5 2.5 8.5 5.500S17 15 12 15s-8.5-2.5-8.5-5.500S7 4 12 4zM7 14c-1.5 1.5-1 4 1 4s2.5 1.5 2 3",
  hand: "M12 3v18M3 12h18M12 3l-2.5 2.500M12 3l2.5 2.500M12 21l-2.5-2.500M12 21l2.5-2.500M3 12l2.5-2.500M3 12l2.5 2.500M21 12l-2.5-2.500M21 12l-2.5 2.5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  whole: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  undo: "M8 5L4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3",
  upload: "M12 16V4M7 9l5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  save: "M12 4v12M7 11l5 5 5-5M4 20h16",
  sort: "M7 5v14M4 16l3 3 3-3M17 19V5M14 8l3-3 3 3",
};

/** Draw one of the icons above; it says nothing to a screen reader. */
export function icon(name) {
  return s("svg", { viewBox: "0 0 24 24", class: `icon-${name}`, "aria-hidden": "true" }, s("path", { d: ICONS[name] }));
}

/** Seconds as mm:ss, or h:mm:ss. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor((Number.isFinite(seconds) ? seconds : 0) + 1e-6));
  const pair = (number) => String(number).padStart(2, "0");
  const minutes = `${pair(Math.floor(whole / 60) % 60)}:${pair(whole % 60)}`;
  return whole < 3600 ? minutes : `${Math.floor(whole / 3600)}:${minutes}`;
}

export const percent = (share) => (share > 0 && share < 0.01 ? "<1%" : `${Math.round(100 * share)}%`);
export const number = (count) => Number(count).toLocaleString("en");
export const counted = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;
export const nameOf = (id) => id.slice(id.lastIndexOf("/") + 1);
export const folderOf = (id) => id.slice(0, Math.max(0, id.lastIndexOf("/")));
export const megabytes = (bytes) => (bytes >= 1e7 ? `${Math.round(bytes / 1e6)} MB` : bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`);
export const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Say something to screen readers alone. */
export function announce(words) {
  const live = document.getElementById("live");
  live.textContent = "";
  requestAnimationFrame(() => (live.textContent = words));
}

/** Show a sentence for some seconds, with a button where there is something to do about it. */
export function toast(words, { action, run, isError = false } = {}) {
  const place = document.getElementById("toasts");
  const close = () => element.remove();
  const button = action && h("button", { type: "button", onclick: () => (close(), run()) }, action);
  const element = h("div", { class: isError ? "toast wrong" : "toast" }, h("span", {}, words), button);
  element.append(h("button", { type: "button", class: "icon", "aria-label": "Close this note", onclick: close }, icon("close")));
  while (place.children.length > 2) place.firstChild.remove();
  place.append(element);
  setTimeout(close, isError ? 12000 : 7000);
}

/** Show a whole screen without content: empty or broken, and what to do then. */
export function emptyState(title, words, ...actions) {
  return h("div", { class: "empty" }, h("h2", {}, title), h("p", {}, words), h("div", { class: "row" }, ...actions));
}

export function errorState(error, retry) {
  const again = retry && h("button", { type: "button", class: "main", onclick: retry }, "Try again");
  const element = emptyState("That did not work", error.message, again);
  element.setAttribute("role", "alert");
  return element;
}

/** Call a function once in the next frame, however often it is asked for. */
export function onceAFrame(run) {
  let asked = 0;
  return () => {
    if (!asked) asked = requestAnimationFrame(() => ((asked = 0), run()));
  };
}

/** Call a function when nobody has asked for `milliseconds`. */
export function calmly(run, milliseconds) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), milliseconds);
  };
}
