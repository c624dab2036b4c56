"""The rest of a model behind a cut, as a module of its own: stored activations -> the model's vectors.

It is the model's own forward, without its beginning. Submodules that end before the cut are not called: they give
tensors of the right shape that are full of NaN. The cut submodule gets the stored activation in place of what comes to
it. Only the weights that are needed stay.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from embed.encoders.call_traces import Blank, without_numbers


@final
@dataclass(frozen=True)
class Cut:
    """A place where a model may stop. `embed.encoders.cutting.find_cut` finds it.

    Args:
        path: of the submodule that is not called.
        shape: of one clip's activation. If the axis of clips has several places a clip, such as windows, they are its
            first axis.
        axis: where the clips are in the activation.
        places: how many places a clip has on that axis.
        leaves: which leaves of the submodule's arguments are the activation.
        skipped: path of each submodule that ends before -> its results, one a call, where tensors are `Blank`.
        dropped: paths of the submodules whose weights are not needed after the cut.
        pixels: the model's input.
        output_dimension: the length of the model's vector.
    """

    path: str
    shape: tuple[int, ...]
    axis: int
    places: int
    leaves: tuple[int, ...]
    skipped: Mapping[str, tuple[Any, ...]]
    dropped: tuple[str, ...]
    pixels: Blank
    output_dimension: int

    @property
    def dimension(self) -> int:
        """D, the length of one clip's row."""
        return math.prod(self.shape)

    def rows_of(self, activation: Tensor) -> Tensor:
        """Return rows (B, D) of what enters the submodule."""
        return activation.movedim(self.axis, 0).reshape(-1, self.dimension)

    def activation_of(self, rows: Tensor) -> Tensor:
        """Return what enters the submodule, of rows (B, D)."""
        part = self.shape[1:] if self.places > 1 else self.shape
        return rows.reshape(-1, *part).movedim(0, self.axis)


@final
class Tail(nn.Module):
    """The rest of a model. Of its parameters, only those learn that belong to the cut submodule.

    Where that submodule is one of an `nn.Sequential` or an `nn.ModuleList`, those after it in this list learn as well:
    `blocks.10` of twelve stands for the last two. What follows the list, such as a last norm, stays frozen.

    Args:
        network: the model, on the CPU. It becomes part of the tail, and of no use elsewhere.
        forward: pixels -> (B, D), by calling the network. A copy of the tail must call the copy's network: this is a
            method of the network, or a `functools.partial` with it.
        cut: where the tail begins.
        architecture: that of its `TorchModel`; None is empty.
    """

    def __init__(
        self,
        network: nn.Module,
        forward: Callable[[Tensor], Tensor],
        cut: Cut,
        *,
        architecture: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.cut = cut
        self.architecture = dict(architecture or {})
        self.network = network
        self._encode = forward
        self._passage = _Passage(cut)
        _drop_weights(network, cut.dropped)
        for path, results in cut.skipped.items():
            module = network.get_submodule(path)
            module.forward = _Skipped(path, module.forward, results, self._passage)
        network.get_submodule(cut.path).register_forward_pre_hook(self._passage, with_kwargs=True)
        network.requires_grad_(False)
        for module in self._learning():
            module.requires_grad_(True)

    def forward(self, rows: Tensor) -> Tensor:
        """Return vectors (B, D') of stored activations (B, D)."""
        with self._passage.of(rows):
            return self._encode(self.cut.pixels.filled(len(rows), rows.device))

    def depends_on_the_beginning(self) -> bool:
        """Return True if the vectors depend on more than the activations.

        What stands for the beginning needs gradients, and nothing else does. If the vectors need some, there is a way.
        """
        self.requires_grad_(False)
        with without_numbers(), torch.enable_grad(), self._passage.watched():
            vectors: Tensor = self(torch.zeros(2, self.cut.dimension))
            return vectors.requires_grad

    def _learning(self) -> Iterator[nn.Module]:
        above, _, own = self.cut.path.rpartition(".")
        parent = self.network.get_submodule(above)
        names = [name for name, _ in parent.named_children()]
        is_list = isinstance(parent, nn.Sequential | nn.ModuleList)
        for name in names[names.index(own) :] if is_list else [own]:
            yield parent.get_submodule(name)


@final
class _Passage:
    """The state of one forward pass, and the hook of the cut submodule.

    Args:
        cut: where the tail begins.
    """

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self._rows: Tensor | None = None
        self._turns: dict[str, int] = {}
        self._is_watched = False
        self.is_past = False

    @contextmanager
    def of(self, rows: Tensor) -> Iterator[None]:
        """Return the context of a pass with stored activations (B, D)."""
        self._rows, self._turns, self.is_past = rows, {}, False
        try:
            yield
        finally:
            self._rows = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Return a context in which all that stands for the beginning needs gradients."""
        self._is_watched = True
        try:
            yield
        finally:
            self._is_watched = False

    def __call__(
        self, _: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give the cut submodule the stored activation."""
        assert self._rows is not None, "a tail is called as a whole"
        leaves, shape = pytree.tree_flatten((arguments, options))
        for place in self._cut.leaves:
            leaves[place] = self._cut.activation_of(self._rows)
        self.is_past = True
        changed: tuple[tuple[Any, ...], dict[str, Any]] = pytree.tree_unflatten(leaves, shape)
        return changed

    def stand_in(self, path: str, results: tuple[Any, ...]) -> Any:
        """Return what a submodule that is not called gives at its next call."""
        turn = self._turns.get(path, 0)
        self._turns[path] = turn + 1
        return pytree.tree_map(self._filled, results[turn])

    def _filled(self, leaf: Any) -> Any:
        if not isinstance(leaf, Blank):
            return leaf
        assert self._rows is not None, "a tail is called as a whole"
        tensor = leaf.filled(len(self._rows), self._rows.device)
        return tensor.requires_grad_() if self._is_watched and leaf.dtype.is_floating_point else tensor


@final
class _Skipped:
    """The forward of a submodule that is not called before the cut.

    Args:
        path: of the submodule.
        forward: its own, for calls after the cut.
        results: one for each call before it.
        passage: the pass that is going on.
    """

    def __init__(self, path: str, forward: Callable[..., Any], results: tuple[Any, ...], passage: _Passage) -> None:
        self._path, self._forward, self._results, self._passage = path, forward, results, passage

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if self._passage.is_past:
            return self._forward(*arguments, **options)
        return self._passage.stand_in(self._path, self._results)


def _drop_weights(network: nn.Module, paths: tuple[str, ...]) -> None:
    """Exchange the tensors of some submodules for NaN of the same shape and type, which take no memory.

    They stay where code may ask for their shape, but are no parameters any more.
    """
    roots = {network.get_submodule(path) for path in paths}
    kept = set(_reachable(network, roots))
    for module in {module for root in roots for module in root.modules()} - kept:
        # A batch norm would ask for a number that older files lack.
        module._load_from_state_dict = _load_nothing  # type: ignore[method-assign]
        for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            fixed = Blank(tuple(tensor.shape), (False,) * tensor.ndim, tensor.dtype)
            delattr(module, name)
            setattr(module, name, fixed.filled(1, tensor.device))


def _load_nothing(*_: Any, **__: Any) -> None:
    """Read no tensor of a state dict."""


def _reachable(module: nn.Module, without: set[nn.Module]) -> Iterator[nn.Module]:
    """Yield a module and all below it, but not those that are left out and what only they have."""
    yield module
    for child in module.children():
        if child not in without:
            yield from _reachable(child, without)
