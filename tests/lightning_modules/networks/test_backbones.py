"""What every restoration backbone has in common: reduced precision, any batch, checkpoints, no hidden randomness."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lightning_modules import load_weights
from tests.backbones import STEMS, Backbone


def pair(backbone: Backbone, seed: int, batch: int = 2) -> tuple[Tensor, Tensor]:
    """A smooth clean patch and its observation, noisy or four times smaller."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 31, 4, 4, generator=generator)
    target = nn.functional.interpolate(coarse, size=(backbone.patch, backbone.patch), mode="bilinear")
    if backbone.enlarges:
        return nn.functional.avg_pool2d(target, 4), target
    return target + 0.1 * torch.randn(target.shape, generator=generator), target


@pytest.mark.parametrize("stem", STEMS)
def test_fifty_steps_in_bfloat16_lower_the_loss_without_a_nan(stem: str) -> None:
    backbone = Backbone(stem)
    network = backbone.network().train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    observation, target = pair(backbone, 0)
    losses = []
    for _ in range(50):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.l1_loss(network(observation).float(), target)
        optimizer.zero_grad()
        loss.backward()
        assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters())
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


@pytest.mark.parametrize("stem", STEMS)
def test_batch_mates_do_not_change_a_restored_cube(stem: str) -> None:
    backbone = Backbone(stem)
    network = backbone.network().eval().to(backbone.precision)
    observation, target = (one.to(backbone.precision) for one in pair(backbone, 1))
    with torch.no_grad():
        together = network(observation)
        alone = torch.cat([network(one[None]) for one in observation])
    assert together.shape == target.shape
    rounding = 2e-6 if backbone.precision is torch.float32 else 1e-12
    torch.testing.assert_close(together, alone, rtol=0, atol=rounding * float(alone.abs().max()))


@pytest.mark.parametrize("stem", STEMS)
def test_weights_come_back_from_a_file_as_they_were(stem: str, tmp_path: Path) -> None:
    backbone = Backbone(stem)
    network, other = backbone.network().eval(), backbone.network().eval()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.01)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    load_weights(other, tmp_path / "weights.pt")
    observation, _ = pair(backbone, 2)
    with torch.no_grad():
        assert torch.equal(network(observation), other(observation))


@pytest.mark.parametrize("stem", STEMS)
def test_packaged_configuration_names_the_published_settings(stem: str) -> None:
    backbone = Backbone(stem)
    with torch.device("meta"):
        written, default = backbone.kind(**backbone.published), backbone.kind()
    shapes = [{name: value.shape for name, value in one.state_dict().items()} for one in (written, default)]
    assert shapes[0] == shapes[1]
