"""Train many heads: small heads of one kind at once, as one batched model, and the others one after another.

Heads can train at once if they pool (`classify.heads.contract.PoolingHead`), use no dropout, have all their weights in
torch.nn.Linear, multiply in float32, have the same number of steps in an epoch, and differ only in seed and videos.
Their weights and buffers are stacked in tensors with a first dimension of J heads, and one step is a step of all heads.
Each head has the same fresh weights, order, mixes and scale as if it trained alone. Its weights differ from those of
`fit_head` only in their last digits, because sums are computed in another order.
"""

import copy
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from classify.heads import StandardisedHead
from classify.training.batches import LabelledSet
from classify.training.device_sets import PooledSet, place_pooled
from classify.training.devices import explained_memory, seeded
from classify.training.history import Course, Tally
from classify.training.optimisation import Descent
from classify.training.recipe import TrainConfig, settle
from classify.training.shared_rows import SharedRows
from classify.training.training import (
    Fit,
    TrainingRun,
    configure_head,
    finish_fit,
    fit_head,
    prepare_fit,
    refuse_untrainable,
    validate,
    with_fitting_threads,
)

_STEPS_AT_ONCE = 64  # steps whose rows are gathered together


@dataclass(frozen=True)
class TrainJob:
    """One head to train: the arguments of `fit_head` beside the dataset.

    Args:
        train: (n,) indices into the dataset.
        validation: (m,) indices into the dataset; may be empty.
        config: how to train.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    config: TrainConfig

    @property
    def steps_an_epoch(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self.train) // self.config.batch_size)


def fit_heads(
    dataset: LabelledSet,
    jobs: Sequence[TrainJob],
    *,
    on_step: Callable[[int, int], None] | None = None,
    rows: SharedRows | None = None,
) -> list[TrainingRun]:
    """Train a head for each job, in the order of the jobs.

    Args:
        dataset: videos and labels.
        jobs: seeds, folds and recipes, in any order.
        on_step: called after each step with the number of steps done and the number of all steps, over all heads. A
            step of heads that train at once counts once for each. An exception that it raises ends all training runs.
        rows: keeps what was pooled for the next calls with the same dataset; None pools anew.

    Raises:
        TrainError: as in `fit_head`.
        HeadError: as in `fit_head`.
    """
    jobs = [_settled(dataset, job) for job in jobs]
    runs: dict[int, TrainingRun] = {}
    tell = _teller(jobs, on_step)
    for numbers in _alike(dataset, jobs):
        if len(numbers) == 1:
            job = jobs[numbers[0]]
            runs[numbers[0]] = fit_head(dataset, job.train, job.validation, job.config, on_step=lambda: tell(1))
        else:
            with explained_memory():
                together = _fit_together(dataset, [jobs[number] for number in numbers], tell, rows)
            runs.update(zip(numbers, together, strict=True))
    return [runs[number] for number in range(len(jobs))]


def _settled(dataset: LabelledSet, job: TrainJob) -> TrainJob:
    """Return the job with no setting left open, if it can be trained."""
    refuse_untrainable(dataset.targets, job.train, job.validation, job.config)
    with torch.device("meta"):
        head = configure_head(job.config, dataset.videos.dimension, len(dataset.names))
    return replace(job, config=settle(job.config, head, len(job.train)))


def _teller(jobs: Sequence[TrainJob], on_step: Callable[[int, int], None] | None) -> Callable[[int], None]:
    """Return a function that counts further steps and calls `on_step`."""
    done, total = 0, sum((job.config.epochs or 0) * job.steps_an_epoch for job in jobs)

    def tell(more: int) -> None:
        nonlocal done
        done += more
        if on_step is not None:
            on_step(done, total)

    return tell


def _alike(dataset: LabelledSet, jobs: Sequence[TrainJob]) -> Iterator[list[int]]:
    """Yield the indices of jobs that can train at once. Each job occurs once."""
    groups: dict[object, list[int]] = defaultdict(list)
    for number, job in enumerate(jobs):
        with torch.device("meta"):
            head = configure_head(job.config, dataset.videos.dimension, len(dataset.names))
        likeness = replace(job.config, seed=0), job.steps_an_epoch
        groups[likeness if _can_join(head) and not job.config.mixed_precision else number].append(number)
    yield from groups.values()


def _fit_together(
    dataset: LabelledSet, jobs: Sequence[TrainJob], tell: Callable[[int], None], rows: SharedRows | None
) -> list[TrainingRun]:
    started = time.perf_counter()
    fits, sets = _prepare(dataset, jobs, SharedRows() if rows is None else rows)
    together = _Together(fits, sets, tell)
    courses = [Course(fit.config) for fit in fits]
    largest = max(fit.largest_batch for fit in fits)
    with with_fitting_threads(fits[0].head, largest * len(fits)):
        while not all(course.is_over for course in courses):
            tallies = together.train_epoch()
            together.unstack()
            for fit, data, course, tally in zip(fits, sets, courses, tallies, strict=True):
                if not course.is_over:
                    steps_done = (len(course.records) + 1) * fit.steps_an_epoch
                    course.note(tally, validate(fit, data), steps_done, fit.head.state_dict)
                    fit.head.train()
    seconds = (time.perf_counter() - started) / len(fits)
    return [finish_fit(fit, data, course, seconds) for fit, data, course in zip(fits, sets, courses, strict=True)]


def _prepare(dataset: LabelledSet, jobs: Sequence[TrainJob], shared: SharedRows) -> tuple[list[Fit], list[PooledSet]]:
    """Build the head and the rows of each job. Jobs with the same training videos share scale and rows."""
    fits: list[Fit] = []
    sets: list[PooledSet] = []

    def pool(fit: Fit) -> tuple[StandardisedHead, PooledSet]:
        fit.learn_scale(dataset)
        data = place_pooled(dataset.videos, fit.head, fit.device, targets=dataset.targets, train=fit.scaling)
        return copy.deepcopy(fit.head), data

    for job in jobs:
        with seeded(job.config.seed, torch.device("cpu")):
            fit = prepare_fit(dataset, job.train, job.validation, job.config)
        head, data = shared.of(job.train, job.config, partial(pool, fit))
        fit.head.copy_scale(head)
        fits.append(fit)
        sets.append(data)
    return fits, sets


@dataclass(frozen=True)
class _Steps:
    """The input of J heads in S steps of B videos.

    Args:
        rows: (S, J, B, D).
        targets: (S, J, B, C).
        shares: (S, J, B) share of each video in the step's loss; 0 for the places that the last step does not fill.
    """

    rows: Tensor
    targets: Tensor
    shares: Tensor


@final
class _Together:
    """J heads as one batched model.

    Args:
        fits: heads of the same architecture, with the same number of steps.
        sets: the rows of each head.
        tell: called with the number of steps that were taken.
    """

    def __init__(self, fits: Sequence[Fit], sets: Sequence[PooledSet], tell: Callable[[int], None]) -> None:
        self._fits, self._sets, self._tell = fits, sets, tell
        self._rngs = [np.random.default_rng(fit.config.seed) for fit in fits]
        self._model = copy.deepcopy(fits[0].head)
        heads = [fit.head.head for fit in fits]
        self._layers = _stack_layers(self._model.head, heads)
        _stack_buffers(self._model.head, heads)
        # Not the batch size, which may be far above the number of videos: all of it would be padding.
        self._largest_batch = max(fit.largest_batch for fit in fits)
        config, weights = fits[0].config, fits[0].objective.class_weights
        if weights is not None:
            weights = torch.stack([fit.objective.class_weights for fit in fits])  # type: ignore[misc]
        self._objective = replace(fits[0].objective, class_weights=weights)
        step_count = (config.epochs or 0) * fits[0].steps_an_epoch
        self._descent = Descent(list(self._model.parameters()), config, step_count, are_stacked=True)

    def train_epoch(self) -> list[Tally]:
        """Train each head for one epoch, and return the tally of each."""
        plans = [fit.plan_epoch(rng) for fit, rng in zip(self._fits, self._rngs, strict=True)]
        tallies = [Tally(is_multi_label=self._objective.is_multi_label) for _ in self._fits]
        for start in range(0, len(plans[0]), _STEPS_AT_ONCE):
            chunks = [plan[start : start + _STEPS_AT_ONCE] for plan in plans]
            rows = [data.gather(chunk) for data, chunk in zip(self._sets, chunks, strict=True)]
            self._train(_side_by_side(rows, len(chunks[0]), self._largest_batch), tallies)
        return tallies

    def unstack(self) -> None:
        """Copy the weights into the heads that they belong to."""
        with torch.no_grad():
            for name, layer in self._layers.items():
                for number, fit in enumerate(self._fits):
                    own = fit.head.head.get_submodule(name)
                    for parameter_name, parameter in own.named_parameters():
                        parameter.copy_(layer.get_parameter(parameter_name)[number])

    def _train(self, steps: _Steps, tallies: Sequence[Tally]) -> None:
        step = self._step_linear if self._fits[0].head.is_linear else self._step
        losses, logits = [], []
        for rows, targets, shares in zip(steps.rows, steps.targets, steps.shares, strict=True):
            loss, found = step(rows, targets, shares)
            losses.append(loss)
            logits.append(found)
            self._tell(len(self._fits))
        loss_of, logits_of = torch.stack(losses), torch.stack(logits)
        for number, tally in enumerate(tallies):
            is_real = steps.shares[:, number] > 0
            tally.add(loss_of[:, number], logits_of[:, number][is_real], steps.targets[:, number][is_real])

    def _step(self, rows: Tensor, targets: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step with each head. Return the losses (J,) and the logits (J, B, C) from before the step."""
        found = self._model.classify(rows)
        loss = (self._objective.losses(found, targets) * shares).sum(dim=1)
        self._descent.step(loss.sum())
        return loss.detach(), found.detach()

    @torch.no_grad()
    def _step_linear(self, rows: Tensor, targets: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Take the same step without autograd."""
        found = self._model.classify(rows)
        slopes = self._objective.slopes(found, targets) * shares.unsqueeze(-1)
        self._descent.step_linear(rows, slopes)
        return (self._objective.losses(found, targets) * shares).sum(dim=1), found


@final
class _StackedLinear(nn.Module):
    """J linear layers, each applied to its own rows."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))

    def forward(self, rows: Tensor) -> Tensor:
        """Return (J, B, out) of rows (J, B, in)."""
        return torch.baddbmm(self.bias.unsqueeze(1), rows, self.weight.transpose(1, 2))


def _stack_layers(model: nn.Module, heads: Sequence[nn.Module]) -> dict[str, _StackedLinear]:
    """Replace each linear layer of a model by those of J heads, and return the new layers by name."""
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    stacked = {name: _StackedLinear([cast("nn.Linear", head.get_submodule(name)) for head in heads]) for name in names}
    for name, layer in stacked.items():
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, layer)
    return stacked


def _stack_buffers(model: nn.Module, heads: Sequence[nn.Module]) -> None:
    """Replace each buffer (D,) of a model, which scales its rows, by those of J heads, (J, 1, D)."""
    for name in [name for name, _ in model.named_buffers()]:
        parent, _, own = name.rpartition(".")
        stacked = torch.stack([head.get_buffer(name) for head in heads])
        setattr(model.get_submodule(parent), own, stacked.unsqueeze(1))


def _can_join(head: StandardisedHead) -> bool:
    """Return True if several heads of this kind can be one model: see the top of this file."""
    drops = any(isinstance(module, nn.Dropout) and module.p > 0 for module in head.modules())
    layers = [module for module in head.modules() if isinstance(module, nn.Linear) and module.bias is not None]
    stackable = sum(parameter.numel() for layer in layers for parameter in layer.parameters())
    return head.pools and not drops and stackable == sum(parameter.numel() for parameter in head.parameters())


def _side_by_side(heads: Sequence[tuple[Tensor, Tensor]], step_count: int, batch_size: int) -> _Steps:
    """Stack rows (n, D) and targets (n, C) of each head, padded with zeros to `step_count` full batches."""
    size = step_count * batch_size

    def stack(tensors: Sequence[Tensor]) -> Tensor:
        full = [nn.functional.pad(tensor, (0, 0, 0, size - len(tensor))) for tensor in tensors]
        stacked = torch.stack(full)
        return stacked.view(len(full), step_count, batch_size, -1).transpose(0, 1).contiguous()

    rows, targets = zip(*heads, strict=True)
    real = [torch.ones(len(own), 1, device=own.device) for own in rows]
    is_real = stack(real).squeeze(-1)
    return _Steps(stack(rows), stack(targets), is_real / is_real.sum(dim=-1, keepdim=True))
