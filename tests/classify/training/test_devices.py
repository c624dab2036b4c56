"""Devices of training and prediction. Tests that need a GPU are skipped without one."""

from pathlib import Path
from threading import Barrier, Thread
from time import sleep

import numpy as np
import pytest
import torch

from classify.errors import TrainError
from classify.training.batches import LabelledSet
from classify.training.devices import explained_memory, find_device, memory_bytes, on_one_thread
from classify.training.logits import predict_probabilities
from classify.training.recipe import TrainConfig
from classify.training.training import fit_head

NOBODY = np.array([], dtype=np.int64)


def test_an_absent_device_is_refused_with_those_there_are() -> None:
    with pytest.raises(TrainError, match=r"no device 'tpu' here. Choose one of: auto, cpu"):
        find_device("tpu")


@pytest.mark.parametrize("name", ["memory.max", "memory.limit_in_bytes"], ids=["cgroup v2", "cgroup v1"])
def test_a_containers_limit_is_all_the_memory_there_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("1048576\n")

    assert memory_bytes((tmp_path / "absent", tmp_path / name)) == 2**20


@pytest.mark.parametrize("limit", ["max\n", "9223372036854771712\n"], ids=["cgroup v2", "cgroup v1"])
def test_without_a_limit_the_machines_memory_is_there(tmp_path: Path, limit: str) -> None:
    (tmp_path / "limit").write_text(limit)

    assert memory_bytes((tmp_path / "limit",)) == memory_bytes(()) > 2**28


@pytest.mark.parametrize("arch", ["linear", "attention"])
def test_a_gpu_that_is_full_is_said_with_what_to_do(
    separable: LabelledSet, monkeypatch: pytest.MonkeyPatch, arch: str
) -> None:
    run = fit_head(separable, np.arange(80), NOBODY, TrainConfig(arch=arch, epochs=1))
    monkeypatch.setattr(torch.nn.functional, "linear", run_out_of_memory)

    with pytest.raises(TrainError, match=r"The GPU's memory is full\..*--stream, use fewer .* --max-frames"):
        fit_head(separable, np.arange(80), NOBODY, TrainConfig(arch=arch, epochs=1))
    with pytest.raises(TrainError, match=r"The GPU's memory is full\..*a smaller --batch-size, or --device cpu"):
        predict_probabilities(run.head, separable.videos, run.thresholds)


def run_out_of_memory(*_: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 20.0 GiB for an array"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 20 bytes."),
    ],
    ids=["numpy", "torch"],
)
def test_a_machine_that_is_full_is_said_with_what_to_do(error: Exception) -> None:
    with (
        pytest.raises(TrainError, match=r"The machine's memory is full\..*, or a smaller --batch-size\."),
        explained_memory(),
    ):
        raise error


def test_another_error_is_not_explained_by_memory() -> None:
    with pytest.raises(RuntimeError, match="a bug"), explained_memory():
        raise RuntimeError("a bug")


def test_threads_that_overlap_leave_torch_the_threads_it_had() -> None:
    before, inside = torch.get_num_threads(), Barrier(2)
    counts: list[int] = []

    def compute(order: int) -> None:
        with on_one_thread():
            counts.append(torch.get_num_threads())
            inside.wait()
            if order:
                sleep(0.05)  # leaves last
        counts.append(torch.get_num_threads())

    for _ in range(3):
        threads = [Thread(target=compute, args=(order,)) for order in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    fresh = Thread(target=lambda: counts.append(torch.get_num_threads()))
    fresh.start()
    fresh.join()

    assert sorted(counts) == sorted([1] * 6 + [before] * 7)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_head_lies_after_a_prediction_where_it_lay_before(separable: LabelledSet) -> None:
    run = fit_head(separable, np.arange(80), NOBODY, TrainConfig(epochs=1))

    on_gpu, on_cpu = (predict_probabilities(run.head, separable.videos, None, device=name) for name in ("cuda", "cpu"))

    assert {tensor.device.type for tensor in run.head.state_dict().values()} == {"cpu"}
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-4)


def test_mixed_precision_is_refused_on_a_cpu(separable: LabelledSet) -> None:
    with pytest.raises(TrainError, match=r"Mixed precision needs an NVIDIA GPU.*Leave it out"):
        fit_head(separable, np.arange(80), NOBODY, TrainConfig(device="cpu", mixed_precision=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_mixed_precision_learns_on_a_gpu(separable: LabelledSet) -> None:
    config = TrainConfig(arch="transformer", epochs=20, device="cuda", mixed_precision=True)

    run = fit_head(separable, np.arange(80), np.arange(80, 120), config)

    assert run.history[-1].validation_f1 == 1.0
