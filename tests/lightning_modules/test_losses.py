"""Losses against hand-computed values."""

from __future__ import annotations

import math
import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from lightning_modules import L1VariationLoss, SquaredErrorAngleLoss
from lightning_modules.losses import ClampedL1Loss, contrastive_loss, gathered


def test_clamped_l1_ignores_what_leaves_the_range() -> None:
    restored = torch.tensor([-0.5, 1.5, 0.25, 1.25], requires_grad=True)
    loss = ClampedL1Loss()(restored, torch.tensor([0.0, 1.0, 0.5, 0.5]))
    assert loss.item() == pytest.approx((0 + 0 + 0.25 + 0.5) / 4)
    loss.backward()
    assert restored.grad is not None
    assert restored.grad.tolist() == [0.0, 0.0, -0.25, 0.0]


def test_squared_error_and_angle_of_known_spectra() -> None:
    target = torch.zeros(2, 2, 1, 2)
    target[:, 0] = 1.0
    restored = target.clone()
    restored[0, :, 0, 0] = torch.tensor([1.0, 1.0])
    restored[1, :, 0, 1] = torch.tensor([0.0, 3.0])
    loss = SquaredErrorAngleLoss(0.1)(restored, target)
    angles = (math.pi / 4 + math.pi / 2) / 4
    assert float(loss) == pytest.approx((1 + 1 + 9) / (2 * 2) + 0.1 * angles, rel=1e-6)
    assert float(SquaredErrorAngleLoss(0.0)(restored, target)) == pytest.approx(11 / 4, rel=1e-6)


def test_equal_and_empty_spectra_have_no_angle_and_finite_gradients() -> None:
    target = torch.rand(1, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    target[..., 0] = 0
    for scale in (0.0, 1.0, 2.0):
        restored = (scale * target).requires_grad_()
        SquaredErrorAngleLoss()(restored, target).backward()
        assert restored.grad is not None
        assert bool(torch.isfinite(restored.grad).all())
    assert float(SquaredErrorAngleLoss(1.0)(target, target)) == pytest.approx(0, abs=1e-3)


def test_absolute_error_and_variation_in_loops() -> None:
    generator = torch.Generator().manual_seed(1)
    restored, target = torch.rand(2, 3, 4, 5, generator=generator), torch.rand(2, 3, 4, 5, generator=generator)
    rows = sum(float((restored[:, :, i + 1] - restored[:, :, i]).square().sum()) for i in range(3)) / (2 * 3 * 3 * 5)
    columns = sum(float((restored[..., i + 1] - restored[..., i]).square().sum()) for i in range(4)) / (2 * 3 * 4 * 4)
    bands = sum(float((restored[:, i + 1] - restored[:, i]).square().sum()) for i in range(2)) / (2 * 2 * 4 * 5)
    expected = float((restored - target).abs().mean()) + 0.2 * (rows + columns) + 0.3 * 2 * bands
    assert float(L1VariationLoss(0.2, 0.3)(restored, target)) == pytest.approx(expected, rel=1e-5)


CAPTIONS = ["a cup", "a car", "a cup", "a tree"]


def unit(*shape: int, seed: int = 0) -> Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return nn.functional.normalize(drawn, dim=-1)


def slow_loss(text: Tensor, image: Tensor, tau: float, captions: list[str]) -> float:
    """Eq. 16 pair by pair; with distinct captions the inner sums over matches have one term each."""
    total = 0.0
    for i in range(len(captions)):
        for own, others in ((image[i], text), (text[i], image)):
            shares = [math.exp(float(own @ other) / tau) for other in others]
            matched = sum(share for share, caption in zip(shares, captions, strict=True) if caption == captions[i])
            total -= math.log(matched / sum(shares))
    return total / len(captions)


@pytest.mark.parametrize("captions", [["a", "b", "c", "d"], CAPTIONS, ["a", "a", "b", "b"]])
@pytest.mark.parametrize("tau", [0.07, 1.0])
def test_the_loss_is_the_sum_of_equation_16(captions: list[str], tau: float) -> None:
    text, image = unit(4, 6, seed=1), unit(4, 6, seed=2)
    loss = contrastive_loss(text, image, torch.tensor(-math.log(tau), dtype=torch.float64), captions)
    assert float(loss) == pytest.approx(slow_loss(text, image, tau, captions), abs=1e-9)


def test_the_loss_falls_to_zero_when_pairs_agree_and_rises_when_they_are_exchanged() -> None:
    text, scale = torch.eye(4), torch.tensor(math.log(50.0))
    assert float(contrastive_loss(text, text, scale, ["a", "b", "c", "d"])) == pytest.approx(0, abs=1e-6)
    assert float(contrastive_loss(text, text.roll(1, 0), scale, ["a", "b", "c", "d"])) == pytest.approx(100, abs=1e-3)


@pytest.mark.parametrize("captions", [["a cup"], ["a cup"] * 3])
def test_nothing_to_tell_apart_costs_nothing(captions: list[str]) -> None:
    text, image = unit(len(captions), 6, seed=1).requires_grad_(), unit(len(captions), 6, seed=2).requires_grad_()
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    loss = contrastive_loss(text, image, scale, captions)
    assert float(loss.detach()) == 0
    for gradient in torch.autograd.grad(loss, (text, image, scale)):
        assert float(gradient.abs().max()) < 1e-12


def test_gradients_are_those_of_finite_differences() -> None:
    text, image = unit(4, 5, seed=1).requires_grad_(), unit(4, 5, seed=2).requires_grad_()
    scale = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)

    def loss(*inputs: Tensor) -> Tensor:
        return contrastive_loss(inputs[0], inputs[1], inputs[2], CAPTIONS)

    assert torch.autograd.gradcheck(loss, (text, image, scale))


def test_autocast_does_not_reach_the_loss() -> None:
    text, image, scale = unit(4, 6, seed=1).float(), unit(4, 6, seed=2).float(), torch.tensor(4.0)
    plain = contrastive_loss(text, image, scale, CAPTIONS)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(contrastive_loss(text, image, scale, CAPTIONS), plain)


def gradients(rank: int, ranks: int) -> tuple[float, list[Tensor]]:
    """Loss and gradients of an adapter and a temperature; a rank has its run of the four pairs."""
    share = slice(rank * 4 // ranks, (rank + 1) * 4 // ranks)
    adapter = nn.Linear(6, 5).double()
    with torch.no_grad():
        adapter.weight.copy_(unit(5, 6, seed=3))
        adapter.bias.zero_()
    scale = nn.Parameter(torch.tensor(1.5, dtype=torch.float64))
    text, image = adapter(unit(4, 6, seed=1)[share]), adapter(unit(4, 6, seed=2)[share])
    loss = contrastive_loss(text, image, scale, CAPTIONS[share])
    loss.backward()
    found = [parameter.grad for parameter in (adapter.weight, adapter.bias, scale)]
    return float(loss.detach()), [gradient for gradient in found if gradient is not None]


def rank_of_two(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'rendezvous'}", rank=rank, world_size=2)
    try:
        loss, found = gradients(rank, 2)
        for gradient in found:
            dist.all_reduce(gradient)
            gradient /= 2
        torch.save([loss, *found], folder / f"{rank}.pt")
    finally:
        dist.destroy_process_group()


def test_two_processes_have_the_loss_and_the_gradients_of_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=rank_of_two, args=(rank, tmp_path)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 0]
    loss, expected = gradients(0, 1)
    for rank in range(2):
        other, *found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert other == pytest.approx(loss, abs=1e-12)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_a_single_process_gathers_its_own_rows() -> None:
    rows = unit(3, 2)
    assert gathered(rows) is rows
