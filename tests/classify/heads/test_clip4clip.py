"""CLIP4Clip's heads against plain calculations, one video at a time."""

import numpy as np
import torch
from sklearn.preprocessing import normalize

from classify.heads.clip4clip import Clip4ClipLstmHead, Clip4ClipMeanHead

DIMENSION, LENGTHS = 8, (5, 1, 3)


def padded_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return vectors (3, 5, D), NaN behind each video's end, and their mask."""
    generator = torch.Generator().manual_seed(3)
    vectors = torch.randn(len(LENGTHS), max(LENGTHS), DIMENSION, generator=generator) * 4
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return vectors.masked_fill(~mask[..., None], float("nan")), mask


def test_mean_p_is_the_normalised_mean_of_normalised_frames() -> None:
    vectors, mask = padded_batch()

    rows = Clip4ClipMeanHead(DIMENSION, 2).pool(vectors, mask).rows

    for row, frames, length in zip(rows.numpy(), vectors.numpy(), LENGTHS, strict=True):
        expected = normalize(normalize(frames[:length]).mean(axis=0, keepdims=True))[0]
        np.testing.assert_allclose(row, expected, rtol=1e-5)


def test_the_length_of_a_frame_changes_nothing_for_mean_p() -> None:
    vectors, mask = padded_batch()
    head = Clip4ClipMeanHead(DIMENSION, 2)

    torch.testing.assert_close(head(vectors * 7, mask), head(vectors, mask))


def test_seq_lstm_adds_the_states_of_each_video_alone_to_its_frames() -> None:
    vectors, mask = padded_batch()
    head = Clip4ClipLstmHead(DIMENSION, 2)

    with torch.no_grad():
        found = head(vectors, mask)
        for logits, frames, length in zip(found, vectors, LENGTHS, strict=True):
            states, _ = head.lstm(frames[None, :length])
            expected = head.linear((states[0] + frames[:length]).mean(dim=0))
            torch.testing.assert_close(logits, expected)
