"""What every head must do. Each rule raises HeadError if a head breaks it."""

import copy
import textwrap
from collections.abc import Sequence

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from classify.errors import HeadError
from classify.heads.testing.subject import CLASS_COUNT, LENGTHS, Subject, fill_padding, require, require_close

_FILLERS = (0.0, 7.0, -1e30, float("inf"), float("nan"))
_SIGNATURES = {
    "select": "select(vectors, video_id) -> vectors",
    "select_batch": "select_batch(vectors, mask) -> (vectors, mask)",
    "pool": "pool(vectors, mask) -> Pooled",
    "classify": "classify(rows) -> logits",
    "is_timed": "is_timed",
    "pools_mean": "pools_mean",
    "is_linear": "is_linear",
    "is_framewise": "is_framewise",
    "weigh": "weigh(vectors, mask) -> weights",
}
_NEEDS = {
    "select_batch": "select",
    "pool": "classify",
    "classify": "pool",
    "pools_mean": "pool",
    "is_linear": "pool",
}


def has_whole_protocols(subject: Subject) -> None:
    """Require `forward`, and of each optional protocol all members or none."""
    head = subject.head
    require(
        type(head).forward is not nn.Module.forward, "It has no method forward(vectors, mask) -> logits (B, C). Add it."
    )
    own = [*head.named_children(), *head.named_parameters(recurse=False), *head.named_buffers(recurse=False)]
    for name, part in own:
        require(
            name not in _SIGNATURES,
            f"Its {type(part).__name__} {name!r} has the name of a method in the contract. Rename it.",
        )
    offered = _SIGNATURES.keys() & dir(head)
    for name in sorted(offered & _NEEDS.keys()):
        needed = _NEEDS[name]
        require(
            needed in offered,
            f"It has {name!r} but has no method {_SIGNATURES[needed]}. Add it, or rename {name!r}.",
        )
    for name in sorted(offered & {"pool", "select"}):
        require(
            not subject.abilities.is_timed,
            f"It is timed and has {name!r}, but a timed head sees all vectors. Remove {name!r} or is_timed.",
        )


def returns_one_logit_for_each_class(subject: Subject) -> None:
    """Require finite logits (B, C), which training can change."""
    logits = subject.logits(*subject.batch())
    expected = (len(LENGTHS), CLASS_COUNT)
    found = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
    require(
        found == f"shape {expected}",
        f"It returns {found} for {len(LENGTHS)} videos and {CLASS_COUNT} classes. Return logits of shape {expected}.",
    )
    require(bool(logits.isfinite().all()), "It returns NaN or infinity for finite vectors. Return finite logits.")
    require(logits.requires_grad, "It has no weights that training can change. Use torch.nn.Parameter or layers.")


def repeats_itself(subject: Subject) -> None:
    """Require the same logits for the same batch in evaluation mode."""
    require_close(
        subject.logits(*subject.batch()),
        subject.logits(*subject.batch()),
        "It returns different logits for the same batch in evaluation mode. Switch dropout and everything random off "
        "where self.training is False.",
    )


def ignores_padding(subject: Subject, fillers: Sequence[float] = _FILLERS) -> None:
    """Require that the content of padding changes no logit."""
    expected = subject.logits(*subject.batch())
    for filler in fillers:
        require_close(
            subject.logits(*subject.batch(filler=filler), filler=filler),
            expected,
            f"Its logits change with the content of padding ({filler} instead of 0.0). Clear rows where `mask` is "
            "False with classify.heads.clear_padding. A product with the mask is not enough: it keeps NaN.",
        )


def sees_each_video_alone(subject: Subject) -> None:
    """Require that a video has the same logits alone and beside longer videos."""
    vectors, mask = subject.batch()
    together = subject.logits(vectors, mask)
    for row, length in enumerate(LENGTHS):
        require_close(
            subject.logits(vectors[row : row + 1, :length], mask[row : row + 1, :length]),
            together[row : row + 1],
            "Its logits of a video change with the other videos of the batch, or with the length of its padding. Use "
            "`mask` wherever vectors meet: pool with classify.heads.blocks.pooling, and mask attention.",
        )


def sees_real_vectors(subject: Subject) -> None:
    """Require that a video's logits change with its vectors."""
    vectors, mask = subject.batch()
    change = subject.logits(vectors.roll(1, dims=2), mask) - subject.logits(vectors, mask)
    require(
        bool(change.abs().amax(dim=1).min() > 1e-5),
        "Its logits of a video stay the same when all vectors of the video change. Use rows where `mask` is True.",
    )


def passes_no_gradient_to_padding(subject: Subject) -> None:
    """Require that no gradient reaches padding."""
    vectors, mask = subject.batch()
    vectors.requires_grad_()
    (gradient,) = torch.autograd.grad(subject.logits(vectors, mask).sum(), vectors, allow_unused=True)
    require(
        gradient is None or not gradient[~mask].any(),
        "Padding gets a gradient. Clear it with classify.heads.clear_padding before anything else.",
    )


def trains_alike_with_more_padding(subject: Subject) -> None:
    """Require the same training step, up to rounding, with two more rows of padding and other content in it."""
    for vectors, mask in (subject.batch(), subject.mixed_batch()):
        head = subject.build_without_dropout()
        _require_repeatable_training(subject, copy.deepcopy(head), vectors, mask)
        for filler in (7.0, float("nan")):
            _require_same_step(subject, head, vectors, mask, filler)


def saves_all_that_it_needs(subject: Subject) -> None:
    """Require that the `state_dict` fits a safetensors file, and that a head with the same returns the same logits."""
    try:
        safetensors.torch.save({name: part.contiguous() for name, part in subject.head.state_dict().items()})
    except (AttributeError, RuntimeError) as error:
        raise HeadError(
            f"Its state_dict cannot be saved as safetensors ({textwrap.shorten(str(error), 200)}). "
            "Hold tensors only in it, and share none of them between two names."
        ) from error
    other = subject.build_fresh().eval()
    other.load_state_dict(subject.head.state_dict())
    require_close(
        subject.logits(*subject.batch(), head=other),
        subject.logits(*subject.batch()),
        "Another head with its state_dict returns different logits, and so would the saved head. Keep everything that "
        "it draws or learns in parameters or buffers (register_buffer).",
    )


def _require_repeatable_training(subject: Subject, head: nn.Module, vectors: Tensor, mask: Tensor) -> None:
    twin = copy.deepcopy(head)
    require_close(
        subject.logits(vectors, mask, head=twin),
        subject.logits(vectors, mask, head=head),
        "It returns different logits for the same batch in training mode, with its dropout off. Use torch.nn.Dropout, "
        "or take the option `dropout` (a share) and drop nothing at 0.",
    )


def _require_same_step(subject: Subject, head: nn.Module, vectors: Tensor, mask: Tensor, filler: float) -> None:
    plain, padded = copy.deepcopy(head), copy.deepcopy(head)
    longer, longer_mask = F.pad(vectors, (0, 0, 0, 2)), F.pad(mask, (0, 2))
    longer = fill_padding(longer, longer_mask, filler)
    logits = subject.logits(vectors, mask, head=plain)
    padded_logits = subject.logits(longer, longer_mask, filler=filler, head=padded)
    logits.square().sum().backward()  # type: ignore[no-untyped-call]
    padded_logits.square().sum().backward()  # type: ignore[no-untyped-call]

    advice = (
        "change in training with more padding, or with its content. Clear rows where `mask` is False with "
        "classify.heads.clear_padding; for batch norm, use classify.heads.blocks.MaskedBatchNorm."
    )
    require_close(padded_logits, logits, f"Its logits {advice}")
    require_close(_gradients(padded), _gradients(plain), f"Its gradients {advice}", tolerance=None)
    require_close(dict(padded.named_buffers()), dict(plain.named_buffers()), f"Its buffers {advice}", tolerance=None)


def _gradients(head: nn.Module) -> list[Tensor | None]:
    return [parameter.grad for parameter in head.parameters()]
