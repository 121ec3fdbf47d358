"""What the guide diagnostics look at: patches and pixels of degraded, proxy, generated and clean scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from callbacks.reporting.drawing import enlarged
from datamodules.scenes.scene import MappedScene
from datamodules.scenes.wavelengths import to_rgb
from datamodules.target import AdaptationTarget
from hyperalign.rgb import DISPLAY_GAMMA
from hyperalign.seeding import generator_for

if TYPE_CHECKING:
    from lightning_modules.clip.towers import ClipTowers

PIXELS = 8
"""Side of the patches whose pixels are the features where CLIP is not asked for."""
BATCH = 32


@dataclass(frozen=True)
class Candidate:
    """A scene that samples may be drawn from.

    Attributes:
        name: of the scene.
        load: reads its cube, `C x H x W`.
    """

    name: str
    load: Callable[[], Tensor]


@dataclass(frozen=True)
class Samples:
    """What was drawn of one set of scenes.

    Attributes:
        rgb: `N x 3 x S x S`, linear, in [0, 1].
        rgb_scenes: names of the N patches' scenes.
        spectra: `P x C`.
        spectra_scenes: names of the P pixels' scenes.
    """

    rgb: Tensor
    rgb_scenes: tuple[str, ...]
    spectra: Tensor
    spectra_scenes: tuple[str, ...]


def candidates(
    data: AdaptationTarget, proxies: Sequence[MappedScene], made: Sequence[MappedScene], made_name: str, clean: bool
) -> dict[str, list[Candidate]]:
    """Return the sets of HIR-ALIGN's Figure 4, those that exist.

    Clean cubes, where the target has any, go nowhere but into pictures and numbers.

    Args:
        data: the target.
        proxies: the round's proxies.
        made: the scenes made beside them; none is fine.
        made_name: what those are called.
        clean: whether the clean test scenes are shown.
    """
    heights = {proxy.name: proxy.shape[1] for proxy in proxies}
    sets = {
        "degraded": [
            Candidate(one.name, partial(enlarged, one.cube, heights.get(one.name, one.cube.shape[1])))
            for one in data.observations()
        ],
        "proxy": [Candidate(scene.name, partial(_cube, scene)) for scene in proxies],
        made_name: [Candidate(scene.name, partial(_cube, scene)) for scene in made],
    }
    if clean:
        sets["clean"] = [Candidate(scene.name, partial(_cube, scene)) for scene in data.clean_scenes()]
    return {name: scenes for name, scenes in sets.items() if scenes}


def draw(
    scenes: Sequence[Candidate],
    wavelengths: Sequence[float],
    *,
    patches: int,
    patch_size: int,
    pixels: int,
    seed: int,
) -> Samples:
    """Draw patches and pixels at random places, divided evenly over the scenes.

    Places depend on the seed and the scene's name, so that scenes of one name and size (an observation, its proxy and
    its clean cube) are seen at the same ones. What is not finite becomes 0.

    Args:
        scenes: at least one.
        wavelengths: the C band centres in nm.
        patches: number of patches.
        patch_size: their side S; of a smaller scene the largest square, enlarged.
        pixels: number of pixels.
        seed: of the diagnostics.

    Raises:
        ValueError: if the wavelengths do not cover 470, 550 and 660 nm.
    """
    rgb: list[Tensor] = []
    spectra: list[Tensor] = []
    owners: tuple[list[str], list[str]] = ([], [])
    for place, scene in enumerate(scenes):
        counts = [total // len(scenes) + (place < total % len(scenes)) for total in (patches, pixels)]
        if not any(counts):
            continue
        generator = generator_for(seed, "diagnostics", scene.name)
        cube = torch.nan_to_num(scene.load().float(), nan=0.0, posinf=0.0, neginf=0.0)
        height, width = cube.shape[-2:]
        rows, columns = (torch.randint(side, (counts[1],), generator=generator) for side in (height, width))
        spectra.append(cube[:, rows, columns].T)
        picture = to_rgb(cube, wavelengths).clamp(0.0, 1.0)
        rgb += [_patch(picture, patch_size, generator) for _ in range(counts[0])]
        for names, count in zip(owners, counts, strict=True):
            names += [scene.name] * count
    return Samples(torch.stack(rgb), tuple(owners[0]), torch.cat(spectra), tuple(owners[1]))


def patch_features(rgb: Tensor, towers: ClipTowers | None, device: torch.device | str = "cpu") -> Tensor:
    """Return one point per patch.

    Patches are gamma-encoded first, as the photographs are that CLIP was trained on.

    Args:
        rgb: `N x 3 x S x S`, linear, in [0, 1].
        towers: CLIP, whose image embeddings are brought to length 1; None takes the patches as 8 x 8 pixels.
        device: where CLIP computes.

    Returns:
        `N x D`, float32, on the CPU.

    Raises:
        ClipError: if the towers are not there.
    """
    shown = rgb.clamp(0.0, 1.0) ** (1 / DISPLAY_GAMMA)
    if towers is None:
        return functional.adaptive_avg_pool2d(shown, PIXELS).flatten(1)
    parts = [towers.image_embeddings(part.to(device)).cpu() for part in shown.split(BATCH)]
    return functional.normalize(torch.cat(parts), dim=1)


def _patch(picture: Tensor, side: int, generator: torch.Generator) -> Tensor:
    height, width = picture.shape[-2:]
    kept = min(side, height, width)
    row = int(torch.randint(height - kept + 1, (), generator=generator))
    column = int(torch.randint(width - kept + 1, (), generator=generator))
    patch = picture[:, row : row + kept, column : column + kept]
    if kept == side:
        return patch
    return functional.interpolate(patch[None], size=(side, side), mode="bilinear", align_corners=False)[0]


def _cube(scene: MappedScene) -> Tensor:
    return scene.load().cube
