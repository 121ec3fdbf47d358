"""The selective scan that every Mamba block of this package calls."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.layers.selective_scan.backends import Backend, choose
from lightning_modules.networks.layers.selective_scan.compiled.scan import compiled_answer, compiled_scan
from lightning_modules.networks.layers.selective_scan.problem import SecondInput, check_shape, prepare

__all__ = ["selective_scan"]


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,  # noqa: N803 - the names of the state space equations
    B: Tensor,  # noqa: N803
    C: Tensor,  # noqa: N803
    D: Tensor | None = None,  # noqa: N803
    *,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    second: SecondInput | None = None,
    reverse: bool = False,
    backend: Backend = "auto",
) -> Tensor:
    """Run the selective state space model of Mamba along a sequence (Gu and Dao 2023, Algorithm 2).

    `h_t = exp(delta_t A) h_{t-1} + (delta_t B_t + lambda delta2_t B2_t) u_t` and `y_t = C_t h_t + D u_t`, from
    `h = 0`; the term with lambda is there with `second` (CO2IF, Eq. 12-13). Computed in float32 under autocast as well
    (in float64 for a float64 u) and differentiable in every tensor.

    Args:
        u: sequence `B x D x L`.
        delta: step sizes `B x D x L`, positive after bias and softplus.
        A: decay rates `D x N`, real and negative.
        B: input matrix `B x N x L`, or `B x G x N x L` where G divides D and channel d reads group `d // (D / G)`.
        C: output matrix, shaped like B.
        D: skip connection, `D`.
        z: gate `B x D x L`: the output is multiplied by `silu(z)`.
        delta_bias: `D`, added to delta.
        delta_softplus: apply softplus to delta plus bias.
        second: second input term of a coordinated scan.
        reverse: let time run from the last position to the first; same as flipping every sequence and the output.
        backend: `"reference"` (loop), `"chunked"` (pure torch), `"compiled"` (C++ loops on a CPU), `"triton"` (GPU
            kernels of this package), `"mamba_ssm"` (the package of that name); `"auto"` is triton or chunked, by u's
            device.

    Returns:
        `B x D x L` in u's floating type.

    Raises:
        ValueError: shapes that do not fit, an unknown backend, or one that cannot run these tensors.
        ModuleNotFoundError: a backend whose package is not installed.
    """
    run = choose(backend, u, A.shape[-1])
    # Without gradients, and so without results between that anyone reads, the compiled loops do all in one pass.
    at_once = run is compiled_scan and second is None and not torch.is_grad_enabled()
    bias, softplus = (None, False) if at_once else (delta_bias, delta_softplus)
    with torch.autocast(device_type=u.device.type, enabled=False):
        problem = prepare(u, delta, A, B, C, delta_bias=bias, delta_softplus=softplus, second=second, reverse=reverse)
        check_shape("delta_bias", delta_bias, tuple(u.shape[1:2]))
        check_shape("D", D, tuple(u.shape[1:2]))
        check_shape("z", z, tuple(u.shape))
        y = compiled_answer(problem, delta_bias, delta_softplus, D) if at_once else run(problem)
        if D is not None and not at_once:
            y = torch.addcmul(y, problem.inputs, D.to(y.dtype)[:, None])
        if z is not None:
            y = y * functional.silu(z.to(y.dtype))
    return y.to(u.dtype)
