"""The checks of the head's contract, one for each rule.

A check builds the head for small sizes on the CPU and leaves torch's random generator as it was. A check of an optional
protocol passes if the head does not satisfy that protocol.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from classify.errors import HeadError
from classify.heads.contract import HeadBuilder
from classify.heads.testing import optional_rules, rules
from classify.heads.testing.subject import CLASS_COUNT, Subject

DIMENSION = 16
"""D of the heads that are checked: 8 attention heads share it, and all checks of a head together take a second."""

_DIMENSIONS = (DIMENSION, 512, 768, 1024, 1280)  # then those of common encoders, for heads that are made for one


@dataclass(frozen=True)
class HeadCheck:
    """One rule of the contract, to be called with a builder of a head. `str` returns the rule's name.

    Args:
        rule: raises HeadError if the head breaks it.
    """

    rule: Callable[[Subject], None]

    def __call__(self, build: HeadBuilder, *, dimension: int = DIMENSION) -> None:
        """Check the head that `build(dimension, class_count)` returns.

        Args:
            build: the head's class, or a function that returns a head.
            dimension: D, for a head that does not take 16.

        Raises:
            HeadError: the head breaks the rule.
        """
        with _isolated():
            self.rule(Subject(build, dimension))

    def __str__(self) -> str:
        return self.rule.__name__.replace("_", " ")


HEAD_CHECKS: tuple[HeadCheck, ...] = tuple(
    HeadCheck(rule)
    for rule in (
        rules.has_whole_protocols,
        rules.returns_one_logit_for_each_class,
        rules.repeats_itself,
        rules.ignores_padding,
        rules.sees_each_video_alone,
        rules.sees_real_vectors,
        rules.passes_no_gradient_to_padding,
        rules.trains_alike_with_more_padding,
        rules.saves_all_that_it_needs,
        optional_rules.selects_some_of_its_vectors,
        optional_rules.selects_the_same_in_a_batch,
        optional_rules.pools_without_weights,
        optional_rules.classifies_what_it_pools,
        optional_rules.pools_the_mean_if_it_says_so,
        optional_rules.is_linear_if_it_says_so,
        optional_rules.is_framewise_if_it_says_so,
        optional_rules.weighs_real_vectors_only,
    )
)
"""All checks, from the simplest to the most special."""


def check_head(build: HeadBuilder, *, dimension: int = DIMENSION) -> None:
    """Run all checks. The arguments are those of `HeadCheck`.

    Raises:
        HeadError: the head breaks a rule.
    """
    for check in HEAD_CHECKS:
        check(build, dimension=dimension)


def check_loaded(build: HeadBuilder) -> None:
    """Run the quick part of the checks on one head, of the first of a few dimensions that the head does not refuse.

    Padding holds finite numbers only, as it does in training and in an exported model. A head that refuses all of these
    dimensions is not checked.

    Raises:
        HeadError: the head breaks a rule.
    """
    with _isolated():
        dimension = next((dimension for dimension in _DIMENSIONS if _takes(build, dimension)), None)
        if dimension is None:
            return
        subject = Subject(build, dimension)
        rules.has_whole_protocols(subject)
        rules.returns_one_logit_for_each_class(subject)
        rules.repeats_itself(subject)
        rules.ignores_padding(subject, fillers=(7.0,))
        rules.sees_each_video_alone(subject)
        rules.saves_all_that_it_needs(subject)
        optional_rules.selects_some_of_its_vectors(subject)
        optional_rules.pools_without_weights(subject)
        optional_rules.classifies_what_it_pools(subject)


def _takes(build: HeadBuilder, dimension: int) -> bool:
    try:
        build(dimension, CLASS_COUNT)
    except HeadError:
        return False
    return True


@contextmanager
def _isolated() -> Iterator[None]:
    """Compute on the CPU, with gradients, a fixed seed and one thread, in any context; put all of it back."""
    threads = torch.get_num_threads()
    with torch.device("cpu"), torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.set_num_threads(1)  # small operations: two threads wait for each other, ten times as long
        try:
            yield
        finally:
            torch.set_num_threads(threads)
