"""What holds for every backend: flips, the second input, the gate, half precision, and sentences."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.layers.selective_scan import Backend, SecondInput, backends, selective_scan
from tests.lightning_modules.networks.layers.selective_scan.samples import scan_arguments, second_input

HERE: list[Backend] = ["reference", "chunked"]


@pytest.mark.parametrize("backend", HERE)
def test_reverse_is_flipping_sequences_and_output(backend: Backend) -> None:
    u, delta, a, b, c, d = scan_arguments(length=40, groups=2)
    second = second_input((u, delta, a, b, c, d))
    flipped = SecondInput(second.delta.flip(-1), second.B.flip(-1), second.weight)
    found = selective_scan(u, delta, a, b, c, d, second=second, reverse=True, backend=backend)
    y = selective_scan(u.flip(-1), delta.flip(-1), a, b.flip(-1), c.flip(-1), d, second=flipped, backend=backend)
    torch.testing.assert_close(found, y.flip(-1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", HERE)
def test_second_input_is_a_second_scan_with_the_same_decay(backend: Backend) -> None:
    """The state is linear in what drives it: two scans, the second driven by delta2 B2 u, are the coordinated one."""
    u, delta, a, b, c, d = scan_arguments(length=40, dtype=torch.float64)
    second = second_input((u, delta, a, b, c, d), weight=0.3)
    together = selective_scan(u, delta, a, b, c, d, second=second, backend=backend)
    driven = u * 0.3 * second.delta / delta
    apart = selective_scan(u, delta, a, b, c, d) + selective_scan(driven, delta, a, second.B, c)
    torch.testing.assert_close(together, apart, rtol=1e-10, atol=1e-10)
    assert not torch.allclose(together, selective_scan(u, delta, a, b, c, d), atol=0.05)


@pytest.mark.parametrize("backend", HERE)
def test_bias_softplus_and_gate(backend: Backend) -> None:
    u, delta, a, b, c, d = scan_arguments(length=30)
    raw, bias, z = (
        delta.log(),
        torch.linspace(-1, 1, 4),
        torch.randn(u.shape, generator=torch.Generator().manual_seed(2)),
    )
    second = second_input((u, delta, a, b, c, d))
    biased = SecondInput(second.delta, second.B, 0.2, 2 * bias)
    found = selective_scan(
        u, raw, a, b, c, d, z=z, delta_bias=bias, delta_softplus=True, second=biased, backend=backend
    )
    plain = SecondInput(functional.softplus(second.delta + 2 * bias[:, None]), second.B, 0.2)
    steps = functional.softplus(raw + bias[:, None])
    expected = selective_scan(u, steps, a, b, c, d, second=plain, backend=backend) * functional.silu(z)
    torch.testing.assert_close(found, expected)


def test_one_group_stands_for_all() -> None:
    u, delta, a, b, c, d = scan_arguments(length=30, groups=2)
    found = selective_scan(u, delta, a, b[:, 0], c, d)
    torch.testing.assert_close(found, selective_scan(u, delta, a, b[:, :1].expand_as(b), c, d))


@pytest.mark.parametrize("backend", HERE)
def test_under_autocast_only_arguments_and_output_are_half_precision(backend: Backend) -> None:
    halves = [tensor.bfloat16() for tensor in scan_arguments(length=60)]
    leaves = [tensor.clone().requires_grad_() for tensor in halves]
    floats = [tensor.float().requires_grad_() for tensor in halves]
    with torch.autocast("cpu", torch.bfloat16):
        y = selective_scan(*leaves, backend=backend)
        y.backward(torch.ones_like(y))
    expected = selective_scan(*floats, backend=backend)
    expected.backward(torch.ones_like(expected))
    assert y.dtype == torch.bfloat16
    assert y.equal(expected.bfloat16())
    for leaf, wanted in zip(leaves, floats, strict=True):
        assert leaf.grad is not None and wanted.grad is not None
        torch.testing.assert_close(leaf.grad, wanted.grad.bfloat16(), rtol=0.01, atol=1e-6)


def test_auto_takes_the_chunked_scan_on_a_cpu_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    arguments = scan_arguments()
    backends._announce.cache_clear()
    with caplog.at_level(logging.INFO):
        automatic = [selective_scan(*arguments) for _ in range(3)]
    assert caplog.messages == ["selective_scan on cpu: backend 'chunked'"]
    assert automatic[0].equal(selective_scan(*arguments, backend="chunked"))


def changed(**changes: Tensor) -> dict[str, Any]:
    return {**dict(zip(["u", "delta", "A", "B", "C", "D"], scan_arguments(groups=2), strict=True)), **changes}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"u": torch.ones(4, 20)}, "u has shape (4, 20), wanted batch x channels x length"),
        ({"u": torch.ones(2, 4, 0)}, "u has shape (2, 4, 0), wanted batch x channels x length, none of them empty"),
        ({"delta": torch.ones(2, 4, 19)}, "delta has shape (2, 4, 19), wanted 2 x 4 x 20"),
        ({"A": torch.ones(5, 3)}, "A has shape (5, 3), wanted 4 x states"),
        ({"A": torch.ones(4, 3, dtype=torch.complex64)}, "A is complex"),
        ({"B": torch.ones(2, 4, 20)}, "B has shape (2, 4, 20), wanted 2 x 3 x 20 or 2 x groups x 3 x 20"),
        ({"C": torch.ones(2, 3, 3, 20)}, "C has 3 groups, which do not divide the 4 channels of u"),
        ({"C": torch.ones(2, 4, 3, 20)}, "B and C have different numbers of groups (2, 4)"),
        ({"D": torch.ones(3)}, "D has shape (3,), wanted 4"),
        ({"z": torch.ones(2, 4, 21)}, "z has shape (2, 4, 21), wanted 2 x 4 x 20"),
        ({"delta_bias": torch.ones(3)}, "delta_bias has shape (3,), wanted 4"),
        (
            {"second": SecondInput(torch.ones(2, 1, 20), torch.ones(2, 3, 20))},
            "delta of the second input has shape (2, 1, 20), wanted 2 x 4 x 20",
        ),
        (
            {"second": SecondInput(torch.ones(2, 4, 20), torch.ones(2, 4, 20))},
            "B of the second input has shape (2, 4, 20), wanted 2 x 3 x 20",
        ),
        (
            {"backend": "fast"},
            "there is no backend 'fast', choose one of auto, reference, chunked, compiled, triton, mamba_ssm",
        ),
    ],
)
def test_what_does_not_fit_gets_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        selective_scan(**changed(**changes))


@pytest.mark.parametrize(
    ("backend", "how"),
    [("triton", "pip install triton"), ("mamba_ssm", "pip install --no-build-isolation mamba-ssm")],
)
def test_a_backend_that_is_not_installed_says_how_to_get_it(
    backend: Backend, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "_installed", lambda package: False)
    with pytest.raises(ModuleNotFoundError, match=re.escape(how)):
        selective_scan(*scan_arguments(), backend=backend)


@pytest.mark.parametrize("backend", ["triton", "mamba_ssm"])
def test_gpu_backends_refuse_tensors_on_the_cpu(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_installed", lambda package: True)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(ValueError, match=f"backend '{backend}' runs on a GPU but u is on cpu"):
        selective_scan(*scan_arguments(), backend=backend)


@pytest.mark.parametrize(
    ("backend", "dtype", "states", "sentence"),
    [
        ("triton", torch.float64, 3, "backend 'triton' computes in float32 but u is float64"),
        ("mamba_ssm", torch.float64, 3, "backend 'mamba_ssm' computes in float32 but u is float64"),
        ("mamba_ssm", torch.float32, 257, "backend 'mamba_ssm' has at most 256 states but A has 257"),
    ],
)
def test_gpu_backends_refuse_what_their_kernels_cannot_do(
    backend: Backend, dtype: torch.dtype, states: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OnGpu(torch.Tensor):
        """A tensor that says it is on a GPU."""

        device = torch.device("cuda")

    monkeypatch.setattr(backends, "_installed", lambda package: True)
    u = torch.ones(1, 1, 1, dtype=dtype).as_subclass(OnGpu)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        backends.choose(backend, u, states)


@pytest.mark.parametrize(
    ("dtype", "installed", "wanted"),
    [(torch.float32, True, "triton"), (torch.float32, False, "chunked"), (torch.float64, True, "chunked")],
)
def test_auto_on_a_gpu(dtype: torch.dtype, installed: bool, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class ElsewhereToo(torch.Tensor):
        """A tensor that says it is on a GPU."""

        device = torch.device("cuda")

    monkeypatch.setattr(backends, "_installed", lambda package: installed)
    u = torch.ones(1, 1, 1, dtype=dtype).as_subclass(ElsewhereToo)
    assert backends.choose("auto", u, 3) is backends._SCANS[wanted]
