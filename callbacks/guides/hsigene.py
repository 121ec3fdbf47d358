"""RGB guides from HSIGene (Pang et al., arXiv 2409.12470), one of the generators in HIR-ALIGN's Table IX."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from callbacks.generators.hsigene import HSIGene
from callbacks.guides.base import Guides, check_request, described
from datamodules.scenes import to_rgb
from hyperalign.errors import InputError


class HSIGeneGuides(Guides):
    """The RGB (660, 550 and 470 nm) of cubes that HSIGene generates, with the proxy's RGB as their content.

    These guides are not aligned with the proxy: the proxy enters as one vector only, so a guide shares its subject and
    colours at best, never its layout. The spectral transfer then finds spectra by colour alone. Whole cubes, with the
    generator's own spectra, come from `callbacks.generators.hsigene.HSIGene` itself.

    Args:
        generator: it, with an `image_encoder`; its bands and output size are not used.

    Raises:
        ValueError: for a generator without an image encoder, whose cubes know nothing of the proxy.
    """

    def __init__(self, generator: HSIGene) -> None:
        if generator.encode_image is None:
            raise InputError(
                "HSIGeneGuides needs a generator with an image_encoder, because otherwise nothing of the proxy reaches "
                "its guides: give openai/clip-vit-large-patch14 or the authors' finetuned folder."
            )
        self.generator = generator

    def __call__(self, proxy_rgb: Tensor, n: int, generator: torch.Generator) -> Tensor:
        """Generate `n` guides for a 3 x H x W proxy RGB; see `Guides`.

        Returns:
            n x 3 x H x W in [0, 1] on the proxy's device.

        Raises:
            ValueError: for a proxy of another shape or with non-finite values.
            FileNotFoundError: when there are no weights.
            CheckpointError: when they are of another network.
            EncoderError: when the encoders cannot be loaded.
        """
        image = check_request(proxy_rgb, n)
        # guides are asked for one by one, so the generator and not their count says which prompt comes first
        first = int(torch.randint(len(self.generator.prompts), (), generator=generator))
        cubes = [self.generator.generate(image, first + number, generator, image.device) for number in range(n)]
        guides = to_rgb(torch.stack(cubes), self.generator.wavelengths)
        size = (image.shape[-2], image.shape[-1])
        return functional.interpolate(guides, size=size, mode="bicubic", antialias=True).clamp(0.0, 1.0)

    def release(self) -> None:
        """Forget the generator's network; it is read again when it is needed."""
        self.generator.release()

    def settings(self) -> dict[str, Any]:
        """Return the class name and the generator's settings; see `Guides`."""
        return described(self, {"source": self.generator.settings()})
