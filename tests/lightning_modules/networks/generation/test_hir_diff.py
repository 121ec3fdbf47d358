"""The denoiser of HIR-Diff beside the recorded output of the published network."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch

from hyperalign.errors import InputError
from lightning_modules import CheckpointError, load_official_state
from lightning_modules.networks import HIRDiffUNet
from tests.lightning_modules.solvers.hir_diff.recorded_step import recorded_step, start, tiny
from tests.published import parameter_count


def test_published_output(golden: ModuleType, shared: Path) -> None:
    spec, outputs, network = recorded_step(golden, shared)
    # Recorded at the noise level of inpainting.
    level = torch.tensor([spec["tasks"]["inpainting"]["alpha_bar"][0]])
    with torch.no_grad():
        assert golden.relative_error(network(start(spec), level), outputs["unet_eps"]) < 1e-5


def test_published_size() -> None:
    with torch.device("meta"):
        network = HIRDiffUNet()
    assert parameter_count(network) == 391_048_067
    assert len(network.state_dict()) == 362


def test_checkpoints_with_their_prefix_load_and_others_do_not(golden: ModuleType, shared: Path) -> None:
    spec, _, _ = recorded_step(golden, shared)
    state = {f"denoise_fn.{name}": tensor for name, tensor in golden.official_state(spec).items()}
    load_official_state(tiny(), state)
    state.pop("denoise_fn.mid.0.attn.out.bias")
    with pytest.raises(
        CheckpointError, match=r"1 of its 124 entries are missing \(first: middle.0.attention.out.bias\)"
    ):
        load_official_state(tiny(), state)


def test_images_of_a_batch_have_their_own_levels() -> None:
    network = tiny().eval()
    images = torch.randn(2, 3, 16, 20, generator=torch.Generator().manual_seed(0))
    levels = torch.tensor([0.2, 0.8])
    with torch.no_grad():
        together = network(images, levels)
        alone = torch.cat([network(images[[one]], levels[[one]]) for one in (0, 1)])
        assert (together - alone).abs().max() < 1e-5
        assert (network(images, levels.flip(0)) - together).abs().max() > 1e-4


def test_odd_sides_are_refused() -> None:
    with pytest.raises(InputError, match="15 x 16 pixels; pad it to multiples of 2"):
        tiny()(torch.randn(1, 3, 15, 16), torch.ones(1))
