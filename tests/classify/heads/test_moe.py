import torch

from classify.heads.moe import EXPERTS, MixtureOfExperts


def test_the_sigmoid_of_a_logit_is_the_mixture_of_the_experts_probabilities() -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(8, 5)
    features = torch.randn(4, 8)

    gates = mixture.gates(features).view(4, 5, EXPERTS + 1).softmax(2)
    experts = mixture.experts(features).view(4, 5, EXPERTS).sigmoid()
    expected = (gates[..., :EXPERTS] * experts).sum(2)

    torch.testing.assert_close(mixture(features).sigmoid(), expected)


def test_a_probability_that_rounds_to_one_still_has_a_finite_logit() -> None:
    mixture = MixtureOfExperts(1, 1)
    torch.nn.init.constant_(mixture.experts.weight, 1.0)
    torch.nn.init.constant_(mixture.gates.weight, 0.0)

    assert mixture(torch.tensor([[1e4], [-1e4]])).isfinite().all()
