"""A restoration network of one's own: any `torch.nn.Module` from `B x C x H x W` to `B x C x H x W`."""

from torch import Tensor, nn


class TinyNet(nn.Module):
    """Adds a correction made by two convolutions to the observation.

    Args:
        bands: C, the number of bands.
        width: features between the convolutions.
    """

    def __init__(self, bands: int = 31, width: int = 32) -> None:
        super().__init__()
        self.correction = nn.Sequential(
            nn.Conv2d(bands, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, bands, 3, padding=1)
        )

    def forward(self, observation: Tensor) -> Tensor:
        """Restore observations."""
        restored: Tensor = observation + self.correction(observation)
        return restored
