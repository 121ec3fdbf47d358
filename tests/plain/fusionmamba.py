"""FusionMamba in the published order of operations: each direction a scan of its own, gated by itself, copied back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.layers.selective_scan import Backend, selective_scan

COMPACT: dict[str, Any] = {"dim": 8, "state_dim": 2}


def plain_forward(network: Any, observation: Tensor, multispectral: Tensor, backend: Backend = "reference") -> Tensor:  # noqa: ANN401
    """Fuse images whose sides need no padding."""
    enlarged = functional.pixel_shuffle(network.enlarge(observation), network.ratio)
    return plain_from_enlarged(network, observation, enlarged, multispectral, backend)


def plain_from_enlarged(
    network: Any,  # noqa: ANN401
    observation: Tensor,
    enlarged: Tensor,
    multispectral: Tensor,
    backend: Backend,
) -> Tensor:
    """Fuse the cube, enlarged, with an image of the same size."""
    pan = functional.leaky_relu(network.spatial_stem(multispectral))
    ms = functional.leaky_relu(network.spectral_stem(enlarged))
    skips = []
    for number in (0, 1):
        pan, ms = averaged(network.blocks[number], pan, ms, backend)
        skips.append((pan, ms))
        down = network.halves[number].down
        pan, ms = functional.leaky_relu(down(pan)), functional.leaky_relu(down(ms))
    for number in (2, 3):
        pan, ms = averaged(network.blocks[number], pan, ms, backend)
        skip = skips.pop()
        pan, ms = (raised(network.raises[number - 2], one, kept) for one, kept in zip((pan, ms), skip, strict=True))
    fused = block(network.blocks[4], pan, ms, backend)[2]
    result: Tensor = network.tail(fused) * bands(network.band_attention, observation, backend) + enlarged
    return result


def raised(part: Any, image: Tensor, skip: Tensor) -> Tensor:  # noqa: ANN401
    """Twice the size."""
    image = functional.leaky_relu(part.up(image)) + skip
    return functional.leaky_relu(part.pointwise(part.depthwise(image)))


def averaged(part: Any, pan: Tensor, ms: Tensor, backend: Backend) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """A fusion block that is not the last."""
    pan, ms, fused = block(part, pan, ms, backend)
    return (pan + fused) / 2, (ms + fused) / 2


def block(part: Any, pan: Tensor, ms: Tensor, backend: Backend) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN401
    """Fusion block on tokens."""
    lattice = (pan.shape[2], pan.shape[3])
    spatial, spectral = pan.flatten(2).mT, ms.flatten(2).mT
    spatial = spatial + scan(part.spatial.scan, part.spatial.norm(spatial), None, lattice, backend)
    spectral = spectral + scan(part.spectral.scan, part.spectral.norm(spectral), None, lattice, backend)
    fused = (
        crossed(part.spatial_cross, spatial, spectral, lattice, backend)
        + crossed(part.spectral_cross, spectral, spatial, lattice, backend)
    ) / 2
    images = [one.mT.unflatten(2, lattice) for one in (spatial, spectral, part.out_proj(fused))]
    return images[0], images[1], images[2]


def crossed(part: Any, tokens: Tensor, guide: Tensor, lattice: tuple[int, int], backend: Backend) -> Tensor:  # noqa: ANN401
    """Guided scan with its skip."""
    return tokens + scan(part.scan, part.norm0(tokens), part.norm1(guide), lattice, backend)


def scan(module: Any, tokens: Tensor, guide: Tensor | None, lattice: tuple[int, int], backend: Backend) -> Tensor:  # noqa: ANN401
    """Average of the directions, normalised and projected."""
    both = module.in_proj(tokens).mT
    extra = None if guide is None else module.in_proj_b(guide).mT
    total = torch.zeros_like(both[:, : both.shape[1] // 2])
    for number, direction in enumerate(module.directions):
        columns, back = (number % 2 == 1, number >= 2) if module.ways == 4 else (False, number == 1)
        sequence = ordered(both, lattice, columns, back)
        other = None if extra is None else ordered(extra, lattice, columns, back)
        out = one_direction(direction, sequence, other, module.sizes, backend)
        out = out.flip(-1) if back else out
        if columns:
            out = out.unflatten(2, (lattice[1], lattice[0])).mT.flatten(2)
        total = total + out
    result: Tensor = module.out_proj(module.norm(total.mT / module.ways))
    return result


def ordered(x: Tensor, lattice: tuple[int, int], columns: bool, back: bool) -> Tensor:
    """Copy of the tokens in the order of a direction."""
    x = x.unflatten(2, lattice).mT.flatten(2) if columns else x
    return x.flip(-1) if back else x


def one_direction(direction: Any, both: Tensor, guide: Tensor | None, sizes: Any, backend: Backend) -> Tensor:  # noqa: ANN401
    """Causal convolution, projections, scan and gate."""
    x, gate = both.chunk(2, dim=1)
    x = functional.silu(direction.conv1d(functional.pad(x, (3, 0))))
    small = direction.x_proj((x if guide is None else guide).mT).mT
    steps, entry, readout = small.split(sizes, dim=1)
    return selective_scan(
        x,
        direction.dt_proj.weight @ steps,
        -torch.exp(direction.A_log),
        entry.contiguous(),
        readout.contiguous(),
        direction.D,
        z=gate,
        delta_bias=direction.dt_proj.bias,
        delta_softplus=True,
        backend=backend,
    )


def bands(part: Any, observation: Tensor, backend: Backend) -> Tensor:  # noqa: ANN401
    """Attention among bands."""
    pooled = functional.adaptive_max_pool2d(observation, (1, 1)).squeeze(-1)
    tokens = part.norm(part.widen(pooled))
    scanned = scan(part.scan, tokens, None, (1, tokens.shape[1]), backend)
    return torch.sigmoid(part.narrow(scanned).unsqueeze(-1))
