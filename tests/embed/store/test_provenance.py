import json
from dataclasses import replace

import numpy as np
import pytest

from embed.store.provenance import (
    EncoderIdentity,
    Fidelity,
    Provenance,
    describe_sampling,
    hash_weights,
    library_versions,
)
from embed.video.preprocessing import Preprocessing

CLIP = EncoderIdentity(
    family="open_clip",
    model="ViT-B-32",
    pretrained="openai",
    weights_sha256="ab",
    dimension=512,
    preprocessing=Preprocessing(224, 224, "shortest", "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
)
HERE = Provenance(CLIP, {"name": "uniform", "frame_count": 8})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        pytest.param(replace(HERE, encoder=replace(CLIP, model="RN50")), "model is ViT-B-32, not RN50", id="model"),
        pytest.param(
            replace(HERE, encoder=replace(CLIP, weights_sha256="cd")), "weights sha256 is ab, not cd", id="weights"
        ),
        pytest.param(
            replace(HERE, encoder=replace(CLIP, preprocessing=replace(CLIP.preprocessing, kernel="bilinear"))),
            "preprocessing kernel is bicubic, not bilinear",
            id="preprocessing",
        ),
        pytest.param(
            replace(
                HERE,
                encoder=replace(CLIP, preprocessing=replace(CLIP.preprocessing, kernel="bilinear", antialias=False)),
            ),
            "preprocessing antialias is True, not False",
            id="antialias",
        ),
        pytest.param(
            replace(HERE, sampling={"name": "uniform", "frame_count": 9}),
            "sampling is uniform, 8 frames, not uniform, 9 frames",
            id="sampling",
        ),
        pytest.param(replace(HERE, views=("centre", "left")), "views is centre, not centre, left", id="views"),
    ],
)
def test_a_difference_that_changes_vectors_is_named(other: Provenance, message: str) -> None:
    assert message in str(HERE.difference(other))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(HERE, id="itself"),
        pytest.param(replace(HERE, encoder=replace(CLIP, pretrained="/elsewhere.pt")), id="the same weights elsewhere"),
        pytest.param(replace(HERE, decoder="opencv"), id="another decoder"),
        pytest.param(replace(HERE, versions={"torch": "9"}), id="other versions"),
    ],
)
def test_what_does_not_change_vectors_is_not_a_difference(other: Provenance) -> None:
    assert HERE.difference(other) is None


@pytest.mark.parametrize("views", [("centre",), ("left", "right-mirrored")], ids="|".join)
def test_provenance_survives_json(views: tuple[str, ...]) -> None:
    made = replace(HERE, views=views)
    assert Provenance.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_the_default_view_is_not_mentioned() -> None:
    assert "views" not in HERE.to_json()


def test_activations_are_told_apart_by_the_block_that_they_enter() -> None:
    made = replace(HERE, encoder=replace(CLIP, stop_before="blocks.9", dimension=6, shape=(2, 3)))
    assert Provenance.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert "stop before is nothing, not blocks.9" in str(HERE.difference(made))
    assert not {"stop_before", "shape"} & HERE.to_json()["encoder"].keys()


@pytest.mark.parametrize(
    ("dimension", "block", "shape"),
    [
        pytest.param(7, "blocks.9", (2, 3), id="another dimension"),
        pytest.param(6, "", (2, 3), id="no block"),
        pytest.param(6, "blocks.9", (), id="no shape"),
        pytest.param(6, "blocks.9", (-2, -3), id="negative"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(dimension: int, block: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        replace(CLIP, dimension=dimension, stop_before=block, shape=shape)


def test_a_hash_of_weights_covers_names_shapes_and_values() -> None:
    one = np.arange(6, dtype=np.float32)
    variants = [("a", one), ("b", one), ("a", one.reshape(2, 3)), ("a", one + 1), ("a", one.astype(np.float64))]
    assert len({hash_weights([variant]) for variant in variants}) == len(variants)


def test_versions_name_the_libraries_that_influence_a_vector() -> None:
    assert {"torch", "av", "numpy", "pillow", "framehead"} <= library_versions().keys()


@pytest.mark.parametrize("value", [None, [], 7, True, {"a": 1}, "text"], ids=str)
@pytest.mark.parametrize(
    "place",
    ["sampling", "decoder", "versions", "encoder model", "encoder weights_sha256", "encoder dimension", "fidelity"],
)
def test_a_description_with_a_value_of_another_kind_is_refused_when_it_is_read(place: str, value: object) -> None:
    described = replace(HERE, fidelity=Fidelity(8, 0.99, 0.999)).to_json()
    *groups, name = place.split()
    (described[groups[0]] if groups else described)[name] = value
    try:
        read = Provenance.from_json(json.loads(json.dumps(described)))
    except (KeyError, TypeError, ValueError):
        return
    assert isinstance(read.difference(HERE), str | None)
    assert describe_sampling(read.sampling)


def test_a_fidelity_of_texts_is_refused() -> None:
    described = {**HERE.to_json(), "fidelity": {"frame_count": "8", "cosine_min": "x", "cosine_mean": "y"}}
    with pytest.raises(TypeError, match="frame_count is '8'"):
        Provenance.from_json(described)


@pytest.mark.parametrize("value", ["x", None, [], {}], ids=str)
@pytest.mark.parametrize("name", ["frame_count", "fps", "first_seconds"])
def test_a_sampling_of_other_values_is_refused(name: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Provenance.from_json({**HERE.to_json(), "sampling": {"name": "fps", name: value}})
