// One video: player, timeline, what people and the head say, and what looks like it.

import { api, fileUrl } from "../parts/api.js";
import { announce, clock, counted, emptyState, errorState, folderOf, h, icon, nameOf, percent } from "../parts/dom.js";
import { hitCards } from "../parts/grid.js";
import { bars, labelButtons, labelOfKey, mark, saidChip, showPressed } from "../parts/labels.js";
import { Player } from "../parts/player.js";
import { listen, toggle } from "../parts/state.js";
import { Timeline } from "../parts/timeline.js";

/** Show the video of ?video=. `place` is where it lies in the list that it was opened from, if any. */
export function videoScreen(root, params, { go, list, search }) {
  const id = params.get("video");
  const at = Number(params.get("t")) || 0;
  const screen = { close() {}, takeKey: () => false, title: nameOf(id) };
  const load = () => {
    root.replaceChildren(h("div", { class: "video-screen waiting" }, h("div", { class: "stage" }), h("div", { class: "side" })));
    api.video(id).then(show, (error) => {
      if (error.status === 404) root.replaceChildren(emptyState("No such video", `The store holds no video ${id}.`, back(go)));
      else root.replaceChildren(errorState(error, load));
    });
  };
  const show = (video) => root.isConnected && Object.assign(screen, fill(root, video, at, { go, list, search }));
  load();
  return screen;
}

const back = (go) => h("button", { type: "button", class: "main", onclick: () => go("/") }, "To the collection");

function fill(root, video, at, { go, list, search }) {
  let shown = video;
  let timeline = null;
  const keepTime = (seconds) => timeline?.show(seconds);
  const player = new Player({ url: fileUrl(video.id), id: video.id, duration_s: video.duration_s, name: nameOf(video.id) }, { at, onTime: keepTime });
  timeline = new Timeline(video, player);
  timeline.show(at);
  const buttons = labelButtons(() => [shown]);
  const said = h("div", { class: "said-list" });
  const showSaid = () => (said.replaceChildren(...saidOf(shown)), showPressed(buttons, [shown]));
  const alike = h("div", { class: "alike" }, h("p", { class: "quiet" }, "Looking for similar videos …"));
  const neighbours = list?.neighbours(video.id) ?? {};
  root.replaceChildren(
    h(
      "div",
      { class: "video-screen" },
      heading(video, neighbours, go, player),
      h("div", { class: "watch" }, player.element, timeline.element),
      h(
        "aside",
        { class: "side", "aria-label": "Labels" },
        h("section", { class: "panel" }, h("h2", {}, "People say"), said, buttons),
        h("section", { class: "panel" }, h("h2", {}, "The head says"), bars(video.predicted ?? []), momentList(video, player)),
      ),
      h(
        "section",
        { class: "similar" },
        h("header", { class: "row" }, h("h2", {}, "Similar videos"), h("button", { type: "button", onclick: () => search.addMoment(video.id, player.at) }, icon("search"), "Search this moment")),
        alike,
      ),
    ),
  );
  showSaid();
  showAlike(alike, video, go);
  const stop = listen("corrected", (humans) => {
    if (!humans.has(shown.id)) return;
    shown = { ...shown, human: humans.get(shown.id) };
    showSaid();
  });
  return { player, close: () => (stop(), player.pause(), player.video.removeAttribute("src"), player.video.load()), takeKey: (event) => takeKey(event, player, () => [shown], neighbours, go) };
}

function heading(video, { previous, next }, go, player) {
  const step = (target, name, words) =>
    target && h("a", { class: "button icon", href: linkTo(target), "data-link": true, "aria-label": words, title: words }, icon(name));
  const copy = async () => {
    const link = `${location.origin}${linkTo(video.id, player.at)}`;
    await navigator.clipboard?.writeText(link).catch(() => {});
    history.replaceState(history.state, "", linkTo(video.id, player.at));
    announce(`Link to ${clock(player.at)} copied`);
  };
  const size = video.width ? `${video.width} × ${video.height}` : null;
  return h(
    "header",
    { class: "video-head" },
    h("button", { type: "button", class: "icon", "aria-label": "Back", onclick: () => (history.state?.from ? history.back() : go("/")) }, icon("back")),
    h("div", {}, h("h1", {}, nameOf(video.id)), h("p", { class: "quiet" }, [folderOf(video.id), clock(video.duration_s), size].filter(Boolean).join("  ·  "))),
    h("div", { class: "row" }, h("button", { type: "button", onclick: copy }, "Copy link"), step(previous, "back", "Previous video (P)"), step(next, "next", "Next video (N)")),
  );
}

export const linkTo = (id, t = 0) => `/?video=${encodeURIComponent(id)}${t >= 0.05 ? `&t=${t.toFixed(1)}` : ""}`;

function saidOf(video) {
  const human = video.human?.labels;
  const rows = [];
  if (human) {
    const who = [video.human.who, video.human.made_at?.slice(0, 10)].filter(Boolean).join(", ");
    const chips = human.length ? human.map((label) => saidChip(label, true)) : [h("span", { class: "chip said k-other" }, "no label", icon("person"))];
    rows.push(h("p", {}, ...chips, h("small", {}, `corrected here${who ? `, ${who}` : ""}`)));
  }
  if (video.given?.length) rows.push(h("p", {}, ...video.given.map((label) => saidChip(label, false)), h("small", {}, "in the label file")));
  if (!rows.length) rows.push(h("p", { class: "quiet" }, "Nobody has labelled this video yet. Press a label, or its key."));
  return rows;
}

function momentList(video, player) {
  const moments = [...(video.moments ?? [])];
  if (!moments.length) return h("p", { class: "quiet" }, "No moment speaks strongly for a label.");
  const row = (moment) =>
    h(
      "li",
      {},
      h("button", { type: "button", onclick: () => player.seek(moment.start_s, { play: true }) }, mark(moment.label), h("span", {}, moment.label), h("span", { class: "quiet" }, `${clock(moment.start_s)}–${clock(moment.end_s)}`), h("b", {}, percent(moment.score))),
    );
  return h("details", { open: moments.length <= 6 }, h("summary", {}, counted(moments.length, "moment")), h("ol", { class: "moments" }, ...moments.slice(0, 50).map(row)));
}

async function showAlike(place, video, go) {
  try {
    const { hits, how } = await api.similar(video.id, null, 12);
    const others = hits.filter((hit) => hit.id !== video.id);
    if (!others.length) return place.replaceChildren(h("p", { class: "quiet" }, "The store holds nothing else to compare with."));
    place.replaceChildren(hitCards(others, (hit) => go(linkTo(hit.id, hit.best_s))), h("p", { class: "quiet" }, how ?? ""));
  } catch (error) {
    place.replaceChildren(h("p", { class: "quiet", role: "alert" }, error.message));
  }
}

function takeKey(event, player, videos, { previous, next }, go) {
  const label = labelOfKey(event);
  if (label !== null) return toggle(videos(), label), true;
  if (player.takeKey(event)) return true;
  if (event.key === "n" && next) return go(linkTo(next)), true;
  if (event.key === "p" && previous) return go(linkTo(previous)), true;
  if (event.key === "Escape") return history.state?.from ? history.back() : go("/"), true;
  return false;
}
