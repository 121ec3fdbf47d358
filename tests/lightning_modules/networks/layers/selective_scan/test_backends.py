"""Which implementation runs, and the sentences for one that cannot."""

from __future__ import annotations

import logging
import re

import pytest
import torch

from lightning_modules.networks.layers.selective_scan import Backend, backends, selective_scan
from lightning_modules.networks.layers.selective_scan.compiled.scan import compiled_scan
from tests.lightning_modules.networks.layers.selective_scan.samples import (
    installed,
    on_gpu,
    scan_arguments,
)


def test_auto_takes_the_chunked_scan_on_a_cpu_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    arguments = scan_arguments()
    backends._announce.cache_clear()
    with caplog.at_level(logging.INFO):
        automatic = [selective_scan(*arguments) for _ in range(3)]
    assert caplog.messages == ["selective_scan on cpu: backend 'chunked'"]
    assert automatic[0].equal(selective_scan(*arguments, backend="chunked"))


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


def test_the_compiled_loops_refuse_other_devices_and_precisions() -> None:
    with pytest.raises(ValueError, match="backend 'compiled' computes in float32 but u is float64"):
        backends.choose("compiled", torch.ones(1, 1, 1, dtype=torch.float64), 3)
    with pytest.raises(ValueError, match="backend 'compiled' runs on a CPU but u is on meta"):
        backends.choose("compiled", torch.ones(1, 1, 1, device="meta"), 3)
    assert backends.choose("compiled", torch.ones(1, 1, 1), 3) is compiled_scan


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


@installed
@on_gpu
def test_auto_takes_the_kernels_on_a_gpu() -> None:
    arguments = [tensor.cuda() for tensor in scan_arguments(length=100)]
    assert selective_scan(*arguments).equal(selective_scan(*arguments, backend="triton"))
