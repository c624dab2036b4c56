"""Every registered encoder passes the tests of the contract; encoders with one fault fail them, and hear what it is."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from embed import load_encoder
from embed.encoders import Encoder
from embed.encoders.testing import CHECKS, EncoderContract, check_encoder
from embed.errors import EncoderError
from tests.embed.encoders import foreign
from tests.embed.encoders.foreign import MeanColours, Reader
from tests.embed.encoders.frames import SMALL_CLIP

OURS = [
    *[(SMALL_CLIP, precision) for precision in ("float32", "bfloat16", "int8")],
    *[(f"efficientnet-lite{size}", "float32") for size in range(3)],
    ("efficientnet-lite0", "bfloat16"),
]
Register = Callable[[str], None]


@pytest.fixture(scope="module", params=OURS, ids="-".join)
def encoder(request: pytest.FixtureRequest, checkpoint: Path) -> Encoder:
    model, precision = request.param
    pretrained = str(checkpoint) if model == SMALL_CLIP else None
    return load_encoder(model, pretrained=pretrained, device="cpu", precision=precision)


class TestOurEncoders(EncoderContract):
    """The encoders that come with this package, in all precisions that they have on a CPU."""


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Install a package whose entry point `mean-colours` is what is named."""

    def install(target: str) -> None:
        info = tmp_path / "foreign_encoders-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-encoders\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[embed.encoders]\nmean-colours = {target}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


def test_a_good_encoder_of_another_package_is_loaded_and_passes_every_check(register: Register) -> None:
    register("tests.embed.encoders.foreign:load")
    encoder = load_encoder("mean-colours")
    assert encoder.identity == foreign.IDENTITY
    check_encoder(encoder)


def test_every_check_is_a_test_of_the_contract_class() -> None:
    names = [name for name in vars(EncoderContract) if name.startswith("test_")]
    code = [getattr(EncoderContract, name).__code__.co_names for name in names]
    assert [called for (called,) in code] == [check.__name__ for check in CHECKS]


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        pytest.param(foreign.Nothing(), r"It lacks identity, which is .*; encode\(rgb\), a method", id="no parts"),
        pytest.param(foreign.Nameless(), r"It lacks identity, which is an embed.EncoderIdentity\.", id="a dict"),
        pytest.param(MeanColours, r"It lacks an object: MeanColours is a class, and must be called", id="a class"),
        pytest.param(MeanColours(family=""), r"identity.family is empty\. Give it a name", id="no family"),
        pytest.param(MeanColours(weights_sha256="one"), r"is 'one', which is not a sha256.*hash_weights", id="no hash"),
        pytest.param(MeanColours(window=0), r"identity.window is 0\. Set it to the frames", id="no window"),
        pytest.param(foreign.Growing(), r"identity changes when a batch is encoded\. Compute it once", id="unstable"),
        pytest.param(
            MeanColours(dimension=13),
            r"float32 of shape \(1, 12\), but must give a NumPy array of float32 of shape \(1, 13\)",
            id="another dimension",
        ),
        pytest.param(
            MeanColours(lambda vectors: vectors.astype(np.float64)), r"encode gives float64 of shape", id="float64"
        ),
        pytest.param(MeanColours(lambda vectors: vectors.tolist()), r"encode gives list, but must", id="lists"),
        pytest.param(MeanColours(lambda vectors: vectors[:1]), r"of shape \(1, 12\).*one row for each", id="too few"),
        pytest.param(
            MeanColours(lambda vectors: vectors * np.float32("nan")), "values that are not finite.*division", id="nan"
        ),
        pytest.param(MeanColours(lambda vectors: vectors * 1000), r"hold float16, up to 65504\.", id="too large"),
        pytest.param(MeanColours(is_normalised=True), r"must have length 1\. identity.is_norm", id="long vectors"),
        pytest.param(foreign.Painter(), r"encode changes the frames that it is given\. Copy", id="changes its input"),
        pytest.param(MeanColours(foreign.add_noise), r"other vectors the second time.*dropout", id="randomness"),
        pytest.param(MeanColours(np.ones_like), r"Different frames give the same vector\. See", id="one vector"),
        pytest.param(
            MeanColours(lambda vectors: vectors - vectors.mean(axis=0)),
            r"depends on the other frames of its batch\. Compute nothing over a batch",
            id="mean of a batch",
        ),
        pytest.param(
            MeanColours(lambda vectors: vectors[:, :: 1 if len(vectors) == 8 else -1]),
            r"depends on the size of its batch.*Their cosine is 0\.\d+ at worst",
            id="size of a batch",
        ),
        pytest.param(foreign.Lazy(), r"other vectors than encode\(rgb\)\. Copy the frames before", id="reads too late"),
        pytest.param(foreign.Hasty(), r"begin\(rgb\) returns ndarray, which lacks done\(\)", id="nothing pending"),
        pytest.param(Reader(lambda rows: rows), r"encode_texts gives vectors of length .*Divide each", id="long texts"),
        pytest.param(
            Reader(lambda rows: foreign.to_unit_length(np.ones_like(rows))),
            r"Different texts give the same vector\. Read all",
            id="one vector for all texts",
        ),
        pytest.param(
            Reader(lambda rows: foreign.to_unit_length(np.sort(rows, axis=0))),
            r"depends on its place in the list\. Keep the texts' order",
            id="texts in another order",
        ),
        pytest.param(
            Reader(lambda rows: foreign.to_unit_length(rows)[:, :5]),
            r"encode_texts gives float32 of shape \(3, 5\)",
            id="texts in another space",
        ),
        pytest.param(
            MeanColours(pretrained="large", activation="gelu"),
            r"load_encoder\('mean-colours', pretrained='large'\) builds another encoder: its activation is , not gelu",
            id="another when it is loaded again",
        ),
        pytest.param(
            MeanColours(lambda vectors: vectors[:, ::-1]),
            r"Loaded again, it gives other vectors\. Load the same weights",
            id="other weights when it is loaded again",
        ),
    ],
)
def test_a_fault_is_named_with_what_to_do(register: Register, faulty: Encoder, message: str) -> None:
    register("tests.embed.encoders.foreign:load")
    with pytest.raises(EncoderError, match=f"(?s){message}"):
        check_encoder(faulty)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        pytest.param("load_nothing", r"builds lacks identity, .*; encode\(rgb\), a method that", id="no parts"),
        pytest.param("load_nameless", "builds lacks identity, which is an embed.EncoderIdentity", id="a dict"),
        pytest.param("load_needing_more", r"lacks encode\(rgb\), a method.*; begin\(rgb\).*leave", id="other methods"),
        pytest.param("load_class", "lacks an object: MeanColours is a class, and must be called", id="a class"),
        pytest.param("load_another", "calls itself 'another-name' in identity.model, so a store could", id="its name"),
        pytest.param("load_by_name_alone", r"is not a function of \(model, \*, pretrained=None", id="no options"),
        pytest.param("IDENTITY", r"is not a function of \(model, \*, pretrained=None", id="no function"),
        pytest.param("absent", "cannot be imported from .*Install what that package needs", id="an absent name"),
    ],
)
def test_a_registered_encoder_that_is_none_is_refused_with_what_it_lacks(
    register: Register, factory: str, message: str
) -> None:
    register(f"tests.embed.encoders.foreign:{factory}")
    with pytest.raises(EncoderError, match=f"(?s){message}") as caught:
        load_encoder("mean-colours")
    assert "The encoder 'mean-colours'" in str(caught.value)
    assert f"tests.embed.encoders.foreign:{factory} of the package foreign-encoders" in str(caught.value)


def test_an_entry_point_whose_package_lacks_a_library_names_it(register: Register) -> None:
    register("no_such_library:load")
    with pytest.raises(EncoderError, match=r"from no_such_library:load .*No module named 'no_such_library'"):
        load_encoder("mean-colours")


def test_the_checks_need_neither_pytest_nor_torch() -> None:
    code = "import sys, embed.encoders.testing; print({'pytest', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
