"""SRLF-Net, fusion by selective re-learning (Liu, Liu, Dian, Li, CVPR 2025).

Four stages mix features by gated scans at both resolutions, compare what both sensors would see of them with what they
saw, and learn the least similar pixels again. The network therefore knows both sensors (`observe_by`); they are no
weights and are not in checkpoints.

Accidents of the published code that its weights were trained with, kept by default: the number of chosen pixels is the
mean over the batch, so an image's result depends on the images beside it (`selection="image"` gives each its own); the
stage's last scan block adds its input twice; the cube is enlarged as if sampled at the blocks' middles, whereas the
authors' data are sampled at their first pixels, which the weights make up for (`use_phase=True` enlarges from there).
Of the published parameters 207 584 are never used and are left out.

A result also depends on the size of the image: the worst pixels of a tile are others than those of the whole image.
Compare only results that were made with the same tile setting (published: tiles of 64 pixels every 32).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.networks.fusion.enlargement import enlarge_bicubic, enlarge_from_phase
from lightning_modules.networks.fusion.pair import check_pair, check_positive
from lightning_modules.networks.fusion.srlf.sensor import PairSensor
from lightning_modules.networks.fusion.srlf.stage import RelearningStage
from lightning_modules.networks.layers.selective_scan import Backend

__all__ = ["SRLF"]

FEWEST_BANDS = 4


class SRLF(nn.Module):
    """Fuse a low-resolution hyperspectral cube and a high-resolution multispectral image of any size.

    Without arguments this is the published network for 31 bands, a Nikon D700 and ratio 8 (1 117 086 parameters in
    use).

    Args:
        input_channels: bands C of the cube, at least 4; features have as many channels.
        multispectral_channels: channels c of the multispectral image.
        ratio: pixels of the multispectral image along one of the cube: any whole factor of at least 2.
        stages: how often the features are refined.
        dropout: of the scans in training.
        selection: number of pixels learned again by the `batch`'s mean similarity (published) or by each `image`'s.
        use_phase: enlarge the cube from the sampling phase of the observation where it is given (`phase` of `forward`;
            modules give that of the data) instead of by the published grid.
        response: `c x C` weights of every band in every multispectral channel; without, a Nikon D700 where the numbers
            of bands and channels are its, else `observe_by` has to be called (FusionModule does).
        backend: implementation of the selective scan.

    Raises:
        ValueError: a size is too small, `selection` is unknown, or the response does not fit.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^fu64\.", "stem."),
        (r"^refine\.0\.", "tail."),
        *((rf"^icp{number}\.", f"stages.{number - 1}.") for number in range(1, 5)),
        (r"\.mamba_64\.", ".fine."),
        (r"\.mamba_8\.", ".coarse."),
        (r"\.mambafusion\.", ".joined."),
        (r"\.mambafusion2\.", ".merged."),
        (r"\.preln1\.", ".norm."),
        (r"\.ssm1\.", ".scan."),
        (r"\.x_proj_weight$", ".x_proj"),
        (r"\.dt_projs_(weight|bias)$", r".dt_\1"),
        (r"\.A_logs$", ".A_log"),
        (r"\.Ds$", ".D"),
        (r"\.up\.0\.", ".up."),
        (r"\.up2\.0\.", ".up_spectral."),
        (r"\.mambacat\.", ".join."),
        (r"\.layernorm\.", ".norm."),
        (r"\.pancat\.", ".with_multispectral."),
        (r"\.hsicat\.", ".with_hyperspectral."),
        (r"\.ssim_refine\.", ".spatial."),
        (r"\.sam_refine\.", ".spectral."),
        (r"\.saln(\d)\.", r".norm\1."),
        (r"\.sa\.to_q\.", ".attention.query."),
        (r"\.sa\.to_k\.", ".attention.key."),
        (r"\.sa\.to_v\.", ".attention.value."),
        (r"\.sa\.proj\.", ".attention.project."),
        (r"\.sa\.pos_emb\.", ".attention.position."),
        (r"\.sa\.rescale$", ".attention.rescale"),
        (r"\.re_conv1\.", ".feed_forward."),
        (r"\.convout\.0\.", ".merge."),
        (r"\.convout2\.0\.", ".out."),
    )
    official_derived: ClassVar[Sequence[str]] = (r"\.(catconv1|layernorm_score|down2)\.",)

    def __init__(
        self,
        input_channels: int = 31,
        multispectral_channels: int = 3,
        ratio: int = 8,
        stages: int = 4,
        dropout: float = 0.3,
        selection: Literal["batch", "image"] = "batch",
        use_phase: bool = False,
        response: Sequence[Sequence[float]] | None = None,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        check_positive("SRLF", multispectral_channels=multispectral_channels, stages=stages)
        if input_channels < FEWEST_BANDS or ratio < 2:
            raise InputError(
                f"SRLF: {input_channels} bands at ratio {ratio} are too few; it needs at least {FEWEST_BANDS} bands, "
                "one an attention head, and a ratio of at least 2."
            )
        if selection not in ("batch", "image"):
            raise InputError(f"SRLF: selection {selection!r} is unknown; choose batch or image.")
        self.input_channels, self.multispectral_channels, self.ratio = input_channels, multispectral_channels, ratio
        self.use_phase = use_phase
        self.sensor = PairSensor(input_channels, multispectral_channels, ratio, response)
        self.stem = nn.Conv2d(input_channels + multispectral_channels, input_channels, kernel_size=3, padding=1)
        settings = (input_channels, multispectral_channels, ratio, dropout, selection == "image", backend)
        self.stages = nn.ModuleList(RelearningStage(*settings) for _ in range(stages))
        self.tail = nn.Conv2d((stages + 1) * input_channels, input_channels, kernel_size=1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)

    def observe_by(self, response: Tensor, spread: Sequence[float] | None = None, first: int | None = None) -> None:
        """Set the sensors to those of the data; see `PairSensor.observe_by`."""
        self.sensor.observe_by(response, spread, first)

    @property
    def takes_phase(self) -> bool:
        """Whether `forward` wants to know the sampling phase of the observation."""
        return self.use_phase

    def _enlarge(self, observation: Tensor, phase: float | None = None) -> Tensor:
        if self.use_phase and phase is not None:
            return enlarge_from_phase(observation, self.ratio, phase)
        return enlarge_bicubic(observation, self.ratio)

    def forward(self, observation: Tensor, multispectral: Tensor, *, phase: float | None = None) -> Tensor:
        """Fuse.

        Args:
            observation: LR-HSI `B x C x h x w`, nominally in [0, 1].
            multispectral: HR-MSI `B x c x H x W` with `H = ratio h`, `W = ratio w`.
            phase: where a pixel of the cube lies in its block, from 0 (the first pixel's centre) to ratio - 1; without
                `use_phase` it is not looked at.

        Returns:
            HR-HSI `B x C x H x W`, not clipped.

        Raises:
            ValueError: the images do not fit each other or the network.
        """
        pair = (observation, multispectral)
        check_pair("SRLF", *pair, self.input_channels, self.multispectral_channels, self.ratio)
        enlarged = self._enlarge(observation, phase)
        features = [self.stem(torch.cat((enlarged, multispectral), dim=1))]
        for stage in self.stages:
            features.append(stage(features[-1], observation, multispectral, self.sensor))
        residual: Tensor = self.tail(torch.cat(features[::-1], dim=1))
        return residual + enlarged
