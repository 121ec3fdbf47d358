"""Cross-modal optimal transport (COT) of CO2IF: which words belong to which pixel, and the weights W (Eq. 1 to 4).

Paper: Zhang, Yang, Gao, "CO2IF: Language-Bridging Hyperspectral-Multispectral Image Fusion with Coordinated and
Cross-modal Optimal Transport", AAAI 2026; there is no published code. Decisions where it is silent: the plan is
row-normalised before it meets the text, so that a pixel's text feature is a convex combination of text tokens (as a
coupling its entries would shrink with the image); phi_conv of Eq. 4 is a depthwise 3 x 3 convolution, GELU and a
1 x 1 convolution; every pixel is an image token (the paper calls N_v a sequence length and does not say of what):
nothing is pooled.

Memory: one plan takes 4 B H W M bytes (1.3 MB at 64 x 64 and 77 tokens, 81 MB at 512 x 512). A training step keeps
32 of them with the default smoothness, inference needs up to 18 at once (1.5 GB at 512 x 512): use tiles.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError
from lightning_modules.networks.fusion.co2if.cross_entropy import matching_cross_entropy, softmax_plan
from lightning_modules.networks.fusion.co2if.mutual_information import MutualInformationForm, transport_cost
from lightning_modules.networks.fusion.co2if.sinkhorn import check_text_mask
from lightning_modules.networks.fusion.co2if.smoothness import smooth_plan

__all__ = ["CrossModalTransport", "Transport", "TransportForm", "WordMarginals"]

MAXIMUM_BETA = 0.1
"""Bound of the learned weight of the smoothness term: what the outer steps can still solve.

Of the fall of the objective that 60 steps reach, two steps reach 100 % at 0.01, 91 % at 0.03, 86 % at 0.1, 60 % at 0.3
and 22 % at 1 (32 x 32 pixels, 12 words, noisy features, epsilon 0.01); a larger weight would be a number that the plan
does not follow.
"""

TransportForm = Literal["none", "cross_entropy", "no_g", "full"]
WordMarginals = Literal["uniform", "content", "unbalanced"]


class Transport(NamedTuple):
    """What the transport gives to the decoder.

    Attributes:
        weight: adaptive semantic weight matrix W of Eq. 4, `B x C x H x W`.
        text: pixel-aligned text, the row-normalised plan times the text tokens, `B x C x H x W`.
        plan: coupling of pixels (row by row) and text tokens, `B x (H W) x M`, float32, of sum 1.
    """

    weight: Tensor
    text: Tensor
    plan: Tensor


class CrossModalTransport(nn.Module):
    """Pixel-aligned text and adaptive semantic weights from image features and text tokens.

    Rows of the paper's Table 2 are values of `cot`: `none` (w/o COT) pairs every pixel with all words alike, the
    independent coupling, so every pixel gets the mean of the tokens; `cross_entropy` (w/ CE) pairs by a softmax of
    cosines, and `matching_loss` is to be added to the training loss; `no_g` (w/o G) transports with the cost
    `1 - cosine`; `full` is the paper's method. A variant owns only the parameters that it uses.

    Tokens, cost, plan and W are computed in float32 whatever the autocast; only the gate's convolutions follow it.

    Args:
        channels: feature channels C of the image.
        text_channels: channels of the text tokens.
        width: channels d of the space in which image and text meet; C unless given.
        cot: how pixels and words are paired.
        mutual_information: G of the cost, a matrix (`pointwise`) or the number of Eq. 2 (`global`).
        epsilon: weight of the plan's entropy, in units of the cost.
        iterations: most Sinkhorn iterations of a plan.
        tolerance: L1 error of the plan's column sums at which the iterations stop.
        smooth_steps: steps of generalised conditional gradient for the smoothness term; 0 leaves the term out.
        initial_beta: weight of the smoothness term before training, in (0, `MAXIMUM_BETA`); it is learned.
        temperature: of the softmaxes of cosines (the joint distribution in G, cross-entropy); CLIP's initial one.
        word_marginals: what share of the image a word must get: `uniform`, the same for all (the usual reading of a
            transport without stated marginals), `content`, the same for all content words (whoever makes the text mask
            leaves out the others), or `unbalanced`, where departing from equal shares has a price.
        relaxation: that price, in units of the cost, for `unbalanced`.

    Raises:
        ValueError: an unknown `cot`, `mutual_information` or `word_marginals`, or a number out of range.
    """

    def __init__(
        self,
        channels: int,
        text_channels: int,
        width: int | None = None,
        cot: TransportForm = "full",
        mutual_information: MutualInformationForm = "pointwise",
        epsilon: float = 0.01,
        iterations: int = 100,
        tolerance: float = 1e-5,
        smooth_steps: int = 2,
        initial_beta: float = 0.01,
        temperature: float = 0.07,
        word_marginals: WordMarginals = "uniform",
        relaxation: float = 0.05,
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("cot", cot, get_args(TransportForm)),
            ("mutual_information", mutual_information, get_args(MutualInformationForm)),
            ("word_marginals", word_marginals, get_args(WordMarginals)),
        ):
            if value not in known:
                raise InputError(f"CrossModalTransport: {name} {value!r} is unknown; choose one of {', '.join(known)}.")
        smallest = min(epsilon, initial_beta, temperature, relaxation, iterations)
        if not (smallest > 0 and initial_beta < MAXIMUM_BETA and min(tolerance, smooth_steps) >= 0):
            raise InputError(
                f"CrossModalTransport: epsilon {epsilon}, initial_beta {initial_beta}, temperature {temperature}, "
                f"relaxation {relaxation} and iterations {iterations} must be positive, initial_beta below "
                f"{MAXIMUM_BETA}, tolerance {tolerance} and smooth_steps {smooth_steps} not negative; change these."
            )
        self.cot = cot
        self.mutual_information = mutual_information
        self.epsilon, self.iterations, self.tolerance = epsilon, iterations, tolerance
        self.smooth_steps, self.temperature = smooth_steps, temperature
        self.relaxation = relaxation if word_marginals == "unbalanced" else None
        width = channels if width is None else width
        self.text_channels = text_channels
        self.project_text = nn.Linear(text_channels, width)
        self.project_image = nn.Identity() if cot == "none" else nn.Linear(channels, width)
        self.restore_width = nn.Identity() if width == channels else nn.Linear(width, channels)
        self.gate = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels),
            nn.GELU(),
            nn.Conv2d(channels, channels, kernel_size=1),
        )
        self.raw_beta: nn.Parameter | None = None
        if cot in ("no_g", "full") and smooth_steps:
            before = MAXIMUM_BETA * math.atanh(initial_beta / MAXIMUM_BETA)
            self.raw_beta = nn.Parameter(torch.tensor(before + math.log(-math.expm1(-before))))

    @property
    def beta(self) -> Tensor:
        """Weight of the smoothness term, a scalar in (0, `MAXIMUM_BETA`); 0 in variants without the term."""
        if self.raw_beta is None:
            return torch.zeros((), device=self.project_text.weight.device)
        return MAXIMUM_BETA * torch.tanh(functional.softplus(self.raw_beta) / MAXIMUM_BETA)

    def _tokens(self, features: Tensor, text: Tensor, text_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both projected, `B x (H W) x d` and `B x M x d`; call with autocast off."""
        if text.ndim != 3 or text.shape[0] != features.shape[0] or text.shape[2] != self.text_channels:
            raise InputError(
                f"CrossModalTransport: text tokens have shape {tuple(text.shape)}; give {features.shape[0]} captions "
                f"of {self.text_channels} channels as B x M x C."
            )
        if text_mask is not None:
            check_text_mask(text_mask, (text.shape[0], text.shape[1]))
        precision = self.project_text.weight.dtype
        image = self.project_image(features.to(precision).flatten(2).transpose(1, 2))
        words = self.project_text(text.to(precision))
        common = torch.promote_types(precision, torch.float32)
        return image.to(common), words.to(common)

    def _plan(self, image: Tensor, words: Tensor, lattice: tuple[int, int], text_mask: Tensor | None) -> Tensor:
        if self.cot == "none":
            real = words.new_ones(words.shape[:2]) if text_mask is None else text_mask.to(words.dtype)
            shares = real / (real.sum(dim=1, keepdim=True) * image.shape[1])
            return shares[:, None].expand(-1, image.shape[1], -1)
        if self.cot == "cross_entropy":
            return softmax_plan(image, words, self.temperature, text_mask)
        form = None if self.cot == "no_g" else self.mutual_information
        cost = transport_cost(image, words, form, self.temperature, text_mask)
        outer = 0 if self.raw_beta is None else self.smooth_steps
        solver = (self.epsilon, self.iterations, self.tolerance)
        return smooth_plan(cost, lattice, self.beta, *solver, text_mask, outer_steps=outer, relaxation=self.relaxation)

    def forward(self, features: Tensor, text: Tensor, text_mask: Tensor | None = None) -> Transport:
        """Pair pixels with words.

        Args:
            features: image features X, `B x C x H x W`.
            text: text tokens T, `B x M x text_channels`.
            text_mask: `B x M`, true for real text tokens; padded ones receive no mass.

        Returns:
            W and the pixel-aligned text in the features' precision, and the plan.

        Raises:
            ValueError: text or mask do not fit the features, or a feature is not finite.
        """
        gate = torch.sigmoid(self.gate(features))
        with torch.autocast(features.device.type, enabled=False):
            image, words = self._tokens(features, text, text_mask)
            lattice = (features.shape[2], features.shape[3])
            plan = self._plan(image, words, lattice, text_mask)
            shares = plan / plan.sum(dim=-1, keepdim=True)
            values = self.restore_width(words.to(self.project_text.weight.dtype)).to(plan.dtype)
            aligned = torch.bmm(shares, values).transpose(1, 2).unflatten(2, lattice)
            weight = aligned + (gate.to(plan.dtype) + 1) * features.to(plan.dtype)
        return Transport(weight.to(features.dtype), aligned.to(features.dtype), plan)

    def matching_loss(self, features: Tensor, text: Tensor, text_mask: Tensor | None = None) -> Tensor:
        """Return the cross-entropy of matching images and captions of a batch, the term of the variant `cross_entropy`.

        Args:
            features: image features, `B x C x H x W`.
            text: text tokens, `B x M x text_channels`.
            text_mask: `B x M`, true for real text tokens.

        Returns:
            Scalar in nats; constant 0 in every other variant.

        Raises:
            ValueError: text or mask do not fit the features.
        """
        if self.cot != "cross_entropy":
            return torch.zeros((), device=features.device)
        with torch.autocast(features.device.type, enabled=False):
            image, words = self._tokens(features, text, text_mask)
            return matching_cross_entropy(image, words, self.temperature, text_mask)
