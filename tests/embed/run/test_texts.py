"""Every text fits a terminal of 80 columns, and counts agree with their nouns."""

from dataclasses import replace

import pytest

from embed.run import EmbedSummary, failures_text, report_text, summary_text, wrapped
from embed.store import Failure, Fidelity, Reduction, StoreReport, describe_sampling
from tests.embed.stores import PROVENANCE

DETAIL = "the server answers 503 Service Unavailable, and has done so for as long as this program was willing to wait"
FAILURES = tuple(Failure(f"folder/{n}.mp4", f"/videos/{n}.mp4", "fetch_error", DETAIL) for n in range(23))
SUMMARY = EmbedSummary(
    store="embeddings.h5",
    embedded=1,
    changed=1,
    skipped=1200,
    failed=2,
    vectors=1,
    repeated=1,
    seconds=10.0,
    load_seconds=1.0,
    encode_seconds=1.0,
    decode_cpu_seconds=12.0,
    encode_cpu_seconds=3.0,
    shares={"decode": 0.8, "encode": 0.2},
    failures=FAILURES[:2],
    decoded_on_cpu={"FFmpeg finds no NVIDIA GPU on this machine, or its driver is older than the library needs": 1},
)
REPORT = StoreReport(
    path="embeddings.h5",
    created="2026-11-30T21:37:35+00:00",
    videos=12000,
    vectors=1,
    dimension=10,
    shortest=1,
    median=1.0,
    longest=1,
    duration_s=90000.0,
    starts_s={"a.mp4": 1.4},
    damaged={f"{number}.mp4": 2 for number in range(30)},
    failures=FAILURES,
    provenance=replace(PROVENANCE, fidelity=Fidelity(32, 0.9991, 0.9999), views=("centre", "left-mirrored")),
    problems=(f"a.mp4: {DETAIL}",),
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(summary_text(SUMMARY), id="summary"),
        pytest.param(failures_text(FAILURES), id="failures"),
        pytest.param(report_text(REPORT), id="report"),
    ],
)
def test_lines_fit_80_columns(text: str) -> None:
    assert max(map(len, text.splitlines())) <= 80


def test_a_summary_has_the_counts_first() -> None:
    lines = summary_text(SUMMARY).splitlines()
    assert lines[:4] == [
        "1 video embedded, 1,200 in the store already, 2 failed",
        "1 vector in 10.0 s, store: embeddings.h5",
        "1 video of these embedded again, because the files changed",
        "1 vector copied, because the frame is the same as the one before",
    ]


def test_a_run_without_new_vectors_says_so() -> None:
    assert "\nno new vectors in 10.0 s, store: embeddings.h5" in summary_text(replace(SUMMARY, vectors=0))


def test_a_run_that_stores_one_byte_a_coefficient_tells_the_size_and_what_it_cost() -> None:
    summary = replace(SUMMARY, size_bytes=12_345_678, clipped_share=0.0477, quantisation_error=0.14)
    text = " ".join(summary_text(summary).split())
    assert "one byte a coefficient, store of 12.3 MB: 4.77% of the coefficients are beyond +-2 and cut off" in text
    assert "the vectors change by 14.0% (root mean square)" in text
    assert "fit-pca" not in text
    much = replace(summary, clipped_share=0.0, quantisation_error=0.4)
    assert "no coefficient is beyond +-2" in " ".join(summary_text(much).split())
    assert "That is much: reduce the vectors by a PCA first (fit-pca, then --pca)" in " ".join(
        summary_text(much).split()
    )
    assert max(map(len, summary_text(much).splitlines())) <= 80


def test_a_report_has_the_size_the_type_and_the_reduction() -> None:
    reduction = Reduction("ab" * 32, 1280, True, "/made/pca.safetensors")
    encoder = replace(PROVENANCE.encoder, reduction=reduction)
    provenance = replace(PROVENANCE, encoder=encoder, storage="uint8")
    text = report_text(replace(REPORT, provenance=provenance, size_bytes=540_600))
    assert "size      540.6 KB, one byte a coefficient\n" in text
    assert "reduced   PCA of 1,280 dimensions, whitened, sha256 abababababab (--pca), from" in text
    assert "size      0 bytes, float16\n" in report_text(REPORT)


def test_a_report_has_words_for_the_sampling_and_eight_digits_of_the_hash() -> None:
    identity = replace(PROVENANCE.encoder, weights_sha256="0123456789abcdef")
    provenance = replace(PROVENANCE, encoder=identity)
    lines = report_text(replace(REPORT, provenance=provenance)).splitlines()
    assert "sampling  uniform, 4 frames; decoded by pyav" in lines
    assert "weights   none, sha256 01234567" in lines
    assert "videos    12,000 (25.0 hours)" in lines
    assert "per video 1 vector, median 1" in lines
    assert "verified  1 problem" in lines


def test_a_report_lists_twenty_failures_and_counts_the_others() -> None:
    text = report_text(REPORT)
    assert "  fetch_error: 23 videos" in text
    assert "folder/19.mp4: " in text
    assert "folder/20.mp4: " not in text
    assert "    ... and 3 more, which --json lists" in text


@pytest.mark.parametrize(
    ("sampling", "text"),
    [
        pytest.param({"name": "uniform", "frame_count": 8}, "uniform, 8 frames", id="uniform"),
        pytest.param({"name": "keyframes", "frame_count": 1}, "keyframes, 1 frame", id="one frame"),
        pytest.param({"name": "fps", "fps": 1.0, "first_seconds": 45.0}, "fps, 1 a second, first 45 s", id="fps"),
        pytest.param({"name": "fps", "fps": 0.5, "frame_count": 8}, "fps, 0.5 a second, 8 frames", id="both"),
        pytest.param({"name": "scenes", "least_change": 0.3}, "scenes, least change 0.3", id="a rule of others"),
    ],
)
def test_a_sampling_is_described_in_words(sampling: dict[str, object], text: str) -> None:
    assert describe_sampling(sampling) == text


def test_a_long_path_is_never_broken() -> None:
    path = "/videos/" + "long-name/" * 12 + "a.mp4"
    assert path in wrapped(f"unreadable: {path} is empty", indent=4).splitlines()[1]


def test_a_report_names_the_videos_with_damaged_frames() -> None:
    assert "\ndamaged   60 frames of 30 videos\n  0.mp4: 2 frames\n  1.mp4: 2 frames\n" in report_text(REPORT)
    assert "\n  ... and 10 more, which --json lists\n" in report_text(REPORT)
    assert "damaged" not in report_text(replace(REPORT, damaged={}))
