"""The small denoising UNet, and the space in which it sees images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from callbacks.guides.fields import change_exposure

# Standard deviation of the training images after standardisation: diffusion models are commonly trained on
# images in [-1, 1], whose deviation is about this; noise schedules are tuned for it.
DATA_DEVIATION = 0.5


@dataclass(frozen=True)
class ImageSpace:
    """Map between RGB in [0, 1] and the network's space.

    The square root makes noise act alike on shadows and highlights (hyperspectral scenes are linear in light and mostly
    dark); the standardisation gives a timestep the same meaning for every target.

    Args:
        mean: mean of the encoded proxies.
        deviation: standard deviation of the encoded proxies.
    """

    mean: float
    deviation: float

    @staticmethod
    def of(images: Sequence[Tensor]) -> ImageSpace:
        """Measure the space on 3 x H x W images in [0, 1]."""
        values = torch.cat([image.detach().cpu().double().flatten() for image in images]).sqrt()
        return ImageSpace(float(values.mean()), max(float(values.std(correction=0)), 1e-3))

    def encode(self, images: Tensor) -> Tensor:
        """Convert RGB in [0, 1] to the network's space."""
        return (images.sqrt() - self.mean) * (DATA_DEVIATION / self.deviation)

    def decode(self, images: Tensor) -> Tensor:
        """Convert the network's space to RGB in [0, 1]."""
        return (images * (self.deviation / DATA_DEVIATION) + self.mean).clamp(0.0, 1.0).square()

    @property
    def bounds(self) -> tuple[float, float]:
        """The network's values of black and white."""
        scale = DATA_DEVIATION / self.deviation
        return -self.mean * scale, (1.0 - self.mean) * scale


class DenoisingUNet(nn.Module):
    """A fully convolutional diffusers UNet2DModel on pixel-unshuffled images.

    It has no attention, so that any image works whose sides `multiple` divides. Folding blocks of pixels into
    channels makes it several times cheaper than a UNet on single pixels, at nearly the same quality.

    Args:
        channels: channels of each resolution level, multiples of the 8 groups of the normalisation.
        layers: residual blocks a level on the way down (one more on the way up).
        unshuffle: side of the blocks of pixels that are folded into channels; 1 for none.
        seed: of the initial weights; the global random state is left as it was.
    """

    def __init__(self, channels: Sequence[int], layers: int, unshuffle: int, seed: int) -> None:
        from diffusers import UNet2DModel

        super().__init__()
        self.unshuffle = unshuffle
        self.multiple = image_multiple(channels, unshuffle)
        # only the CPU's global generator is saved and seeded here: the weights are drawn on the CPU
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.unet = UNet2DModel(
                in_channels=3 * unshuffle**2,
                out_channels=3 * unshuffle**2,
                block_out_channels=tuple(channels),
                layers_per_block=layers,
                down_block_types=("DownBlock2D",) * len(channels),
                up_block_types=("UpBlock2D",) * len(channels),
                add_attention=False,
                norm_num_groups=8,
            )

    def forward(self, sample: Tensor, timesteps: Tensor) -> Tensor:
        """Map B x 3 x H x W noisy images and their B timesteps to B x 3 x H x W predictions."""
        folded = functional.pixel_unshuffle(sample, self.unshuffle)
        return functional.pixel_shuffle(self.unet(folded, timesteps).sample, self.unshuffle)


def image_multiple(channels: Sequence[int], unshuffle: int) -> int:
    """Return what must divide the sides of the images that `DenoisingUNet` sees."""
    return int(unshuffle * 2 ** (len(channels) - 1))


def reflected(image: Tensor, height: int, width: int) -> Tensor:
    """Extend ... x H x W at the bottom and right by reflection to at least (height, width), however small the image."""

    def indices(size: int, wanted: int) -> Tensor:
        period = max(2 * (size - 1), 1)
        position = torch.arange(max(size, wanted), device=image.device) % period
        return torch.minimum(position, period - position) if size > 1 else torch.zeros_like(position)

    rows, columns = indices(image.shape[-2], height), indices(image.shape[-1], width)
    return image[..., rows, :][..., columns]


def padded_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Extend ... x H x W by reflection until `multiple` divides both sides.

    Both become at least twice the multiple: the coarsest level's normalisation needs more than one pixel.
    """
    height, width = (max(2, math.ceil(length / multiple)) * multiple for length in image.shape[-2:])
    return reflected(image, height, width)


def random_patches(images: Sequence[Tensor], count: int, size: int, generator: torch.Generator) -> Tensor:
    """Draw augmented training patches: random image, place, flip, quarter turns, exposure and tint.

    Args:
        images: 3 x H x W in [0, 1], each at least `size` pixels high and wide.
        count: number of patches.
        size: side of the square patches in pixels.
        generator: CPU generator.

    Returns:
        count x 3 x size x size in [0, 1].
    """

    def below(bound: int) -> int:
        return int(torch.randint(bound, (), generator=generator))

    patches = []
    for _ in range(count):
        image = images[below(len(images))]
        row, column = below(image.shape[-2] - size + 1), below(image.shape[-1] - size + 1)
        patch = torch.rot90(image[:, row : row + size, column : column + size], below(4), (1, 2))
        patches.append(patch.flip(2) if below(2) else patch)
    exposure = 0.3 * (2.0 * torch.rand(count, 1, 1, 1, generator=generator) - 1.0)
    tint = 0.1 * (2.0 * torch.rand(count, 3, 1, 1, generator=generator) - 1.0)
    batch = torch.stack(patches)
    return change_exposure(batch, (exposure + tint).to(batch.device))
