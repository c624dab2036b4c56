from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from classify.cli import framehead
from embed import EmbedConfig, UniformFrames, embed_videos, load_text_encoder
from embed.encoders import Encoder, reduce_encoder
from embed.encoders.testing import (
    check_batch_independence,
    check_determinism,
    check_input_is_kept,
    check_parts,
    check_pending_vectors,
    check_vectors,
)
from embed.errors import EncoderError, ReductionError, StoreError, StoreMismatch
from embed.reduction import PcaConfig, fit_pca, read_pca, reduce_store
from embed.store import EmbeddingStore, Failure, StoreWriter, dequantise, inspect_embeddings, quantise
from tests.embed.stores import PROVENANCE, append
from tests.media import BarReader, write_video

CONFIG = EmbedConfig(sampling=UniformFrames(6), batch_size=4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of five videos in float16; beside it the videos and a PCA."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "videos").mkdir()
    for number in range(5):
        write_video(folder / "videos" / f"{number}.mp4", 9 + 7 * number)
    embed_videos([folder / "videos"], folder / "whole.h5", CONFIG, encoder=BarReader())
    fit_pca(folder / "whole.h5", folder / "pca.safetensors", PcaConfig(3))
    return folder / "whole.h5"


@pytest.fixture(scope="module")
def videos(whole: Path) -> Path:
    return whole.with_name("videos")


@pytest.fixture(scope="module")
def pca(whole: Path) -> Path:
    return whole.with_name("pca.safetensors")


def reduced_config(whole: Path, *, is_quantised: bool = False) -> EmbedConfig:
    return replace(CONFIG, pca=str(whole.with_name("pca.safetensors")), is_quantised=is_quantised)


def run(*words: object) -> Result:
    return CliRunner().invoke(framehead, [str(word) for word in words])


@pytest.mark.parametrize("is_quantised", [False, True])
def test_a_reduced_store_is_as_if_its_videos_had_been_embedded_so(
    whole: Path, pca: Path, videos: Path, tmp_path: Path, is_quantised: bool
) -> None:
    reduce_store(whole, tmp_path / "r.h5", pca=pca, is_quantised=is_quantised)
    config = reduced_config(whole, is_quantised=is_quantised)
    embed_videos([videos], tmp_path / "e.h5", config, encoder=BarReader())
    with EmbeddingStore(tmp_path / "r.h5") as ours, EmbeddingStore(tmp_path / "e.h5") as theirs:
        assert ours.provenance.difference(theirs.provenance) is None
        assert [ours.video(name) for name in ours.ids] == [theirs.video(name) for name in theirs.ids]
        step = 4 / 255 if is_quantised else 0.01
        np.testing.assert_allclose(ours.read_many(ours.ids)[0], theirs.read_many(ours.ids)[0], atol=step + 1e-3)
    summary = embed_videos([videos], tmp_path / "r.h5", config, encoder=BarReader())
    assert (summary.embedded, summary.skipped) == (0, 5)


def test_vectors_are_reduced_and_then_quantised(whole: Path, pca: Path, tmp_path: Path) -> None:
    report = reduce_store(whole, tmp_path / "r.h5", pca=pca, is_quantised=True)
    matrices = read_pca(pca)
    with EmbeddingStore(whole) as before, EmbeddingStore(tmp_path / "r.h5") as after:
        reduced = matrices.apply(before.read("3.mp4").vectors)
        np.testing.assert_array_equal(after.read("3.mp4").vectors, dequantise(quantise(reduced)))
        np.testing.assert_array_equal(after.read("3.mp4").timestamps_s, before.read("3.mp4").timestamps_s)
        everything = matrices.apply(before.read_many(before.ids)[0])
    assert (report.videos, report.vectors, report.dimension) == (5, 30, 3)
    assert report.clipped_share == np.mean(np.abs(everything) > 2)
    assert report.size_bytes == (tmp_path / "r.h5").stat().st_size < report.source_bytes


def test_what_one_byte_costs_is_told_by_the_run_that_stores_it(whole: Path, videos: Path, tmp_path: Path) -> None:
    summary = embed_videos([videos], tmp_path / "q.h5", replace(CONFIG, is_quantised=True), encoder=BarReader())
    assert summary.clipped_share == 0.0
    assert summary.size_bytes == (tmp_path / "q.h5").stat().st_size
    with EmbeddingStore(whole) as before, EmbeddingStore(tmp_path / "q.h5") as after:
        exact, read = (store.read_many(store.ids)[0].astype(float) for store in (before, after))
    assert summary.quantisation_error == pytest.approx(np.linalg.norm(read - exact) / np.linalg.norm(exact), rel=0.01)
    assert embed_videos([videos], whole, CONFIG, encoder=BarReader()).clipped_share is None


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        pytest.param({"pca": None}, "dimension is 3, not 10; reduction is PCA of 10 dimensions, whitened", id="no PCA"),
        pytest.param({"is_quantised": False}, r"storage is uint8 \(--quantize\), not float16", id="not quantised"),
    ],
)
def test_a_run_with_other_settings_than_the_store_is_refused(
    whole: Path, videos: Path, tmp_path: Path, changes: dict[str, object], difference: str
) -> None:
    config = reduced_config(whole, is_quantised=True)
    embed_videos([videos], tmp_path / "r.h5", config, encoder=BarReader())
    with pytest.raises(StoreMismatch, match=difference):
        embed_videos([videos], tmp_path / "r.h5", replace(config, **changes), encoder=BarReader())  # type: ignore[arg-type]


def test_another_pca_is_another_reduction(whole: Path, videos: Path, tmp_path: Path) -> None:
    embed_videos([videos], tmp_path / "r.h5", reduced_config(whole), encoder=BarReader())
    fit_pca(whole, tmp_path / "other", PcaConfig(3, is_whitened=False))
    other = replace(CONFIG, pca=str(tmp_path / "other"))
    with pytest.raises(StoreMismatch, match=r"reduction is PCA of 10 dimensions, whitened, sha256 .*, not PCA of 10"):
        embed_videos([videos], tmp_path / "r.h5", other, encoder=BarReader())


def test_the_encoder_of_a_finished_store_is_not_loaded_to_compare_a_pca(whole: Path, pca: Path, tmp_path: Path) -> None:
    from embed.run.encoder_choice import needs_no_encoder

    made = reduce_store(whole, tmp_path / "r.h5", pca=pca).output
    with EmbeddingStore(made) as store:
        known = store.provenance
    asked = EmbedConfig.from_provenance(known)
    assert asked.pca == str(pca)
    assert needs_no_encoder(asked, known)
    assert not needs_no_encoder(replace(asked, pca=None), known)


@pytest.mark.parametrize(
    "check",
    [
        check_parts,
        check_vectors,
        check_input_is_kept,
        check_determinism,
        check_batch_independence,
        check_pending_vectors,
    ],
)
def test_a_reduced_encoder_keeps_the_contract_of_encoders(whole: Path, check: Callable[[Encoder], None]) -> None:
    check(reduce_encoder(BarReader(), whole.with_name("pca.safetensors")))


def test_no_text_is_searched_in_reduced_vectors(whole: Path) -> None:
    identity = reduce_encoder(BarReader(), whole.with_name("pca.safetensors")).identity
    with pytest.raises(
        EncoderError, match=r"were reduced \(PCA of 10 .*no text is in their space. Use a store .*--pca"
    ):
        load_text_encoder(identity)


def test_reducing_goes_on_where_it_was_stopped(whole: Path, tmp_path: Path) -> None:
    calls = []

    def stop(done: int, _: int) -> None:
        calls.append(done)
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reduce_store(whole, tmp_path / "r.h5", is_quantised=True, on_progress=stop)
    report = reduce_store(whole, tmp_path / "r.h5", is_quantised=True)
    assert (report.videos, report.skipped) == (2, 3)
    assert inspect_embeddings(tmp_path / "r.h5", is_verifying=True).problems == ()


def test_failures_go_along_and_shards_too(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "shards", PROVENANCE) as writer:
        append(writer, "a", 1)
        writer.append_failure(Failure("b", "/b", "no_frames", "it is empty"))
    reduce_store(tmp_path / "shards", tmp_path / "new", is_quantised=True)
    with EmbeddingStore(tmp_path / "new") as store:
        assert (store.ids, [failure.id for failure in store.failures]) == (["a"], ["b"])


def test_a_store_that_cannot_be_reduced_is_refused(whole: Path, pca: Path, tmp_path: Path) -> None:
    with pytest.raises(ReductionError, match="Use --pca FILE, --quantize, or both"):
        reduce_store(whole, tmp_path / "r.h5")
    with pytest.raises(StoreError, match="is the store that is read"):
        reduce_store(whole, whole, is_quantised=True)
    reduce_store(whole, tmp_path / "q.h5", is_quantised=True)
    with pytest.raises(ReductionError, match="one byte a coefficient already"):
        reduce_store(tmp_path / "q.h5", tmp_path / "r.h5", pca=pca)
    reduce_store(whole, tmp_path / "p.h5", pca=pca)
    with pytest.raises(EncoderError, match="are reduced already"):
        reduce_store(tmp_path / "p.h5", tmp_path / "r.h5", pca=pca)
    assert not (tmp_path / "r.h5").exists()


def test_other_videos_of_the_same_names_are_not_mixed(whole: Path, tmp_path: Path) -> None:
    reduce_store(whole, tmp_path / "r.h5", is_quantised=True)
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "2.mp4", 40)
    embed_videos([tmp_path / "videos"], tmp_path / "other.h5", CONFIG, encoder=BarReader())
    with pytest.raises(StoreError, match=r"has other vectors of 2\.mp4 than .*other\.h5 has now\. Name a new store"):
        reduce_store(tmp_path / "other.h5", tmp_path / "r.h5", is_quantised=True)


def test_the_commands_tell_what_they_made_and_what_comes_next(whole: Path, tmp_path: Path) -> None:
    fitting = run("fit-pca", whole, "--dimensions", 3, "-o", tmp_path / "p.safetensors")
    assert "10 dimensions become 3, whitened, which keep" in fitting.stdout
    assert "fitted on 30 vectors of 5 videos" in fitting.stdout
    assert f"reduce-store {whole} -o reduced.h5 --pca {tmp_path / 'p.safetensors'}" in fitting.stderr
    reducing = run("reduce-store", whole, "-o", tmp_path / "r.h5", "--pca", tmp_path / "p.safetensors", "--quantize")
    assert "5 videos reduced, 0 in the store already" in reducing.stdout
    assert "one byte a coefficient:" in reducing.stdout
    shown = run("inspect-embeddings", tmp_path / "r.h5", "--verify").stdout
    assert "one byte a coefficient" in shown
    assert "reduced   PCA of 10 dimensions, whitened" in shown
    assert "no problems" in shown
    wrong = run("reduce-store", whole, "-o", tmp_path / "o.h5", "--pca", whole)
    assert wrong.exit_code == 2
    assert "is not a PCA" in wrong.stderr
