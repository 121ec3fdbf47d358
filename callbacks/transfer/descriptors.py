"""Local patch descriptors of an RGB image (HIR-ALIGN Eq. 9): colour, chromaticity and gradient on a small patch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def chroma(image: Tensor, epsilon: float = 1e-2) -> Tensor:
    """Return the chromaticity of an RGB image, the second line of Eq. 9.

    Args:
        image: RGB image, 3 x H x W in [0, 1].
        epsilon: keeps black pixels finite. The paper calls it small; 0.01 of summed RGB is where residual noise of a
            proxy starts to decide the hue, so darker pixels fade to zero chroma instead of a random one.

    Returns:
        `image / (sum over channels + epsilon)`, 3 x H x W.
    """
    return image / (image.sum(0, keepdim=True) + epsilon)


def image_gradient(image: Tensor) -> Tensor:
    """Return the central differences of every channel, vertical ones first, with clamped borders.

    Args:
        image: C x H x W.

    Returns:
        2C x H x W: C vertical then C horizontal differences.
    """
    padded = functional.pad(image[None], (1, 1, 1, 1), mode="replicate")[0]
    vertical = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    horizontal = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    return torch.cat((vertical, horizontal))


class PatchDescriptors:
    """The descriptors psi(I, u) of every pixel of one image, produced row by row on demand (Eq. 9).

    Only the padded feature image is kept (12 floats a pixel); a descriptor of a 5 x 5 patch is 300 floats, so a whole
    set at 512 x 512 would take 315 MB for each image. The unfold uses clamped borders.

    Attributes:
        height: H.
        width: W.
        padded_width: W + patch_size - 1.
        patch_size: side of the patch.
        channels: features of a pixel, 12.
        table: the padded feature image, (H + patch_size - 1) x (W + patch_size - 1) x 12.
    """

    def __init__(
        self, image: Tensor, *, patch_size: int = 5, chroma_weight: float = 0.25, gradient_weight: float = 0.5
    ) -> None:
        """Compute the feature image [I, 0.25 chroma, 0.5 gradient].

        Args:
            image: RGB image, 3 x H x W in [0, 1].
            patch_size: odd side of the patch in pixels.
            chroma_weight: lambda_c of Eq. 9.
            gradient_weight: lambda_g of Eq. 9.
        """
        features = torch.cat((image, chroma_weight * chroma(image), gradient_weight * image_gradient(image)))
        radius = patch_size // 2
        padded = functional.pad(features[None], (radius,) * 4, mode="replicate")[0]
        self.height, self.width = int(image.shape[1]), int(image.shape[2])
        self.patch_size = patch_size
        self.channels = int(features.shape[0])
        self.padded_width = self.width + 2 * radius
        self.table = padded.permute(1, 2, 0).contiguous()
        # A patch row is patch_size * channels neighbouring floats: an overlapping view makes gathering it a copy.
        positions = (self.height + 2 * radius) * self.padded_width - 2 * radius
        self._rows = self.table.as_strided((positions, patch_size * self.channels), (self.channels, 1))

    @property
    def count(self) -> int:
        """Number of pixels, H * W."""
        return self.height * self.width

    @property
    def dimension(self) -> int:
        """Length of one descriptor, patch_size^2 * 12."""
        return self.patch_size**2 * self.channels

    @property
    def device(self) -> torch.device:
        """Device of the features."""
        return self._rows.device

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the features."""
        return self._rows.dtype

    def corners(self, pixels: Tensor) -> Tensor:
        """Return the row of the patch table at which each pixel's patch begins.

        Args:
            pixels: flat pixel numbers `y * W + x`, any shape, int64.

        Returns:
            Row numbers of the same shape, for `patch_row`.
        """
        rows = torch.div(pixels, self.width, rounding_mode="floor")
        return pixels + rows * (self.padded_width - self.width)

    def patch_row(self, corners: Tensor, row: int) -> Tensor:
        """Return one row of many patches, gathered.

        Args:
            corners: what `corners` returned, Q.
            row: which row of the patch, 0 .. patch_size - 1.

        Returns:
            Q x (patch_size * 12).
        """
        return self._rows.index_select(0, corners + row * self.padded_width)

    def gather(self, pixels: Tensor) -> Tensor:
        """Return the descriptors of the named pixels.

        Args:
            pixels: flat pixel numbers, Q, int64.

        Returns:
            Q x dimension, ordered patch row, patch column, feature.
        """
        corners = self.corners(pixels)
        return torch.cat([self.patch_row(corners, row) for row in range(self.patch_size)], 1)

    def chunk(self, start: int, stop: int) -> Tensor:
        """Return the descriptors of pixels start .. stop - 1, (stop - start) x dimension."""
        return self.gather(torch.arange(start, stop, device=self.device))
