"""S2CycleDiff, spatial-spectral bilateral cycle diffusion (Qu, He, Dong, Zhao, AAAI 2024).

Two denoisers predict the clean cube from a noised one: the spectral one beside the multispectral image and under the
enlarged cube, the spatial one the other way round. Both chains share their noise; a block of convolutions fuses what
they end with. Training is by `objective`, not by comparing a fused cube with its target.

Accidents of the published code, kept by default: chains start from uniform noise in [0, 1) instead of a normal
distribution (`start="normal"` corrects it); the attentions are left out in training (`training_attention=0`) and
weighted by 0.1 afterwards, so with the published training they keep the weights they were drawn with
(`training_attention=0.1` trains them); the spatial attention is reduced by the image's height alone. Published layers
that are never used are left out. Sides that do not divide by 8 are continued by reflection and cropped.

Norms and attentions look at the whole image and every tile has its own chain, so results depend on the tiles; compare
only results that were made with the same tile setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.networks.fusion.enlargement import enlarge_bicubic, enlarge_from_phase
from lightning_modules.networks.fusion.pair import check_pair, check_positive, mirror_to_multiple
from lightning_modules.networks.fusion.s2cyclediff.denoiser import Denoiser
from lightning_modules.networks.fusion.s2cyclediff.names import OFFICIAL_NAMES, OFFICIAL_UNUSED
from lightning_modules.networks.fusion.s2cyclediff.schedule import NoiseSchedule

__all__ = ["S2CycleDiff"]


class S2CycleDiff(nn.Module):
    """Fuse a low-resolution hyperspectral cube and a high-resolution multispectral image by sampling; any size.

    Without arguments this is the published network for 31 bands and x4.

    Args:
        input_channels: bands C of the cube.
        multispectral_channels: channels c of the multispectral image.
        ratio: pixels of the multispectral image along one of the cube: any whole factor.
        inner: feature channels of the denoisers at full size.
        multipliers: of the feature channels at every level.
        blocks: residual blocks of a level.
        groups: of the group norms; must divide all feature channels.
        steps: of the sampling: None for all of the diffusion's as published, or as many by DDIM.
        diffusion_steps: of the diffusion that was trained.
        attention: factor of the attentions.
        training_attention: the same in training.
        start: what the chains start from.
        use_phase: enlarge the cube from the sampling phase of the observation where it is given (`phase` of `forward`;
            modules give that of the data) instead of by the published grid.
        seed: of the sampling, the same for every image; None draws from torch's global generator.

    Raises:
        InputError: a size is below 1, the groups do not divide the channels, or there are more steps than trained.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = OFFICIAL_NAMES
    official_derived: ClassVar[Sequence[str]] = OFFICIAL_UNUSED

    def __init__(
        self,
        input_channels: int = 31,
        multispectral_channels: int = 3,
        ratio: int = 4,
        inner: int = 64,
        multipliers: Sequence[int] = (1, 2, 2, 2),
        blocks: int = 2,
        groups: int = 16,
        steps: int | None = None,
        diffusion_steps: int = 2000,
        attention: float = 0.1,
        training_attention: float = 0.0,
        start: Literal["uniform", "normal"] = "uniform",
        use_phase: bool = False,
        seed: int | None = 0,
    ) -> None:
        super().__init__()
        bands, channels = input_channels, multispectral_channels
        check_positive("S2CycleDiff", input_channels=bands, multispectral_channels=channels, ratio=ratio, blocks=blocks)
        if inner % (2 * groups) or len(multipliers) < 2:
            raise InputError(
                f"S2CycleDiff: inner {inner} is no even multiple of {groups} groups, or {len(multipliers)} levels are "
                "fewer than two; change these settings."
            )
        if not 1 < (steps or diffusion_steps) <= diffusion_steps:
            raise InputError(f"S2CycleDiff: steps {steps} is not between 2 and {diffusion_steps}; change it.")
        if start not in ("uniform", "normal"):
            raise InputError(f"S2CycleDiff: start {start!r} is unknown; choose uniform or normal.")
        self.input_channels, self.multispectral_channels, self.ratio = bands, channels, ratio
        self.steps, self.start, self.seed, self.use_phase = steps, start, seed, use_phase
        self.attention, self.training_attention = attention, training_attention
        self.multiple = 2 ** (len(multipliers) - 1)
        self.schedule = NoiseSchedule(diffusion_steps)
        sizes = (inner, multipliers, blocks, groups)
        self.spectral = Denoiser(channels + bands, bands, bands, *sizes, cross="spectral")
        self.spatial = Denoiser(2 * bands, bands, channels, *sizes, cross="spatial")
        self.reduce_cube = nn.Conv2d(bands, bands, kernel_size=ratio, stride=ratio)
        self.reduce_image = nn.Conv2d(channels, channels, kernel_size=ratio, stride=ratio, bias=False)
        self.response = nn.Conv2d(bands, channels, kernel_size=1, bias=False)
        self.fuse = nn.Sequential(
            nn.Conv2d(2 * bands, 2 * bands, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * bands, bands, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(bands, bands, kernel_size=3, padding=1),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.orthogonal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def takes_phase(self) -> bool:
        """Whether `forward` wants to know the sampling phase of the observation."""
        return self.use_phase

    def _enlarge(self, observation: Tensor, phase: float | None = None) -> Tensor:
        if self.use_phase and phase is not None:
            return enlarge_from_phase(observation, self.ratio, phase)
        return enlarge_bicubic(observation, self.ratio)

    @torch.no_grad()
    def forward(self, observation: Tensor, multispectral: Tensor, *, phase: float | None = None) -> Tensor:
        """Fuse by sampling; no gradients flow.

        Args:
            observation: LR-HSI `B x C x h x w`, nominally in [0, 1].
            multispectral: HR-MSI `B x c x H x W` with `H = ratio h`, `W = ratio w`.
            phase: where a pixel of the cube lies in its block, from 0 (the first pixel's centre) to ratio - 1; without
                `use_phase` it is not looked at.

        Returns:
            HR-HSI `B x C x H x W`, not clipped.

        Raises:
            InputError: the images do not fit each other or the network.
        """
        pair = (observation, multispectral)
        check_pair("S2CycleDiff", *pair, self.input_channels, self.multispectral_channels, self.ratio)
        height, width = multispectral.shape[-2:]
        enlarged = mirror_to_multiple(self._enlarge(observation, phase), self.multiple)
        image = mirror_to_multiple(multispectral, self.multiple)
        guides = (self.spectral.guide(enlarged, self.attention), self.spatial.guide(image, self.attention))
        draws = self._draws(enlarged)
        chains = (next(draws), next(draws))
        some = None if self.steps is None else self.schedule.subset(self.steps)
        steps = list(range(self.schedule.steps))[::-1] if some is None else some
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            levels = self.schedule.levels[step].expand(len(enlarged))
            predicted = (
                self.spectral(torch.cat((image, chains[0]), dim=1), levels, guides[0], self.attention),
                self.spatial(torch.cat((enlarged, chains[1]), dim=1), levels, guides[1], self.attention),
            )
            if some is None:
                noise = next(draws) if step else chains[0]
                chains = tuple(  # type: ignore[assignment]
                    self.schedule.ancestral(one, noisy, noise, step)
                    for one, noisy in zip(predicted, chains, strict=True)
                )
            else:
                chains = tuple(  # type: ignore[assignment]
                    self.schedule.implicit(one, noisy, step, following)
                    for one, noisy in zip(predicted, chains, strict=True)
                )
        fused: Tensor = self.fuse(torch.cat(chains, dim=1))
        return fused[..., :height, :width]

    def _draws(self, like: Tensor) -> Iterator[Tensor]:
        """Starts of both chains, then the noise of every step."""
        generator = None if self.seed is None else torch.Generator().manual_seed(self.seed)
        shape = like.shape if self.seed is None else like.shape[1:]
        # From a seed on the CPU, so that the draw is the same on every device.
        device = like.device if generator is None else torch.device("cpu")

        def draw(normal: bool) -> Tensor:
            make = torch.randn if normal else torch.rand
            return make(shape, generator=generator, device=device, dtype=like.dtype).to(like.device).expand_as(like)

        for _ in range(2):
            yield draw(self.start == "normal")
        while True:
            yield draw(normal=True)

    def objective(
        self,
        observation: Tensor,
        multispectral: Tensor,
        target: Tensor,
        begun: bool,
        *,
        phase: float | None = None,
    ) -> dict[str, Tensor]:
        """Return the parts of the published training loss, weighted; the loss is their sum.

        Args:
            observation: LR-HSI `B x C x h x w`.
            multispectral: HR-MSI `B x c x H x W`; both sides must divide by 8.
            target: clean cube `B x C x H x W`.
            begun: whether the first epoch is over, after which the observation terms count a tenth and the fusion
                block learns.
            phase: see `forward`.

        Returns:
            L1 of both predictions (`spectral`, `spatial`), of what is observed of them (`cube`, `image`, `cross`) and,
            later, of the fused cube (`fused`), scalars.

        Raises:
            InputError: the images do not fit, or their sides do not divide.
        """
        pair = (observation, multispectral)
        check_pair("S2CycleDiff", *pair, self.input_channels, self.multispectral_channels, self.ratio)
        if any(side % self.multiple for side in target.shape[-2:]):
            raise InputError(
                f"S2CycleDiff: training patches of {target.shape[-2]} x {target.shape[-1]} pixels do not divide by "
                f"{self.multiple}; set data.init_args.patch_size to a multiple of it."
            )
        enlarged, factor = self._enlarge(observation, phase), self.training_attention
        # The published draw leaves out the noisiest step.
        steps = torch.randint(0, self.schedule.steps - 1, (len(target),), device=target.device)
        noisy, levels = self.schedule.noised(target, steps, torch.randn_like(target))
        spectral = self.spectral(
            torch.cat((multispectral, noisy), dim=1), levels, self.spectral.guide(enlarged, factor), factor
        )
        spatial = self.spatial(
            torch.cat((enlarged, noisy), dim=1), levels, self.spatial.guide(multispectral, factor), factor
        )
        weight = 0.1 if begun else 1.0
        parts = {
            "spectral": nn.functional.l1_loss(spectral, target),
            "spatial": nn.functional.l1_loss(spatial, target),
            "cube": weight * nn.functional.l1_loss(self.reduce_cube(spectral), observation),
            "image": weight * nn.functional.l1_loss(self.response(spatial), multispectral),
            "cross": 0.1 * nn.functional.l1_loss(self.response(observation), self.reduce_image(multispectral)),
        }
        if begun:
            fused = self.fuse(torch.cat((spectral.detach(), spatial.detach()), dim=1))
            parts["fused"] = nn.functional.l1_loss(fused, target)
        return parts
