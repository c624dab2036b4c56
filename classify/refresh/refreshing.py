"""`refresh_head`: one run of what a scheduler repeats, from new videos to the head in use."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from classify.classifier import VideoClassifier
from classify.corrections import Correction, CorrectionLog, state_path
from classify.data import LabelConfig, LabelTable, SplitConfig, content_hashes, read_table
from classify.errors import HeadError
from classify.experiment import train_head
from classify.files import refuse_other_folder
from classify.refresh.config import RefreshConfig
from classify.refresh.drift import measure_drift
from classify.refresh.held_out import HELD_OUT, LABELS, SPLIT, HeldOut, assign_parts, write_material
from classify.refresh.promotion import Decision, decide_promotion
from classify.refresh.versions import HeadVersions
from classify.training import TrainConfig, open_videos
from classify.training_report import TrainingReport
from embed import EmbedConfig, EmbedSummary, UniformFrames, embed_videos, find_videos
from embed.store import EmbeddingStore, is_store

_AUTO = "auto"


@final
@dataclass(frozen=True)
class RefreshSummary:
    """What a run did.

    Args:
        embedded, failed: videos of this run, and videos that could not be read.
        videos: labelled videos that train, choose or test.
        set_aside: videos that belong to held-out ones, or are copies of them.
        corrections: corrections that hold.
        version: the new version; None if nothing was trained.
        champion: the version in use at the end; None if there is none.
        decision: on the new version; None if nothing was trained.
        micro_f1: of the new version on the held-out videos, with its interval; None if nothing was trained.
        looks: how often heads were compared on the held-out videos.
        new_labels: label -> number of its videos, of labels that the champion did not know.
        drift: as `measure_drift` says it.
        note: why nothing was trained, or what would be done; "" otherwise.
    """

    embedded: int = 0
    failed: int = 0
    videos: int = 0
    set_aside: int = 0
    corrections: int = 0
    version: str | None = None
    champion: str | None = None
    decision: Decision | None = None
    micro_f1: tuple[float, float, float] | None = None
    looks: int = 0
    new_labels: dict[str, int] = field(default_factory=dict)
    drift: dict[str, float | int] | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the summary JSON-ready."""
        decision = self.decision
        found = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "decision"}
        return found | {
            "is_promoted": decision.is_promoted if decision else None,
            "reason": decision.reason if decision else None,
            "gain": _interval(decision.difference) if decision and decision.difference else None,
        }


def refresh_head(
    config: RefreshConfig,
    *,
    is_dry: bool = False,
    is_waiting: bool = False,
    on_progress: Callable[[Any], None] | None = None,
) -> RefreshSummary:
    """Embed what is new, train a challenger, and promote it if it is surely better than the champion.

    The run trains only if labelled videos, corrections or settings have changed since the last version. Whatever kills
    it, the champion stays whole, and the next run does what is missing.

    Args:
        config: sources, store, labels, how to train, and where the versions are.
        is_dry: only say what would be done. Nothing is written.
        is_waiting: wait for another run on the same versions; else leave with an error.
        on_progress: as for `embed_videos`.

    Raises:
        HeadError: another run is at work, a version cannot be read, or the folder of versions holds something else.
        ClassifyError, EmbedError: as for `embed_videos`, `split_videos` and `train_head`.
    """
    versions = HeadVersions(config.heads)
    refuse_other_folder(config.heads, what="versions of a head", is_own=_tell_own(versions), error=HeadError)
    with nullcontext() if is_dry else versions.lock(is_waiting=is_waiting):
        if is_dry:
            return _dry(config, versions)
        versions.finish()
        embedded = _embed(config, on_progress)
        return _refresh(config, versions, embedded)


def roll_back(config: RefreshConfig, *, is_waiting: bool = False) -> RefreshSummary:
    """Put the champion before this one in use again.

    Raises:
        HeadError: there was none, or a run is at work.
    """
    versions = HeadVersions(config.heads)
    with versions.lock(is_waiting=is_waiting):
        name = versions.roll_back()
    return RefreshSummary(champion=name, note=f"{name} is in use again.")


def _refresh(config: RefreshConfig, versions: HeadVersions, embedded: EmbedSummary) -> RefreshSummary:
    corrections = CorrectionLog(state_path(config.store)).current()
    with EmbeddingStore(config.store) as store:
        table, hashes = _labelled(store, config, corrections)
        held_out = HeldOut.read(config.heads) or _draw(table, store, config)
        parts, aside = assign_parts(table, hashes, held_out, config.validation_size)
        inputs = _digest(config, table, hashes, parts)
        names, champion = versions.names(), versions.champion()
        told = RefreshSummary(
            embedded=embedded.embedded,
            failed=embedded.failed,
            videos=len(parts),
            set_aside=len(aside),
            corrections=len(corrections),
            champion=champion,
            looks=held_out.looks,
        )
        last = versions.lineage(names[-1]) if names else {}
        if last.get("inputs") == inputs:
            return replace(told, note="Nothing has changed since the last version, so nothing was trained.")
        write_material(config.heads, table, parts)
        used = None if champion is None else VideoClassifier.load(versions.path_of(champion))
        report = _train(config, versions, champion)
        decision = _decide(config, used, report, store, table, held_out)
        held_out = held_out.seen_again()
        held_out.write(config.heads)
        told = replace(
            told,
            decision=decision,
            micro_f1=_micro_f1(report),
            looks=held_out.looks,
            new_labels=_new_labels(table, used),
            drift=measure_drift(store, *_old_and_new(store, last)),
        )
        lineage = _lineage(config, told, table, parts, inputs, store)
        version = versions.add(lineage, is_champion=decision.is_promoted)
        return replace(told, version=version, champion=version if decision.is_promoted else champion)


def _tell_own(versions: HeadVersions) -> Callable[[Path], bool]:
    """Return what tells what runs wrote beside the versions: no split or labels before videos are held out."""
    material = (HELD_OUT, SPLIT, LABELS) if (versions.folder / HELD_OUT).is_file() else ()
    return lambda path: versions.is_own(path) or path.name.startswith(material)


def _embed(config: RefreshConfig, on_progress: Callable[[Any], None] | None) -> EmbedSummary:
    """Embed what is new, as the store was made."""
    embedding = EmbedConfig(model=config.model, sampling=UniformFrames(config.frames_count))
    if is_store(config.store):
        with EmbeddingStore(config.store) as store:
            embedding = EmbedConfig.from_provenance(store.provenance)
    embedding = replace(embedding, is_pruning=config.prune)
    return embed_videos(list(config.sources), config.store, embedding, on_progress=on_progress)


def _labelled(
    store: EmbeddingStore, config: RefreshConfig, corrections: Mapping[str, Correction]
) -> tuple[LabelTable, tuple[str, ...]]:
    """Return the labels of the store's videos with corrections put in, and the videos' content hashes."""
    labels = LabelConfig(config.labels)
    table = read_table(store.path, labels, SplitConfig(group_by=config.group_by))
    found = {name: table.names_of(row) for row, name in enumerate(table.ids)}
    groups = dict(zip(table.ids, table.groups, strict=True)) if table.groups else None
    hash_of = dict(zip(store.ids, content_hashes(store, store.ids), strict=True))
    known_by = {known: name for name, known in hash_of.items() if known}
    for name, correction in corrections.items():
        place = name if name in store else known_by.get(correction.content_hash, "")
        if place:
            found[place] = correction.labels or ()
    found = {name: own for name, own in found.items() if own}
    if groups is not None:
        groups = {name: groups.get(name, name) for name in found}
    corrected = LabelTable.from_labels(found, groups=groups)
    return corrected, tuple(hash_of[name] for name in corrected.ids)


def _draw(table: LabelTable, store: EmbeddingStore, config: RefreshConfig) -> HeldOut:
    held_out = HeldOut.draw(table, store, SplitConfig(test_size=config.test_size, validation_size=0))
    held_out.write(config.heads)
    return held_out


def _train(config: RefreshConfig, versions: HeadVersions, champion: str | None) -> TrainingReport:
    """Train a challenger at the place of the next version. Its labels begin with the champion's, in their order."""
    vocabulary = versions.path_of(champion) if champion else None
    settings: dict[str, Any] = {"arch": config.arch}
    if config.arch != _AUTO:
        settings |= {"mixup": config.mixup} | ({"epochs": config.epochs} if config.epochs else {})
    return train_head(
        config.store,
        config.heads / SPLIT,
        versions.making(),
        labels=LabelConfig(config.heads / LABELS, vocabulary=vocabulary, multi_label=True),
        config=TrainConfig(**settings),
        budget_s=config.budget_s if config.arch == _AUTO else None,
    )


def _decide(
    config: RefreshConfig,
    used: VideoClassifier | None,
    report: TrainingReport,
    store: EmbeddingStore,
    table: LabelTable,
    held_out: HeldOut,
) -> Decision:
    """Let both heads label the held-out videos that are still there, and compare them."""
    rows = [row for row, name in enumerate(table.ids) if name in held_out.videos]
    ids = [table.ids[row] for row in rows]
    groups = [table.groups[row] for row in rows] if table.groups else None
    challenger = report.classifier
    names = tuple(dict.fromkeys((*table.names, *challenger.names, *(used.names if used else ()))))
    if used is not None:
        used.check(store.provenance, str(config.store), is_labelled=True)
    return decide_promotion(
        _spread(table.targets[rows], table.names, names),
        None if used is None else _answers(used, store, ids, names),
        _answers(challenger, store, ids, names),
        groups=groups,
        min_gain=config.min_gain,
    )


def _answers(
    classifier: VideoClassifier, store: EmbeddingStore, ids: list[str], names: tuple[str, ...]
) -> NDArray[np.bool_]:
    probabilities = classifier.predict_probabilities(open_videos(store, ids))
    return _spread(classifier.decide(probabilities), classifier.names, names)


def _spread(found: NDArray[np.bool_], own: tuple[str, ...], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return the columns of some labels among those of all: (N, C); a label that is not known is never given."""
    spread = np.zeros((len(found), len(names)), dtype=np.bool_)
    spread[:, [names.index(name) for name in own]] = found
    return spread


def _new_labels(table: LabelTable, used: VideoClassifier | None) -> dict[str, int]:
    if used is None:
        return {}
    counts = dict(zip(table.names, table.targets.sum(axis=0).tolist(), strict=True))
    return {name: count for name, count in counts.items() if name not in used.names}


def _old_and_new(store: EmbeddingStore, last: dict[str, object]) -> tuple[list[str], list[str]]:
    """Return the ids of the last version's store, and those that came since."""
    before = last.get("store_videos")
    old = set(before) if isinstance(before, list) else set()
    return [name for name in store.ids if name in old], [name for name in store.ids if name not in old]


def _micro_f1(report: TrainingReport) -> tuple[float, float, float]:
    found = report.evaluations["test"]
    interval = found.intervals["micro_f1"]
    return round(found.metrics.micro_f1, 4), round(interval.low, 4), round(interval.high, 4)


def _interval(found: Any) -> list[float]:
    return [round(float(value), 4) for value in (found.value, found.low, found.high)]


def _digest(config: RefreshConfig, table: LabelTable, hashes: tuple[str, ...], parts: dict[str, str]) -> str:
    """Return what tells whether a training would see anything new."""
    training = [config.arch, config.budget_s, config.epochs, config.mixup, config.min_gain]
    rows = [
        (name, parts.get(name, ""), known, table.labels_of(row))
        for row, (name, known) in enumerate(zip(table.ids, hashes, strict=True))
    ]
    text = json.dumps([training, rows])
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _lineage(
    config: RefreshConfig,
    told: RefreshSummary,
    table: LabelTable,
    parts: dict[str, str],
    inputs: str,
    store: EmbeddingStore,
) -> dict[str, object]:
    """Return what a version was made from."""
    counts = Counter(parts.values())
    settings = {name: getattr(config, name) for name in config.__dataclass_fields__}
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "parent": told.champion,
        "inputs": inputs,
        "config": {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()},
        "split": dict(sorted(counts.items())),
        "labels": dict(zip(table.names, table.targets.sum(axis=0).tolist(), strict=True)),
        "store_videos": [name for name in store.ids if name.isprintable()],
        "summary": told.to_json(),
    }


def _dry(config: RefreshConfig, versions: HeadVersions) -> RefreshSummary:
    """Say what a run would begin with, without writing anything."""
    videos = find_videos(list(config.sources))
    known: set[str] = set()
    if is_store(config.store):
        with EmbeddingStore(config.store) as store:
            known = {*store.ids, *(failure.id for failure in store.failures)}
    new = [video.id for video in videos if video.id not in known]
    corrections = CorrectionLog(state_path(config.store)).current()
    champion = versions.champion()
    held_out = HeldOut.read(config.heads)
    return RefreshSummary(
        corrections=len(corrections),
        champion=champion,
        looks=held_out.looks if held_out else 0,
        note=f"{len(new):,} of {len(videos):,} videos would be embedded. Nothing was written.",
    )
