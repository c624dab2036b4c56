"""A clip encoder with a text tower: texts -> vectors in the space of its clips."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from embed.encoders.clip_checkpoints import class_of, first_line, quiet
from embed.encoders.contract import PendingVectors
from embed.encoders.torch_encoder import TorchEncoder
from embed.errors import WeightsUnavailable

_TEXTS_AT_ONCE = 256
_PRISM_TOKENS = 64  # of `VideoPrismProcessor.text_kwargs`, which pads every text to this length

_TOKENIZER_FILES = ("tokenizer.json", "spiece.model", "tokenizer.model")
_COPY = "Copy tokenizer.json and tokenizer_config.json of the published checkpoint into that folder."


@final
@dataclass(frozen=True)
class TextTower:
    """The text tower of a checkpoint.

    Args:
        model: the name of the encoder.
        folder: of the checkpoint; its tokenizer is there.
        network: the tower, on the CPU.
        encode_tokens: the tokenizer's tensors -> (N, D), using `network`.
    """

    model: str
    folder: Path
    network: nn.Module
    encode_tokens: Callable[[Mapping[str, Tensor]], Tensor]


@final
class ClipTextEncoder:
    """A clip encoder that also encodes texts.

    Args:
        clips: the encoder of clips.
        texts: its text tower. It is moved to `device`, frozen and set to eval mode.
        device: a torch device.
    """

    def __init__(self, clips: TorchEncoder, texts: TextTower, device: str) -> None:
        self.identity = clips.identity
        self._clips, self._texts, self._device = clips, texts, device
        texts.network.requires_grad_(False).eval().to(device)

    @property
    def batch_size(self) -> int:
        """B of a batch where the user names none."""
        return self._clips.batch_size

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode (B, W, side_px, side_px, 3) uint8 frames to (B, D) float32 vectors."""
        return self._clips.encode(rgb)

    def begin(self, rgb: NDArray[np.uint8]) -> PendingVectors:
        """Begin to `encode`, in the background where the device can; elsewhere encode the whole batch."""
        return self._clips.begin(rgb)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode N texts to (N, D) vectors of length 1, in float32 for any precision of the clips.

        Raises:
            WeightsUnavailable: the checkpoint has no tokenizer that can be loaded.
        """
        tokenizer = self._tokenizer()
        found = np.empty((len(texts), self.identity.dimension), np.float32)
        with torch.inference_mode():
            for start in range(0, len(texts), _TEXTS_AT_ONCE):
                block = list(texts[start : start + _TEXTS_AT_ONCE])
                tokens = {name: ids.to(self._device) for name, ids in tokenizer(block).items()}
                vectors = self._texts.encode_tokens(tokens).float()
                found[start : start + len(block)] = nn.functional.normalize(vectors, dim=-1).cpu().numpy()
        return found

    def _tokenizer(self) -> Callable[[list[str]], Mapping[str, Tensor]]:
        tower = self._texts
        if not any((tower.folder / name).is_file() for name in _TOKENIZER_FILES):
            # transformers would make one without words, for which all texts are the same.
            raise WeightsUnavailable(f"The checkpoint {tower.folder} has no tokenizer. {_COPY}")
        try:
            with quiet():
                tokenizer = class_of(tower.model, "AutoTokenizer").from_pretrained(
                    tower.folder, trust_remote_code=False, local_files_only=True
                )
        except Exception as error:  # transformers and tokenizers raise many
            raise WeightsUnavailable(
                f"The tokenizer of {tower.model} cannot be loaded from {tower.folder}: {first_line(error)}. {_COPY}"
            ) from error
        return lambda block: _tokens(tokenizer, block, is_prism=tower.model.startswith("videoprism:"))


def _tokens(tokenizer: Any, texts: list[str], *, is_prism: bool) -> Mapping[str, Tensor]:
    lengths = {"padding": "max_length", "max_length": _PRISM_TOKENS} if is_prism else {"padding": True}
    found: Mapping[str, Tensor] = tokenizer(texts, truncation=True, return_tensors="pt", **lengths)
    names = ("input_ids", "attention_mask")
    return {name: found[name] for name in names}
