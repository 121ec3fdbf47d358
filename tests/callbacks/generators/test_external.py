"""ExternalCubes: every cube once before any twice, bands by wavelength, and a sentence for what cannot be used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch

from callbacks import ExternalCubes
from callbacks.generators import CubeRequest
from datamodules import generator_for

TARGET = (460.0, 500.0, 540.0)
DENSE = (450.0, 470.0, 490.0, 510.0, 530.0, 550.0)


def asked(number: int, seed: int = 3, wavelengths: tuple[float, ...] = TARGET) -> CubeRequest:
    generator = generator_for(seed, "test", number)
    return CubeRequest(torch.zeros(len(wavelengths), 4, 4), wavelengths, "", number, seed, generator)


def levels_in(folder: Path, count: int = 4, side: int = 6) -> Path:
    """Write cubes of constant value 0.1, 0.2, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        np.save(folder / f"{index}.npy", np.full((3, side, side), (index + 1) / 10, dtype=np.float32))
    return folder


def source_of(folder: Path, **changes: Any) -> ExternalCubes:  # noqa: ANN401
    return ExternalCubes(str(folder), **({"wavelengths": list(TARGET), "axes": "CHW"} | changes))


def levels(source: ExternalCubes, numbers: range, seed: int = 3) -> list[int]:
    return [round(10 * float(source(asked(number, seed))[0, 0, 0])) for number in numbers]


def test_every_cube_comes_once_before_any_comes_twice(tmp_path: Path) -> None:
    source = source_of(levels_in(tmp_path, 4))
    orders = [levels(source, range(first, first + 4)) for first in range(0, 40, 4)]
    assert all(sorted(order) == [1, 2, 3, 4] for order in orders)
    assert len({tuple(order) for order in orders}) > 3
    # The order is the seed's, whoever asks and in whatever order.
    fresh = source_of(tmp_path)
    assert [levels(fresh, range(n, n + 1))[0] for n in (7, 0, 5)] == [orders[1][3], orders[0][0], orders[1][1]]
    assert any(levels(source, range(4), seed) != orders[0] for seed in (4, 5, 6))


def test_bands_are_interpolated_at_the_targets_wavelengths(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 5 * 7, dtype=np.float64).reshape(5, 7)
    ramp = np.array(DENSE)[:, None, None] / 1000 * values
    scipy.io.savemat(tmp_path / "ramp.mat", {"cube": ramp.transpose(1, 2, 0), "wavelengths": np.array(DENSE)})
    cube = ExternalCubes(str(tmp_path), bands="interpolate")(asked(0))
    assert cube.dtype == torch.float32
    expected = torch.tensor(TARGET)[:, None, None] / 1000 * torch.from_numpy(values).float()
    torch.testing.assert_close(cube, expected, rtol=0, atol=1e-6)


def test_the_nearest_bands_are_selected_and_the_others_may_hold_anything(tmp_path: Path) -> None:
    own = (455.0, 480.0, 495.0, 541.0)
    cube = np.stack([np.full((4, 5), value, dtype=np.float32) for value in (0.1, np.nan, 0.3, 0.4)])
    np.save(tmp_path / "a.npy", cube)
    taken = source_of(tmp_path, bands="select", wavelengths=list(own))(asked(0))
    assert taken[:, 0, 0].tolist() == pytest.approx([0.1, 0.3, 0.4])


def test_a_files_own_wavelengths_go_before_the_given_ones(tmp_path: Path) -> None:
    """Given ones are for silent files; and counted from blue to red though the target counts from red to blue."""
    cube = np.stack([np.full((4, 4), value) for value in (0.1, 0.2, 0.3)], axis=-1)
    scipy.io.savemat(tmp_path / "a.mat", {"cube": cube, "wavelengths": np.array(TARGET)})
    source = source_of(tmp_path, axes=None, wavelengths="700:900:3")
    taken = source(asked(0, wavelengths=TARGET[::-1]))
    assert taken[:, 0, 0].tolist() == pytest.approx([0.3, 0.2, 0.1])


@pytest.mark.parametrize(
    ("rule", "expected"), [("scale:200", [0.0, 0.5]), ("maximum", [0.0, 1.0]), ("minmax", [0.0, 1.0])]
)
def test_values_come_to_the_unit_range(tmp_path: Path, rule: str, expected: list[float]) -> None:
    np.save(tmp_path / "a.npy", np.linspace(0, 100, 3 * 16, dtype=np.float32).reshape(3, 4, 4))
    cube = source_of(tmp_path, normalisation=rule)(asked(0))
    assert [float(cube.min()), float(cube.max())] == pytest.approx(expected)


def test_a_little_overshoot_is_clamped(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.linspace(-0.04, 1.04, 3 * 16, dtype=np.float32).reshape(3, 4, 4))
    cube = source_of(tmp_path)(asked(0))
    assert (float(cube.min()), float(cube.max())) == (0.0, 1.0)
    assert float(cube.flatten()[24]) == pytest.approx(-0.04 + 1.08 * 24 / 47)


def test_windows_lie_anywhere_and_follow_the_request(tmp_path: Path) -> None:
    plane = np.arange(64, dtype=np.float32).reshape(8, 8) / 64
    np.save(tmp_path / "a.npy", np.stack([plane] * 3))
    source = source_of(tmp_path, size=3)
    corners = set()
    for number in range(30):
        cube = source(asked(number))
        assert cube.shape == (3, 3, 3)
        row, column = divmod(round(64 * float(cube[0, 0, 0])), 8)
        torch.testing.assert_close(cube[1], torch.from_numpy(plane[row : row + 3, column : column + 3]))
        corners.add((row, column))
    assert len(corners) > 10
    assert torch.equal(source(asked(5)), source_of(tmp_path, size=3)(asked(5)))


def test_settings_change_with_files_and_arguments(tmp_path: Path) -> None:
    first = source_of(levels_in(tmp_path)).settings()
    assert first == source_of(tmp_path).settings()
    assert first != source_of(tmp_path, size=2).settings()
    assert first["files"][0][:1] + first["files"][0][1][:2] == ["0.npy", "0.npy", (tmp_path / "0.npy").stat().st_size]
    status = (tmp_path / "2.npy").stat()
    np.save(tmp_path / "2.npy", np.zeros((3, 6, 6), dtype=np.float32))
    os.utime(tmp_path / "2.npy", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert source_of(tmp_path).settings() != first


def test_stacks_of_pictures_name_every_file(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "stack").mkdir()
    for band in range(3):
        Image.fromarray(np.full((4, 4), 10 * band, dtype=np.uint8)).save(tmp_path / "stack" / f"band_{band + 1}.png")
    source = source_of(tmp_path, axes=None, normalisation="scale:255")
    assert [path.name for path in source.files()] == ["band_1.png", "band_2.png", "band_3.png"]
    assert source(asked(0))[:, 0, 0].tolist() == pytest.approx([0, 10 / 255, 20 / 255])


def test_a_folder_without_cubes_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^There is no folder .*none: set root of ExternalCubes to the folder"):
        source_of(tmp_path / "none").settings()
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(FileNotFoundError, match=r"^No cube is in .*, which holds notes\.txt; looked for .*\.mat"):
        source_of(tmp_path)(asked(0))


def test_a_damaged_file_is_refused_before_any_cube_is_given(tmp_path: Path) -> None:
    levels_in(tmp_path, 3)
    (tmp_path / "9.npy").write_bytes((tmp_path / "0.npy").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"9\.npy of 100 bytes is truncated"):
        source_of(tmp_path)(asked(0))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"wavelengths": None}, r"0\.npy does not say its wavelengths: give ExternalCubes wavelengths"),
        (
            {"wavelengths": [460, 500, 545]},
            r"has 3 bands from 460 to 545 nm, which do not give the target's 3 bands from 460 to 540 nm under "
            r"ExternalCubes' bands='refuse': set its bands to select",
        ),
        ({"wavelengths": [430, 440, 450], "bands": "select"}, r"bands='select': set its bands to interpolate"),
        (
            {"wavelengths": [465, 500, 545], "bands": "interpolate"},
            r"bands='interpolate': generate cubes that cover the target's range\.$",
        ),
        ({"size": 7}, r"0\.npy of 6 x 6 pixels is smaller than the window of 7 x 7: reduce size of ExternalCubes"),
        ({"normalisation": "scale:0.05"}, r"reaches from 2 to 2 under the normalisation 'scale:0\.05', where training"),
    ],
)
def test_cubes_that_do_not_fit_are_one_sentence(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        source_of(levels_in(tmp_path, 1), **changes)(asked(0))


def test_values_that_are_not_finite_are_one_sentence(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((3, 4, 4), np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match=r"a\.npy holds missing values \(NaN or infinite\): repair it, or "):
        source_of(tmp_path)(asked(0))


def test_marks_of_missing_values_are_one_sentence(tmp_path: Path) -> None:
    cube = np.full((3, 4, 4), 0.5, dtype=np.float32)
    cube[1, 2] = -9999
    np.save(tmp_path / "a.npy", cube)
    for rule in ("none", "minmax", "maximum"):
        with pytest.raises(
            ValueError, match=r"a\.npy holds missing values \(-9999, which usually marks them\): repair"
        ):
            source_of(tmp_path, normalisation=rule)(asked(0))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"bands": "nearest"}, r"^ExternalCubes got bands='nearest': choose one of refuse, select, interpolate\.$"),
        ({"size": 0}, r"^ExternalCubes got size=0: give at least 1 pixel"),
        ({"normalisation": "checkpoint"}, r"^ExternalCubes got normalisation='checkpoint', but no checkpoint knows"),
        ({"normalisation": "half"}, r"^The normalisation 'half' is unknown"),
        ({"wavelengths": "460-540"}, r"^The setting wavelengths of ExternalCubes is '460-540'"),
    ],
)
def test_wrong_settings_are_one_sentence(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        source_of(tmp_path, **changes)
