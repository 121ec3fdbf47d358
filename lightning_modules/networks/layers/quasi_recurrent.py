"""Quasi-recurrent layers along the spectral axis: 3-D convolutions emit gates, a cheap recurrence runs over the bands.

3-D quasi-recurrent network, Wei, Fu and Huang, IEEE TNNLS 32(1), 2021, arXiv 2003.04547, Eq. 3-6; used by Bi3DQRNN
and TRQ3DNet. A convolution gives a candidate z (tanh) and forget gates f (sigmoid); the states are
h_t = f_t h_(t-1) + (1 - f_t) z_t, starting from zero. A bidirectional layer has one candidate, a forget gate for
either direction, and adds the states of both.

Memory: training keeps nothing but the convolution's output (the gates before their activation); activations and
states are computed again in the backward pass, in float32 whatever the gates' type.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["Direction", "Kind", "QuasiRecurrentLayer", "quasi_recurrence", "upsample_bands"]

Direction = Literal["forward", "backward", "both"]
Kind = Literal["convolution", "strided", "transposed", "upsampled"]
REVERSED: dict[str, tuple[bool, ...]] = {"forward": (False,), "backward": (True,), "both": (False, True)}


def _states(candidate: Tensor, forget: Tensor, reverse: bool) -> Tensor:
    """Run the recurrence over axis 2 and return all states."""
    states = torch.empty_like(candidate)
    bands = range(candidate.shape[2])
    previous = candidate.new_zeros(())
    for band in reversed(bands) if reverse else bands:
        # f h + (1 - f) z in one pass and without temporaries.
        previous = torch.lerp(candidate[:, :, band], previous, forget[:, :, band], out=states[:, :, band])
    return states


def _sum_of_states(candidate: Tensor, forgets: tuple[Tensor, ...], reverses: tuple[bool, ...]) -> Tensor:
    """Add the states of one or two passes."""
    total = _states(candidate, forgets[0], reverses[0])
    for forget, reverse in zip(forgets[1:], reverses[1:], strict=True):
        total += _states(candidate, forget, reverse)
    return total


class _QuasiRecurrence(torch.autograd.Function):
    """Activations and recurrence with a backward pass of its own, which computes them again."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, reverses: tuple[bool, ...]) -> Tensor:  # noqa: ANN401 - autograd's context
        ctx.save_for_backward(gates)
        ctx.reverses = reverses
        candidate, *forgets = _wide(gates).chunk(1 + len(reverses), dim=1)
        states = _sum_of_states(candidate.tanh(), tuple(forget.sigmoid() for forget in forgets), reverses)
        return states.to(gates.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_states: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - autograd's context
        (gates,) = ctx.saved_tensors
        raw, *raw_forgets = _wide(gates).chunk(1 + len(ctx.reverses), dim=1)
        grad_states = _wide(grad_states)
        candidate = raw.tanh()
        grad_gates = torch.empty_like(gates)
        grad_raw, *grad_forgets = grad_gates.chunk(1 + len(ctx.reverses), dim=1)
        grad_candidate = torch.zeros_like(candidate)
        for raw_forget, grad_forget, reverse in zip(raw_forgets, grad_forgets, ctx.reverses, strict=True):
            forget = raw_forget.sigmoid()
            change = _states(candidate, forget, reverse)
            grad_state = torch.empty_like(change)
            later: Tensor | None = None
            bands = list(range(candidate.shape[2]))
            for band in bands if reverse else reversed(bands):
                here = grad_state[:, :, band]
                if later is None:
                    here.copy_(grad_states[:, :, band])
                else:
                    torch.add(grad_states[:, :, band], later, out=here)
                # What the state before receives, and d(loss)/d(candidate) of this band.
                later = here * forget[:, :, band]
                grad_candidate[:, :, band].add_(here).sub_(later)
            # d h_t / d f_t = h_(t-1) - z_t.
            earlier = change.roll(-1 if reverse else 1, dims=2)
            earlier[:, :, -1 if reverse else 0] = 0
            grad_state.mul_(earlier.sub_(candidate))
            grad_forget.copy_(torch.ops.aten.sigmoid_backward(grad_state, forget))
        grad_raw.copy_(torch.ops.aten.tanh_backward(grad_candidate, candidate))
        return grad_gates, None


def _wide(tensor: Tensor) -> Tensor:
    """Give half precision numbers the range and precision of float32; leave all others as they are."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def quasi_recurrence(gates: Tensor, direction: Direction) -> Tensor:
    """Activate gates and run the recurrence along the bands (arXiv 2003.04547, Eq. 4).

    Without gradients the activations overwrite `gates`.

    Args:
        gates: `B x (2 or 3)C x bands x H x W` before their activation: candidate, then one forget gate for each pass.
        direction: `forward` (from the first band), `backward` (from the last) or `both` (added; three groups).

    Returns:
        States, `B x C x bands x H x W`, of the gates' type.
    """
    reverses = REVERSED[direction]
    if torch.is_grad_enabled() and gates.requires_grad:
        states: Tensor = _QuasiRecurrence.apply(gates, reverses)  # type: ignore[no-untyped-call]
        return states
    candidate, *forgets = _wide(gates).chunk(1 + len(reverses), dim=1)
    states = _sum_of_states(candidate.tanh_(), tuple(forget.sigmoid_() for forget in forgets), reverses)
    return states.to(gates.dtype)


def upsample_bands(features: Tensor) -> Tensor:
    """Double height and width bilinearly, corners aligned: trilinear interpolation that leaves the bands alone.

    Args:
        features: `B x C x bands x H x W`.

    Returns:
        `B x C x bands x 2H x 2W`.
    """
    rows, columns = (_upsampling_matrix(size).to(features) for size in features.shape[-2:])
    # Two products are several times faster than the interpolation kernels, here and in the backward pass.
    return rows @ (features @ columns.T)


def _upsampling_matrix(size: int) -> Tensor:
    """Weights `2 size x size` of linear interpolation that maps the end samples onto each other."""
    position = torch.arange(2 * size, dtype=torch.float64)[:, None] * ((size - 1) / (2 * size - 1))
    return (1 - (position - torch.arange(size)).abs()).clamp_min(0).float()


class QuasiRecurrentLayer(nn.Module):
    """Quasi-recurrent layer: (batch norm), 3 x 3 x 3 convolution to gates, recurrence along the bands.

    Args:
        channels: feature channels entering.
        hidden: feature channels leaving.
        direction: `forward`, `backward` or `both`.
        kind: `convolution`, `strided` (halves H and W), `transposed` (keeps them; the weight is stored as that of a
            transposed convolution) or `upsampled` (doubles them bilinearly before the convolution).
        normalised: batch normalisation of the input, as in QRNN3D and TRQ3DNet.
        bias: whether the gates have a bias.
    """

    def __init__(
        self,
        channels: int,
        hidden: int,
        direction: Direction,
        kind: Kind = "convolution",
        normalised: bool = False,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.direction = direction
        self.upsampled = kind == "upsampled"
        self.norm = nn.BatchNorm3d(channels) if normalised else nn.Identity()
        groups = (1 + len(REVERSED[direction])) * hidden
        self.gates: nn.Conv3d | nn.ConvTranspose3d
        if kind == "transposed":
            self.gates = nn.ConvTranspose3d(channels, groups, kernel_size=3, padding=1, bias=bias)
        else:
            stride = (1, 2, 2) if kind == "strided" else 1
            self.gates = nn.Conv3d(channels, groups, kernel_size=3, stride=stride, padding=1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """Map `B x channels x bands x H x W` to `B x hidden x bands x H' x W'`."""
        features = self.norm(features)
        if self.upsampled:
            features = upsample_bands(features)
        return quasi_recurrence(_convolve(self.gates, features), self.direction)


def _convolve(layer: nn.Conv3d | nn.ConvTranspose3d, features: Tensor) -> Tensor:
    """Apply a 3 x 3 x 3 convolution, for a single cube on a CPU by oneDNN.

    For one cube of few channels torch chooses a kernel of its own, up to ten times slower than oneDNN's.
    """
    onednn = features.device.type == "cpu" and torch.backends.mkldnn.is_available()
    plain = features.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    if len(features) > 1 or torch.is_grad_enabled() or not (onednn and plain):
        convolved: Tensor = layer(features)
        return convolved
    weight = layer.weight
    if isinstance(layer, nn.ConvTranspose3d):
        # With stride 1 and padding 1 the transposed convolution is that by the mirrored kernel.
        weight = weight.transpose(0, 1).flip(2, 3, 4)
    return torch.mkldnn_convolution(features, weight, layer.bias, (1, 1, 1), layer.stride, (1, 1, 1), 1)
