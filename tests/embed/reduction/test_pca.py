import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray
from sklearn.decomposition import PCA, IncrementalPCA

from embed.errors import EncoderError, OutputError, ReductionError, StoreError
from embed.reduction import Pca, PcaConfig, find_pca, fit_pca, fitting, read_pca
from embed.store import EmbeddingStore, Reduction, StoreWriter, VideoRecord
from tests.embed.stores import PROVENANCE

DIMENSION = 10


def vectors_of(number: int, count: int) -> NDArray[np.float16]:
    """Return (count, 10) vectors that vary in ten directions by ten amounts, around a mean that is not 0."""
    rng = np.random.default_rng(number)
    turned, _ = np.linalg.qr(np.random.default_rng(99).normal(size=(DIMENSION, DIMENSION)))
    return (rng.normal(size=(count, DIMENSION)) * 0.7 ** np.arange(DIMENSION) @ turned + 3).astype(np.float16)


def write_vectors(path: Path, counts: list[int]) -> Path:
    with StoreWriter(path, PROVENANCE) as writer:
        for number, count in enumerate(counts):
            writer.append(VideoRecord(f"{number:02}.mp4"), vectors_of(number, count), np.arange(count))
    return path


def all_vectors(path: Path) -> NDArray[np.float64]:
    with EmbeddingStore(path) as store:
        return store.read_many(store.ids)[0].astype(np.float64)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_vectors(tmp_path / "s.h5", [40, 1, 25, 60, 3, 71])


def fitted(store: Path, path: Path, *, is_whitened: bool = True, dimensions: int | None = 4) -> Pca:
    fit_pca(store, path, PcaConfig(dimensions, is_whitened=is_whitened))
    return read_pca(path)


def test_a_pca_is_that_of_scikit_learn_in_every_sign(store: Path, tmp_path: Path) -> None:
    ours, theirs = fitted(store, tmp_path / "p", is_whitened=False), PCA(4, svd_solver="full").fit(all_vectors(store))
    np.testing.assert_allclose(ours.mean, theirs.mean_, rtol=1e-6)
    np.testing.assert_allclose(ours.components, theirs.components_, atol=1e-6)
    np.testing.assert_allclose(ours.eigenvalues, theirs.explained_variance_, rtol=1e-6)
    assert ours.origin.explained == pytest.approx(theirs.explained_variance_ratio_.sum())
    scale = np.sqrt(theirs.explained_variance_[0] + 1e-4)  # one for all, so that one byte a coefficient holds them
    np.testing.assert_allclose(ours.apply(all_vectors(store)) * scale, theirs.transform(all_vectors(store)), atol=1e-5)


def test_whitening_divides_by_the_standard_deviation_with_1e_4_in_it(store: Path, tmp_path: Path) -> None:
    pca, vectors = fitted(store, tmp_path / "p"), all_vectors(store)
    centred = (vectors - vectors.mean(0)) @ pca.components.T.astype(np.float64)
    np.testing.assert_allclose(pca.apply(vectors), centred / np.sqrt(pca.eigenvalues + 1e-4), atol=1e-4)
    np.testing.assert_allclose(pca.apply(vectors).std(0, ddof=1), 1, atol=0.01)


def test_block_by_block_it_is_the_pca_of_all_vectors_at_once(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitted(store, tmp_path / "whole")
    monkeypatch.setattr(fitting, "_BLOCK_NUMBERS", 7 * DIMENSION)
    parts = fitted(store, tmp_path / "parts")
    np.testing.assert_allclose(parts.components, whole.components, atol=1e-6)
    np.testing.assert_allclose(parts.eigenvalues, whole.eigenvalues, rtol=1e-6)
    approximate = IncrementalPCA(4, batch_size=20).fit(all_vectors(store))  # scikit-learn's keeps K directions only
    np.testing.assert_allclose(parts.eigenvalues, approximate.explained_variance_, rtol=0.05)


def test_the_covariance_far_from_zero_is_exact() -> None:
    rows = np.random.default_rng(0).normal(1e6, 1, (500, 3))
    moments = fitting._Moments(3)
    for start in range(0, 500, 7):
        moments.add(rows[start : start + 7])
    np.testing.assert_allclose(moments.covariance, np.cov(rows.T), atol=1e-10)
    np.testing.assert_allclose(moments.mean, rows.mean(0), rtol=1e-15)


def test_the_same_store_gives_the_same_file(store: Path, tmp_path: Path) -> None:
    assert fitted(store, tmp_path / "a").sha256 == fitted(store, tmp_path / "b").sha256
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert fitted(store, tmp_path / "c", is_whitened=False).sha256 != fitted(store, tmp_path / "a").sha256


def test_all_dimensions_are_kept_where_the_store_has_fewer_than_1024(store: Path, tmp_path: Path) -> None:
    report = fit_pca(store, tmp_path / "p")
    assert (report.source_dimension, report.dimension, report.videos, report.vectors) == (10, 10, 6, 200)
    assert report.explained == pytest.approx(1)


def test_only_training_videos_are_read_if_a_split_is_named(store: Path, tmp_path: Path) -> None:
    parts = ["train", "test", "train", "validation", "train", "test"]
    rows = [f"{number:02}.mp4,{part}" for number, part in enumerate(parts)]
    (tmp_path / "split.csv").write_text("\n".join(["id,part", *rows]))
    report = fit_pca(store, tmp_path / "p", PcaConfig(4, split=tmp_path / "split.csv"))
    pca, trained = read_pca(tmp_path / "p"), np.concatenate([vectors_of(n, c) for n, c in ((0, 40), (2, 25), (4, 3))])
    assert (report.videos, report.vectors, pca.origin.part) == (3, 68, "train")
    np.testing.assert_allclose(pca.mean, trained.astype(np.float64).mean(0), rtol=1e-6)
    with EmbeddingStore(store) as opened:
        assert pca.was_fitted_on(opened, opened.ids).tolist() == [part == "train" for part in parts]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("id,part\n09.mp4,train", "names 1 training video that .*s.h5 lacks, e.g. '09.mp4'", id="others"),
        pytest.param("id,labels\n00.mp4,a", "has no videos in columns id and part", id="no parts"),
        pytest.param("", "has no videos in columns id and part", id="empty"),
        pytest.param("id,part\n01.mp4,train", r"training videos of .*s.h5 have 1 vector\. Fit it on more", id="few"),
    ],
)
def test_a_split_that_does_not_fit_is_refused(store: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(ReductionError, match=message):
        fit_pca(store, tmp_path / "p", PcaConfig(4, split=tmp_path / "split.csv"))
    assert not (tmp_path / "p").exists()


def test_too_many_dimensions_are_refused_with_how_many_there_may_be(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ReductionError, match=r"have 10 dimensions, which a PCA cannot make 11\. Use --dimensions 10"):
        fit_pca(store, tmp_path / "p", PcaConfig(11))
    few = write_vectors(tmp_path / "few.h5", [5])
    with pytest.raises(ReductionError, match=r"needs more than 10 vectors, .* have 5 vectors\. Use --dimensions 4"):
        fit_pca(few, tmp_path / "p")
    with pytest.raises(ValueError, match="dimensions must be a whole number of at least 1, got 0"):
        PcaConfig(0)


def test_vectors_that_are_reduced_or_codes_already_are_refused(tmp_path: Path) -> None:
    reduced = replace(PROVENANCE.encoder, reduction=Reduction("ab" * 32, 20, True, "/p"))
    for name, made in (("r", replace(PROVENANCE, encoder=reduced)), ("c", replace(PROVENANCE, storage="uint8"))):
        with StoreWriter(tmp_path / f"{name}.h5", made) as writer:
            writer.append(VideoRecord("a"), np.zeros((20, 10), np.float32), np.arange(20))
    with pytest.raises(
        ReductionError, match=r"reduced already: PCA of 20 dimensions, whitened, sha256 abab.* \(--pca\)"
    ):
        fit_pca(tmp_path / "r.h5", tmp_path / "p")
    with pytest.raises(
        ReductionError, match=r"are one byte a coefficient\. Fit the PCA on the store that they came from"
    ):
        fit_pca(tmp_path / "c.h5", tmp_path / "p")


def test_what_enters_a_block_stays_whole(store: Path, tmp_path: Path) -> None:
    encoder = replace(PROVENANCE.encoder, stop_before="blocks.15", shape=(2, 5))
    with StoreWriter(tmp_path / "a.h5", replace(PROVENANCE, encoder=encoder)) as writer:
        writer.append(VideoRecord("a"), np.zeros((20, 10), np.float32), np.arange(20))
    with pytest.raises(ReductionError, match=r"holds what enters blocks\.15 of bar-reader, .* without --stop-before"):
        fit_pca(tmp_path / "a.h5", tmp_path / "p")
    with pytest.raises(EncoderError, match=r"What enters blocks\.15 of bar-reader must stay whole .*Leave out --pca"):
        fitted(store, tmp_path / "p").identity_of(encoder, tmp_path / "p")


def test_an_older_pca_is_replaced_and_nothing_else(store: Path, tmp_path: Path) -> None:
    fit_pca(store, tmp_path / "p", PcaConfig(3))
    assert "the PCA to 3 dimensions" in str(fit_pca(store, tmp_path / "p", PcaConfig(4)).replaced)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        fit_pca(store, tmp_path / "notes.txt")
    with pytest.raises(OutputError, match=r"s\.h5"):
        fit_pca(store, store, overwrite=True)
    assert fit_pca(store, tmp_path / "notes.txt", overwrite=True).dimension == 10


def test_a_full_disk_leaves_the_older_pca(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit_pca(store, tmp_path / "p", PcaConfig(3))
    before = (tmp_path / "p").read_bytes()

    def half(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(StoreError, match="cannot be written: No space left on device"):
        fit_pca(store, tmp_path / "p", PcaConfig(4))
    assert (tmp_path / "p").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p", "s.h5"]


def yt8m_matrices(folder: Path, count: int = 6) -> dict[str, NDArray[Any]]:
    """Write matrices in the shapes of YouTube-8M's: columns, and one eigenvector a row."""
    rng, folder = np.random.default_rng(0), folder
    vectors, _ = np.linalg.qr(rng.normal(size=(count, count)))
    files = {"mean": rng.normal(size=(count, 1)), "eigenvals": 0.5 ** np.arange(count)[:, None], "eigenvecs": vectors}
    folder.mkdir(exist_ok=True)
    for name, matrix in files.items():
        np.save(folder / f"{name}.npy", matrix)
    return files


def test_the_matrices_of_youtube_8m_are_applied_as_its_extractor_does(tmp_path: Path) -> None:
    files = yt8m_matrices(tmp_path / "yt8m")
    report = fit_pca(tmp_path / "yt8m", tmp_path / "p", PcaConfig(4))
    frame = np.random.default_rng(1).normal(size=6).astype(np.float32)
    features = frame - files["mean"][:, 0]
    features = features.reshape((1, 6)).dot(files["eigenvecs"].T[:, :4]).reshape((4,))
    features /= np.sqrt(files["eigenvals"][:4, 0] + 1e-4)
    np.testing.assert_allclose(read_pca(tmp_path / "p").apply(frame[None])[0], features, atol=1e-5)
    assert (report.vectors, report.videos, report.source_dimension) == (0, 0, 6)
    assert report.explained == pytest.approx(files["eigenvals"][:4].sum() / files["eigenvals"].sum())


def cut_a_row(folder: Path) -> None:
    np.save(folder / "eigenvecs.npy", np.eye(6)[:5])


def write_pickle(folder: Path) -> None:
    np.save(folder / "mean.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)


def write_nan(folder: Path) -> None:
    np.save(folder / "eigenvals.npy", np.full(6, np.nan))


def write_negative(folder: Path) -> None:
    np.save(folder / "eigenvals.npy", -np.ones(6))


def write_text(folder: Path) -> None:
    (folder / "mean.npy").write_text("no array")


@pytest.mark.parametrize("harm", [cut_a_row, write_pickle, write_nan, write_negative, write_text])
def test_matrices_that_are_none_are_refused(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    yt8m_matrices(tmp_path / "yt8m")
    harm(tmp_path / "yt8m")
    with pytest.raises(ReductionError, match="yt8m"):
        fit_pca(tmp_path / "yt8m", tmp_path / "p", PcaConfig(4))


def test_a_pca_of_matrices_takes_any_encoder_of_its_length(tmp_path: Path) -> None:
    yt8m_matrices(tmp_path / "yt8m")
    fit_pca(tmp_path / "yt8m", tmp_path / "p", PcaConfig(4))
    encoder = replace(PROVENANCE.encoder, dimension=6)
    reduced = read_pca(tmp_path / "p").identity_of(encoder, tmp_path / "p")
    assert (reduced.dimension, reduced.is_normalised) == (4, False)
    with pytest.raises(EncoderError, match="of another encoder"):
        read_pca(tmp_path / "p").identity_of(PROVENANCE.encoder, tmp_path / "p")


def test_a_pca_of_another_encoder_is_refused(store: Path, tmp_path: Path) -> None:
    other = replace(PROVENANCE.encoder, weights_sha256="other-weights")
    with pytest.raises(EncoderError, match=r"vectors of bar-reader \(weights one.* not on .*weights other-we.*fit-pca"):
        fitted(store, tmp_path / "p").identity_of(other, tmp_path / "p")


def damaged(content: bytes, name: str) -> bytes:
    matrices = safetensors.numpy.load(content)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    described = json.loads(header["pca"])
    changes: dict[str, Callable[[], object]] = {
        "format": lambda: header.update(pca=json.dumps(described | {"format": "framehead pca 9"})),
        "no description": lambda: header.pop("pca"),
        "description": lambda: header.update(pca="[]"),
        "whitening": lambda: header.update(pca=json.dumps(described | {"is_whitened": "no"})),
        "origin": lambda: header.update(pca=json.dumps(described | {"model": 7})),
        "extra": lambda: header.update(pca=json.dumps(described | {"odd": 7})),
        "missing": lambda: matrices.pop("mean"),
        "shape": lambda: matrices.update(mean=matrices["mean"][1:]),
        "type": lambda: matrices.update(components=matrices["components"].astype(np.float64)),
        "not finite": lambda: matrices.update(mean=matrices["mean"] * np.float32(np.nan)),
        "negative": lambda: matrices.update(eigenvalues=-matrices["eigenvalues"]),
        "digests": lambda: matrices.update(fitted_on=matrices["fitted_on"][:, :3].copy()),
    }
    changes[name]()
    return safetensors.numpy.save(matrices, header)


HARMS = (
    *("format", "no description", "description", "whitening", "origin", "extra"),
    *("missing", "shape", "type", "not finite", "negative", "digests"),
)


@pytest.mark.parametrize("name", HARMS)
def test_a_file_that_is_no_pca_is_refused_with_what_to_do(store: Path, tmp_path: Path, name: str) -> None:
    fit_pca(store, tmp_path / "p", PcaConfig(4))
    (tmp_path / "p").write_bytes(damaged((tmp_path / "p").read_bytes(), name))
    with pytest.raises(ReductionError, match=r"is not a PCA, or a damaged one: .*Make one with: fit-pca STORE"):
        read_pca(tmp_path / "p")


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\x08\0\0\0\0\0\0\0{}      "], ids=["empty", "bytes", "bare"])
def test_any_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(ReductionError, match="is not a PCA"):
        read_pca(tmp_path / "p")
    with pytest.raises(ReductionError, match="cannot be read"):
        read_pca(tmp_path / "absent")


def test_a_pca_is_found_by_its_hash_wherever_it_lies(store: Path, tmp_path: Path) -> None:
    pca = fitted(store, tmp_path / "made" / "p.safetensors")
    reduction = pca.identity_of(PROVENANCE.encoder, tmp_path / "made" / "p.safetensors").reduction
    assert reduction is not None
    assert find_pca(reduction, [tmp_path]) == tmp_path / "made" / "p.safetensors"
    fit_pca(store, tmp_path / "pca.safetensors", PcaConfig(3))  # another one, under a name that is tried
    (tmp_path / "made" / "p.safetensors").rename(tmp_path / "p.safetensors")
    assert find_pca(reduction, [tmp_path]) == tmp_path / "p.safetensors"
    assert find_pca(replace(reduction, sha256="0" * 64), [tmp_path]) is None
    assert find_pca(replace(reduction, source="a\0b"), []) is None
