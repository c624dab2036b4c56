// What all screens know: the server's status, the labels with their looks, and corrections with undo.

import { api } from "./api.js";
import { counted, toast } from "./dom.js";

const COLOURS = 8;
const SHAPES = ["round", "square", "diamond"]; // 8 and 3 share no factor: 24 labels have a mark of their own
const KEPT_BATCHES = "framehead.batches";

export const state = { status: null, labels: [] };
const events = new EventTarget();

/** Hear of "status" (a new status) and "corrected" (detail: {id -> human}). Returns how to stop. */
export function listen(name, run) {
  const heard = (event) => run(event.detail);
  events.addEventListener(name, heard);
  return () => events.removeEventListener(name, heard);
}

export function takeStatus(status) {
  state.status = status;
  state.labels = status.head?.labels ?? state.labels;
  events.dispatchEvent(new CustomEvent("status", { detail: status }));
}

/** The class names of a label's colour and shape. A label that the head does not know is grey. */
export function lookOf(label) {
  const place = state.labels.indexOf(label);
  return place < 0 ? "k-other" : `k${place % COLOURS} ${SHAPES[place % SHAPES.length]}`;
}

/** The labels that people gave a video: corrections first, else those of the label file; null if nobody said anything. */
export function givenTo(video) {
  if (video.human?.labels) return video.human.labels;
  return video.given?.length ? video.given : null;
}

/** The labels that the head gives, most probable first; the first one at least. */
export function predictedFor(video) {
  const all = video.predicted ?? [];
  const given = all.filter((one) => one.given);
  return given.length ? given : all.slice(0, 1);
}

function batches() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT_BATCHES) ?? "[]");
  } catch {
    return [];
  }
}

function keep(list) {
  sessionStorage.setItem(KEPT_BATCHES, JSON.stringify(list.slice(-100)));
}

function told(answer) {
  const detail = new Map((answer.corrected ?? []).map((one) => [one.id, one.human ?? null]));
  events.dispatchEvent(new CustomEvent("corrected", { detail }));
}

/** Store what a person says of videos; `labels` is a list, or null for "no opinion any more". Resolves to success. */
export async function correct(ids, labels) {
  if (!ids.length) return false;
  try {
    const answer = await api.correct(ids.map((id) => ({ id, labels })));
    keep([...batches(), answer.batch]);
    told(answer);
    const what = labels === null ? "taken back" : labels.length ? `labelled ${labels.join(", ")}` : "labelled with nothing";
    toast(`${counted(ids.length, "video")} ${what}`, { action: "Undo", run: undo });
    return true;
  } catch (error) {
    toast(error.message, { isError: true });
    return false;
  }
}

/** Give videos a label more, or take it from those that all have it, where the head knows several labels a video. */
export async function toggle(chosen, label) {
  if (!state.status?.head?.is_multi_label) return correct(chosen.map((one) => one.id), [label]);
  let videos;
  try {
    videos = await withOpinions(chosen);
  } catch (error) {
    toast(error.message, { isError: true });
    return false;
  }
  const isOnAll = videos.every((one) => givenTo(one)?.includes(label));
  const groups = new Map();
  for (const one of videos) {
    const rest = (givenTo(one) ?? []).filter((held) => held !== label);
    const labels = isOnAll ? rest : [...rest, label];
    const key = JSON.stringify(labels);
    groups.set(key, [...(groups.get(key) ?? []), one.id]);
  }
  return correctEach([...groups].flatMap(([key, ids]) => ids.map((id) => ({ id, labels: JSON.parse(key) }))));
}

/** Ask what people say of videos that are known by their ids alone, so that no label of theirs is lost. */
async function withOpinions(videos) {
  const unknown = videos.filter((one) => !one.predicted).map((one) => one.id);
  const found = new Map((await api.videosOf(unknown)).map((one) => [one.id, one]));
  return videos.map((one) => found.get(one.id) ?? one);
}

async function correctEach(changes) {
  try {
    const answer = await api.correct(changes);
    keep([...batches(), answer.batch]);
    told(answer);
    toast(`${counted(changes.length, "video")} corrected`, { action: "Undo", run: undo });
    return true;
  } catch (error) {
    toast(error.message, { isError: true });
    return false;
  }
}

/** Take the last correction of this window back. */
export async function undo() {
  const kept = batches();
  const batch = kept.pop();
  if (batch === undefined) return toast("There is nothing to undo in this window.");
  try {
    told(await api.undo(batch));
    keep(kept);
    toast("Undone");
  } catch (error) {
    toast(error.message, { isError: true });
  }
}
