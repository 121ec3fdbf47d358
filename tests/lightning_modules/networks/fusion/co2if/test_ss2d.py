"""The coordinated scan against a plain loop written from Eq. 9 to 15, and against VMamba's SS2D."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.fusion.co2if.guidance import Guidance
from lightning_modules.networks.fusion.co2if.ss2d import SS2D, ScanParameters, cross_merge, cross_scan
from lightning_modules.networks.layers.scan_orders import four_directions
from lightning_modules.networks.layers.selective_scan import SecondInput, selective_scan

CHANNELS, GUIDE, STATES, RANK = 4, 6, 3, 2
LATTICE = (3, 5)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def coordinated(scale_b: float = 0.1, scale_c: float = 0.1, guided: bool = True) -> SS2D:
    """A small float64 scan whose weights are all drawn anew, so that nothing is hidden by a start of 0 or 1."""
    scan = SS2D(CHANNELS, GUIDE if guided else None, STATES, RANK, scale_b, scale_c).double()
    for name, parameter in scan.named_parameters():
        parameter.data = drawn(*parameter.shape, seed=sum(map(ord, name))) * 0.7
    return scan


def of_pixel(parameters: ScanParameters, features: Tensor, direction: int) -> tuple[Tensor, Tensor, Tensor]:
    """Step sizes `D`, B `N` and C `N` of one pixel's features `C` in one direction."""
    norm = parameters.norm
    if isinstance(norm, nn.LayerNorm):
        centred = features - features.mean()
        features = norm.weight * centred / (centred.square().mean() + norm.eps).sqrt() + norm.bias
    rows = parameters.project.weight.chunk(4)[direction] @ features
    ranks, entry, readout = rows[:RANK], rows[RANK : RANK + STATES], rows[RANK + STATES :]
    bias = parameters.step_bias.chunk(4)[direction]
    return functional.softplus(parameters.step_weight[direction] @ ranks + bias), entry, readout


def looped(scan: SS2D, image: Tensor, guide: Tensor | None, weight: Tensor | None) -> Tensor:
    """Eq. 12 to 15 position by position for one image `D x H x W`; lambda and gamma are the scan's."""
    _, height, width = image.shape
    inputs = functional.silu(scan.convolution(image[None]))[0]
    output = torch.zeros_like(inputs)
    by_rows = [(row, column) for row in range(height) for column in range(width)]
    by_columns = [(row, column) for column in range(width) for row in range(height)]
    for direction, path in enumerate((by_rows, by_columns, by_rows[::-1], by_columns[::-1])):
        decay = -scan.A_log.chunk(4)[direction].exp()
        state = torch.zeros(CHANNELS, STATES, dtype=torch.float64)
        for row, column in path:
            x = inputs[:, row, column]
            delta, entry, readout = of_pixel(scan.parameters_of_image, x, direction)
            drive = delta[:, None] * entry
            if guide is not None and scan.parameters_of_guide is not None:
                found = of_pixel(scan.parameters_of_guide, guide[:, row, column], direction)
                drive = drive + scan.scale_b * found[0][:, None] * found[1]
                readout = readout + scan.scale_c * found[2]
            state = (delta[:, None] * decay).exp() * state + drive * x[:, None]
            y = state @ readout
            if weight is not None:
                y = y * weight[:, row, column]
            output[:, row, column] += y + scan.D[direction] * x
    return output


@pytest.mark.parametrize(
    ("guided", "weighted"), [(True, False), (True, True), (False, False)], ids=["encoder", "decoder", "vanilla"]
)
def test_the_scan_is_a_plain_loop_over_equations_12_to_15(guided: bool, weighted: bool) -> None:
    scan = coordinated(0.3, 0.2, guided)
    image, guide, weight = (drawn(2, size, *LATTICE, seed=size) for size in (CHANNELS, GUIDE, CHANNELS))
    with torch.no_grad():
        found = scan(image, Guidance(guide if guided else None, weight=weight if weighted else None))
        for one in range(2):
            loop = looped(scan, image[one], guide[one] if guided else None, weight[one] if weighted else None)
            assert torch.allclose(found[one], loop, rtol=1e-9, atol=1e-10)


def test_without_factors_and_with_weights_of_one_it_is_vanilla_ss2d() -> None:
    scan, vanilla = coordinated(0.0, 0.0), coordinated(guided=False)
    vanilla.load_state_dict(scan.state_dict(), strict=False)
    image, guide = drawn(1, CHANNELS, *LATTICE), drawn(1, GUIDE, *LATTICE, seed=1)
    with torch.no_grad():
        expected = vanilla(image, Guidance())
        assert torch.equal(scan(image, Guidance(guide, weight=torch.ones_like(image))), expected)
        scan.scale_b = 0.1
        assert not torch.allclose(scan(image, Guidance(guide)), expected, rtol=1e-3)
        scan.scale_b, scan.scale_c = 0.0, 0.1
        assert not torch.allclose(scan(image, Guidance(guide)), expected, rtol=1e-3)


def test_cross_scan_has_the_four_directions_and_cross_merge_undoes_it() -> None:
    height, width = LATTICE
    images = drawn(2, 4, 3, height, width)
    order = four_directions(height, width)
    sequences = cross_scan(images)
    for direction in range(4):
        assert torch.equal(sequences[:, direction], images[:, direction].flatten(2)[..., order[direction]])
    assert torch.equal(cross_scan(images[:, 0]), cross_scan(images[:, :1].expand_as(images)))
    assert torch.allclose(cross_merge(sequences, LATTICE), images.sum(1))


def test_one_call_of_the_scan_serves_all_directions_and_both_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, SecondInput]] = []

    def counted(u: Tensor, *arguments: Tensor, second: SecondInput, **settings: str) -> Tensor:
        calls.append((u.shape[1], second))
        return selective_scan(u, *arguments, second=second, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr("lightning_modules.networks.fusion.co2if.ss2d.selective_scan", counted)
    coordinated()(drawn(1, CHANNELS, *LATTICE), Guidance(drawn(1, GUIDE, *LATTICE)))
    assert [(channels, second.weight) for channels, second in calls] == [(4 * CHANNELS, 0.1)]


@pytest.mark.parametrize("bias", [-8.0, 0.0, 30.0])
def test_states_stay_bounded_on_a_long_constant_input(bias: float) -> None:
    """The state of a constant input rises to the fixed point of Eq. 12 and no further, for tiny and for huge steps."""
    scan = coordinated()
    assert scan.parameters_of_guide is not None
    for parameters in (scan.parameters_of_image, scan.parameters_of_guide):
        parameters.step_weight.data.zero_()
        parameters.step_bias.data.fill_(bias)
    scan.A_log.data.zero_()
    image = torch.ones(1, CHANNELS, 4, 4096, dtype=torch.float64)
    guide = drawn(1, GUIDE, 1, 1).expand(-1, -1, 4, 4096)
    nn.init.dirac_(scan.convolution.weight, groups=CHANNELS)
    scan.convolution.bias = None
    with torch.no_grad():
        found = scan(image, Guidance(guide))
        step = functional.softplus(torch.tensor(bias, dtype=torch.float64))
        total = torch.zeros(CHANNELS, dtype=torch.float64)
        x = functional.silu(torch.ones(CHANNELS, dtype=torch.float64))
        for direction in range(4):
            _, entry, readout = of_pixel(scan.parameters_of_image, x, direction)
            _, guide_entry, guide_readout = of_pixel(scan.parameters_of_guide, guide[0, :, 0, 0], direction)
            gain = step * (entry + 0.1 * guide_entry) / -torch.expm1(-step)
            total += (readout + 0.1 * guide_readout).abs() @ gain.abs() * x + scan.D[direction].abs() * x
        assert bool(torch.isfinite(found).all())
        assert bool((found.abs() <= total[:, None, None] * (1 + 1e-9)).all())


def test_guide_scale_does_not_matter_since_it_is_normalised() -> None:
    scan = coordinated()
    image, guide = drawn(1, CHANNELS, *LATTICE), drawn(1, GUIDE, *LATTICE, seed=1)
    with torch.no_grad():
        assert torch.allclose(scan(image, Guidance(guide)), scan(image, Guidance(1e4 * guide + 7)), rtol=1e-3)


def test_gradients_of_all_parameters_are_those_of_finite_differences() -> None:
    scan = coordinated(0.3, 0.2)
    image, guide, weight = (drawn(1, size, 2, 3, seed=size).requires_grad_() for size in (CHANNELS, GUIDE, CHANNELS))
    names, values = zip(*((name, p.detach().requires_grad_()) for name, p in scan.named_parameters()), strict=True)

    def call(image: Tensor, guide: Tensor, weight: Tensor, *values: Tensor) -> Tensor:
        arguments = (image, Guidance(guide, weight=weight))
        output: Tensor = torch.func.functional_call(scan, dict(zip(names, values, strict=True)), arguments)
        return output

    assert torch.autograd.gradcheck(call, (image, guide, weight, *values), fast_mode=True)
    call(image, guide, weight, *values).sum().backward()
    assert all(bool(value.grad.any()) for value in values if value.grad is not None)
    assert all(value.grad is not None for value in values)


def test_steps_start_between_a_thousandth_and_a_tenth() -> None:
    torch.manual_seed(0)
    scan = SS2D(16, 8)
    steps = functional.softplus(scan.parameters_of_image.step_bias.detach())
    assert 0.001 <= float(steps.min()) < 0.002
    assert 0.07 < float(steps.max()) <= 0.1
    assert torch.allclose(scan.A_log.exp()[5], torch.arange(1.0, 17.0))
    assert bool((scan.D == 1).all())
