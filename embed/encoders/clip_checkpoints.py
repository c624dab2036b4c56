"""The name of a clip model of transformers -> its folder -> the model, with all of its weights or an error.

transformers fills weights that a checkpoint lacks with random numbers, and says so in a log. Here it is an error. Its
progress bars and its log stay silent, and no code that comes with a checkpoint is run.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, final

import torch

from embed.encoders.checkpoints import some_of
from embed.encoders.clip_families import CLIP_FAMILIES, read_json
from embed.encoders.hub import cache_only, why_no_downloads
from embed.encoders.torchvision_operators import declare_missing_operators
from embed.errors import EncoderError, WeightsUnavailable
from embed.machine import counted

_FILES = ["*.json", "*.txt", "*.model", "model*.safetensors"]
_OLD_WEIGHTS = ["pytorch_model*.bin"]


@final
@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on this machine.

    Args:
        model: its name as `--model` has it: "videomae:NAME".
        prefix: what stands before the colon.
        folder: where its files are.
        source: what finds the same files again as `--pretrained`: the folder, or the commit of a hub name.
        config: what its `config.json` says.
    """

    model: str
    prefix: str
    folder: Path
    source: str
    config: Mapping[str, Any]

    @property
    def architecture(self) -> str:
        """The class that wrote it, "VideoMAEModel"; "" if it does not say."""
        names = self.config.get("architectures") or [""]
        return str(names[0])


def find_checkpoint(model: str, pretrained: str | None) -> Checkpoint:
    """Return the checkpoint of a model's name, downloaded if it is on the hub.

    Args:
        model: "videomae:NAME" and so on, where NAME is a folder or a hub name.
        pretrained: a folder with the checkpoint, wherever NAME is; or a revision of the hub name.

    Raises:
        EncoderError: there is no such folder, it holds no checkpoint, or one of another family.
        WeightsUnavailable: it cannot be downloaded.
    """
    import_transformers(model)
    prefix, _, name = model.partition(":")
    folder, source = _place_of(model, name, pretrained)
    config = read_json(folder / "config.json")
    kind = config.get("model_type")
    if not config:
        raise EncoderError(
            f"{folder} has no config.json of transformers. Name a folder that save_pretrained wrote, or a hub name "
            f"such as {prefix}:{CLIP_FAMILIES[prefix].example}."
        )
    if kind not in CLIP_FAMILIES[prefix].types:
        raise EncoderError(f"{folder} is a checkpoint of {_described(config)}, not of {prefix}. {_advice(kind, name)}")
    return Checkpoint(model, prefix, folder, source, config)


def load_model(checkpoint: Checkpoint, name: str, unused: tuple[str, ...]) -> Any:
    """Return a model of transformers with the weights of a checkpoint, in float32, on the CPU, in eval mode.

    Args:
        checkpoint: where the weights are.
        name: of the class.
        unused: how the names of tensors begin that may be missing, because the encoder does not use them.

    Raises:
        WeightsUnavailable: weights are missing, damaged or of another shape.
    """
    loaded = class_of(checkpoint.model, name)
    try:
        with quiet():
            network, told = loaded.from_pretrained(
                checkpoint.folder, dtype=torch.float32, output_loading_info=True, local_files_only=True
            )
    except Exception as error:  # transformers, safetensors, pickle and torch each raise their own errors
        raise WeightsUnavailable(
            f"The weights in {checkpoint.folder} cannot be loaded as {name}: {first_line(error)}. Download the "
            "folder again, or save it again with save_pretrained."
        ) from error
    missing = sorted(key for key in told["missing_keys"] if not key.startswith(unused))
    if missing:
        raise WeightsUnavailable(
            f"The checkpoint in {checkpoint.folder} lacks {counted(len(missing), 'tensor')} of {name}: "
            f"{some_of(missing)}. They would be random. Use a complete checkpoint."
        )
    return network.eval()


def class_of(model: str, name: str) -> Any:
    """Return a class of transformers by its name.

    Raises:
        EncoderError: transformers is not installed, or its version has no such class.
    """
    transformers = import_transformers(model)
    try:
        return getattr(transformers, name)
    except (AttributeError, ImportError) as error:
        raise EncoderError(
            f"transformers {transformers.__version__} has no {name}, which {model} needs. Install a newer one: "
            "pip install -U transformers."
        ) from error


def import_transformers(model: str) -> Any:
    """Return the package transformers.

    Raises:
        EncoderError: it is not installed.
    """
    declare_missing_operators()
    try:
        import transformers
    except ImportError as error:
        raise EncoderError(
            f"{model} needs transformers, which is not installed. Install it: pip install '.[transformers]' in "
            "framehead's folder, or pip install transformers."
        ) from error
    return transformers


def first_line(error: Exception) -> str:
    """Return the class of an error and the first line of its text, without a full stop."""
    said = (str(error).strip() or "no reason given").splitlines()[0]
    return f"{type(error).__name__}: {said.rstrip('.')}"


@contextmanager
def quiet() -> Iterator[None]:
    """Let transformers write neither log lines, warnings nor progress bars."""
    from transformers.utils import logging as told

    verbosity, has_bars = told.get_verbosity(), told.is_progress_bar_enabled()
    told.set_verbosity(logging.CRITICAL)
    told.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        # PE-AV's class prints a note on its own docstring each time that it is built.
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        told.set_verbosity(verbosity)
        if has_bars:
            told.enable_progress_bar()  # type: ignore[no-untyped-call]


def _place_of(model: str, name: str, pretrained: str | None) -> tuple[Path, str]:
    """Return the folder of a checkpoint, and what finds it again."""
    for path in (Path(one).expanduser() for one in (pretrained, name) if one):
        if path.is_dir():
            if pretrained and str(path) != str(Path(pretrained).expanduser()):
                raise EncoderError(f"There is no folder {pretrained}. Leave out --pretrained to use {name}.")
            return path, str(path.absolute())
        if path.is_file():
            raise EncoderError(
                f"{path} is a file, but checkpoints of {model.partition(':')[0]} are folders: config.json, the weights "
                "and preprocessor_config.json. Name the folder."
            )
    if _is_path(name) or _is_path(pretrained or "x/y"):
        raise EncoderError(
            f"There is no folder {pretrained or name!r}. Name a folder that has config.json and the weights, or a hub "
            f"name such as {CLIP_FAMILIES[model.partition(':')[0]].example}."
        )
    folder = _download(model, name, pretrained)
    return folder, folder.name  # the cache's folders are named by the commit


def _is_path(name: str) -> bool:
    """Return True if a name can be no hub name or revision, but may be a path."""
    return not name or name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name


def _download(model: str, name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    offline = why_no_downloads()
    try:
        with quiet(), cache_only(offline):
            fetch = partial(snapshot_download, name, revision=revision, local_files_only=offline is not None)
            folder = Path(fetch(allow_patterns=_FILES))
            if not offline and not any(folder.glob("model*.safetensors")):
                fetch(allow_patterns=_OLD_WEIGHTS)
    except Exception as error:  # every hub and network library raises its own errors
        why = f"they are not in the cache of this machine, and {offline}" if offline else first_line(error)
        raise WeightsUnavailable(
            f"The weights of {model} are not available: {why}. Download them on another machine with hf download "
            f"{name} --local-dir FOLDER, and use --model {model.partition(':')[0]}:FOLDER."
        ) from error
    return folder


def _described(config: Mapping[str, Any]) -> str:
    kind, names = config.get("model_type"), config.get("architectures")
    return f"{kind or 'an unknown type'}" + (f" ({names[0]})" if names else "")


def _advice(kind: object, name: str) -> str:
    for prefix, family in CLIP_FAMILIES.items():
        if kind in family.types:
            return f"Use --model {prefix}:{name}."
    return f"The clip models of transformers are {', '.join(CLIP_FAMILIES)}; images have --model timm:NAME."
