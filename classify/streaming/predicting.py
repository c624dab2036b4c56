"""`stream_predictions`: label videos one at a time, into a file that a killed run can go on with, or to a caller."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from classify.classifier import (
    HeadEmbedder,
    Prediction,
    Predictions,
    VideoClassifier,
    number_labels,
    refuse_new_videos,
)
from classify.files import hash_text, open_whole, refuse_output_file
from classify.streaming.config import StreamConfig, StreamSummary
from classify.streaming.formats import (
    TextFormat,
    describe_output,
    describe_torn,
    refuse_without_parquet,
    text_format,
    write_results,
)
from classify.streaming.journal import Journal, Key, Result, journal_beside
from classify.streaming.labelling import Labeller, Progress, find_open, stores_among
from classify.streaming.live_files import LiveFile
from classify.streaming.sheets import Sheets
from classify.training import find_device
from embed import find_videos
from embed.store import EmbeddingStore, Failure, hash_weights

_USUAL = StreamConfig()


def stream_predictions(
    head: str | Path,
    sources: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    *,
    config: StreamConfig = _USUAL,
    on_result: Callable[[Result], None] | None = None,
    on_progress: Progress = None,
) -> StreamSummary:
    """Label videos with a trained head, and keep none of the results in memory.

    If a run is killed, what it has done lies beside the output (`classify.streaming.journal`), and the same call does
    only what is missing. The output appears as a whole at the end; JSON lines appear as videos are done.

    Args:
        head: the head's folder.
        sources: one or several: stores, and any other source of `embed_videos`.
        output: file to write; None writes none.
        config: how videos are labelled, and the format.
        on_result: gets each result as soon as it is there, and not those of an earlier, unfinished run.
        on_progress: handed to `embed_videos`.

    Raises:
        ClassifyError: as in `predict_videos`; or an unfinished run of other settings has left its work there.
        HeadError, EncoderMismatch, TrainError, EmbedError: as in `predict_videos`.
    """
    with open_run(head, sources, output, config=config, on_result=on_result) as run:
        run.label(on_progress)
        run.finish()
    return run.summary


def predictions_of(head: str | Path, results: Sequence[Result], order: Mapping[str, int]) -> Predictions:
    """Return results as the predictions of a head, in an order of ids."""
    videos = [own for own in results if isinstance(own, Prediction)]
    failures = [own for own in results if isinstance(own, Failure)]
    return Predictions(
        VideoClassifier.load(head).names,
        tuple(sorted(videos, key=lambda own: order.get(own.video_id, len(order)))),
        tuple(sorted(failures, key=lambda own: own.id.encode(errors="surrogateescape"))),
    )


def text_format_of(head: str | Path, config: StreamConfig) -> TextFormat:
    """Return how the results of a head become text."""
    names = VideoClassifier.load(head).names
    numbers = number_labels(names, config.predict.vocabulary) if config.file_format == "yt8m" else ()
    return text_format(config, names, numbers)


@dataclass
class Run:
    """A run that labels videos, once or again and again.

    Args:
        classifier: the head.
        sources: stores and others.
        config: how they are labelled.
        numbers: of the labels, for YouTube-8M's format.
        output: the file to write, or None.
        embedder: embeds new videos, and keeps its encoder.
        summary: what was done so far.
        on_result: gets each result.
        sheets: makes contact sheets, or None.
        journal: of the output, or None.
        live: the output, where it grows with each result, or None.
    """

    classifier: VideoClassifier
    sources: Sequence[str | Path]
    config: StreamConfig
    numbers: tuple[int, ...]
    output: Path | None
    embedder: HeadEmbedder
    summary: StreamSummary = field(default_factory=StreamSummary)
    on_result: Callable[[Result], None] | None = None
    sheets: Sheets | None = None
    journal: Journal | None = None
    live: LiveFile | None = None

    def take(self, result: Result) -> None:
        """Count, keep and hand on a result."""
        if isinstance(result, Failure):
            self.summary.add_failure(result)
        else:
            self.summary.labelled += 1
            self.summary.unsheeted += bool(self.sheets and not self.sheets.make(result))
        result = result if self.config.moments or isinstance(result, Failure) else replace(result, moments=(), how="")
        for follow in (self.journal and self.journal.append, self.live and self.live.append, self.on_result):
            if follow:
                follow(result)

    def is_done(self, key: Key) -> bool:
        """Return True if an earlier run, or an earlier call, has labelled a video."""
        return self.journal is not None and key in self.journal.done

    def label(self, on_progress: Progress = None) -> None:
        """Label what is not done."""
        labeller = Labeller(self.classifier, self.embedder, self.config, self.take, self.is_done)
        stores, others = stores_among(self.sources)
        videos, ids = find_open(others, self.is_done) if others else ([], [])
        for store in stores:
            self._place(labeller.label_store(store))
        self._place(ids)
        if videos:
            self.summary.reused += labeller.label_videos(others, videos, named=stores, on_progress=on_progress)

    def finish(self) -> None:
        """Write the whole output, and remove its journal. JSON lines are there already."""
        if self.journal is None:
            return
        if self.live is not None:
            self.live.begin()
        else:
            self._write(_ordered(self.journal, self.summary.order))
        self.journal.remove()

    def rewrite(self) -> None:
        """Write all results so far in the order in which they came."""
        self._write(self.journal.results() if self.journal else ())

    def _write(self, results: Iterable[Result]) -> None:
        assert self.output is not None, "what is written has an output"
        with open_whole(self.output) as file:
            write_results(file, self.config, self.classifier.names, results, self.numbers)

    def _place(self, ids: Iterable[str]) -> None:
        order = self.summary.order
        for video_id in ids:
            order.setdefault(video_id, len(order))


@contextmanager
def open_run(
    head: str | Path,
    sources: str | Path | Sequence[str | Path],
    output: str | Path | None,
    *,
    config: StreamConfig,
    on_result: Callable[[Result], None] | None = None,
    is_live: bool = False,
) -> Iterator[Run]:
    """Check everything, and open what is to be written.

    Args:
        head: as for `stream_predictions`, and so are the next four.
        sources: stores and others.
        output: the file to write.
        config: how videos are labelled.
        on_result: gets each result.
        is_live: True writes the text of each result into the output as soon as it is there.

    Raises:
        ClassifyError, HeadError: as in `stream_predictions`.
    """
    sources = [sources] if isinstance(sources, str | Path) else sources
    replaced = None if output is None else _refuse_output(output, head, sources, config)
    if config.file_format == "parquet":
        refuse_without_parquet()
    sheets = Sheets(config.sheets, [head, *sources]) if config.sheets is not None else None
    classifier = VideoClassifier.load(head)
    config.rule.check(classifier)
    numbers = number_labels(classifier.names, config.predict.vocabulary) if config.file_format == "yt8m" else ()
    embedder = HeadEmbedder(classifier, head, config.predict)
    _refuse_sources(embedder, sources)
    path = None if output is None else Path(output)
    run = Run(classifier, sources, config, numbers, path, embedder, on_result=on_result, sheets=sheets)
    with ExitStack() as stack:
        if path is not None:
            made_by = _made_by(classifier, config)
            run.journal = stack.enter_context(Journal(path, made_by, classifier.names, overwrite=config.overwrite))
            run.summary.resumed = len(run.journal.done)
            run.summary.replaced = replaced if not run.summary.resumed else None
            if is_live or config.file_format == "jsonl":
                form = text_format(config, classifier.names, numbers)
                run.live = stack.enter_context(LiveFile(path, form, run.rewrite))
        yield run


def _ordered(journal: Journal, order: Mapping[str, int]) -> Iterator[Result]:
    """Yield the results of a journal: first labelled videos by their place, then those that failed by their id."""
    labelled: list[tuple[int, int]] = []
    failed: list[tuple[bytes, int]] = []
    for (video_id, _), is_failed, place in journal.places():
        if is_failed:
            failed.append((video_id.encode(errors="surrogateescape"), place))
        else:
            labelled.append((order.get(video_id, len(order)), place))
    yield from journal.results_at([place for _, place in [*sorted(labelled), *sorted(failed)]])


def _made_by(classifier: VideoClassifier, config: StreamConfig) -> dict[str, Any]:
    """Return what results depend on, JSON-ready."""
    weights = hash_weights((name, own.numpy()) for name, own in classifier.head.state_dict().items())
    said = (weights, classifier.names, classifier.thresholds, classifier.temperature)
    thresholds = [config.rule.threshold, {**config.rule.thresholds}]
    return {"head": hash_text(repr(said)), "top": config.rule.top, "thresholds": thresholds, "moments": config.moments}


def _refuse_sources(embedder: HeadEmbedder, sources: Sequence[str | Path]) -> None:
    """Raise what `stream_predictions` says of sources that the head does not take, and of an absent device."""
    find_device(embedder.config.device)
    stores, others = stores_among(sources)
    for path in stores:
        with EmbeddingStore(path) as store:
            embedder.classifier.check(store.provenance, str(path))
    if others:
        refuse_new_videos(embedder.classifier.provenance.encoder)
        embedder.refuse_for_parts()


def _refuse_output(
    output: str | Path, head: str | Path, sources: Sequence[str | Path], config: StreamConfig
) -> str | None:
    """Raise ClassifyError unless predictions may be written there; return what they replace."""
    own = [path for path in (config.predict.store, config.predict.pretrained, config.predict.vocabulary) if path]
    named = [source for source in sources if "://" not in str(source)]
    if config.overwrite and Path(output).exists():  # a video of a list or a pattern is no source itself
        others = stores_among(sources)[1]
        named += [video.location for video in find_videos(others)] if others else []
    is_unfinished = "\0" not in str(output) and os.path.exists(journal_beside(output))  # noqa: PTH110 (raises nothing)
    return refuse_output_file(
        output,
        kind="a predictions file",
        recognise=lambda path: describe_output(path) or (describe_torn(path) if is_unfinished else None),
        inputs=[head, *named, *own],
        overwrite=config.overwrite,
    )
