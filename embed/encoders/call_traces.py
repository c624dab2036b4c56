"""What the submodules of a model take and give: their calls in order, and the shapes of tensors, without computing.

A model runs twice on tensors that have shapes only, with two and with three clips. The axes that grow are those of the
clips.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import _pytree as pytree

from embed.errors import EncoderError

AGAIN = object()
"""Stands for a tensor that was among the leaves before: q, k and v of an attention may be one."""

_COUNTS = (2, 3)


@final
@dataclass(frozen=True)
class Blank:
    """A tensor without its numbers.

    Args:
        sizes: its shape with one clip.
        grows: for each axis, True if n clips make it n times as long.
        dtype: the type of a number.
    """

    sizes: tuple[int, ...]
    grows: tuple[bool, ...]
    dtype: torch.dtype

    @property
    def is_of_clips(self) -> bool:
        """True if an axis grows with the number of clips."""
        return any(self.grows)

    def filled(self, clip_count: int, device: torch.device) -> Tensor:
        """Return the tensor full of NaN (zeros if its numbers are whole), which takes no memory."""
        shape = [size * clip_count if grows else size for size, grows in zip(self.sizes, self.grows, strict=True)]
        number = float("nan") if self.dtype.is_floating_point else 0
        return torch.full((), number, dtype=self.dtype, device=device).expand(shape)


@final
@dataclass(eq=False)
class Call:
    """One call of a submodule.

    Args:
        module: the submodule.
        entered, left: positions of its beginning and its end among all beginnings and ends.
        given: the leaves of its arguments, where tensors are `Blank`, and a tensor that is given again is `AGAIN`.
        returned: its result, where tensors are `Blank`.
        inner: the calls that it made.
    """

    module: nn.Module
    entered: int
    given: list[Any]
    left: int = -1
    returned: Any = None
    inner: list["Call"] = field(default_factory=list)


@final
@dataclass(frozen=True)
class Trace:
    """One run of a model: the calls that no submodule made, and its result, where tensors are `Blank`."""

    outer: list[Call]
    output: Any

    def calls(self) -> Iterator[Call]:
        """Yield all calls in the order of their beginnings."""
        yield from _flat(self.outer)


def trace_calls(network: nn.Module, forward: Callable[[Tensor], Tensor], input_shape: Sequence[int]) -> Trace:
    """Run a model without computing anything.

    Args:
        network: the model.
        forward: calls it.
        input_shape: of one clip, float32.

    Raises:
        EncoderError: it calls other submodules for two clips than for three.
    """
    two, three = (_run(network, forward, torch.Size((count, *input_shape))) for count in _COUNTS)
    pairs = list(zip(two.calls(), three.calls(), strict=False))
    if len(pairs) != sum(1 for _ in two.calls()) or any(one.module is not other.module for one, other in pairs):
        raise EncoderError(
            "Its forward calls other submodules for three clips than for two, so it cannot be stopped before one."
        )
    for one, other in pairs:
        one.given = [_merged(*both) for both in zip(one.given, other.given, strict=True)]
        one.returned = _merged_tree(one.returned, other.returned)
    return Trace(two.outer, _merged_tree(two.output, three.output))


@contextmanager
def without_numbers() -> Iterator[None]:
    """Return a context in which tensors have shapes only: nothing is computed, and no memory is used."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


def leaves_of(arguments: tuple[Any, ...], options: dict[str, Any]) -> list[Any]:
    """Return the leaves of a call's arguments, in one order."""
    return pytree.tree_leaves((arguments, options))


def _run(network: nn.Module, forward: Callable[[Tensor], Tensor], shape: torch.Size) -> Trace:
    """Run a model once. Tensors in the trace have shapes only, and are not yet `Blank`."""
    outer: list[Call] = []
    open_calls: list[Call] = []
    clock = iter(range(1 << 62))

    def enter(module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        call = Call(module, next(clock), _once(leaves_of(arguments, options)))
        (open_calls[-1].inner if open_calls else outer).append(call)
        open_calls.append(call)

    def leave(_: nn.Module, __: tuple[Any, ...], returned: Any) -> None:
        call = open_calls.pop()
        call.left, call.returned = next(clock), returned

    hooks = [module.register_forward_pre_hook(enter, with_kwargs=True) for module in network.modules()]
    hooks += [module.register_forward_hook(leave) for module in network.modules()]
    try:
        with without_numbers(), torch.no_grad():
            return Trace(outer, forward(torch.empty(shape)))
    finally:
        for hook in hooks:
            hook.remove()


def _once(leaves: list[Any]) -> list[Any]:
    seen = [id(leaf) for leaf in leaves]
    return [
        AGAIN if isinstance(leaf, Tensor) and id(leaf) in seen[:place] else leaf for place, leaf in enumerate(leaves)
    ]


def _merged_tree(two: Any, three: Any) -> Any:
    leaves, shape = pytree.tree_flatten(two)
    others = pytree.tree_leaves(three)
    if len(leaves) != len(others):
        return None
    return pytree.tree_unflatten([_merged(*both) for both in zip(leaves, others, strict=True)], shape)


def _merged(two: Any, three: Any) -> Any:
    """Return the tensor of both runs as a `Blank`; anything else as it is."""
    if not (isinstance(two, Tensor) and isinstance(three, Tensor)) or two.ndim != three.ndim:
        return two
    few, many = _COUNTS
    axes = list(zip(two.shape, three.shape, strict=True))
    grows = tuple(small * many == large * few and small > 0 for small, large in axes)
    if any(small != large and not is_grown for (small, large), is_grown in zip(axes, grows, strict=True)):
        return two  # an axis that is neither fixed nor a multiple
    sizes = tuple(small // few if is_grown else small for (small, _), is_grown in zip(axes, grows, strict=True))
    return Blank(sizes, grows, two.dtype)


def _flat(calls: Sequence[Call]) -> Iterator[Call]:
    for call in calls:
        yield call
        yield from _flat(call.inner)
