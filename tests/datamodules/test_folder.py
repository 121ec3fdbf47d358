"""A folder of anybody's cubes: which are found, what the network is given, and what is refused in one sentence."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import Folder
from datamodules.sampling.tile_stream import TileBatch, TileStream, Tiling

TRAINED = (450.0, 550.0, 650.0)
KNOWN = {"wavelengths": TRAINED}


def save(path: Path, *, bands: int = 3, height: int = 20, width: int = 24, high: float = 1.0) -> np.ndarray[Any, Any]:
    """A float32 `.npy` cube of random values, bands first."""
    cube = np.random.default_rng(len(path.name)).uniform(0, high, (bands, height, width)).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, cube)
    return cube


def folder(root: Path, **settings: Any) -> Folder:  # noqa: ANN401
    """A folder of `.npy` cubes of three bands."""
    return Folder(str(root), **({"axes": "CHW", "wavelengths": list(TRAINED)} | settings))


def batches(data: Folder, tiling: Tiling | None = None, trained_on: dict[str, Any] | None = None) -> list[TileBatch]:
    """What a network would be given."""
    data.scenes = data.open_scenes(trained_on or KNOWN)
    return list(TileStream(data.scenes, TRAINED, tiling))


def test_cubes_are_found_by_name_and_below_only_if_asked(tmp_path: Path) -> None:
    for name in ("b.npy", "a.npy", "c/d.npy", ".hidden/e.npy"):
        save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no cube")
    (tmp_path / "stack").mkdir()
    for band in range(1, 4):
        Image.fromarray(np.full((8, 8), band, dtype=np.uint16)).save(tmp_path / "stack" / f"x_{band:02d}.png")
    flat = [path.relative_to(tmp_path).as_posix() for path in Folder(str(tmp_path)).paths()]
    assert flat == ["a.npy", "b.npy", "stack"]
    deep = [path.relative_to(tmp_path).as_posix() for path in Folder(str(tmp_path), recursive=True).paths()]
    assert deep == ["a.npy", "b.npy", "c/d.npy", "stack"]
    assert Folder(str(tmp_path / "a.npy")).paths() == [tmp_path / "a.npy"]
    assert Folder(str(tmp_path / "stack")).paths() == [tmp_path / "stack"]


def test_a_wrong_root_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"^There is no folder .*nowhere: set data\.init_args\.root to your cub"
    ):
        Folder(str(tmp_path / "nowhere")).paths()
    (tmp_path / "notes.txt").write_text("no cube")
    with pytest.raises(
        FileNotFoundError,
        match=r"^No cube is in .*, which holds notes\.txt; looked for files ending in \.mat, .*PNG fil",
    ):
        Folder(str(tmp_path)).paths()


def test_whole_scenes_come_as_batches_without_target(tmp_path: Path) -> None:
    cubes = [save(tmp_path / "a.npy"), save(tmp_path / "bb.npy", height=9)]
    found = batches(folder(tmp_path))
    assert [batch["name"] for batch in found] == [["a.npy"], ["bb.npy"]]
    for batch, cube in zip(found, cubes, strict=True):
        np.testing.assert_array_equal(batch["observation"][0].numpy(), cube)
        assert batch["wavelengths"] == TRAINED
        assert "target" not in batch
        assert "missing" not in batch


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("none", lambda cube: cube),
        ("maximum", lambda cube: cube / cube.max()),
        ("minmax", lambda cube: (cube - cube.min()) / (cube.max() - cube.min())),
        ("scale:4", lambda cube: cube / 4),
    ],
)
def test_values_are_normalised(tmp_path: Path, rule: str, expected: Any) -> None:  # noqa: ANN401
    cube = save(tmp_path / "a.npy", high=3.0)
    found = batches(folder(tmp_path, normalisation=rule))[0]["observation"][0].numpy()
    np.testing.assert_allclose(found, expected(cube), atol=1e-6)


def test_the_rule_of_the_checkpoint_is_taken_by_default(tmp_path: Path) -> None:
    cube = save(tmp_path / "a.npy", high=3.0)
    found = batches(folder(tmp_path), trained_on={**KNOWN, "normalisation": "scale:2"})[0]["observation"][0]
    np.testing.assert_allclose(found.numpy(), cube / 2, atol=1e-6)
    plain = batches(folder(tmp_path))[0]["observation"][0]
    np.testing.assert_array_equal(plain.numpy(), cube)


def test_the_maximum_is_that_of_the_bands_that_the_network_is_given(tmp_path: Path) -> None:
    cube = save(tmp_path / "a.npy", bands=4)
    cube[3] *= 100
    np.save(tmp_path / "a.npy", cube)
    data = folder(tmp_path, bands="select", normalisation="maximum", wavelengths=[450.0, 550.0, 650.0, 1200.0])
    found = batches(data)[0]["observation"][0].numpy()
    np.testing.assert_allclose(found, cube[:3] / cube[:3].max(), atol=1e-6)


def test_values_far_from_the_networks_scale_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((3, 20, 24), 1800, dtype=np.uint16))
    with pytest.raises(
        ValueError, match=r"a\.npy reaches 1800 after the normalisation 'none', where the network expects values in \[0"
    ):
        batches(folder(tmp_path))


def test_nan_is_refused_by_default_with_its_place(tmp_path: Path) -> None:
    cube = save(tmp_path / "a.npy")
    cube[1, 13, 7] = np.nan
    np.save(tmp_path / "a.npy", cube)
    tiling = Tiling(8, lambda length, _: [*range(0, length - 8, 6), length - 8])
    with pytest.raises(
        ValueError, match=r"a\.npy holds NaN or infinite values, the first in band 1 at row 13, column 7: .*nan to keep"
    ):
        batches(folder(tmp_path), tiling)


def test_nan_is_filled_with_the_bands_median_and_remembered(tmp_path: Path) -> None:
    cube = save(tmp_path / "a.npy")
    cube[1, 13, 7], cube[2, 0, 0] = np.nan, np.inf
    np.save(tmp_path / "a.npy", cube)
    batch = batches(folder(tmp_path, nan="keep"))[0]
    observation, missing = batch["observation"][0], batch["missing"][0]
    assert missing.nonzero().tolist() == [[1, 13, 7], [2, 0, 0]]
    finite = np.where(np.isfinite(cube), cube, np.nan)
    assert float(observation[1, 13, 7]) == pytest.approx(float(np.nanmedian(finite[1])))
    assert float(observation[2, 0, 0]) == pytest.approx(float(np.nanmedian(finite[2])))
    assert torch.equal(observation[~missing], torch.from_numpy(cube)[~missing])


@pytest.mark.parametrize("rule", ["none", "maximum", "minmax"])
def test_constant_bands_and_constant_cubes_are_fine(tmp_path: Path, rule: str) -> None:
    cube = save(tmp_path / "a.npy")
    cube[1] = 0.25
    np.save(tmp_path / "a.npy", cube)
    np.save(tmp_path / "b.npy", np.zeros_like(cube))
    for batch in batches(folder(tmp_path, normalisation=rule)):
        assert bool(batch["observation"].isfinite().all())


def test_what_is_not_known_about_wavelengths_is_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "a.npy")
    with pytest.raises(
        ValueError, match=r"^The checkpoint does not record the wavelengths that it was trained on: give "
    ):
        folder(tmp_path).open_scenes({})
    with pytest.raises(
        ValueError, match=r"a\.npy does not say its wavelengths: give data\.init_args\.wavelengths, the "
    ):
        folder(tmp_path, wavelengths=None).open_scenes(KNOWN)
    with pytest.raises(
        ValueError, match=r"^The checkpoint records that it was trained on 3 bands from 450 to 650 nm, oth"
    ):
        folder(tmp_path, trained_wavelengths="400:700:3").open_scenes(KNOWN)
    assert len(folder(tmp_path, trained_wavelengths="450:650:3").open_scenes(KNOWN)) == 1
    assert len(folder(tmp_path, trained_wavelengths="450:650:3").open_scenes({})) == 1


def test_every_header_is_checked_before_any_work(tmp_path: Path) -> None:
    save(tmp_path / "a.npy")
    save(tmp_path / "b.npy", bands=4)
    with pytest.raises(ValueError, match=r"b\.npy has 4 bands .* but 3 wavelengths"):
        folder(tmp_path, strict=True).open_scenes(KNOWN)
    data = folder(tmp_path)
    assert [scene.name for scene in data.open_scenes(KNOWN)] == ["a.npy"]
    assert list(data.failures) == ["b.npy"]
    assert "has 4 bands" in data.failures["b.npy"]


def test_bands_that_are_held_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path / "a.npy", bands=4)
    data = folder(tmp_path, bands="interpolate", wavelengths=[500.0, 560.0, 600.0, 700.0])
    with caplog.at_level(logging.WARNING):
        data.open_scenes(KNOWN)
    assert "a.npy has no band at 450 nm: the network is given its outermost band there" in caplog.text


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^Folder got bands='nearest': choose one of refuse, select, interpolate, windows\.$"
    ):
        Folder("x", bands="nearest")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^Folder got nan='zero': choose one of refuse, keep\.$"):
        Folder("x", nan="zero")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^The normalisation 'mean' is unknown"):
        Folder("x", normalisation="mean")


def test_eight_bits_where_sixteen_are_expected_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((3, 8, 8), 200, dtype=np.uint8))
    with pytest.raises(
        ValueError, match=r"a\.npy holds uint8 values, at most 255, where a full scale of 65535 is expect"
    ):
        folder(tmp_path, normalisation="scale:65535").open_scenes(KNOWN)
    assert len(folder(tmp_path, normalisation="scale:255").open_scenes(KNOWN)) == 1
