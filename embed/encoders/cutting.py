"""Stop a model before one of its submodules: pixels -> what enters it, one row a clip.

Where everything before a submodule is frozen, what enters it never changes. It is computed once and stored, and
training goes on from there (`embed.encoders.tails`).

A cut is allowed if nothing but the activation has a way to the model's vector. Autograd shows it: if all that is
computed before the cut needed gradients, the vector would not. A residual around the cut submodule, or a token that was
put aside before it, fails this. Then the rest is compared with the whole model, on random pixels.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from embed.encoders.call_traces import AGAIN, Blank, Call, Trace, leaves_of, trace_calls
from embed.encoders.tails import Cut, Tail
from embed.encoders.torch_encoder import TorchModel
from embed.errors import EncoderError

TOLERANCE = 1e-4
"""Largest difference that a cut may make to a vector, as a share of its largest number above 1."""

_NAMED = 3  # paths in a message
_TRIED = 24  # submodules that are tried to find them


def stop_before(model: TorchModel, path: str) -> TorchModel:
    """Return a model whose vectors are what enters one of its submodules, flattened: (B, D) of D = prod(shape).

    Args:
        model: on the CPU, in eval mode. It is of no use elsewhere.
        path: of the submodule, as `named_modules` names it: "blocks.15".

    Raises:
        EncoderError: as for `find_cut`; or the rest of the model gives other vectors than the whole.
    """
    cut = find_cut(model, path)
    _prove(model, cut)
    identity = replace(model.identity, dimension=cut.dimension, is_normalised=False, stop_before=path, shape=cut.shape)
    model.network.get_submodule(path).register_forward_pre_hook(partial(_stop, cut), with_kwargs=True)
    return TorchModel(identity, model.network, partial(_rows_before, model.forward))


def cut_tail(model: TorchModel, path: str) -> Tail:
    """Return the rest of a model from one of its submodules on. The model is of no use elsewhere.

    Raises:
        EncoderError: as for `find_cut`.
    """
    return Tail(model.network, model.forward, find_cut(model, path), architecture=model.architecture)


def find_cut(model: TorchModel, path: str) -> Cut:
    """Return how a model is stopped before a submodule. Nothing is computed.

    Raises:
        EncoderError: there is no such submodule, it is not called exactly once, does not get the clips as one tensor of
            floating-point numbers, or the model's vector depends on more than that tensor.
    """
    model.network.requires_grad_(False)
    pixels = _pixels_of(model)
    trace = trace_calls(model.network, model.forward, pixels.sizes[1:])
    try:
        return _cut_at(model, trace, path, pixels)
    except _NoCutError as why:
        raise EncoderError(
            f"{model.identity.model} cannot be stopped before {path!r}: {why}. {_name_near(model, trace, path, pixels)}"
        ) from None


@final
class _NoCutError(Exception):
    """Why a model cannot be stopped somewhere, as the end of a sentence."""


@final
class _StoppedError(Exception):
    """Ends a forward pass. Its argument is the activation, as rows (B, D)."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = rows


def _stop(cut: Cut, _: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    raise _StoppedError(cut.rows_of(leaves_of(arguments, options)[cut.leaves[0]]))


def _rows_before(forward: Callable[[Tensor], Tensor], pixels: Tensor) -> Tensor:
    try:
        forward(pixels)
    except _StoppedError as stopped:
        return stopped.rows
    raise AssertionError("the forward calls the submodule")


def _prove(model: TorchModel, cut: Cut) -> None:
    """Raise EncoderError if the rest of the model does not give the whole model's vectors of random pixels."""
    generator = torch.Generator().manual_seed(0)
    count = 1 if cut.places == 1 else 2  # with several places a clip, those of two clips must not be mixed up
    pixels = torch.randn((count, *cut.pixels.sizes[1:]), generator=generator)
    kept: list[Tensor] = []

    def keep(_: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        kept.append(cut.rows_of(leaves_of(arguments, options)[cut.leaves[0]]).clone())

    hook = model.network.get_submodule(cut.path).register_forward_pre_hook(keep, with_kwargs=True)
    with torch.inference_mode():
        whole = model.forward(pixels)
        hook.remove()
        rest = _tail_of_copy(model, cut)(kept[0])
    largest = float((whole - rest).abs().max() / whole.abs().max().clamp_min(1))
    if not largest <= TOLERANCE:  # NaN is not
        raise EncoderError(
            f"{model.identity.model} cannot be stopped before {cut.path!r}: from there on, its vectors differ from "
            f"those of the whole model by {largest:.2g}. Its forward uses something else that is computed before. "
            "Stop it before a later submodule."
        )


def _tail_of_copy(model: TorchModel, cut: Cut) -> Tail:
    network, forward = copy.deepcopy((model.network, model.forward))
    return Tail(network, forward, cut)


def _pixels_of(model: TorchModel) -> Blank:
    side, window = model.identity.preprocessing.side_px, model.identity.window
    shape = (1, 3, side, side) if window == 1 else (1, 3, window, side, side)
    return Blank(shape, (True, *(False,) * (len(shape) - 1)), torch.float32)


def _cut_at(model: TorchModel, trace: Trace, path: str, pixels: Blank) -> Cut:
    """Return the cut before a submodule.

    Raises:
        _NoCutError: there is none.
    """
    call = _call_of(model.network, trace, path)
    leaf, activation = _activation_of(call)
    axis = activation.grows.index(True)
    places, rest = activation.sizes[axis], activation.sizes[:axis] + activation.sizes[axis + 1 :]
    names = {module: name for name, module in model.network.named_modules()}
    skipped = {names[module]: results for module, results in _skipped(trace, call).items()}
    cut = Cut(
        path=path,
        shape=rest if places == 1 else (places, *rest),
        axis=axis,
        places=places,
        leaves=tuple(
            place for place, given in enumerate(call.given) if place == leaf or (given is AGAIN and place > leaf)
        ),
        skipped=skipped,
        dropped=tuple(_dropped(model.network, trace, call, skipped)),
        pixels=pixels,
        output_dimension=_dimension_of(trace.output),
    )
    _refuse_other_ways(model, cut)
    return cut


def _call_of(network: nn.Module, trace: Trace, path: str) -> Call:
    """Return the only call of a submodule."""
    module = dict(network.named_modules(remove_duplicate=False)).get(path) if path else None
    if module is None:
        raise _NoCutError("it has no submodule of that name")
    calls = [call for call in trace.calls() if call.module is module]
    if not calls:
        raise _NoCutError("its forward does not call that submodule")
    if len(calls) > 1:
        raise _NoCutError(f"its forward calls that submodule {len(calls)} times")
    return calls[0]


def _activation_of(call: Call) -> tuple[int, Blank]:
    """Return which leaf of a call's arguments has the clips, and what it is like."""
    of_clips = [
        (place, leaf)
        for place, leaf in enumerate(call.given)
        if isinstance(leaf, Tensor) or (isinstance(leaf, Blank) and leaf.is_of_clips)
    ]
    if len(of_clips) != 1:
        raise _NoCutError(f"it gets {len(of_clips) or 'no'} tensors that depend on the clips, and one can be stored")
    place, leaf = of_clips[0]
    if not isinstance(leaf, Blank) or sum(leaf.grows) != 1:
        raise _NoCutError("the tensor that it gets does not have one axis that grows with the number of clips")
    if not leaf.dtype.is_floating_point:
        raise _NoCutError(f"the tensor that it gets has numbers of the type {leaf.dtype}, not floating-point ones")
    return place, leaf


def _dimension_of(output: Any) -> int:
    if not isinstance(output, Blank) or output.grows != (True, False) or output.sizes[0] != 1:
        raise _NoCutError("the model does not give one vector a clip")
    return output.sizes[1]


def _skipped(trace: Trace, cut: Call) -> dict[nn.Module, tuple[Any, ...]]:
    """Return the results of the submodules that are not called before the cut, one for each call."""
    kept = {call.module for call in trace.calls() if call.left < cut.entered and not _can_be_skipped(call)}
    found: dict[nn.Module, tuple[Any, ...]] = {}

    def visit(calls: list[Call]) -> None:
        for call in calls:
            if call.left < cut.entered and call.module not in kept:
                found[call.module] = (*found.get(call.module, ()), call.returned)
            else:
                visit(call.inner)

    visit(trace.outer)
    return found


def _can_be_skipped(call: Call) -> bool:
    """Return True if all tensors that a submodule gives are of clips. Others, such as positions, are computed."""
    leaves = pytree.tree_leaves(call.returned)
    blanks = [leaf for leaf in leaves if isinstance(leaf, Blank)]
    are_known = not any(isinstance(leaf, Tensor) for leaf in leaves)
    return are_known and bool(blanks) and all(blank.is_of_clips for blank in blanks)


def _dropped(network: nn.Module, trace: Trace, cut: Call, skipped: Mapping[str, tuple[Any, ...]]) -> Iterator[str]:
    """Yield the outermost submodules that have no part in what happens from the cut on."""
    called = {call.module for call in trace.calls()}
    later = {call.module for call in trace.calls() if call.left >= cut.entered}

    def visit(name: str, module: nn.Module, *, is_inside: bool) -> Iterator[str]:
        """Yield paths in a module; `is_inside` is True if one around it is called, which may use its weights."""
        below = set(module.modules())
        if (name in skipped and not later & below) or (name and not is_inside and not called & below):
            yield name  # the second: such as CLIP's text tower
            return
        for own, child in module.named_children():
            path = f"{name}.{own}" if name else own
            yield from visit(path, child, is_inside=is_inside or module in called)

    yield from visit("", network, is_inside=False)


def _refuse_other_ways(model: TorchModel, cut: Cut) -> None:
    """Raise _NoCutError if the model's vector depends on more than the activation."""
    try:
        is_other = _tail_of_copy(model, cut).depends_on_the_beginning()
    except Exception as error:  # a model's own code may raise anything
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise _NoCutError(f"the rest of its forward does not run without the beginning ({reason[0]})") from error
    if is_other:
        raise _NoCutError(
            "its vector also depends on other values that are computed before, such as a residual around it"
        )


def _name_near(model: TorchModel, trace: Trace, path: str, pixels: Blank) -> str:
    """Return a sentence with the nearest paths that allow a cut."""
    found: list[str] = []
    for name in _nearest(model.network, trace, path)[:_TRIED]:
        try:
            _cut_at(model, trace, name, pixels)
        except _NoCutError:
            continue
        found.append(name)
        if len(found) == _NAMED:
            break
    return f"It can be stopped before {' or '.join(found)}." if found else "No submodule near it allows that either."


def _nearest(network: nn.Module, trace: Trace, path: str) -> list[str]:
    """Return the paths of other submodules: by their place in the forward pass, or by their names."""
    names = {module: name for name, module in network.named_modules()}
    order = list(dict.fromkeys(name for call in trace.calls() if (name := names[call.module])))
    if path not in order:
        alike = get_close_matches(path, order, _TRIED, cutoff=0.4)
        return list(dict.fromkeys([*alike, *order[::-1]]))
    place = order.index(path)
    around = [name for name in order if path.startswith(f"{name}.")]
    by_distance = sorted(order, key=lambda name: abs(order.index(name) - place))
    return [name for name in dict.fromkeys([*around[::-1], *by_distance]) if name != path]
