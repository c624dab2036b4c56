"""Labels for new videos, or for those of a store; and vectors of the labels' words.

New videos are decoded, sampled and embedded as the head's own store was. `classify.classifier.predictions` says what a
predictions file holds.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.classifier.classifier import VideoClassifier
from classify.classifier.embedding import HeadEmbedder
from classify.classifier.predict_config import PredictConfig
from classify.classifier.prediction_files import describe_predictions_file
from classify.classifier.predictions import Prediction, Predictions, Probabilities
from classify.classifier.youtube8m_files import describe_pairs_file, number_labels, refuse_new_videos
from classify.comparison import make_prompts
from classify.data import Labels, read_labels
from classify.files import refuse_output_file, write_whole
from classify.training import open_videos
from embed import EmbedError, UniformFrames, find_videos, load_text_encoder, read_frames
from embed.machine import temporary_folder
from embed.store import EmbeddingStore, Failure, is_store


def predict_videos(
    head: str | Path,
    sources: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    *,
    config: PredictConfig = PredictConfig(),  # noqa: B008 - frozen
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
        found.append(_label_videos(HeadEmbedder(classifier, head, config), others, on_progress))
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
    embedder: HeadEmbedder, sources: Sequence[str | Path], on_progress: Callable[[Any], None] | None
) -> Predictions:
    """Embed videos as the head's own were embedded, and label those that did not fail."""
    classifier, config = embedder.classifier, embedder.config
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder("predict"))
        path, failures = config.store or folder / "embeddings.h5", tuple[Failure, ...]()
        if embedder.is_joined:
            embedder.refuse_for_parts()
            failures = embedder.embed_parts(sources, path, on_progress=on_progress)
        else:
            embedder.embed(sources, path, on_progress=on_progress)
        store = stack.enter_context(EmbeddingStore(path))
        found = _label(classifier, store, [video.id for video in find_videos(sources)], config.device)
        return replace(found, failures=(*found.failures, *failures))


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
