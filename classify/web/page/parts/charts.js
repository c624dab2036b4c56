// Curves and tables of figures, drawn as SVG and HTML: they follow the colours of the page.

import { h, percent, s } from "./dom.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [420, 200, 40, 28];

/**
 * Draw lines over a common x.
 *
 * @param series [{name, points: [[x, y], ...], band: [[x, low, high], ...]}]; y in 0..1 unless `top` is given.
 */
export function lineChart({ title, x, series, top = 1, isShare = true }) {
  const all = series.flatMap((one) => one.points);
  const [low, high] = [Math.min(...all.map(([at]) => at)), Math.max(...all.map(([at]) => at))];
  const across = (at) => LEFT + ((at - low) / (high - low || 1)) * (WIDTH - LEFT - 12);
  const up = (value) => 12 + (1 - Math.min(1, Math.max(0, value / top))) * (HEIGHT - BOTTOM - 12);
  const path = (points) => points.map(([at, value], place) => `${place ? "L" : "M"}${across(at).toFixed(1)} ${up(value).toFixed(1)}`).join("");
  const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => share * top);
  const grid = steps.map((value) => [
    s("line", { class: "grid-line", x1: LEFT, x2: WIDTH - 12, y1: up(value), y2: up(value) }),
    s("text", { x: LEFT - 8, y: up(value) + 4, "text-anchor": "end" }, isShare ? percent(value) : value.toFixed(1)),
  ]);
  const lines = series.map((one, place) => [
    one.band && s("path", { class: `band line-${place}`, d: `${path(one.band.map(([at, , most]) => [at, most]))}${path([...one.band].reverse().map(([at, least]) => [at, least])).replace("M", "L")}Z` }),
    s("path", { class: `curve line-${place}`, d: path(one.points) }),
    ...(one.points.length < 15 ? one.points.map(([at, value]) => s("circle", { class: `dot line-${place}`, cx: across(at), cy: up(value), r: 3.5 })) : []),
  ]);
  const ends = [low, high].map((at, place) => s("text", { x: across(at), y: HEIGHT - 8, "text-anchor": place ? "end" : "start" }, String(at)));
  const middle = s("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, x);
  const words = series.map((one) => `${one.name} ends at ${isShare ? percent(one.points.at(-1)[1]) : one.points.at(-1)[1].toFixed(2)}`).join(", ");
  const legend = h("ul", { class: "chart-legend" }, ...series.map((one, place) => h("li", { class: `line-${place}` }, h("i"), one.name)));
  return h("figure", { class: "chart" }, h("figcaption", {}, title), s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${words}` }, ...grid, ...lines, ...ends, middle), legend);
}

/** A figure with its interval: the number, and a whisker on a line from 0 to 1. */
export function intervalTile(name, { value, low, high }, note = "") {
  return h(
    "div",
    { class: "tile" },
    h("dt", {}, name),
    h("dd", { class: "figure" }, value.toFixed(3)),
    low !== undefined && h("dd", { class: "whisker", "aria-hidden": "true", vars: { "--low": `${100 * low}%`, "--high": `${100 * high}%`, "--value": `${100 * value}%` } }, h("i"), h("b")),
    h("dd", { class: "note" }, low !== undefined ? `${low.toFixed(3)} – ${high.toFixed(3)}, 95%` : note),
  );
}

/** Figures of each class, worst first, with bars. */
export function classTable(classes) {
  const row = (one) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, one.name),
      h("td", { class: "bar-cell" }, h("span", { class: "track" }, h("i", { vars: { "--share": String(one.f1 ?? 0) } })), h("b", {}, figure(one.f1))),
      h("td", {}, figure(one.precision)),
      h("td", {}, figure(one.recall)),
      h("td", {}, figure(one.average_precision)),
      h("td", {}, String(one.support)),
    );
  const names = ["Label", "F1", "Precision", "Recall", "AP", "Videos"];
  const rows = [...classes].sort((a, b) => (a.f1 ?? 0) - (b.f1 ?? 0));
  return h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Figures of each label" }, h("table", { class: "classes" }, h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...rows.map(row))));
}

const figure = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));

/** Rows are the true labels, columns the predicted ones. */
export function confusionTable(names, confusion) {
  const cell = (count, row, column, total) => {
    const kind = row === column ? "right" : count ? "wrong" : "none";
    return h("td", { class: kind, vars: { "--share": String(total ? count / total : 0) }, title: `${names[row]}, predicted ${names[column]}: ${count} of ${total}` }, count ? String(count) : h("span", { class: "quiet" }, "·"));
  };
  const row = (counts, place) => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    return h("tr", {}, h("th", { scope: "row" }, names[place]), ...counts.map((count, column) => cell(count, place, column, total)));
  };
  return h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Confusion" }, h("table", { class: "confusion" }, h("thead", {}, h("tr", {}, h("td", { class: "corner" }, "true ↓  predicted →"), ...names.map((name) => h("th", { scope: "col" }, h("span", {}, name))))), h("tbody", {}, ...confusion.map(row))));
}
