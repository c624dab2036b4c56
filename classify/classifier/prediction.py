"""Labels for new videos, or for those of a store; and vectors of the labels' words.

New videos are decoded, sampled and embedded as the head's own store was. `classify.classifier.predictions` says what a
predictions file holds.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from classify.classifier.classifier import VideoClassifier
from classify.classifier.kept_pca import pca_of
from classify.classifier.prediction_files import describe_predictions_file
from classify.classifier.predictions import Prediction, Predictions, Probabilities
from classify.classifier.youtube8m_files import describe_pairs_file, number_labels, refuse_new_videos
from classify.comparison import make_prompts
from classify.data import Labels, read_labels
from classify.errors import ClassifyError
from classify.files import refuse_output_file, write_whole
from classify.training import open_videos
from embed import (
    EmbedConfig,
    EmbedError,
    UniformFrames,
    embed_videos,
    find_videos,
    join_like,
    load_encoder,
    load_text_encoder,
    read_frames,
)
from embed.machine import temporary_folder
from embed.store import EmbeddingStore, Failure, Provenance, is_store


@dataclass(frozen=True)
class PredictConfig:
    """How new videos are embedded and labelled, which changes no more than the last digits, and how this is written.

    Args:
        device: of encoder and head: "cpu", "cuda", or "auto" for a GPU where there is one.
        pretrained: checkpoint file of the encoder, if it has moved since the head was trained.
        batch_size: frames, or clips, that the encoder takes at once; None is what suits it.
        store: the store that keeps the embeddings, so that the next run can reuse them; None keeps none.
        playlists: True if local files named as playlists (.m3u8, .ffconcat) may play the files that they name.
        public_only: True fetches links from hosts of the public internet only, redirections included.
        file_format: "csv", or "yt8m" for the 20 likeliest labels of each video as YouTube-8M's numbers.
        vocabulary: YouTube-8M's `vocabulary.csv`, which has these numbers, if the head's labels are names.

    Raises:
        ClassifyError: there is a vocabulary, but no file that needs it.
    """

    device: str = "auto"
    pretrained: str | None = None
    batch_size: int | None = None
    store: Path | None = None
    playlists: bool = False
    public_only: bool = False
    file_format: Literal["csv", "yt8m"] = "csv"
    vocabulary: str | Path | None = None

    def __post_init__(self) -> None:
        if self.vocabulary is not None and self.file_format != "yt8m":
            raise ClassifyError("--vocabulary has the numbers for --format yt8m. Give both, or neither.")


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
        HeadError: there is no head in that folder, or it cannot embed new videos.
        TrainError: there is no such device here.
        EncoderMismatch: the vectors of a store were not made as those that the head learned from.
        EmbedError: a source is absent, or the head's encoder cannot be loaded.
    """
    sources = [sources] if isinstance(sources, str | Path) else sources
    replaced = None if output is None else _refuse_output(output, head, sources, config, overwrite)
    classifier = VideoClassifier.load(head)
    numbers = number_labels(classifier.names, config.vocabulary) if config.file_format == "yt8m" else ()
    stores = [source for source in sources if is_store(source)]
    others = [source for source in sources if not is_store(source)]
    if others:
        refuse_new_videos(classifier.provenance.encoder)
    found = [_label_store(classifier, store, config.device) for store in stores]
    if others:
        found.append(_label_videos(classifier, others, config, head, on_progress))
    predictions = Predictions(
        names=classifier.names,
        videos=tuple(video for part in found for video in part.videos),
        failures=tuple(failure for part in found for failure in part.failures),
        replaced=replaced,
        numbers=numbers,
    )
    if output is not None:
        write_whole(Path(output), predictions.to_csv(spreadsheet_safe=spreadsheet_safe))
    return predictions


def _refuse_output(
    output: str | Path, head: str | Path, sources: Sequence[str | Path], config: PredictConfig, overwrite: bool
) -> str | None:
    """Raise ClassifyError unless predictions may be written there; return what they replace."""
    own = [path for path in (config.store, config.pretrained, config.vocabulary) if path is not None]
    named = [source for source in sources if "://" not in str(source)]
    if overwrite and Path(output).exists():  # a video of a list or a pattern is no source itself
        others = [source for source in sources if not is_store(source)]
        named += [video.location for video in find_videos(others)] if others else []
    return refuse_output_file(
        output,
        kind="a predictions file",
        recognise=lambda path: describe_predictions_file(path) or describe_pairs_file(path),
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
    head: str | Path,
    on_progress: Callable[[Any], None] | None,
) -> Predictions:
    """Embed videos as the head's own were embedded, and label those that did not fail."""
    made = classifier.provenance
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder("predict"))
        path = config.store or folder / "embeddings.h5"
        if made.parts:
            _refuse_for_parts(made, config)
            parts = [folder / f"part-{number}.h5" for number in range(len(made.parts))]
            for part, place in zip(made.parts, parts, strict=True):
                _embed(part, sources, place, config, pca_of(head, part), on_progress)
            failures = _failures_of(parts)
            join_like(parts, path, made)
        else:
            _embed(made, sources, path, config, pca_of(head, made), on_progress, classifier=classifier)
            failures = ()
        store = stack.enter_context(EmbeddingStore(path))
        found = _label(classifier, store, [video.id for video in find_videos(sources)], config.device)
        return replace(found, failures=(*found.failures, *failures))


def _embed(
    made: Provenance,
    sources: Sequence[str | Path],
    path: Path,
    config: PredictConfig,
    pca: str | None,
    on_progress: Callable[[Any], None] | None,
    *,
    classifier: VideoClassifier | None = None,
) -> None:
    """Embed videos as those of a provenance were embedded, and compare the encoder with that of a head."""
    embedding = EmbedConfig.from_provenance(
        made, pretrained=config.pretrained, device=config.device, batch_size=config.batch_size
    )
    embedding = replace(embedding, playlists=config.playlists, public_only=config.public_only, pca=pca)
    encoder = load_encoder(
        embedding.model,
        pretrained=embedding.pretrained,
        device=embedding.device,
        precision=embedding.precision,
        pca=pca,
        window=made.encoder.window,
        stop_before=embedding.stop_before,
    )
    if classifier is not None:
        classifier.check(replace(made, encoder=encoder.identity), f"{config.pretrained or embedding.model}")
    embed_videos(sources, path, embedding, encoder=encoder, on_progress=on_progress)


def _refuse_for_parts(made: Provenance, config: PredictConfig) -> None:
    """Raise ClassifyError for settings that cannot hold for several encoders at once."""
    for option, value in (("--pretrained", config.pretrained), ("--store", config.store)):
        if value is not None:
            models = " and ".join(part.encoder.model for part in made.parts)
            raise ClassifyError(
                f"{option} is for heads of one encoder, but this head sees vectors of {models}. Leave it out; or embed "
                "the videos with each of them, run join-stores, and name that store in place of the videos."
            )


def _failures_of(stores: Sequence[Path]) -> tuple[Failure, ...]:
    """Return the videos that one of several stores lacks, each once."""
    found: dict[str, Failure] = {}
    for path in stores:
        with EmbeddingStore(path) as store:
            found = {failure.id: failure for failure in store.failures} | found
    return tuple(found[video_id] for video_id in sorted(found))


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
                Probabilities(place_of, row),
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
