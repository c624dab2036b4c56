"""What the optional protocols ask of a head that satisfies them. A rule passes if the head does not satisfy its one."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from classify.errors import HeadError
from classify.heads.blocks import Pooled, pool_mean_once
from classify.heads.contract import PoolingHead
from classify.heads.testing.subject import LENGTHS, Subject, require, require_close

_LONG = (100, 31, 7, 1)  # vectors of each video: some heads select from 30 on


def selects_some_of_its_vectors(subject: Subject) -> None:
    """Require that `select` returns rows that it was given, unchanged."""
    selecting = subject.abilities.selecting
    for rows in _rows_of_videos(subject) if selecting is not None else ():
        assert selecting is not None
        selected = selecting.select(rows.numpy(), "a.mp4")
        require(
            isinstance(selected, np.ndarray) and len(selected) > 0 and _as_set(selected) <= _as_set(rows.numpy()),
            f"Its method select does not return some of the {len(rows)} vectors that it gets. Return at least one of "
            "them, unchanged, as an array (S, D).",
        )


def selects_the_same_in_a_batch(subject: Subject) -> None:
    """Require that `select_batch` makes the choice of `select`."""
    selecting = subject.abilities.batch_selecting
    if selecting is None:
        return
    vectors, mask = selecting.select_batch(*subject.batch(_LONG))
    for row, rows in enumerate(_rows_of_videos(subject)):
        require(
            np.array_equal(vectors[row][mask[row]].numpy(), selecting.select(rows.numpy(), "a.mp4")),
            f"Its methods select and select_batch choose different vectors of a video of {len(rows)}. Make the same "
            "choice in both.",
        )


def pools_without_weights(subject: Subject) -> None:
    """Require that `pool` returns one row for each video, which no weight changes."""
    pooling = subject.abilities.pooling
    if pooling is None:
        return
    pooled = pooling.pool(*subject.batch())
    require(
        isinstance(pooled, Pooled)
        and pooled.rows.ndim == 2
        and pooled.rows.shape[:1] == pooled.weights.shape
        and len(pooled.rows) == len(LENGTHS),
        "Its method pool does not return classify.heads.Pooled with rows (B, D') and weights (B,). Return that.",
    )
    require(
        not pooled.rows.requires_grad,
        "Its method pool uses weights, but it is called once, before training. Use the weights in classify.",
    )


def classifies_what_it_pools(subject: Subject) -> None:
    """Require that `forward` and `classify` agree, and that `classify` takes the rows of several heads at once."""
    pooling = subject.abilities.pooling
    if pooling is None:
        return
    batch = subject.batch(filler=7.0)
    rows = pooling.pool(*batch).rows
    require_close(
        pooling.classify(rows),
        subject.logits(*batch),
        "Its method forward does not return classify(pool(vectors, mask).rows). Return that.",
    )
    _require_any_dimensions(pooling, rows)
    _require_layers_are_called(subject.head, lambda: pooling.classify(rows))


def pools_the_mean_if_it_says_so(subject: Subject) -> None:
    """Require that the rows of a `MeanPoolingHead` are means."""
    pooling = subject.abilities.pooling
    if pooling is not None and subject.abilities.pools_mean:
        require_close(
            pooling.pool(*subject.batch()),
            pool_mean_once(*subject.batch()),
            "Its pools_mean is True, but its method pool does not return what "
            "classify.heads.blocks.pool_mean_once(vectors, mask) does. Return that, or remove pools_mean.",
        )


def is_linear_if_it_says_so(subject: Subject) -> None:
    """Require that a `LinearPoolingHead` is one layer on its rows, bit for bit."""
    pooling = subject.abilities.pooling
    if pooling is None or not subject.abilities.is_linear:
        return
    layers = [module for module in subject.head.modules() if isinstance(module, nn.Linear)]
    parameters = [id(parameter) for parameter in subject.head.parameters()]
    require(
        len(layers) == 1 and parameters == [id(layers[0].weight), id(layers[0].bias)],
        "Its is_linear is True, but its parameters are not those of one torch.nn.Linear with a bias. Remove is_linear.",
    )
    rows = pooling.pool(*subject.batch()).rows
    subject.head.train()
    require_close(
        pooling.classify(rows),
        F.linear(rows, layers[0].weight, layers[0].bias),
        "Its is_linear is True, but its method classify does not return the output of its torch.nn.Linear. Remove "
        "is_linear.",
        tolerance=0.0,
    )


def is_framewise_if_it_says_so(subject: Subject) -> None:
    """Require that the logits of a `FramewiseHead` are the mean of those of each vector alone."""
    if not subject.abilities.is_framewise:
        return
    vectors, mask = subject.batch()
    for logits, rows, is_real in zip(subject.logits(vectors, mask), vectors, mask, strict=True):
        alone = rows[is_real].unsqueeze(1)
        require_close(
            subject.logits(alone, torch.ones(alone.shape[:2], dtype=torch.bool)).mean(dim=0),
            logits,
            "Its is_framewise is True, but the logits of a video are not the mean of the logits that each of its "
            "vectors has alone. Remove is_framewise.",
        )


def weighs_real_vectors_only(subject: Subject) -> None:
    """Require that `weigh` shares out 1 among the real vectors of each video."""
    attending = subject.abilities.attending
    if attending is None:
        return
    vectors, mask = subject.batch()
    weights = attending.weigh(vectors, mask)
    require(
        isinstance(weights, Tensor)
        and weights.shape == mask.shape
        and bool((weights >= 0).all())
        and not weights[~mask].any()
        and torch.allclose(weights.sum(dim=1), torch.ones(len(mask)), atol=1e-5),
        "Its method weigh does not return shares (B, T) that add up to 1 over the real vectors of each video, and are "
        "0 in padding. Return that, or rename weigh.",
    )


def _rows_of_videos(subject: Subject) -> list[Tensor]:
    """Return the vectors (T, D) of each long video."""
    return [rows[is_real] for rows, is_real in zip(*subject.batch(_LONG), strict=True)]


def _as_set(rows: NDArray[np.floating]) -> set[tuple[float, ...]]:
    return set(map(tuple, rows.tolist()))


def _require_any_dimensions(pooling: PoolingHead, rows: Tensor) -> None:
    finding = (
        "Its method classify does not return for rows (2, B, D') what it does for each (B, D'). Allow any dimensions "
        "before B."
    )
    several = torch.stack([rows, rows.flip(0)])
    try:
        logits = pooling.classify(several)
    except (RuntimeError, ValueError, IndexError) as error:  # what torch raises for a shape
        raise HeadError(finding) from error
    require_close(logits, torch.stack([pooling.classify(own) for own in several]), finding)


def _require_layers_are_called(head: nn.Module, classify: Callable[[], Tensor]) -> None:
    """Refuse a head whose weights are all in linear layers, if it uses one of them without a call."""
    layers = {name: module for name, module in head.named_modules() if isinstance(module, nn.Linear)}
    if {id(own) for layer in layers.values() for own in layer.parameters()} != set(map(id, head.parameters())):
        return
    called: set[nn.Module] = set()
    hooks = [layer.register_forward_hook(lambda module, *_: called.add(module)) for layer in layers.values()]
    classify()
    for hook in hooks:
        hook.remove()
    for name, layer in layers.items():
        require(
            layer in called,
            f"Its method classify does not call the layer {name!r}. Call it as a module, and do not use its weight "
            "directly: where several heads train at once, the layer is exchanged.",
        )
