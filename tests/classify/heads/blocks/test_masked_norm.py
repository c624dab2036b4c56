import torch

from classify.heads.blocks.masked_norm import MaskedBatchNorm


def test_it_learns_from_the_real_vectors_alone() -> None:
    vectors = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(5) < torch.tensor([5, 3, 1, 2])[:, None]
    masked, plain = MaskedBatchNorm(3).train(), torch.nn.BatchNorm1d(3).train()

    normed = masked(vectors.masked_fill(~mask.unsqueeze(-1), 1e6), mask)

    torch.testing.assert_close(normed[mask], plain(vectors[mask]))
    torch.testing.assert_close(masked.norm.running_mean, plain.running_mean)


def test_a_batch_of_one_vector_uses_what_was_learned_before() -> None:
    norm = MaskedBatchNorm(3).train()

    assert norm(torch.ones(1, 1, 3), torch.ones(1, 1, dtype=torch.bool)).isfinite().all()
