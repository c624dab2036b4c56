"""A trained head as one ONNX file, which runs without torch and without this package.

The model takes the vectors of B videos as a store holds them, and does everything that the head does with them: it
thins them to `max_frames`, projects and standardises them, and divides the logits by the temperature. If a store has
several views, the model takes the rows of a video as they are, view after view, and averages the views' probabilities.

    inputs    vectors        (B, T, D) float32  any B and T; rows where the mask is False may hold anything
              mask           (B, T) bool        True where a vector is real; each video's real vectors come first
              timestamps_s   (B, T) float32     only for a timed head (positions: timestamps): each vector's moment on
                                                its video's own clock, as a store has it; anything where mask is False
    outputs   logits         (B, C) float32     after the temperature
              probabilities  (B, C) float32     their softmax, or their sigmoid if videos have several labels

Its metadata are texts: `labels`, a JSON list of C names; `thresholds`, a JSON list of C probabilities at which a label
is given, or null if each video gets its likeliest; `temperature`; `provenance`, a JSON object that says how its vectors
are made; and `vectors`, which is "all" or "selected". A "selected" model is made of a head that chooses the vectors of
a video by its id, as random-frame does. It takes the chosen vectors, as `StandardisedHead.choose` returns them:
(B, 1, D) for random-frame.
"""

import copy
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from classify.classifier.classifier import VideoClassifier
from classify.classifier.onnx_recurrence import OPSET, replace_recurrences
from classify.errors import ClassifyError, HeadError
from classify.files import refuse_output_file, write_whole
from classify.heads import StandardisedHead, stored_logits, takes_all
from classify.training import Objective, VideoSet, select_rows
from embed.machine import counted

TOLERANCE = 1e-4
"""Largest difference from torch's probabilities, and from its logits as a share of the largest logit above 1."""

_METADATA = {"labels", "thresholds", "temperature", "provenance", "vectors"}
_CHECKED = ((1, 1), (3, 7), (4, 150))  # videos and vectors; 150 is more than any head has places for
_CHECKED_ACTIVATIONS = ((1, 1), (3, 4))  # each vector is a clip that a block of an encoder computes


@dataclass(frozen=True)
class ExportSummary:
    """What `export_head` wrote.

    Args:
        path: the ONNX file.
        names: (C,) label names, in the order of the outputs.
        dimension: D, the length of one vector.
        inputs: names of the inputs: "vectors", "mask" and, for a timed head, "timestamps_s".
        takes: "all" vectors of a video, or those "selected" by its id.
        checked_videos: number of videos of random vectors on which the model and torch were compared.
        largest_difference: between their outputs, measured as `TOLERANCE` is.
        replaced: a sentence about what the file replaced; None if nothing.
    """

    path: str
    names: tuple[str, ...]
    dimension: int
    inputs: tuple[str, ...]
    takes: str
    checked_videos: int
    largest_difference: float
    replaced: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the summary JSON-ready."""
        return asdict(self)


def export_head(head: str | Path, output: str | Path, *, overwrite: bool = False) -> ExportSummary:
    """Write a head as an ONNX model, and return what it takes and gives.

    The model and the head run on the same random vectors and masks first. If their outputs differ by more than
    `TOLERANCE`, nothing is written.

    Args:
        head: the head's folder.
        output: the ONNX file to write; an older one of a head is replaced.
        overwrite: replace also another file, except one of the head.

    Raises:
        ClassifyError: `output` is an input, holds something else than an exported head, or cannot be written.
        HeadError: the folder holds no head, ONNX lacks an operator that it needs, or the model's outputs differ.
        ClassifyError: the packages that exporting needs are not installed, or torch is older than 2.8.
    """
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401 - torch.onnx needs it
        from torch.onnx.ops import symbolic  # noqa: F401 - torch 2.8 and newer have it, which recurrences are made of
    except ImportError as error:
        raise ClassifyError(
            "Exporting needs onnx, onnxscript, onnxruntime, and torch 2.8 or newer. Install them: pip install "
            "'.[onnx]' in framehead's folder"
        ) from error
    kind = "an exported head"
    replaced = refuse_output_file(output, kind=kind, recognise=describe_model_file, inputs=[head], overwrite=overwrite)
    classifier = VideoClassifier.load(head)
    model = _ExportedHead(classifier).eval()
    content = _to_onnx(model, classifier)
    difference = _largest_difference(content, classifier)
    write_whole(Path(output), content)
    return ExportSummary(
        path=str(output),
        names=classifier.names,
        dimension=classifier.provenance.encoder.dimension,
        inputs=model.inputs,
        takes=model.takes,
        checked_videos=sum(count for count, _ in _checked(classifier)),
        largest_difference=difference,
        replaced=replaced,
    )


def describe_model_file(path: Path) -> str | None:
    """Return what an ONNX file holds, in words; None if `export_head` did not write it."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except DecodeError:
        return None
    found = {entry.key: entry.value for entry in model.metadata_props}
    if not found.keys() >= _METADATA:
        return None
    return f"the exported head for {counted(len(json.loads(found['labels'])), 'label')}"


@final
class _ExportedHead(nn.Module):
    """Everything that happens to the vectors of a batch, in torch.

    Args:
        classifier: the head and its settings; it is not changed.
    """

    def __init__(self, classifier: VideoClassifier) -> None:
        super().__init__()
        self.standardised = copy.deepcopy(classifier.head)
        replace_recurrences(self.standardised)
        self.temperature = classifier.temperature
        self.objective = Objective(is_multi_label=classifier.thresholds is not None)
        self.view_count = len(classifier.provenance.views)
        self.takes = "all" if takes_all(self.standardised) else "selected"
        self.inputs = ("vectors", "mask", "timestamps_s") if classifier.head.is_timed else ("vectors", "mask")

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits and probabilities, (B, C) each, of vectors (B, T, D) where `mask` (B, T) is True."""
        vectors, moments, mask = _part_views(vectors, timestamps_s, mask, self.view_count)
        logits = stored_logits(self.standardised, vectors, mask, moments, is_selected=self.takes == "selected")
        logits = self.objective.average(logits, self.view_count) / self.temperature
        return logits, logits.sigmoid() if self.objective.is_multi_label else logits.softmax(dim=1)


def _part_views(
    vectors: Tensor, timestamps_s: Tensor | None, mask: Tensor, view_count: int
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Turn B videos, whose real rows are view after view as in a store, into B x V videos of one view each."""
    if view_count == 1:
        return vectors, timestamps_s, mask
    counts = mask.sum(dim=1, keepdim=True) // view_count
    longest = (mask.shape[1] + view_count - 1) // view_count
    places = torch.arange(longest, device=mask.device)
    is_real = places < counts
    firsts = counts * torch.arange(view_count, device=mask.device)
    # Places beyond the end of a view read the first row; the mask leaves them out.
    rows = (firsts.unsqueeze(2) + places).masked_fill(~is_real.unsqueeze(1), 0).flatten(1)
    parted = vectors.gather(1, rows.unsqueeze(2).expand(-1, -1, vectors.shape[2]))
    moments = None if timestamps_s is None else timestamps_s.gather(1, rows).view(-1, longest)
    return parted.view(-1, longest, vectors.shape[2]), moments, is_real.repeat_interleave(view_count, dim=0)


def _to_onnx(model: _ExportedHead, classifier: VideoClassifier) -> bytes:
    """Return the bytes of the ONNX model, metadata included."""
    shape = (2, 8 * model.view_count)
    inputs = torch.zeros(*shape, classifier.provenance.encoder.dimension), torch.ones(shape, dtype=torch.bool)
    example = (*inputs, torch.zeros(shape))[: len(model.inputs)]
    # torch must see at least two vectors a view, or it takes the length of a view for 1; the model also runs with one.
    least = 2 * model.view_count if model.view_count > 1 else None
    axes = {0: torch.export.Dim("videos"), 1: torch.export.Dim("time", min=least)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns its own developers
        try:
            program = torch.onnx.export(
                model,
                example,
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=(axes,) * len(example),
                input_names=model.inputs,
                output_names=["logits", "probabilities"],
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise _cannot_be_exported(classifier, error) from error
    assert program is not None
    program.model.metadata_props.update(_metadata(model, classifier))
    return bytes(program.model_proto.SerializeToString())


def _cannot_be_exported(classifier: VideoClassifier, error: Exception) -> HeadError:
    return HeadError(
        f"The {classifier.config.arch} head cannot be written as ONNX for videos of any length: "
        f"{str(error).strip().splitlines()[0]}. Predict with the head itself: predict-videos."
    )


def _metadata(model: _ExportedHead, classifier: VideoClassifier) -> dict[str, str]:
    return {
        "labels": json.dumps(classifier.names),
        "thresholds": json.dumps(classifier.thresholds),
        "temperature": json.dumps(classifier.temperature),
        "provenance": json.dumps(classifier.provenance.to_json()),
        "vectors": model.takes,
    }


def _largest_difference(content: bytes, classifier: VideoClassifier) -> float:
    """Return the largest difference between the model's outputs and torch's, on random videos.

    Raises:
        HeadError: it is too large, or the model does not run.
    """
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

    rng = np.random.default_rng(0)
    videos = [_draw_videos(classifier, rng, count, time) for count, time in _checked(classifier)]
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        largest = max(_difference(session, classifier, drawn) for drawn in videos)
    except (Fail, InvalidArgument, RuntimeException) as error:
        raise _cannot_be_exported(classifier, error) from error
    if largest > TOLERANCE:
        raise HeadError(
            f"The outputs of the exported {classifier.config.arch} head differ from torch's by {largest:.2g}, more "
            f"than {TOLERANCE}. Nothing was written. Predict with the head itself: predict-videos."
        )
    return largest


def _checked(classifier: VideoClassifier) -> tuple[tuple[int, int], ...]:
    """Return the numbers of videos, and of vectors of each, on which the model is compared with torch."""
    return _CHECKED_ACTIVATIONS if classifier.head.abilities.pretrained else _CHECKED


def _difference(session: Any, classifier: VideoClassifier, videos: VideoSet) -> float:
    """Return the largest difference of probabilities, or of logits as a share of the largest logit above 1."""
    logits = _torch_logits(classifier, videos)
    found = session.run(["logits", "probabilities"], _inputs(session, classifier, videos))
    differences = (
        np.abs(found[0] - logits).max() / max(1.0, np.abs(logits).max()),
        np.abs(found[1] - classifier.predict_probabilities(videos, device="cpu")).max(),
    )
    return float(np.nan_to_num(differences, nan=np.inf).max())


def _torch_logits(classifier: VideoClassifier, videos: VideoSet) -> NDArray[np.float32]:
    """Return the head's logits (B, C) after the temperature; each view is computed alone, without padding."""
    views, objective = videos.each_view(), Objective(is_multi_label=classifier.thresholds is not None)
    alone = [select_rows(views, classifier.head, np.array([index])) for index in range(len(views))]
    with torch.inference_mode():
        logits = torch.cat([classifier.head(*rows.padded(torch.device("cpu"))) for rows in alone])
        averaged = objective.average(logits, videos.view_count) / classifier.temperature
    return np.asarray(averaged.numpy(), dtype=np.float32)


def _draw_videos(classifier: VideoClassifier, rng: np.random.Generator, count: int, time: int) -> VideoSet:
    """Return random videos of 1 to `time` vectors a view, distributed as in training; the first has `time`."""
    head, view_count = _scaled(classifier.head), len(classifier.provenance.views)
    lengths = rng.integers(1, time + 1, size=count) * view_count
    lengths[0] = time * view_count
    scores = torch.from_numpy(rng.standard_normal((int(lengths.sum()), len(head.mean)), dtype=np.float32))
    vectors = scores * head.deviation + head.mean
    if head.components is not None:
        vectors = vectors @ head.components.T
    # One running sum over all videos, so that their clocks start at any moment.
    timestamps_s = rng.uniform(0, 2, int(lengths.sum())).cumsum().astype(np.float32)
    ids = tuple(f"{number}.mp4" for number in range(count))
    return VideoSet(ids, vectors.numpy(), lengths, view_count, read_timestamps=lambda: timestamps_s)


def _scaled(head: StandardisedHead) -> StandardisedHead:
    """Return the head that knows how vectors are distributed: of an average, its first member."""
    return next(
        (module for module in head.modules() if isinstance(module, StandardisedHead) and module is not head), head
    )


def _inputs(session: Any, classifier: VideoClassifier, videos: VideoSet) -> dict[str, NDArray[Any]]:
    """Return the inputs of a model for videos, by name; padding is NaN."""
    views = videos.each_view()
    rows = np.split(videos.vectors, views.row_counts.cumsum()[:-1])
    if session.get_modelmeta().custom_metadata_map["vectors"] == "selected":
        rows = [classifier.head.choose(own, name) for own, name in zip(rows, views.ids, strict=True)]
    rows = [np.concatenate(rows[first : first + videos.view_count]) for first in range(0, len(rows), videos.view_count)]
    lengths = np.array([len(own) for own in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]
    vectors = np.full((*mask.shape, videos.dimension), np.nan, dtype=np.float32)
    vectors[mask] = np.concatenate(rows)
    inputs = {"vectors": vectors, "mask": mask}
    if classifier.head.is_timed:
        inputs["timestamps_s"] = np.full(mask.shape, np.nan, dtype=np.float32)
        inputs["timestamps_s"][mask] = videos.timestamps_of(np.arange(len(videos)))
    return inputs
