"""Bi-3DQRNN, bidirectional 3-D quasi-recurrent super-resolution (Fu, Liang and You, IEEE J-STARS 14, 2021).

Facts of the published network (`BiFQRNNREDC3D`, configuration biqrnn_16_5) kept here: it takes the degraded cube
already enlarged to the target's size; every layer is bidirectional, none is normalised, and only the last has a bias;
upsampling is trilinear with aligned corners. The last layer ends in gates as well, so the correction that is added to
the input lies in (-2, 2).

Height and width must divide by 2 for each strided layer in the published code; here they are padded by reflection and
cropped. The published files (`net` in a training checkpoint, no prefix) hold tensors only and load as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.networks.layers.padding import pad_to_multiple
from lightning_modules.networks.layers.quasi_recurrent import Kind, QuasiRecurrentLayer

__all__ = ["Bi3DQRNN"]


class Bi3DQRNN(nn.Module):
    """Bidirectional 3-D quasi-recurrent encoder and decoder; any number of bands, any height, width and batch.

    Input and output have one size: for super-resolution put it inside `UpsampledInput(Bi3DQRNN(), scale=4)`.
    Without arguments this is the published `biqrnn_16_5` (1 288 227 parameters).

    Args:
        channels: feature channels of the first layer; every strided layer doubles them.
        depth: layers of the encoder, and of the decoder (published name: `num_half_layer`).
        strided_layers: encoder layers, counted from 0, that halve height and width (published name: `sample_idx`); the
            mirrored decoder layers double them again.

    Raises:
        ValueError: when there is no layer or no channel, or a strided layer is repeated or not one of the encoder's.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"\.conv\.upsample_conv\.conv3d\.", ".gates."),
        (r"\.conv\.(de)?conv\.", ".gates."),
        (r"^(encoder|decoder)\.layers\.", r"\1."),
    )

    def __init__(self, channels: int = 16, depth: int = 5, strided_layers: Sequence[int] = (1, 3)) -> None:
        super().__init__()
        strided = set(strided_layers)
        if channels < 1 or depth < 1:
            raise InputError(f"Bi3DQRNN: channels {channels} and depth {depth} must both be at least 1; raise them.")
        if len(strided) != len(strided_layers) or not strided <= set(range(depth)):
            raise InputError(
                f"Bi3DQRNN: strided_layers {list(strided_layers)} are not different layers of 0 to {depth - 1}; "
                "name encoder layers, each once."
            )
        self.multiple = 2 ** len(strided)
        self.feature_extractor = QuasiRecurrentLayer(1, channels, "both")
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        width = channels
        for index in range(depth):
            factor = 2 if index in strided else 1
            down: Kind = "strided" if index in strided else "convolution"
            self.encoder.append(QuasiRecurrentLayer(width, width * factor, "both", down))
            width *= factor
        for index in reversed(range(depth)):
            factor = 2 if index in strided else 1
            up: Kind = "upsampled" if index in strided else "transposed"
            self.decoder.append(QuasiRecurrentLayer(width, width // factor, "both", up))
            width //= factor
        self.reconstructor = QuasiRecurrentLayer(channels, 1, "both", "transposed", bias=True)

    def forward(self, observation: Tensor) -> Tensor:
        """Restore a cube.

        Args:
            observation: degraded cube at the target's size, `B x C x H x W`, nominally in [0, 1] but not clipped.

        Returns:
            Restored cube `B x C x H x W`, not clipped.
        """
        height, width = observation.shape[-2:]
        padded = pad_to_multiple(observation, self.multiple).unsqueeze(1)
        features = self.feature_extractor(padded)
        skips: list[Tensor] = []
        for layer in self.encoder:
            skips.append(features)
            features = layer(features)
        # The deepest features have no skip; every other one, the extractor's last, is added after a decoder layer.
        for layer in self.decoder:
            features = layer(features) + skips.pop()
        restored: Tensor = self.reconstructor(features) + padded
        return restored.squeeze(1)[..., :height, :width]
