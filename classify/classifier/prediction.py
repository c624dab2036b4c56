"""Labels for new videos, or for those of a store; and vectors of the labels' words.

New videos are decoded, sampled and embedded as the head's own store was. A predictions file is a CSV with one row a
video, first those that have predictions, then those that failed. Its columns:

    id                     the video's id
    path                   where the video lies: an absolute path or an address; empty where a store does not know it
    labels                 the labels given to it, likeliest first, with `|` between them; empty where no label reached
                           its threshold, and where the video failed
    probability            of each of these labels, in their order, with `|` between them
    error                  empty, except where the video failed: the reason's code, a colon, and what happened
    probability_{label}    one column for each label that the head knows; empty where the video failed
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from heapq import nlargest
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from classify.classifier.classifier import VideoClassifier
from classify.classifier.kept_pca import pca_of
from classify.classifier.prediction_files import COLUMNS, OF_LABEL, describe_predictions_file, plain_cell
from classify.comparison import make_prompts
from classify.data import SEPARATOR, Labels, read_labels
from classify.files import csv_text, refuse_output_file, write_whole
from classify.training import open_videos
from embed import (
    EmbedConfig,
    EmbedError,
    UniformFrames,
    embed_videos,
    find_videos,
    load_encoder,
    load_text_encoder,
    read_frames,
)
from embed.machine import temporary_folder
from embed.store import EmbeddingStore, Failure, is_store


@dataclass(frozen=True)
class PredictConfig:
    """How new videos are embedded and labelled. The settings change no more than the last digits of the result.

    Args:
        device: of encoder and head: "cpu", "cuda", or "auto" for a GPU where there is one.
        pretrained: checkpoint file of the encoder, if it has moved since the head was trained.
        batch_size: frames, or clips, that the encoder takes at once; None is what suits it.
        store: the store that keeps the embeddings, so that the next run can reuse them; None keeps none.
        playlists: True if local files named as playlists (.m3u8, .ffconcat) may play the files that they name.
        public_only: True fetches links from hosts of the public internet only, redirections included.
    """

    device: str = "auto"
    pretrained: str | None = None
    batch_size: int | None = None
    store: Path | None = None
    playlists: bool = False
    public_only: bool = False


@dataclass(frozen=True)
class Prediction:
    """What one video shows.

    Args:
        video_id: its id.
        labels: the labels given to it, likeliest first; none where no label reached its threshold.
        probabilities: label -> probability, for every label that the head knows.
        location: where it lies, an absolute path or an address; empty where the store does not know it.
    """

    video_id: str
    labels: tuple[str, ...]
    probabilities: Mapping[str, float]
    location: str = ""

    def likeliest(self, count: int) -> list[tuple[str, float]]:
        """Return the labels with the highest probabilities, and these, highest first.

        >>> Prediction("a.mp4", (), {"hug": 0.1, "kick": 0.7, "wave": 0.2}).likeliest(2)
        [('kick', 0.7), ('wave', 0.2)]
        """
        return nlargest(count, self.probabilities.items(), key=lambda entry: entry[1])


@dataclass(frozen=True)
class Predictions:
    """What `predict_videos` found.

    Args:
        names: (C,) labels that the head knows.
        videos: one prediction for each video: first those of stores, then those that were embedded, each in the order
            of the sources.
        failures: the videos that could not be embedded, and why.
        replaced: a sentence about what the predictions file replaced; None if nothing.
    """

    names: tuple[str, ...]
    videos: tuple[Prediction, ...]
    failures: tuple[Failure, ...]
    replaced: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the predictions JSON-ready, with what a predictions file says."""
        return {
            "videos": [
                {
                    "id": video.video_id,
                    "path": video.location,
                    "labels": video.labels,
                    "probabilities": {**video.probabilities},
                }
                for video in self.videos
            ],
            "failures": [
                {"id": failure.id, "path": failure.location, "reason": failure.reason, "detail": failure.detail}
                for failure in self.failures
            ],
        }

    def to_csv(self, *, spreadsheet_safe: bool = False) -> str:
        """Return the text of a predictions file.

        Args:
            spreadsheet_safe: True writes `'` before each cell that a spreadsheet would take for a formula.
        """
        rows = self._rows()
        return csv_text(map(plain_cell, row) for row in rows) if spreadsheet_safe else csv_text(rows)

    def _rows(self) -> Iterator[list[str]]:
        """Yield the rows of a predictions file, one at a time: all cells of a large set would fill the memory."""
        yield [*COLUMNS, *(f"{OF_LABEL}{name}" for name in self.names)]
        for video in self.videos:
            given = SEPARATOR.join(f"{video.probabilities[label]:.4f}" for label in video.labels)
            every = [f"{video.probabilities[name]:.4f}" for name in self.names]
            yield [video.video_id, video.location, SEPARATOR.join(video.labels), given, "", *every]
        for failure in self.failures:
            said = f"{failure.reason}: {failure.detail}"
            yield [failure.id, failure.location, "", "", said, *([""] * len(self.names))]


def predict_videos(
    head: str | Path,
    sources: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    *,
    config: PredictConfig = PredictConfig(),
    spreadsheet_safe: bool = False,
    on_progress: Callable[[Any], None] | None = None,
    overwrite: bool = False,
) -> Predictions:
    """Label videos with a trained head.

    Args:
        head: the head's folder.
        sources: one or several: stores, which are read as they are, and any other source of `embed_videos`.
        output: predictions file to write; an older one is replaced unless it was edited. None writes none.
        config: how videos are embedded and labelled.
        spreadsheet_safe: as for `Predictions.to_csv`.
        on_progress: handed to `embed_videos`.
        overwrite: replace also another file, except an input.

    Raises:
        ClassifyError: `output` is an input, holds something else than predictions, or cannot be written.
        HeadError: there is no head in that folder.
        TrainError: there is no such device here.
        EncoderMismatch: the vectors of a store were not made as those that the head learned from.
        EmbedError: a source is absent, or the head's encoder cannot be loaded.
    """
    sources = [sources] if isinstance(sources, str | Path) else sources
    replaced = None if output is None else _refuse_output(output, head, sources, config, overwrite)
    classifier = VideoClassifier.load(head)
    stores = [source for source in sources if is_store(source)]
    others = [source for source in sources if not is_store(source)]
    found = [_label_store(classifier, store, config.device) for store in stores]
    if others:
        found.append(_label_videos(classifier, others, config, pca_of(head, classifier.provenance), on_progress))
    predictions = Predictions(
        names=classifier.names,
        videos=tuple(video for part in found for video in part.videos),
        failures=tuple(failure for part in found for failure in part.failures),
        replaced=replaced,
    )
    if output is not None:
        write_whole(Path(output), predictions.to_csv(spreadsheet_safe=spreadsheet_safe))
    return predictions


def _refuse_output(
    output: str | Path, head: str | Path, sources: Sequence[str | Path], config: PredictConfig, overwrite: bool
) -> str | None:
    """Raise ClassifyError unless predictions may be written there; return what they replace."""
    own = [path for path in (config.store, config.pretrained) if path is not None]
    named = [source for source in sources if "://" not in str(source)]
    if overwrite and Path(output).exists():  # a video of a list or a pattern is no source itself
        others = [source for source in sources if not is_store(source)]
        named += [video.location for video in find_videos(others)] if others else []
    return refuse_output_file(
        output,
        kind="a predictions file",
        recognise=describe_predictions_file,
        inputs=[head, *named, *own],
        overwrite=overwrite,
    )


def grab_frames(location: str) -> list[NDArray[np.uint8]]:
    """Read three frames of a local video, (H, W_px, 3) RGB; none if it is gone or can no longer be read."""
    if not Path(location).is_file():
        return []
    try:
        return list(read_frames(location, UniformFrames(3)).rgb[:, 0])
    except EmbedError:
        return []


def embed_labels(
    store: str | Path,
    labels: Labels = None,
    *,
    prompts: str | Path | None = None,
    pretrained: str | None = None,
    device: str = "auto",
) -> dict[str, NDArray[np.float32]]:
    """Return a vector for each label of a store's videos, made of its words alone.

    Args:
        store: the store's path; its encoder must encode texts too, as all of open_clip's do.
        labels: as for `split_videos`.
        prompts: a prompts file; None makes prompts of the labels' names.
        pretrained: checkpoint file of the store's encoder, if it has moved.
        device: where to encode.

    Returns:
        label -> (D,) of length 1, the direction of the mean over its prompts.

    Raises:
        LabelError: labels or prompts cannot be read, or do not fit.
        EmbedError: the store's encoder does not encode texts, cannot be loaded, or has other weights here.
    """
    with EmbeddingStore(store) as opened:
        names, identity = read_labels(opened, labels).names, opened.provenance.encoder
    said = make_prompts(names, prompts)
    encoder = load_text_encoder(identity, pretrained=pretrained, device=device)
    vectors = encoder.encode_texts([prompt for name in names for prompt in said[name]])
    ends = np.cumsum([len(said[name]) for name in names])
    means = [own.mean(axis=0) for own in np.split(vectors, ends[:-1])]
    return {name: mean / np.linalg.norm(mean) for name, mean in zip(names, means, strict=True)}


def _label_store(classifier: VideoClassifier, path: str | Path, device: str) -> Predictions:
    with EmbeddingStore(path) as store:
        classifier.check(store.provenance, str(path))
        return _label(classifier, store, [*store.ids, *(failure.id for failure in store.failures)], device)


def _label_videos(
    classifier: VideoClassifier,
    sources: Sequence[str | Path],
    config: PredictConfig,
    pca: str | None,
    on_progress: Callable[[Any], None] | None,
) -> Predictions:
    """Embed videos as the head's own were embedded, and label those that did not fail."""
    embedding = EmbedConfig.from_provenance(
        classifier.provenance,
        pretrained=config.pretrained,
        device=config.device,
        batch_size=config.batch_size,
    )
    embedding = replace(embedding, playlists=config.playlists, public_only=config.public_only, pca=pca)
    encoder = load_encoder(
        embedding.model,
        pretrained=embedding.pretrained,
        device=embedding.device,
        precision=embedding.precision,
        pca=pca,
        window=classifier.provenance.encoder.window,
        stop_before=embedding.stop_before,
    )
    made_here = replace(classifier.provenance, encoder=encoder.identity)
    classifier.check(made_here, f"{config.pretrained or embedding.model}")
    with ExitStack() as stack:
        path = config.store or (stack.enter_context(temporary_folder("predict")) / "embeddings.h5")
        embed_videos(sources, path, embedding, encoder=encoder, on_progress=on_progress)
        store = stack.enter_context(EmbeddingStore(path))
        return _label(classifier, store, [video.id for video in find_videos(sources)], config.device)


def _label(classifier: VideoClassifier, store: EmbeddingStore, ids: Sequence[str], device: str) -> Predictions:
    """Label the videos of these ids that have vectors, and list the failures of the others."""
    videos = open_videos(store, [video_id for video_id in ids if video_id in store], device=device)
    probabilities = classifier.predict_probabilities(videos, device=device)
    decided = classifier.decide(probabilities)
    asked, place_of = set(ids), {name: place for place, name in enumerate(classifier.names)}
    return Predictions(
        names=classifier.names,
        videos=tuple(
            Prediction(
                video_id,
                _list_given(classifier.names, row, given),
                _Probabilities(place_of, row),
                store.video(video_id).location,
            )
            for video_id, row, given in zip(videos.ids, probabilities, decided, strict=True)
        ),
        failures=tuple(failure for failure in store.failures if failure.id in asked),
    )


def _list_given(names: Sequence[str], probabilities: NDArray[np.floating], given: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the labels that a video is given, likeliest first."""
    places = np.flatnonzero(given)
    return tuple(names[place] for place in places[np.argsort(-probabilities[places], kind="stable")])


@final
class _Probabilities(Mapping[str, float]):
    """Label -> probability, read from a row (C,) of all videos' array, since dicts take 16 times its memory."""

    def __init__(self, place_of: Mapping[str, int], row: NDArray[np.floating]) -> None:
        self._place_of, self._row = place_of, row

    def __getitem__(self, name: str) -> float:
        return float(self._row[self._place_of[name]])

    def __iter__(self) -> Iterator[str]:
        return iter(self._place_of)

    def __len__(self) -> int:
        return len(self._place_of)

    def __repr__(self) -> str:
        return repr({**self})
