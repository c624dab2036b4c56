import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
)

from classify.measures.metrics import confuse, decide_labels, measure, micro_f1

NAMES = ("hug", "kick", "wave", "never")

multi_label_tables = st.integers(1, 30).flatmap(lambda videos: st.tuples(*[arrays(np.bool_, (videos, len(NAMES)))] * 2))
single_label_lists = st.integers(1, 30).flatmap(
    # Three of four classes: the last is absent and never predicted.
    lambda videos: st.tuples(*[arrays(np.int64, videos, elements=st.integers(0, 2))] * 2)
)


@settings(deadline=None)
@given(multi_label_tables)
def test_figures_of_several_labels_a_video_equal_scikit_learns(tables: tuple[NDArray[np.bool_], ...]) -> None:
    targets, predicted = tables

    found = measure(targets, predicted, NAMES)

    assert found.micro_f1 == pytest.approx(f1_score(targets, predicted, average="micro", zero_division=0))
    assert found.micro_precision == pytest.approx(precision_score(targets, predicted, average="micro", zero_division=0))
    assert found.micro_recall == pytest.approx(recall_score(targets, predicted, average="micro", zero_division=0))
    assert found.accuracy == pytest.approx(accuracy_score(targets, predicted))


@settings(deadline=None)
@given(multi_label_tables)
def test_macro_figures_are_scikit_learns_over_the_labels_that_occur(tables: tuple[NDArray[np.bool_], ...]) -> None:
    targets, predicted = tables
    occurring = np.flatnonzero(targets.any(axis=0))
    assume(len(occurring))

    found = measure(targets, predicted, NAMES)

    theirs = precision_recall_fscore_support(targets, predicted, average="macro", labels=occurring, zero_division=0)
    assert (found.macro_precision, found.macro_recall, found.macro_f1) == pytest.approx(theirs[:3])


def test_a_class_without_a_test_video_is_left_out_of_macro_f1() -> None:
    targets = np.eye(3, dtype=np.bool_)[[0, 1, 0, 1]]

    assert measure(targets, targets, NAMES[:3]).macro_f1 == 1


def test_without_any_label_macro_figures_are_0() -> None:
    none, given = np.zeros((4, 3), dtype=np.bool_), np.ones((4, 3), dtype=np.bool_)

    assert measure(none, given, NAMES[:3]).macro_f1 == 0


@settings(deadline=None)
@given(multi_label_tables)
def test_figures_of_each_class_equal_scikit_learns(tables: tuple[NDArray[np.bool_], ...]) -> None:
    targets, predicted = tables

    classes = measure(targets, predicted, NAMES).classes

    ours = [[c.precision for c in classes], [c.recall for c in classes], [c.f1 for c in classes]]
    *theirs, support = precision_recall_fscore_support(targets, predicted, zero_division=0)
    np.testing.assert_allclose(ours, theirs)
    assert [c.support for c in classes] == support.tolist()


@settings(deadline=None)
@given(single_label_lists)
def test_figures_of_one_label_a_video_equal_scikit_learns(lists: tuple[NDArray[np.int64], ...]) -> None:
    truth, guess = lists
    classes = np.arange(len(NAMES))

    found = measure(truth[:, None] == classes, guess[:, None] == classes, NAMES)

    theirs = {"labels": classes, "zero_division": 0}
    assert found.micro_f1 == pytest.approx(f1_score(truth, guess, average="micro", **theirs))
    occurring = f1_score(truth, guess, average="macro", labels=np.unique(truth), zero_division=0)
    assert found.macro_f1 == pytest.approx(occurring)


@settings(deadline=None)
@given(single_label_lists)
def test_with_one_label_a_video_micro_f1_is_accuracy(lists: tuple[NDArray[np.int64], ...]) -> None:
    truth, guess = lists
    classes = np.arange(len(NAMES))

    found = measure(truth[:, None] == classes, guess[:, None] == classes, NAMES)

    assert found.is_single_label
    assert found.micro_f1 == pytest.approx(found.accuracy)
    assert found.accuracy == pytest.approx((truth == guess).mean())


def test_nothing_to_find_and_nothing_found_is_0() -> None:
    nothing = np.zeros((2, 3), dtype=np.bool_)

    assert micro_f1(nothing, nothing) == 0.0


def test_without_thresholds_a_video_gets_its_likeliest_label() -> None:
    decided = decide_labels(np.array([[0.1, 0.7, 0.2], [0.4, 0.3, 0.4]]), None)

    assert decided.tolist() == [[False, True, False], [True, False, False]]


def test_with_thresholds_a_video_gets_every_label_that_reaches_its_own() -> None:
    decided = decide_labels(np.array([[0.5, 0.7, 0.2], [0.4, 0.3, 0.1]]), (0.5, 0.8, 0.1))

    assert decided.tolist() == [[True, False, True], [False, False, True]]


def test_micro_f1_is_not_called_accuracy_if_any_video_has_two_labels() -> None:
    one, two = np.array([[True, False]]), np.array([[True, True]])

    assert not measure(one, two, ["x", "y"]).is_single_label
    assert not measure(two, one, ["x", "y"]).is_single_label


@settings(deadline=None)
@given(single_label_lists)
def test_the_confusion_matrix_equals_scikit_learns(lists: tuple[NDArray[np.int64], ...]) -> None:
    truth, guess = lists
    classes = np.arange(len(NAMES))

    found = confuse(truth[:, None] == classes, guess[:, None] == classes)

    assert found.tolist() == confusion_matrix(truth, guess, labels=classes).tolist()
