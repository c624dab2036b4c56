'''Tests that every encoder must pass, for the tests of any package that has one.

With pytest, supply a fixture called `encoder` and subclass `EncoderContract`:

    import pytest
    from embed import load_encoder
    from embed.encoders.testing import EncoderContract

    @pytest.fixture(scope="module")
    def encoder():
        return load_encoder("mean-colours", device="cpu")

    class TestMeanColours(EncoderContract):
        """All tests of the contract."""

Without pytest, call `check_encoder(encoder)`, or one of the checks. Each raises an EncoderError that says what the
encoder lacks and what to do. This module imports neither pytest nor torch.
'''

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from embed.encoders.contract import BackgroundEncoder, Encoder, PendingVectors, TextEncoder, missing_parts
from embed.encoders.loading import load_encoder
from embed.errors import EncoderError
from embed.store import Provenance

LEAST_COSINE = 0.999
"""Between the vectors of one frame in batches of different sizes. Matrix kernels differ in the last bits with the
shape of a batch: in float32 by 1e-6 of a vector's length, in bfloat16 by up to 1e-2."""
_LARGEST = float(np.finfo(np.float16).max)
_BATCH_SIZE = 8
_TEXTS = ("a photo of a dog", "two people shake hands", "a recipe for pancakes")


def frames_for(encoder: Encoder, count: int = _BATCH_SIZE, *, seed: int = 0) -> NDArray[np.uint8]:
    """Return smooth random colours as a batch of frames that an encoder accepts.

    Args:
        encoder: its identity says how large the frames are, and how many are behind one vector.
        count: B.
        seed: other seeds give other frames.

    Returns:
        (B, W, side_px, side_px, 3) uint8.
    """
    side_px, window = encoder.identity.preprocessing.side_px, encoder.identity.window
    coarse = np.random.default_rng(seed).integers(0, 256, (count * window, 6, 6, 3)).astype(np.float64)
    places = np.linspace(0, 5, side_px)
    spread = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(6)))  # (side_px, 6), linear interpolation
    smooth = np.einsum("hi,nijc,wj->nhwc", spread, coarse, spread, optimize=True)
    frames: NDArray[np.uint8] = smooth.round().astype(np.uint8).reshape(count, window, side_px, side_px, 3)
    return frames


def check_parts(encoder: Encoder) -> None:
    """Check that the encoder has what the protocol `Encoder` lists."""
    missing = missing_parts(encoder)
    _require(not missing, f"It lacks {'; '.join(missing)}. Add it: embed.encoders.Encoder shows all parts.")


def check_identity(encoder: Encoder) -> None:
    """Check that the identity is complete, stays the same, and can be stored."""
    identity = encoder.identity
    for name in ("family", "model", "pretrained"):
        _require(bool(getattr(identity, name)), f"identity.{name} is empty. Give it a name: the store shows it.")
    _require(
        re.fullmatch("[0-9a-f]{64}", identity.weights_sha256) is not None,
        f"identity.weights_sha256 is {identity.weights_sha256!r}, which is not a sha256 in hexadecimal digits. Compute "
        "it from the weights with embed.store.hash_weights.",
    )
    _require(identity.dimension >= 1, f"identity.dimension is {identity.dimension}. Set it to D, the vectors' length.")
    _require(identity.window >= 1, f"identity.window is {identity.window}. Set it to the frames behind one vector.")
    encoder.encode(frames_for(encoder, 1))
    _require(
        encoder.identity == identity,
        "identity changes when a batch is encoded. Compute it once, when the encoder is built.",
    )
    stored = Provenance.from_json(Provenance(identity, {}).to_json()).encoder
    _require(
        stored == identity, "identity is not the same once it was stored. Use plain strings, integers and booleans."
    )


def check_vectors(encoder: Encoder) -> None:
    """Check that a batch gives one finite float32 vector for each frame, as long as the identity says."""
    for count in (1, 3):
        _check_array(encoder.encode(frames_for(encoder, count)), (count, encoder.identity.dimension), "encode")
    vectors = encoder.encode(frames_for(encoder))
    _require(
        bool(np.isfinite(vectors).all()),
        "encode gives values that are not finite. Look for a division by zero or an overflow.",
    )
    largest = float(np.abs(vectors).max())
    _require(
        largest <= _LARGEST,
        f"encode gives a value of {largest:g}, but stores hold float16, up to {_LARGEST:g}. Scale the vectors down.",
    )
    if encoder.identity.is_normalised:
        _check_lengths(vectors, "encode", "identity.is_normalised is True. Divide each by its length, or set it False.")


def check_input_is_kept(encoder: Encoder) -> None:
    """Check that encoding does not change the frames."""
    rgb = frames_for(encoder)
    kept = rgb.copy()
    encoder.encode(rgb)
    _require(np.array_equal(rgb, kept), "encode changes the frames that it is given. Copy them first.")


def check_determinism(encoder: Encoder) -> None:
    """Check that the same batch gives the same vectors, to the last bit."""
    rgb = frames_for(encoder)
    _require(
        np.array_equal(encoder.encode(rgb), encoder.encode(rgb)),
        "The same batch gives other vectors the second time. Switch dropout and other randomness off: model.eval().",
    )


def check_frames_differ(encoder: Encoder) -> None:
    """Check that two different frames give two different vectors."""
    vectors = encoder.encode(frames_for(encoder))
    _require(
        len(np.unique(vectors, axis=0)) == len(vectors),
        "Different frames give the same vector. See that the encoder reads all pixels of all frames.",
    )


def check_batch_independence(encoder: Encoder) -> None:
    """Check that a frame's vector does not depend on the rest of its batch.

    In batches of one size, as `embed_videos` makes them, vectors must be equal to the last bit: a video's vectors are
    the same wherever an interrupted run went on. Batches of other sizes may differ by `LEAST_COSINE`.
    """
    rgb = frames_for(encoder)
    expected = encoder.encode(rgb)
    advice = "Compute nothing over a batch: no mean of a batch, no batch normalisation in training mode."
    for place in (0, 3, len(rgb) - 1):
        others = frames_for(encoder, seed=1) // 3
        others[place] = rgb[place]
        _require(
            np.array_equal(encoder.encode(others)[place], expected[place]),
            f"The vector of a frame depends on the other frames of its batch. {advice}",
        )
    alone = np.concatenate([encoder.encode(frame[None]) for frame in rgb])
    _check_near(alone, expected, f"The vector of a frame depends on the size of its batch. {advice}")


def check_pending_vectors(encoder: Encoder) -> None:
    """Check that `begin` gives the vectors of `encode`, also where batches overlap and their frames are changed."""
    if not isinstance(encoder, BackgroundEncoder):
        return
    batches = [frames_for(encoder, seed=seed) for seed in range(5)]
    expected = [encoder.encode(rgb) for rgb in batches]
    pending = [_begin(encoder, rgb) for rgb in batches]
    for rgb in batches:
        rgb[:] = 0
    found = [vectors.result() for vectors in pending]
    _require(
        all(vectors.done() for vectors in pending), "done() is False after result() returned. Return True from then on."
    )
    for ours, theirs in zip(found, expected, strict=True):
        _check_array(ours, theirs.shape, "begin(rgb).result()")
        _require(
            np.array_equal(ours, theirs),
            "begin(rgb).result() gives other vectors than encode(rgb). Copy the frames before `begin` returns, since "
            "the caller may change them, and keep batches that overlap apart.",
        )


def check_texts(encoder: Encoder) -> None:
    """Check that texts give one vector of length 1 each, in the space of the frames."""
    if not isinstance(encoder, TextEncoder):
        return
    vectors = encoder.encode_texts(_TEXTS)
    _check_array(vectors, (len(_TEXTS), encoder.identity.dimension), "encode_texts")
    _check_lengths(vectors, "encode_texts", "Divide each by its length.")
    _require(len(np.unique(vectors, axis=0)) == len(vectors), "Different texts give the same vector. Read all of them.")
    backwards = encoder.encode_texts(_TEXTS[::-1])[::-1]
    _check_near(backwards, vectors, "The vector of a text depends on its place in the list. Keep the texts' order.")


def check_is_found_again(encoder: Encoder) -> None:
    """Check that `load_encoder` builds the same encoder from the identity, as predictions on new videos need it."""
    identity = encoder.identity
    again = load_encoder(
        identity.model, pretrained=identity.weights_source, precision=identity.precision, window=identity.window
    )
    difference = Provenance(again.identity, {}).difference(Provenance(identity, {}))
    call = f"load_encoder({identity.model!r}, pretrained={identity.weights_source!r})"
    _require(
        difference is None,
        f"{call} builds another encoder: its {difference}. "
        "Put into identity.model and identity.pretrained what your entry point needs to build the same one.",
    )
    rgb = frames_for(encoder)
    _check_near(
        again.encode(rgb), encoder.encode(rgb), "Loaded again, it gives other vectors. Load the same weights each time."
    )


CHECKS: tuple[Callable[[Encoder], None], ...] = (
    check_parts,
    check_identity,
    check_vectors,
    check_input_is_kept,
    check_determinism,
    check_frames_differ,
    check_batch_independence,
    check_pending_vectors,
    check_texts,
    check_is_found_again,
)
"""All checks, in an order in which the first that fails is the cause of those behind it."""


def check_encoder(encoder: Encoder) -> None:
    """Run all checks.

    Args:
        encoder: registered under the entry point group `embed.encoders`, since it is also loaded by its name.

    Raises:
        EncoderError: the first thing that the encoder lacks, and what to do.
    """
    for check in CHECKS:
        check(encoder)


class EncoderContract:
    """The checks as tests of pytest. The name of a subclass begins with Test; `encoder` is a fixture of its module."""

    def test_it_has_all_parts_of_an_encoder(self, encoder: Encoder) -> None:
        """Run `check_parts`."""
        check_parts(encoder)

    def test_its_identity_is_complete_and_stable(self, encoder: Encoder) -> None:
        """Run `check_identity`."""
        check_identity(encoder)

    def test_it_gives_one_finite_vector_for_each_frame(self, encoder: Encoder) -> None:
        """Run `check_vectors`."""
        check_vectors(encoder)

    def test_it_does_not_change_the_frames(self, encoder: Encoder) -> None:
        """Run `check_input_is_kept`."""
        check_input_is_kept(encoder)

    def test_the_same_batch_gives_the_same_vectors(self, encoder: Encoder) -> None:
        """Run `check_determinism`."""
        check_determinism(encoder)

    def test_different_frames_give_different_vectors(self, encoder: Encoder) -> None:
        """Run `check_frames_differ`."""
        check_frames_differ(encoder)

    def test_a_vector_does_not_depend_on_the_rest_of_its_batch(self, encoder: Encoder) -> None:
        """Run `check_batch_independence`."""
        check_batch_independence(encoder)

    def test_vectors_made_in_the_background_are_the_same(self, encoder: Encoder) -> None:
        """Run `check_pending_vectors`."""
        check_pending_vectors(encoder)

    def test_texts_give_vectors_of_length_one(self, encoder: Encoder) -> None:
        """Run `check_texts`."""
        check_texts(encoder)

    def test_it_is_found_again_by_its_identity(self, encoder: Encoder) -> None:
        """Run `check_is_found_again`."""
        check_is_found_again(encoder)


def _require(is_kept: bool, message: str) -> None:
    if not is_kept:
        raise EncoderError(message)


def _begin(encoder: BackgroundEncoder, rgb: NDArray[np.uint8]) -> PendingVectors:
    pending = encoder.begin(rgb)
    _require(
        callable(getattr(pending, "done", None)) and callable(getattr(pending, "result", None)),
        f"begin(rgb) returns {type(pending).__name__}, which lacks done() and result(). Return a "
        "concurrent.futures.Future, or embed.encoders.ReadyVectors.",
    )
    return pending


def _check_array(vectors: object, shape: tuple[int, ...], source: str) -> None:
    found = f"{vectors.dtype} of shape {vectors.shape}" if isinstance(vectors, np.ndarray) else type(vectors).__name__
    _require(
        found == f"float32 of shape {shape}",
        f"{source} gives {found}, but must give a NumPy array of float32 of shape {shape}: one row for each input, "
        "identity.dimension columns.",
    )


def _check_lengths(vectors: NDArray[np.float32], source: str, advice: str) -> None:
    lengths = np.linalg.norm(vectors, axis=1)
    _require(
        bool(np.allclose(lengths, 1, atol=1e-3)),
        f"{source} gives vectors of length {lengths.min():.3g} to {lengths.max():.3g}, but they must have length 1. "
        f"{advice}",
    )


def _check_near(ours: NDArray[np.float32], theirs: NDArray[np.float32], message: str) -> None:
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    cosines = (ours * theirs).sum(axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    _require(float(cosines.min()) >= LEAST_COSINE, f"{message} Their cosine is {cosines.min():.4f} at worst.")
