"""Load the rest of an encoder behind the cut at which it made a store: with its weights, or empty for a saved head."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from embed.encoders.cutting import find_cut
from embed.encoders.loading import torch_family, window_option
from embed.encoders.tails import Cut, Tail
from embed.encoders.torch_encoder import TorchModel
from embed.errors import EncoderError, StoreMismatch
from embed.store import EncoderIdentity


def load_tail(identity: EncoderIdentity, *, pretrained: str | None = None) -> Tail:
    """Return what an encoder does with the activations of a store, with the weights that it had then.

    Args:
        identity: the encoder's identity, as the store has it.
        pretrained: path of its weights on this machine, if they are a file that has moved.

    Raises:
        EncoderError: the encoder did not stop before a submodule, or cannot be built.
        WeightsUnavailable: its weights are available neither from a hub nor from a file.
        StoreMismatch: the weights here are others.
    """
    if not identity.stop_before:
        raise EncoderError(
            f"These are vectors of the whole {identity.model}, so nothing is left of it to train. Embed the videos "
            "with --stop-before, which stores what enters a block."
        )
    build = torch_family(identity.model).build
    source = pretrained or identity.weights_source
    model = build(identity.model, pretrained=source, **window_option(identity.model, identity.window))
    if model.identity.weights_sha256 != identity.weights_sha256:
        raise StoreMismatch(
            f"The weights of {identity.model} in {source or 'its package'} are not those that the store was made with. "
            "Use --pretrained to name the checkpoint that was."
        )
    return _tail(model, identity)


def outline_tail(identity: EncoderIdentity, architecture: Mapping[str, Any]) -> Tail:
    """Return the same module for a head that brings the weights, without a checkpoint.

    Args:
        identity: the encoder's identity.
        architecture: `Tail.architecture` of the module that was trained.

    Raises:
        EncoderError: the family has no outlines, or the encoder cannot be built.
    """
    return _tail(_outline(identity, architecture), identity)


def _outline(identity: EncoderIdentity, architecture: Mapping[str, Any]) -> TorchModel:
    family = torch_family(identity.model)
    if not hasattr(family, "outline"):
        raise EncoderError(
            f"The last block of {identity.model} cannot be trained yet: a saved head could not rebuild it without its "
            "checkpoint. Choose a model of torchvision, such as mvit_v2_s."
        )
    model: TorchModel = family.outline(identity, architecture)
    return model


def _tail(model: TorchModel, identity: EncoderIdentity) -> Tail:
    alike = replace(identity, pretrained="", weights_sha256="")
    cut = _find_cut(alike, json.dumps(dict(model.architecture), sort_keys=True))
    if cut.shape != identity.shape:
        raise StoreMismatch(
            f"{identity.stop_before} of this {identity.model} takes {cut.shape}, but the store has {identity.shape}: "
            "another version of its library made it. Embed the videos again."
        )
    return Tail(model.network, model.forward, cut, architecture=model.architecture)


@lru_cache(maxsize=8)
def _find_cut(identity: EncoderIdentity, architecture: str) -> Cut:
    """Find a cut once in a process: it takes seconds, and is the same for all weights."""
    return find_cut(_outline(identity, json.loads(architecture)), identity.stop_before)
