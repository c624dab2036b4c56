// The model's card: what it learned from, how good it is, where it errs, and its versions.

import { api, frameUrl } from "../parts/api.js";
import { classTable, confusionTable, intervalTile, lineChart } from "../parts/charts.js";
import { counted, errorState, h, icon, nameOf, number } from "../parts/dom.js";
import { saidChip } from "../parts/labels.js";
import { lookOf, state } from "../parts/state.js";
import { linkTo } from "./video.js";

const MOST_CONFUSED = 30; // classes of a table that can still be read
const SUSPECTS = 24;

export default function modelScreen(root) {
  let isGone = false;
  const load = () => {
    root.replaceChildren(h("div", { class: "empty" }, h("p", {}, "Reading the model's card …")));
    api.card().then(
      (card) => isGone || root.replaceChildren(fill(card)),
      (error) => isGone || root.replaceChildren(errorState(error, load)),
    );
  };
  load();
  return { title: "Model", close: () => (isGone = true), takeKey: () => false };
}

function fill(card) {
  const { head = {}, report } = card;
  const test = report?.parts?.test;
  return h(
    "div",
    { class: "model-screen" },
    heading(head, report),
    test ? tiles(test) : h("p", { class: "quiet" }, "This head came without a report: train it with train-head to see its figures here."),
    report?.baselines?.test && baselines(report),
    h("div", { class: "two" }, curves(card), learning(card)),
    test?.classes?.length > 0 && section("Each label", `On ${counted(test.videos, "test video")}, the weakest first.`, classTable(test.classes)),
    confusion(test),
    suspects(card.suspects ?? []),
    section("Corrections", "What people said here, as a label file: hand it to split-videos and train-head as --labels.", h("p", {}, h("a", { class: "button", href: "/api/corrections.csv", download: "corrections.csv" }, icon("save"), "Download corrections.csv"))),
    versions(card.versions ?? []),
    report?.notes?.length > 0 && section("Notes", "", h("ul", { class: "notes" }, ...report.notes.map((note) => h("li", {}, note)))),
  );
}

const section = (title, words, ...content) => h("section", { class: "block" }, h("h2", {}, title), words && h("p", { class: "quiet" }, words), ...content);

function heading(head, report) {
  const { store } = state.status ?? {};
  const parts = report?.parts ?? {};
  const facts = [
    ["Architecture", head.arch],
    ["Version", head.version],
    ["Trained", head.trained_at?.slice(0, 16).replace("T", " ")],
    ["On", Object.entries(parts).map(([part, found]) => `${number(found.videos)} ${part}`).join(" · ")],
    ["Encoder", store?.model],
    ["Loss", report?.loss],
    ["Labels", head.labels?.length ? number(head.labels.length) : state.labels.length],
  ];
  return h(
    "header",
    { class: "model-head" },
    h("h1", {}, head.name ?? "The model"),
    h("dl", { class: "facts" }, ...facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
  );
}

function tiles(test) {
  const of = (name) => test.intervals?.[name] ?? { value: test[name] };
  const shown = [["Micro-F1", "micro_f1"], ["Macro-F1", "macro_f1"], ["Mean average precision", "mean_average_precision"]].filter(([, key]) => Number.isFinite(of(key).value));
  const error = test.calibration?.error;
  return h("dl", { class: "tiles" }, ...shown.map(([name, key]) => intervalTile(name, of(key))), Number.isFinite(error) && intervalTile("Calibration error", { value: error }, "0 is perfect"));
}

function baselines(report) {
  const names = { majority: "Always the commonest label", "logistic-regression": "Logistic regression", "logistic-statistics": "Regression on statistics" };
  const row = (name, value, isOwn) =>
    h("li", { class: isOwn ? "own" : "" }, h("span", { class: "name" }, name), h("span", { class: "track", "aria-hidden": "true" }, h("i", { vars: { "--share": String(value) } })), h("b", {}, value.toFixed(3)));
  const others = Object.entries(report.baselines.test).filter(([, found]) => Number.isFinite(found.micro_f1)).map(([name, found]) => row(names[name] ?? name, found.micro_f1, false));
  return section("Against simple methods", "Micro-F1 on the same test videos.", h("ul", { class: "bars plain" }, row("This head", report.parts.test.micro_f1, true), ...others));
}

function curves({ history = [] }) {
  if (history.length < 2) return "";
  const points = (key) => history.filter((row) => Number.isFinite(row[key])).map((row) => [row.epoch, row[key]]);
  const series = [{ name: "training", points: points("train_f1") }, { name: "validation", points: points("validation_f1") }].filter((one) => one.points.length > 1);
  return series.length ? section("Training", "", lineChart({ title: "Micro-F1 by epoch", x: "epoch", series })) : "";
}

function learning({ learning_curve: rows = [] }) {
  if (!rows || rows.length < 2) return "";
  const series = [{ name: "micro-F1, 95% interval", points: rows.map((row) => [row.videos, row.value]), band: rows.map((row) => [row.videos, row.low, row.high]) }];
  return section("Have I labelled enough?", "", lineChart({ title: "Micro-F1 by number of labelled videos", x: "videos", series }));
}

function confusion(test) {
  if (!test?.confusion || !test.classes?.length) return "";
  if (test.classes.length > MOST_CONFUSED) return section("Confusion", `With ${test.classes.length} labels the table is too large to read here; report.html of the head has it.`);
  return section("Confusion", "Rows are true labels, columns what the head says.", confusionTable(test.classes.map((one) => one.name), test.confusion));
}

function suspects(found) {
  if (!found.length) return section("Likely label errors", "None is known. train-head with --report checks the labels.");
  const card = ({ id, labels, suggestion }) =>
    h(
      "li",
      { class: "hit" },
      h("a", { href: linkTo(id), "data-link": true }, h("span", { class: "poster" }, h("img", { src: frameUrl(id, 1, 320), alt: "", loading: "lazy", width: 320, height: 180 })), h("span", { class: "title" }, nameOf(id))),
      h("p", { class: "opinions" }, ...labels.map((label) => saidChip(label, false)), ...suggestion.map((label) => h("span", { class: `chip guess ${lookOf(label)}` }, `rather ${label}?`))),
    );
  return section("Likely label errors", `${counted(found.length, "video")} whose label the other videos contradict. Look, and correct what is wrong.`, h("ul", { class: "hits" }, ...found.slice(0, SUSPECTS).map(card)));
}

function versions(found) {
  if (!found.length) return "";
  const row = (one) =>
    h("tr", { class: one.is_champion ? "champion" : "" }, h("th", { scope: "row" }, one.name, one.is_champion && h("span", { class: "tag" }, "in use")), h("td", {}, one.made_at?.slice(0, 16).replace("T", " ") ?? ""), h("td", {}, one.micro_f1 ? `${one.micro_f1.value.toFixed(3)} (${one.micro_f1.low.toFixed(3)} – ${one.micro_f1.high.toFixed(3)})` : "–"), h("td", {}, one.note ?? ""));
  return section("Versions", "", h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Versions" }, h("table", { class: "versions" }, h("thead", {}, h("tr", {}, ...["Version", "Made", "Micro-F1", "Why"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...found.map(row)))));
}
