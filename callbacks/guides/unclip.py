"""The paper's guides: a published unCLIP model redraws the proxy RGB (HIR-ALIGN, section III-B 1, Eq. 5 to 8; IV-D)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from callbacks.guides.base import Guides, check_range, check_request, described
from callbacks.guides.unclip_parts import UnCLIPParts, Weights, load_parts
from callbacks.guides.unclip_prompts import warn_of_cut
from callbacks.guides.unclip_sampling import Sampling, Scheduler, redraw
from callbacks.guides.unclip_sizes import Canvas, Fit, canvas_for
from hyperalign.errors import InputError, NonFiniteError

log = logging.getLogger(__name__)

Precision = Literal["auto", "float32", "float16", "bfloat16"]

CHECKPOINT = "sd2-community/stable-diffusion-2-1-unclip-small"
PROMPT = "a sharp, clean, finely detailed photograph in natural light"
NEGATIVE_PROMPT = "blurry, out of focus, noisy, grainy, stripes, compression artefacts, low quality, low resolution"


class UnCLIPGuides(Guides):
    """Redraw the proxy RGB with unCLIP (Ramesh et al., 2022) on diffusers' StableUnCLIP components.

    The image embedding z_I and the fixed prompts z_T condition every step (Eq. 5): in StableUnCLIP the prompts' tokens
    go through the UNet's cross attention and the image embedding through its class labels. The paper's three changes to
    unCLIP are a blur-robust image encoder (Eq. 7, `image_encoder`), prompts, and the start at the noised latent of
    the proxy (Eq. 8, `strength`) with a perturbed embedding (`noise_level`); `improved=False` takes all of them
    back. The paper prints none of the values: the defaults are the published pipeline's where it has one, else ours.

    The weights (about 3 GB in half precision) are read when the first guide is made and kept until `release`.
    Without a network, save the pipeline elsewhere and give its folder. A guide depends on its proxy and its generator
    only; memory switches and `guides_at_once` change it by rounding at most.

    Args:
        checkpoint: folder or id of a StableUnCLIPImg2ImgPipeline. The smaller of the two published ones is the default:
            its ViT-L/14 encoder is half as large, to finetune and to keep, and the checkpoint carries the statistics
            that `noise_level` needs to mean the same in every direction of the embedding.
        image_encoder: folder of the blur-robust encoder that BlurRobustCLIP saved; None is the checkpoint's own.
        improved: False is the original unCLIP of Table VIII: pure noise, no prompts, the checkpoint's own encoder,
            unperturbed embedding. What contradicts it is left out, with a warning.
        prompt: what guides should look like (our wording; the paper's is not printed).
        negative_prompt: what they should not: the degradations that proxies may still carry.
        guidance_scale: of classifier-free guidance over prompts and embedding (the pipeline's 10); at most 1: off.
        steps: of the whole way from pure noise (the pipeline's 20).
        strength: t0 / T in (0, 1]: the last `round(strength * steps)` steps are done, beginning at their noise. Half
            way redraws textures and keeps the layout, which the spectral transfer matches; 1 is pure noise.
        noise_level: perturbation of the normalised image embedding, 0 to 999 (section IV-D). 100 adds noise of a sixth
            of the embeddings' spread: enough to make guides of one proxy differ, too little to change the subject.
        scheduler: name of the diffusers scheduler, such as `DPMSolverMultistepScheduler`; None is the checkpoint's.
        gamma: the model knows photographs, which are gamma-encoded; proxies are linear in light and would look dark to
            it. Values v enter as v ** (1 / gamma) and leave as v ** gamma; 1 leaves them.
        fit: `resize` brings the scene to the model's native number of pixels and back, `tiles` keeps its resolution
            and lets the network see overlapping tiles of one noisy canvas: for scenes much larger than `native`.
        native: side in pixels, see `fit`; None is the checkpoint's (768).
        overlap: smallest part of a tile that the next one shares, 0 to 0.5.
        dtype: of the networks; `auto` is float16 on CUDA (more digits than bfloat16, and a scene that overflows is
            drawn again in float32), else float32.
        guides_at_once: guides that the networks see together; more than 1 pays on a GPU.
        attention_slicing: less memory for attention, slower.
        vae_slicing: images pass the autoencoder one by one.
        vae_tiling: large images pass the autoencoder in tiles, which changes guides slightly.
        offload: networks stay on the CPU except while they are used.
        variant: of the weight files, such as `fp16`; None for the plain ones.
        revision: branch, tag or commit of the id; name a commit to be sure of the same weights for ever.
        local_files_only: whether nothing may be downloaded.

    Raises:
        ValueError: for a value out of its range.
    """

    def __init__(
        self,
        checkpoint: str = CHECKPOINT,
        image_encoder: str | None = None,
        improved: bool = True,
        prompt: str = PROMPT,
        negative_prompt: str = NEGATIVE_PROMPT,
        guidance_scale: float = 10.0,
        steps: int = 20,
        strength: float = 0.5,
        noise_level: int = 100,
        scheduler: Scheduler | None = None,
        gamma: float = 2.2,
        fit: Fit = "resize",
        native: int | None = None,
        overlap: float = 0.25,
        dtype: Precision = "auto",
        guides_at_once: int = 1,
        attention_slicing: bool = False,
        vae_slicing: bool = False,
        vae_tiling: bool = False,
        offload: bool = False,
        variant: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
    ) -> None:
        _check_arguments(dict(locals()))
        if not improved:
            changed = {"image_encoder": image_encoder is not None, "prompt": prompt not in {PROMPT, ""}}
            changed |= {"negative_prompt": negative_prompt not in {NEGATIVE_PROMPT, ""}}
            ignored = [name for name, given in changed.items() if given]
            if ignored:
                log.warning(
                    "UnCLIPGuides: improved=False is the original unCLIP, which leaves out %s: set improved to true to "
                    "use them.",
                    " and ".join(ignored),
                )
            image_encoder, prompt, negative_prompt, strength, noise_level = None, "", "", 1.0, 0
        self.improved = improved
        self.weights = Weights(checkpoint, image_encoder, variant, revision, local_files_only)
        self.sampling = Sampling(
            prompt, negative_prompt, guidance_scale, steps, strength, noise_level, scheduler, guides_at_once
        )
        self.gamma = gamma
        self.how_to_fit: Fit = fit
        self.native = native
        self.overlap = overlap
        self.dtype: Precision = dtype
        self.attention_slicing = attention_slicing
        self.vae_slicing = vae_slicing
        self.vae_tiling = vae_tiling
        self.offload = offload
        self._parts: UnCLIPParts | None = None
        self._identity: dict[str, Any] | None = None

    @classmethod
    def original(cls, checkpoint: str = CHECKPOINT, **arguments: Any) -> UnCLIPGuides:  # noqa: ANN401
        """Make the guides of the original unCLIP, Table VIII's first row: the same as `improved=False`."""
        return cls(checkpoint, improved=False, **arguments)

    @property
    def at_once(self) -> int:
        """Guides that the networks see together."""
        return self.sampling.at_once

    def __call__(self, proxy_rgb: Tensor, n: int, generator: torch.Generator) -> Tensor:
        """Redraw a 3 x H x W proxy RGB `n` times; see `Guides`.

        Returns:
            n x 3 x H x W in [0, 1] on the proxy's device.

        Raises:
            ValueError: for a proxy of another shape or with non-finite values, and for a checkpoint that cannot be
                reached or used.
            FloatingPointError: if the model gives non-finite values in float32.
        """
        check_request(proxy_rgb, n)
        return torch.stack(self.many([(proxy_rgb, generator)] * n))

    def many(self, requests: Sequence[tuple[Tensor, torch.Generator]]) -> list[Tensor]:
        """Make one guide a request, those of equal working size together; see `Guides` and `__call__`."""
        images = [check_request(proxy_rgb, 1) for proxy_rgb, _ in requests]
        # Each guide goes on with a generator of its own: how requests are batched, or share one, does not matter then.
        seeds = [int(torch.randint(1 << 62, (), generator=generator)) for _, generator in requests]
        groups: dict[tuple[torch.device, Canvas], list[int]] = {}
        for number, image in enumerate(images):
            parts = self._ready(image.device)
            groups.setdefault((image.device, self._canvas(image, parts)), []).append(number)
        guides: dict[int, Tensor] = {}
        for (device, canvas), numbers in groups.items():
            for begin in range(0, len(numbers), self.at_once):
                some = numbers[begin : begin + self.at_once]
                drawn = self._drawn(
                    self._ready(device), [images[one] for one in some], canvas, [seeds[one] for one in some]
                )
                guides |= zip(some, drawn, strict=True)
        return [guides[number] for number in range(len(requests))]

    def release(self) -> None:
        """Forget the weights and free their memory; they are read again when they are needed."""
        self._parts = None

    def settings(self) -> dict[str, Any]:
        """Return the class name, the weights' identity and every argument that changes guides; see `Guides`.

        Raises:
            ValueError: if there is no folder `image_encoder`.
        """
        if self._identity is None:
            self._identity = self.weights.settings()
        return described(
            self,
            {
                "weights": self._identity,
                "improved": self.improved,
                "sampling": asdict(self.sampling) | {"at_once": None},
                "gamma": self.gamma,
                "fit": [self.how_to_fit, self.native, self.overlap],
                "dtype": self.dtype,
                "vae_tiling": self.vae_tiling,
            },
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the weights out of copies and pickles."""
        return vars(self) | {"_parts": None}

    def _ready(self, device: torch.device) -> UnCLIPParts:
        """Return the components, in the wanted precision on `device`, reading them at the first use."""
        automatic = torch.float16 if device.type == "cuda" else torch.float32
        dtype: torch.dtype = automatic if self.dtype == "auto" else getattr(torch, self.dtype)
        if self._parts is None or self._parts.dtype != dtype:
            self._parts = parts = load_parts(self.weights, dtype, self.offload)
            if self.attention_slicing:
                parts.modules["unet"].set_attention_slice("auto")
            if self.vae_slicing:
                parts.modules["vae"].enable_slicing()
            if self.vae_tiling:
                parts.modules["vae"].enable_tiling()
            warn_of_cut(parts.tokenizer, "prompt", self.sampling.prompt)
            warn_of_cut(parts.tokenizer, "negative_prompt", self.sampling.negative_prompt)
        return self._parts

    def _canvas(self, image: Tensor, parts: UnCLIPParts) -> Canvas:
        native = parts.native if self.native is None else self.native
        size = (image.shape[-2], image.shape[-1])
        return canvas_for(size, self.how_to_fit, native, parts.multiple, parts.factor, self.overlap)

    def _drawn(self, parts: UnCLIPParts, images: list[Tensor], canvas: Canvas, seeds: list[int]) -> list[Tensor]:
        """Draw a guide for each image of one canvas."""
        encoded = torch.stack([canvas.enter(image.pow(1.0 / self.gamma)) for image in images])
        guides = redraw(parts, encoded, canvas, _generators(seeds), self.sampling)
        for number, seed in enumerate(seeds):
            if bool(torch.isfinite(guides[number]).all()):
                continue
            if parts.dtype != torch.float32:
                log.warning(
                    "A guide came out with NaN or infinite values in %s and is drawn again in float32: set the "
                    "guides' dtype to float32 if this happens often.",
                    str(parts.dtype).removeprefix("torch."),
                )
                with parts.in_float32():
                    again = redraw(parts, encoded[number : number + 1], canvas, _generators([seed]), self.sampling)
                guides[number] = again[0]
            if not bool(torch.isfinite(guides[number]).all()):
                raise NonFiniteError(
                    f"UnCLIPGuides got NaN or infinite values from {self.weights.checkpoint} in float32: check its "
                    "weights, and lower guidance_scale."
                )
        return [canvas.leave(guide.clamp(0.0, 1.0)).clamp(0.0, 1.0).pow(self.gamma) for guide in guides]


def _generators(seeds: Sequence[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def _check_arguments(given: dict[str, Any]) -> None:
    """Raise a ValueError for an argument out of its range; `given` holds all of them by name."""
    check_range("guidance_scale", given["guidance_scale"], 0.0)
    check_range("steps", given["steps"], 1, 1000)
    check_range("strength", given["strength"], 0.001, 1.0)
    check_range("noise_level", given["noise_level"], 0, 999)
    check_range("gamma", given["gamma"], 0.1, 10.0)
    check_range("overlap", given["overlap"], 0.0, 0.5)
    check_range("guides_at_once", given["guides_at_once"], 1)
    if given["native"] is not None:
        check_range("native", given["native"], 1)
    for name, known in (("fit", Fit), ("dtype", Precision), ("scheduler", Scheduler)):
        if given[name] not in get_args(known) and (name, given[name]) != ("scheduler", None):
            raise InputError(
                f"The guides' argument {name} is {given[name]!r}: choose one of {', '.join(get_args(known))}."
            )
