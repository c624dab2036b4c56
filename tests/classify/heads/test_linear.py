import torch

from classify.heads.linear import LinearHead


def test_linear_is_a_linear_layer_on_the_mean_of_the_real_vectors() -> None:
    head = LinearHead(2, 1)
    head.load_state_dict({"linear.weight": torch.tensor([[2.0, -1.0]]), "linear.bias": torch.tensor([0.5])})
    vectors = torch.tensor([[[1.0, 4.0], [3.0, 0.0], [9.0, 9.0]]])

    logits = head(vectors, torch.tensor([[True, True, False]]))

    assert logits.tolist() == [[2.5]]  # mean (2, 2): 2 * 2 - 2 + 0.5


def test_linear_does_not_see_the_order_of_vectors() -> None:
    head = LinearHead(8, 3)
    vectors, mask = torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)

    torch.testing.assert_close(head(vectors.flip(1), mask), head(vectors, mask))
