"""Videos held against the words of their labels, as a baseline of `compare_heads`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from classify import CompareConfig, TrainConfig, TrainError, compare_heads, embed_labels
from classify.comparison.prompts import TEMPLATES
from embed import EmbeddingStore
from tests.embed.encoders.frames import SMALL_CLIP

QUICK = CompareConfig(folds=3, seeds=2, jobs=1, recipe=TrainConfig(learning_rate=0.1))


def test_zero_shot_scores_what_open_clips_words_and_cosines_say(
    clip_store: Path, tmp_path: Path, checkpoint: Path
) -> None:
    import open_clip

    model = open_clip.create_model(SMALL_CLIP, pretrained=str(checkpoint)).eval()
    words = []
    for name in ("hand shake", "kick"):
        texts = [template.format(name) for template in TEMPLATES]
        with torch.inference_mode():
            own = model.encode_text(open_clip.get_tokenizer(SMALL_CLIP)(texts), normalize=True)
        words.append(own.mean(dim=0).numpy())
    with EmbeddingStore(clip_store) as store:
        frames = [store.read(video_id).vectors.astype(np.float64) for video_id in store.ids]
    means = np.stack([(own / np.linalg.norm(own, axis=1, keepdims=True)).mean(axis=0) for own in frames])
    guessed = cosine_similarity(means, np.stack(words)).argmax(axis=1)

    label_vectors = embed_labels(clip_store, device="cpu")
    config = replace(QUICK, archs=(), baselines=("zero-shot",), label_vectors=label_vectors)
    comparison = compare_heads(clip_store, tmp_path / "comparison", config=config)

    assert comparison.contenders[0].micro_f1.value == pytest.approx((guessed == np.repeat([0, 1], 15)).mean())
    assert 0 < guessed.mean() < 1


def test_zero_shot_learns_how_near_is_near_where_videos_have_several_labels(
    make_store: Callable[..., Path], tmp_path: Path
) -> None:
    words, rng = np.eye(3, 16, dtype=np.float32), np.random.default_rng(0)
    shown = {f"{index:02d}.mp4": ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0.96, 0))[index % 4] for index in range(40)}
    store = make_store({video_id: rng.uniform(1, 3) * np.array([shares]) @ words for video_id, shares in shown.items()})
    rows = [
        f"{video_id}," + "|".join(np.array(["a", "b", "c"])[np.sign(shares) == 1]) for video_id, shares in shown.items()
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["id,labels", *rows]))
    label_vectors = dict(zip("abc", words, strict=True))
    config = replace(QUICK, archs=(), baselines=("zero-shot",), label_vectors=label_vectors)

    comparison = compare_heads(store, tmp_path / "comparison", labels=tmp_path / "labels.csv", config=config)

    assert comparison.contenders[0].micro_f1.value == 1.0


def test_zero_shot_joins_a_comparison_later_but_with_other_words_never(clip_store: Path, tmp_path: Path) -> None:
    compare_heads(clip_store, tmp_path / "comparison", config=replace(QUICK, archs=()))
    words = {name: np.eye(256, dtype=np.float32)[place] for place, name in enumerate(("hand_shake", "kick"))}
    config = replace(QUICK, archs=(), baselines=("majority", "zero-shot"), label_vectors=words)
    compare_heads(clip_store, tmp_path / "comparison", config=config)
    compare_heads(clip_store, tmp_path / "comparison", config=replace(QUICK, archs=()))

    other = replace(config, label_vectors={name: -vector for name, vector in words.items()})
    with pytest.raises(TrainError, match=r"made with other settings \(set of prompts\), so new results"):
        compare_heads(clip_store, tmp_path / "comparison", config=other)
    assert compare_heads(clip_store, tmp_path / "comparison", config=config).contenders


def test_zero_shot_without_words_is_refused(clip_store: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"zero-shot needs label_vectors\. Make them with embed_labels"):
        replace(QUICK, baselines=("zero-shot",))

    config = replace(QUICK, baselines=("zero-shot",), label_vectors={"kick": np.ones(256, dtype=np.float32)})
    with pytest.raises(TrainError, match="has no vector for the label 'hand_shake'"):
        compare_heads(clip_store, tmp_path / "comparison", config=config)
