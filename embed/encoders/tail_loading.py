"""Load the rest of an encoder behind the cut at which it made a store: with its weights, or empty for a saved head."""

import inspect
from collections.abc import Mapping
from typing import Any

from embed.encoders.cutting import cut_tail
from embed.encoders.loading import torch_family
from embed.encoders.tails import Tail
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
    takes_window = "window" in inspect.signature(build).parameters
    source = pretrained or identity.weights_source
    model = build(identity.model, pretrained=source, **({"window": identity.window} if takes_window else {}))
    if model.identity.weights_sha256 != identity.weights_sha256:
        raise StoreMismatch(
            f"The weights of {identity.model} in {source or 'its package'} are not those that the store was made with. "
            "Use --pretrained to name the checkpoint that was."
        )
    return _checked(cut_tail(model, identity.stop_before), identity)


def outline_tail(identity: EncoderIdentity, architecture: Mapping[str, Any]) -> Tail:
    """Return the same module for a head that brings the weights, without a checkpoint.

    Args:
        identity: the encoder's identity.
        architecture: `Tail.architecture` of the module that was trained.

    Raises:
        EncoderError: the family has no outlines, or the encoder cannot be built.
    """
    family = torch_family(identity.model)
    if not hasattr(family, "outline"):
        raise EncoderError(f"The last block of {identity.model} cannot be rebuilt without its checkpoint.")
    model = family.outline(identity, architecture)
    return _checked(cut_tail(model, identity.stop_before), identity)


def _checked(tail: Tail, identity: EncoderIdentity) -> Tail:
    if tail.cut.shape != identity.shape:
        raise StoreMismatch(
            f"{identity.stop_before} of this {identity.model} takes {tail.cut.shape}, but the store has "
            f"{identity.shape}: another version of its library made it. Embed the videos again."
        )
    return tail
