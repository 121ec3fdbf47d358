"""`predict` and `test` with `--data FusionPair`: a folder of pairs becomes fused files, and is scored without truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray

from datamodules import ParisEO1
from datamodules.degradations.point_spread import point_spread
from experiments.cli import main, run
from lightning_modules.solvers.resampling import block_phase, enlarge

envi = pytest.importorskip("spectral.io.envi")

QUIET = ["--trainer.logger", "false", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]
PAIRS = ["--data", "FusionPair", "--data.root", "pairs"]
PLACE = ["UTM", 1, 1, 448000.0, 5411000.0, 30.0, 30.0, 31, "North", "WGS-84", "units=Meters"]
KEYS = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32631)


def psnr(found: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    return float(-10 * np.log10(np.square(found - truth).mean() / truth.max() ** 2))


@pytest.fixture
def paris(shared: Path, tmp_path: Path) -> tuple[torch.Tensor, torch.Tensor, tuple[float, ...]]:
    """The real Hyperion and ALI images, of 72 x 72 pixels."""
    data = ParisEO1(str(shared / "data" / "Paris_EO1"), tiles=1, cache=str(tmp_path / "cache"))
    return data.read_scene("paris").cube, data.read_measured("paris", "multispectral").cube, data.wavelengths


def reduced(cube: torch.Tensor) -> torch.Tensor:
    return point_spread("block_centred", 4, None, None, None).reduction(72, 72, 4).apply(cube)


def write_envi(path: Path, cube: torch.Tensor, **header: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    envi.save_image(str(path), np.ascontiguousarray(cube.permute(1, 2, 0).numpy()), metadata=header)


def test_a_real_pair_becomes_a_file_that_another_program_opens_with_its_wavelengths_and_place(
    folder: Path, paris: tuple[torch.Tensor, torch.Tensor, tuple[float, ...]]
) -> None:
    truth, image, centres = paris
    low = reduced(truth)
    coarse = [*PLACE[:5], 120.0, 120.0, *PLACE[7:]]
    named = {"wavelength": [str(centre) for centre in centres], "wavelength units": "Nanometers"}
    write_envi(folder / "pairs" / "hyperspectral" / "paris.hdr", low, **named, **{"map info": coarse})
    write_envi(folder / "pairs" / "multispectral" / "paris.hdr", image, **{"map info": PLACE})
    assert main(["predict", *PAIRS, "--output", "out", *QUIET]) == 0
    opened = envi.open(str(folder / "out" / "paris.hdr"))
    fused = np.asarray(opened.load()).transpose(2, 0, 1)
    assert fused.shape == truth.shape
    assert np.abs(np.array(opened.bands.centers) - np.array(centres)).max() < 1e-9
    assert [float(word) for word in opened.metadata["map info"][3:7]] == [448000.0, 5411000.0, 30.0, 30.0]
    enlarged = enlarge(low, 4, block_phase(4)).numpy()
    assert psnr(fused, truth.numpy()) > psnr(enlarged, truth.numpy()) + 2
    record = json.loads((folder / "out" / "paris.img.json").read_text())
    assert record["notes"]["restored by"].startswith("GSA from hyperspectral/paris.img and multispectral/paris.img")
    assert main(["predict", *PAIRS, "--output", "out", "--resume", *QUIET]) == 0


def test_geotiff_by_suffixes_in_tiles_by_a_network_equals_the_whole(
    folder: Path, paris: tuple[torch.Tensor, torch.Tensor, tuple[float, ...]]
) -> None:
    truth, image, centres = paris
    (folder / "pairs").mkdir()
    for name, cube, side, text in (
        ("hs", reduced(truth), 120.0, json.dumps({"wavelengths": centres})),
        ("ms", image, 30.0, "{}"),
    ):
        place: list[tuple[int | str, int | str, int | None, Any, bool]] = [
            (33550, "d", 3, (side, side, 0.0), False),
            (33922, "d", 6, (0, 0, 0, 448000.0, 5411000.0, 0), False),
            (34735, "H", len(KEYS), KEYS, False),
        ]
        tifffile.imwrite(
            folder / "pairs" / f"paris_{name}.tif",
            cube.numpy(),
            photometric="minisblack",
            planarconfig="separate",
            description=text,
            metadata=None,
            extratags=place,
        )
    bicubic = ["--config", "co2if/bicubic", "--model.network.scale", "4", "--data.trained_wavelengths"]
    words = ["predict", *PAIRS, *bicubic, str(list(centres)), *QUIET, "--writer.tile"]
    assert main([*words, "16", "--output", "tiled"]) == 0
    assert main([*words, "64", "--output", "whole"]) == 0
    tiled, whole = (tifffile.imread(folder / name / "paris.tif") for name in ("tiled", "whole"))
    assert whole.shape == truth.shape
    # Tiles that know two pixels less of their surroundings differ near their rims alone.
    assert np.sqrt(np.square(tiled - whole).mean()) < 5e-3
    with tifffile.TiffFile(folder / "tiled" / "paris.tif") as file:
        first = file.pages.first
        tags = {tag.code: tag.value for tag in first.tags}
        assert tags[33550] == (30.0, 30.0, 0.0)
        assert tags[33922] == (0, 0, 0, 448000.0, 5411000.0, 0)
        assert tags[34735] == KEYS
        assert json.loads(first.description)["wavelengths"] == list(centres)


def test_a_pair_is_tested_by_walds_protocol_and_at_full_size(
    folder: Path, paris: tuple[torch.Tensor, torch.Tensor, tuple[float, ...]]
) -> None:
    truth, image, centres = paris
    (folder / "pairs").mkdir()
    np.save(folder / "pairs" / "paris_hs.npy", reduced(truth)[::3].numpy())
    np.save(folder / "pairs" / "paris_ms.npy", image.numpy())
    axes = ["--data.hyperspectral_axes", "CHW", "--data.multispectral_axes", "CHW"]
    words = [*PAIRS, *axes, "--data.wavelengths", str(list(centres[::3])), "--data.cache", str(folder / "cache")]
    found = run(["test", *words, *QUIET]).trainer.callback_metrics
    assert float(found["test/validation/psnr"]) > 30
    assert 0.8 < float(found["test/full_size/qnr"]) <= 1
    products = next(folder.rglob("products.csv")).read_text().splitlines()
    assert products[1].startswith("full_size,paris.npy,GSA,")


def test_what_cannot_be_fused_is_said_in_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pairs").mkdir()
    np.save(folder / "pairs" / "x_hs.npy", np.ones((5, 8, 8), np.float32))
    np.save(folder / "pairs" / "x_ms.npy", np.ones((3, 30, 30), np.float32))
    words = ["predict", *PAIRS, "--output", "out", *QUIET, "--data.hyperspectral_axes", "CHW"]
    words += ["--data.multispectral_axes", "CHW"]
    centres = ["--data.wavelengths", "500:700:5"]
    assert main([*words, *centres]) == 1
    assert "(a ratio of 3.75): resample it to 32 x 32, or crop both" in capsys.readouterr().err
    np.save(folder / "pairs" / "x_ms.npy", np.ones((3, 32, 32), np.float32))
    assert main(words) == 1
    assert "give the centre of each of its 5 bands in nm as data.init_args.wavelengths" in capsys.readouterr().err
    single = ["--config", "co2if/bicubic", "--model.network.scale", "8", "--data.trained_wavelengths", "500:700:5"]
    assert main([*words, *centres, *single]) == 1
    assert "gave 8 times the hyperspectral pixels of x.npy along each side, but the multispectral image has 4" in (
        capsys.readouterr().err
    )
    assert not list((folder / "out").glob("x*"))
