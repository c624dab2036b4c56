"""Weights are read from every common kind of file, refused with the reason, and downloaded whole or not at all."""

import hashlib
import io
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from embed.encoders.checkpoints import cached_file, download, put_tensors, read_tensors
from embed.errors import WeightsUnavailable

WEIGHTS: dict[str, Tensor] = {"0.weight": torch.arange(6.0).view(2, 3), "0.bias": torch.ones(2)}


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which its files can be had."""
    folder = tmp_path / "served"
    folder.mkdir()
    with HTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(WEIGHTS, id="a state dict"),
        pytest.param({"state_dict": WEIGHTS, "epoch": 3, "optimizer": {"lr": 0.1}}, id="a checkpoint of a training"),
        pytest.param({"model": WEIGHTS, "args": None}, id="one under model"),
        pytest.param({"module." + name: tensor for name, tensor in WEIGHTS.items()}, id="of DataParallel"),
        pytest.param({"_orig_mod.module." + name: t for name, t in WEIGHTS.items()}, id="of torch.compile"),
        pytest.param({"state_dict": {"model." + name: t for name, t in WEIGHTS.items()}}, id="of Lightning"),
        pytest.param({name: tensor.half() for name, tensor in WEIGHTS.items()}, id="in float16"),
    ],
)
def test_the_tensors_of_a_checkpoint_are_read(tmp_path: Path, content: object) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(saved(content))
    torch.testing.assert_close(read_tensors(path), WEIGHTS)


def test_safetensors_are_read_under_any_name(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "weights.pth")
    torch.testing.assert_close(read_tensors(tmp_path / "weights.pth"), WEIGHTS)


def test_numbers_that_count_stay_whole(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(saved({"0.num_batches_tracked": torch.tensor(7)}))
    assert read_tensors(tmp_path / "weights.pt")["0.num_batches_tracked"].dtype == torch.int64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(saved(nn.Linear(2, 2)), "something other than weights, which is not loaded", id="a model"),
        pytest.param(saved([torch.ones(2)]), "it contains list, not tensors by name", id="a list"),
        pytest.param(saved({}), "it contains dict, not tensors by name", id="nothing"),
        pytest.param(saved({"epoch": 3, "lr": 1}), "it contains more than tensors by name: epoch, lr$", id="numbers"),
        pytest.param(saved(WEIGHTS)[:-100], "Error", id="one cut short"),
        pytest.param(b"\x10\0\0\0\0\0\0\0{not json", "Error", id="damaged safetensors"),
        pytest.param(b"<html>Not Found</html>", "not loaded because it could run code", id="a web page"),
        pytest.param(b"", "EOFError", id="an empty file"),
    ],
)
def test_what_is_no_checkpoint_is_refused_with_the_reason(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsUnavailable, match=message):
        read_tensors(path)


def empty_network() -> nn.Module:
    with torch.device("meta"):
        return nn.Sequential(nn.Linear(3, 2))


def test_a_network_computes_with_the_tensors_that_it_is_given() -> None:
    network = empty_network()
    put_tensors(network, WEIGHTS)
    assert network(torch.ones(1, 3)).tolist() == [[0 + 1 + 2 + 1, 3 + 4 + 5 + 1]]


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        pytest.param({"0.weight": WEIGHTS["0.weight"]}, "1 tensor missing: 0.bias", id="missing"),
        pytest.param(WEIGHTS | {"1.w": torch.ones(1)}, "1 tensor too many: 1.w", id="extra"),
        pytest.param(
            WEIGHTS | {"0.weight": torch.ones(2, 5)},
            "1 tensor of another shape: 0.weight 2 x 5, not 2 x 3",
            id="another shape",
        ),
        pytest.param(
            {f"layer{number}.w": torch.tensor(1) for number in range(5)},
            "2 tensors missing: 0.weight, 0.bias; 5 tensors too many: layer0.w, layer1.w, layer2.w and 2 more",
            id="another model",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(tensors: Mapping[str, Tensor], message: str) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        put_tensors(empty_network(), tensors)
    assert str(caught.value) == message


def test_a_download_is_kept_and_not_repeated(served: tuple[Path, str]) -> None:
    folder, address = served
    name = f"toy-{hashlib.sha256(b'weights').hexdigest()[:8]}.pth"
    (folder / name).write_bytes(b"weights")

    path = download(f"{address}/{name}")

    assert path.read_bytes() == b"weights"
    (folder / name).unlink()
    assert download(f"{address}/{name}") == path


def _unhashed(folder: Path) -> str:
    (folder / "toy-00000000.pth").write_bytes(b"weights")
    return "toy-00000000.pth"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(_unhashed, "RuntimeError: invalid hash value", id="other bytes than its name says"),
        pytest.param(lambda _: "absent-01234567.pth", "HTTPError: HTTP Error 404", id="no such file"),
    ],
)
def test_a_download_that_fails_leaves_nothing_and_says_where_to_put_the_file(
    served: tuple[Path, str], make: Callable[[Path], str], message: str
) -> None:
    folder, address = served
    url = f"{address}/{make(folder)}"
    with pytest.raises(WeightsUnavailable, match=message) as caught:
        download(url)
    kept = cached_file(url).parent
    assert f"Download {url} on another machine and put it into {kept}, or name it with --pretrained" in str(
        caught.value
    )
    assert not list(kept.iterdir())


def test_a_server_that_cannot_be_reached_is_named_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(WeightsUnavailable, match=r"^127\.0\.0\.1 cannot be reached to download\. Download http://"):
        download(f"http://127.0.0.1:{port}/toy-01234567.pth")
