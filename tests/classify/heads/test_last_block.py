"""The last-block head: the rest of an encoder on stored activations, then dropout and one linear layer."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import logit
from torch import nn

from classify.errors import HeadError
from classify.heads import StandardisedHead, build_head, describe_tail
from classify.heads.last_block import LastBlockHead
from classify.moments import find_evidence
from embed import load_tail
from embed.errors import EncoderError, StoreMismatch
from embed.store import EncoderIdentity
from tests.classify.activations import identity_of, torch_rows, write_checkpoint
from tests.embed.encoders.clip_models import checkpoint_of, full_model

C = 3


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> EncoderIdentity:
    return identity_of(write_checkpoint(tmp_path_factory.mktemp("weights")))


@pytest.fixture
def head(identity: EncoderIdentity) -> LastBlockHead:
    torch.manual_seed(0)
    head = LastBlockHead(identity.dimension, C, tail=describe_tail(identity))
    head.load_pretrained()
    return head.eval()


def test_a_video_of_one_clip_gets_the_logits_of_the_whole_network(
    head: LastBlockHead, identity: EncoderIdentity
) -> None:
    rows = torch_rows(identity, 2)
    vectors = load_tail(identity).eval()(rows)
    found = head(rows.unsqueeze(1), torch.ones(2, 1, dtype=torch.bool))
    torch.testing.assert_close(found, head.linear(vectors))


def test_several_clips_of_a_video_count_by_the_mean_of_their_logits(
    head: LastBlockHead, identity: EncoderIdentity
) -> None:
    rows = torch_rows(identity, 1, 3)
    every = torch.ones(1, 3, dtype=torch.bool)
    alone = [head(rows[:, [clip]], every[:, :1]) for clip in range(3)]
    torch.testing.assert_close(head(rows, every), torch.stack(alone).mean(dim=0), atol=1e-5, rtol=1e-5)


def test_what_each_clip_adds_to_a_video_is_known_exactly(head: LastBlockHead, identity: EncoderIdentity) -> None:
    rows = torch_rows(identity, 1, 3)
    labelling = SimpleNamespace(
        head=StandardisedHead(head, identity.dimension), names=("a", "b", "c"), thresholds=(0.5,) * C, temperature=1.0
    )
    found = find_evidence(labelling, rows[0].numpy(), np.arange(3.0))
    whole = head(rows, torch.ones(1, 3, dtype=torch.bool))[0]
    assert found.how == "exact"
    np.testing.assert_allclose(logit(found.scores.astype(np.float64)).mean(axis=0), whole.detach(), atol=1e-4)


def test_padding_changes_neither_logits_nor_the_statistics_of_batch_norms(
    head: LastBlockHead, identity: EncoderIdentity
) -> None:
    rows, mask = torch_rows(identity, 2, 2), torch.tensor([[True, True], [True, False]])
    rows[1, 1] = float("nan")
    found = head.train().dropout.eval() and head(rows, mask)
    assert found.isfinite().all()
    seen = {name: own for name, own in head.named_buffers() if "running_mean" in name and "features" in name}
    assert seen
    assert all(own.isfinite().all() for own in seen.values())
    other = LastBlockHead(identity.dimension, C, tail=describe_tail(identity))
    other.load_pretrained()
    other.linear.load_state_dict(head.linear.state_dict())
    real = other.train().tail(rows[mask])
    expected = other.linear(torch.stack([real[:2].mean(dim=0), real[2]]))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_training_does_not_touch_the_weights_that_the_next_head_begins_with(
    head: LastBlockHead, identity: EncoderIdentity
) -> None:
    with torch.no_grad():
        for own in head.tail.parameters():
            own.fill_(7)
    again = LastBlockHead(identity.dimension, C, tail=describe_tail(identity))
    again.load_pretrained()
    for own, expected in zip(again.tail.parameters(), load_tail(identity).parameters(), strict=True):
        torch.testing.assert_close(own, expected)


def test_the_block_and_the_classifier_learn_and_nothing_else(head: LastBlockHead) -> None:
    learning = {name for name, own in head.named_parameters() if own.requires_grad}
    assert {"linear.weight", "linear.bias"} < learning
    assert all(name.startswith(("linear.", "tail.network.features.15.")) for name in learning)


def test_it_drops_half_of_the_vector_in_training(head: LastBlockHead) -> None:
    assert isinstance(head.dropout, nn.Dropout)
    assert head.dropout.p == 0.5


def test_activations_of_another_length_are_refused(identity: EncoderIdentity) -> None:
    with pytest.raises(HeadError, match="The block takes 81,536 numbers a clip, but the store has 512"):
        build_head("last-block", 512, C, options={"tail": describe_tail(identity)})


@pytest.mark.parametrize("options", [{}, {"tail": "{}"}], ids=["without its encoder", "projected"])
def test_it_takes_activations_as_they_are(options: dict[str, str]) -> None:
    with pytest.raises(HeadError, match=r"goes on from activations as they are stored.*without --project"):
        build_head("last-block", 512, C, project=8, options=options)


def test_other_weights_are_refused(identity: EncoderIdentity, tmp_path: Path) -> None:
    other = checkpoint_of(full_model("s3d", seed=1), tmp_path / "other.pt")
    with pytest.raises(StoreMismatch, match=r"are not those that the store was made with.*--pretrained"):
        describe_tail(identity, other)


def test_vectors_of_the_whole_encoder_leave_nothing_to_train(identity: EncoderIdentity) -> None:
    whole = replace(identity, stop_before="", shape=())
    with pytest.raises(EncoderError, match=r"nothing is left of it to train.*--stop-before"):
        describe_tail(whole)
