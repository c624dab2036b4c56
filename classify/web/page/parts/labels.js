// Labels as people see them. What a person said is filled and has a person or a file as its sign; what the head says
// is outlined with a broken line and has a percentage: they differ without colour, and neither hides the other.

import { h, icon, percent } from "./dom.js";
import { correct, givenTo, lookOf, predictedFor, state, toggle } from "./state.js";

const BUTTONS = 40; // labels with a button; the others are typed

/** A coloured mark beside a label's name. */
export const mark = (label) => h("i", { class: `mark ${lookOf(label)}`, "aria-hidden": "true" });

/** A label that a person gave, here (`isHuman`) or in the label file. */
export function saidChip(label, isHuman) {
  const source = isHuman ? "corrected here" : "from the label file";
  return h(
    "span",
    { class: `chip said ${lookOf(label)}`, title: `${label}: ${source}` },
    mark(label),
    h("span", {}, label),
    icon(isHuman ? "person" : "file"),
    h("span", { class: "hidden" }, `, ${source}`),
  );
}

/** A label that the head predicts; a short one stands beside a person's word that says the same. */
export function predictedChip({ label, probability }, isShort = false) {
  return h(
    "span",
    { class: `chip guess ${lookOf(label)}`, title: `${label}: the head says ${percent(probability)}` },
    isShort ? icon("check") : mark(label),
    h("span", { class: isShort ? "hidden" : null }, label),
    h("b", {}, percent(probability)),
    h("span", { class: "hidden" }, ", predicted"),
  );
}

/** Both opinions on a video, the person's first. */
export function opinions(video) {
  const given = givenTo(video);
  const isHuman = Boolean(video.human?.labels);
  const said = given === null ? [] : given.map((label) => saidChip(label, isHuman));
  if (given?.length === 0) said.push(h("span", { class: "chip said k-other" }, "no label", icon("person")));
  const guesses = predictedFor(video).slice(0, 2);
  const isSaid = (label) => given?.slice(0, 2).includes(label) ?? false;
  return h("span", { class: "opinions" }, ...said.slice(0, 2), ...guesses.map((one) => predictedChip(one, isSaid(one.label))));
}

/** True where a person's word and the head's differ. */
export function areAtOdds(video) {
  const given = givenTo(video);
  if (given === null) return false;
  const predicted = predictedFor(video).map((one) => one.label);
  return given.length !== predicted.length || given.some((label) => !predicted.includes(label));
}

/** Bars of all probabilities, most probable first; the head's own decisions have a filled mark. */
export function bars(predicted, most = 12) {
  const rows = predicted.slice(0, most).map(({ label, probability, given }) =>
    h(
      "li",
      { class: `bar-row ${lookOf(label)}${given ? " given" : ""}` },
      h("span", { class: "name" }, mark(label), h("span", {}, label)),
      h("span", { class: "track", "aria-hidden": "true" }, h("i", { vars: { "--share": String(probability) } })),
      h("b", {}, percent(probability)),
    ),
  );
  return h("ul", { class: "bars" }, ...rows);
}

/**
 * Buttons that label videos, one a label, with the keys 1-9 for the first nine.
 *
 * @param videosOf returns the videos to label when a button is pressed.
 */
export function labelButtons(videosOf, { isSmall = false } = {}) {
  const button = (label, place) =>
    h(
      "button",
      {
        type: "button",
        class: `label-button ${lookOf(label)}`,
        "data-label": label,
        "aria-keyshortcuts": place < 9 ? String(place + 1) : null,
        onclick: () => toggle(videosOf(), label),
      },
      mark(label),
      h("span", {}, label),
      place < 9 && h("kbd", { "aria-hidden": "true" }, String(place + 1)),
    );
  const none = h(
    "button",
    { type: "button", class: "label-button plain", onclick: () => correct(videosOf().map((one) => one.id), null) },
    "No opinion",
  );
  const other = h("input", { type: "search", class: "label-other", placeholder: "Another label", "aria-label": "Another label: press Enter to give it", list: "all-labels", autocomplete: "off" });
  other.addEventListener("keydown", (event) => {
    const label = other.value.trim();
    if (event.key !== "Enter" || !label) return;
    other.value = "";
    toggle(videosOf(), label);
  });
  return h(
    "div",
    { class: isSmall ? "label-buttons small" : "label-buttons", role: "group", "aria-label": "Label as" },
    ...state.labels.slice(0, BUTTONS).map(button),
    other,
    none,
  );
}

/** Show on label buttons which of them all the videos have. */
export function showPressed(group, videos) {
  for (const button of group.querySelectorAll("[data-label]")) {
    const isOn = videos.length > 0 && videos.every((one) => givenTo(one)?.includes(button.dataset.label));
    button.setAttribute("aria-pressed", String(isOn));
  }
}

/** The label behind a key 1-9; null for other keys. */
export function labelOfKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !/^[1-9]$/.test(event.key)) return null;
  return state.labels[Number(event.key) - 1] ?? null;
}
