"""Three lines restore an array: any size, NumPy or torch, bands by wavelength, values on their own scale."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import hyperalign
from hyperalign.errors import HyperalignError
from lightning_modules import CO2IF, SERT, FusionModule, RestorationModule, read_weights
from lightning_modules.checkpoints import CheckpointError, write_checkpoint

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "experiments" / "hir_align" / "checkpoints"
DENOISER = SHIPPED / "gaussian.ckpt"
OLDER = ROOT / "tests" / "lightning_modules" / "checkpoints" / "a92c4af.ckpt"
CENTRES = [400.0 + 10 * band for band in range(31)]


def smooth(height: int, width: int, bands: int = 31) -> NDArray[np.float32]:
    """A cube of slow waves in [0.1, 0.9]."""
    y, x = np.mgrid[:height, :width]
    waves = [0.5 + 0.4 * np.sin((x + 2 * y) / 25 + band / 9) for band in range(bands)]
    return np.stack(waves).astype(np.float32)


def noisy(height: int, width: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(0).normal(0, 30 / 255, (31, height, width))
    return (smooth(height, width) + noise).astype(np.float32)


def error(found: NDArray[Any], clean: NDArray[Any]) -> float:
    return float(np.square(found - clean).mean())


@pytest.mark.parametrize("task", ["gaussian", "complex", "super_resolution"])
def test_the_shipped_checkpoints_become_ready_networks_of_the_same_weights(task: str) -> None:
    network = hyperalign.load(SHIPPED / f"{task}.ckpt")
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    kept = read_weights(SHIPPED / f"{task}.ckpt")
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())
    side = 64 if task == "super_resolution" else 16
    assert network(torch.rand(1, 31, 16, 16)).shape == (1, 31, side, side)


def test_an_older_checkpoint_has_the_shipped_weights_and_asks_for_its_network() -> None:
    with pytest.raises(CheckpointError, match=r"a92c4af\.ckpt does not describe its network, as older"):
        hyperalign.load(OLDER)
    network = SERT(
        dim=32, window_sizes=(8, 16), depths=(2, 2), num_heads=(2, 2), split_sizes=(1, 2), initialisation="identity"
    )
    assert hyperalign.load(OLDER, network=network) is network
    now = hyperalign.load(DENOISER).state_dict()
    assert all(torch.equal(value, now[name]) for name, value in network.state_dict().items())


def test_three_lines_denoise_arrays_and_tensors_alike() -> None:
    cube = noisy(40, 33)
    restored = hyperalign.restore(cube, DENOISER)
    assert isinstance(restored, np.ndarray)
    assert restored.dtype == np.float32
    assert error(restored, smooth(40, 33)) < 0.1 * error(cube, smooth(40, 33))
    as_tensor = hyperalign.restore(torch.from_numpy(cube), DENOISER)
    assert isinstance(as_tensor, torch.Tensor)
    assert np.array_equal(as_tensor.numpy(), restored)
    # The same as the network says, and the array that was given is left as it was.
    with torch.no_grad():
        direct = hyperalign.load(DENOISER)(torch.from_numpy(cube)[None])[0]
    assert np.array_equal(direct.numpy(), restored)
    assert np.array_equal(cube, noisy(40, 33))


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (17, 5), (16, 16)])
@pytest.mark.parametrize(("task", "factor"), [("gaussian", 1), ("super_resolution", 4)])
def test_any_size_is_restored(size: tuple[int, int], task: str, factor: int) -> None:
    restored = hyperalign.restore(smooth(*size), SHIPPED / f"{task}.ckpt")
    assert restored.shape == (31, size[0] * factor, size[1] * factor)
    assert np.isfinite(restored).all()


def test_tiles_leave_no_seam() -> None:
    cube = noisy(60, 70)
    whole = hyperalign.restore(cube, DENOISER, tile=None)
    tiled = hyperalign.restore(cube, DENOISER, tile=32)
    # A tile sees less of its surroundings; the noise that was removed is a hundred times as strong.
    assert error(tiled, whole) < 0.02 * error(cube, smooth(60, 70))
    with pytest.raises(HyperalignError, match="restore got tile=4: give at least 16 pixels"):
        hyperalign.restore(cube, DENOISER, tile=4)


def test_bands_are_matched_by_wavelength() -> None:
    cube = noisy(20, 24)
    expected = hyperalign.restore(cube, DENOISER)
    turned = hyperalign.restore(cube[::-1], DENOISER, wavelengths=CENTRES[::-1])
    assert np.array_equal(turned[::-1], expected)
    finer = np.repeat(cube, 2, axis=0)
    centres = [centre + shift for centre in CENTRES for shift in (0.0, 4.0)]
    with pytest.raises(HyperalignError, match="the network was trained on 31 bands from 400 to 700 nm: set `bands`"):
        hyperalign.restore(finer, DENOISER, wavelengths=centres)
    assert np.array_equal(hyperalign.restore(finer, DENOISER, wavelengths=centres, bands="select"), expected)
    part = hyperalign.restore(cube[3:], DENOISER, wavelengths=CENTRES[3:], bands="interpolate")
    assert part.shape == (28, 20, 24)


def test_values_come_to_the_networks_scale_and_back() -> None:
    cube = np.clip(noisy(20, 24), 0, None)
    expected = hyperalign.restore(cube, DENOISER)
    counts = hyperalign.restore(cube * 10000, DENOISER, normalisation="scale:10000")
    assert np.allclose(counts / 10000, expected, atol=1e-5)
    whole = np.round(cube * 10000).astype(np.uint16)
    assert np.allclose(hyperalign.restore(whole, DENOISER, normalisation="scale:10000") / 10000, expected, atol=1e-3)
    with pytest.raises(HyperalignError, match=r"reaches .* after the normalisation 'none', .*maximum or scale:10000"):
        hyperalign.restore(whole, DENOISER)


@pytest.mark.parametrize(
    ("cube", "sentence"),
    [
        (np.zeros((31, 20), dtype=np.float32), "cube has the shape 31 x 20: give C x H x W, one image at a time"),
        (np.zeros((31, 0, 4), dtype=np.float32), "cube has the shape 31 x 0 x 4"),
        (
            np.zeros((20, 24, 31), dtype=np.float32),
            r"has 20 bands and the network 31 \(its last axis has as many",
        ),
        (np.zeros((30, 20, 24), dtype=np.float32), "has 30 bands and the network 31: give the centres of its bands by"),
        (np.zeros((31, 4, 4), dtype=np.complex64), "holds complex64 values: give real numbers"),
        (np.zeros((31, 4, 4), dtype=bool), "holds bool values: give real numbers"),
        ([[[0.0]]], "cube is a list: give a NumPy array or a tensor"),
    ],
)
def test_what_is_no_cube_is_refused_in_one_sentence(cube: Any, sentence: str) -> None:  # noqa: ANN401
    with pytest.raises(HyperalignError, match=sentence):
        hyperalign.restore(cube, DENOISER)


def test_values_that_are_not_finite_are_named_by_their_place() -> None:
    cube = smooth(20, 24)
    cube[3, 4, 5] = np.inf
    with pytest.raises(HyperalignError, match="the first in band 3 at row 4, column 5: fill or cut them out"):
        hyperalign.restore(cube, DENOISER)


def test_missing_files_and_wrong_counts_are_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.ckpt does not exist"):
        hyperalign.restore(smooth(16, 16), "none.ckpt")
    with pytest.raises(HyperalignError, match="has 31 bands and `wavelengths` 5 centres: give one a band"):
        hyperalign.restore(smooth(16, 16), DENOISER, wavelengths="400:700:5")


def test_a_checkpoint_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    content = torch.load(DENOISER, weights_only=True)
    write_checkpoint(content, path)
    before = hyperalign.restore(smooth(16, 16), path)
    content["state_dict"] = {name: value * 0.5 for name, value in content["state_dict"].items()}
    write_checkpoint(content, path)
    assert not np.array_equal(hyperalign.restore(smooth(16, 16), path), before)


def test_pairs_are_fused_with_their_caption(tmp_path: Path) -> None:
    from lightning_modules import ClipTowers

    network = CO2IF(
        input_channels=5,
        multispectral_channels=3,
        ratio=4,
        text_width=32,
        image_width=32,
        embedding_width=16,
        dim=16,
        encoder_blocks=1,
        decoder_blocks=1,
        state_dim=2,
        cot_smooth_steps=0,
    )
    module = FusionModule(network, ClipTowers("tiny-random", None, cache=str(tmp_path)), tile=16)
    content: dict[str, Any] = {"state_dict": module.state_dict(), "pytorch-lightning_version": "2.6.6"}
    module.on_save_checkpoint(content)
    assert content["hyperalign"]["module"]["init_args"]["towers"]["init_args"] == {
        "model": "tiny-random",
        "pretrained": None,
        "config_folder": None,
    }
    write_checkpoint(content, tmp_path / "fusion.ckpt")
    coarse, fine = smooth(8, 6, 5), smooth(32, 24, 3)
    fused = hyperalign.restore(coarse, tmp_path / "fusion.ckpt", multispectral=fine, caption="waves")
    assert fused.shape == (5, 32, 24)
    batch = {
        "observation": torch.from_numpy(coarse)[None],
        "multispectral": torch.from_numpy(fine)[None],
        "caption": ["waves"],
        "name": ["x"],
    }
    with torch.no_grad():
        direct = module.eval().restore(batch)[0].numpy()
    # Small images are continued by their mirror image before the network sees them.
    assert error(fused, direct) < 1e-2
    with pytest.raises(HyperalignError, match="comes without a multispectral image"):
        hyperalign.restore(coarse, tmp_path / "fusion.ckpt", caption="waves")


def test_importing_the_ground_floor_imports_nothing_of_the_house() -> None:
    script = "import sys, hyperalign; sys.exit(any(one in sys.modules for one in ('torch', 'lightning_modules')))"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_a_module_restores_the_same_after_the_round_trip(tmp_path: Path) -> None:
    network = SERT(input_channels=31, dim=8, window_sizes=(8,), depths=(1,), num_heads=(2,), split_sizes=(1,))
    module = RestorationModule(network, tile=24)
    content: dict[str, Any] = {"state_dict": module.state_dict(), "pytorch-lightning_version": "2.6.6"}
    module.on_save_checkpoint(content)
    assert content["hyperalign"]["module"]["init_args"]["tile"] == 24
    write_checkpoint(content, tmp_path / "own.ckpt")
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(smooth(18, 20))[None])[0].numpy()
    assert np.array_equal(hyperalign.restore(smooth(18, 20), tmp_path / "own.ckpt"), expected)
