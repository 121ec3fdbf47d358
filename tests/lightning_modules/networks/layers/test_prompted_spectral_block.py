"""MP-HSIR's block: its gate with loops, one gate a window, and the skip over a level (the whole: test_mp_hsir)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.layers.prompted_spectral_block import (
    GatedPerceptron,
    PromptedSpectralBlock,
    PromptedSpectralGroup,
    SpectralPromptGate,
)


def test_the_gate_is_attention_among_the_coefficients_of_one_mean() -> None:
    torch.manual_seed(0)
    gate = SpectralPromptGate(6, compression=2, slots=5)
    with torch.no_grad():
        gate.prompts.mul_(3)
    means = torch.randn(2, 6)
    for mean, found in zip(means, gate(means), strict=True):
        weights = torch.softmax(gate.to_weights.weight @ mean, dim=0)
        query = gate.query.weight @ sum((weights[s] * gate.prompts[0, 0, s] for s in range(5)), torch.zeros(3))
        key, value = (gate.key_value.weight @ (gate.reduce.weight @ mean)).chunk(2)
        answers = []
        for q in query:
            scores = [math.exp(float(q * k) / math.sqrt(3)) for k in key]
            answers.append(sum(score * float(v) for score, v in zip(scores, value, strict=True)) / sum(scores))
        expected = gate.expand(gate.project(torch.tensor(answers)))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_the_second_half_gates_the_first() -> None:
    torch.manual_seed(1)
    perceptron = GatedPerceptron(3, 4)
    features = torch.randn(2, 5, 3)
    hidden = features @ perceptron.expand.weight.T + perceptron.expand.bias
    expected = perceptron.project(hidden[..., :4] * functional.gelu(hidden[..., 4:]))
    torch.testing.assert_close(perceptron(features), expected)


class OpenGate(nn.Module):
    """A gate that lets everything through."""

    def forward(self, means: Tensor) -> Tensor:
        return torch.ones_like(means)


@pytest.mark.parametrize("shift", [0, 2])
def test_all_pixels_of_a_window_share_one_gate(shift: int) -> None:
    """Without the global branch and the perceptron the attended image times the gates is all that is added."""
    torch.manual_seed(2)
    block = PromptedSpectralBlock(4, 2, 4, shift, 2.0, 2, 3, 0.0).eval()
    image = torch.randn(1, 8, 12, 4)
    with torch.no_grad():
        block.local_gate.reduce.weight.mul_(100)
        for layer in (block.global_attention.project, block.mlp.project):
            for parameter in layer.parameters():
                parameter.zero_()
        gated = (block(image) - image).roll((-shift, -shift), dims=(1, 2))
        block.set_submodule("local_gate", OpenGate())
        attended = (block(image) - image).roll((-shift, -shift), dims=(1, 2))
    gates = (gated / attended).unflatten(2, (3, 4)).unflatten(1, (2, 4))
    torch.testing.assert_close(gates, gates[:, :, :1, :, :1].expand_as(gates), rtol=2e-3, atol=1e-3)
    assert float(gates.std(dim=(1, 3)).min()) > 0.01, "windows differ"


def test_a_level_alternates_its_shift_and_has_a_skip_over_all_blocks() -> None:
    group = PromptedSpectralGroup(4, 2, 4, 2.0, 2, 3, [0.0, 0.1, 0.2])
    blocks = [block for block in group.blocks if isinstance(block, PromptedSpectralBlock)]
    assert [block.shift for block in blocks] == [0, 2, 0]
    assert [block.drop_path.probability for block in blocks] == [0.0, 0.1, 0.2]
    with torch.no_grad():
        for block in blocks:
            for layer in (block.global_attention.project, block.local_gate.expand, block.mlp.project):
                layer.weight.zero_()
            block.mlp.project.bias.zero_()
    image = torch.randn(2, 4, 8, 4)
    torch.testing.assert_close(group.eval()(image), 2 * image)
